//! The operations of the Engine API.
//!
//! [`Operation`] is a closed list: what dockerd routes, each with what a policy must know about it
//! before it can hand it out. The facts stand in one table, `operation/table.rs`; this file says what
//! the columns mean. Routing a request to its operation is `call`'s work and uses [`Template`].
//!
//! Two routes of dockerd are left out because no accepted path reaches them: `/networks/` and
//! `/debug/pprof/` end in a slash, which is refused (see `path`).

mod query_key;
mod table;
mod template;

pub use query_key::{Blank, Power, QueryKey, QueryKind};
pub use table::Operation;
pub(super) use template::{Fit, Names, Place, Unfit};
pub use template::{Segment, Template, is_name};

use super::ApiVersion;

/// The methods that Docker's router knows. Case-sensitive, as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the HTTP method of that name")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
}

/// What kind of object a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is what Docker calls by that name")]
pub enum ObjectKind {
    Container,
    Exec,
    Image,
    Network,
    Volume,
    Service,
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

/// One row of the table.
struct Row {
    name: &'static str,
    method: Method,
    template: Template,
    since: ApiVersion,
    removed: Option<ApiVersion>,
    effect: Effect,
    stream: Stream,
    body: BodyKind,
    risk: Risk,
    reason: &'static str,
    query: &'static [QueryKey],
}

// === impl Operation ===

impl Operation {
    /// The operation of that name, spelled as Docker spells it.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|operation| operation.name() == name)
    }

    /// Docker's operation id: `ContainerList`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Its method.
    pub fn method(self) -> Method {
        self.row().method
    }

    /// Its path with placeholders: `/containers/{id}/json`.
    pub fn path(self) -> &'static str {
        self.row().template.path()
    }

    /// Its path, taken apart.
    pub fn template(self) -> &'static Template {
        &self.row().template
    }

    /// The API version that brought it.
    pub fn since(self) -> ApiVersion {
        self.row().since
    }

    /// The API version that no longer has it. Such an operation is listed so that it can be named.
    pub fn removed(self) -> Option<ApiVersion> {
        self.row().removed
    }

    /// Whether it changes something.
    pub fn effect(self) -> Effect {
        self.row().effect
    }

    /// What its first placeholder names, if that is an object of the engine.
    pub fn object(self) -> Option<ObjectKind> {
        const HEADS: [(&str, ObjectKind); 6] = [
            ("/containers/{", ObjectKind::Container),
            ("/exec/{", ObjectKind::Exec),
            ("/images/{", ObjectKind::Image),
            ("/networks/{", ObjectKind::Network),
            ("/volumes/{", ObjectKind::Volume),
            ("/services/{", ObjectKind::Service),
        ];
        let mut heads = HEADS.iter();
        heads
            .find(|(head, _)| self.path().starts_with(head))
            .map(|(_, kind)| *kind)
    }

    /// Whether it names a container, or an exec of one, and does more than look at it. To look is to inspect
    /// it, to read its log, its figures, its processes or the names of its changed files. What waits for it,
    /// reads its files or opens a tunnel into it does more.
    pub fn acts_on_container(self) -> bool {
        let looks = matches!(
            self,
            Self::ContainerInspect
                | Self::ContainerLogs
                | Self::ContainerStats
                | Self::ContainerTop
                | Self::ContainerChanges
                | Self::ExecInspect
        );
        let named = matches!(
            self.object(),
            Some(ObjectKind::Container | ObjectKind::Exec)
        );
        (named && !looks) || self.names_container_in_query()
    }

    /// Whether it names its container by the query key `container` (moby
    /// `daemon/server/router/container/container_routes.go`, `postCommit`).
    pub fn names_container_in_query(self) -> bool {
        self == Self::ImageCommit
    }

    /// Whether its body names a container that it connects to a network, or disconnects from one.
    pub fn names_container_in_body(self) -> bool {
        matches!(self, Self::NetworkConnect | Self::NetworkDisconnect)
    }

    /// Whether its path names an exec.
    pub fn is_on_exec(self) -> bool {
        matches!(self, Self::ExecStart | Self::ExecResize | Self::ExecInspect)
    }

    /// How its bytes flow.
    pub fn stream(self) -> Stream {
        self.row().stream
    }

    /// What its request body is.
    pub fn body(self) -> BodyKind {
        self.row().body
    }

    /// What a plain grant amounts to, and why, in plain words.
    pub fn risk(self) -> (Risk, &'static str) {
        (self.row().risk, self.row().reason)
    }

    /// The query keys that Docker's code reads for it.
    pub fn query(self) -> &'static [QueryKey] {
        self.row().query
    }

    /// One of them, by its exact name: Docker's query keys are case-sensitive.
    pub fn query_key(self, name: &str) -> Option<&'static QueryKey> {
        self.query().iter().find(|key| key.name() == name)
    }

    /// True when the operation becomes a tunnel.
    pub fn opens_tunnel(self) -> bool {
        matches!(self.stream(), Stream::Tunnel(_))
    }
}

// === impl Method ===

impl Method {
    /// `GET` and so on, exactly.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => return None,
        })
    }

    /// As written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

// === impl Stream ===

impl Stream {
    const TCP: Self = Self::Tunnel("tcp");
    const WEBSOCKET: Self = Self::Tunnel("websocket");
    const H2C: Self = Self::Tunnel("h2c");
}

#[cfg(test)]
mod tests;
