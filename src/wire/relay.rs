//! Moving bytes from one socket to another: bounded, with back-pressure, and without holding any
//! memory while nothing moves.
//!
//! Bytes are read into one scratch area per thread and written on in the same breath. Only what
//! the other side does not take at once is kept, at most one piece; until that is gone nothing more is
//! read. Pieces are large while the thread holds little for slow readers, and small when it holds much.
//!
//! A bulk stream's payload need not be seen, so it takes the way round: through a [`Pipe`], inside the kernel.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use super::buffer::{self, Buffer};
use super::framing::{BadFraming, Meter};
use super::pipe::{Filled, Pipe};
use super::socket::Socket;

/// How much is moved at a time. A bulk stream costs less in large pieces, and in this one there is
/// room for all that a Unix socket holds for its reader by default (`net.core.wmem_default`, 208 KiB).
const LARGE: usize = 256 * 1024;

/// How much once [`PLENTY`] is in hand.
const SMALL: usize = 64 * 1024;

/// A stream that has carried so much is a bulk stream: its sink is given room for a whole piece. Before
/// that, it would cost two system calls and gain nothing.
const BULK: u64 = 1024 * 1024;

/// In chunks of so much and more, a bulk stream goes the way round, through a [`Pipe`].
const LONG: u64 = 16 * 1024;

/// How much is read where a chunk ends: room for what lies between two chunks.
const BETWEEN: usize = 64;

/// How much a thread holds for slow readers before it reads no more than [`SMALL`] for each of them.
const PLENTY: usize = 8 * 1024 * 1024;

thread_local! {
    /// Pages that are never filled take no memory.
    static AREA: RefCell<Box<[u8]>> = RefCell::new(vec![0; LARGE].into_boxed_slice());
}

/// How much one direction may take now, and keep if the other side does not take it.
fn piece() -> usize {
    if buffer::in_hand() < PLENTY {
        LARGE
    } else {
        SMALL
    }
}

/// One end of a connection and what was read from it too early.
#[derive(Debug)]
pub struct End {
    /// The stream.
    pub socket: Socket,
    /// Bytes read that belong to a later message (or to a tunnel that is not open yet).
    pub inbox: Buffer,
    /// It will send nothing more.
    pub ended: bool,
}

impl End {
    /// A fresh connection.
    pub fn new(socket: Socket) -> Self {
        Self {
            socket,
            inbox: Buffer::default(),
            ended: false,
        }
    }

    /// Whether all that has come is read, and used. Of a socket that the event loop knows, all is read as it
    /// comes.
    pub fn is_read(&self) -> bool {
        self.inbox.is_empty() && !(self.socket.is_fresh() && self.socket.has_unread())
    }

    /// Reads once, up to `most` bytes, and hands on those that belong to the body. Bytes beyond it go to the inbox.
    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        meter: Option<&mut Meter>,
        most: usize,
        pass: impl FnOnce(&[u8]) -> Result<(), Broken>,
    ) -> Poll<Result<(), Broken>> {
        AREA.with_borrow_mut(|area| {
            let room = area.get_mut(..most).unwrap_or_default();
            let count = match ready!(self.socket.poll_read(cx, room)) {
                Ok(0) => {
                    self.ended = true;
                    return Poll::Ready(Ok(()));
                }
                Ok(count) => count,
                Err(error) => return Poll::Ready(self.failed(&error)),
            };
            let read = area.get(..count).unwrap_or_default();
            let (body, beyond) = match meter {
                Some(meter) => {
                    let end = meter.take(read).map_err(Broken::Framing)?;
                    read.split_at_checked(end).unwrap_or((read, &[]))
                }
                None => (read, &[][..]),
            };
            self.inbox.push(beyond);
            Poll::Ready(pass(body))
        })
    }

    /// A peer that closes with our bytes unread resets the stream (unix(7)); what it sent before has been read by
    /// then.
    fn failed(&mut self, error: &io::Error) -> Result<(), Broken> {
        self.ended = error.kind() == io::ErrorKind::ConnectionReset;
        if self.ended {
            Ok(())
        } else {
            Err(Broken::Source)
        }
    }

    /// Reads once into the inbox, up to `most` bytes in hand. `Ready(0)` is the end; `Pending` also
    /// when there is no room.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        if self.inbox.len() >= most {
            return Poll::Pending;
        }
        let read = self.socket.poll_fill(cx, &mut self.inbox, most);
        self.ended |= matches!(read, Poll::Ready(Ok(0)));
        read
    }

    /// The same for who comes again without being woken.
    pub fn fill_now(&mut self, most: usize) -> Poll<io::Result<usize>> {
        if self.inbox.len() >= most {
            return Poll::Pending;
        }
        let read = self.socket.fill_now(&mut self.inbox, most);
        self.ended |= matches!(read, Poll::Ready(Ok(0)));
        read
    }
}

