//! [`Audit`], the handle that the request's path holds, and the queue behind it.
//!
//! One queue for all policies. What may wait and what may be lost is decided by kind, at its door:
//!
//! | record | when the queue is full |
//! |---|---|
//! | opening record of a change, a stream or a tunnel | waits two seconds, then the call is refused |
//! | final record of a call that was opened | always has a place: there are no more than open calls |
//! | final record of another call | counted in a `dropped` record |
//! | denial | counted in the `summed` record of its kind |
//!
//! Denials find the queue full at half its length and plain records at three quarters, so that
//! neither kind of flood takes the last place from a change.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::ledger::{Kind, Ledger};
use super::page::Page;
use super::{Ending, Keep, Record};
use crate::docker::Operation;
use crate::docker::operation::{Effect, Stream};

/// The queue is full and stayed full: a change must not go on unrecorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot keep up")]
pub struct Full;

/// A handle on the audit log; cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {
    shared: Arc<Shared>,
    /// The ledger of the policy that this handle was made for.
    own: Option<(Arc<str>, Arc<Ledger>)>,
}

/// What handles and the writer's thread have in common.
#[derive(Debug)]
pub(super) struct Shared {
    keep: Keep,
    rhythm: Rhythm,
    ids: AtomicU64,
    /// What waits for the writer's thread; `None` when nothing is recorded, or nothing any more.
    page: Mutex<Option<Page>>,
    /// Nothing is recorded at all.
    silent: bool,
    /// Records in the queue, and places taken for records that are about to be.
    pub(super) depth: AtomicUsize,
    /// Opening records that still have a right to a final one.
    owed: AtomicUsize,
    /// Told when places become free.
    room: Notify,
    waiting: AtomicUsize,
    /// The last write failed: nothing that must be recorded may happen.
    pub(super) failing: AtomicBool,
    pub(super) stopping: AtomicBool,
    /// The writer's thread sleeps without an alarm that would notice a new item.
    pub(super) asleep: AtomicBool,
    /// The writer's thread was told not to wait for more.
    pub(super) hurry: AtomicBool,
    /// Denials are remembered; the counts must be taken later.
    pub(super) denials: AtomicBool,
    /// Calls were passed; the counts must be taken later.
    pub(super) passes: AtomicBool,
    thread: OnceLock<Thread>,
    ledgers: RwLock<HashMap<Arc<str>, Arc<Ledger>>>,
}

/// The bounds and paces of the audit log; the tests have faster ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    /// Records in the queue. One takes about 300 bytes and at most 5 KiB: 2 to 40 MiB, and as much
    /// again for the room that growing buffers have to spare.
    pub(super) capacity: usize,
    /// How long an opening record waits for a place.
    pub(super) patience: Duration,
    /// How long the thread lets records gather after it wrote some. A record is in the file within
    /// this time and the time of one write, less than the 100 ms that are promised.
    pub(super) gather: Duration,
    /// How often counted denials are reported.
    pub(super) denials: Duration,
    /// How often passed calls are reported.
    pub(super) passes: Duration,
    /// How soon a failed write is tried again.
    pub(super) retry: Duration,
    /// How long stopping may take.
    pub(super) farewell: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            capacity: 8192,
            patience: Duration::from_secs(2),
            gather: Duration::from_millis(40),
            denials: Duration::from_secs(10),
            passes: Duration::from_secs(60),
            retry: Duration::from_millis(500),
            farewell: Duration::from_secs(2),
        }
    }
}

// === impl Audit ===

impl Audit {
    /// A handle that records nothing and refuses nothing, for tests and demonstrations.
    pub fn silent() -> Self {
        Self::on(Arc::new(Shared::silent()))
    }

    pub(super) fn on(shared: Arc<Shared>) -> Self {
        Self { shared, own: None }
    }

