//! Why each rule did or did not apply.
//!
//! INVARIANT: a trace is made by the very walk that decides, watched by an `Observer`; there is no
//! second implementation that could disagree. Held by `the_trace_says_what_decide_says`.

use crate::diag::escape;

use super::Policy;
use super::decision::{Decision, Reason, RuleRef};

/// Why a rule did not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Why.
    pub reason: Reason,
    /// Which of the rule's conditions, counted from zero, if it was one of them.
    pub condition: Option<u32>,
}

impl Miss {
    pub(super) fn plain(reason: Reason) -> Self {
        Self {
            reason,
            condition: None,
        }
    }
}

/// Watches a decision being made.
pub(super) trait Observer {
    /// Whether to go on after a rule has allowed the call.
    fn wants_all(&self) -> bool {
        false
    }

    /// A rule about this operation was looked at.
    fn saw(&mut self, rule: RuleRef, result: Result<(), Miss>);
}

/// Watches nothing: the running gate.
pub(super) struct Unobserved;

impl Observer for Unobserved {
    fn saw(&mut self, _rule: RuleRef, _result: Result<(), Miss>) {}
}

/// Remembers the rule that came nearest to allowing.
#[derive(Default)]
pub(super) struct Nearest {
    /// That rule and what it lacked.
    pub(super) miss: Option<(RuleRef, Miss)>,
}

impl Observer for Nearest {
    fn saw(&mut self, rule: RuleRef, result: Result<(), Miss>) {
        let Err(miss) = result else {
            return;
        };
        let nearer = |(_, best): &(RuleRef, Miss)| miss.reason.nearness() > best.reason.nearness();
        if self.miss.as_ref().is_none_or(nearer) {
            self.miss = Some((rule, miss));
        }
    }
}

/// How every rule of a policy stands to one call.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What was decided.
    pub decision: Decision,
    /// The rules that are about the call's operation, in the order of the file.
    pub steps: Vec<Step>,
}

/// How one rule stands to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The rule.
    pub rule: RuleRef,
    /// Whether it applies; if not, why.
    pub result: Result<(), Miss>,
}

/// Remembers everything.
#[derive(Default)]
pub(super) struct Everything {
    /// What was seen, in the order of the walk.
    pub(super) steps: Vec<Step>,
}

impl Observer for Everything {
    fn wants_all(&self) -> bool {
        true
    }

    fn saw(&mut self, rule: RuleRef, result: Result<(), Miss>) {
        self.steps.push(Step { rule, result });
    }
}

impl Trace {
    /// The trace in words, one line for each rule about the operation.
    pub fn lines(&self, policy: &Policy) -> Vec<String> {
        self.steps.iter().map(|step| step.line(policy)).collect()
    }
}

impl Step {
    /// ``rule `x` (line 3): `query.t = 1` does not hold``.
    pub fn line(&self, policy: &Policy) -> String {
        let (name, line) = policy.rule(self.rule);
        let why = match self.result {
            Ok(()) => "applies".into(),
            Err(miss) => {
                let condition = miss.condition.and_then(|n| policy.condition(self.rule, n));
                match condition {
                    Some((text, _)) => format!("{}: `{}`", miss.reason.meaning(), escape(text)),
                    None => miss.reason.meaning().to_owned(),
                }
            }
        };
        format!("rule `{}` (line {line}): {why}", escape(name))
    }
}
