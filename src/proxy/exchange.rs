//! The request, top to bottom: read, judge, record, forward – or one of the refusals.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use super::dial::dial;
use super::entry::Entry;
use super::forward::{Asked, CONTINUE, Failure, Finish, Forward};
use super::limits::DROPPED_BODY;
use super::refuse::Refusal;
use super::tunnel::Tunnel;
use crate::audit::{Outcome, Record};
use crate::docker::operation::{BodyKind, Stream};
use crate::docker::{Call, Method, Operation};
use crate::judge;
use crate::policy::Permit;
use crate::wire::framing::{Meter, RequestBody, collect};
use crate::wire::head::{RequestHead, Scan};
use crate::wire::relay::End;
use crate::wire::write;

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It can carry another request.
    Request,
    /// It is done.
    Close,
}

/// What is sent in the place of the client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// The client's own bytes, as they come.
    Passing(RequestBody),
    /// Nothing: the client's body was read and dropped, or there was none.
    Dropped(RequestBody),
}

impl Connection {
    /// Carries one request, and turns every way it can fail into one answer.
    pub(super) async fn exchange(&mut self) -> Next {
        match self.carry().await {
            Ok(next) => next,
            Err(refusal) => self.refuse(refusal).await,
        }
    }

    async fn carry(&mut self) -> Result<Next, Refusal> {
        let Some(mut buffer) = self.first_bytes().await else {
            return Ok(Next::Close);
        };
        let mut deadline = None;
        let mut scan = Scan::default();
        let (head, length) = loop {
            match scan.request(buffer.bytes()) {
                Ok(Some(found)) => break found,
                Ok(None) => {}
                Err(bad) => return Err(self.bad_head(bad)),
            }
            let limit = self.serving.shared.limits.head_deadline;
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + limit);
            match self.more(&mut buffer, deadline).await {
                Ok(()) => {}
                Err(None) => return Ok(Next::Close),
                Err(Some(refusal)) => return Err(self.slow_head(refusal)),
            }
        };
        self.client
            .inbox
            .push(buffer.bytes().get(length..).unwrap_or_default());

