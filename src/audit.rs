//! The audit record: one JSON line per recorded call, schema v1.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::docker::{ApiVersion, Operation};

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
}

/// One call, as it is recorded when it opens.
#[derive(Clone, Debug)]
pub struct Record {
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
    pub path: String,
    /// The query as written; secret-bearing values are masked when it is rendered.
    pub query: String,
    /// The version prefix.
    pub api: Option<ApiVersion>,
    /// Who.
    pub client: Arc<Client>,
    /// The lines that would allow it.
    pub hint: Option<String>,
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

/// The queue is full and stayed full: a change must not go on unrecorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot keep up")]
pub struct Full;

/// A handle on the audit log; cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {}

impl Audit {
    /// Whether an allowed call is recorded one by one.
    pub fn keeps(&self, _operation: Option<Operation>) -> bool {
        todo!()
    }
    /// Whether an allowed call also gets an opening record (it changes, streams or tunnels).
    pub fn opens(&self, _operation: Option<Operation>) -> bool {
        todo!()
    }
    /// A fresh id.
    pub fn next_id(&self) -> u64 {
        todo!()
    }
    /// The opening record of a call. Waits at most 2 s for room.
    pub async fn open(&self, _record: &Record) -> Result<(), Full> {
        todo!()
    }
    /// The final record of a call that was opened, or of an allowed call that is kept. Never blocks
    /// (it is called from `Drop`).
    pub fn close(&self, _record: Record, _ending: Ending) {
        todo!()
    }
    /// A refusal: written in full, or summed when the same kind floods. `make` is called only when
    /// it is written.
    pub fn refuse(
        &self,
        _policy: &Arc<str>,
        _operation: Option<Operation>,
        _reason: &'static str,
        _uid: Option<u32>,
        _make: impl FnOnce() -> (Record, Ending),
    ) {
        todo!()
    }
    /// Counts an allowed call that is not recorded one by one, for the summary record.
    pub fn pass(&self, _policy: &Arc<str>, _status: Option<u16>, _bytes_up: u64, _bytes_down: u64) {
        todo!()
    }
}
