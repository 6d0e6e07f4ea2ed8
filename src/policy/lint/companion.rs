//! Operations that clients need beside others.

use crate::diag::Diagnostic;
use crate::docker::Operation;

use super::{place, spelled};
use crate::policy::Policy;

/// An operation, what its clients ask for besides, and what goes wrong without.
const COMPANIONS: [(Operation, Operation, &str); 12] = [
    (
        Operation::ContainerExec,
        Operation::ExecStart,
        "without it a prepared command never runs",
    ),
    (
        Operation::ContainerExec,
        Operation::ExecInspect,
        "without it `docker exec` does not learn the exit code",
    ),
    (
        Operation::ContainerExec,
        Operation::ExecResize,
        "without it `docker exec -t` keeps the wrong window size",
    ),
    (
        Operation::ExecStart,
        Operation::ContainerExec,
        "without it there is nothing to start; and `docker exec` shows no reason when only the \
         start is refused",
    ),
    (
        Operation::ContainerCreate,
        Operation::ContainerStart,
        "without it `docker run` leaves a container behind that never runs",
    ),
    (
        Operation::ContainerCreate,
        Operation::ContainerAttach,
        "without it `docker run` in the foreground fails after it has created the container",
    ),
    (
        Operation::ContainerCreate,
        Operation::ContainerWait,
        "without it `docker run` does not learn when the container ends",
    ),
    (
        Operation::ContainerAttach,
        Operation::ContainerResize,
        "without it `docker attach` to a terminal keeps the wrong window size",
    ),
    (
        Operation::ContainerLogs,
        Operation::ContainerInspect,
        "without it `docker logs` fails: it inspects the container first",
    ),
    (
        Operation::ContainerExec,
        Operation::ContainerInspect,
        "without it `docker exec` fails: it inspects the container first",
    ),
    (
        Operation::PutContainerArchive,
        Operation::ContainerArchiveInfo,
        "without it `docker cp` fails: it looks at the destination first",
    ),
    (
        Operation::ContainerArchive,
        Operation::ContainerArchiveInfo,
        "without it `docker cp` of a link fails: it looks at the source first",
    ),
];

/// A note for each companion that is missing.
pub(super) fn missing(policy: &Policy) -> Vec<Diagnostic> {
    let mut findings: Vec<Diagnostic> = negotiation(policy).into_iter().collect();
    for (operation, companion, without) in COMPANIONS {
        let effect = policy.effect(operation);
        if !effect.access.is_reachable() || policy.effect(companion).access.is_reachable() {
            continue;
        }
        let message = format!("`{}` is not granted: {without}", spelled(companion));
        let note = Diagnostic::remark("companion", message);
        findings.push(match place(policy, &effect) {
            Some(place) => note.at(place, format!("{} needs it", operation.name())),
            None => note,
        });
    }
    findings
}

/// What nearly every client asks for before anything else.
fn negotiation(policy: &Policy) -> Option<Diagnostic> {
    let reaches = |operation| policy.effect(operation).access.is_reachable();
    let needed = [Operation::SystemPing, Operation::SystemVersion];
    let missing = needed.into_iter().filter(|operation| !reaches(*operation));
    let missing: Vec<String> = missing.map(|o| format!("`{}`", spelled(o))).collect();
    let grants_something = policy.rules.iter().any(|rule| !rule.grants.is_empty());
    if missing.is_empty() || !grants_something {
        return None;
    }
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let message = format!("{} {verb} not granted", missing.join(" and "));
    Some(Diagnostic::remark("companion", message).note(
        "the docker command line and most libraries ask one of them first, to find out which \
             API version to speak",
    ))
}
