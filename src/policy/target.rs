//! `target.KEY`: which objects a rule is about, however the client addresses them, and
//! `connect.container.KEY`: which containers it connects to a network or disconnects from one.
//!
//! The object is asked from the engine, judged here, and the call goes on under its full id, so that a
//! name cannot change hands in between.
//!
//! * INVARIANT: nothing but an object that the engine described meets a target; an engine that does not
//!   answer, or a question that nobody asked, meets none.
//! * INVARIANT: a call that does more than look is about the gate's own container only under a rule whose
//!   `target.name`, for what a connect's body names `connect.container.name`, is that container's name,
//!   written out. A rule without a target is no exception.

use crate::diag::Span;
use crate::docker::operation::ObjectKind;
use crate::facts::{Found, Object, Origin};

use super::condition::Asked;
use super::decision::Reason;
use super::image::ImagePattern;
use super::pattern::Pattern;

/// One key.
#[derive(Debug)]
pub(super) struct Clause {
    /// What it says.
    pub(super) says: Says,
    /// As written, `target.name = "web"`, on one line.
    pub(super) text: Box<str>,
    /// Where its key stands.
    pub(super) span: Span,
}

/// What a key says; any of its patterns will do.
#[derive(Debug)]
pub(super) enum Says {
    /// Its own name.
    Name(Vec<Pattern>),
    /// The name of an image.
    Reference(Vec<ImagePattern>),
    /// One of its labels, as `key=value`, or `key` alone.
    Label(Vec<Pattern>),
    /// The image it was made from.
    Image(Vec<ImagePattern>),
    /// The compose project that it belongs to.
    Project(Vec<Pattern>),
    /// It was created through this socket.
    Own,
}

/// The keys that make sense for a kind of object.
pub(super) fn keys(kind: ObjectKind) -> &'static [&'static str] {
    match kind {
        ObjectKind::Container | ObjectKind::Exec => &["name", "label", "image", "project", "own"],
        ObjectKind::Network | ObjectKind::Volume => &["name", "label", "project", "own"],
        ObjectKind::Service => &["name", "label", "image"],
        ObjectKind::Image => &["name", "label"],
    }
}

/// Whether an object meets all of these; if not, why, and which one it was.
pub(super) fn admits(clauses: &[Clause], asked: &Asked<'_>) -> Result<(), (Reason, Option<usize>)> {
    if clauses.is_empty() && !concerns_gate(asked) {
        return Ok(());
    }
    met(clauses, asked.target)
}

fn met(clauses: &[Clause], found: &Found) -> Result<(), (Reason, Option<usize>)> {
    let (object, named) = match found {
        Found::Unasked => return Err((Reason::TargetUnasked, None)),
        Found::Absent => return Err((Reason::TargetAbsent, None)),
        Found::Unclear => return Err((Reason::TargetUnclear, None)),
        Found::Object(object) => (object, true),
        Found::Remembered(object) => (object, false),
    };
    for (number, clause) in clauses.iter().enumerate() {
        // SECURITY: a name may have changed hands since, so it is asked.
        if !named && clause.says.is_about_names() {
            return Err((Reason::TargetUnasked, None));
        }
        if object.own == Origin::Unclear && matches!(clause.says, Says::Own) {
            return Err((Reason::TargetUnclear, None));
        }
        if !clause.says.holds(object) {
            return Err((Reason::Target, Some(number)));
        }
    }
    // SECURITY: who restarts, or opens a shell in, the gate's own container is the gate.
    if object.is_gate && !clauses.iter().any(|clause| clause.says.spells(object)) {
        let mut says = clauses.iter().map(|clause| &clause.says);
        return Err((
            Reason::TargetGate,
            says.position(|says| matches!(says, Says::Name(_))),
        ));
    }
    Ok(())
}

/// The same for the container that the body of a connect names.
pub(super) fn admits_connected(
    clauses: &[Clause],
    asked: &Asked<'_>,
) -> Result<(), (Reason, Option<usize>)> {
    if clauses.is_empty() && !connects_gate(asked) {
        return Ok(());
    }
    let named = asked.payload.body();
    let named = named.and_then(|body| body.profile.container.as_deref());
    match asked.connected {
        Found::Unasked | Found::Remembered(_) => Err((Reason::ConnectUnasked, None)),
        // INVARIANT: what the engine described is what the body names, by the full id. One that is
        // merely stated has none.
        Found::Object(object) if !object.id.is_empty() && named != Some(&*object.id) => {
            Err((Reason::TargetUnclear, None))
        }
        Found::Object(_) | Found::Absent | Found::Unclear => met(clauses, asked.connected),
    }
}

/// Whether a call does more than look at what is, or may be, the gate's own container.
fn concerns_gate(asked: &Asked<'_>) -> bool {
    (asked.may_be_gate || is_gate(asked.target)) && asked.operation.acts_on_container()
}

/// Whether a call connects or disconnects what is, or may be, the gate's own container.
fn connects_gate(asked: &Asked<'_>) -> bool {
    (asked.may_be_gate || is_gate(asked.connected)) && asked.operation.names_container_in_body()
}

fn is_gate(found: &Found) -> bool {
    matches!(found, Found::Object(object) if object.is_gate)
}

impl Says {
    /// Whether it hangs on what can change while the object lives.
    fn is_about_names(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Reference(_))
    }

    /// Whether it writes out the object's name; a wildcard does not.
    fn spells(&self, object: &Object) -> bool {
        let Self::Name(patterns) = self else {
            return false;
        };
        let mut written = patterns.iter().filter_map(Pattern::exact);
        written.any(|text| object.names.iter().any(|name| **name == *text))
    }

    fn holds(&self, object: &Object) -> bool {
        let any = |patterns: &[Pattern], text: &str| patterns.iter().any(|p| p.matches(text));
        match self {
            Self::Name(patterns) => object.names.iter().any(|name| any(patterns, name)),
            Self::Reference(patterns) => {
                let mut names = object.names.iter();
                names.any(|name| patterns.iter().any(|p| p.matches(name)))
            }
            Self::Label(patterns) => object
                .labels
                .iter()
                .any(|(key, value)| any(patterns, key) || any(patterns, &format!("{key}={value}"))),
            Self::Image(patterns) => {
                let image = object.image.as_deref().unwrap_or_default();
                patterns.iter().any(|pattern| pattern.matches(image))
            }
            Self::Project(patterns) => object
                .project()
                .is_some_and(|project| any(patterns, project)),
            Self::Own => object.own == Origin::Here,
        }
    }
}

#[cfg(test)]
mod tests;
