//! What a body may hand out, shown at a real engine: refused, and then nothing is there; admitted by its
//! line, and then it works.
//!
//! The cases are data: `powers/cases.toml` and `powers/escapes.toml`, explained in `powers/README.md`. Every
//! scene has an engine of its own, so that whatever comes to be there was made by the scene.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    reason = "a scene that cannot go on says so by panicking"
)]

mod catalogue;
mod escapes;
mod execs;
mod play;
mod raw;
mod scenery;
mod words;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use quaygate::diag::{Source, render};
use quaygate::docker::payload::Power;
use quaygate::docker::{ApiVersion, Call};
use quaygate::facts::Caller;
use quaygate::judge::Judge;
use quaygate::policy::{Policy, Verdict};
use serde_json::Value;

use crate::stage::{Gate, wait_until};
use catalogue::Case;
use escapes::Escape;
use play::{Play, Played};
use scenery::Scenery;

/// How many cases are played at a time.
const WORKERS: usize = 4;

#[test]
fn every_power_has_its_verdict_before_an_engine_is_asked() {
    let fill = |text: &str| {
        // What the engine would know; the braces of JSON stay.
        let mut text = text.replace("{HOST}", "/srv/qg");
        for brace in [
            "IMAGE", "OTHER", "MARK", "BOX", "OTHERBOX", "VOLUME", "NET", "OTHERNET",
        ] {
            text = text.replace(
                &format!("{{{brace}}}"),
                &format!("qg-{}", brace.to_lowercase()),
            );
        }
        text
    };
    let mut wrong = Vec::new();
    for case in catalogue::all() {
        let [refuses, admits] = case.policies().map(|(_, text)| policy(&fill(&text)));
        for (policy, members, expected) in [
            (&refuses, &case.asks, &*case.code),
            (&refuses, &case.twin, "allow"),
            (&admits, &case.asks, "allow"),
        ] {
            let found = verdict(policy, &case, &fill(&case.body(members, "qg-case")));
            if found != expected {
                wrong.push(format!("{}: {found}, not {expected}: {members}", case.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_power_has_a_case() {
    let cases = catalogue::all();
    for power in Power::all() {
        let code = power.code();
        assert!(
            cases.iter().any(|case| case.code == code),
            "{code} is in no case"
        );
    }
    for (table, grant) in catalogue::TABLES {
        assert!(
            cases.iter().any(|case| case.table == table),
            "{grant} is in no case"
        );
    }
}

fn policy(text: &str) -> Policy {
    let source = Source::new("case.toml", text);
    match Policy::parse("case", &source) {
        Ok(checked) => checked.policy,
        Err(problems) => panic!("{}", render::text(&source, &problems, false)),
    }
}

/// `allow`, or the reason code.
fn verdict(policy: &Policy, case: &Case, body: &str) -> &'static str {
    let (method, path) = case.grant().split_once(' ').unwrap();
    let path = path.replace("{id}", "qg-box");
    let call = Call::parse(method, &path).unwrap_or_else(|bad| panic!("{path}: {}", bad.code()));
    let engine = Some(ApiVersion::new(1, 45));
    let caller = Caller::default();
    let judge = Judge::new(policy, &caller, &call, engine).body(body.as_bytes());
    match judge.decide().verdict {
        Verdict::Allow(_) => "allow",
        Verdict::Deny(reason) => reason.code(),
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn every_power_is_refused_without_a_trace_and_works_where_its_line_stands() {
    let scenery = Scenery::set();
    let cases = catalogue::all();
    let policies: Vec<_> = cases
        .iter()
        .flat_map(Case::policies)
        .map(|(name, text)| (name, scenery.filled(&text)))
        .collect();
    let gate = Gate::serving(scenery.engine(), &policies);
    let play = |case| Play {
        scenery: &scenery,
        gate: &gate,
        case,
    };
    let told =
        |case: &Case, played: Played| played.map_err(|why| format!("{}: {why}", case.id)).err();

    let refused = cases
        .iter()
        .filter_map(|case| told(case, play(case).is_refused()));
    let refused: Vec<String> = refused.collect();
    assert!(refused.is_empty(), "{refused:#?}");

    // Starting containers is mostly waiting.
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    wrong
                        .lock()
                        .unwrap()
                        .extend(told(case, play(case).has_effect()));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");

    let expected = cases.iter().map(|case| {
        let [(refusing, _), _] = case.policies();
        (refusing, case.code.clone())
    });
    assert_recorded(&gate, &expected.collect());
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn bodies_that_reach_past_their_reader_are_refused_without_a_trace() {
    let scenery = Scenery::set();
    let escapes = escapes::all();
    let policies = escapes.iter().flat_map(Escape::policies);
    let policies: Vec<_> = policies
        .map(|(name, text)| (name, scenery.filled(&text)))
        .collect();
    let gate = Gate::serving(scenery.engine(), &policies);
    let wrong = escapes.iter().filter_map(|escape| {
        let played = escape.play(&scenery, &gate);
        played.err().map(|why| format!("{}: {why}", escape.id))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let reasoned = escapes.iter().filter(|escape| !escape.code.is_empty());
    let expected = reasoned.map(|escape| (format!("{}.escape", escape.id), escape.code.clone()));
    assert_recorded(&gate, &expected.collect());
}

/// Every refusal is in the audit log with its reason.
fn assert_recorded(gate: &Gate, expected: &BTreeMap<String, String>) {
    let mut found = BTreeMap::new();
    wait_until("every refusal is recorded", || {
        found = reasons(gate);
        found.retain(|policy, _| expected.contains_key(policy));
        found.len() >= expected.len()
    });
    assert_eq!(&found, expected);
}

/// The first reason of every policy that refused something.
fn reasons(gate: &Gate) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in gate.audit().lines() {
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if record["decision"] == "deny" && record["kind"] == "final" {
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            found
                .entry(text("policy"))
                .or_insert_with(|| text("reason"));
        }
    }
    found
}
