//! Noticing that a client is gone while we are not reading from it.
//!
//! After a half-close, and while its read-ahead is full, a client's socket cannot be watched by
//! reading. The kernel still reports `EPOLLHUP` on it, but the runtime folds that into a readiness
//! that is already set. A second registration of the same socket, whose write readiness we clear
//! each time it proves to be nothing, shows exactly that edge.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdStream;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::wire::socket::Socket;

/// Resolves when the peer has closed both directions.
#[derive(Debug)]
pub(super) struct Departure {
    twin: Socket,
}

impl Departure {
    /// Watches this client until dropped.
    pub(super) fn of(client: &Socket) -> io::Result<Self> {
        let twin = StdStream::from(client.as_fd().try_clone_to_owned()?);
        Ok(Self {
            twin: Socket::Unix(UnixStream::from_std(twin)?),
        })
    }

    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Socket::Unix(twin) = &self.twin else {
            return Poll::Pending;
        };
        while twin.poll_write_ready(cx).is_ready() {
            if self.twin.peer_is_gone() {
                return Poll::Ready(());
            }
            // The runtime clears a readiness only when told that it led nowhere.
            let nowhere = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            let _cleared = twin.try_io(Interest::WRITABLE, nowhere);
        }
        Poll::Pending
    }
}
