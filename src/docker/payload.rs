//! What the body of a request asks Docker for.
//!
//! Docker's bodies have some three hundred fields, many of which are ways to become root on the host.
//! Here each of them is one row of a table: harmless, one of the [`Power`]s, closed, or ignored by
//! Docker. A [`Body`] is what came out: every [`Use`] of a power with the field that caused it, what is
//! made ([`Profile`]), and every field that is in no table ([`Stray`]). Whether any of that is allowed
//! is not decided here.
//!
//! * INVARIANT: what is in no table and not `null` is a stray; nothing is skipped in silence.
//! * INVARIANT: an absent field is noted as the value Docker takes, where there is one, so that a
//!   policy judges what happens and not what is written.
//! * INVARIANT: no value that may be a secret is part of what is shown (`Use::shape`).

#![expect(
    clippy::unnecessary_wraps,
    reason = "every reader of a field has the one type that the tables hold"
)]

mod container;
mod exec;
mod host_config;
mod listing;
mod mount;
mod networking;
mod power;
mod profile;
mod service;
mod table;
mod volume;
mod walk;

use std::borrow::Cow;
use std::fmt;

use super::Operation;
use super::json::{self, BadJson, Object};

pub use listing::{Field, fields};
pub use mount::{Mount, Source};
pub use networking::connecting;
pub use power::Power;
pub use profile::Profile;

use table::Table;
use walk::Reading;

/// The body of a request, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'b> {
    /// The operation reads no body.
    None,
    /// Nobody has read the body yet.
    Unread,
    /// Read and understood.
    Read(Box<Body<'b>>),
    /// The operation reads a body that no table describes.
    Opaque,
    /// It cannot be judged.
    Bad(BadBody),
}

/// A body that was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body<'b> {
    /// Every use of a power, in the order of the body; Docker's defaults follow their object.
    pub uses: Vec<Use<'b>>,
    /// What is in no table, or must be empty and is not.
    pub strays: Vec<Stray>,
    /// What is made.
    pub profile: Profile<'b>,
}

/// One use of a power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use<'b> {
    /// Which power.
    pub power: Power,
    /// The field: `HostConfig.Binds[0]`. Holds text of the request: escape before showing.
    pub place: Cow<'static, str>,
    /// What is asked for.
    pub what: What<'b>,
    /// It is Docker's own default, or harmless: a policy that says nothing of the power allows it.
    pub rests: bool,
    /// Nothing is written; this is what Docker takes.
    pub absent: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<'b> {
    /// The power as such.
    Flag,
    /// A text: `host`, `NET_ADMIN`, `nofile=1024:2048`.
    Text(Cow<'b, str>),
    /// A mount.
    Mount(Mount<'b>),
    /// A port of the host.
    Port(Port<'b>),
    /// A device of the host.
    Device(Device<'b>),
}

/// A port of the host, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port<'b> {
    /// The address; empty: all of them.
    pub address: Cow<'b, str>,
    /// The first port; 0: any that is free.
    pub first: u16,
    /// The last.
    pub last: u16,
    /// `tcp`, `udp`, `sctp`; empty: whatever the image exposes.
    pub protocol: Box<str>,
}

/// A device of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device<'b> {
    /// Its path.
    pub path: Cow<'b, str>,
    /// Some of `r`, `w`, `m`; empty: all.
    pub permissions: Cow<'b, str>,
}

/// A field that stands in no table, or must be empty and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The field, with `*` for keys and `[]` for indices: `HostConfig.Mounts[].New`. Holds text of the
    /// request: escape before showing.
    pub place: String,
    /// Why it is none of the others.
    pub why: Why,
}

/// Why a field is a stray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No table has it.
    Unknown,
    /// It must be empty.
    Closed,
    /// It is another spelling of this field, which Docker would read and we do not.
    Spelling(&'static str),
    /// It belongs into `HostConfig`; engines up to 26 apply it here as well.
    TopLevel,
}

/// Why a body cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadBody {
    /// It is not called `application/json`, so that Docker would not read it.
    Media,
    /// It has no single reading.
    Json(BadJson),
    /// It is not an object.
    NoObject,
    /// A field is of another kind than Docker reads.
    Kind {
        /// The field.
        place: Box<str>,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value that Docker would refuse, or that could be read in two ways.
    Value {
        /// The field.
        place: Box<str>,
        /// What is wrong.
        why: &'static str,
    },
}

impl<'b> Payload<'b> {
    /// Reads the body of an operation. An operation that reads none ignores what it is given, an
    /// operation without a table leaves it opaque.
    ///
    /// ```
    /// # use quaygate::docker::{Operation, payload::{Payload, Power}};
    /// let body = br#"{"Image": "alpine", "HostConfig": {"Privileged": true}}"#;
    /// let Ok(Payload::Read(body)) = Payload::parse(Operation::ContainerCreate, body) else {
    ///     panic!("a create body is described");
    /// };
    /// let power = body.uses.iter().find(|one| !one.rests).unwrap();
    /// assert_eq!(power.power, Power::Privileged);
    /// assert_eq!(power.place, "HostConfig.Privileged");
    /// ```
    pub fn parse(operation: Operation, body: &'b [u8]) -> Result<Self, BadBody> {
        let Some(table) = table(operation) else {
            return Ok(match operation.body() {
                super::operation::BodyKind::Json => Self::Opaque,
                super::operation::BodyKind::None | super::operation::BodyKind::Stream => Self::None,
            });
        };
        // An exec may be started without a body; moby decodes only what has a length.
        let empty = Object::default();
        let value;
        let object = if operation == Operation::ExecStart && body.is_empty() {
            &empty
        } else {
            value = json::parse(body).map_err(BadBody::Json)?;
            value.object().ok_or(BadBody::NoObject)?
        };
        let create = operation == Operation::ContainerCreate;
        let mut reading = Reading::new(create.then_some(&host_config::HOST_CONFIG));
        reading.object(table, object)?;
        let mut body = reading.finish()?;
        settle(operation, &mut body);
        Ok(Self::Read(Box::new(body)))
    }

