//! What `[visible]` does not hide, and what everybody sees without it.

use crate::diag::Diagnostic;
use crate::docker::Operation;
use crate::docker::operation::Effect as Kind;
use crate::policy::Policy;
use crate::policy::visible;

use super::{place, spelled};

/// What an operation shows that is not narrowed, by the beginning of its path.
const SHOWN: [(&str, &str); 12] = [
    (
        "/images/",
        "every image: what is built and pulled belongs to nobody",
    ),
    (
        "/system/df",
        "names and sizes of every container, volume and image",
    ),
    (
        "/info",
        "how many containers there are, and how the host is set up",
    ),
    (
        "/tasks",
        "the tasks of every service, their environment included",
    ),
    ("/nodes", "every node of the swarm"),
    ("/secrets", "names and labels of every secret"),
    ("/configs", "the content of every config"),
    ("/plugins", "every plugin, its settings included"),
    ("/swarm", "what the whole swarm has in common"),
    ("/debug/", "what the Docker daemon is doing, for everybody"),
    ("/session", "what the builder has of everybody's builds"),
    ("/grpc", "what the builder has of everybody's builds"),
];

/// Calls that say something of objects which are not shown, although they are narrowed or show nothing.
const LEAKS: [(Operation, &str); 10] = [
    (
        Operation::ContainerCreate,
        "tells the id of the container that has a name already",
    ),
    (
        Operation::ContainerRename,
        "tells the id of the container that has a name already",
    ),
    (
        Operation::NetworkCreate,
        "tells that a network has a name already",
    ),
    (
        Operation::VolumeCreate,
        "shows the volume that has a name already, its options included",
    ),
    (
        Operation::ServiceCreate,
        "tells that a service has a name already",
    ),
    (
        Operation::ContainerInspect,
        "names the networks, volumes and containers that a container is bound to",
    ),
    (
        Operation::NetworkInspect,
        "names every container in the network, with its addresses",
    ),
    (
        Operation::NetworkList,
        "names every container in the networks below API 1.28",
    ),
    (
        Operation::VolumeList,
        "shows cluster volumes, which the manager of a swarm adds without a filter",
    ),
    (
        Operation::SystemEvents,
        "shows events of images by the images' own labels",
    ),
];

/// What creates an object, which has no label unless it is given one.
const CREATES: [Operation; 4] = [
    Operation::ContainerCreate,
    Operation::NetworkCreate,
    Operation::VolumeCreate,
    Operation::ServiceCreate,
];

/// Lists, and events, for policies that show everything.
const LISTS: [Operation; 5] = [
    Operation::ContainerList,
    Operation::NetworkList,
    Operation::VolumeList,
    Operation::ServiceList,
    Operation::SystemEvents,
];

/// Everything worth saying.
pub(super) fn shown(policy: &Policy) -> Vec<Diagnostic> {
    let Some(visible) = &policy.visible else {
        return everything(policy).into_iter().collect();
    };
    let granted = |operation: &Operation| policy.effect(*operation).access.is_reachable();
    let reachable = |operation: &Operation| granted(operation) && !visible.bars(*operation);
    let all = Operation::ALL.iter().copied();
    let mut findings = Vec::new();
    for operation in all.filter(|operation| operation.removed().is_none() && granted(operation)) {
        if visible.bars(operation) {
            findings.extend(barred(policy, operation));
        } else {
            findings.extend(unnarrowed(policy, operation));
        }
    }
    for grant in &policy.unlisted.grants {
        let (text, _) = policy.rule(grant.rule);
        findings.push(
            Diagnostic::warning(
                "not-narrowed",
                format!("`{text}` is not narrowed by `[visible]`"),
            )
            .at(policy.rule_span(grant.rule), "nobody knows what it shows"),
        );
    }
    for (operation, what) in LEAKS.iter().filter(|(operation, _)| reachable(operation)) {
        findings.extend(remark(policy, "shows-besides", *operation, what));
    }
    if !visible.labels.is_empty() {
        for operation in CREATES.iter().filter(|operation| reachable(operation)) {
            let what =
                "makes what its own caller does not see, unless it gives the labels of `[visible]`";
            findings.extend(remark(policy, "made-unseen", *operation, what));
        }
    }
    findings
}

fn barred(policy: &Policy, operation: Operation) -> Option<Diagnostic> {
    let message = format!("`{}` can never match", spelled(operation));
    let place = place(policy, &policy.effect(operation))?;
    let label = "Docker cannot be asked for what was created through this socket";
    let finding = Diagnostic::warning("never-matches", message).at(place, label);
    let prune = matches!(
        operation,
        Operation::ContainerPrune | Operation::NetworkPrune
    );
    Some(finding.help(if prune {
        "delete one by one, or show by `label` or `project` instead of `own`"
    } else {
        "give `[visible]` a `label` or a `project`"
    }))
}

fn unnarrowed(policy: &Policy, operation: Operation) -> Option<Diagnostic> {
    if visible::narrows(operation) || operation.effect() != Kind::Read && !operation.opens_tunnel()
    {
        return None;
    }
    if operation == Operation::ImageSearch {
        // It is a registry that answers.
        return None;
    }
    let mut shown = SHOWN.iter();
    let (_, what) = shown.find(|(head, _)| operation.path().starts_with(head))?;
    let message = format!("`{}` is not narrowed by `[visible]`", spelled(operation));
    let place = place(policy, &policy.effect(operation))?;
    Some(Diagnostic::warning("not-narrowed", message).at(place, format!("shows {what}")))
}

fn remark(
    policy: &Policy,
    id: &'static str,
    operation: Operation,
    what: &str,
) -> Option<Diagnostic> {
    let message = format!("`{}` {what}", spelled(operation));
    let place = place(policy, &policy.effect(operation))?;
    Some(Diagnostic::remark(id, message).at(place, "granted here"))
}

/// A policy whose rules tell objects apart, and whose lists do not.
fn everything(policy: &Policy) -> Option<Diagnostic> {
    if policy.rules.iter().all(|rule| rule.target.is_empty()) {
        return None;
    }
    let reachable = |operation: &&Operation| policy.effect(**operation).access.is_reachable();
    let list = LISTS.iter().find(reachable)?;
    let message = format!(
        "`{}` shows every object, those too that no rule with a target is about",
        spelled(*list)
    );
    let place = place(policy, &policy.effect(*list))?;
    let finding = Diagnostic::remark("shows-everything", message).at(place, "granted here");
    Some(finding.help("`[visible]` narrows what is shown: lists, events and inspects"))
}
