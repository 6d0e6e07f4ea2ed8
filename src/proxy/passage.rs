//! One permitted request on its way to Docker, and Docker's answer on its way back.
//!
//! Both directions move at once: the answer may begin while the body is still going up, and the
//! client may leave at any time, which ends the call upstream. Nothing here decides anything about
//! the request; what may be decided about the *answer* (is this a tunnel? may the connection be
//! kept?) is decided in `read_answer`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;

use super::asked::Asked;
use super::finish::{Failure, Finish, Stay};
use super::forward::Outgoing;
use super::held::Held;
use super::made::Making;
use super::seat::House;
use crate::wire::framing::{Meter, ResponseBody};
use crate::wire::head::{BadHead, MAX_HEAD, ResponseHead, Scan};
use crate::wire::relay::{Broken, End, Flow, wide};
use crate::wire::write::{self, Connection};

/// How many bytes of a later request are read ahead while an answer is on its way.
const READ_AHEAD: usize = 64 * 1024;

/// What a client that waits before sending its body is told.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How many interim answers one request may get (RFC 9110 §15.2 sets no bound; a loop must end).
const MAX_INTERIM: u8 = 16;

/// How many turns of the event loop an answer to a fresh client may take before both ends are watched meanwhile. To
/// have the event loop know them, only to take them away again, costs a fifth of a connection that carries one call.
const QUICK_TURNS: u8 = 2;

