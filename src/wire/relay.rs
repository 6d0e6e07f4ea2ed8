//! Moving bytes from one socket to another: bounded, with back-pressure, and without holding any
//! memory while nothing moves.
//!
//! Bytes are read into one scratch area per thread and written on in the same breath. Only what
//! the other side does not take at once is kept, at most one piece; until that is gone nothing more is
//! read. Pieces are large while the thread holds little for slow readers, and small when it holds much.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use super::buffer::{self, Buffer};
use super::framing::{BadFraming, Meter};
use super::socket::Socket;

/// How much is moved at a time. A bulk stream costs less in large pieces, and in this one there is
/// room for all that a Unix socket holds for its reader by default (`net.core.wmem_default`, 208 KiB).
const LARGE: usize = 256 * 1024;

/// How much once [`PLENTY`] is in hand.
const SMALL: usize = 64 * 1024;

/// A stream that has carried so much is a bulk stream: its sink is given room for a whole piece. Before
/// that, it would cost two system calls and gain nothing.
const BULK: u64 = 1024 * 1024;

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
}

/// One direction of an exchange.
#[derive(Debug)]
pub struct Flow {
    /// Taken from the source, not yet taken by the sink.
    pub pending: Buffer,
    /// Bytes that the sink took, heads included.
    pub written: u64,
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
            written: 0,
        }
    }

    /// Hands everything pending to the sink.
    pub fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Socket,
    ) -> Poll<Result<(), Broken>> {
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
            ready!(self.poll_step(cx, source, Some(meter), sink))?;
        }
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
        AREA.with_borrow_mut(|area| {
            let room = area.get_mut(..piece()).unwrap_or_default();
            let count = match ready!(source.socket.poll_read(cx, room)) {
                Ok(0) => {
                    source.ended = true;
                    return Poll::Ready(Ok(()));
                }
                Ok(count) => count,
                // A peer that closes with our bytes unread resets the stream (unix(7)); what it
                // sent before has been read by then.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    source.ended = true;
                    return Poll::Ready(Ok(()));
                }
                Err(_) => return Poll::Ready(Err(Broken::Source)),
            };
            let read = area.get(..count).unwrap_or_default();
            let (body, beyond) = match meter {
                Some(meter) => {
                    let end = meter.take(read).map_err(Broken::Framing)?;
                    read.split_at_checked(end).unwrap_or((read, &[]))
                }
                None => (read, &[][..]),
            };
            source.inbox.push(beyond);
            Poll::Ready(self.pass(sink, body))
        })
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

/// A count of bytes as heads and the audit log want it.
pub fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use rustix::net::sockopt::socket_send_buffer_size;

    use super::*;
    use crate::wire::socket::Stream;

    #[tokio::test]
    async fn only_the_sink_of_a_bulk_stream_is_given_more_room() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let sink = Socket::from(Stream::Unix(ours.try_into().unwrap()));
        let ours = sink.fd().unwrap();
        let room = || socket_send_buffer_size(ours).unwrap();
        let before = room();
        let mut flow = Flow::new();
        let mut carry = |bytes: usize| {
            let mut left = bytes;
            while left > 0 {
                let some = left.min(4096);
                flow.pass(&sink, &[0; 4096][..some]).unwrap();
                assert!(flow.pending.is_empty());
                peer.read_exact(&mut [0; 4096][..some]).unwrap();
                left -= some;
            }
        };

        carry(1024 * 1024 - 1);
        assert_eq!(room(), before);
        carry(1);

        // A machine may allow no more than its default, or have more by default.
        let allowed = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap();
        let allowed = 2 * allowed.trim().parse::<usize>().unwrap().min(LARGE);
        assert_eq!(room(), before.max(allowed));
    }
}
