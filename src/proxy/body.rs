//! Which bodies go to Docker: some are judged first, some operations read none, and nobody may send a
//! form.

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::connection::Connection;
use super::limits::DROPPED_BODY;
use super::passage::CONTINUE;
use super::refuse::Refusal;
use crate::docker::media::Media;
use crate::docker::operation::BodyKind;
use crate::docker::{Call, Method, Operation};
use crate::facts::Findings;
use crate::policy::{Permit, Reason, Verdict};
use crate::wire::framing::{Meter, RequestBody, collect};
use crate::wire::head::RequestHead;

/// What is sent in the place of the client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The client's own bytes, as they come.
    Passing(RequestBody),
    /// The bytes that were judged, which the permit holds.
    Judged,
    /// Nothing: the client's body was read and dropped, or there was none.
    Dropped(RequestBody),
}

/// A body in memory, and the place that it takes there if it had to be waited for.
type Held = (Vec<u8>, Option<OwnedSemaphorePermit>);

/// A body that is read here, whole.
#[derive(Clone, Copy)]
enum Purpose {
    /// The decision hangs on it.
    Judge,
    /// The operation does not use it.
    Drop,
}

impl Connection {
    /// Reads the body of an operation that has one, if everything else about the call is allowed and
    /// the decision hangs on it.
    pub(super) async fn judged_body(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
        findings: &Findings,
    ) -> Result<(Option<Vec<u8>>, Option<OwnedSemaphorePermit>), Refusal> {
        let decision = self.before_policy(call, None, findings).decide();
        if decision.verdict != Verdict::Deny(Reason::BodyUnread) {
            return Ok((None, None));
        }
        if is_empty(head) {
            return Ok((Some(Vec::new()), None));
        }
        // SECURITY: moby takes any charset and ignores the encoding (api/server/httputils/
        // httputils.go, `CheckForJSON`); here a body is what it says, or it is nothing.
        if media(head) != Media::Json {
            let why = "the body of this request must be sent with Content-Type: application/json";
            return Err(self.bad_body(call, "content-type", why));
        }
        let encoded = |(name, _): (&[u8], &[u8])| name.eq_ignore_ascii_case(b"Content-Encoding");
        if head.headers().iter().any(encoded) {
            let why = "the body of this request must be sent without Content-Encoding";
            return Err(self.bad_body(call, "content-encoding", why));
        }
        // A task of its own size, like the other.
        let (body, place) = Box::pin(self.hold_body(call, head, Purpose::Judge)).await?;
        Ok((Some(body), place))
    }

    /// Decides what happens to the body of a permitted call.
    pub(super) async fn admit_body(
        &mut self,
        permit: &Permit<'_>,
        head: &RequestHead<'_>,
    ) -> Result<Body, Refusal> {
        let call = permit.call();
        if permit.body().is_some() {
            return Ok(Body::Judged);
        }
        if is_empty(head) {
            return Ok(Body::Dropped(head.body()));
        }
        // SECURITY: dockerd lets a form's values win over the query that was judged (moby
        // daemon/server/httputils/form.go on Go's Request.ParseForm).
        if media(head) == Media::Form {
            let why = "form bodies are refused: Docker would let them override the query";
            return Err(self.bad_body(call, "form-body", why));
        }
        let reads_body = call
            .operation()
            .is_none_or(|operation| operation.body() != BodyKind::None);
        if reads_body {
            return Ok(Body::Passing(head.body()));
        }
        if !matches!(call.method(), Method::Post | Method::Put) {
            return Err(self.bad_body(call, "unexpected-body", "this request takes no body"));
        }
        // It need not be sent: after an attach it would become the container's input. Dockerode,
        // docker-py and ansible send one.
        let (body, _place) = Box::pin(self.hold_body(call, head, Purpose::Drop)).await?;
        // SECURITY: below API 1.24 dockerd took a whole HostConfig from a start request's body.
        let empty = body.trim_ascii().is_empty() || body.trim_ascii() == b"{}";
        if call.operation() == Some(Operation::ContainerStart) && !empty {
            let why = "a start request takes no body: what a container may do is settled when it is created";
            return Err(self.bad_body(call, "start-body", why));
        }
        Ok(Body::Dropped(RequestBody::Length(0)))
    }

    /// Reads a whole body into memory, within its bound and in time.
    async fn hold_body(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
        purpose: Purpose,
    ) -> Result<Held, Refusal> {
        let most = match purpose {
            Purpose::Judge => self.serving.policy.limits().body,
            Purpose::Drop => DROPPED_BODY,
        };
        if matches!(head.body(), RequestBody::Length(length) if length > most) {
            return Err(self.large_body(call, purpose.too_much(most)));
        }
        if head.expects_continue() && self.send(CONTINUE).await.is_err() {
            return Err(Refusal::gone());
        }
        let deadline = Instant::now() + self.serving.shared.limits.body_deadline;
        let mut meter = Meter::request(head.body());
        let mut body = Vec::new();
        let mut place = None;
        loop {
            let taken = collect(&mut meter, self.client.inbox.bytes(), &mut body)
                .map_err(|bad| self.bad_body(call, bad.code(), &bad.to_string()))?;
            self.client.inbox.consume(taken);
            if u64::try_from(body.len()).is_ok_and(|length| length > most) {
                return Err(self.large_body(call, purpose.too_much(most)));
            }
            if meter.is_done() {
                return Ok((body, place));
            }
            // What came together with its head is in hand already; what must be waited for takes one
            // of few places.
            if place.is_none() {
                let taken = self.keep_body(deadline).await;
                place = Some(taken.map_err(|refusal| self.body_without_room(call, refusal))?);
            }
            let mut next = std::mem::take(&mut self.client.inbox);
            match self.more(&mut next, deadline).await {
                Ok(()) => self.client.inbox = next,
                Err(None) => return Err(Refusal::gone()),
                Err(Some(_)) => return Err(self.slow_body(call)),
            }
        }
    }
}

impl Purpose {
    fn too_much(self, most: u64) -> String {
        match self {
            Self::Judge => format!(
                "quaygate: the body is larger than {most} bytes; raise limits.body in the policy if that is expected"
            ),
            Self::Drop => {
                "quaygate: this request takes no body, and more than 64 KiB came".to_owned()
            }
        }
    }
}

fn is_empty(head: &RequestHead<'_>) -> bool {
    matches!(head.body(), RequestBody::None | RequestBody::Length(0))
}

/// What the body is called.
fn media(head: &RequestHead<'_>) -> Media {
    head.content_type().map_or(Media::Other, Media::of)
}