thread_local! {
    /// Where an answer's head is written before it goes out together with the body's beginning.
    static HEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One request on its way.
#[derive(Debug)]
pub(super) struct Passage<'c> {
    client: &'c mut End,
    engine: &'c mut End,
    house: &'c House,
    asked: Asked,
    up: Flow,
    /// How many of the bytes for the engine are the request's head.
    up_head: u64,
    up_meter: Meter,
    up_state: Up,
    down: Flow,
    /// How many of the bytes for the client are heads of answers.
    down_heads: u64,
    answer: Answer,
    keeps: Keeps,
    status: Option<u16>,
    interim: u8,
    /// Which of the quick turns this is; 0 after them.
    turn: u8,
    scan: Scan,
    /// The place in memory of the body that is being sent.
    place: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Up {
    /// Head and body are going up.
    Sending,
    /// All of it is there.
    Sent,
    /// The engine takes no more, or the client stopped in the middle.
    Stopped,
}

#[derive(Debug)]
enum Answer {
    Head,
    Body(Meter),
    /// It is held back until it is complete, because something is to be learned from it first.
    Held(Box<Held>),
}

#[derive(Clone, Copy, Debug, Default)]
struct Keeps {
    engine: bool,
    client: bool,
}

impl<'c> Passage<'c> {
    /// Prepares to send a head and the body that follows it.
    pub(super) fn new(
        client: &'c mut End,
        engine: &'c mut End,
        house: &'c House,
        outgoing: Outgoing,
    ) -> Result<Self, Failure> {
        let Outgoing {
            bytes,
            head,
            body,
            asked,
            place,
        } = outgoing;
        let mut up = Flow::new();
        up.pending = bytes;
        let mut up_meter = Meter::request(body);
        let early = up_meter
            .take(client.inbox.bytes())
            .map_err(Failure::ClientBody)?;
        up.pending
            .push(client.inbox.bytes().get(..early).unwrap_or_default());
        client.inbox.consume(early);
        Ok(Self {
            client,
            engine,
            house,
            asked,
            up,
            up_head: wide(head),
            up_meter,
            up_state: Up::Sending,
            down: Flow::new(),
            down_heads: 0,
            answer: Answer::Head,
            keeps: Keeps::default(),
            status: None,
            interim: 0,
            turn: 0,
            scan: Scan::default(),
            place,
        })
    }

    /// Puts a fresh connection in the place of one that was closed before a byte reached it.
    pub(super) fn redirect(&mut self, engine: End) {
        *self.engine = engine;
        self.up_state = Up::Sending;
    }

    /// Runs until the answer is complete, a tunnel opens, or something breaks.
    pub(super) async fn run(&mut self) -> Result<Finish, Failure> {
        if self.client.socket.is_fresh() {
            // Its leaving is seen as soon as it is watched.
            for turn in 1..=QUICK_TURNS {
                self.turn = turn;
                let moved = poll_fn(|cx| Poll::Ready(self.poll_exchange(cx))).await;
                if let Poll::Ready(finish) = moved {
                    return finish;
                }
                yield_now().await;
            }
            self.turn = 0;
        }
        poll_fn(|cx| self.poll(cx)).await
    }

    /// The status that was passed on, once it was.
    pub(super) fn status(&self) -> Option<u16> {
        self.status
    }

    /// Bytes of bodies that the engine and the client have taken so far.
    pub(super) fn carried(&self) -> (u64, u64) {
        (
            self.up.written.saturating_sub(self.up_head),
            self.down.written.saturating_sub(self.down_heads),
        )
    }

    /// For the tunnel: what the client has not taken yet.
    pub(super) fn into_down(self) -> Flow {
        self.down
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Finish, Failure>> {
        if let Poll::Ready(finish) = self.poll_exchange(cx)? {
            return Poll::Ready(Ok(finish));
        }
        self.watch_client(cx)?;
        Poll::Pending
    }

    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<Result<Finish, Failure>> {
        self.poll_up(cx)?;
        self.poll_down(cx)
    }

    fn poll_up(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.up_state != Up::Sending {
            return Ok(());
        }
        let moved = self
            .up
            .poll_body(cx, self.client, &mut self.up_meter, &mut self.engine.socket);
        self.up_state = match moved {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => Up::Sent,
            Poll::Ready(Err(Broken::Framing(bad))) => return Err(Failure::ClientBody(bad)),
            Poll::Ready(Err(Broken::Source)) => return Err(Failure::ClientGone),
            Poll::Ready(Err(Broken::Cut)) => {
                self.client_ended()?;
                Up::Stopped
            }
            // Its answer may be on its way all the same: 404 to an upload, say.
            Poll::Ready(Err(Broken::Sink)) => Up::Stopped,
        };
        self.place = None;
        Ok(())
    }

    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<Result<Finish, Failure>> {
        while matches!(self.answer, Answer::Head) {
            // A 100 that the client had no room for.
            let flushed = self.down.poll_flush(cx, &mut self.client.socket);
            if matches!(flushed, Poll::Ready(Err(_))) {
                return Poll::Ready(Err(Failure::ClientGone));
            }
            if let Some(tunnel) = ready!(self.poll_head(cx))? {
                return Poll::Ready(Ok(tunnel));
            }
        }
        ready!(self.poll_held(cx))?;
        let Answer::Body(meter) = &mut self.answer else {
            return Poll::Pending;
        };
        match ready!(
            self.down
                .poll_body(cx, self.engine, meter, &mut self.client.socket)
        ) {
            Ok(()) => Poll::Ready(Ok(self.finish())),
            Err(Broken::Sink) => Poll::Ready(Err(Failure::ClientGone)),
            Err(Broken::Source | Broken::Cut | Broken::Framing(_)) => {
                Poll::Ready(Err(Failure::AnswerCut))
            }
        }
    }

    /// Reads one head of the engine's. Ready with `Some` when it opens a tunnel; `answer` has moved
    /// on when it was the final one.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Finish>, Failure>> {
        loop {
            let held = std::mem::take(&mut self.engine.inbox);
            if let Some((head, length)) = self
                .scan
                .response(held.bytes(), self.asked.to_head)
                .map_err(|bad| Failure::BadAnswer(answer_code(bad)))?
            {
                self.scan = Scan::default();
                let rest = held.bytes().get(length..).unwrap_or_default();
                return Poll::Ready(self.read_answer(&head, rest));
            }
            self.engine.inbox = held;
            ready!(self.poll_more_head(cx))?;
        }
    }

    fn poll_more_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let begun = !self.engine.inbox.is_empty() || self.interim > 0;
        let read = match self.turn {
            // It cannot have read the request yet.
            1 if self.engine.socket.is_fresh() => Poll::Pending,
            2.. if self.engine.socket.is_fresh() => self.engine.fill_now(MAX_HEAD),
            _ => self.engine.poll_fill(cx, MAX_HEAD),
        };
        match ready!(read) {
            Ok(count) if count > 0 => Poll::Ready(Ok(())),
            Ok(_) if begun => Poll::Ready(Err(Failure::BadAnswer("answer-truncated"))),
            Err(error) if begun && error.kind() != io::ErrorKind::ConnectionReset => {
                Poll::Ready(Err(Failure::BadAnswer("answer-truncated")))
            }
            _ => Poll::Ready(Err(Failure::EngineClosed {
                untouched: self.up.written == 0,
            })),
        }
    }

    /// Waits for the rest of an answer that is held back, and lets it go.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if let Answer::Held(held) = &mut self.answer {
            let meter = ready!(held.poll(cx, self.engine, &mut self.down.pending, self.house));
            self.answer = Answer::Body(meter.map_err(|_| Failure::AnswerCut)?);
        }
        Poll::Ready(Ok(()))
    }

    /// Decides what an answer is, and passes its head on.
    fn read_answer(
        &mut self,
        head: &ResponseHead<'_>,
        rest: &[u8],
    ) -> Result<Option<Finish>, Failure> {
        match head.status() {
            101 => return self.open_tunnel(head, rest).map(Some),
            100..=199 => {
                self.engine.inbox.push(rest);
                return self.pass_interim(head).map(|()| None);
            }
            _ => {}
        }
        if self.asked.is_hijacked_by(head) {
            return self.open_tunnel(head, rest).map(Some);
        }
        let mut meter = Meter::response(head.body());
        let count = meter
            .take(rest)
            .map_err(|_| Failure::BadAnswer("answer-framing"))?;
        let (body, beyond) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        let framed = !matches!(head.body(), ResponseBody::UntilEof);
        self.keeps.engine = framed && head.keep_alive() && self.up_state == Up::Sent;
        self.keeps.client = self.keeps.engine && self.asked.keep_alive && !self.client.ended;
        let connection = if self.keeps.client {
            Connection::KeepAlive
        } else {
            Connection::Close
        };
        self.status = Some(head.status());
        if let Some(making) = self.asked.making.filter(|_| head.status() == 201) {
            self.hold(making, head, connection, rest);
            return Ok(None);
        }
        self.engine.inbox.push(beyond);
        self.answer = Answer::Body(meter);
        self.pass_head(head, connection, body)?;
        Ok(None)
    }

    /// Holds an answer back: whoever reads its first byte could use what is to be learned from it.
    fn hold(
        &mut self,
        making: Making,
        head: &ResponseHead<'_>,
        connection: Connection<'_>,
        rest: &[u8],
    ) {
        HEAD.with_borrow_mut(|out| {
            out.clear();
            write_head(out, head, connection);
            self.down_heads += wide(out.len());
            self.down.pending.push(out);
        });
        self.engine.inbox.push(rest);
        self.answer = Answer::Held(Box::new(Held::new(
            making,
            self.asked.container,
            head.body(),
        )));
    }

    fn open_tunnel(&mut self, head: &ResponseHead<'_>, rest: &[u8]) -> Result<Finish, Failure> {
        let connection = match (head.status(), self.asked.upgrade, head.upgrade()) {
            (101, Some(sent), Some(token)) if sent.eq_ignore_ascii_case(token) => {
                Connection::Upgrade(sent)
            }
            // SECURITY: a 101 nobody asked for would make every later byte of the client unjudged.
            (101, ..) => return Err(Failure::BadAnswer("answer-unasked-upgrade")),
            _ => Connection::Close,
        };
        if self.up_state != Up::Sent {
            return Err(Failure::BadAnswer("answer-early-upgrade"));
        }
        self.status = Some(head.status());
        self.pass_head(head, connection, &[])?;
        self.engine.inbox.push(rest);
        Ok(Finish::Tunnel)
    }

    /// 100 goes to a client that waits for it, once; every other interim answer is dropped.
    fn pass_interim(&mut self, head: &ResponseHead<'_>) -> Result<(), Failure> {
        self.interim += 1;
        if self.interim > MAX_INTERIM {
            return Err(Failure::BadAnswer("answer-interim"));
        }
        if head.status() == 100 && std::mem::take(&mut self.asked.expects_continue) {
            self.down_heads += wide(CONTINUE.len());
            self.down
                .pass(&self.client.socket, CONTINUE)
                .map_err(|_| Failure::ClientGone)?;
        }
        Ok(())
    }

    fn pass_head(
        &mut self,
        head: &ResponseHead<'_>,
        connection: Connection<'_>,
        body: &[u8],
    ) -> Result<(), Failure> {
        HEAD.with_borrow_mut(|out| {
            out.clear();
            write_head(out, head, connection);
            self.down_heads += wide(out.len());
            // One piece: copying a small answer costs less than a system call that gathers two.
            out.extend_from_slice(body);
            self.down
                .pass(&self.client.socket, out)
                .map_err(|_| Failure::ClientGone)
        })
    }

    fn finish(&self) -> Finish {
        let sent = self.up_state == Up::Sent;
        let client = if self.keeps.client && sent {
            Stay::Next
        } else if self.asked.is_last && sent && self.client.is_read() {
            Stay::Close
        } else {
            Stay::Linger
        };
        Finish::Answered {
            engine_stays: self.keeps.engine && sent && self.engine.inbox.is_empty(),
            client,
        }
    }

    /// While nothing is read from the client for the request itself, its next bytes are read ahead
    /// and its end is noticed.
    fn watch_client(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.up_state == Up::Sending && self.up.is_clear() {
            return Ok(());
        }
        while self.up_state != Up::Sending && !self.client.ended {
            match self.client.poll_fill(cx, READ_AHEAD) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => self.client_ended()?,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Err(Failure::ClientGone),
            }
        }
        let reading = self.up_state != Up::Sending
            && !self.client.ended
            && self.client.inbox.len() < READ_AHEAD;
        if reading {
            return Ok(());
        }
        // Bytes that wait for the client fail when it is gone.
        if self.down.is_clear() && self.client.socket.poll_gone(cx).is_ready() {
            return Err(Failure::ClientGone);
        }
        Ok(())
    }

    /// The client sends no more. If it still listens, the engine is told and decides what that
    /// means: engines differ (20.10 answers, 28 cancels).
    fn client_ended(&mut self) -> Result<(), Failure> {
        if self.client.socket.peer_is_gone() {
            return Err(Failure::ClientGone);
        }
        self.engine.socket.shut_writing();
        Ok(())
    }
}

fn write_head(out: &mut Vec<u8>, head: &ResponseHead<'_>, connection: Connection<'_>) {
    write::response(
        out,
        head.status(),
        head.reason(),
        head.headers(),
        head.body(),
        connection,
    );
}

fn answer_code(bad: BadHead) -> &'static str {
    if bad == BadHead::TooLarge {
        "answer-head-too-large"
    } else {
        "answer-malformed"
    }
}
