//! From a permit to the end of Docker's answer: dial if need be, send, carry both ways, account.

use std::cell::RefCell;

use tokio::sync::OwnedSemaphorePermit;

use super::asked::Asked;
use super::body::Body;
use super::connection::{Connection, Serving};
use super::dial::reach;
use super::entry::Entry;
use super::exchange::Next;
use super::finish::{Failure, Finish, Stay};
use super::made::Making;
use super::passage::Passage;
use super::refuse::Refusal;
use super::tunnel::Tunnel;
use crate::audit::Outcome;
use crate::policy::Permit;
use crate::wire::buffer::Buffer;
use crate::wire::framing::RequestBody;
use crate::wire::head::RequestHead;
use crate::wire::relay::{End, Flow, wide};
use crate::wire::write;

thread_local! {
    /// Where a request's head is written before it joins the pool's buffers.
    static HEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A request as it will be sent. Made from a permit, and from nothing else.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The head, and the body if that was judged.
    pub(super) bytes: Buffer,
    /// How long the head is.
    pub(super) head: usize,
    /// What follows from the client.
    pub(super) body: RequestBody,
    pub(super) asked: Asked,
    /// The place in memory of a body that had to be waited for, until it is sent.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

impl Outgoing {
    /// Writes the head anew from the call that was judged.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a permit is spent here: it cannot be used twice"
    )]
    pub(super) fn new(
        permit: Permit<'_>,
        head: &RequestHead<'_>,
        body: Body,
        serving: &Serving,
        place: Option<OwnedSemaphorePermit>,
        making: Option<Making>,
    ) -> Self {
        let asked = Asked::of(&permit, head, body, serving, making);
        let judged = permit.body().unwrap_or_default();
        let (framing, follows) = match body {
            Body::Passing(framing) | Body::Dropped(framing) => (framing, framing),
            Body::Judged => (RequestBody::Length(wide(judged.len())), RequestBody::None),
        };
        let connection = match asked.upgrade {
            Some(token) => write::Connection::Upgrade(token),
            None => write::Connection::KeepAlive,
        };
        let mut written = Buffer::default();
        HEAD.with_borrow_mut(|out| {
            out.clear();
            write::request(
                out,
                permit.call().method().as_str(),
                |out| permit.call().write_target(out),
                head.headers(),
                framing,
                connection,
                asked.expects_continue,
            );
            written.push(out);
        });
        let length = written.len();
        written.push(judged);
        Self {
            bytes: written,
            head: length,
            body: follows,
            asked,
            place,
        }
    }
}

/// What came of a request's passage.
#[derive(Debug)]
pub(super) struct Passed {
    finish: Result<Finish, Failure>,
    /// The status that was passed on, if one was.
    status: Option<u16>,
    /// What the client has not taken yet.
    down: Flow,
}

impl Passed {
    fn not_at_all(failure: Failure) -> Self {
        Self {
            finish: Err(failure),
            status: None,
            down: Flow::new(),
        }
    }
}

impl Connection {
    /// Dials the engine if there is no connection to it yet. Whether there was one.
    pub(super) async fn reach_engine(&mut self, entry: &mut Entry) -> Result<bool, Refusal> {
        if self.engine.is_some() {
            return Ok(true);
        }
        let shared = &self.serving.shared;
        match reach(&shared.docker).await {
            Ok(socket) => self.engine = Some(End::new(socket)),
            Err(error) => {
                shared.engine.doubt();
                entry.end(Outcome::UpstreamError, Some(503));
                return Err(Refusal::unreachable(&shared.docker, &error));
            }
        }
        Ok(false)
    }

    /// Sends a request and carries the answer back, until it is complete or a tunnel begins.
    pub(super) async fn pass(
        &mut self,
        outgoing: Outgoing,
        reused: bool,
        entry: &mut Entry,
    ) -> Passed {
        let Some(engine) = self.engine.as_mut() else {
            return Passed::not_at_all(Failure::EngineClosed { untouched: true });
        };
        let house = &self.serving.house;
        let mut passage = match Passage::new(&mut self.client, engine, house, outgoing) {
            Ok(passage) => passage,
            Err(failure) => return Passed::not_at_all(failure),
        };
        let mut finish = passage.run().await;
        if reused && finish == Err(Failure::EngineClosed { untouched: true }) {
            // It closed while nothing was on its way; a fresh connection can only help. A task of its own size.
            if let Ok(socket) = Box::pin(reach(&self.serving.shared.docker)).await {
                passage.redirect(End::new(socket));
                finish = passage.run().await;
            }
        }
        let (up, down) = passage.carried();
        entry.carried(up, down);
        Passed {
            finish,
            status: passage.status(),
            down: passage.into_down(),
        }
    }

    /// What follows from how it ended: the next request, a tunnel, or a refusal after all.
    pub(super) async fn conclude(
        &mut self,
        passed: Passed,
        mut entry: Entry,
    ) -> Result<Next, Refusal> {
        let status = passed.status;
        match passed.finish {
            Ok(Finish::Answered {
                engine_stays,
                client,
            }) => {
                entry.end(Outcome::Complete, status);
                drop(entry);
                Ok(self.after_answer(engine_stays, client).await)
            }
            Ok(Finish::Tunnel) => {
                self.tunnel(passed.down, entry, status).await;
                Ok(Next::Close)
            }
            Err(failure) => self.fail(failure, status, entry),
        }
    }

    async fn after_answer(&mut self, engine_stays: bool, client: Stay) -> Next {
        if !engine_stays {
            self.engine = None;
        }
        match client {
            Stay::Next => return Next::Request,
            Stay::Linger => self.linger().await,
            Stay::Close => {}
        }
        Next::Close
    }

    async fn tunnel(&mut self, down: Flow, mut entry: Entry, status: Option<u16>) {
        let Some(engine) = self.engine.as_mut() else {
            return;
        };
        entry.end(Outcome::Aborted, status);
        let before = down.written;
        let mut tunnel = Tunnel::new(&mut self.client, engine, down);
        let carried = tunnel.run().await;
        entry.carried(carried.up, carried.down.saturating_sub(before));
        if !carried.aborted {
            entry.end(Outcome::Complete, status);
        }
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
            Failure::ClientBody(bad) => (Outcome::Malformed, Refusal::broken_body(bad)),
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