    /// What is known of a body before anybody has read it.
    pub fn to_come(operation: Option<Operation>) -> Self {
        match operation {
            Some(operation) if table(operation).is_some() => Self::Unread,
            Some(operation) if operation.body() == super::operation::BodyKind::Json => Self::Opaque,
            _ => Self::None,
        }
    }

    /// As `parse`, with what cannot be judged as one more thing that a body can be.
    pub fn read(operation: Operation, body: &'b [u8]) -> Self {
        Self::parse(operation, body).unwrap_or_else(Self::Bad)
    }

    /// The body, if it was read.
    pub fn body(&self) -> Option<&Body<'b>> {
        match self {
            Self::Read(body) => Some(body),
            Self::None | Self::Unread | Self::Opaque | Self::Bad(_) => None,
        }
    }
}

/// Whether the body of an operation is described by a table.
pub fn is_described(operation: Operation) -> bool {
    table(operation).is_some()
}

fn table(operation: Operation) -> Option<&'static Table> {
    let mut described = DESCRIBED.iter();
    let found = described.find(|(described, _)| *described == operation);
    found.map(|(_, table)| *table)
}

/// Operations whose bodies are described.
static DESCRIBED: [(Operation, &Table); 10] = [
    (Operation::ContainerCreate, &container::CREATE),
    (Operation::ContainerUpdate, &container::UPDATE),
    (Operation::ContainerExec, &exec::EXEC_CREATE),
    (Operation::ExecStart, &exec::EXEC_START),
    (Operation::NetworkCreate, &networking::NETWORK_CREATE),
    (Operation::NetworkConnect, &networking::CONNECT),
    (Operation::NetworkDisconnect, &networking::DISCONNECT),
    (Operation::VolumeCreate, &volume::VOLUME_CREATE),
    (Operation::ServiceCreate, &service::SERVICE),
    (Operation::ServiceUpdate, &service::SERVICE),
];

/// What can only be said when the whole body is known.
fn settle(operation: Operation, body: &mut Body<'_>) {
    profile::settle_command(body);
    if operation == Operation::ContainerCreate {
        networking::settle_none(body);
    }
    if matches!(
        operation,
        Operation::ServiceCreate | Operation::ServiceUpdate
    ) {
        service::settle_networks(body);
    }
}

// === impl Use ===

impl Use<'_> {
    /// What is asked for, without anything that may be a secret. Holds text of the request: escape
    /// before showing.
    pub fn shape(&self) -> String {
        match &self.what {
            What::Flag => self.power.meaning().to_owned(),
            What::Text(text) if self.power.hides_values() => {
                let key = text.split('=').next().unwrap_or_default();
                format!("{key}=…")
            }
            What::Text(text) => text.to_string(),
            What::Mount(mount) => mount.to_string(),
            What::Port(port) => port.to_string(),
            What::Device(device) => device.path.to_string(),
        }
    }
}

impl fmt::Display for Mount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Host(path) => f.write_str(path),
            Source::Volume(name) => write!(f, "volume:{name}"),
            Source::Tmpfs => f.write_str("tmpfs"),
            Source::Image(name) => write!(f, "image:{name}"),
            Source::Cluster(name) => write!(f, "cluster:{name}"),
            Source::Secret(name) => write!(f, "secret:{name}"),
            Source::Config(name) => write!(f, "config:{name}"),
        }?;
        let any = matches!(self.source, Source::Tmpfs) && !self.options.is_empty();
        if any {
            return f.write_str(":any");
        }
        if self.read_only && !matches!(self.source, Source::Tmpfs) {
            f.write_str(":ro")?;
        }
        if !self.options.is_empty() {
            write!(f, ":{}", self.options.join(","))?;
        }
        Ok(())
    }
}

impl fmt::Display for Port<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = if self.address.is_empty() {
            "*"
        } else {
            &self.address
        };
        write!(f, "{address}:{}", self.first)?;
        if self.last != self.first {
            write!(f, "-{}", self.last)?;
        }
        let protocol = if self.protocol.is_empty() {
            "tcp"
        } else {
            &self.protocol
        };
        write!(f, "/{protocol}")
    }
}

// === impl BadBody ===

impl fmt::Display for BadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Media => f.write_str("the body's `Content-Type` is not `application/json`"),
            Self::Json(bad) => write!(f, "{bad}"),
            Self::NoObject => f.write_str("the body is not a JSON object"),
            Self::Kind {
                place,
                expected,
                found,
            } => write!(f, "{place} must be {expected}, not {found}"),
            Self::Value { place, why } if place.is_empty() => {
                write!(f, "the body cannot be read: {why}")
            }
            Self::Value { place, why } => write!(f, "{place} cannot be read: {why}"),
        }
    }
}

impl std::error::Error for BadBody {}

#[cfg(test)]
mod tests;
