//! What single rules hand out, joined to what can be done with it.
//!
//! A container that may be anything is nothing until it is started, and a volume of the host's root
//! directory nothing until it is mounted. Each operation has what must be reachable beside it; what is
//! handed out without that is a power that waits for somebody else.

use std::collections::HashSet;

use crate::docker::{Method, Operation};
use crate::policy::Policy;
use crate::policy::decision::RuleRef;
use crate::policy::rule::Grant;

use super::handed::{Handed, handed_out};
use super::{Cause, Grade, Step};

/// What completes an operation: one of these, and how that reads.
struct Rest {
    operation: Operation,
    then: &'static [Operation],
    words: &'static str,
}

/// Sources: what dockerd does with each, tried on engines 20.10 to 28.5.
static RESTS: [Rest; 5] = [
    Rest {
        operation: Operation::ContainerCreate,
        then: &[Operation::ContainerStart, Operation::ContainerRestart],
        words: "start it",
    },
    Rest {
        operation: Operation::ContainerExec,
        then: &[Operation::ExecStart],
        words: "start it",
    },
    Rest {
        operation: Operation::PluginPull,
        then: &[Operation::PluginEnable],
        words: "enable it",
    },
    Rest {
        operation: Operation::PluginCreate,
        then: &[Operation::PluginEnable],
        words: "enable it",
    },
    Rest {
        operation: Operation::PluginSet,
        then: &[Operation::PluginEnable],
        words: "enable it",
    },
];

/// Every reason for a grade above `changes`, the worst first.
pub(super) fn causes(policy: &Policy) -> Vec<Cause> {
    let mut causes = Vec::new();
    let next = Next::of(policy);
    for (number, rule) in (0..).zip(&policy.rules) {
        for (grant, target) in rule.targets() {
            if rule.is_blind_to(target.operation) {
                continue;
            }
            let handed = handed_out(policy, rule, grant, target);
            let step = |handed: &Handed| Step {
                operation: Some(target.operation),
                rule: RuleRef(number),
                span: handed.span.clone(),
            };
            let all = handed.iter().map(|one| cause(&next, one, step(one)));
            causes.extend(all);
        }
    }
    causes.extend(unlisted(policy));
    // One key of one rule, once: several grants of a rule may share it.
    let mut seen = HashSet::new();
    causes.retain(|cause| {
        let place = cause.steps.first().map(|step| step.span.start);
        seen.insert((place, cause.why.clone()))
    });
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.grade));
    causes
}

/// What completes each operation in this policy; looked for once, and not for every rule.
struct Next {
    /// As `RESTS`.
    rests: Vec<Option<Step>>,
    mounting: Option<Step>,
}

impl Next {
    fn of(policy: &Policy) -> Self {
        let rests = RESTS.iter().map(|rest| first_of(policy, rest.then));
        Self {
            rests: rests.collect(),
            mounting: mounting(policy),
        }
    }

    /// What follows an operation, or in words what is missing; `None` if nothing has to.
    fn after(&self, operation: Option<Operation>) -> Option<Result<Step, &'static str>> {
        if operation == Some(Operation::VolumeCreate) {
            return Some(self.mounting.clone().ok_or("mount it"));
        }
        let mut rests = RESTS.iter().zip(&self.rests);
        let (rest, found) = rests.find(|(rest, _)| Some(rest.operation) == operation)?;
        Some(found.clone().ok_or(rest.words))
    }
}

/// Completes what is handed out, as far as the policy does.
fn cause(next: &Next, handed: &Handed, step: Step) -> Cause {
    let whole = |grade, why: String, steps| Cause { grade, why, steps };
    let caller = match step.operation {
        Some(Operation::ContainerCreate) => "a container",
        Some(Operation::ServiceCreate | Operation::ServiceUpdate) => "a service",
        _ => "whoever uses it",
    };
    let why = format!("{caller} may {}", handed.why);
    if handed.grade < Grade::Root {
        return whole(handed.grade, why, vec![step]);
    }
    match next.after(step.operation) {
        None => whole(Grade::Root, why, vec![step]),
        Some(Ok(next)) => whole(Grade::Root, why, vec![step, next]),
        Some(Err(missing)) => {
            let why = format!("{why}, once somebody else can {missing}");
            whole(Grade::Powers, why, vec![step])
        }
    }
}

/// The first of these operations that can be reached.
fn first_of(policy: &Policy, operations: &[Operation]) -> Option<Step> {
    operations.iter().find_map(|operation| {
        let rule = policy.effect(*operation).access.rule()?;
        let found = policy.rules.get(crate::policy::index::slot_of(rule))?;
        let (grant, _) = found
            .targets()
            .find(|(_, target)| target.operation == *operation)?;
        Some(Step {
            operation: Some(*operation),
            rule,
            span: grant.span.clone(),
        })
    })
}

/// A rule by which a volume that was made before is mounted.
fn mounting(policy: &Policy) -> Option<Step> {
    let makes = [
        Operation::ContainerCreate,
        Operation::ServiceCreate,
        Operation::ServiceUpdate,
    ];
    for (number, rule) in (0..).zip(&policy.rules) {
        let mounts = rule.body().unchecked || rule.body().mounts_volumes();
        let mut targets = rule.targets().filter(|_| mounts);
        let found: Option<(&Grant, _)> =
            targets.find(|(_, target)| makes.contains(&target.operation));
        if let Some((grant, target)) = found {
            return Some(Step {
                operation: Some(target.operation),
                rule: RuleRef(number),
                span: grant.span.clone(),
            });
        }
    }
    None
}

/// Writes to paths that nobody knows.
fn unlisted(policy: &Policy) -> impl Iterator<Item = Cause> {
    let grants = policy.unlisted.grants.iter();
    let writes = grants.filter(|grant| !matches!(grant.method, Method::Get | Method::Head));
    writes.map(|grant| Cause {
        grade: Grade::Root,
        why: format!("nobody knows what `{}` does", policy.rule(grant.rule).0),
        steps: vec![Step {
            operation: None,
            rule: grant.rule,
            span: policy.rule_span(grant.rule),
        }],
    })
}
