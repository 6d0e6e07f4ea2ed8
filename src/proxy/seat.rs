//! A client's place in a full house: how many there are, and which connection may be closed to make
//! room.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{self, AbortHandle};

use super::limits::{KEPT_BODIES, STANDING};
use super::made::{Made, Making};
use crate::engine::id::Id;
use crate::facts::Origin;

const BUSY: u64 = 0;
const TAKEN_AWAY: u64 = u64::MAX;

/// The houses of all sockets. Looked up once per socket and thread, never by a request.
#[derive(Debug, Default)]
pub(super) struct Houses(Mutex<HashMap<Arc<str>, Arc<House>>>);

/// What the threads that serve one socket have in common.
#[derive(Debug)]
pub(super) struct House {
    /// Connections that have a place.
    taken: AtomicUsize,
    /// Connections that have none, and are about to be told so.
    standing: Arc<Semaphore>,
    /// Bodies that may be kept in memory.
    bodies: Arc<Semaphore>,
    /// What was made through the socket.
    made: Mutex<Made>,
    /// Who sits where, on any thread.
    seats: Mutex<HashMap<task::Id, (Arc<Seat>, AbortHandle)>>,
    /// How often a connection fell idle, so that "idle longest" is "idle since the smallest number".
    turns: AtomicU64,
}

/// One of the house's places, given back when dropped.
#[derive(Debug)]
struct Place(Arc<House>);

/// One connection's place.
#[derive(Debug)]
pub(super) struct Seat {
    idle_since: AtomicU64,
    place: Place,
}

// === impl Houses ===

impl Houses {
    /// The house of the socket that this policy guards.
    pub(super) fn of(&self, policy: &Arc<str>) -> Arc<House> {
        let mut houses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(houses.entry(Arc::clone(policy)).or_default())
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<House>> {
        let houses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        houses.values().map(Arc::clone).collect()
    }
}

// === impl House ===

impl Default for House {
    fn default() -> Self {
        Self {
            taken: AtomicUsize::new(0),
            standing: Arc::new(Semaphore::new(STANDING)),
            bodies: Arc::new(Semaphore::new(KEPT_BODIES)),
            made: Mutex::default(),
            seats: Mutex::default(),
            turns: AtomicU64::new(0),
        }
    }
}

impl House {
    /// A place for a connection that is just being set up, if fewer than `places` are taken.
    pub(super) fn seat(self: &Arc<Self>, places: usize) -> Option<Arc<Seat>> {
        let place = Place::take(Arc::clone(self), places)?;
        Some(Arc::new(Seat {
            idle_since: AtomicU64::new(BUSY),
            place,
        }))
    }

    /// Who has taken a seat can be asked to leave.
    pub(super) fn seated(&self, seat: Arc<Seat>, task: AbortHandle) {
        self.seats().insert(task.id(), (seat, task));
    }

    /// A seat is free again.
    pub(super) fn left(&self, task: task::Id) {
        // Dropped after the lock is.
        let _seat = self.seats().remove(&task);
    }

    /// Closes the connection that is idle longest; false when every connection carries a request.
    pub(super) fn make_room(&self) -> bool {
        let mut seats = self.seats();
        let idle = seats
            .iter()
            .filter_map(|(id, (seat, _))| Some((seat.idle_since()?, *id)));
        let longest = idle.min().map(|(_, id)| id);
        let Some((seat, task)) = longest.and_then(|id| seats.remove(&id)) else {
            return false;
        };
        let taken = seat.take_away();
        if taken {
            drop(seats);
            task.abort();
        } else {
            seats.insert(task.id(), (seat, task));
        }
        taken
    }

    /// Closes every connection that is idle.
    pub(super) fn close_idle(&self) {
        for (seat, task) in self.seats().values() {
            if seat.take_away() {
                task.abort();
            }
        }
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<task::Id, (Arc<Seat>, AbortHandle)>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room to be told that there is no place; `None` when that is taken too.
    pub(super) fn stand(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.standing).try_acquire_owned().ok()
    }

