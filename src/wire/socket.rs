//! One end of a connection: a Unix or TCP stream, polled directly.
//!
//! Polled rather than awaited, because one task watches both ends of an exchange at once, and
//! because the loop in `poll_io` knows what a system call left behind.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_send_buffer_size, socket_send_buffer_size};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use super::buffer::Buffer;

/// A connected stream.
#[derive(Debug)]
pub enum Socket {
    /// A Unix stream: every client, and the engine as a rule.
    Unix(UnixStream),
    /// A TCP stream: an engine behind `--docker tcp://…`.
    Tcp(TcpStream),
}

impl Socket {
    /// Reads what is there; 0 is the end.
    pub fn poll_read(&self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Interest::READABLE, |fd| receive(fd, room))
    }

    /// The same into a buffer of which less than `most` bytes are in hand. Most polls find nothing,
    /// so memory is borrowed only when there is something to put into it.
    pub fn poll_fill(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut Buffer,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Interest::READABLE, |fd| {
            let read = receive(fd, buffer.room(most).unwrap_or_default());
            buffer.filled(read.as_ref().map_or(0, |moved| moved.count));
            read
        })
    }

    /// Writes what fits now, and waits for nothing: 0 when nothing does.
    pub fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match send(self, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Ok(0),
            sent => Ok(sent?),
        }
    }

    /// Writes what fits, as soon as anything does.
    ///
    /// INVARIANT: whether the event loop calls the socket writable decides nothing here, only when to try
    /// again; see [`Socket::poll_gone`].
    pub fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.poll_io(cx, Interest::WRITABLE, |fd| {
            let count = send(fd, bytes, SendFlags::NOSIGNAL)?;
            Ok(Moved {
                count,
                is_all: count == bytes.len(),
            })
        });
        match written {
            // The task is woken by what happens from here on.
            Poll::Pending => match self.write_now(bytes) {
                Ok(0) => Poll::Pending,
                written => Poll::Ready(written),
            },
            written @ Poll::Ready(_) => written,
        }
    }

    /// Resolves when the peer has closed both directions, for a socket that is neither read from nor
    /// waited for to be written to.
    ///
    /// The kernel reports that (`EPOLLHUP`), and the runtime folds it into a readiness to be written to
    /// that is set already. So that readiness is cleared each time it proves to be nothing.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        while ready!(self.poll_ready(cx, Interest::WRITABLE)).is_ok() {
            if self.peer_is_gone() {
                break;
            }
            // The runtime clears a readiness only when told that it led nowhere.
            let _cleared =
                self.try_io(Interest::WRITABLE, || Err(io::ErrorKind::WouldBlock.into()));
        }
        Poll::Ready(())
    }

    /// One system call when the socket is ready for it.
    ///
    /// A call that moved less than it could has left the socket drained, or full (epoll(7)): to take
    /// note of that spares the next call, which would only be told `EAGAIN`.
    fn poll_io(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        mut call: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Moved>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_ready(cx, interest))?;
            let mut count = None;
            let once = || {
                let moved = call(self.as_fd())?;
                count = Some(moved.count);
                if moved.is_all || moved.count == 0 {
                    Ok(())
                } else {
                    Err(io::ErrorKind::WouldBlock.into())
                }
            };
            let tried = self.try_io(interest, once);
            match (count, tried) {
                (Some(count), _) => return Poll::Ready(Ok(count)),
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                // It was not ready after all.
                (None, _) => {}
            }
        }
    }

    fn try_io(&self, interest: Interest, once: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.try_io(interest, once),
            Self::Tcp(stream) => stream.try_io(interest, once),
        }
    }

    fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<io::Result<()>> {
        match (self, interest.is_readable()) {
            (Self::Unix(stream), true) => stream.poll_read_ready(cx),
            (Self::Unix(stream), false) => stream.poll_write_ready(cx),
            (Self::Tcp(stream), true) => stream.poll_read_ready(cx),
            (Self::Tcp(stream), false) => stream.poll_write_ready(cx),
        }
    }

    /// Has the kernel take `size` bytes at once, as far as it allows (`net.core.wmem_max`): what it does
    /// not take has to wait, and waiting is most of what a bulk stream costs. TCP finds its own size, and
    /// stops looking for it when told one (tcp(7)).
    pub fn make_room(&self, size: usize) {
        if let Self::Unix(stream) = self {
            // The kernel says twice what it was told, for its own bookkeeping (socket(7)).
            let has = socket_send_buffer_size(stream).map_or(usize::MAX, |size| size / 2);
            if has < size {
                // As it was, it works just as well, and slower.
                let _as_it_was = set_socket_send_buffer_size(stream, size);
            }
        }
    }

    /// Tells the other side that nothing more will come. Failing means that it is gone already.
    pub fn shut_writing(&self) {
        let _gone = rustix::net::shutdown(self, rustix::net::Shutdown::Write);
    }

    /// After an end of file: whether the peer closed altogether (`POLLHUP`), or only stopped
    /// sending (`POLLRDHUP`) and still listens. Readiness alone cannot tell the two apart.
    pub fn peer_is_gone(&self) -> bool {
        let mut fds = [PollFd::new(self, PollFlags::RDHUP)];
        match poll(&mut fds, Some(&rustix::event::Timespec::default())) {
            Ok(_) => fds
                .iter()
                .any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR)),
            Err(_) => true,
        }
    }
}

/// What one system call moved.
struct Moved {
    count: usize,
    /// As much as it was asked to.
    is_all: bool,
}

fn receive(fd: BorrowedFd<'_>, room: &mut [u8]) -> rustix::io::Result<Moved> {
    let most = room.len();
    let (count, _) = recv(fd, room, RecvFlags::empty())?;
    Ok(Moved {
        count,
        is_all: count == most,
    })
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}
