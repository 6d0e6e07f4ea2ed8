//! The ready policies that go by labels, or by what was created through their socket: nothing that they
//! grant reaches an object that is not meant, not even with every line that the file offers.

use quaygate::docker::operation::{Effect, ObjectKind};
use quaygate::docker::{ApiVersion, Call, Operation};
use quaygate::facts::{Caller, Findings, Found, Object};
use quaygate::judge::Judge;
use quaygate::policy::{Policy, Reason, Verdict};

use super::{files, loaded, reachable, with_optional_lines};

/// Each with a fact that meets its rules about containers, and facts about others that do not.
const GUARDED: [(&str, &str, &[&str]); 11] = [
    ("ai-agent-sandbox", OWN, &["name=sandbox-1"]),
    (
        "autoheal",
        "label=autoheal=true",
        &["label=autoheal=false", "label=autoheal", OWN],
    ),
    ("ci-runner", OWN, &["name=ci-1"]),
    ("compose-deploy", OWN, &["project=shop"]),
    ("docker-run", OWN, &["name=job"]),
    (
        "dozzle-actions",
        "label=dozzle.actions=true",
        &[
            "label=dozzle.actions=false",
            "name=dozzle.actions=true",
            OWN,
        ],
    ),
    ("gitlab-runner", OWN, &["name=runner-t1-build"]),
    (
        "ofelia",
        "label=ofelia.enabled=true",
        &["label=ofelia.enabled=false", "label=ofelia.service=true"],
    ),
    ("testcontainers", OWN, &["label=org.testcontainers=true"]),
    (
        "volume-backup",
        "label=docker-volume-backup.archive-pre=true",
        &["label=docker-volume-backup.stop-during-backup=false", OWN],
    ),
    (
        "watchtower",
        "label=com.centurylinklabs.watchtower.enable=true",
        &["label=com.centurylinklabs.watchtower.enable=false"],
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
                    assert!(
                        is_denied(verdict),
                        "{name}: {} of a container with `{other}`: {verdict:?}",
                        operation.name()
                    );
                }
            }
            let met = |operation: &&Operation| {
                // Further conditions may be left, but no target.
                !is_denied(verdict(&policy, **operation, meant))
            };
            assert!(changes.iter().any(|o| met(&o)), "{name} serves nothing");
        }
    }
}

#[test]
fn what_makes_containers_of_its_own_sees_and_enters_no_others() {
    let files = files();
    for (name, meant, _) in GUARDED.iter().filter(|(_, meant, _)| *meant == OWN) {
        let policy = loaded(name, &with_optional_lines(&files[*name])).policy;
        let mut all = reachable(&policy);
        all.retain(|operation| operation.object() == Some(ObjectKind::Container));
        for operation in all {
            assert!(is_denied(verdict(&policy, operation, "")), "{name}");
            assert!(!is_denied(verdict(&policy, operation, meant)), "{name}");
        }
    }
}

#[test]
fn commands_that_a_person_writes_down_are_the_only_ones() {
    let files = files();
    for (name, fact, written, other) in [
        (
            "ofelia",
            "label=ofelia.enabled=true",
            r#"{"Cmd":["tidy","--quiet"]}"#,
            r#"{"Cmd":["tidy","--quiet","--output=/etc/passwd"]}"#,
        ),
        (
            "volume-backup",
            "label=docker-volume-backup.archive-pre",
            r#"{"Cmd":["/bin/sh","-c","pg_dumpall -U postgres > /backups/dump.sql"]}"#,
            r#"{"Cmd":["/bin/sh","-c","id"]}"#,
        ),
    ] {
        let plain = &files[name];
        let line = "#   exec.command";
        assert_eq!(plain.matches(line).count(), 1, "{name}");
        let policy = loaded(name, &plain.replace(line, "exec.command")).policy;
        let of = |body: &str| {
            let call = Call::parse("POST", "/containers/web/exec").unwrap();
            let findings = Findings {
                target: found(fact),
                ..Findings::default()
            };
            let caller = Caller::default();
            let judge = Judge::new(&policy, &caller, &call, Some(ApiVersion::new(1, 51)));
            let judge = judge.findings(&findings).body(body.as_bytes());
            judge.decide().verdict
        };
        assert!(matches!(of(written), Verdict::Allow(_)), "{name}");
        assert_eq!(of(other), Verdict::Deny(Reason::Body), "{name}");
    }
}

#[test]
fn networks_of_others_are_neither_removed_nor_looked_into() {
    let files = files();
    for (name, operations) in [
        (
            "gitlab-runner",
            &[
                Operation::NetworkInspect,
                Operation::NetworkDelete,
                Operation::NetworkDisconnect,
            ][..],
        ),
        (
            "testcontainers",
            &[
                Operation::NetworkInspect,
                Operation::NetworkDelete,
                Operation::NetworkConnect,
                Operation::NetworkDisconnect,
            ],
        ),
        ("compose-deploy", &[Operation::NetworkDelete]),
    ] {
        let policy = loaded(name, &with_optional_lines(&files[name])).policy;
        for operation in operations {
            let of = |fact| verdict(&policy, *operation, fact);
            let denied = Verdict::Deny(Reason::Target);
            assert_eq!(of("name=shop_default"), denied, "{name} {operation:?}");
            assert!(matches!(of(OWN), Verdict::Allow(_)), "{name} {operation:?}");
        }
    }
}

#[test]
fn only_own_containers_are_connected_and_disconnected() {
    let files = files();
    let join = [Operation::NetworkConnect, Operation::NetworkDisconnect];
    for (name, network, operations) in [
        ("compose-deploy", "name=shop_default", &join[..]),
        ("gitlab-runner", OWN, &join[1..]),
        ("testcontainers", OWN, &join[..]),
        ("watchtower", "name=shop_default", &join[..]),
    ] {
        let policy = loaded(name, &with_optional_lines(&files[name])).policy;
        for operation in operations {
            let of = |container| judged(&policy, *operation, network, container);
            let denied = Verdict::Deny(Reason::Target);
            assert_eq!(of("name=db"), denied, "{name} {operation:?}");
            assert!(matches!(of(OWN), Verdict::Allow(_)), "{name} {operation:?}");
        }
    }
}

/// Whether it is the object that a call is refused for.
fn is_denied(verdict: Verdict) -> bool {
    let reasons = [Reason::Target, Reason::Hidden];
    reasons.map(Verdict::Deny).contains(&verdict)
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
    judged(policy, operation, fact, OWN)
}

/// The same, with a fact about the container that a connect's body names.
fn judged(policy: &Policy, operation: Operation, fact: &str, connected: &str) -> Verdict {
    let mut target = operation.path().replace("{id}", "4f1e2d3c4b5a");
    if operation == Operation::ContainerRestart {
        // autoheal always says how long to wait.
        target.push_str("?t=10");
    }
    let call = Call::parse(operation.method().as_str(), &target).unwrap();
    assert_eq!(call.operation(), Some(operation), "{target}");
    let findings = Findings {
        target: found(fact),
        connected: found(connected),
        ..Findings::default()
    };
    let caller = Caller::default();
    let engine = Some(ApiVersion::new(1, 51));
    let judge = Judge::new(policy, &caller, &call, engine);
    judge.findings(&findings).presumed().decide().verdict
}

fn found(fact: &str) -> Found {
    let mut object = Object::default();
    if !fact.is_empty() {
        object.give(fact).unwrap();
    }
    Found::Object(Box::new(object))
}
