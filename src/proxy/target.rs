//! Which object a call is about, and which container a connect's body names: recalled, or asked from
//! the engine, when a decision hangs on it. It may hang on what a rule says of it, or on whether it is the gate's own container.

use std::borrow::Cow;

use bytes::Bytes;

use super::connection::Connection;
use super::made::Making;
use super::refuse::Refusal;
use crate::audit::Target;
use crate::docker::call::LONGEST_TARGET;
use crate::docker::operation::{ObjectKind, is_name};
use crate::docker::payload::{Payload, connecting};
use crate::docker::{Call, Operation};
use crate::engine::id;
use crate::engine::object::{self, Finding};
use crate::facts::{Findings, Found, Object, Origin};
use crate::policy::{Instead, MOST_OWN, Permit, Reason, Verdict};
use crate::wire::head::RequestHead;

impl Connection {
    /// Whether a call is about an object of which something may have to be found out.
    pub(super) fn may_ask(&self, call: &Call<'_>) -> bool {
        let in_container = self.serving.shared.engine.own_container().is_some();
        call.operation().is_some_and(|operation| {
            let policy = &self.serving.policy;
            operation.is_on_exec()
                || policy.asks_target(operation)
                || policy.asks_made(operation).is_some()
                || (in_container && operation.acts_on_container())
        })
    }

    /// Whether a call's body names a container of which something may have to be found out.
    pub(super) fn may_ask_connected(&self, call: &Call<'_>) -> bool {
        let (policy, engine) = (&self.serving.policy, &self.serving.shared.engine);
        call.operation().is_some_and(|operation| {
            policy.asks_connected(operation)
                || (engine.own_container().is_some() && operation.names_container_in_body())
        })
    }

    /// Whether the call does more than look at what may be the gate's own container.
    fn may_be_gate(&self, call: &Call<'_>, exec: Origin) -> bool {
        let container = self.serving.shared.engine.own_container();
        let Some((container, text)) = container.zip(call.acts_on()) else {
            return false;
        };
        if call.operation().is_some_and(Operation::is_on_exec) {
            // One that was created here was judged by its container then.
            return exec == Origin::Elsewhere;
        }
        container.may_be(&text)
    }

    /// What has to be found out about the object of a call before it can be judged.
    pub(super) async fn find(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
    ) -> Result<Findings, Refusal> {
        let mut findings = Findings::default();
        let asks_made = |operation| self.serving.policy.asks_made(operation);
        if let Some(making) = call
            .operation()
            .and_then(asks_made)
            .and_then(Making::of_kind)
        {
            // One more than are of use, so that too many are noticed.
            findings.made = Some(self.serving.house.some(making, MOST_OWN + 1));
        }
        let Some((operation, kind, name)) = object_of(call) else {
            return Ok(findings);
        };
        if operation.is_on_exec() {
            findings.exec = self.serving.house.origin(Making::Exec, &name);
        }
        findings.may_be_gate = self.may_be_gate(call, findings.exec);
        if !self.serving.policy.asks_target(operation) && !findings.may_be_gate {
            return Ok(findings);
        }
        let decision = self.before_policy(call, None, &findings).decide();
        if decision.verdict != Verdict::Deny(Reason::TargetUnasked) {
            return Ok(findings);
        }
        // The container of an exec that was created here is known: one question less.
        let house = &self.serving.house;
        let container = operation.is_on_exec().then(|| house.container_of(&name));
        let container = container.flatten().map(|id| id::write(&id));
        let (kind, name) = match &container {
            Some(container) => (ObjectKind::Container, &**container),
            None => (kind, &*name),
        };
        if let Some(object) = self.recall(kind, name) {
            findings.target = Found::Remembered(object);
            let decision = self.before_policy(call, None, &findings).decide();
            if decision.verdict != Verdict::Deny(Reason::TargetUnasked) {
                return Ok(findings);
            }
        }
        let (found, words) = self.look_up(kind, name).await;
        findings.target = found;
        self.unless_absent(call, head, None, &findings, words)?;
        Ok(findings)
    }

