//! What the table says about one query key: how Docker reads it, and what it hands out.

use crate::docker::ApiVersion;

/// A query key that Docker's code reads for an operation, whether or not its documentation says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryKey {
    name: &'static str,
    kind: QueryKind,
    default: &'static str,
    blank: Blank,
    every: bool,
    since: Option<ApiVersion>,
    power: Option<Power>,
}

/// How Docker reads a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    /// A boolean by dockerd's table, see [`truthy`](crate::docker::query::truthy).
    Bool,
    /// A number.
    Int,
    /// Text.
    Text,
    /// The path of a file inside of a container.
    Path,
    /// The JSON document `filters`.
    Filters,
    /// Another JSON document.
    Json,
    /// The name or number of a signal: `HUP`, `SIGHUP` and `1` are one.
    Signal,
}

/// What a key means that is written without a value (`?pause=` or `?pause`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// The same as an absent key: the default.
    Absent,
    /// An empty text, hence false: only booleans, and only their default differs from that.
    False,
    /// Engines disagree. Whoever must know has to refuse it.
    Disputed,
}

/// A key whose use hands out more than the operation itself, like a power in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// Exactly these values hand out nothing. An absent key never does.
    pub harmless: &'static [&'static str],
    /// What any other value hands out, in plain words.
    pub reason: &'static str,
}

impl QueryKey {
    /// Its name. Docker's keys are case-sensitive.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How Docker reads it.
    pub fn kind(&self) -> QueryKind {
        self.kind
    }

    /// What Docker takes when the key is absent; `""` when it has no fixed default.
    pub fn default_value(&self) -> &'static str {
        self.default
    }

    /// What it means when the key is there and its value is empty.
    pub fn when_blank(&self) -> Blank {
        self.blank
    }

    /// True when Docker reads every value of a repeated key, not only the first.
    pub fn reads_every(&self) -> bool {
        self.every
    }

    /// Below this API version Docker ignores the key and takes the default, whatever is written.
    /// `None`: it is read in every version that is let through.
    pub fn since_version(&self) -> Option<ApiVersion> {
        self.since
    }

    /// What it hands out, if it hands out anything.
    pub fn is_power(&self) -> Option<Power> {
        self.power
    }
}

// === the words that the table is written in ===

pub(super) const fn text(name: &'static str) -> QueryKey {
    key(name, QueryKind::Text, Blank::Absent)
}

pub(super) const fn path(name: &'static str) -> QueryKey {
    key(name, QueryKind::Path, Blank::Absent)
}

pub(super) const fn int(name: &'static str) -> QueryKey {
    key(name, QueryKind::Int, Blank::Absent)
}

pub(super) const fn flag(name: &'static str) -> QueryKey {
    key(name, QueryKind::Bool, Blank::False).default("false")
}

pub(super) const fn json(name: &'static str) -> QueryKey {
    key(name, QueryKind::Json, Blank::Absent)
}

pub(super) const fn signal(name: &'static str) -> QueryKey {
    key(name, QueryKind::Signal, Blank::Absent)
}

pub(super) const fn filters() -> QueryKey {
    key("filters", QueryKind::Filters, Blank::Absent)
}

impl QueryKey {
    pub(super) const fn default(mut self, value: &'static str) -> Self {
        self.default = value;
        self
    }

    pub(super) const fn blank(mut self, blank: Blank) -> Self {
        self.blank = blank;
        self
    }

    pub(super) const fn every(mut self) -> Self {
        self.every = true;
        self
    }

    pub(super) const fn since(mut self, version: &'static str) -> Self {
        self.since = ApiVersion::parse(version);
        assert!(self.since.is_some(), "not a version");
        self
    }

    pub(super) const fn power(
        mut self,
        harmless: &'static [&'static str],
        reason: &'static str,
    ) -> Self {
        self.power = Some(Power { harmless, reason });
        self
    }
}

const fn key(name: &'static str, kind: QueryKind, blank: Blank) -> QueryKey {
    QueryKey {
        name,
        kind,
        default: "",
        blank,
        every: false,
        since: None,
        power: None,
    }
}
