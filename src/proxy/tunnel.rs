//! After the engine's 101, or its unframed 200: raw bytes both ways until both sides are done.
//!
//! Half-close is passed on in both directions: the docker CLI closes its sending side right after
//! the 101 of every attach without stdin, before the first byte of output arrives.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::wire::relay::{Broken, End, Flow};

/// Two directions of raw bytes.
#[derive(Debug)]
pub(super) struct Tunnel<'c> {
    client: &'c mut End,
    engine: &'c mut End,
    up: Direction,
    down: Direction,
}

#[derive(Debug)]
struct Direction {
    flow: Flow,
    done: bool,
}

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    /// Bytes from the client.
    pub(super) up: u64,
    /// Bytes to the client.
    pub(super) down: u64,
    /// The client left before the engine was done.
    pub(super) aborted: bool,
}

impl<'c> Tunnel<'c> {
    /// Takes over after the head; `down` may still hold the last bytes of the head for the client.
    pub(super) fn new(client: &'c mut End, engine: &'c mut End, down: Flow) -> Self {
        let up = Direction {
            flow: Flow::new(),
            done: false,
        };
        let down = Direction {
            flow: down,
            done: false,
        };
        Self {
            client,
            engine,
            up,
            down,
        }
    }

    /// Runs until both directions are done or one side is gone.
    pub(super) async fn run(&mut self) -> Carried {
        let aborted = poll_fn(|cx| self.poll(cx)).await;
        Carried {
            up: self.up.flow.written,
            down: self.down.flow.written,
            aborted,
        }
    }

    /// Ready with whether the client left early.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if let Poll::Ready(aborted) = self.poll_up(cx) {
            return Poll::Ready(aborted);
        }
        if let Poll::Ready(aborted) = self.poll_down(cx) {
            return Poll::Ready(aborted);
        }
        if self.up.done && self.down.done {
            return Poll::Ready(false);
        }
        self.poll_departure(cx)
    }

    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.up.done {
            return Poll::Pending;
        }
        match self
            .up
            .flow
            .poll_raw(cx, self.client, &mut self.engine.socket)
        {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) if self.client.socket.peer_is_gone() => return Poll::Ready(true),
            Poll::Ready(Ok(())) => self.engine.socket.shut_writing(),
            Poll::Ready(Err(Broken::Source)) => return Poll::Ready(true),
            // The engine no longer listens; what it still has to say goes on to the client.
            Poll::Ready(Err(Broken::Sink | Broken::Cut | Broken::Framing(_))) => {}
        }
        self.up.done = true;
        Poll::Pending
    }

    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.down.done {
            return Poll::Pending;
        }
        match self
            .down
            .flow
            .poll_raw(cx, self.engine, &mut self.client.socket)
        {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) if self.engine.socket.peer_is_gone() => return Poll::Ready(false),
            Poll::Ready(Ok(())) => self.client.socket.shut_writing(),
            Poll::Ready(Err(Broken::Sink)) => return Poll::Ready(true),
            Poll::Ready(Err(Broken::Source | Broken::Cut | Broken::Framing(_))) => {
                return Poll::Ready(false);
            }
        }
        self.down.done = true;
        Poll::Pending
    }

    /// While the client is not read (it ended, or the engine is slow), its leaving is seen here.
    fn poll_departure(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let reading = !self.up.done && self.up.flow.is_clear();
        // Bytes that wait for the client fail when it is gone.
        if reading || !self.down.flow.is_clear() {
            return Poll::Pending;
        }
        self.client.socket.poll_gone(cx).map(|()| true)
    }
}
