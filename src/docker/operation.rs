//! The operations of the Engine API as one readable table.

use super::ApiVersion;

/// The methods that Docker's router knows. Case-sensitive, as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the HTTP method of that name")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
}

impl Method {
    /// `GET` and so on, exactly.
    pub fn parse(_text: &str) -> Option<Self> {
        todo!()
    }
    /// As written on the wire.
    pub fn as_str(self) -> &'static str {
        todo!()
    }
}

/// What an operation does to Docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing changes.
    Read,
    /// Something changes.
    Change,
}

/// How bytes flow for an operation, beyond one request and one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// A request and its answer.
    Plain,
    /// The answer may last (logs, events, wait, export).
    Down,
    /// The request body is a stream (load, archive).
    Up,
    /// Both (build).
    Both,
    /// Becomes a tunnel of raw bytes after the engine agrees; the token is what `Upgrade` says.
    Tunnel(&'static str),
}

/// What an operation reads from its request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Nothing.
    None,
    /// One JSON document.
    Json,
    /// Bytes that are passed on as they come (tar archives).
    Stream,
}

/// What handing out an operation without conditions amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Nothing secret, nothing changes.
    SafeRead,
    /// Shows what may be secret.
    LeaksSecrets,
    /// Changes or destroys.
    ChangesState,
    /// Root on the host.
    HostRoot,
}

/// One operation of the Engine API, by Docker's own operation id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are Docker's own")]
pub enum Operation {
    ContainerList,
}

impl Operation {
    /// All operations, in the order of the table.
    pub const ALL: &'static [Self] = &[Self::ContainerList];

    /// Docker's operation id: `ContainerList`.
    pub fn name(self) -> &'static str {
        todo!()
    }
    /// Its method.
    pub fn method(self) -> Method {
        todo!()
    }
    /// Its path with placeholders: `/containers/{id}/json`.
    pub fn path(self) -> &'static str {
        todo!()
    }
    /// The API version that brought it.
    pub fn since(self) -> ApiVersion {
        todo!()
    }
    /// Whether it changes something.
    pub fn effect(self) -> Effect {
        todo!()
    }
    /// How its bytes flow.
    pub fn stream(self) -> Stream {
        todo!()
    }
    /// What its request body is.
    pub fn body(self) -> BodyKind {
        todo!()
    }
    /// What a plain grant amounts to, and why, in plain words.
    pub fn risk(self) -> (Risk, &'static str) {
        todo!()
    }
    /// True when the operation becomes a tunnel.
    pub fn opens_tunnel(self) -> bool {
        matches!(self.stream(), Stream::Tunnel(_))
    }
}
