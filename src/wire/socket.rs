//! One end of a connection: a Unix or TCP stream, polled directly.
//!
//! Polled rather than awaited, because one task watches both ends of an exchange at once, and
//! because the loop in `poll_io` knows what a system call left behind.
//!
//! The event loop is told of a fresh connection only when there is something to wait for: a client that connects
//! for one request often has it in hand when it is accepted, and is done before anybody would have waited. So is
//! the engine's connection that was made for it, when there are others to look after meanwhile.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_send_buffer_size, socket_send_buffer_size};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use tokio::io::Interest;
use tokio::net::unix::UCred;
use tokio::net::{TcpStream, UnixStream};

use super::buffer::Buffer;
use super::pipe::{Filled, Pipe};

/// A connected stream that the event loop knows.
#[derive(Debug)]
pub enum Stream {
    /// A Unix stream: every client, and the engine as a rule.
    Unix(UnixStream),
    /// A TCP stream: an engine behind `--docker tcp://…`.
    Tcp(TcpStream),
}

/// A connected stream.
#[derive(Debug)]
pub struct Socket(State);

#[derive(Debug)]
enum State {
    /// The event loop does not know it yet, after so many system calls.
    Fresh(OwnedFd, u8),
    Known(Stream),
    /// The event loop would not have it.
    Lost,
}

/// How many system calls a socket may be fresh for.
///
/// SECURITY: what is done without the event loop does not count for the turns that tasks get (tokio's `coop`). A
/// client whose bytes never run dry would keep its thread from everybody else.
const FRESH_CALLS: u8 = 8;

impl Socket {
    /// A Unix socket that does not block and that the event loop does not know.
    pub fn fresh(stream: OwnedFd) -> Self {
        Self(State::Fresh(stream, 0))
    }

    /// Whether the event loop does not know it yet.
    pub fn is_fresh(&self) -> bool {
        matches!(self.0, State::Fresh(..))
    }

    /// For who does not poll it.
    pub fn into_stream(mut self) -> io::Result<Stream> {
        self.known()?;
        match self.0 {
            State::Known(stream) => Ok(stream),
            State::Fresh(..) | State::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Who is at the other end of a Unix stream, as the kernel recorded it when that one connected
    /// (`SO_PEERCRED`).
    pub fn peer(&mut self) -> io::Result<UCred> {
        match self.known()? {
            Stream::Unix(stream) => stream.peer_cred(),
            Stream::Tcp(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Reads what is there; 0 is the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Interest::READABLE, |fd| receive(fd, room))
    }

    /// The same into a buffer of which less than `most` bytes are in hand. Most polls find nothing,
    /// so memory is borrowed only when there is something to put into it.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Buffer,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Interest::READABLE, |fd| receive_into(fd, buffer, most))
    }

    /// The same for who comes again without being woken: a fresh socket stays fresh.
    pub fn fill_now(&self, buffer: &mut Buffer, most: usize) -> Poll<io::Result<usize>> {
        match receive_into(self.fd()?, buffer, most) {
            Err(Errno::AGAIN) => Poll::Pending,
            moved => Poll::Ready(Ok(moved?.count)),
        }
    }

    /// Reads up to `most` bytes into a pipe.
    pub fn poll_fill_pipe(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        most: usize,
    ) -> Poll<io::Result<Filled>> {
        let mut filled = Filled::End;
        ready!(self.poll_io(cx, Interest::READABLE, |fd| {
            filled = pipe.fill(fd, most)?;
            // Less than all says nothing about the socket: it may be the pipe's measure.
            Ok(Moved {
                count: 1,
                is_all: true,
            })
        }))?;
        Poll::Ready(Ok(filled))
    }

    /// Of a listening socket: takes in the next connection, which the event loop is not told of.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<OwnedFd>> {
        let mut taken = None;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        ready!(self.poll_io(cx, Interest::READABLE, |fd| {
            taken = Some(accept_with(fd, flags)?);
            Ok(Moved {
                count: 1,
                is_all: true,
            })
        }))?;
        Poll::Ready(taken.ok_or_else(|| io::ErrorKind::WouldBlock.into()))
    }

    /// Writes what fits now, and waits for nothing: 0 when nothing does.
    pub fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match send(self.fd()?, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Ok(0),
            sent => Ok(sent?),
        }
    }

