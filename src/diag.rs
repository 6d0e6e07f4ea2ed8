//! Diagnostics: what a person is told about a policy file, all problems at once.
//!
//! A [`Diagnostic`] says what is wrong (the message), where (labels), what to do (help) and why it
//! is so (notes). Its id is stable and listed in [`IDS`], so that it can be looked up and tested
//! for. Whoever reports a problem goes on and reports the next one: a file is read once, not once
//! per mistake. Drawing them is the business of [`render`].

pub mod escape;
pub mod render;
pub mod source;
pub mod suggest;

pub use escape::escape;
pub use source::{Beside, Source, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Loads, but look at it.
    Warning,
    /// Does not load.
    Error,
}

/// One finding about a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl Diagnostic {
    /// The file does not load.
    pub fn error(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, id, message.into())
    }

    /// The file loads, but somebody should look at it.
    pub fn warning(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, id, message.into())
    }

    /// Worth knowing.
    pub fn remark(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, id, message.into())
    }

    fn new(severity: Severity, id: &'static str, message: String) -> Self {
        Self {
            id,
            severity,
            message,
            labels: Vec::new(),
            help: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a place and what to say there; the first one added is the primary place.
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds help if there is some.
    #[must_use]
    pub fn help_opt(mut self, help: Option<String>) -> Self {
        self.help.extend(help);
        self
    }

    /// Adds background.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Whether the file does not load because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Where it is shown: the start of its primary place.
    pub fn offset(&self) -> usize {
        self.labels.first().map_or(0, |(span, _)| span.start)
    }
}

/// Every id a diagnostic may carry, with what it means in one line.
pub const IDS: &[(&str, &str)] = &[
    (
        "api-range",
        "`api` is not a range of API versions such as `\">=1.41, <=1.51\"`",
    ),
    (
        "bad-method",
        "the method of a grant is not one that Docker knows",
    ),
    (
        "bad-name",
        "a policy or rule name has a form that logs and paths cannot carry",
    ),
    (
        "bad-pattern",
        "a pattern or regular expression cannot be read",
    ),
    ("bad-value", "a key has a value that it cannot take"),
    (
        "companion",
        "an operation is granted without another one that its clients need",
    ),
    (
        "condition-fits-not",
        "a condition names a key that not every grant of its rule has",
    ),
    ("duplicate-grant", "the same grant is written twice"),
    ("duplicate-rule", "two rules have the same name"),
    ("empty-allow", "`allow = []` grants nothing"),
    ("empty-target", "a target that nothing meets"),
    (
        "free-labels",
        "a rule goes by labels that the policy's own client may give",
    ),
    (
        "grant-form",
        "a grant is not of the form `METHOD[,METHOD…] PATH`",
    ),
    (
        "hands-out",
        "what a grant shows or hands out, in plain words",
    ),
    ("host-root", "what is granted amounts to root on the host"),
    (
        "made-unseen",
        "what is created without the labels of `[visible]` is not shown to its creator",
    ),
    ("missing-key", "a key that must be there is not"),
    (
        "never-matches",
        "a grant of an operation that is newer than the policy's API range, or whose body is not described",
    ),
    (
        "not-narrowed",
        "an operation shows what `[visible]` does not narrow",
    ),
    (
        "not-supported",
        "the key belongs to the language, but not to this version",
    ),
    (
        "nothing-changes",
        "a conditional rule is already granted in full elsewhere",
    ),
    (
        "peer-list-empty",
        "an empty list of users lets nobody connect",
    ),
    (
        "power",
        "what a rule hands out beyond its operations, without being root",
    ),
    (
        "shows-besides",
        "an operation tells something of objects that `[visible]` does not show",
    ),
    (
        "shows-everything",
        "a list shows objects that no rule with a target is about",
    ),
    (
        "socket-path",
        "the socket path is not absolute or longer than a socket path may be",
    ),
    ("test-failed", "one of the policy's own tests fails"),
    (
        "test-path-unknown",
        "a deny test passes only because Docker has no such operation",
    ),
    ("toml", "the file is not TOML"),
    (
        "top-level-key",
        "a key that belongs at the top of the file stands below a table",
    ),
    ("unknown-key", "a key that the language does not have"),
    (
        "unknown-operation",
        "no Docker operation has this method and path",
    ),
    (
        "unlisted-known",
        "`[unlisted]` names a path that Docker's table knows",
    ),
    (
        "use-target",
        "a pattern on an id could match the ids of other objects",
    ),
    ("wildcard", "what a wildcard covers, spelled out"),
    (
        "wildcard-covers-not",
        "a wildcard covers nothing that wildcards may cover",
    ),
    (
        "wrong-table",
        "`[rule]` or `[rules]` where `[[rule]]` is meant, and the like",
    ),
    (
        "wrong-type",
        "a key has a value of another kind than it takes",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_unique_and_kebab_case() {
        assert!(IDS.is_sorted_by(|a, b| a.0 < b.0));
        for (id, meaning) in IDS {
            assert!(
                id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{id}"
            );
            assert!(!meaning.is_empty());
        }
    }
}
