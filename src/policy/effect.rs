//! What a policy amounts to: every operation of Docker's API, and whether it can be reached.
//!
//! Data for `show` and for the lints; nothing here decides anything.

use std::borrow::Cow;

use crate::docker::Operation;
use crate::docker::operation::Risk;

use super::Policy;
use super::decision::RuleRef;
use super::grade::{Grade, handed_out};
use super::rule::{Rule, Target};
use super::visible;

/// One operation under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The operation.
    pub operation: Operation,
    /// Whether it can be reached.
    pub access: Access,
    /// What it amounts to: plainly granted, or with what the policy's rules add to that.
    pub risk: Risk,
    /// Why, in plain words.
    pub reason: Cow<'static, str>,
}

/// Whether an operation can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whole and without conditions.
    Allowed(RuleRef),
    /// For some names, or under conditions; any of these ways will do.
    Conditional(Vec<Way>),
    /// Not at all.
    Refused,
}

/// One way in which an operation can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The rule.
    pub rule: RuleRef,
    /// What is written in the placeholders: `id = web-*`.
    pub names: Vec<String>,
    /// The conditions, as they are written.
    pub conditions: Vec<String>,
}

impl Access {
    /// Whether the operation can be reached at all.
    pub fn is_reachable(&self) -> bool {
        !matches!(self, Self::Refused)
    }

    /// The first rule that leads there.
    pub fn rule(&self) -> Option<RuleRef> {
        match self {
            Self::Allowed(rule) => Some(*rule),
            Self::Conditional(ways) => ways.first().map(|way| way.rule),
            Self::Refused => None,
        }
    }
}

impl Policy {
    /// Every operation under this policy, in the order of Docker's table. Operations that no call
    /// can reach, because they were removed from the API, are left out.
    pub fn effects(&self) -> Vec<Effect> {
        let present = Operation::ALL
            .iter()
            .filter(|operation| operation.removed().is_none());
        present.map(|operation| self.effect(*operation)).collect()
    }

    /// One operation under this policy.
    pub fn effect(&self, operation: Operation) -> Effect {
        let mut effect = Effect {
            operation,
            access: self.access(operation),
            risk: operation.risk().0,
            reason: self.plainly(operation),
        };
        if let Some(why) = self.root_by(operation) {
            effect.risk = Risk::HostRoot;
            effect.reason = why.into();
        }
        effect
    }

    /// What a plain grant of an operation amounts to under this policy.
    pub(super) fn plainly(&self, operation: Operation) -> Cow<'static, str> {
        let (_, reason) = operation.risk();
        if self.visible.is_some() && visible::narrows(operation) {
            format!("{reason}, as far as `[visible]` shows it").into()
        } else {
            reason.into()
        }
    }

    /// What some rule adds to an operation so that it is worth root.
    fn root_by(&self, operation: Operation) -> Option<String> {
        self.rules.iter().find_map(|rule| {
            let mut targets = rule.targets().filter(|(_, t)| t.operation == operation);
            targets.find_map(|(grant, target)| {
                let handed = handed_out(self, rule, grant, target);
                let root = handed.into_iter().find(|one| one.grade == Grade::Root)?;
                Some(format!("whoever uses it may {}", root.why))
            })
        })
    }

    fn access(&self, operation: Operation) -> Access {
        let mut ways = Vec::new();
        for (number, rule) in (0..).zip(&self.rules) {
            for (_, target) in rule.targets().filter(|(_, t)| t.operation == operation) {
                if rule.is_blind_to(operation) {
                    continue;
                }
                if rule.parts().next().is_none() && !target.is_narrowed() {
                    return Access::Allowed(RuleRef(number));
                }
                ways.push(way(RuleRef(number), rule, target));
            }
        }
        if ways.is_empty() {
            Access::Refused
        } else {
            Access::Conditional(ways)
        }
    }
}

fn way(rule_ref: RuleRef, rule: &Rule, target: &Target) -> Way {
    let placeholders = target.operation.template().placeholders();
    let narrowed = placeholders.zip(&target.names);
    let names = narrowed.filter_map(|(name, pattern)| {
        let pattern = pattern.as_ref()?;
        Some(format!("{name} = {pattern}"))
    });
    Way {
        rule: rule_ref,
        names: names.collect(),
        conditions: rule.parts().map(|(text, _)| text.to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::policy;

    #[test]
    fn every_operation_is_allowed_conditional_or_refused() {
        let policy = policy(
            "allow = [\"GET /version\", \"POST /containers/web-*/start\"]\n\
             [[rule]]\nname = \"hup\"\nallow = \"POST /containers/{id}/kill\"\n\
             query.signal = [\"HUP\",\n  \"TERM\"]\n\
             [[rule]]\nallow = \"POST /containers/{id}/restart\"\ntarget.own = true\n",
        );
        let access = |operation| policy.effect(operation).access;
        let rules: Vec<_> = policy.rules().collect();
        assert_eq!(access(Operation::SystemVersion), Access::Allowed(rules[0]));
        assert_eq!(
            access(Operation::ContainerStart),
            Access::Conditional(vec![Way {
                rule: rules[1],
                names: vec!["id = web-*".to_owned()],
                conditions: Vec::new(),
            }])
        );
        assert_eq!(
            access(Operation::ContainerKill),
            Access::Conditional(vec![Way {
                rule: rules[2],
                names: Vec::new(),
                conditions: vec!["query.signal = [\"HUP\", \"TERM\"]".to_owned()],
            }])
        );
        assert_eq!(access(Operation::ContainerCreate), Access::Refused);
        assert_eq!(
            access(Operation::ContainerRestart),
            Access::Conditional(vec![Way {
                rule: rules[3],
                names: Vec::new(),
                conditions: vec!["target.own = true".to_owned()],
            }])
        );
        let reachable = policy
            .effects()
            .iter()
            .filter(|e| e.access.is_reachable())
            .count();
        assert_eq!(reachable, 4);
    }
}
