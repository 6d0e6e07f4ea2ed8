//! An answer of the engine's that the client does not see until something was learned from it.
//!
//! Whoever reads the first byte of an answer could use at once what it hands out. So what the gate must
//! know of it is remembered before.

use std::task::{Context, Poll, ready};

use super::made::Making;
use super::seat::House;
use crate::engine::id::Id;
use crate::wire::buffer::Buffer;
use crate::wire::framing::{BadFraming, Meter, ResponseBody, collect};
use crate::wire::head::MAX_HEAD;
use crate::wire::relay::End;

/// How much is held back at most. An answer that is longer goes on its way, and teaches nothing.
const MOST: usize = 64 * 1024;

/// The body of such an answer.
#[derive(Debug)]
pub(super) struct Held {
    making: Making,
    /// In which container, if that is known.
    container: Option<Id>,
    meter: Meter,
    payload: Vec<u8>,
}

impl Held {
    /// Nothing of it has come yet.
    pub(super) fn new(making: Making, container: Option<Id>, body: ResponseBody) -> Self {
        Self {
            making,
            container,
            meter: Meter::response(body),
            payload: Vec::new(),
        }
    }

    /// Reads on, and puts what came into `pending`. Ready when it may be passed on: it is complete
    /// and the house has learned from it, or it never will be.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        engine: &mut End,
        pending: &mut Buffer,
        house: &House,
    ) -> Poll<Result<Meter, BadFraming>> {
        loop {
            let count = collect(&mut self.meter, engine.inbox.bytes(), &mut self.payload)?;
            pending.push(engine.inbox.bytes().get(..count).unwrap_or_default());
            engine.inbox.consume(count);
            if self.meter.is_done() {
                house.learn(self.making, self.container, &self.payload);
                break;
            }
            let goes_on = pending.len() < MOST && !engine.ended;
            if !goes_on || ready!(engine.poll_fill(cx, MAX_HEAD)).is_err() {
                break;
            }
        }
        Poll::Ready(Ok(self.meter))
    }
}
