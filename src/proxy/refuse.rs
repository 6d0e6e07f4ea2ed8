//! Every way of saying no, in Docker's own shape: `{"message": "…"}`.
//!
//! A refusal is made where the reason is known, together with its audit record, and sent from one
//! place. After it the connection stays usable only if no byte of a body can still be on its way.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::{timeout, timeout_at};

use super::connection::Connection;
use super::dial::Address;
use super::exchange::Next;
use super::limits::KEPT_BODIES;
use crate::audit::{Ending, Outcome};
use crate::docker::{Call, Malformed, Method};
use crate::facts::Findings;
use crate::policy::{Reason, Refused};
use crate::wire::framing::{BadFraming, RequestBody};
use crate::wire::head::{BadHead, RequestHead};
use crate::wire::write;

/// How long a refusal may take to be handed over.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// An answer of our own instead of Docker's.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    message: String,
    /// Bytes that belong to the refused request may still come.
    close: bool,
    /// It answers a HEAD: length, but no body (RFC 9110 §9.3.2).
    to_head: bool,
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            close: true,
            to_head: false,
        }
    }

    /// Nobody is there to read an answer.
    pub(super) fn gone() -> Self {
        Self::new(0, String::new())
    }

    pub(super) fn is_silent(&self) -> bool {
        self.status == 0
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn slow_head() -> Self {
        Self::new(408, "quaygate: the request's head did not arrive in time")
    }

    /// So many bodies are being read that one more would cost too much memory.
    pub(super) fn bodies_full() -> Self {
        Self::new(
            503,
            format!(
                "quaygate: {KEPT_BODIES} request bodies of this socket are being read already, and none was complete in time; try again"
            ),
        )
    }

    pub(super) fn unrecorded() -> Self {
        Self::new(
            503,
            "quaygate: the audit log cannot be written, so nothing may be changed; see quaygate's own log",
        )
    }

    pub(super) fn unreachable(docker: &Address, error: &io::Error) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "io::ErrorKind is open-ended"
        )]
        let advice = match error.kind() {
            _ if is_out_of_files(error) => {
                "this process has no file descriptors left; raise LimitNOFILE= (systemd) or ulimits.nofile (compose)"
            }
            io::ErrorKind::NotFound => {
                "there is no such socket; is Docker running, and is the socket's directory mounted into quaygate's container?"
            }
            io::ErrorKind::PermissionDenied => {
                "quaygate may not open it; run quaygate with the group that owns the socket"
            }
            io::ErrorKind::TimedOut => {
                "it does not accept connections; Docker may be starting or overloaded"
            }
            _ => "is Docker running?",
        };
        Self::new(
            503,
            format!("quaygate cannot reach Docker at {docker}: {advice} ({error})"),
        )
    }

    pub(super) fn engine_closed() -> Self {
        Self::new(
            502,
            "quaygate: the engine closed the connection before it answered; it may have acted on the request",
        )
    }

    pub(super) fn bad_answer(code: &'static str) -> Self {
        Self::new(
            502,
            format!("quaygate: the engine's answer cannot be passed on ({code})"),
        )
    }

    pub(super) fn broken_body(bad: BadFraming) -> Self {
        Self::new(
            400,
            format!("quaygate: the request's body is not what its head promised: {bad}"),
        )
    }
}

impl Connection {
    /// Every place of the socket is taken by a connection that carries a request.
    pub(super) fn no_place(&mut self) -> Refusal {
        self.note(None, Outcome::Refused, "no-place", 503, None);
        let places = self.serving.places();
        let remedy = if places < self.serving.policy.limits().connections {
            "the process may open no more files: raise LimitNOFILE= (systemd) or ulimits.nofile (compose)"
        } else {
            "raise limits.connections in its policy if that is expected"
        };
        Refusal::new(
            503,
            format!("quaygate: all {places} connections of this socket are in use; {remedy}"),
        )
    }

    /// No room for one more body in memory.
    pub(super) fn body_without_room(&mut self, call: &Call<'_>, refusal: Refusal) -> Refusal {
        self.note(
            Some(call),
            Outcome::Refused,
            "bodies-full",
            refusal.status,
            None,
        );
        refusal
    }

    /// The policy says no.
    pub(super) fn denied(
        &mut self,
        refused: &Refused<'_>,
        head: &RequestHead<'_>,
        findings: &Findings,
    ) -> Refusal {
        let Refused { call, body, reason } = refused;
        let judge = self.before_policy(call, body.as_deref(), findings);
        let denial = judge.denial(*reason);
        let hidden = self.serving.policy.denies_existence(*reason);
        let status = if hidden { 404 } else { 403 };
        self.note_about(
            Some(call),
            Some(findings),
            Outcome::Refused,
            reason.code(),
            status,
            denial.hint,
        );
        let mut refusal = Refusal::new(status, denial.message);
        let unread = body.is_none() && has_body(head);
        refusal.close = unread || !head.keep_alive();
        refusal.to_head = call.method() == Method::Head;
        refusal
    }

    /// The engine knows no such object; what it said about it is passed on.
    pub(super) fn no_such_object(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
        body: Option<&[u8]>,
        answer: &[u8],
    ) -> Refusal {
        let code = Reason::TargetAbsent.code();
        self.note(Some(call), Outcome::Refused, code, 404, None);
        let words: Option<Words> = serde_json::from_slice(answer).ok();
        let message = words.map_or_else(|| "no such object".to_owned(), |words| words.message);
        let mut refusal = Refusal::new(404, message);
        let unread = body.is_none() && has_body(head);
        refusal.close = unread || !head.keep_alive();
        refusal.to_head = call.method() == Method::Head;
        refusal
    }

