//! Diagnostics: what a person is told about a policy file, all problems at once.

pub mod source;

pub use source::{Source, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Loads, but look at it.
    Warning,
    /// Does not load.
    Error,
}

/// One finding about a policy file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Kebab-case, never reused, documented.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Lower-case, no full stop, one line.
    pub message: String,
    /// Where, with what to say there; the first is the primary place.
    pub labels: Vec<(Span, String)>,
    /// What to do.
    pub help: Vec<String>,
    /// Background.
    pub notes: Vec<String>,
}