    /// Finds out which container the body of a connect names, if the decision hangs on it, and puts
    /// its full id in the place of the name.
    pub(super) async fn find_connected(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
        body: &mut Vec<u8>,
        findings: &mut Findings,
    ) -> Result<(), Refusal> {
        let judge = self.before_policy(call, Some(body), findings);
        let named = judge.payload().body();
        let named = named.and_then(|body| body.profile.container.as_deref());
        let written = named.unwrap_or_default().to_owned();
        let container = self.serving.shared.engine.own_container();
        findings.may_be_gate = container.is_some_and(|container| container.may_be(&written));
        let judge = self.before_policy(call, Some(body), findings);
        if judge.decide().verdict != Verdict::Deny(Reason::ConnectUnasked) {
            return Ok(());
        }
        // With a slash before it, it is a name and never an id (moby `daemon/container.go`,
        // `GetContainer`); the paths of the engine's API have no place for the slash.
        let (name, by_name) = match written.strip_prefix('/') {
            Some(name) => (name.to_owned(), true),
            None => (written, false),
        };
        findings.connected = Found::Unclear;
        if !is_name(&name) || name.len() > LONGEST_TARGET {
            return Ok(());
        }
        let (found, words) = self.look_up(ObjectKind::Container, &name).await;
        let policy = &self.serving.policy;
        match &found {
            Found::Object(object) if by_name && object.names.iter().all(|own| **own != *name) => {
                return Ok(());
            }
            // The refusal names it as the client did.
            Found::Object(object) if !policy.is_shown(ObjectKind::Container, object) => {}
            Found::Object(object) => match connecting(body, &object.id) {
                Some(settled) => *body = settled,
                None => return Ok(()),
            },
            Found::Unasked | Found::Absent | Found::Unclear | Found::Remembered(_) => {}
        }
        findings.connected = found;
        self.unless_absent(call, head, Some(body), findings, words)
    }

    /// Asks the engine for an object; the engine's own words if it has none.
    async fn look_up(&self, kind: ObjectKind, name: &str) -> (Found, Option<Bytes>) {
        // SECURITY: a name from a query or a body may hold anything, and it becomes a part of our question's
        // path.
        if kind == ObjectKind::Container && !is_name(name) {
            return (Found::Unclear, None);
        }
        let shared = &self.serving.shared;
        let asked = shared.cache.moment();
        // A task of its own size: most connections never ask.
        match Box::pin(object::find(&shared.docker, kind, name)).await {
            Finding::Object(mut object) => {
                let kept_as = if is_container(kind) {
                    ObjectKind::Container
                } else {
                    kind
                };
                shared.cache.keep(kept_as, &object, asked);
                object.is_gate = is_container(kind) && self.is_gate(&object);
                object.own = self.origin(kind, &object);
                (Found::Object(object), None)
            }
            Finding::Absent(words) => {
                if let Some(making) = Making::of_kind(kind) {
                    self.serving.house.forget(making, [name]);
                }
                (Found::Absent, Some(words))
            }
            Finding::Unclear => (Found::Unclear, None),
        }
    }

    /// What the engine once said of an object that is named by its full id. The gate's own container
    /// is always asked about.
    fn recall(&self, kind: ObjectKind, name: &str) -> Option<Box<Object>> {
        let shared = &self.serving.shared;
        let mut object = shared.cache.get(kind, name)?;
        object.own = self.origin(kind, &object);
        let gate = shared.engine.own_container();
        (!gate.is_some_and(|gate| gate.is(&object))).then_some(object)
    }

    /// Whether an object was created through this socket.
    fn origin(&self, kind: ObjectKind, object: &Object) -> Origin {
        let Some(making) = Making::of_kind(kind) else {
            return Origin::Elsewhere;
        };
        let origin = self.serving.house.origin(making, &object.id);
        // SECURITY: a volume has nothing but its name. While nobody hears of its end, it may be another.
        let told = making != Making::Volume || self.serving.shared.cache.is_live();
        if origin == Origin::Here && !told {
            return Origin::Unclear;
        }
        origin
    }

