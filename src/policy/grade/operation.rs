//! Operations that are worth more than a change by themselves, or with a body that nobody looks into.

use crate::docker::Operation;
use crate::docker::operation::BodyKind;
use crate::docker::payload;
use crate::policy::Policy;
use crate::policy::pattern::Pattern;
use crate::policy::power::{Argv, BodyRule, Clause, Says};
use crate::policy::rule::{Grant, Rule, Target};

use super::Grade;
use super::handed::{Handed, is_about_own};

/// What an unchecked body can ask for that is root.
#[rustfmt::skip]
static UNCHECKED: [(Operation, &str); 15] = [
    (Operation::ContainerCreate,  "privileged mode, host paths, devices and namespaces"),
    (Operation::ContainerExec,    "a privileged command in any container"),
    (Operation::ContainerUpdate,  "devices of the host for a container that runs"),
    (Operation::CheckpointCreate, "a checkpoint in any directory of the host"),
    (Operation::VolumeCreate,     "a volume that is any directory or disk of the host"),
    (Operation::ServiceCreate,    "host paths on any node of the swarm"),
    (Operation::ServiceUpdate,    "host paths on any node of the swarm"),
    (Operation::SwarmInit,        "the host to obey a cluster, whose managers run anything on it"),
    (Operation::SwarmJoin,        "the host to obey a cluster, whose managers run anything on it"),
    (Operation::SwarmUpdate,      "a certificate authority of the caller's for the whole cluster"),
    (Operation::SwarmUnlock,      "the managers of the cluster to be unlocked"),
    (Operation::NodeUpdate,       "a node to be a manager, and managers run anything on every host"),
    (Operation::PluginPull,       "a plugin, which runs as root on the host"),
    (Operation::PluginUpgrade,    "a plugin, which runs as root on the host"),
    (Operation::PluginSet,        "other settings of a plugin, which runs as root on the host"),
];

/// What a body is good for that nobody looks into.
pub(super) fn unchecked(operation: Operation, grant: &Grant) -> Handed {
    let root = UNCHECKED.iter().find(|(known, _)| *known == operation);
    let name = operation.name();
    let (grade, why) = root.map_or_else(
        || {
            (
                Grade::Powers,
                format!("send any body with {name}, and nobody looks into it"),
            )
        },
        |(_, what)| {
            (
                Grade::Root,
                format!("ask for {what}, in a body that nobody looks into"),
            )
        },
    );
    Handed {
        grade,
        why,
        span: grant.span.clone(),
    }
}

/// Operations that are worth something whatever their body says.
#[rustfmt::skip]
static ITSELF: [(Operation, Grade, &str); 5] = [
    (Operation::Session,      Grade::Root,   "talk to the builder through a tunnel that nobody looks into"),
    (Operation::Grpc,         Grade::Root,   "talk to the builder through a tunnel that nobody looks into"),
    (Operation::PluginCreate, Grade::Root,   "make a plugin, which runs as root on the host"),
    (Operation::PluginEnable, Grade::Powers, "start plugins, which run as root on the host"),
    (Operation::SwarmInspect, Grade::Powers, "read the tokens with which another machine joins the cluster as a manager"),
];

/// What a target is good for by itself.
pub(super) fn by_itself(
    policy: &Policy,
    rule: &Rule,
    grant: &Grant,
    target: &Target,
) -> Option<Handed> {
    let operation = target.operation;
    // What was created here may do what its creation could ask for, and that is graded there.
    let enters = [Operation::ContainerExec, Operation::PutContainerArchive].contains(&operation);
    if enters && is_about_own(rule) {
        return None;
    }
    let all = rule.target.is_empty() && policy.visible.is_none();
    let free = all && is_free(target);
    let (grade, why) = if operation == Operation::ContainerExec {
        if free && !narrows_commands(rule.body()) {
            let why = "run any command in any container, in those with power over the host too";
            (Grade::Root, why)
        } else {
            let why = "run commands in containers, whatever power these have";
            (Grade::Powers, why)
        }
    } else if operation == Operation::PutContainerArchive {
        if free && !narrows_paths(rule) {
            let why = "write any file in any container, in those with power over the host too";
            (Grade::Root, why)
        } else {
            let why = "write files in containers, whatever power these have";
            (Grade::Powers, why)
        }
    } else if operation == Operation::ExecStart && rule.any_exec {
        let why = "start commands that others have prepared, privileged ones too";
        (Grade::Powers, why)
    } else {
        let known = ITSELF.iter().find(|(known, ..)| *known == operation);
        known.map(|(_, grade, why)| (*grade, *why))?
    };
    Some(Handed {
        grade,
        why: why.to_owned(),
        span: grant.span.clone(),
    })
}

fn narrows_paths(rule: &Rule) -> bool {
    let mut conditions = rule.conditions.iter();
    conditions.any(|condition| condition.reads("path"))
}

/// Whether every object is reached.
fn is_free(target: &Target) -> bool {
    let any = |pattern: &Pattern| pattern.is_any() || pattern.as_str() == "*";
    target.names.iter().flatten().all(any)
}

/// Whether a rule lists commands, none of which is a shell that runs anything.
fn narrows_commands(body: &BodyRule) -> bool {
    let shell = |text: &str| {
        let name = text.rsplit('/').next().unwrap_or_default();
        matches!(
            name,
            "sh" | "bash" | "ash" | "dash" | "zsh" | "busybox" | "env"
        )
    };
    let anything = |argv: &Argv| match argv.arguments.first() {
        None => true,
        Some(program) => {
            let last = argv.arguments.last().is_some_and(Pattern::is_any);
            let shells = ["sh", "/bin/sh", "bash", "/bin/bash"];
            let is_shell = program
                .exact()
                .map_or_else(|| shells.iter().any(|shell| program.matches(shell)), shell);
            is_shell && (argv.open || last)
        }
    };
    let narrows = |clause: &Clause| matches!(&clause.says, Says::Command(commands) if !commands.iter().any(anything));
    body.clauses.iter().any(narrows)
}

/// Whether a plain grant of an operation is refused, because nobody describes its body.
fn is_blind(operation: Operation) -> bool {
    operation.body() == BodyKind::Json && !payload::is_described(operation)
}

impl Rule {
    /// Whether it grants an operation whose body it would have to leave unchecked, and does not: such a
    /// call is always refused.
    pub(in crate::policy) fn is_blind_to(&self, operation: Operation) -> bool {
        is_blind(operation) && !self.body().unchecked
    }
}
