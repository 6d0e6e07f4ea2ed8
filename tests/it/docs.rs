//! What the documentation lists is what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use quaygate::diag::Source;
use quaygate::docker::payload::Power;
use quaygate::policy::{Grade, Policy, Reason};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The part of the policy page below a heading, up to the next one of the same depth.
fn section(heading: &str) -> String {
    let page = read("docs/policy.md");
    let depth = heading.split(' ').next().unwrap();
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap();
    let end = rest.find(&format!("\n{depth} ")).unwrap_or(rest.len());
    rest[..end].to_owned()
}

/// What stands in backticks in the first column of a section's tables; each once.
fn first_column(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut found = BTreeSet::new();
    for row in rows {
        let column = row.split('|').nth(1).unwrap();
        for word in column.split('`').skip(1).step_by(2) {
            assert!(found.insert(word.to_owned()), "`{word}` is listed twice");
        }
    }
    found
}

/// Text literals in kebab-case, as codes are written.
fn kebab_literals(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let words = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_code = |word: &&str| {
        word.contains('-')
            && word
                .split('-')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    words.filter(is_code).map(str::to_owned).collect()
}

#[test]
fn every_reason_is_listed_and_nothing_else() {
    let listed = section("## Why a request is refused");
    let (policy, rest) = listed.split_once("\n### ").unwrap();
    let codes = Reason::ALL.iter().map(|reason| reason.code().to_owned());
    let codes: BTreeSet<String> = codes.collect();
    assert_eq!(first_column(policy), codes);

    let mut others = BTreeSet::new();
    for path in [
        "src/docker/call/malformed.rs",
        "src/wire/head/refusal.rs",
        "src/wire/framing.rs",
        "src/proxy/body.rs",
        "src/proxy/passage.rs",
        "src/proxy/refuse.rs",
    ] {
        others.extend(kebab_literals(path));
    }
    let others: BTreeSet<String> = others.difference(&codes).cloned().collect();
    assert_eq!(first_column(rest), others);
}

#[test]
fn every_power_and_every_grade_is_listed() {
    let powers = section("### Powers");
    let rows: Vec<&str> = powers
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    for power in Power::all() {
        let key = format!("`{}`", power.key());
        let listed = |row: &&str| row.split('|').nth(1).unwrap().contains(&key);
        assert!(rows.iter().any(listed), "{key}");
    }
    let grades: BTreeSet<String> = Grade::ALL.map(|grade| grade.word().to_owned()).into();
    assert_eq!(first_column(&section("## What `check` says")), grades);
}

#[test]
fn the_policy_for_one_of_several_teams_loads_and_shows_one_team_only() {
    let section = section("## What is shown: `[visible]`");
    let (_, example) = section.split_once("\ndescription = ").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let source = Source::new("team.toml", &format!("description = {example}"));
    let policy = Policy::parse("team", &source).unwrap().policy;
    assert_eq!(policy.tests(), 2);
    assert_eq!(
        policy.shows().collect::<Vec<_>>(),
        ["label = \"team=blue\""]
    );
}
