//! What is counted instead of written: floods of denials, and allowed calls that nobody asked to
//! record one by one.
//!
//! One ledger per policy, so that what one service does is never mixed with another's, and so that
//! a flood on one socket shares no lock with the next. Counting needs no clock: the writer's thread
//! takes the counts at its own pace, and what it takes is what happened since it last did.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::docker::Operation;

/// The counts of one policy.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    denials: Mutex<HashMap<Kind, Seen>>,
    by_class: [AtomicU64; Passed::CLASSES.len()],
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    dropped: AtomicU64,
}

/// What makes two denials the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) operation: Option<Operation>,
    pub(super) reason: &'static str,
    pub(super) uid: Option<u32>,
}

/// What becomes of one denial.
#[derive(Debug)]
pub(super) struct Denied<P> {
    /// The place in which it is written in full; without one it was counted.
    pub(super) full: Option<P>,
    /// It is the first of its kind: somebody must look at the counts later.
    pub(super) first: bool,
}

/// Denials of one kind that were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summed {
    pub(super) operation: Option<Operation>,
    pub(super) reason: &'static str,
    pub(super) uid: Option<u32>,
    pub(super) count: u64,
}

/// Allowed calls that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) by_class: [u64; Self::CLASSES.len()],
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
}

/// How many denials of one kind are written in full before they are counted: enough to see what
/// a misconfigured client asks for, few enough that a flood costs nothing.
pub(super) const WRITTEN_IN_FULL: u32 = 10;

/// How many kinds a policy tells apart at a time. A caller with many user ids (a user namespace has
/// 65536) makes a kind of each; what comes beyond is counted under one kind.
pub(super) const MAX_KINDS: usize = 1024;

/// The kind of everything beyond [`MAX_KINDS`].
pub(super) const OTHER: Kind = Kind {
    operation: None,
    reason: "other",
    uid: None,
};

/// One kind of denial since somebody last looked.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Written in full so far, at most [`WRITTEN_IN_FULL`].
    written: u32,
    /// Counted and not yet reported.
    counted: u64,
    /// Whether there was any since the counts were last taken.
    fresh: bool,
}

// === impl Ledger ===

impl Ledger {
    /// One denial. `place` takes a place in the queue and is asked only when it would be used; where
    /// there is none the denial is counted, so that nothing is lost.
    pub(super) fn deny<P>(&self, kind: Kind, place: impl FnOnce() -> Option<P>) -> Denied<P> {
        let mut denials = self.denials();
        let known = denials.len();
        let kind = if known < MAX_KINDS || denials.contains_key(&kind) {
            kind
        } else {
            OTHER
        };
        let seen = denials.entry(kind).or_default();
        seen.fresh = true;
        let full = if seen.written < WRITTEN_IN_FULL {
            place()
        } else {
            None
        };
        if full.is_some() {
            seen.written += 1;
        } else {
            seen.counted = seen.counted.saturating_add(1);
        }
        Denied {
            full,
            first: denials.len() > known,
        }
    }