/// One direction of an exchange.
#[derive(Debug)]
pub struct Flow {
    /// Taken from the source, not yet taken by the sink.
    pub pending: Buffer,
    /// The same, and before that: payload on its way round.
    pipe: Option<Pipe>,
    course: Course,
    /// Bytes that the sink took, heads included.
    pub written: u64,
}

/// How payload travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Read and written.
    Straight,
    /// Through the pipe.
    Round,
    /// Read and written, because this kernel, or who filters what we ask of it, would not have it otherwise.
    Barred,
}

/// Why a direction stops before its end.
#[derive(Debug)]
pub enum Broken {
    /// The source ended before the body did.
    Cut,
    /// The source's bytes are not what its head promised.
    Framing(BadFraming),
    /// The source failed.
    Source,
    /// The sink takes nothing more.
    Sink,
}

impl Flow {
    /// A direction in which nothing has moved yet.
    pub fn new() -> Self {
        Self {
            pending: Buffer::default(),
            pipe: None,
            course: Course::Straight,
            written: 0,
        }
    }

    /// Whether the sink has taken all that was taken from the source.
    pub fn is_clear(&self) -> bool {
        self.pending.is_empty() && self.pipe.as_ref().is_none_or(|pipe| pipe.holds() == 0)
    }

    /// Hands everything pending to the sink.
    pub fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Socket,
    ) -> Poll<Result<(), Broken>> {
        while let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.holds() > 0) {
            match ready!(sink.poll_pour(cx, pipe)) {
                Ok(count) if count > 0 => self.count(count, sink),
                _ => return Poll::Ready(Err(Broken::Sink)),
            }
        }
        while !self.pending.is_empty() {
            match ready!(sink.poll_write(cx, self.pending.bytes())) {
                Ok(count) if count > 0 => {
                    self.pending.consume(count);
                    self.count(count, sink);
                }
                _ => return Poll::Ready(Err(Broken::Sink)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Moves a body until the meter says that it is complete and the sink has taken all of it.
    /// Bytes beyond the body stay in the source's inbox.
    pub fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut End,
        meter: &mut Meter,
        sink: &mut Socket,
    ) -> Poll<Result<(), Broken>> {
        loop {
            ready!(self.poll_flush(cx, sink))?;
            if meter.is_done() {
                return Poll::Ready(Ok(()));
            }
            if !source.inbox.is_empty() {
                let count = meter.take(source.inbox.bytes()).map_err(Broken::Framing)?;
                let body = source.inbox.bytes().get(..count).unwrap_or_default();
                self.pass(sink, body)?;
                source.inbox.consume(count);
                continue;
            }
            if source.ended {
                return Poll::Ready(if meter.may_end() {
                    Ok(())
                } else {
                    Err(Broken::Cut)
                });
            }
            if self.goes_round(meter) {
                ready!(self.poll_round(cx, source, meter))?;
            } else {
                ready!(self.poll_step(cx, source, Some(meter), sink))?;
            }
        }
    }

    /// Whether what comes next goes through a pipe: payload of a bulk stream in long pieces.
    fn goes_round(&mut self, meter: &Meter) -> bool {
        let may = self.course == Course::Straight;
        if may && self.written >= BULK && is_long(meter) {
            self.pipe = self.pipe.take().or_else(Pipe::open);
            if self.pipe.is_some() {
                self.course = Course::Round;
            }
        }
        self.course == Course::Round
    }

    /// Fills the pipe with what has come.
    ///
    /// SECURITY: what is in a pipe may be pages that the sender can still write to (vmsplice(2)). So nothing that
    /// says where a chunk ends goes in unread: the bytes between chunks are read, judged, and written to it.
    fn poll_round(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut End,
        meter: &mut Meter,
    ) -> Poll<Result<(), Broken>> {
        let Some(pipe) = &mut self.pipe else {
            return Poll::Ready(Ok(()));
        };
        while !meter.is_done() && self.pending.is_empty() && pipe.holds() < LARGE {
            let run = usize::try_from(meter.run()).unwrap_or(usize::MAX);
            if run > 0 {
                let most = run.min(LARGE - pipe.holds());
                match source.socket.poll_fill_pipe(cx, pipe, most) {
                    Poll::Ready(Ok(Filled::More(count))) => meter.skip(wide(count)),
                    Poll::Ready(Ok(Filled::Full)) => break,
                    Poll::Ready(Ok(Filled::End)) => source.ended = true,
                    // If it is the source's, reading will say so.
                    Poll::Ready(Err(_)) => {
                        self.course = Course::Barred;
                        break;
                    }
                    Poll::Pending if pipe.holds() > 0 => break,
                    Poll::Pending => return Poll::Pending,
                }
            } else {
                let mut read = 0;
                let behind = |bytes: &[u8]| {
                    read = bytes.len();
                    if !pipe.push(bytes) {
                        self.pending.push(bytes);
                    }
                    Ok(())
                };
                match source.poll_take(cx, Some(meter), BETWEEN, behind) {
                    Poll::Ready(taken) => taken?,
                    Poll::Pending if pipe.holds() > 0 => break,
                    Poll::Pending => return Poll::Pending,
                }
                // Short chunks are faster read many at a time.
                let is_cut = meter.run() == 0 && read < BETWEEN;
                if !is_cut && !is_long(meter) {
                    self.course = Course::Straight;
                    break;
                }
            }
            if source.ended {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Moves raw bytes until the source ends and the sink has taken all of them.
    pub fn poll_raw(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut End,
        sink: &mut Socket,
    ) -> Poll<Result<(), Broken>> {
        loop {
            ready!(self.poll_flush(cx, sink))?;
            if !source.inbox.is_empty() {
                let early = std::mem::take(&mut source.inbox);
                self.pass(sink, early.bytes())?;
                continue;
            }
            if source.ended {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_step(cx, source, None, sink))?;
        }
    }

    /// One read and one write.
    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut End,
        meter: Option<&mut Meter>,
        sink: &mut Socket,
    ) -> Poll<Result<(), Broken>> {
        source.poll_take(cx, meter, piece(), |bytes| self.pass(sink, bytes))
    }

    /// Writes what the sink takes now and keeps the rest, which [`Flow::poll_flush`] waits for.
    pub fn pass(&mut self, sink: &Socket, bytes: &[u8]) -> Result<(), Broken> {
        if bytes.is_empty() {
            return Ok(());
        }
        let taken = if self.pending.is_empty() {
            sink.write_now(bytes).map_err(|_| Broken::Sink)?
        } else {
            0
        };
        self.count(taken, sink);
        self.pending.push(bytes.get(taken..).unwrap_or_default());
        Ok(())
    }

    fn count(&mut self, taken: usize, sink: &Socket) {
        let before = self.written;
        self.written += wide(taken);
        if before < BULK && self.written >= BULK && piece() == LARGE {
            sink.make_room(LARGE);
        }
    }
}

impl Default for Flow {
    fn default() -> Self {
        Self::new()
    }
}

/// In the middle of a long piece of payload.
fn is_long(meter: &Meter) -> bool {
    meter.run() > 0 && meter.chunk() >= LONG
}

/// A count of bytes as heads and the audit log want it.
pub fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
