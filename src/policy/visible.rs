//! `[visible]`: what a socket's clients see of containers, networks, volumes and services.
//!
//! Docker itself leaves out the rest: lists, events and prunes go on with the client's filters and these
//! joined. A call that names an object which is not shown is answered as if there were none.
//!
//! * INVARIANT: it takes away only; no call is allowed that the rules refuse.
//! * INVARIANT: a list goes on with every filter of the policy's, or it does not go on.
//! * INVARIANT: "not shown" and "not there" are one answer.
//!
//! Checked in moby's source at 20.10, 26.1 and 28.5: all values of `label` must hold, each as exact text
//! (`api/types/filters/parse.go`, `MatchKVList`; used by `daemon/list.go`, `daemon/network/filter.go`,
//! `volume/service/by.go`, `daemon/events/filter.go` and `daemon/prune.go`). Swarm's services alone keep one
//! value for a key (`daemon/cluster/services.go`, `GetServices`). Any value of `id` will do, as a regular
//! expression (`Args.Match`), for containers also as the beginning of an id (`daemon/list.go`).

use std::borrow::Cow;

use crate::docker::operation::{ObjectKind, is_name};
use crate::docker::payload::{BadBody, Payload, Why};
use crate::docker::{Call, Operation, Query};
use crate::facts::{Findings, Found, Object, Origin};

use super::decision::Reason;
use super::filters::Filters;

/// The most objects that a list is narrowed to by their ids: about 16 KiB of query, and for networks as
/// many regular expressions for each network that Docker has.
pub const MOST_OWN: usize = 200;

/// An id that no object has: Docker's are random.
const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What is shown; all of it must hold.
#[derive(Debug)]
pub(super) struct Visible {
    /// Labels, one for each key.
    pub(super) labels: Vec<Label>,
    /// Only what was created through the socket.
    pub(super) own: bool,
    /// As written, `label = "team=blue"`, on one line each.
    pub(super) texts: Vec<Box<str>>,
}

/// `key`, or `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) key: Box<str>,
    pub(super) value: Option<Box<str>>,
}

/// An operation whose filters are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    Containers,
    Networks,
    Volumes,
    Services,
    Events,
    ContainerPrune,
    NetworkPrune,
    VolumePrune,
}

