//! Everything a policy may look at, and nothing else.
//!
//! Facts are plain values without I/O: the running gate, `explain` and the tests inside a policy
//! file fill them in their own way and are judged by the same code.

mod given;

use crate::docker::payload::Payload;
use crate::docker::{ApiVersion, Call};

pub use given::{BadGiven, PROJECT};

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
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Where the exec of a call on one was created.
    pub exec: Origin,
    /// The object that the call is about; for an exec, its container.
    pub target: Found,
    /// The container that the body of a connect or disconnect names.
    pub connected: Found,
    /// The container that the call names, in its body if it connects one, may be the gate's own.
    pub may_be_gate: bool,
    /// The ids of what was created through the socket, of the kind that a call lists; `None`: nobody
    /// looked. One more than are of use stands for all that there may be.
    pub made: Option<Vec<Box<str>>>,
}

/// What the engine said about an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// It was not asked.
    #[default]
    Unasked,
    /// It knows none of that name or id.
    Absent,
    /// It did not answer, or not in a way that leaves no doubt.
    Unclear,
    /// This one.
    Object(Box<Object>),
    /// This one, as the engine described it some time ago. What cannot change while it lives still
    /// holds; its names may be others by now.
    Remembered(Box<Object>),
}

/// An object of the engine's, as far as policies look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Its full id; of a volume its name, which is all that it has.
    pub id: Box<str>,
    /// Its own name; an image has one for every tag. Never an alias that a link gave it.
    pub names: Vec<Box<str>>,
    /// Its labels.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Of a container and a service: the image that it was made from, as it was written.
    pub image: Option<Box<str>>,
    /// Whether it was created through this socket.
    pub own: Origin,
    /// It is the container that this gate runs in.
    pub is_gate: bool,
}

/// Where something was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Through this socket.
    Here,
    /// Somewhere else, or nobody remembers.
    #[default]
    Elsewhere,
    /// Through this socket, as far as is remembered; but it may be another one of the name by now, and
    /// nobody can tell at present.
    Unclear,
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
