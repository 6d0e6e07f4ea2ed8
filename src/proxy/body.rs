//! Which bodies go to Docker: some operations read none, and nobody may send a form.

use tokio::time::Instant;

use super::connection::Connection;
use super::limits::DROPPED_BODY;
use super::passage::CONTINUE;
use super::refuse::Refusal;
use crate::docker::operation::BodyKind;
use crate::docker::{Call, Method, Operation};
use crate::wire::framing::{Meter, RequestBody, collect};
use crate::wire::head::RequestHead;

/// What is sent in the place of the client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The client's own bytes, as they come.
    Passing(RequestBody),
    /// Nothing: the client's body was read and dropped, or there was none.
    Dropped(RequestBody),
}

impl Connection {
    /// Decides what happens to the body.
    pub(super) async fn admit_body(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
    ) -> Result<Body, Refusal> {
        if matches!(head.body(), RequestBody::None | RequestBody::Length(0)) {
            return Ok(Body::Dropped(head.body()));
        }
        // SECURITY: dockerd lets a form's values win over the query that was judged (moby
        // daemon/server/httputils/form.go on Go's Request.ParseForm).
        if head.content_type().is_some_and(is_form) {
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
        let body = self.drop_body(call, head).await?;
        // SECURITY: below API 1.24 dockerd took a whole HostConfig from a start request's body.
        let empty = body.trim_ascii().is_empty() || body.trim_ascii() == b"{}";
        if call.operation() == Some(Operation::ContainerStart) && !empty {
            let why = "a start request takes no body: what a container may do is settled when it is created";
            return Err(self.bad_body(call, "start-body", why));
        }
        Ok(Body::Dropped(RequestBody::Length(0)))
    }

    /// Reads a body that the operation does not use (dockerode, docker-py and ansible send one), so
    /// that it need not be sent: after an attach it would become the container's input.
    async fn drop_body(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
    ) -> Result<Vec<u8>, Refusal> {
        if matches!(head.body(), RequestBody::Length(length) if length > DROPPED_BODY) {
            return Err(self.large_body(call));
        }
        if head.expects_continue() && self.send(CONTINUE).await.is_err() {
            return Err(Refusal::gone());
        }
        let deadline = Instant::now() + self.serving.shared.limits.body_deadline;
        let mut meter = Meter::request(head.body());
        let mut body = Vec::new();
        let mut kept = None;
        loop {
            let taken = collect(&mut meter, self.client.inbox.bytes(), &mut body)
                .map_err(|bad| self.bad_body(call, bad.code(), &bad.to_string()))?;
            self.client.inbox.consume(taken);
            if u64::try_from(body.len()).is_ok_and(|length| length > DROPPED_BODY) {
                return Err(self.large_body(call));
            }
            if meter.is_done() {
                return Ok(body);
            }
            // What came together with its head is in hand already; what must be waited for takes one
            // of few places.
            if kept.is_none() {
                let place = self.keep_body(deadline).await;
                kept = Some(place.map_err(|refusal| self.body_without_room(call, refusal))?);
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

/// Whether a `Content-Type` names one of the two form types, whatever its parameters.
fn is_form(media: &[u8]) -> bool {
    let essence = media
        .split(|byte| matches!(byte, b';' | b','))
        .next()
        .unwrap_or_default()
        .trim_ascii();
    essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        || essence
            .get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
}

#[cfg(test)]
mod tests {
    use super::is_form;

    #[test]
    fn both_form_types_are_known_in_every_spelling() {
        for form in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-URLencoded ; charset=utf-8",
            "application/x-www-form-urlencoded, application/json",
            "multipart/form-data; boundary=x",
            "MULTIPART/mixed",
        ] {
            assert!(is_form(form.as_bytes()), "{form}");
        }
        for other in ["application/json", "application/x-tar", "text/plain", ""] {
            assert!(!is_form(other.as_bytes()), "{other}");
        }
    }
}
