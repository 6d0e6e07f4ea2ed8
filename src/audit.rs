//! The audit trail: what was asked, what was decided, how it ended; one JSON line per record.
//!
//! A call that changes, streams or tunnels has an opening record that is queued before a byte
//! leaves for Docker and a final one under the same id; other recorded calls have the final one
//! alone. Every call is accounted for exactly once: in a final record of its own, or in the count
//! of a `summed`, `summary` or `dropped` record. docs/audit.md describes schema v1 field by field.
//!
//! * this file: the record's types, plain values without I/O
//! * [`redact`]: what may never be written, and how it is masked
//! * `render`: a record as one line of JSON
//! * `ledger`: what is counted instead of written: floods of denials, plain reads
//! * `queue`: [`Audit`], the handle that the request's path holds; `page`: what waits in it
//! * `output`: where lines go; `sink`: the one thread that formats and writes them
//!
//! Formatting and writing happen on a thread of their own, because a request must never wait for a
//! disk. The road not taken is a task on the runtime: a blocking write would stall the connections
//! that share its thread.

mod ledger;
mod output;
mod page;
mod queue;
pub mod redact;
mod render;
mod sink;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::docker::{ApiVersion, Operation};

pub use output::Output;
pub use queue::{Audit, Full};
pub use sink::Writer;

/// Which allowed calls are recorded (`--audit-allowed`). Denials always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Every call.
    All,
    /// What changes state, streams or tunnels.
    #[default]
    Changes,
    /// None.
    None,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was carried.
    Complete,
    /// The policy refused it.
    Refused,
    /// It could not be read in one way (400, 413, 414, 431, 408 …).
    Malformed,
    /// The client went away first.
    Aborted,
    /// The engine was absent, closed early or answered nonsense.
    UpstreamError,
    /// Our own fault.
    Internal,
}

/// Who called, as far as it can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Process id in our pid namespace.
    pub pid: Option<i32>,
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
    /// The executable's path.
    pub exe: Option<String>,
    /// The container's id from its cgroup.
    pub container: Option<String>,
    /// All of that as it is written, once it was: a client has many records.
    pub(crate) written: OnceLock<Box<str>>,
}

/// One call, as it is recorded when it opens. `T` is how its texts are held: by the record itself, or
/// by whom they are borrowed from.
#[derive(Clone, Debug)]
pub struct Record<T = String> {
    /// Unique in this process.
    pub id: u64,
    /// When it was judged.
    pub time: SystemTime,
    /// The policy's name.
    pub policy: Arc<str>,
    /// The rule that allowed it: name and line.
    pub rule: Option<(Arc<str>, usize)>,
    /// Why it was refused.
    pub reason: Option<&'static str>,
    /// What Docker was asked; `None` where it has no such operation or the call is malformed.
    pub operation: Option<Operation>,
    /// The method, empty when malformed.
    pub method: &'static str,
    /// The canonical path without version, empty when malformed.
    pub path: T,
    /// The query as written; secret-bearing values are masked when it is rendered.
    pub query: T,
    /// The object that it was about, where the engine was asked.
    pub target: Option<Target<T>>,
    /// The container that the body of a connect or disconnect named, where the engine was asked.
    pub connected: Option<Target<T>>,
    /// The version prefix.
    pub api: Option<ApiVersion>,
    /// Who.
    pub client: Arc<Client>,
    /// The lines that would allow it.
    pub hint: Option<T>,
}

/// An object of the engine's, as a person and as the engine knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<T = String> {
    /// Its full id.
    pub id: T,
    /// Its own name, or the first of its tags; empty if it has none.
    pub name: T,
}

/// How a recorded call ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// The status the client was answered with.
    pub status: Option<u16>,
    /// Bytes from the client: body and tunnel.
    pub bytes_up: u64,
    /// Bytes to the client: body and tunnel.
    pub bytes_down: u64,
    /// From judged to ended.
    pub duration: Duration,
}

// === impl Outcome ===

impl Outcome {
    /// Every outcome, for tables and documentation.
    pub const ALL: &'static [Self] = &[
        Self::Complete,
        Self::Refused,
        Self::Malformed,
        Self::Aborted,
        Self::UpstreamError,
        Self::Internal,
    ];

    /// The stable word in the record.
    pub fn code(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::Aborted => "aborted",
            Self::UpstreamError => "upstream-error",
            Self::Internal => "internal",
        }
    }
}

// === impl Record ===

impl Record {
    /// The longest path that is written, in bytes.
    pub const MAX_PATH: usize = 1024;
    /// The longest query that is written, in bytes, after masking.
    pub const MAX_QUERY: usize = 2048;
    /// The longest of every other text: hint, executable, rule name.
    pub const MAX_TEXT: usize = 1024;

    /// Cuts what is longer than will be written, so that a full queue of hostile records has a
    /// bounded size. Costs three comparisons for an ordinary record.
    fn bound(&mut self) {
        if self.path.len() > Self::MAX_PATH {
            self.path = redact::cut(&self.path, Self::MAX_PATH).into_owned();
        }
        if self.query.len() > Self::MAX_QUERY {
            self.query = redact::query(&self.query, Self::MAX_QUERY).into_owned();
        }
        if let Some(hint) = &mut self.hint
            && hint.len() > Self::MAX_TEXT
        {
            *hint = redact::cut(hint, Self::MAX_TEXT).into_owned();
        }
    }
}

impl<T> Record<T> {
    /// The same record, with its texts held in another way. Texts come in the order they are written.
    fn map<U>(self, mut text: impl FnMut(T) -> U) -> Record<U> {
        Record {
            id: self.id,
            time: self.time,
            policy: self.policy,
            rule: self.rule,
            reason: self.reason,
            operation: self.operation,
            method: self.method,
            path: text(self.path),
            query: text(self.query),
            target: self.target.map(|target| target.map(&mut text)),
            connected: self.connected.map(|target| target.map(&mut text)),
            api: self.api,
            client: self.client,
            hint: self.hint.map(text),
        }
    }
}

// === impl Target ===

impl<T> Target<T> {
    fn map<U>(self, mut text: impl FnMut(T) -> U) -> Target<U> {
        Target {
            id: text(self.id),
            name: text(self.name),
        }
    }
}
