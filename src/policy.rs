//! The policy: what one service may do with Docker.

pub mod api;
pub mod builtin;
pub mod decision;
pub mod filters;
pub mod pattern;
pub mod settings;
mod signal;

use std::sync::Arc;

use crate::diag::{Diagnostic, Source};
use crate::facts::Facts;

pub use decision::{Decision, Denial, Permit, Reason, RuleRef, Verdict};

/// A policy file that was read without errors.
#[derive(Debug)]
pub struct Policy {
    name: Arc<str>,
}

/// A policy and what is worth saying about it.
#[derive(Debug)]
pub struct Checked {
    /// The policy.
    pub policy: Policy,
    /// Warnings and notes.
    pub findings: Vec<Diagnostic>,
}

impl Policy {
    /// Reads a policy; `name` is its file's stem. All problems at once.
    pub fn parse(_name: &str, _source: &Source) -> Result<Checked, Vec<Diagnostic>> {
        todo!()
    }
    /// Its name: the file's stem.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
    /// The `[socket]` table with its defaults filled in.
    pub fn socket(&self) -> &settings::Socket {
        todo!()
    }
    /// The `[limits]` table with its defaults filled in.
    pub fn limits(&self) -> settings::Limits {
        todo!()
    }
    /// The decision for these facts. Pure, total; allocates nothing when it allows.
    pub fn decide(&self, _facts: &Facts<'_>) -> Decision {
        todo!()
    }
    /// Puts a refusal into words: what was asked, why not, the line that would allow it.
    pub fn denial(&self, _facts: &Facts<'_>, _reason: Reason) -> Denial {
        todo!()
    }
    /// Name and one-based line of a rule, for logs.
    pub fn rule(&self, _rule: RuleRef) -> (&str, usize) {
        todo!()
    }
}
