use std::fs;

use super::*;
use crate::policy::builtin;

fn gather_in(directory: &Path, words: &[&str]) -> (Vec<(String, String)>, Vec<String>) {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let (drafts, problems) = gather(&words, directory);
    (
        drafts
            .into_iter()
            .map(|d| (d.name, d.source.name().to_owned()))
            .collect(),
        problems.iter().map(ToString::to_string).collect(),
    )
}

fn pair(name: &str, source: &str) -> (String, String) {
    (name.to_owned(), source.to_owned())
}

/// A directory with `ci.toml`, `policies/{b,a}.toml` and things that are no policies.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("policies/nested")).unwrap();
    fs::create_dir(at("empty")).unwrap();
    for name in [
        "ci.toml",
        "policies/b.toml",
        "policies/a.toml",
        "policies/nested/c.toml",
    ] {
        fs::write(at(name), "allow = []\n").unwrap();
    }
    fs::write(at("policies/README.md"), "").unwrap();
    fs::write(at("policies/.#a.toml"), "").unwrap();
    dir
}

#[test]
fn a_word_is_a_path_or_a_built_in_by_its_spelling() {
    let dir = directory();
    let (found, problems) = gather_in(dir.path(), &["traefik", "ci.toml", "./policies"]);

    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(
        found,
        [
            pair("traefik", "<built-in>/traefik.toml"),
            pair("ci", "ci.toml"),
            pair("a", "./policies/a.toml"),
            pair("b", "./policies/b.toml"),
        ]
    );
}

#[test]
fn a_word_that_could_be_both_is_refused() {
    let dir = directory();
    fs::write(dir.path().join("traefik.toml"), "").unwrap();

    let (found, problems) = gather_in(dir.path(), &["traefik"]);
    assert!(found.is_empty());
    assert!(
        problems[0].contains("write `./traefik.toml` for the file"),
        "{problems:?}"
    );

    let (found, problems) = gather_in(dir.path(), &["./traefik.toml"]);
    assert_eq!(found, [pair("traefik", "./traefik.toml")]);
    assert!(problems.is_empty());
}

#[test]
fn everything_that_is_wrong_with_the_words_is_said_at_once() {
    let dir = directory();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("Upper.toml"), "").unwrap();
    fs::write(at(".toml"), "").unwrap();
    fs::write(at(&format!("{}.toml", "x".repeat(65))), "").unwrap();
    fs::write(at("latin.toml"), b"# caf\xe9").unwrap();
    fs::write(at("huge.toml"), "#".repeat(1024 * 1024 + 1)).unwrap();
    fs::create_dir(at("dir.toml")).unwrap();

    let (found, problems) = gather_in(
        dir.path(),
        &[
            "traefk",
            "ci",
            "policies",
            "./missing.toml",
            "missing/",
            "empty/",
            "Upper.toml",
            "./.toml",
            &format!("{}.toml", "x".repeat(65)),
            "latin.toml",
            "huge.toml",
            "dir.toml",
        ],
    );

    assert!(found.is_empty(), "{found:?}");
    insta::assert_snapshot!(problems.join("\n"), @r#"
    there is no built-in policy `traefk`; did you mean `traefik`?
    there is no built-in policy `ci`; for the file, write `./ci.toml`
    there is no built-in policy `policies`; for the file, write `./policies`
    cannot read `./missing.toml`: no such file or directory; is it mounted, and is the path right?
    cannot read `missing/`: no such file or directory; is it mounted, and is the path right?
    `empty/` holds no policy: policies are the files `*.toml` directly inside
    `Upper.toml` cannot give a policy its name: rename the file to lower-case letters, digits, `_`, `.` and `-`, at most 64 and starting with a letter or digit
    `./.toml` cannot give a policy its name: rename the file to lower-case letters, digits, `_`, `.` and `-`, at most 64 and starting with a letter or digit
    `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.toml` cannot give a policy its name: rename the file to lower-case letters, digits, `_`, `.` and `-`, at most 64 and starting with a letter or digit
    `latin.toml` is not UTF-8 text: look at byte 5
    `huge.toml` is larger than 1 MiB: it is no policy
    `dir.toml` holds no policy: policies are the files `*.toml` directly inside
    "#);
}

#[test]
fn a_name_that_is_nowhere_near_is_answered_with_the_list() {
    for word in ["grafana", ""] {
        let (_, problems) = gather_in(Path::new("/nowhere"), &[word]);
        for name in builtin::names() {
            assert!(problems[0].contains(&format!("`{name}`")), "{problems:?}");
        }
    }
}

#[test]
fn two_policies_of_one_name_are_refused() {
    let draft = |name: &str, from: &str| Draft {
        name: name.into(),
        source: Source::new(from, ""),
    };
    let drafts = [
        draft("a", "a.toml"),
        draft("b", "b.toml"),
        draft("a", "x/a.toml"),
    ];

    let problems: Vec<String> = same_names(&drafts)
        .iter()
        .map(ToString::to_string)
        .collect();

    assert_eq!(
        problems,
        [
            "two policies are named `a`: a.toml and x/a.toml; rename one file, its stem is the policy's name"
        ]
    );
    assert!(same_names(&drafts[..2]).is_empty());
}

#[test]
fn a_policy_brings_the_bodies_of_its_tests() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let test = |file: &str| {
        format!(
            "allow = [\"POST /containers/create\"]\n[[test]]\nrequest = \"POST /containers/create\"\n\
             body_file = \"{file}\"\nexpect = \"deny\"\nreason = \"power-privileged\"\n"
        )
    };
    fs::create_dir_all(at("policies/bodies")).unwrap();
    fs::write(
        at("policies/bodies/root.json"),
        r#"{"HostConfig":{"Privileged":true}}"#,
    )
    .unwrap();
    let load = |file: &str| {
        fs::write(at("policies/ci.toml"), test(file)).unwrap();
        load(&["policies/ci.toml".to_owned()], dir.path())
    };
    assert_eq!(load("bodies/root.json").unwrap().len(), 1);
    for (file, cause) in [
        ("bodies/none.json", "No such file"),
        ("bodies", "it is not a file"),
        ("../policies/bodies/root.json", "without `..`"),
    ] {
        let problems = load(file).unwrap_err();
        let [Problem::Faulty { diagnostics, .. }] = &problems[..] else {
            panic!("{problems:?}");
        };
        let label = &diagnostics[0].labels[0].1;
        assert!(
            label.to_lowercase().contains(&cause.to_lowercase()),
            "{label}"
        );
    }
}
