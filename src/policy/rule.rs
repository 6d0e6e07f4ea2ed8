//! Rules: what is granted, and under which conditions.

use std::sync::Arc;

use crate::diag::Span;
use crate::docker::Operation;

use super::condition::Condition;
use super::pattern::Pattern;
use super::power::{BodyRule, Clause, PLAIN};
use super::target;

/// One rule. Every entry of the top-level `allow` is a rule of its own.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its name: as given, else the text of its first grant.
    pub(super) name: Arc<str>,
    /// One-based line in the file.
    pub(super) line: usize,
    /// Where it stands.
    pub(super) span: Span,
    /// What it grants.
    pub(super) grants: Vec<Grant>,
    /// All of them must hold.
    pub(super) conditions: Vec<Condition>,
    /// What the object must be.
    pub(super) target: Vec<target::Clause>,
    /// What it says about bodies; `None`: a plain body, if any.
    pub(super) body: Option<BodyRule>,
    /// `any_exec = true`: it reaches execs that others created, too.
    pub(super) any_exec: bool,
}

/// One string of an `allow` list.
#[derive(Debug)]
pub(super) struct Grant {
    /// As written.
    pub(super) text: Box<str>,
    /// Where it stands.
    pub(super) span: Span,
    /// The operations it names.
    pub(super) targets: Vec<Target>,
    /// Whether a wildcard chose the operations.
    pub(super) wildcard: bool,
}

/// One operation of a grant, and for which names.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The operation.
    pub(super) operation: Operation,
    /// What the text at each of its placeholders must match; `None`: anything.
    pub(super) names: [Option<Pattern>; 2],
}

impl Target {
    /// Whether some placeholder is narrowed.
    pub(super) fn is_narrowed(&self) -> bool {
        self.names.iter().any(Option::is_some)
    }

    /// The only text of the only placeholder, if it is written out.
    pub(super) fn exact(&self) -> Option<&str> {
        match &self.names {
            [Some(name), None] => name.exact(),
            _ => None,
        }
    }

    /// Whether everything that `other` admits by name is admitted here, as far as can be told from
    /// the text of the patterns.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let covers = |(mine, theirs): (&Option<Pattern>, &Option<Pattern>)| match (mine, theirs) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => {
                mine.as_str() == theirs.as_str()
                    || theirs.exact().is_some_and(|text| mine.matches(text))
            }
        };
        self.operation == other.operation && self.names.iter().zip(&other.names).all(covers)
    }
}

impl Rule {
    /// Its targets with the grant that each comes from.
    pub(super) fn targets(&self) -> impl Iterator<Item = (&Grant, &Target)> {
        let grants = self.grants.iter();
        grants.flat_map(|grant| grant.targets.iter().map(move |target| (grant, target)))
    }

    /// Whether it grants without any condition, and plain bodies only.
    pub(super) fn is_plain(&self) -> bool {
        self.conditions.is_empty()
            && self.target.is_empty()
            && self.body.is_none()
            && !self.any_exec
    }

    /// What it says about bodies.
    pub(super) fn body(&self) -> &BodyRule {
        self.body.as_ref().unwrap_or(&PLAIN)
    }

    /// What it says about objects, those included that a body names.
    pub(super) fn objects(&self) -> impl Iterator<Item = &target::Clause> {
        self.target.iter().chain(&self.body().connected)
    }

    /// Text and place of its conditions, and of what it says about objects and bodies, in this order.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&str, &Span)> {
        let conditions = self.conditions.iter();
        let targets = self.target.iter();
        let clauses = self.body().clauses.iter();
        let connected = self.body().connected.iter();
        conditions
            .map(|condition| (&*condition.text, &condition.span))
            .chain(targets.map(|clause| (&*clause.text, &clause.span)))
            .chain(clauses.map(|clause: &Clause| (&*clause.text, &clause.span)))
            .chain(connected.map(|clause| (&*clause.text, &clause.span)))
    }
}