    /// One allowed call that is not recorded.
    pub(super) fn pass(&self, status: Option<u16>, bytes_up: u64, bytes_down: u64) {
        if let Some(class) = self.by_class.get(Passed::class(status)) {
            class.fetch_add(1, Ordering::SeqCst);
        }
        for (total, more) in [(&self.bytes_up, bytes_up), (&self.bytes_down, bytes_down)] {
            if more > 0 {
                total.fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    /// One record that there was no room for.
    pub(super) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes the counts of denials, and forgets the kinds of which there was none since the last
    /// time: their next denial is written in full again.
    pub(super) fn take_denials(&self) -> Vec<Summed> {
        let mut taken = Vec::new();
        self.denials().retain(|kind, seen| {
            let keep = std::mem::take(&mut seen.fresh);
            let count = std::mem::take(&mut seen.counted);
            if count > 0 {
                taken.push(Summed {
                    operation: kind.operation,
                    reason: kind.reason,
                    uid: kind.uid,
                    count,
                });
            }
            keep
        });
        taken.sort_unstable_by_key(|summed| std::cmp::Reverse(summed.count));
        taken
    }

    /// Takes the counts of allowed calls; `None` when there was none.
    pub(super) fn take_passed(&self) -> Option<Passed> {
        let mut passed = Passed::default();
        for (taken, class) in passed.by_class.iter_mut().zip(&self.by_class) {
            *taken = class.swap(0, Ordering::SeqCst);
        }
        if passed.count() == 0 {
            return None;
        }
        // Bytes whose call is counted a moment later wait for it, or are one report early.
        passed.bytes_up = self.bytes_up.swap(0, Ordering::SeqCst);
        passed.bytes_down = self.bytes_down.swap(0, Ordering::SeqCst);
        Some(passed)
    }

    /// Takes the count of records that there was no room for.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::SeqCst)
    }

    /// Whether there are kinds of denials to be looked at again.
    pub(super) fn remembers_denials(&self) -> bool {
        !self.denials().is_empty()
    }

    fn denials(&self) -> MutexGuard<'_, HashMap<Kind, Seen>> {
        // Counts stay counts whatever panicked while they were held.
        self.denials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Passed ===

impl Passed {
    /// The classes of status that are told apart; `none` is a call that ended without an answer.
    pub(super) const CLASSES: [&'static str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

    fn class(status: Option<u16>) -> usize {
        match status {
            Some(100..=199) => 0,
            Some(200..=299) => 1,
            Some(300..=399) => 2,
            Some(400..=499) => 3,
            Some(500..=599) => 4,
            Some(_) | None => 5,
        }
    }

    /// How many calls.
    pub(super) fn count(&self) -> u64 {
        self.by_class.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(reason: &'static str, uid: u32) -> Kind {
        Kind {
            operation: Some(Operation::ContainerList),
            reason,
            uid: Some(uid),
        }
    }

    fn written(ledger: &Ledger, kind: Kind) -> bool {
        ledger.deny(kind, || Some(())).full.is_some()
    }

    #[test]
    fn ten_of_a_kind_are_written_and_the_rest_is_counted() {
        let ledger = Ledger::default();

        let full = (0..25)
            .filter(|_| written(&ledger, kind("no-rule", 7)))
            .count();

        assert_eq!(full, 10);
        let taken = ledger.take_denials();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].count, 15);
        assert_eq!((taken[0].reason, taken[0].uid), ("no-rule", Some(7)));
        assert_eq!(ledger.take_denials(), []);
    }

    #[test]
    fn another_reason_or_user_is_another_kind() {
        let ledger = Ledger::default();
        while written(&ledger, kind("no-rule", 7)) {}

        assert!(written(&ledger, kind("no-rule", 8)));
        assert!(written(&ledger, kind("api-version", 7)));
        assert!(!written(&ledger, kind("no-rule", 7)));
    }

    #[test]
    fn a_flood_that_goes_on_stays_counted_and_one_that_paused_is_written_again() {
        let ledger = Ledger::default();
        while written(&ledger, kind("no-rule", 7)) {}
        ledger.take_denials();

        assert!(!written(&ledger, kind("no-rule", 7)), "still flooding");
        assert_eq!(ledger.take_denials()[0].count, 1);
        assert_eq!(ledger.take_denials(), [], "a quiet turn");
        assert!(!ledger.remembers_denials());
        assert!(written(&ledger, kind("no-rule", 7)), "seen anew");
    }

    #[test]
    fn a_denial_without_room_is_counted() {
        let ledger = Ledger::default();

        let without_room = ledger.deny(kind("no-rule", 7), || None::<()>);
        let with_room = ledger.deny(kind("no-rule", 7), || Some(()));

        assert_eq!((without_room.full, without_room.first), (None, true));
        assert_eq!((with_room.full, with_room.first), (Some(()), false));
        assert_eq!(ledger.take_denials()[0].count, 1);
    }

    #[test]
    fn many_user_ids_do_not_grow_the_ledger_without_bound() {
        let ledger = Ledger::default();

        for uid in 0..5000 {
            ledger.deny(kind("no-rule", uid), || None::<()>);
        }

        let taken = ledger.take_denials();
        assert_eq!(taken.len(), MAX_KINDS + 1);
        assert_eq!((taken[0].reason, taken[0].uid), ("other", None));
        assert_eq!(taken.iter().map(|summed| summed.count).sum::<u64>(), 5000);
    }

    #[test]
    fn passed_calls_are_counted_by_class_of_status() {
        let ledger = Ledger::default();
        assert_eq!(ledger.take_passed(), None);

        for status in [
            Some(200),
            Some(204),
            Some(304),
            Some(404),
            Some(500),
            Some(999),
            None,
        ] {
            ledger.pass(status, 1, 10);
        }

        let passed = ledger.take_passed().unwrap();
        assert_eq!(passed.by_class, [0, 2, 1, 1, 1, 2]);
        assert_eq!((passed.bytes_up, passed.bytes_down), (7, 70));
        assert_eq!(passed.count(), 7);
        assert_eq!(ledger.take_passed(), None);
    }
}
