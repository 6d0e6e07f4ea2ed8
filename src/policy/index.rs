//! Rules by operation, so that a decision does not pay for rules about other operations.

use std::collections::HashMap;

use crate::docker::{Call, Operation};
use crate::facts::Origin;

use super::condition::{Asked, Guard};
use super::decision::{Decision, Reason, RuleRef};
use super::pattern::Pattern;
use super::power::{BodyRule, PLAIN};
use super::rule::Rule;
use super::target;
use super::trace::{Miss, Observer};

/// Every operation that some rule names, with those rules.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Option<Entry>>,
}

/// The rules of one operation.
#[derive(Debug)]
struct Entry {
    guard: Guard,
    /// Some rule has a target.
    asks_target: bool,
    /// Some rule looks at the container that the body names.
    asks_connected: bool,
    /// The first rule that grants the operation whole and without conditions.
    open: Option<RuleRef>,
    /// Rules without conditions for one name each: a thousand of them are one lookup.
    exact: HashMap<Box<str>, RuleRef>,
    /// The others, in the order of the file.
    others: Vec<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    rule: RuleRef,
    names: [Option<Pattern>; 2],
}

impl Index {
    /// Sorts rules by operation.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut entries: Vec<Option<Entry>> = Operation::ALL.iter().map(|_| None).collect();
        for (number, rule) in (0..).zip(rules) {
            let rule_ref = RuleRef(number);
            for (_, target) in rule.targets() {
                let Some(slot) = entries.get_mut(slot(target.operation)) else {
                    continue;
                };
                let entry = slot.get_or_insert_with(|| Entry::new(target.operation));
                entry.asks_target |= !rule.target.is_empty();
                entry.asks_connected |= !rule.body().connected.is_empty();
                match target.exact() {
                    Some(name) if rule.is_plain() => {
                        entry.exact.entry(name.into()).or_insert(rule_ref);
                    }
                    None if rule.is_plain() && !target.is_narrowed() => {
                        entry.open.get_or_insert(rule_ref);
                    }
                    _ => entry.others.push(Candidate {
                        rule: rule_ref,
                        names: target.names.clone(),
                    }),
                }
            }
        }
        Self { entries }
    }

    /// Whether some rule is about the operation.
    pub(super) fn knows(&self, operation: Operation) -> bool {
        let entry = self.entries.get(slot(operation));
        entry.is_some_and(Option::is_some)
    }

    /// Whether some rule about the operation has a target.
    pub(super) fn asks_target(&self, operation: Operation) -> bool {
        self.entry(operation).is_some_and(|entry| entry.asks_target)
    }

    /// Whether some rule about the operation looks at the container that the body names.
    pub(super) fn asks_connected(&self, operation: Operation) -> bool {
        let entry = self.entry(operation);
        entry.is_some_and(|entry| entry.asks_connected)
    }

    /// Judges a call of a known operation.
    pub(super) fn judge(
        &self,
        rules: &[Rule],
        call: &Call<'_>,
        asked: &Asked<'_>,
        observer: &mut impl Observer,
    ) -> Decision {
        match self.entry(asked.operation) {
            Some(entry) => entry.judge(rules, call, asked, observer),
            None => Decision::deny(Reason::NoRule),
        }
    }

    fn entry(&self, operation: Operation) -> Option<&Entry> {
        self.entries.get(slot(operation))?.as_ref()
    }
}

impl Entry {
    fn new(operation: Operation) -> Self {
        Self {
            guard: Guard::of(operation),
            asks_target: false,
            asks_connected: false,
            open: None,
            exact: HashMap::new(),
            others: Vec::new(),
        }
    }

    fn judge(
        &self,
        rules: &[Rule],
        call: &Call<'_>,
        asked: &Asked<'_>,
        observer: &mut impl Observer,
    ) -> Decision {
        let mut outcome = Outcome {
            allowed: None,
            // Someone grants this operation: if nothing else is said, for other names.
            nearest: Reason::Name,
        };
        let by_name = || self.exact.get(call.subject().unwrap_or_default()).copied();
        let plain = self.open.or_else(|| {
            if self.exact.is_empty() {
                None
            } else {
                by_name()
            }
        });
        if let Some(rule) = plain {
            let result = self.guard.admits(asked, &[]).map_err(Miss::plain);
            let result = result.and_then(|()| reaches(asked, false));
            let result = result.and_then(|()| meets(&[], 0, asked));
            let result = result.and_then(|()| admits(&PLAIN, 0, asked));
            let result = result.and_then(|()| connects(&PLAIN, 0, asked));
            outcome.note(rule, result, observer);
        }
        let names = call.texts();
        for candidate in &self.others {
            if outcome.allowed.is_some() && !observer.wants_all() {
                break;
            }
            let result = candidate.judge(rules, &self.guard, names, asked);
            outcome.note(candidate.rule, result, observer);
        }
        match outcome.allowed {
            Some(rule) => Decision::allow(rule),
            None => Decision::deny(outcome.nearest),
        }
    }
}

