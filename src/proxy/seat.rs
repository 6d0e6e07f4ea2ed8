//! A client's place in a full house: which connection may be closed to make room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const BUSY: u64 = 0;
const TAKEN_AWAY: u64 = u64::MAX;

/// Counts moments of idleness, so that "idle longest" is "idle since the smallest number".
#[derive(Debug, Default)]
pub(super) struct Turns(AtomicU64);

/// One connection's place.
#[derive(Debug)]
pub(super) struct Seat {
    turns: Arc<Turns>,
    idle_since: AtomicU64,
}

impl Seat {
    /// A place for a connection that is just being set up.
    pub(super) fn new(turns: Arc<Turns>) -> Self {
        Self {
            turns,
            idle_since: AtomicU64::new(BUSY),
        }
    }

    /// The connection waits for its next request.
    pub(super) fn idle(&self) {
        let turn = self.turns.0.fetch_add(1, Ordering::Relaxed) + 1;
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
    use super::{Seat, Turns};
    use std::sync::Arc;

    #[test]
    fn only_an_idle_seat_can_be_taken_away_and_only_once() {
        let seat = Seat::new(Arc::new(Turns::default()));
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
        let turns = Arc::new(Turns::default());
        let (first, second) = (Seat::new(Arc::clone(&turns)), Seat::new(turns));
        first.idle();
        second.idle();

        assert!(first.idle_since() < second.idle_since());
        assert!(first.busy());
        assert_eq!(first.idle_since(), None);
    }
}
