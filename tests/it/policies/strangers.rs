//! The ready policies that go by labels: nothing that they grant reaches an object that is not meant, not
//! even with every line that the file offers.

use quaygate::docker::operation::{Effect, ObjectKind};
use quaygate::docker::{ApiVersion, Call, Operation};
use quaygate::facts::{Caller, Findings, Found, Object};
use quaygate::judge::Judge;
use quaygate::policy::{Policy, Reason, Verdict};

use super::{files, loaded, reachable, with_optional_lines};

/// Each with a fact that meets its rules about containers, and facts about others that do not.
const GUARDED: [(&str, &str, &[&str]); 4] = [
    (
        "autoheal",
        "label=autoheal=true",
        &["label=autoheal=false", "label=autoheal", OWN],
    ),
    (
        "dozzle-actions",
        "label=dozzle.actions=true",
        &[
            "label=dozzle.actions=false",
            "name=dozzle.actions=true",
            OWN,
        ],
    ),
    (
        "ofelia",
        "label=ofelia.enabled=true",
        &["label=ofelia.enabled=false", "label=ofelia.service=true"],
    ),
    (
        "volume-backup",
        "label=docker-volume-backup.archive-pre=true",
        &["label=docker-volume-backup.stop-during-backup=false", OWN],
    ),
];

const OWN: &str = "own=true";

#[test]
fn no_change_of_a_container_that_is_not_meant() {
    let files = files();
    for (name, meant, others) in GUARDED {
        let plain = &files[name];
        for text in [plain.clone(), with_optional_lines(plain)] {
            let policy = loaded(name, &text).policy;
            let changes = on_containers(&policy);
            assert!(!changes.is_empty(), "{name}");
            for operation in &changes {
                for other in others.iter().chain(&[""]) {
                    let verdict = verdict(&policy, *operation, other);
                    assert_eq!(
                        verdict,
                        Verdict::Deny(Reason::Target),
                        "{name}: {} of a container with `{other}`",
                        operation.name()
                    );
                }
            }
            let met = |operation: &&Operation| {
                let reason = verdict(&policy, **operation, meant);
                // Further conditions may be left, but no target.
                reason != Verdict::Deny(Reason::Target)
            };
            assert!(changes.iter().any(|o| met(&o)), "{name} serves nothing");
        }
    }
}

/// The changes of single containers that a policy grants, execs in them included.
fn on_containers(policy: &Policy) -> Vec<Operation> {
    let mut found = reachable(policy);
    found.retain(|operation| {
        let changes = operation.effect() == Effect::Change || operation.opens_tunnel();
        operation.object() == Some(ObjectKind::Container) && changes
    });
    found
}

/// What becomes of an operation on a container or network of which one fact is known.
fn verdict(policy: &Policy, operation: Operation, fact: &str) -> Verdict {
    let mut target = operation.path().replace("{id}", "4f1e2d3c4b5a");
    if operation == Operation::ContainerRestart {
        // autoheal always says how long to wait.
        target.push_str("?t=10");
    }
    let call = Call::parse(operation.method().as_str(), &target).unwrap();
    assert_eq!(call.operation(), Some(operation), "{target}");
    let mut object = Object::default();
    if !fact.is_empty() {
        object.give(fact).unwrap();
    }
    let findings = Findings {
        target: Found::Object(Box::new(object)),
        ..Findings::default()
    };
    let caller = Caller::default();
    let engine = Some(ApiVersion::new(1, 51));
    let judge = Judge::new(policy, &caller, &call, engine);
    judge.findings(&findings).presumed().decide().verdict
}