    /// The same log, with the counts of `policy` at hand: what is counted for it takes no lock.
    #[must_use]
    pub fn for_policy(&self, policy: &Arc<str>) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            own: Some((Arc::clone(policy), self.shared.ledger(policy))),
        }
    }

    /// Whether an allowed call is recorded one by one.
    pub fn keeps(&self, operation: Option<Operation>) -> bool {
        match self.shared.keep {
            Keep::All => true,
            Keep::Changes => is_eventful(operation),
            Keep::None => false,
        }
    }

    /// Whether an allowed call also gets an opening record (it changes, streams or tunnels).
    pub fn opens(&self, operation: Option<Operation>) -> bool {
        match self.shared.keep {
            Keep::All | Keep::Changes => is_eventful(operation),
            Keep::None => false,
        }
    }

    /// A fresh id.
    pub fn next_id(&self) -> u64 {
        self.shared.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// The opening record of a call. Waits at most 2 s for room. On an error the call must not go
    /// on; its final record may be told to [`close`](Self::close) all the same, but has no right to
    /// a place.
    pub async fn open(&self, record: &Record) -> Result<(), Full> {
        let shared = &*self.shared;
        if shared.silent {
            return Ok(());
        }
        if shared.failing.load(Ordering::SeqCst) {
            return Err(Full);
        }
        let place = match shared.place(shared.rhythm.capacity) {
            Some(place) => place,
            // Boxed, because this future is part of every connection's and hardly ever waits.
            None => Box::pin(shared.wait_for_room()).await?,
        };
        place.fill(record.clone(), None)?;
        shared.owed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// The final record of a call that was opened, or of an allowed call that is kept. Never blocks
    /// (it is called from `Drop`).
    pub fn close(&self, record: Box<Record>, ending: Ending) {
        let shared = &*self.shared;
        if shared.silent {
            return;
        }
        // INVARIANT: no more final records than opening ones pass a full queue, hence no more than
        // there are open calls. Test: `final_records_of_opened_calls_always_have_a_place`.
        let limit = if self.opens(record.operation) && shared.settle_debt() {
            usize::MAX
        } else {
            shared.plain_room()
        };
        if let Some(place) = shared.place(limit) {
            place.fill(*record, Some(ending)).unwrap_or_default();
        } else {
            self.with_ledger(&record.policy, Ledger::drop_one);
            shared.announce(&shared.denials);
        }
    }

    /// A refusal: written in full, or summed when the same kind floods. `make` is called only when
    /// it is written.
    pub fn refuse(
        &self,
        policy: &Arc<str>,
        operation: Option<Operation>,
        reason: &'static str,
        uid: Option<u32>,
        make: impl FnOnce() -> (Box<Record>, Ending),
    ) {
        let shared = &*self.shared;
        if shared.silent {
            return;
        }
        let kind = Kind {
            operation,
            reason,
            uid,
        };
        let denied = self.with_ledger(policy, |ledger| {
            ledger.deny(kind, || shared.place(shared.denial_room()))
        });
        if denied.first {
            shared.announce(&shared.denials);
        }
        if let Some(place) = denied.full {
            let (record, ending) = make();
            place.fill(*record, Some(ending)).unwrap_or_default();
        }
    }

    /// Counts an allowed call that is not recorded one by one, for the summary record.
    pub fn pass(&self, policy: &Arc<str>, status: Option<u16>, bytes_up: u64, bytes_down: u64) {
        let shared = &*self.shared;
        if shared.silent {
            return;
        }
        self.with_ledger(policy, |ledger| ledger.pass(status, bytes_up, bytes_down));
        shared.announce(&shared.passes);
    }

    fn with_ledger<T>(&self, policy: &Arc<str>, count: impl FnOnce(&Ledger) -> T) -> T {
        match &self.own {
            Some((own, ledger)) if Arc::ptr_eq(own, policy) => count(ledger),
            Some(_) | None => count(&self.shared.ledger(policy)),
        }
    }
}

#[cfg(test)]
impl Audit {
    pub(super) fn queued(&self) -> usize {
        self.shared.depth.load(Ordering::SeqCst)
    }

    pub(super) fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::SeqCst)
    }

    pub(super) fn is_asleep(&self) -> bool {
        self.shared.asleep.load(Ordering::SeqCst)
    }
}

/// Whether an operation changes, streams or tunnels. What the table does not know may do all three.
fn is_eventful(operation: Option<Operation>) -> bool {
    operation.is_none_or(|operation| {
        operation.effect() == Effect::Change || operation.stream() != Stream::Plain
    })
}

// === impl Shared ===

impl Shared {
    pub(super) fn silent() -> Self {
        Self {
            silent: true,
            ..Self::new(Keep::None, Rhythm::default())
        }
    }

    pub(super) fn new(keep: Keep, rhythm: Rhythm) -> Self {
        Self {
            keep,
            rhythm,
            ids: AtomicU64::new(1),
            page: Mutex::new(Some(Page::default())),
            silent: false,
            depth: AtomicUsize::new(0),
            owed: AtomicUsize::new(0),
            room: Notify::new(),
            waiting: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            hurry: AtomicBool::new(false),
            denials: AtomicBool::new(false),
            passes: AtomicBool::new(false),
            thread: OnceLock::new(),
            ledgers: RwLock::default(),
        }
    }