    /// Writes what fits, as soon as anything does.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_out(cx, |fd| {
            let count = send(fd, bytes, SendFlags::NOSIGNAL)?;
            Ok(Moved {
                count,
                is_all: count == bytes.len(),
            })
        })
    }

    /// The same with what is in a pipe.
    pub fn poll_pour(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        self.poll_out(cx, |fd| {
            let count = pipe.pour(fd)?;
            Ok(Moved {
                count,
                is_all: pipe.holds() == 0,
            })
        })
    }

    /// INVARIANT: whether the event loop calls the socket writable decides nothing here, only when to try
    /// again; see [`Socket::poll_gone`].
    fn poll_out(
        &mut self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Moved>,
    ) -> Poll<io::Result<usize>> {
        match self.poll_io(cx, Interest::WRITABLE, &mut call) {
            // The task is woken by what happens from here on.
            Poll::Pending => match call(self.fd()?) {
                Err(Errno::AGAIN) => Poll::Pending,
                moved => Poll::Ready(Ok(moved?.count)),
            },
            written @ Poll::Ready(_) => written,
        }
    }

    /// Resolves when the peer has closed both directions, for a socket that is neither read from nor
    /// waited for to be written to.
    ///
    /// The kernel reports that (`EPOLLHUP`), and the runtime folds it into a readiness to be written to
    /// that is set already. So that readiness is cleared each time it proves to be nothing.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Ok(stream) = self.known() else {
            return Poll::Ready(());
        };
        while ready!(stream.poll_ready(cx, Interest::WRITABLE)).is_ok() {
            if is_gone(stream.as_fd()) {
                break;
            }
            // The runtime clears a readiness only when told that it led nowhere.
            let _cleared =
                stream.try_io(Interest::WRITABLE, || Err(io::ErrorKind::WouldBlock.into()));
        }
        Poll::Ready(())
    }

    /// One system call when the socket is ready for it.
    ///
    /// A call that moved less than it could has left the socket drained, or full (epoll(7)): to take
    /// note of that spares the next call, which would only be told `EAGAIN`.
    fn poll_io(
        &mut self,
        cx: &mut Context<'_>,
        interest: Interest,
        mut call: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Moved>,
    ) -> Poll<io::Result<usize>> {
        if let State::Fresh(fd, calls) = &mut self.0
            && *calls < FRESH_CALLS
        {
            *calls += 1;
            match call(fd.as_fd()) {
                Err(Errno::AGAIN) => {}
                moved => return Poll::Ready(Ok(moved?.count)),
            }
        }
        let stream = self.known()?;
        loop {
            ready!(stream.poll_ready(cx, interest))?;
            let mut count = None;
            let once = || {
                let moved = call(stream.as_fd())?;
                count = Some(moved.count);
                if moved.is_all || moved.count == 0 {
                    Ok(())
                } else {
                    Err(io::ErrorKind::WouldBlock.into())
                }
            };
            let tried = stream.try_io(interest, once);
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

    /// Has the event loop know it.
    fn known(&mut self) -> io::Result<&Stream> {
        if self.is_fresh()
            && let State::Fresh(fd, _) = std::mem::replace(&mut self.0, State::Lost)
        {
            self.0 = State::Known(Stream::Unix(UnixStream::from_std(fd.into())?));
        }
        match &self.0 {
            State::Known(stream) => Ok(stream),
            State::Fresh(..) | State::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(super) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        match &self.0 {
            State::Fresh(fd, _) => Ok(fd.as_fd()),
            State::Known(stream) => Ok(stream.as_fd()),
            State::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Has the kernel take `size` bytes at once, as far as it allows (`net.core.wmem_max`): what it does
    /// not take has to wait, and waiting is most of what a bulk stream costs. TCP finds its own size, and
    /// stops looking for it when told one (tcp(7)).
    pub fn make_room(&self, size: usize) {
        let fd = match &self.0 {
            State::Fresh(fd, _) => fd.as_fd(),
            State::Known(Stream::Unix(stream)) => stream.as_fd(),
            State::Known(Stream::Tcp(_)) | State::Lost => return,
        };
        // The kernel says twice what it was told, for its own bookkeeping (socket(7)).
        let has = socket_send_buffer_size(fd).map_or(usize::MAX, |size| size / 2);
        if has < size {
            // As it was, it works just as well, and slower.
            let _as_it_was = set_socket_send_buffer_size(fd, size);
        }
    }

    /// Tells the other side that nothing more will come. Failing means that it is gone already.
    pub fn shut_writing(&self) {
        let _gone = self
            .fd()
            .map(|fd| rustix::net::shutdown(fd, rustix::net::Shutdown::Write));
    }

    /// After an end of file: whether the peer closed altogether (`POLLHUP`), or only stopped
    /// sending (`POLLRDHUP`) and still listens. Readiness alone cannot tell the two apart.
    pub fn peer_is_gone(&self) -> bool {
        self.fd().map_or(true, is_gone)
    }

    /// Whether something has come that was not read.
    pub fn has_unread(&self) -> bool {
        let peeked = self.fd().map(|fd| recv(fd, &mut [0; 1], RecvFlags::PEEK));
        matches!(peeked, Ok(Ok((count, _))) if count > 0)
    }
}

fn is_gone(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::RDHUP)];
    match poll(&mut fds, Some(&rustix::event::Timespec::default())) {
        Ok(_) => fds
            .iter()
            .any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR)),
        Err(_) => true,
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

/// Memory is borrowed for as long as there is something in it.
fn receive_into(fd: BorrowedFd<'_>, buffer: &mut Buffer, most: usize) -> rustix::io::Result<Moved> {
    let read = receive(fd, buffer.room(most).unwrap_or_default());
    buffer.filled(read.as_ref().map_or(0, |moved| moved.count));
    read
}

impl Stream {
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
}

impl From<Stream> for Socket {
    fn from(stream: Stream) -> Self {
        Self(State::Known(stream))
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use rustix::fs::{Mode, OFlags};

    use super::*;

    #[tokio::test]
    async fn a_socket_whose_bytes_never_run_dry_is_not_fresh_for_long() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        peer.write_all(&[7; 64]).unwrap();
        let mut socket = Socket::fresh(ours.into());

        for calls in 1..=64 {
            let mut room = [0];
            let read = poll_fn(|cx| socket.poll_read(cx, &mut room)).await;
            assert_eq!((read.unwrap(), room), (1, [7]));
            assert_eq!(socket.is_fresh(), calls <= FRESH_CALLS, "{calls}");
        }
    }

    #[tokio::test]
    async fn a_fresh_socket_is_waited_for_when_it_has_nothing_to_say() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut socket = Socket::fresh(ours.into());

        let mut room = [0];
        let first = poll_fn(|cx| Poll::Ready(socket.poll_read(cx, &mut room))).await;
        assert!(first.is_pending());
        assert!(!socket.is_fresh());
        peer.write_all(b"x").unwrap();
        let read = poll_fn(|cx| socket.poll_read(cx, &mut room)).await;
        assert_eq!((read.unwrap(), room), (1, [b'x']));
    }

    #[tokio::test]
    async fn a_fresh_socket_that_is_asked_without_waiting_stays_fresh() {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let socket = Socket::fresh(ours.into());
        let mut buffer = Buffer::default();

        assert!(socket.fill_now(&mut buffer, 64).is_pending());
        peer.write_all(b"answer").unwrap();
        let read = socket.fill_now(&mut buffer, 64);
        assert!(matches!(read, Poll::Ready(Ok(6))), "{read:?}");
        assert_eq!(buffer.bytes(), b"answer");
        drop(peer);
        let read = socket.fill_now(&mut buffer, 64);
        assert!(matches!(read, Poll::Ready(Ok(0))), "{read:?}");
        assert!(socket.is_fresh());
    }

    #[tokio::test]
    async fn a_socket_that_the_event_loop_will_not_have_is_gone() {
        // It takes no file for which there is nothing to wait (epoll_ctl(2), EPERM).
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = rustix::fs::open("/dev/null", flags, Mode::empty()).unwrap();
        let mut socket = Socket::fresh(file);

        assert!(socket.peer().is_err());
        assert!(socket.peer_is_gone());
        assert!(socket.write_now(b"x").is_err());
        poll_fn(|cx| socket.poll_gone(cx)).await;
        let mut room = [0];
        let read = poll_fn(|cx| socket.poll_read(cx, &mut room)).await;
        assert!(read.is_err(), "{read:?}");
    }
}
