//! The accept loop of one gate: who is there, is there room, and – at the end – who is still in.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Serving};
use super::seat::{Seat, Turns};
use super::{Gate, Shared};

/// How long to wait after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// After so many newcomers in a row those who are in, and other sockets, have a turn.
const IN_A_ROW: u8 = 16;

/// Serves one gate until `ended` says so.
pub(super) async fn serve(gate: Gate, shared: Arc<Shared>, mut ended: watch::Receiver<bool>) {
    let listener = match Listener::new(gate.listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(policy = %gate.policy.name(), %error, "the socket cannot be served");
            return;
        }
    };
    let audit = shared.audit.for_policy(gate.policy.name());
    let mut door = Door::new(Arc::new(Serving {
        house: shared.houses.of(gate.policy.name()),
        policy: gate.policy,
        audit,
        shared,
    }));
    let mut in_a_row = 0;
    loop {
        in_a_row += 1;
        if in_a_row >= IN_A_ROW {
            in_a_row = 0;
            yield_now().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => door.admit(stream).await,
                Err(error) => door.no_accept(&error).await,
            },
            Some(left) = door.guests.join_next_with_id() => door.leave(left),
            _ = ended.changed() => break,
        }
    }
    drop(listener);
    door.drain().await;
}

/// The connections of one gate that this thread carries.
struct Door {
    serving: Arc<Serving>,
    guests: JoinSet<()>,
    seats: HashMap<Id, (Arc<Seat>, AbortHandle)>,
    turns: Arc<Turns>,
    places: usize,
    accept_failed: bool,
    crowded: bool,
}

impl Door {
    fn new(serving: Arc<Serving>) -> Self {
        Self {
            places: serving.places(),
            serving,
            guests: JoinSet::new(),
            seats: HashMap::new(),
            turns: Arc::new(Turns::default()),
            accept_failed: false,
            crowded: false,
        }
    }

    /// Gives a new connection a place, if need be that of the connection idle longest.
    async fn admit(&mut self, stream: OwnedFd) {
        self.accept_failed = false;
        if self.serving.house.is_full(self.places) {
            // Who came or left in the same moment has not been run yet: a newcomer has not said
            // that it is idle, and a place not been given back. This also lets everybody else have
            // a turn between any two newcomers to a full house.
            yield_now().await;
            while let Some(left) = self.guests.try_join_next_with_id() {
                self.leave(left);
            }
            if self.serving.house.is_full(self.places) && !self.make_room() {
                self.turn_away(stream);
                return;
            }
        }
        self.crowded = false;
        let seat = Seat::new(Arc::clone(&self.turns), Arc::clone(&self.serving.house));
        let seat = Arc::new(seat);
        let connection =
            Connection::new(Arc::clone(&self.serving), stream, Some(Arc::clone(&seat)));
        let handle = self.guests.spawn(connection.serve());
        self.seats.insert(handle.id(), (seat, handle));
    }

    /// Tells a client that there is no place, if there is room for that.
    fn turn_away(&mut self, stream: OwnedFd) {
        if !std::mem::replace(&mut self.crowded, true) {
            tracing::warn!(
                policy = %self.serving.policy.name(),
                connections = self.places,
                "all connections of a socket are in use; clients are turned away"
            );
        }
        if let Some(standing) = self.serving.house.stand() {
            let connection = Connection::new(Arc::clone(&self.serving), stream, None);
            self.guests.spawn(async move {
                connection.turn_away().await;
                drop(standing);
            });
        }
    }

    /// Closes the connection that is idle longest; false when every connection carries a request.
    fn make_room(&mut self) -> bool {
        let longest = self
            .seats
            .iter()
            .filter_map(|(id, (seat, _))| Some((seat.idle_since()?, *id)))
            .min()
            .map(|(_, id)| id);
        let Some((seat, handle)) = longest.and_then(|id| self.seats.remove(&id)) else {
            return false;
        };
        let taken = seat.take_away();
        if taken {
            handle.abort();
        } else {
            self.seats.insert(handle.id(), (seat, handle));
        }
        taken
    }

    fn leave(&mut self, left: Result<(Id, ()), JoinError>) {
        let id = match left {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(
                        policy = %self.serving.policy.name(),
                        "a connection ended by an internal error; please report what is above"
                    );
                }
                error.id()
            }
        };
        self.seats.remove(&id);
    }

    /// The next attempt would fail at once again: it waits a little, and a connection that is idle
    /// gives back its descriptors.
    async fn no_accept(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.accept_failed, true) {
            tracing::warn!(policy = %self.serving.policy.name(), %error, "cannot accept connections");
        }
        let out_of_files = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
        if out_of_files.contains(&error.raw_os_error()) {
            self.make_room();
        }
        sleep(ACCEPT_PAUSE).await;
    }

    /// Closes what is idle at once and gives the rest its time.
    async fn drain(mut self) {
        for (seat, handle) in self.seats.values() {
            if seat.take_away() {
                handle.abort();
            }
        }
        let all_gone = async { while self.guests.join_next().await.is_some() {} };
        let limit = self.serving.shared.limits.drain;
        if timeout(limit, all_gone).await.is_err() {
            tracing::info!(
                policy = %self.serving.policy.name(),
                open = self.guests.len(),
                "calls still open after {limit:?} are cut"
            );
            self.guests.shutdown().await;
        }
    }
}

/// A listening socket whose connections are not known to the event loop yet (`wire::socket`), which those that
/// tokio's own listener accepts are. It is waited for as a stream is: the kernel calls both readable when
/// there is something to take.
struct Listener(UnixStream);

impl Listener {
    fn new(listener: UnixListener) -> io::Result<Self> {
        UnixStream::from_std(OwnedFd::from(listener).into()).map(Self)
    }

    async fn accept(&self) -> io::Result<OwnedFd> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accept = || Ok(accept_with(&self.0, flags)?);
        self.0.async_io(Interest::READABLE, accept).await
    }
}