    pub(super) fn bad_head(&mut self, bad: BadHead) -> Refusal {
        self.note(None, Outcome::Malformed, bad.code(), bad.status(), None);
        Refusal::new(bad.status(), format!("quaygate: {bad}"))
    }

    pub(super) fn slow_head(&mut self, refusal: Refusal) -> Refusal {
        self.note(
            None,
            Outcome::Malformed,
            "head-too-slow",
            refusal.status,
            None,
        );
        refusal
    }

    pub(super) fn malformed_call(&mut self, bad: Malformed) -> Refusal {
        self.note(None, Outcome::Malformed, bad.code(), bad.status(), None);
        Refusal::new(bad.status(), format!("quaygate: {bad}"))
    }

    pub(super) fn bad_body(
        &mut self,
        call: &Call<'_>,
        code: &'static str,
        message: &str,
    ) -> Refusal {
        self.note(Some(call), Outcome::Malformed, code, 400, None);
        Refusal::new(400, format!("quaygate: {message}"))
    }

    pub(super) fn large_body(&mut self, call: &Call<'_>, message: String) -> Refusal {
        self.note(Some(call), Outcome::Malformed, "body-too-large", 413, None);
        Refusal::new(413, message)
    }

    pub(super) fn slow_body(&mut self, call: &Call<'_>) -> Refusal {
        self.note(Some(call), Outcome::Malformed, "body-too-slow", 408, None);
        Refusal::new(408, "quaygate: the request's body did not arrive in time")
    }

    /// The audit record of a refusal.
    fn note(
        &mut self,
        call: Option<&Call<'_>>,
        outcome: Outcome,
        code: &'static str,
        status: u16,
        hint: Option<String>,
    ) {
        self.note_about(call, None, outcome, code, status, hint);
    }

    /// The same for a call of which more is known.
    fn note_about(
        &mut self,
        call: Option<&Call<'_>>,
        findings: Option<&Findings>,
        outcome: Outcome,
        code: &'static str,
        status: u16,
        hint: Option<String>,
    ) {
        let serving = Arc::clone(&self.serving);
        let operation = call.and_then(Call::operation);
        let uid = self.know_caller().uid;
        serving
            .audit
            .refuse(serving.policy.name(), operation, code, uid, || {
                let mut record = self.asked(call);
                record.reason = Some(code);
                record.target = findings.and_then(|findings| findings.target.named());
                record.connected = findings.and_then(|findings| findings.connected.named());
                record.hint = hint;
                let ending = Ending {
                    outcome,
                    status: Some(status),
                    bytes_up: 0,
                    bytes_down: 0,
                    duration: Duration::ZERO,
                };
                (record, ending)
            });
    }

    /// Sends a refusal and says what becomes of the connection.
    pub(super) async fn refuse(&mut self, refusal: Refusal) -> Next {
        if refusal.is_silent() || !self.answer(&refusal).await {
            return Next::Close;
        }
        if !refusal.close {
            return Next::Request;
        }
        self.linger().await;
        Next::Close
    }

    /// Hands a refusal to the client; false when it cannot be.
    pub(super) async fn answer(&mut self, refusal: &Refusal) -> bool {
        let engine = &self.serving.shared.engine;
        let mut out = Vec::with_capacity(512 + refusal.message.len());
        let body = in_json(&refusal.message);
        let api = engine.api().map(|api| api.to_string());
        let headers = [
            api.as_deref().map(|api| ("Api-Version", api)),
            engine.ostype().map(|os| ("Ostype", os)),
        ];
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        let connection = if refusal.close {
            write::Connection::Close
        } else {
            write::Connection::KeepAlive
        };
        write::simple(
            &mut out,
            refusal.status,
            &headers,
            "application/json",
            &body,
            connection,
            refusal.to_head,
        );
        timeout(ANSWER_DEADLINE, self.send(&out))
            .await
            .is_ok_and(|sent| sent.is_ok())
    }

    /// Writes all of `bytes` to the client.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            let count = poll_fn(|cx| self.client.socket.poll_write(cx, left)).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            left = left.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Lets the client read what it was told before the connection closes: what it still sends is
    /// read and dropped for a moment, because closing with unread bytes would reset it.
    pub(super) async fn linger(&mut self) {
        self.client.socket.shut_writing();
        let limits = self.serving.shared.limits;
        let deadline = tokio::time::Instant::now() + limits.linger;
        let mut dropped = self.client.inbox.len();
        self.client.inbox.clear();
        while !self.client.ended && dropped < limits.linger_bytes {
            let read = poll_fn(|cx| match self.client.poll_fill(cx, usize::MAX) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.client.inbox.clear();
                    Poll::Ready(Some(count))
                }
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match timeout_at(deadline, read).await {
                Ok(Some(count)) => dropped += count,
                _ => return,
            }
        }
    }
}

/// Docker's `{"message": …}`.
fn in_json(message: &str) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Answer<'m> {
        message: &'m str,
    }
    // Room for the quotes that hints escape.
    let mut body = Vec::with_capacity(message.len() + 64);
    // Writing text to memory cannot fail.
    let _infallible = serde_json::to_writer(&mut body, &Answer { message });
    body
}

fn is_out_of_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// An error of the engine's.
#[derive(serde::Deserialize)]
struct Words {
    message: String,
}

fn has_body(head: &RequestHead<'_>) -> bool {
    !matches!(head.body(), RequestBody::None | RequestBody::Length(0))
}