    fn page(&self) -> MutexGuard<'_, Option<Page>> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the page that was filled, and leaves an empty one in its place.
    pub(super) fn turn(&self, empty: &mut Page) {
        if let Some(page) = self.page().as_mut() {
            std::mem::swap(page, empty);
        }
    }

    /// Gives back memory that a flood took.
    pub(super) fn release(&self) {
        if let Some(page) = self.page().as_mut() {
            page.release();
        }
    }

    /// No more records are taken; what waits is lost, and counted.
    pub(super) fn shut(&self) -> usize {
        self.page().take().map_or(0, |page| page.len())
    }

    pub(super) fn rhythm(&self) -> Rhythm {
        self.rhythm
    }

    /// Every policy's ledger.
    pub(super) fn ledgers(&self) -> Vec<(Arc<str>, Arc<Ledger>)> {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = ledgers
            .iter()
            .map(|(policy, ledger)| (Arc::clone(policy), Arc::clone(ledger)))
            .collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    fn ledger(&self, policy: &Arc<str>) -> Arc<Ledger> {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(ledger) = ledgers.get(policy) {
            return Arc::clone(ledger);
        }
        drop(ledgers);
        let mut ledgers = self.ledgers.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ledgers.entry(Arc::clone(policy)).or_default())
    }

    fn denial_room(&self) -> usize {
        self.rhythm.capacity / 2
    }

    fn plain_room(&self) -> usize {
        self.rhythm.capacity / 4 * 3
    }

    /// From here on records are written without letting more of them gather.
    fn capacity_in_a_hurry(&self) -> usize {
        self.rhythm.capacity / 4
    }

    /// Takes a place in the queue if fewer than `limit` are taken.
    fn place(&self, limit: usize) -> Option<Place<'_>> {
        let taken = self.depth.fetch_add(1, Ordering::SeqCst);
        let place = Place { shared: self };
        (taken < limit).then_some(place)
    }

    /// Whether an opening record had promised this final one.
    fn settle_debt(&self) -> bool {
        self.owed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |owed| {
                owed.checked_sub(1)
            })
            .is_ok()
    }

    async fn wait_for_room(&self) -> Result<Place<'_>, Full> {
        let _waiting = Waiting::new(&self.waiting);
        let deadline = Instant::now() + self.rhythm.patience;
        loop {
            // Enlisted before it looks, so that a place freed in between is not missed.
            let mut freed = std::pin::pin!(self.room.notified());
            freed.as_mut().enable();
            if self.failing.load(Ordering::SeqCst) {
                return Err(Full);
            }
            if let Some(place) = self.place(self.rhythm.capacity) {
                return Ok(place);
            }
            self.hasten();
            if timeout_at(deadline, freed).await.is_err() {
                return Err(Full);
            }
        }
    }

    /// Says that there are counts to be taken; wakes the thread only when it did not know.
    fn announce(&self, flag: &AtomicBool) {
        if !flag.load(Ordering::SeqCst) && !flag.swap(true, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Wakes the thread if it sleeps until woken.
    ///
    /// INVARIANT: whoever calls this has made its news visible with `SeqCst` before, and the thread
    /// looks for news after it says that it is asleep: one of the two sees the other.
    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.unpark();
        }
    }

    /// Ends the thread's pause between two writes.
    fn hasten(&self) {
        if !self.hurry.load(Ordering::Relaxed) && !self.hurry.swap(true, Ordering::SeqCst) {
            self.unpark();
        }
    }

    fn unpark(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Names the thread that is to be woken.
    pub(super) fn serve(&self, thread: Thread) {
        self.thread.get_or_init(|| thread);
    }

    /// Asks the thread to write what there is and to end.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.unpark();
    }

    /// Gives back the places of `taken` items.
    pub(super) fn free(&self, taken: usize) {
        self.depth.fetch_sub(taken, Ordering::SeqCst);
        self.call_waiters();
    }

    /// Has everybody who waits for room look again.
    pub(super) fn call_waiters(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.room.notify_waiters();
        }
    }
}

/// A place in the queue, given back unless it is filled.
#[derive(Debug)]
struct Place<'a> {
    shared: &'a Shared,
}

impl Place<'_> {
    /// An error means that the log was finished before the gate was.
    fn fill(self, mut record: Record, ending: Option<Ending>) -> Result<(), Full> {
        let shared = self.shared;
        record.bound();
        shared.page().as_mut().ok_or(Full)?.push(record, ending);
        // From here on the place is the record's; the writer's thread gives it back.
        std::mem::forget(self);
        shared.wake();
        if shared.depth.load(Ordering::Relaxed) >= shared.capacity_in_a_hurry() {
            shared.hasten();
        }
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.depth.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Counts a waiter for as long as it lives, also when its future is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
