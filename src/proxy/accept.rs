//! The accept loop of one gate: who is there, is there room, and – at the end – who is still in.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Serving};
use super::seat::{Seat, Turns};
use super::{Gate, Shared};
use crate::facts::Caller;

/// How long to wait after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves one gate until `ended` says so.
pub(super) async fn serve(gate: Gate, shared: Arc<Shared>, mut ended: watch::Receiver<bool>) {
    let listener = match UnixListener::from_std(gate.listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(policy = %gate.policy.name(), %error, "the socket cannot be served");
            return;
        }
    };
    let audit = shared.audit.for_policy(gate.policy.name());
    let mut house = House::new(Arc::new(Serving {
        policy: gate.policy,
        audit,
        shared,
    }));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => house.admit(stream).await,
                Err(error) => house.no_accept(&error).await,
            },
            Some(left) = house.guests.join_next_with_id() => house.leave(left),
            _ = ended.changed() => break,
        }
    }
    drop(listener);
    house.drain().await;
}

/// The connections of one gate.
struct House {
    serving: Arc<Serving>,
    guests: JoinSet<()>,
    seats: HashMap<Id, (Arc<Seat>, AbortHandle)>,
    turns: Arc<Turns>,
    accept_failed: bool,
}

impl House {
    fn new(serving: Arc<Serving>) -> Self {
        Self {
            serving,
            guests: JoinSet::new(),
            seats: HashMap::new(),
            turns: Arc::new(Turns::default()),
            accept_failed: false,
        }
    }

    /// Gives a new connection a place, if need be that of the connection idle longest.
    async fn admit(&mut self, stream: UnixStream) {
        self.accept_failed = false;
        let caller = identify(&stream);
        let full = self.seats.len() >= self.serving.policy.limits().connections;
        if full && !self.make_room() {
            Connection::new(Arc::clone(&self.serving), stream, caller, None)
                .turn_away()
                .await;
            return;
        }
        let seat = Arc::new(Seat::new(Arc::clone(&self.turns)));
        let connection = Connection::new(
            Arc::clone(&self.serving),
            stream,
            caller,
            Some(Arc::clone(&seat)),
        );
        let handle = self.guests.spawn(connection.serve());
        self.seats.insert(handle.id(), (seat, handle));
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

    async fn no_accept(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.accept_failed, true) {
            tracing::warn!(policy = %self.serving.policy.name(), %error, "cannot accept connections");
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

/// Who connected, as the kernel recorded it (`SO_PEERCRED`). A pid of 0 means: not visible from our
/// pid namespace.
fn identify(stream: &UnixStream) -> Caller {
    stream.peer_cred().map_or_else(
        |_| Caller::default(),
        |peer| Caller {
            uid: Some(peer.uid()),
            gid: Some(peer.gid()),
            pid: peer.pid().filter(|pid| *pid > 0),
        },
    )
}