/// A key of a call's query and its value on the wire, if that is not the client's.
pub type Instead = Option<(&'static str, String)>;

impl Visible {
    /// Whether a call is about what is shown, and how it goes on.
    pub(super) fn narrow(&self, call: &Call<'_>, findings: &Findings) -> Result<Instead, Reason> {
        let Some(operation) = call.operation() else {
            return Ok(None);
        };
        if let Some(listing) = Listing::of(operation) {
            let filters = self.join(listing, call.query(), findings)?;
            let text = filters.write().map_err(|_| Reason::FilterMalformed)?;
            return Ok(Some((FILTERS, text)));
        }
        let Some(kind) = kind(operation) else {
            return Ok(None);
        };
        if operation.names_container_in_query() {
            if call.query().count(CONTAINER) > 1 {
                return Err(Reason::QueryRepeated);
            }
            // SECURITY: it becomes part of a path of our own, and no path was read from it.
            if !is_name(&name(call)) {
                return Err(Reason::TargetUnclear);
            }
        }
        if self.is_blind_to(kind) {
            return Err(Reason::VisibleOwn);
        }
        match &findings.target {
            Found::Unasked => Err(Reason::TargetUnasked),
            Found::Absent => Err(Reason::TargetAbsent),
            Found::Unclear => Err(Reason::TargetUnclear),
            // What is remembered of an object cannot change while it lives, its labels among that.
            Found::Object(object) | Found::Remembered(object) if !self.shows(kind, object) => {
                Err(Reason::Hidden)
            }
            Found::Object(_) | Found::Remembered(_) => Ok(None),
        }
    }

    /// Whether the container that the body of a connect or disconnect names is shown.
    pub(super) fn connects(
        &self,
        operation: Operation,
        payload: &Payload<'_>,
        findings: &Findings,
    ) -> Result<(), Reason> {
        if !is_connect(operation) {
            return Ok(());
        }
        let body = match payload {
            Payload::Read(body) => body,
            Payload::Unread => return Err(Reason::BodyUnread),
            Payload::Bad(BadBody::Media) => return Err(Reason::ContentType),
            Payload::Bad(_) => return Err(Reason::MalformedBody),
            Payload::None | Payload::Opaque => return Err(Reason::BodyUndescribed),
        };
        // SECURITY: also in a body that a rule leaves unchecked, or another network's id would do.
        let other = |why: &Why| matches!(why, Why::Closed | Why::Spelling(_));
        if body.strays.iter().any(|stray| other(&stray.why)) {
            return Err(Reason::ClosedField);
        }
        match &findings.connected {
            Found::Unasked | Found::Remembered(_) => Err(Reason::ConnectUnasked),
            Found::Absent => Err(Reason::TargetAbsent),
            Found::Object(object) if !self.shows(ObjectKind::Container, object) => {
                Err(Reason::Hidden)
            }
            // One that is merely stated has no id.
            Found::Object(object) if object.id.is_empty() => Ok(()),
            Found::Object(object) if body.profile.container.as_deref() == Some(&*object.id) => {
                Ok(())
            }
            // Nothing but its full id goes on.
            Found::Object(_) | Found::Unclear => Err(Reason::TargetUnclear),
        }
    }

    /// Whether the object that a call of this operation names must be known.
    pub(super) fn asks_target(&self, operation: Operation) -> bool {
        kind(operation).is_some_and(|kind| !self.is_blind_to(kind))
    }

    /// Whether what was made through the socket must be known, and of which kind.
    pub(super) fn asks_made(&self, operation: Operation) -> Option<ObjectKind> {
        let listing = Listing::of(operation).filter(|_| self.own)?;
        listing.has_ids()
    }

    /// Whether calls of an operation are refused whatever they ask for.
    pub(super) fn bars(&self, operation: Operation) -> bool {
        match Listing::of(operation) {
            Some(listing) => self.own && self.is_barred(listing),
            None => kind(operation).is_some_and(|kind| self.is_blind_to(kind)),
        }
    }

    /// Whether `own` cannot be told to Docker, and labels do not tell enough.
    fn is_barred(&self, listing: Listing) -> bool {
        // SECURITY: a prune takes labels only, and would delete what others made.
        listing.has_ids().is_none() && (listing.is_of_made() || self.labels.is_empty())
    }

    /// Whether an object is shown.
    pub(super) fn shows(&self, kind: ObjectKind, object: &Object) -> bool {
        let labelled = self.labels.iter().all(|label| label.is_on(object));
        labelled && (!self.own || object.own == Origin::Here || !is_remembered(kind))
    }

    /// Whether nothing that is given tells objects of this kind apart.
    fn is_blind_to(&self, kind: ObjectKind) -> bool {
        self.labels.is_empty() && !is_remembered(kind)
    }

    /// The client's filters and these.
    fn join(
        &self,
        listing: Listing,
        query: &Query<'_>,
        findings: &Findings,
    ) -> Result<Filters, Reason> {
        let mut written = query.all(FILTERS);
        let text = written.next().unwrap_or_default();
        if written.next().is_some() {
            return Err(Reason::QueryRepeated);
        }
        let mut filters = Filters::parse(&text).map_err(|_| Reason::FilterMalformed)?;
        // Such a filter tells whether there is a container of that name (moby daemon/list.go,
        // `idOrNameFilter`), shown or not.
        let mut neighbours = ["before", "since"].iter();
        if listing == Listing::Containers && neighbours.any(|key| !filters.values(key).is_empty()) {
            return Err(Reason::VisibleFilter);
        }
        if self.own {
            if self.is_barred(listing) {
                return Err(Reason::VisibleOwn);
            }
            if let Some(kind) = listing.has_ids() {
                filters.set("id", own_ids(kind, filters.values("id"), findings)?);
            }
        }
        if !self.labels.is_empty() {
            filters.set("label", self.join_labels(listing, filters.values("label"))?);
        }
        Ok(filters)
    }

    /// The labels that must hold, for the client and for us.
    fn join_labels(&self, listing: Listing, given: &[String]) -> Result<Vec<String>, Reason> {
        let mut ours: Vec<&Label> = self.labels.iter().collect();
        let mut joined = Vec::new();
        for text in given {
            let label = Label::read(text);
            let same = ours.iter().position(|ours| ours.key == label.key);
            match same.and_then(|at| ours.get(at).map(|ours| (at, *ours))) {
                // Ours says it already.
                Some((_, ours)) if label.value.is_none() || label.value == ours.value => continue,
                // It says more than ours.
                Some((at, Label { value: None, .. })) => {
                    ours.remove(at);
                }
                // Both cannot hold. Swarm would take one of them, and which one is chance.
                Some(_) if listing == Listing::Services => return Err(Reason::VisibleFilter),
                Some(_) | None => {}
            }
            joined.push(text.clone());
        }
        joined.extend(ours.into_iter().map(Label::text));
        Ok(joined)
    }
}

/// The query key that filters stand in.
const FILTERS: &str = "filters";

/// The query key by which a commit names its container.
const CONTAINER: &str = "container";

/// What kind of object a call names that can be hidden.
pub(super) fn kind(operation: Operation) -> Option<ObjectKind> {
    if operation.names_container_in_query() {
        return Some(ObjectKind::Container);
    }
    operation.object().filter(|kind| *kind != ObjectKind::Image)
}

/// Whether the body of an operation names a container beside the network of its path.
pub(super) fn is_connect(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::NetworkConnect | Operation::NetworkDisconnect
    )
}

