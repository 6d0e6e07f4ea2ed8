//! Any bytes as the body of a request.
//!
//! Promise: reading it never panics; what the strict reader takes, a reader with Go's habits finds the
//! same in; and what a plain rule allows holds no danger.
//!
//! An input is a byte that says which operation, and the body.

use std::cell::OnceCell;

use quaygate::diag::Source;
use quaygate::docker::json::{self, Value};
use quaygate::docker::payload::Payload;
use quaygate::docker::{ApiVersion, Call, Operation};
use quaygate::facts::{Caller, Findings, Origin};
use quaygate::judge::Judge;
use quaygate::policy::Policy;

use super::dangers::dangers;
use super::gojson::{self, Node, names};

/// Whoever grants these without a word about bodies allows plain ones.
pub const PLAIN: &str = r#"allow = [
  "POST /containers/create", "POST /containers/{id}/update", "POST /containers/{id}/exec", "POST /exec/{id}/start",
  "POST /volumes/create", "POST /networks/create", "POST /networks/{id}/connect", "POST /networks/{id}/disconnect",
  "POST /services/create",
]"#;

const OPERATIONS: [Operation; 8] = [
    Operation::ContainerCreate,
    Operation::ContainerExec,
    Operation::ContainerUpdate,
    Operation::VolumeCreate,
    Operation::NetworkCreate,
    Operation::NetworkConnect,
    Operation::ServiceCreate,
    Operation::ExecStart,
];

thread_local! {
    static POLICY: OnceCell<Policy> = const { OnceCell::new() };
}

/// One input.
///
/// # Panics
///
/// When a promise breaks.
pub fn check(input: &[u8]) {
    let Some((which, body)) = input.split_first() else {
        return;
    };
    let operation = OPERATIONS[usize::from(*which) % OPERATIONS.len()];
    if let Ok(ours) = json::parse(body) {
        let theirs = gojson::read(body).expect("Go reads what we read");
        assert!(same(&ours, &theirs), "{ours:?} is for Go {theirs:?}");
    }
    let payload = Payload::read(operation, body);
    if let Payload::Bad(bad) = &payload {
        assert!(!bad.to_string().is_empty());
    }
    if allowed(operation, body) {
        let found = dangers(operation.name(), body);
        assert_eq!(found, Some(Vec::new()), "a plain rule allows it");
    }
}

/// Whether a plain rule allows it; what it refuses, it can word.
fn allowed(operation: Operation, body: &[u8]) -> bool {
    POLICY.with(|policy| {
        let policy = policy.get_or_init(|| {
            let source = Source::new("plain.toml", PLAIN);
            Policy::parse("plain", &source).expect("a policy").policy
        });
        let path = operation.path().replace("{id}", "x");
        let call = Call::parse("POST", &path).expect("a call");
        let caller = Caller::default();
        let findings = Findings {
            exec: Origin::Here,
            ..Findings::default()
        };
        let judge = Judge::new(policy, &caller, &call, Some(ApiVersion::new(1, 41)))
            .findings(&findings)
            .body(body);
        let decision = judge.decide();
        if let quaygate::policy::Verdict::Deny(reason) = decision.verdict {
            let message = judge.denial(reason).message;
            let control = |byte: u8| byte.is_ascii_control() && byte != b'\n';
            assert!(!message.bytes().any(control), "{message:?}");
        }
        decision.allows()
    })
}

/// The same, key by key, and without two keys that Go would take for one.
pub fn same(ours: &Value<'_>, theirs: &Node) -> bool {
    match (ours, theirs) {
        (Value::Null, Node::Null) => true,
        (Value::Bool(one), Node::Bool(other)) => one == other,
        (Value::Number(one), Node::Number(other)) => one == other,
        (Value::Text(one), Node::Text(other)) => one == other,
        (Value::List(one), Node::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Node::Object(other)) => {
            let twin = |(at, (key, _)): (usize, &(String, Node))| {
                other[..at].iter().any(|(before, _)| names(before, key))
            };
            one.len() == other.len()
                && !other.iter().enumerate().any(twin)
                && one
                    .iter()
                    .zip(other)
                    .all(|((key, value), (name, node))| **key == **name && same(value, node))
        }
        (_, _) => false,
    }
}
