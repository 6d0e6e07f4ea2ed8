//! The only place that opens a connection to Docker. Two callers: `forward`, which holds a permit,
//! and `engine`, which asks constant questions of our own.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with, sockopt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::wire::socket::{Socket, Stream};

/// How long the engine may take to accept a connection.
pub const DIAL_DEADLINE: Duration = Duration::from_secs(5);

/// How long to wait before asking again while the engine's backlog is full.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// Where Docker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

/// Opens a connection to Docker that the event loop knows, within [`DIAL_DEADLINE`].
pub async fn dial(address: &Address) -> io::Result<Stream> {
    reach(address).await?.into_stream()
}

/// The same; the event loop knows it when there is something to wait for.
pub(super) async fn reach(address: &Address) -> io::Result<Socket> {
    let deadline = Instant::now() + DIAL_DEADLINE;
    timeout_at(deadline, connect(address))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// An engine that goes away without a word is noticed within two minutes, even by who only listens.
fn notice_silence(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(15))?;
    sockopt::set_tcp_keepcnt(stream, 4)?;
    sockopt::set_socket_keepalive(stream, true)?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one door to Docker that clippy.toml speaks of"
)]
async fn connect(address: &Address) -> io::Result<Socket> {
    match address {
        Address::Tcp(authority) => {
            let stream = TcpStream::connect(authority).await?;
            stream.set_nodelay(true)?;
            notice_silence(&stream)?;
            Ok(Stream::Tcp(stream).into())
        }
        // A full backlog answers EAGAIN at once instead of waiting (unix(7)), so the waiting is ours.
        Address::Unix(path) => loop {
            match connect_unix(path) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sleep(BACKLOG_PAUSE).await;
                }
                connected => return connected.map(Socket::fresh),
            }
        },
    }
}

/// A Unix stream is connected, or refused, when connect(2) returns: there is nothing to wait for, as
/// tokio's own `connect` does, which costs a turn of the event loop and a system call more.
fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}
