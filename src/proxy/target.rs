//! Which object a call is about, asked from the engine when a decision hangs on it.

use super::connection::Connection;
use super::made::Making;
use super::refuse::Refusal;
use crate::audit::Target;
use crate::docker::operation::ObjectKind;
use crate::docker::{Call, Operation};
use crate::engine::object::{self, Finding};
use crate::facts::{Findings, Found, Origin};
use crate::policy::{Reason, Verdict};
use crate::wire::head::RequestHead;

impl Connection {
    /// Whether a call is about an object of which something may have to be found out.
    pub(super) fn may_ask(&self, call: &Call<'_>) -> bool {
        call.operation().is_some_and(|operation| {
            operation.is_on_exec() || self.serving.policy.asks_target(operation)
        })
    }

    /// What has to be found out about the object of a call before it can be judged.
    pub(super) async fn find(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
    ) -> Result<Findings, Refusal> {
        let mut findings = Findings::default();
        let Some((operation, name)) = call.operation().zip(call.subject()) else {
            return Ok(findings);
        };
        if operation.is_on_exec() {
            findings.exec = self.serving.house.origin(Making::Exec, name);
        }
        let Some(kind) = operation.object() else {
            return Ok(findings);
        };
        if !self.serving.policy.asks_target(operation) {
            return Ok(findings);
        }
        let decision = self.before_policy(call, None, &findings).decide();
        if decision.verdict != Verdict::Deny(Reason::TargetUnasked) {
            return Ok(findings);
        }
        // A task of its own size: most connections never ask.
        let shared = &self.serving.shared;
        findings.target = match Box::pin(object::find(&shared.docker, kind, name)).await {
            Finding::Object(mut object) => {
                object.is_gate = shared.container.as_deref() == Some(&*object.id);
                object.own = made_as(kind).is_some_and(|making| {
                    self.serving.house.origin(making, &object.id) == Origin::Here
                });
                Found::Object(object)
            }
            Finding::Absent(answer) => {
                findings.target = Found::Absent;
                let decision = self.before_policy(call, None, &findings).decide();
                if decision.verdict == Verdict::Deny(Reason::TargetAbsent) {
                    return Err(self.no_such_object(call, head, &answer));
                }
                Found::Absent
            }
            Finding::Unclear => Found::Unclear,
        };
        Ok(findings)
    }
}

impl Found {
    /// What an audit record says of it.
    pub(super) fn named(&self) -> Option<Box<Target>> {
        let Self::Object(object) = self else {
            return None;
        };
        let name = object.names.first().cloned();
        Some(Box::new(Target {
            id: object.id.clone(),
            name: name.unwrap_or_default(),
        }))
    }
}

/// As what an object was made, if that is remembered.
fn made_as(kind: ObjectKind) -> Option<Making> {
    match kind {
        ObjectKind::Container | ObjectKind::Exec => Some(Making::Container),
        ObjectKind::Network => Some(Making::Network),
        ObjectKind::Image | ObjectKind::Volume | ObjectKind::Service => None,
    }
}

/// The call as it goes to the engine: about the very object that was judged.
///
/// An image is pushed by its name, and removing a name is not removing the image; a volume and an exec
/// have nothing but what the client wrote.
pub(super) fn settled<'h>(call: Call<'h>, findings: &Findings) -> Call<'h> {
    let Found::Object(object) = &findings.target else {
        return call;
    };
    let by_name = matches!(
        call.operation(),
        Some(Operation::ImagePush | Operation::ImageDelete)
    );
    match call.operation().and_then(Operation::object) {
        None | Some(ObjectKind::Exec | ObjectKind::Volume) => call,
        Some(_) if by_name => call,
        Some(_) => call.about(&object.id),
    }
}
