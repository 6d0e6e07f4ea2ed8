//! The running gate and `quaygate explain` decide alike: both walk `quaygate::judge`, and here every
//! recorded request under every ready policy says that neither adds anything to it.

use std::fs;
use std::path::Path;
use std::thread;

use quaygate::diag::Source;
use quaygate::docker::{ApiVersion, Call};
use quaygate::facts::{Caller, Findings};
use quaygate::judge::Judge;
use quaygate::policy::{Policy, Verdict};

use crate::support::traces::{self, Trace};
use crate::support::{FakeDocker, Gate, WORKSHOP, ok, wait_until};

/// What came of a request: forwarded, refused by the policy, or refused as unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Allowed,
    Denied,
    Malformed,
}

#[test]
fn gate_and_judge_agree_on_every_recorded_request_under_every_ready_policy() {
    let mut policies = ready_policies();
    assert!(policies.len() >= 3, "the ready policies are there");
    policies.push(("workshop".to_owned(), WORKSHOP.to_owned()));
    let traces = traces::all();

    for (name, text) in policies {
        let source = Source::new(&format!("{name}.toml"), &text);
        let policy = Policy::parse(&name, &source)
            .unwrap_or_else(|errors| panic!("{name} does not load: {errors:?}"))
            .policy;
        let docker = FakeDocker::start(|exchange| {
            exchange.read_body();
            exchange.send(&ok("{}"));
        });
        let gate = Gate::with_policy(&docker, &text);
        // Once the engine's version is known, a request without a prefix counts as it.
        wait_until("the gate knows the engine", || {
            gate.client()
                .get("/debug/vars")
                .head
                .get("api-version")
                .is_some()
        });

        let mut differences = Vec::new();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|worker| {
                    let (gate, policy, traces) = (&gate, &policy, &traces);
                    scope.spawn(move || {
                        let mine = traces.iter().skip(worker).step_by(4);
                        mine.filter_map(|trace| difference(gate, policy, trace))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            for worker in workers {
                differences.extend(worker.join().unwrap());
            }
        });
        assert!(
            differences.is_empty(),
            "under {name}:\n{}",
            differences.join("\n")
        );
    }
}

fn ready_policies() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut found: Vec<(String, String)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

fn difference(gate: &Gate, policy: &Policy, trace: &Trace) -> Option<String> {
    let (gates, judges) = (by_gate(gate, trace), by_judge(policy, trace));
    (gates != judges).then(|| {
        format!(
            "{} {}: the gate {gates:?}, judge {judges:?}",
            trace.method, trace.target
        )
    })
}

fn by_gate(gate: &Gate, trace: &Trace) -> Fate {
    let answer = gate.client().send_raw(trace.request()).read_response();
    match answer.status() {
        200 => Fate::Allowed,
        403 => Fate::Denied,
        400 | 414 => Fate::Malformed,
        other => panic!(
            "{} {} was answered {other}: {}",
            trace.method,
            trace.target,
            answer.text()
        ),
    }
}

fn by_judge(policy: &Policy, trace: &Trace) -> Fate {
    let Ok(call) = Call::parse(&trace.method, &trace.target) else {
        return Fate::Malformed;
    };
    let caller = Caller {
        uid: Some(rustix::process::getuid().as_raw()),
        gid: Some(rustix::process::getgid().as_raw()),
        pid: None,
    };
    let body = trace.payload();
    // Nothing was created through the gate's socket: the engine answers 200, and names nothing.
    let findings = Findings {
        made: Some(Vec::new()),
        ..Findings::default()
    };
    let judge = Judge::new(policy, &caller, &call, Some(ApiVersion::new(1, 41)))
        .findings(&findings)
        .body(&body);
    match judge.decide().verdict {
        Verdict::Allow(_) => Fate::Allowed,
        Verdict::Deny(_) => Fate::Denied,
    }
}
