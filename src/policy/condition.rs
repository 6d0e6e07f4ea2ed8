//! Conditions on the query: typed, with dockerd's defaults, closed on every doubt.
//!
//! A condition compares what Docker would act on, not what was written: an absent key is the value
//! that Docker takes instead, booleans and signals are compared by meaning, and a key that the
//! call's API version does not have yet counts as absent. Where Docker reads the first of several
//! values and others might read the last, a repeated key is refused.

use std::borrow::Cow;

use crate::diag::Span;
use crate::docker::operation::{Blank, QueryKey, QueryKind};
use crate::docker::payload::Payload;
use crate::docker::query::truthy;
use crate::docker::{ApiVersion, Operation, Query};
use crate::facts::{Found, Origin};

use super::decision::{Power, Reason};
use super::filters::Filters;
use super::image::{ImagePattern, Named};
use super::pattern::Pattern;
use super::{signal, undone};

/// `query.KEY = …`, `query.filters.KEY = …` or `image.KEY = …`.
#[derive(Debug)]
pub(super) struct Condition {
    /// What it looks at.
    pub(super) subject: Subject,
    /// Any of these will do.
    pub(super) wants: Vec<Want>,
    /// As written, `query.t = ["", "1"]`, on one line.
    pub(super) text: Box<str>,
    /// Where its key stands.
    pub(super) span: Span,
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A query key.
    Query(Box<str>),
    /// A key inside of `filters`.
    Filter(Box<str>),
    /// The image that is pulled, made or sent, whichever part of the call names it.
    Reference,
    /// Where an imported image comes from, the query key [`IMPORT`]; a call that imports nothing is
    /// among what every list allows.
    Import,
}

/// The query key that makes an image of a file system.
const IMPORT: &str = "fromSrc";

/// One acceptable value.
#[derive(Clone, Debug)]
pub(super) enum Want {
    /// Text.
    Text(Pattern),
    /// A boolean by dockerd's table.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A signal by meaning.
    Signal(u8),
    /// An image reference in full form.
    Image(ImagePattern),
}

/// The part of a call that conditions look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The operation.
    pub(super) operation: Operation,
    /// What the call has at the operation's first placeholder.
    pub(super) subject: Option<&'a str>,
    /// The query.
    pub(super) query: &'a Query<'a>,
    /// The body.
    pub(super) payload: &'a Payload<'a>,
    /// Where the exec was created, if the call is about one.
    pub(super) exec: Origin,
    /// The object that the call is about.
    pub(super) target: &'a Found,
    /// The container that the body of a connect names.
    pub(super) connected: &'a Found,
    /// The container that the call names may be the gate's own.
    pub(super) may_be_gate: bool,
    /// The API version, once known.
    pub(super) version: Option<ApiVersion>,
}

impl Condition {
    /// Whether it holds; if not, why.
    pub(super) fn holds(&self, asked: &Asked<'_>) -> Result<(), Reason> {
        match &self.subject {
            Subject::Query(name) => match asked.operation.query_key(name) {
                Some(key) => self.query_holds(key, asked),
                // INVARIANT: loading refuses a condition that does not fit every grant.
                None => Err(Reason::Query),
            },
            Subject::Filter(name) => self.filter_holds(name, asked),
            Subject::Reference => self.reference_holds(asked),
            Subject::Import => self.import_holds(asked.query),
        }
    }

    /// Whether it looks at this query key.
    pub(super) fn reads(&self, key: &str) -> bool {
        match &self.subject {
            Subject::Query(name) => **name == *key,
            Subject::Import => key == IMPORT,
            Subject::Filter(_) | Subject::Reference => false,
        }
    }

    /// Whether it looks at this filter.
    pub(super) fn reads_filter(&self, key: &str) -> bool {
        matches!(&self.subject, Subject::Filter(name) if **name == *key)
    }