    /// Goes on from what was made before.
    pub(super) fn remember(&self, before: Made) {
        *self.made() = before;
    }

    /// Remembers what an engine's answer to a create names.
    pub(super) fn learn(&self, making: Making, container: Option<Id>, answer: &[u8]) {
        self.made().learn(making, container, answer);
    }

    /// Forgets what is gone.
    pub(super) fn forget<'n>(&self, making: Making, gone: impl IntoIterator<Item = &'n str>) {
        self.made().forget(making, gone);
    }

    /// All that is remembered, and of volumes when they were created.
    pub(super) fn list(&self, making: Making) -> Vec<(String, String)> {
        self.made().list(making)
    }

    /// The container of an exec that was created through this socket, if that is remembered.
    pub(super) fn container_of(&self, exec: &str) -> Option<Id> {
        self.made().container_of(exec)
    }

    /// Where something was created.
    pub(super) fn origin(&self, making: Making, id: &str) -> Origin {
        if self.made().has(making, id) {
            Origin::Here
        } else {
            Origin::Elsewhere
        }
    }

    /// As many of them as that.
    pub(super) fn some(&self, making: Making, most: usize) -> Vec<Box<str>> {
        self.made().some(making, most)
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more body may be kept in memory; it may for as long as the permit lives.
    pub(super) async fn keep_body(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.bodies).acquire_owned().await.ok()
    }
}

// === impl Place ===

impl Place {
    fn take(house: Arc<House>, places: usize) -> Option<Self> {
        let one_more = |taken| (taken < places).then_some(taken + 1);
        house
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(Self(house))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Seat ===

impl Seat {
    /// The connection waits for its next request.
    pub(super) fn idle(&self) {
        let turn = self.place.0.turns.fetch_add(1, Ordering::Relaxed) + 1;
        self.idle_since.store(turn, Ordering::Release);
    }

    /// A request has begun. False: the place was given to somebody else a moment ago.
    pub(super) fn busy(&self) -> bool {
        let was = self.idle_since.load(Ordering::Acquire);
        was == BUSY
            || (was != TAKEN_AWAY
                && self
                    .idle_since
                    .compare_exchange(was, BUSY, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok())
    }

    /// Since which turn the connection is idle; `None` while it carries a request.
    pub(super) fn idle_since(&self) -> Option<u64> {
        match self.idle_since.load(Ordering::Acquire) {
            BUSY | TAKEN_AWAY => None,
            turn => Some(turn),
        }
    }

    /// Takes the place away, if the connection is still idle.
    pub(super) fn take_away(&self) -> bool {
        self.idle_since().is_some_and(|turn| {
            self.idle_since
                .compare_exchange(turn, TAKEN_AWAY, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{House, Houses};
    use std::sync::Arc;

    #[test]
    fn places_are_counted_over_all_threads_and_given_back() {
        let houses = Houses::default();
        let policy = Arc::from("ci");
        let seat = |name: &Arc<str>| houses.of(name).seat(2);
        let both = (seat(&policy).unwrap(), seat(&policy).unwrap());

        assert!(seat(&policy).is_none());
        assert!(seat(&Arc::from("other")).is_some());
        drop(both);
        assert!(seat(&policy).is_some());
    }

    #[test]
    fn only_an_idle_seat_can_be_taken_away_and_only_once() {
        let seat = Arc::new(House::default()).seat(1).unwrap();
        assert!(!seat.take_away(), "busy from the start");

        seat.idle();
        assert!(seat.take_away());
        assert!(!seat.take_away());
        assert!(
            !seat.busy(),
            "a request that comes too late finds the seat gone"
        );
    }

    #[test]
    fn the_seat_that_is_idle_longest_has_the_smallest_turn() {
        let house = Arc::new(House::default());
        let (first, second) = (house.seat(2).unwrap(), house.seat(2).unwrap());
        first.idle();
        second.idle();

        assert!(first.idle_since() < second.idle_since());
        assert!(first.busy());
        assert_eq!(first.idle_since(), None);
    }
}