    /// What the call makes that is to be remembered.
    pub(super) fn making(&self, permit: &Permit<'_>) -> Option<Making> {
        let policy = &self.serving.policy;
        let making = permit.call().operation().and_then(Making::of)?;
        let remembered = match making {
            Making::Exec => true,
            Making::Container | Making::Network => policy.keeps_own(),
            Making::Volume => policy.keeps_volumes(),
        };
        remembered.then_some(making)
    }

    /// The same of a volume: Docker says 201 of one that was there before, too. One whose name the engine
    /// chooses is new; any other is if the engine knows none of that name.
    pub(super) async fn making_volume(&self, permit: &Permit<'_>) -> Option<Making> {
        let payload = Payload::read(Operation::VolumeCreate, permit.body()?);
        let name = payload.body()?.profile.name.as_deref().unwrap_or_default();
        let docker = &self.serving.shared.docker;
        let is_new = name.is_empty()
            || (is_name(name)
                && name.len() <= LONGEST_TARGET
                && matches!(
                    object::find(docker, ObjectKind::Volume, name).await,
                    Finding::Absent(_)
                ));
        is_new.then_some(Making::Volume)
    }

    /// Docker's own answer, where all hangs on an object that it has not.
    fn unless_absent(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
        body: Option<&[u8]>,
        findings: &Findings,
        words: Option<Bytes>,
    ) -> Result<(), Refusal> {
        let Some(words) = words else {
            return Ok(());
        };
        // Under `[visible]` it is answered where what is not shown is answered.
        let policy = &self.serving.policy;
        if object_of(call).is_some_and(|(_, kind, _)| policy.hides(kind)) {
            return Ok(());
        }
        let decision = self.before_policy(call, body, findings).decide();
        if decision.verdict == Verdict::Deny(Reason::TargetAbsent) {
            return Err(self.no_such_object(call, head, body, &words));
        }
        Ok(())
    }
}

impl Connection {
    /// Whether a container that the engine described is the gate's own.
    fn is_gate(&self, object: &Object) -> bool {
        let engine = &self.serving.shared.engine;
        engine.own_container().is_some_and(|container| {
            if !container.note(object) {
                engine.doubt();
            }
            container.is(object)
        })
    }
}

impl Found {
    /// What an audit record says of it.
    pub(super) fn named(&self) -> Option<Target> {
        let (Self::Object(object) | Self::Remembered(object)) = self else {
            return None;
        };
        let name = object.names.first().cloned();
        Some(Target {
            id: object.id.to_string(),
            name: name.unwrap_or_default().into(),
        })
    }
}

/// What a call is about, and the name that the client gave it.
fn object_of<'c>(call: &'c Call<'_>) -> Option<(Operation, ObjectKind, Cow<'c, str>)> {
    let operation = call.operation()?;
    if operation.names_container_in_query() {
        return Some((operation, ObjectKind::Container, call.acts_on()?));
    }
    let name = Cow::Borrowed(call.subject()?);
    Some((operation, operation.object()?, name))
}

/// Whether an object of this kind is judged as a container.
fn is_container(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Container | ObjectKind::Exec)
}

/// The call as it goes to the engine: about the very object that was judged, and no more objects than
/// the policy shows.
///
/// What is remembered was named by its full id already. An image is pushed by its name, and removing a
/// name is not removing the image; a volume and an exec have nothing but what the client wrote.
pub(super) fn settled<'h>(call: Call<'h>, findings: &Findings, instead: Instead) -> Call<'h> {
    let call = match instead {
        Some((key, value)) => call.with_query(key, &value),
        None => call,
    };
    let Found::Object(object) = &findings.target else {
        return call;
    };
    let by_name = matches!(
        call.operation(),
        Some(Operation::ImagePush | Operation::ImageDelete)
    );
    match object_of(&call).map(|(_, kind, _)| kind) {
        None | Some(ObjectKind::Exec | ObjectKind::Volume) => call,
        Some(_) if by_name => call,
        Some(_) => call.about(&object.id),
    }
}