        let call = self.read_call(&head)?;
        let permit = self.judge(call, &head)?;
        let body = self.admit_body(permit.call(), &head).await?;
        let entry = self.record(&permit).await?;
        self.forward(permit, &head, body, entry).await
    }

    fn read_call<'h>(&mut self, head: &RequestHead<'h>) -> Result<Call<'h>, Refusal> {
        Call::parse(head.method(), head.target()).map_err(|bad| self.malformed_call(bad))
    }

    /// The decision. Nothing of the request has reached the engine yet, and nothing will without
    /// the permit.
    fn judge<'h>(&mut self, call: Call<'h>, head: &RequestHead<'h>) -> Result<Permit<'h>, Refusal> {
        let serving = Arc::clone(&self.serving);
        let engine = serving.shared.engine.api();
        if !self.may_connect() {
            return Err(self.foreign_peer(&call, head));
        }
        judge::judge(&serving.policy, &self.caller, &call, engine)
            .settle(call)
            .map_err(|(call, reason)| self.denied(&call, reason, head))
    }

    /// Whether the policy's `socket.peers.uid` lets this caller in; an unknown uid is nobody's.
    fn may_connect(&self) -> bool {
        let admitted = self.serving.policy.socket().peer_uids.as_ref();
        admitted.is_none_or(|uids| self.caller.uid.is_some_and(|uid| uids.contains(&uid)))
    }

    /// Decides what happens to the body: some operations read none, and nobody may send a form
    /// (dockerd would let its values win over the query that was judged: moby
    /// `daemon/server/httputils/form.go`, Go `net/http` `Request.ParseForm`).
    async fn admit_body(
        &mut self,
        call: &Call<'_>,
        head: &RequestHead<'_>,
    ) -> Result<Body, Refusal> {
        let none = matches!(head.body(), RequestBody::None | RequestBody::Length(0));
        if none {
            return Ok(Body::Dropped(head.body()));
        }
        if head.content_type().is_some_and(is_form) {
            return Err(self.bad_body(
                call,
                "form-body",
                "form bodies are refused: Docker would let them override the query",
            ));
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
        let empty = body.iter().all(u8::is_ascii_whitespace) || body.trim_ascii() == b"{}";
        // SECURITY: below API 1.24 dockerd took a whole HostConfig from a start request's body.
        if call.operation() == Some(Operation::ContainerStart) && !empty {
            return Err(self.bad_body(call, "start-body", "a start request takes no body: what a container may do is settled when it is created"));
        }
        Ok(Body::Dropped(RequestBody::Length(0)))
    }

    /// Reads a body that the operation does not use, so that it need not be sent.
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
        loop {
            let taken =
                collect(&mut meter, self.client.inbox.bytes(), &mut body).map_err(|_| {
                    self.bad_body(
                        call,
                        "malformed-body",
                        "the body is not what its head promised",
                    )
                })?;
            self.client.inbox.consume(taken);
            if u64::try_from(body.len()).is_ok_and(|length| length > DROPPED_BODY) {
                return Err(self.large_body(call));
            }
            if meter.is_done() {
                return Ok(body);
            }
            let mut next = std::mem::take(&mut self.client.inbox);
            match self.more(&mut next, deadline).await {
                Ok(()) => self.client.inbox = next,
                Err(None) => return Err(Refusal::gone()),
                Err(Some(_)) => return Err(self.slow_body(call)),
            }
        }
    }

    /// Opens the call's entry in the audit log; a change that cannot be recorded is not made.
    async fn record(&mut self, permit: &Permit<'_>) -> Result<Entry, Refusal> {
        let serving = Arc::clone(&self.serving);
        let audit = &serving.shared.audit;
        let operation = permit.call().operation();
        let record = audit.keeps(operation).then(|| {
            let mut record = self.asked(Some(permit.call()));
            let (name, line) = serving.policy.rule(permit.rule());
            record.rule = Some((name.into(), line));
            record
        });
        let mut entry = Entry::new(audit.clone(), Arc::clone(serving.policy.name()), record);
        if audit.opens(operation) && entry.announce().await.is_err() {
            entry.end(Outcome::Internal, Some(503));
            return Err(Refusal::unrecorded());
        }
        Ok(entry)
    }

    /// A record of what is asked, and by whom.
    pub(super) fn asked(&mut self, call: Option<&Call<'_>>) -> Record {
        Record {
            id: self.serving.shared.audit.next_id(),
            time: Entry::now(),
            policy: Arc::clone(self.serving.policy.name()),
            rule: None,
            reason: None,
            operation: call.and_then(Call::operation),
            method: call.map_or("", |call| call.method().as_str()),
            path: call.map_or_else(String::new, |call| call.path().as_str().to_owned()),
            query: call.map_or_else(String::new, query_text),
            api: call.and_then(Call::version),
            client: self.identity(),
            hint: None,
        }
    }

    /// Sends the permitted request and carries the answer back; the head that goes out is written
    /// from the permit's own call.
    async fn forward(
        &mut self,
        permit: Permit<'_>,
        head: &RequestHead<'_>,
        body: Body,
        mut entry: Entry,
    ) -> Result<Next, Refusal> {
        let asked = asked_of(permit.call(), head, body, self.serving.shared.draining());
        let (Body::Passing(framing) | Body::Dropped(framing)) = body;
        let mut out = Vec::with_capacity(512);
        write_head(&mut out, &permit, head, framing, &asked);

        let shared = Arc::clone(&self.serving.shared);
        let reused = self.engine.is_some();
        if !reused {
            self.engine = Some(self.reach_engine(&mut entry).await?);
        }
        let Some(engine) = self.engine.as_mut() else {
            return Ok(Next::Close);
        };
        let sent = Forward::new(&mut self.client, engine, asked, &out, framing);
        let mut forward = match sent {
            Ok(forward) => forward,
            Err(failure) => return self.fail(failure, None, entry),
        };
        let mut finish = forward.run().await;
        if reused && finish == Err(Failure::EngineClosed { untouched: true }) {
            match dial(&shared.docker).await {
                Ok(socket) => {
                    forward.redirect(End::new(socket));
                    finish = forward.run().await;
                }
                Err(error) => {
                    entry.end(Outcome::UpstreamError, Some(503));
                    return Err(Refusal::unreachable(&shared.docker, &error));
                }
            }
        }
        let status = forward.status();
        let head_bytes = u64::try_from(out.len()).unwrap_or(u64::MAX);
        let (up, down) = forward.written();
        entry.carried(up.saturating_sub(head_bytes), down);
        entry.end(Outcome::Aborted, status);
        match finish {
            Ok(Finish::Answered {
                engine_stays,
                client_stays,
            }) => {
                entry.end(Outcome::Complete, status);
                if !engine_stays {
                    self.engine = None;
                }
                if client_stays {
                    return Ok(Next::Request);
                }
                drop(entry);
                self.linger().await;
                Ok(Next::Close)
            }
            Ok(Finish::Tunnel) => {
                let flow = forward.into_down();
                self.tunnel(flow, entry, status).await;
                Ok(Next::Close)
            }
            Err(failure) => self.fail(failure, status, entry),
        }
    }

    async fn reach_engine(&self, entry: &mut Entry) -> Result<End, Refusal> {
        let docker = &self.serving.shared.docker;
        match dial(docker).await {
            Ok(socket) => Ok(End::new(socket)),
            Err(error) => {
                self.serving.shared.engine.doubt();
                entry.end(Outcome::UpstreamError, Some(503));
                Err(Refusal::unreachable(docker, &error))
            }
        }
    }

    async fn tunnel(
        &mut self,
        down: crate::wire::relay::Flow,
        mut entry: Entry,
        status: Option<u16>,
    ) {
        let Some(engine) = self.engine.as_mut() else {
            return;
        };
        let before = down.written;
        let carried = Tunnel::new(&mut self.client, engine, down).run().await;
        entry.carried(carried.up, carried.down.saturating_sub(before));
        let outcome = if carried.aborted {
            Outcome::Aborted
        } else {
            Outcome::Complete
        };
        entry.end(outcome, status);
    }

    /// A call that broke off. Once the client has seen a head there is no way to tell it but to
    /// close, which is what truncation looks like in HTTP/1.1 (RFC 9112 §8).
    fn fail(
        &mut self,
        failure: Failure,
        answered: Option<u16>,
        mut entry: Entry,
    ) -> Result<Next, Refusal> {
        self.engine = None;
        let (outcome, refusal) = match failure {
            Failure::ClientGone => (Outcome::Aborted, Refusal::gone()),
            Failure::ClientBody(_) => (Outcome::Malformed, Refusal::broken_body()),
            Failure::EngineClosed { .. } => (Outcome::UpstreamError, Refusal::engine_closed()),
            Failure::BadAnswer(code) => (Outcome::UpstreamError, Refusal::bad_answer(code)),
            Failure::AnswerCut => (Outcome::UpstreamError, Refusal::gone()),
        };
        if answered.is_some() || refusal.is_silent() {
            entry.end(outcome, answered);
            return Ok(Next::Close);
        }
        entry.end(outcome, Some(refusal.status()));
        Err(refusal)
    }
}

