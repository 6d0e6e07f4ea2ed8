//! What must be known of a request to read its answer.

use super::body::Body;
use super::connection::Serving;
use super::made::Making;
use crate::docker::operation::Stream;
use crate::docker::payload::Payload;
use crate::docker::{Method, Operation};
use crate::engine::id::{self, Id};
use crate::policy::Permit;
use crate::wire::framing::ResponseBody;
use crate::wire::head::{RequestHead, ResponseHead};

/// What must be known of a request to read its answer.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, read by name"
)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// It was a HEAD: the answer has no body whatever its length says.
    pub(super) to_head: bool,
    /// The token we sent in `Upgrade`: a 101 must name it.
    pub(super) upgrade: Option<&'static str>,
    /// An attach or exec start: an unframed 200 is a tunnel (moby
    /// `daemon/server/router/container/container_routes.go`, `postContainersAttach`).
    may_hijack: bool,
    /// It creates something that is to be remembered: the answer names it.
    pub(super) making: Option<Making>,
    /// In which container it creates an exec, if the engine hears the full id.
    pub(super) container: Option<Id>,
    /// The client waits for a 100.
    pub(super) expects_continue: bool,
    /// Neither the client nor we mean to close after this answer.
    pub(super) keep_alive: bool,
    /// The client said that this is its last request.
    pub(super) is_last: bool,
}

impl Asked {
    /// What a permitted request asks for.
    pub(super) fn of(
        permit: &Permit<'_>,
        head: &RequestHead<'_>,
        body: Body,
        serving: &Serving,
        making: Option<Making>,
    ) -> Self {
        let call = permit.call();
        let tunnel = match call.operation().map(Operation::stream) {
            // SECURITY: an exec that is started in the background is answered as any other request, and
            // the connection carries the next one (moby api/server/router/container/exec.go,
            // `postContainerExecStart`).
            Some(Stream::Tunnel(_)) if detaches(permit) => None,
            Some(Stream::Tunnel(token)) => Some(token),
            _ => None,
        };
        Self {
            to_head: call.method() == Method::Head,
            upgrade: tunnel.filter(|_| head.upgrade().is_some()),
            may_hijack: tunnel.is_some()
                && matches!(
                    call.operation(),
                    Some(Operation::ContainerAttach | Operation::ExecStart)
                ),
            making,
            container: making
                .filter(|making| *making == Making::Exec)
                .and_then(|_| id::read(call.addressed()?)),
            expects_continue: matches!(body, Body::Passing(_)) && head.expects_continue(),
            keep_alive: head.keep_alive() && !serving.shared.draining(),
            is_last: !head.keep_alive(),
        }
    }

    /// Docker's hijack without `Upgrade`: 200, no length, not chunked, and one of its two stream types.
    pub(super) fn is_hijacked_by(&self, head: &ResponseHead<'_>) -> bool {
        self.may_hijack
            && head.status() == 200
            && matches!(head.body(), ResponseBody::UntilEof)
            && head.content_type().is_some_and(|media| {
                media.eq_ignore_ascii_case(b"application/vnd.docker.raw-stream")
                    || media.eq_ignore_ascii_case(b"application/vnd.docker.multiplexed-stream")
            })
    }
}

/// Whether an exec is started in the background, as far as its body was read.
fn detaches(permit: &Permit<'_>) -> bool {
    let Some((operation, body)) = permit.call().operation().zip(permit.body()) else {
        return false;
    };
    let payload = Payload::read(operation, body);
    payload.body().is_some_and(|body| body.profile.detaches)
}