/// What the client wrote for that object.
pub(super) fn name<'c>(call: &'c Call<'_>) -> Cow<'c, str> {
    match call.operation() {
        Some(operation) if operation.names_container_in_query() => {
            call.acts_on().unwrap_or_default()
        }
        _ => call.subject().unwrap_or_default().into(),
    }
}

/// What Docker says where it has no such object (moby `daemon/errors.go`, `libnetwork/error.go`,
/// `volume/service/errors.go`, `daemon/cluster/helpers.go`).
pub(super) fn no_such(kind: ObjectKind, name: &str) -> String {
    match kind {
        ObjectKind::Container => format!("No such container: {name}"),
        ObjectKind::Exec => format!("No such exec instance: {name}"),
        ObjectKind::Image => format!("No such image: {name}"),
        ObjectKind::Network => format!("network {name} not found"),
        ObjectKind::Volume => format!("get {name}: no such volume"),
        ObjectKind::Service => format!("service {name} not found"),
    }
}

/// Whether it is remembered which objects of a kind were created through a socket, and Docker has a filter
/// for them. (It has none for volumes, which are remembered too.)
fn is_remembered(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Container | ObjectKind::Exec | ObjectKind::Network
    )
}

/// The ids that are both ours and what the client asked for.
fn own_ids(kind: ObjectKind, given: &[String], findings: &Findings) -> Result<Vec<String>, Reason> {
    let made = findings.made.as_ref().ok_or(Reason::TargetUnasked)?;
    if made.len() > MOST_OWN {
        return Err(Reason::VisibleMany);
    }
    let is_hex = |text: &String| {
        let mut bytes = text.bytes();
        !text.is_empty() && bytes.all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    // Docker takes it for an expression, and what that matches is not for us to guess.
    if !given.iter().all(is_hex) {
        return Err(Reason::VisibleFilter);
    }
    let asked = |id: &str| {
        let fits = |text: &String| match kind {
            ObjectKind::Container => id.starts_with(text.as_str()),
            ObjectKind::Network
            | ObjectKind::Exec
            | ObjectKind::Image
            | ObjectKind::Volume
            | ObjectKind::Service => id.contains(text.as_str()),
        };
        given.is_empty() || given.iter().any(fits)
    };
    let ids = made.iter().filter(|id| asked(id));
    let mut ids: Vec<String> = ids.map(ToString::to_string).collect();
    if ids.is_empty() {
        ids.push(NOBODY.to_owned());
    }
    Ok(ids)
}

impl Listing {
    fn of(operation: Operation) -> Option<Self> {
        let all = [
            (Operation::ContainerList, Self::Containers),
            (Operation::NetworkList, Self::Networks),
            (Operation::VolumeList, Self::Volumes),
            (Operation::ServiceList, Self::Services),
            (Operation::SystemEvents, Self::Events),
            (Operation::ContainerPrune, Self::ContainerPrune),
            (Operation::NetworkPrune, Self::NetworkPrune),
            (Operation::VolumePrune, Self::VolumePrune),
        ];
        let mut all = all.into_iter();
        all.find_map(|(of, listing)| (of == operation).then_some(listing))
    }

    /// Of which kind it is, if Docker takes a filter by id for it and what was created is remembered.
    fn has_ids(self) -> Option<ObjectKind> {
        match self {
            Self::Containers => Some(ObjectKind::Container),
            Self::Networks => Some(ObjectKind::Network),
            Self::Volumes
            | Self::Services
            | Self::Events
            | Self::ContainerPrune
            | Self::NetworkPrune
            | Self::VolumePrune => None,
        }
    }

    /// Whether it is about objects of which it is remembered who created them.
    fn is_of_made(self) -> bool {
        matches!(
            self,
            Self::Containers | Self::Networks | Self::ContainerPrune | Self::NetworkPrune
        )
    }
}

/// Whether what an operation shows or deletes is narrowed.
pub(super) fn narrows(operation: Operation) -> bool {
    Listing::of(operation).is_some() || kind(operation).is_some()
}

impl Label {
    /// As Docker reads one: all after the first `=` is the value.
    pub(super) fn read(text: &str) -> Self {
        match text.split_once('=') {
            Some((key, value)) => Self {
                key: key.into(),
                value: Some(value.into()),
            },
            None => Self {
                key: text.into(),
                value: None,
            },
        }
    }

    fn is_on(&self, object: &Object) -> bool {
        let meets = |value: &str| self.value.as_deref().is_none_or(|wanted| wanted == value);
        let mut labels = object.labels.iter();
        labels.any(|(key, value)| *key == self.key && meets(value))
    }

    fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.key),
            None => self.key.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
