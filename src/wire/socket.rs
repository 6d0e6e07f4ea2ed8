//! One end of a connection: a Unix or TCP stream, polled directly.
//!
//! Polled rather than awaited, because one task watches both ends of an exchange at once, and
//! because tokio's `poll_read` spares the extra `EAGAIN` read that readiness plus `try_read` costs.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

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
    pub fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut into = ReadBuf::new(room);
        let done = match self {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, &mut into),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut into),
        };
        done.map_ok(|()| into.filled().len())
    }

    /// Writes what fits.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Writes what fits of two pieces in one call.
    pub fn poll_write_two(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        if second.is_empty() {
            return self.poll_write(cx, first);
        }
        let pieces = [IoSlice::new(first), IoSlice::new(second)];
        match self {
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, &pieces),
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

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}