struct Outcome {
    allowed: Option<RuleRef>,
    nearest: Reason,
}

impl Outcome {
    fn note(&mut self, rule: RuleRef, result: Result<(), Miss>, observer: &mut impl Observer) {
        observer.saw(rule, result);
        match result {
            Ok(()) => {
                self.allowed.get_or_insert(rule);
            }
            Err(miss) if miss.reason.nearness() > self.nearest.nearness() => {
                self.nearest = miss.reason;
            }
            Err(_) => {}
        }
    }
}

impl Candidate {
    fn judge(
        &self,
        rules: &[Rule],
        guard: &Guard,
        names: [Option<&str>; 2],
        asked: &Asked<'_>,
    ) -> Result<(), Miss> {
        if !self.fits(names) {
            return Err(Miss::plain(Reason::Name));
        }
        // INVARIANT: the index is built from these rules, so the number is always found.
        let rule = rules.get(slot_of(self.rule));
        let rule = rule.ok_or(Miss::plain(Reason::NoRule))?;
        let conditions = &rule.conditions;
        for (number, condition) in (0..).zip(conditions) {
            condition.holds(asked).map_err(|reason| Miss {
                reason,
                condition: Some(number),
            })?;
        }
        guard.admits(asked, conditions).map_err(Miss::plain)?;
        reaches(asked, rule.any_exec)?;
        let targets = &rule.target;
        meets(targets, conditions.len(), asked)?;
        let (body, parts) = (rule.body(), conditions.len() + targets.len());
        admits(body, parts, asked)?;
        connects(body, parts + body.clauses.len(), asked)
    }

    fn fits(&self, written: [Option<&str>; 2]) -> bool {
        let mut both = self.names.iter().zip(written);
        both.all(|(wanted, written)| match (wanted, written) {
            (None, _) => true,
            (Some(pattern), Some(text)) => pattern.matches(text),
            (Some(_), None) => false,
        })
    }
}

/// Whether a rule reaches the exec, if the call is about one.
fn reaches(asked: &Asked<'_>, any_exec: bool) -> Result<(), Miss> {
    if asked.exec == Origin::Here || any_exec || !asked.operation.is_on_exec() {
        return Ok(());
    }
    Err(Miss::plain(Reason::ForeignExec))
}

/// Whether the object is one that a rule with so many conditions is about.
fn meets(targets: &[target::Clause], conditions: usize, asked: &Asked<'_>) -> Result<(), Miss> {
    target::admits(targets, asked).map_err(|(reason, clause)| Miss {
        reason,
        condition: number(clause.map(|clause| conditions + clause)),
    })
}

/// Whether a rule with so many conditions allows the body.
fn admits(rule: &BodyRule, conditions: usize, asked: &Asked<'_>) -> Result<(), Miss> {
    let Some(obstacle) = rule.obstacle(asked.payload, asked.query) else {
        return Ok(());
    };
    Err(Miss {
        reason: obstacle.reason,
        condition: number(obstacle.clause.map(|clause| conditions + clause)),
    })
}

/// Whether a rule with so many conditions is about the container that the body names.
fn connects(rule: &BodyRule, conditions: usize, asked: &Asked<'_>) -> Result<(), Miss> {
    let admitted = target::admits_connected(&rule.connected, asked);
    admitted.map_err(|(reason, clause)| Miss {
        reason,
        condition: number(clause.map(|clause| conditions + clause)),
    })
}

fn number(condition: Option<usize>) -> Option<u32> {
    condition.and_then(|number| u32::try_from(number).ok())
}

/// The place of an operation in the list.
#[expect(
    clippy::as_conversions,
    reason = "the number of a variant without fields"
)]
fn slot(operation: Operation) -> usize {
    operation as usize
}

/// The place of a rule in the list.
pub(super) fn slot_of(rule: RuleRef) -> usize {
    usize::try_from(rule.0).unwrap_or(usize::MAX)
}
