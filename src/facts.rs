//! Everything a policy may look at, and nothing else.
//!
//! Facts are plain values without I/O: the running gate, `explain` and the tests inside a policy
//! file fill them in their own way and are judged by the same code.

use crate::docker::payload::Payload;
use crate::docker::{ApiVersion, Call};

/// The process at the other end of the socket, as the kernel names it (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// User id; `None` when it is unknown, which is never the same as 0.
    pub uid: Option<u32>,
    /// Group id; `None` when it is unknown.
    pub gid: Option<u32>,
    /// Process id as seen from our pid namespace; `None` across pid namespaces.
    pub pid: Option<i32>,
}

/// What had to be found out about the object of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Findings {
    /// Where the exec of a call on one was created.
    pub exec: Origin,
}

/// Where something was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Through this socket.
    Here,
    /// Somewhere else, or nobody remembers.
    #[default]
    Elsewhere,
}

/// One request as a policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What Docker is asked to do.
    pub call: &'a Call<'a>,
    /// What the body asks for.
    pub payload: &'a Payload<'a>,
    /// The engine's own API version, once known: a call without a version prefix counts as it.
    pub engine: Option<ApiVersion>,
    /// What had to be found out first.
    pub findings: &'a Findings,
}