    fn query_holds(&self, key: &QueryKey, asked: &Asked<'_>) -> Result<(), Reason> {
        let written = asked.query.count(key.name());
        if written > 1 && !key.reads_every() {
            return Err(Reason::QueryRepeated);
        }
        // Docker ignores a key in API versions that are older than the key. As long as the version
        // is not known, both readings must hold.
        let known = match (key.since_version(), asked.version) {
            (None, _) => Some(true),
            (Some(since), Some(version)) => Some(version >= since),
            (Some(_), None) => None,
        };
        if undone::may_be_overruled(asked.operation, key.name())
            && let Some(value) = undone::instead(asked, &filters(asked.query)?)
        {
            let holds = self.value_holds(key, Some(value), asked);
            return if holds { Ok(()) } else { Err(Reason::Query) };
        }
        let absent = || self.value_holds(key, Some(key.default_value()), asked);
        let present = || {
            if written == 0 {
                return absent();
            }
            asked
                .query
                .all(key.name())
                .all(|value| self.value_holds(key, effective(key, &value).as_deref(), asked))
        };
        let holds = match known {
            Some(true) => present(),
            Some(false) => absent(),
            None => present() && absent(),
        };
        if holds { Ok(()) } else { Err(Reason::Query) }
    }

    fn value_holds(&self, key: &QueryKey, value: Option<&str>, asked: &Asked<'_>) -> bool {
        let Some(value) = value else {
            return false;
        };
        self.wants.iter().any(|want| match want {
            Want::Bool(wanted) => truthy(value) == *wanted,
            Want::Int(wanted) => value.parse() == Ok(*wanted),
            Want::Signal(wanted) => signal::number(value) == Some(*wanted),
            Want::Image(pattern) => pattern.matches_pull(value, asked.query),
            Want::Text(pattern) if key.kind() == QueryKind::Signal => {
                signal_matches(pattern, value)
            }
            Want::Text(pattern) if key.kind() == QueryKind::Path => path_matches(pattern, value),
            Want::Text(pattern) => pattern.matches(value),
        })
    }

    fn reference_holds(&self, asked: &Asked<'_>) -> Result<(), Reason> {
        let mut keys = ["fromImage", "repo", "tag"].iter();
        if keys.any(|key| asked.query.count(key) > 1) {
            return Err(Reason::QueryRepeated);
        }
        let named = Named::of(asked.operation, asked.subject, asked.query);
        let named = named.ok_or(Reason::Reference)?;
        let wanted = |want: &Want| matches!(want, Want::Image(pattern) if pattern.covers(&named));
        if self.wants.iter().any(wanted) {
            Ok(())
        } else {
            Err(Reason::Reference)
        }
    }

    fn import_holds(&self, query: &Query<'_>) -> Result<(), Reason> {
        if query.count(IMPORT) > 1 {
            return Err(Reason::QueryRepeated);
        }
        let source = query.first(IMPORT).unwrap_or_default();
        let wanted = |want: &Want| matches!(want, Want::Text(pattern) if pattern.matches(&source));
        if source.is_empty() || self.wants.iter().any(wanted) {
            Ok(())
        } else {
            Err(Reason::Power(Power::FromSrc))
        }
    }

    fn filter_holds(&self, name: &str, asked: &Asked<'_>) -> Result<(), Reason> {
        let filters = filters(asked.query)?;
        let values = filters.values(name);
        let wanted = |value: &String| {
            self.wants.iter().any(|want| match want {
                Want::Text(pattern) => pattern.matches(value),
                Want::Bool(wanted) => truthy(value) == *wanted,
                Want::Int(wanted) => value.parse() == Ok(*wanted),
                // INVARIANT: filters are never decoded to these.
                Want::Signal(_) | Want::Image(_) => false,
            })
        };
        let widens = |value: &String| undone::is_expression(name, value);
        if undone::has_rival(asked, name) || values.iter().any(widens) {
            return Err(Reason::Filter);
        }
        // Docker joins several labels by "and", so one that narrows is enough; several values of
        // any other key are joined by "or", so each must be acceptable.
        let holds = if name == "label" {
            values
                .iter()
                .any(|value| wanted(value) && undone::label_narrows(asked.operation, value, values))
        } else {
            !values.is_empty() && values.iter().all(wanted)
        };
        if holds { Ok(()) } else { Err(Reason::Filter) }
    }
}

/// What Docker acts on when `value` is written; `None` when engines disagree.
fn effective<'v>(key: &QueryKey, value: &'v str) -> Option<Cow<'v, str>> {
    if !value.is_empty() {
        return Some(Cow::Borrowed(value));
    }
    match key.when_blank() {
        Blank::Absent => Some(Cow::Borrowed(key.default_value())),
        Blank::False => Some(Cow::Borrowed("false")),
        Blank::Disputed => None,
    }
}

