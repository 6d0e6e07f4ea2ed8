//! What single rules hand out beyond what their operations say.

use crate::diag::Span;
use crate::docker::Operation;
use crate::docker::operation::QueryKey;
use crate::docker::payload::Power;
use crate::policy::Policy;
use crate::policy::condition::{Condition, Want as Value};
use crate::policy::power::{Clause, Says};
use crate::policy::rule::{Grant, Rule, Target};
use crate::policy::target;

use super::Grade;
use super::operation::{by_itself, unchecked};
use super::power::{rests, root};

/// What one rule hands out with one operation.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Handed {
    /// `Powers`, or `Root` if the chain of its operation is complete.
    pub(in crate::policy) grade: Grade,
    /// What whoever calls it may do: words that follow "may".
    pub(in crate::policy) why: String,
    /// The part of the rule that says so.
    pub(in crate::policy) span: Span,
}

/// Everything that a rule hands out with one of its targets.
pub(in crate::policy) fn handed_out(
    policy: &Policy,
    rule: &Rule,
    grant: &Grant,
    target: &Target,
) -> Vec<Handed> {
    let operation = target.operation;
    let mut handed = Vec::new();
    let body = rule.body();
    if body.unchecked {
        handed.push(unchecked(operation, grant));
    }
    // Whoever creates a container chooses these for its first command anyway.
    let chosen = |clause: &Clause| {
        matches!(clause.says, Says::Power(Power::Env | Power::Workdir, _)) && is_about_own(rule)
    };
    let clauses = body.clauses.iter().filter(|clause| !chosen(clause));
    handed.extend(clauses.filter_map(|clause| by_clause(policy, clause)));
    let conditions = rule.conditions.iter();
    handed.extend(conditions.filter_map(|condition| by_condition(operation, condition)));
    handed.extend(by_itself(policy, rule, grant, target));
    handed
}

/// Whether a rule reaches only what was created through the same socket.
pub(super) fn is_about_own(rule: &Rule) -> bool {
    let mut clauses = rule.target.iter();
    clauses.any(|clause| matches!(clause.says, target::Says::Own))
}

fn by_clause(policy: &Policy, clause: &Clause) -> Option<Handed> {
    let span = clause.span.clone();
    match &clause.says {
        Says::Power(power, wants) => {
            let mut named = wants.iter().filter(|want| !rests(*power, want)).peekable();
            named.peek()?;
            let own = own_directory(policy);
            let root = named.find_map(|want| root(*power, want, own));
            let grade = root.as_ref().map_or(Grade::Powers, |_| Grade::Root);
            let why = root.unwrap_or_else(|| format!("use `{}`: {}", clause.text, power.meaning()));
            Some(Handed { grade, why, span })
        }
        Says::Fields(patterns) => {
            let inner = ["NewPower", "HostConfig.NewPower", "TaskTemplate.NewPower"];
            let matches = |field: &str| patterns.iter().any(|pattern| pattern.matches(field));
            let any = inner.iter().any(|field| matches(field));
            let grade = if any { Grade::Root } else { Grade::Powers };
            let why = format!("use `{}`: nobody judges these fields", clause.text);
            Some(Handed { grade, why, span })
        }
        Says::Name(_)
        | Says::Image(_)
        | Says::Command(_)
        | Says::Labels(_)
        | Says::User(_)
        | Says::Require(_) => None,
    }
}

/// The directory of the policy's own socket.
fn own_directory(policy: &Policy) -> Option<&str> {
    policy.socket().path.as_deref()?.parent()?.to_str()
}

/// A query key that is a power.
fn by_condition(operation: Operation, condition: &Condition) -> Option<Handed> {
    let mut keys = operation.query().iter();
    let key = keys.find(|key| key.is_power().is_some() && condition.reads(key.name()))?;
    let power = key.is_power()?;
    let rests = |want: &Value| {
        matches!(want, Value::Text(pattern)
            if pattern.exact().is_some_and(|text| power.harmless.contains(&text)))
    };
    if condition.wants.iter().all(rests) {
        return None;
    }
    let (grade, why) = if is_host_build(operation, key, condition) {
        let why = "build in the host's network, with whatever listens on its loopback address";
        (Grade::Root, why.to_owned())
    } else {
        let why = format!("use `{}`: {}", condition.text, power.reason);
        (Grade::Powers, why)
    };
    Some(Handed {
        grade,
        why,
        span: condition.span.clone(),
    })
}

fn is_host_build(operation: Operation, key: &QueryKey, condition: &Condition) -> bool {
    let host = |want: &Value| matches!(want, Value::Text(pattern) if pattern.matches("host"));
    operation == Operation::ImageBuild
        && key.name() == "networkmode"
        && condition.wants.iter().any(host)
}