/// The query in its canonical spelling, as it goes to Docker.
fn query_text(call: &Call<'_>) -> String {
    let mut text = Vec::new();
    call.query().write(&mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// What must be known of the request when its answer comes.
fn asked_of(call: &Call<'_>, head: &RequestHead<'_>, body: Body, draining: bool) -> Asked {
    let tunnel = match call.operation().map(Operation::stream) {
        Some(Stream::Tunnel(token)) => Some(token),
        _ => None,
    };
    Asked {
        to_head: call.method() == Method::Head,
        upgrade: tunnel.filter(|_| head.upgrade().is_some()),
        may_hijack: matches!(
            call.operation(),
            Some(Operation::ContainerAttach | Operation::ExecStart)
        ),
        expects_continue: matches!(body, Body::Passing(_)) && head.expects_continue(),
        keep_alive: head.keep_alive() && !draining,
    }
}

fn write_head(
    out: &mut Vec<u8>,
    permit: &Permit<'_>,
    head: &RequestHead<'_>,
    body: RequestBody,
    asked: &Asked,
) {
    let connection = match asked.upgrade {
        Some(token) => write::Connection::Upgrade(token),
        None => write::Connection::KeepAlive,
    };
    write::request(
        out,
        permit.call().method().as_str(),
        |out| permit.call().write_target(out),
        head.headers(),
        body,
        connection,
        asked.expects_continue,
    );
}

/// Whether a `Content-Type` names one of the two form types, whatever its parameters.
fn is_form(media: &[u8]) -> bool {
    let essence = media
        .split(|byte| matches!(byte, b';' | b','))
        .next()
        .unwrap_or_default();
    let essence = essence.trim_ascii();
    essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        || essence
            .get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
}

/// How long a refusal may take to be handed over.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
