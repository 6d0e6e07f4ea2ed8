//! How much a policy hands out, in one word, and why.
//!
//! A policy is graded by the worst that whoever holds its socket can do with it: not grant by grant, but
//! by the chains that its rules make together. The grade is for people and for CI; nothing is decided
//! by it.
//!
//! * INVARIANT: a grade is never better than what is known to be possible. Where two readings are left,
//!   the worse one counts.
//! * What is not known here (a program in some image, a symbolic link in an allowed directory, what a
//!   container that is there already may do) cannot be part of it: `root` is certain, the others are
//!   not a proof.

mod chain;
mod handed;
mod operation;
mod place;
mod power;

use std::fmt;

use crate::diag::Span;
use crate::docker::Operation;
use crate::docker::operation::Effect;

use super::Policy;
use super::decision::RuleRef;

pub(super) use handed::handed_out;

/// What a policy amounts to, from harmless to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It shows, and changes nothing.
    ReadOnly,
    /// It changes what Docker does, without power beyond its containers.
    Changes,
    /// It hands out powers over the host or over other containers, none of them known to be root.
    Powers,
    /// Whoever holds the socket can be root on the host.
    Root,
}

/// Why a policy is graded `powers` or `root`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The grade that this alone is worth.
    pub grade: Grade,
    /// What can be done, in plain words that follow "because".
    pub why: String,
    /// The rules that make it possible, in the order in which they are used. `None` for an operation:
    /// one that Docker's table does not know.
    pub steps: Vec<Step>,
}

/// One rule of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is called; `None`: a path that Docker's table does not know.
    pub operation: Option<Operation>,
    /// The rule that allows it.
    pub rule: RuleRef,
    /// The part of the rule that matters.
    pub(super) span: Span,
}

impl Grade {
    /// Every grade, the best first.
    pub const ALL: [Self; 4] = [Self::ReadOnly, Self::Changes, Self::Powers, Self::Root];

    /// `read-only`, `changes`, `powers` or `root`.
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Changes => "changes",
            Self::Powers => "powers",
            Self::Root => "root",
        }
    }

    /// What it means, in plain words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ReadOnly => "it shows, and changes nothing",
            Self::Changes => "it changes what Docker runs, without power over the host",
            Self::Powers => {
                "it hands out powers over the host or over other containers, none of them known to be root"
            }
            Self::Root => "whoever can use this socket can be root on the host",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Grade {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|grade| grade.word() == text);
        found.ok_or_else(|| "write `read-only`, `changes`, `powers` or `root`".to_owned())
    }
}

impl Policy {
    /// What the policy amounts to.
    pub fn grade(&self) -> Grade {
        let worst = self.causes().iter().map(|cause| cause.grade).max();
        worst.unwrap_or_else(|| {
            let changes = |operation: &Operation| {
                operation.effect() == Effect::Change
                    && self.effect(*operation).access.is_reachable()
            };
            if Operation::ALL.iter().any(changes) {
                Grade::Changes
            } else {
                Grade::ReadOnly
            }
        })
    }

    /// Every reason for the grades `powers` and `root`, the worst first.
    pub fn causes(&self) -> Vec<Cause> {
        chain::causes(self)
    }
}

#[cfg(test)]
mod tests;