/// A path is compared as a path: `DIR/**` is a directory and everything below it, and a path that
/// leads elsewhere once it is cleaned matches nothing.
fn path_matches(pattern: &Pattern, value: &str) -> bool {
    let directory = || {
        let text = pattern.as_str();
        !text.starts_with('~') && text.strip_suffix("/**") == Some(value)
    };
    if value.is_empty() {
        return pattern.matches(value);
    }
    undone::is_clean_path(value) && (pattern.matches(value) || directory())
}

/// A wildcard over signals looks at the usual name without `SIG`; the empty pattern at absence.
fn signal_matches(pattern: &Pattern, value: &str) -> bool {
    let name = signal::number(value).and_then(signal::name);
    match name {
        Some(name) => pattern.matches(name),
        None => value.is_empty() && pattern.matches(value),
    }
}

/// The filters of a query.
fn filters(query: &Query<'_>) -> Result<Filters, Reason> {
    let mut written = query.all("filters");
    let text = written.next().unwrap_or_default();
    if written.next().is_some() {
        return Err(Reason::QueryRepeated);
    }
    Filters::parse(&text).map_err(|_| Reason::FilterMalformed)
}

/// What a rule must admit by a condition because the operation alone does not: the query keys that
/// are powers, and the filters that widen a prune.
#[derive(Debug)]
pub(super) struct Guard {
    powers: Box<[&'static QueryKey]>,
    prunes: bool,
    /// It gives a name to what also has a full id.
    names: bool,
}

impl Guard {
    /// The guard of an operation.
    pub(super) fn of(operation: Operation) -> Self {
        let keys = operation.query().iter();
        Self {
            powers: keys.filter(|key| key.is_power().is_some()).collect(),
            prunes: operation.path().ends_with("/prune"),
            names: matches!(
                operation,
                Operation::ContainerCreate | Operation::ContainerRename | Operation::NetworkCreate
            ),
        }
    }

    /// Whether a rule with these conditions may let the query pass.
    pub(super) fn admits(&self, asked: &Asked<'_>, conditions: &[Condition]) -> Result<(), Reason> {
        if self.powers.is_empty() && !self.prunes && !self.names {
            return Ok(());
        }
        for key in &self.powers {
            if conditions
                .iter()
                .any(|condition| condition.reads(key.name()))
            {
                continue;
            }
            power_rests(key, asked.query)?;
        }
        if self.prunes {
            prune_stays_narrow(asked.query, conditions)?;
        }
        if self.names && names_like_an_id(asked) {
            return Err(Reason::IdAsName);
        }
        Ok(())
    }
}

/// Whether a new name could be taken for another object's full id.
///
/// SECURITY: dockerd looks for an id first and for a name then (moby `daemon/container.go`,
/// `GetContainer`; `daemon/network.go`, `FindNetwork`). A call that goes on under the full id of an
/// object that is gone by then must find nothing, not the object that took the id for its name.
fn names_like_an_id(asked: &Asked<'_>) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_id = |name: &str| {
        let name = name.trim_start_matches('/');
        name.len() == 64 && name.bytes().all(is_digit)
    };
    let body = asked.payload.body();
    let in_body = body.and_then(|body| body.profile.name.as_deref());
    asked.query.all("name").any(|name| is_id(&name)) || in_body.is_some_and(is_id)
}

/// A power that no condition admits may be written only with its harmless values, and only once.
fn power_rests(key: &QueryKey, query: &Query<'_>) -> Result<(), Reason> {
    let harmless = key.is_power().map_or(&[][..], |power| power.harmless);
    for (count, value) in query.all(key.name()).enumerate() {
        if count > 0 && !key.reads_every() {
            return Err(Reason::QueryRepeated);
        }
        if !harmless.contains(&&*value) {
            return Err(Reason::Power(Power::of(key.name())));
        }
    }
    Ok(())
}

/// `label`, `label!` and `until` make a prune smaller; other filters (`dangling=false`, `all=true`)
/// make it larger, so they need a condition.
fn prune_stays_narrow(query: &Query<'_>, conditions: &[Condition]) -> Result<(), Reason> {
    if query.count("filters") == 0 {
        return Ok(());
    }
    let filters = filters(query)?;
    let free = |key: &str| {
        matches!(key, "label" | "label!" | "until")
            || conditions
                .iter()
                .any(|condition| condition.reads_filter(key))
    };
    if filters.keys().all(free) {
        Ok(())
    } else {
        Err(Reason::FilterWidens)
    }
}
