//! One thread's part of a gate: who has come, is there room, and – at the end – who is still in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::Shared;
use super::connection::{Connection, Serving};
use super::deal::{Arrivals, Newcomer};
use super::seat::Seat;
use crate::policy::Policy;

/// How long to wait after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// After so many newcomers in a row those who are in, and other sockets, have a turn.
const IN_A_ROW: u8 = 16;

/// Serves one thread's part of a gate until `ended` says so.
pub(super) async fn serve(
    policy: Arc<Policy>,
    mut arrivals: Arrivals,
    shared: Arc<Shared>,
    mut ended: watch::Receiver<bool>,
) {
    let audit = shared.audit.for_policy(policy.name());
    let mut guests = Guests::new(Arc::new(Serving {
        house: shared.houses.of(policy.name()),
        policy,
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
            arrived = arrivals.next() => match arrived {
                Ok(Some(newcomer)) => guests.admit(newcomer).await,
                Ok(None) => {}
                Err(error) => guests.no_accept(&error).await,
            },
            Some(left) = guests.tasks.join_next_with_id() => guests.leave(left),
            _ = ended.changed() => break,
        }
    }
    drop(arrivals);
    guests.drain().await;
}

/// The connections of one gate that this thread carries.
struct Guests {
    serving: Arc<Serving>,
    tasks: JoinSet<()>,
    places: usize,
    accept_failed: bool,
    crowded: bool,
}

impl Guests {
    fn new(serving: Arc<Serving>) -> Self {
        Self {
            places: serving.places(),
            serving,
            tasks: JoinSet::new(),
            accept_failed: false,
            crowded: false,
        }
    }

    /// Gives a new connection a place, if need be that of the connection idle longest.
    async fn admit(&mut self, newcomer: Newcomer) {
        self.accept_failed = false;
        let seat = match self.serving.house.seat(self.places) {
            Some(seat) => Some(seat),
            None => self.find_seat().await,
        };
        let Some(seat) = seat else {
            self.turn_away(newcomer);
            return;
        };
        self.crowded = false;
        let connection =
            Connection::new(Arc::clone(&self.serving), newcomer, Some(Arc::clone(&seat)));
        let handle = self.tasks.spawn(connection.serve());
        self.serving.house.seated(seat, handle);
    }

    /// A place in a full house.
    async fn find_seat(&mut self) -> Option<Arc<Seat>> {
        // Who came or left in the same moment has not been run yet: a newcomer has not said that it is
        // idle, and a place not been given back. This also lets everybody else have a turn between any
        // two newcomers to a full house.
        yield_now().await;
        while let Some(left) = self.tasks.try_join_next_with_id() {
            self.leave(left);
        }
        let house = &self.serving.house;
        if let Some(seat) = house.seat(self.places) {
            return Some(seat);
        }
        // The place of whoever is closed is free in a moment.
        house.make_room().then(|| house.seat(usize::MAX)).flatten()
    }

    /// Tells a client that there is no place, if there is room for that.
    fn turn_away(&mut self, newcomer: Newcomer) {
        if !std::mem::replace(&mut self.crowded, true) {
            tracing::warn!(
                policy = %self.serving.policy.name(),
                connections = self.places,
                "all connections of a socket are in use; clients are turned away"
            );
        }
        if let Some(standing) = self.serving.house.stand() {
            let connection = Connection::new(Arc::clone(&self.serving), newcomer, None);
            self.tasks.spawn(async move {
                connection.turn_away().await;
                drop(standing);
            });
        }
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
        self.serving.house.left(id);
    }

    /// The next attempt would fail at once again: it waits a little, and a connection that is idle
    /// gives back its descriptors.
    async fn no_accept(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.accept_failed, true) {
            tracing::warn!(policy = %self.serving.policy.name(), %error, "cannot accept connections");
        }
        let out_of_files = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
        if out_of_files.contains(&error.raw_os_error()) {
            self.serving.house.make_room();
        }
        sleep(ACCEPT_PAUSE).await;
    }

    /// Closes what is idle at once and gives the rest its time.
    async fn drain(mut self) {
        self.serving.house.close_idle();
        let limit = self.serving.shared.limits.drain;
        let all_gone = async {
            while let Some(left) = self.tasks.join_next_with_id().await {
                self.leave(left);
            }
        };
        if timeout(limit, all_gone).await.is_err() {
            tracing::info!(
                policy = %self.serving.policy.name(),
                open = self.tasks.len(),
                "calls still open after {limit:?} are cut"
            );
            self.tasks.shutdown().await;
        }
    }
}
