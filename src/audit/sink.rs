//! The one thread that formats and writes the lines.
//!
//! The thread sleeps while nothing happens. The first record wakes it and is written at once; what
//! follows gathers for a moment and is written together, so that a busy gate pays one system call
//! for many records. What cannot be written is kept and tried again, never torn and never skipped;
//! meanwhile the gate refuses what must be recorded.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::page::Page;
use super::queue::{Audit, Rhythm, Shared};
use super::{Keep, Output, render};

/// The writing end of the audit trail. Everything is flushed when it is finished or dropped.
#[derive(Debug)]
#[must_use = "records are written for as long as it lives"]
pub struct Writer {
    shared: Arc<Shared>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl Audit {
    /// Starts the audit trail.
    pub fn start(output: Output, keep: Keep) -> io::Result<(Self, Writer)> {
        Self::to(output.open()?, keep)
    }

    /// Starts an audit trail that is written to `sink`. Its writes may block: they hold up nobody
    /// until the queue is full.
    pub fn to(sink: impl Write + Send + 'static, keep: Keep) -> io::Result<(Self, Writer)> {
        Self::paced(sink, keep, Rhythm::default())
    }

    pub(super) fn paced(
        sink: impl Write + Send + 'static,
        keep: Keep,
        rhythm: Rhythm,
    ) -> io::Result<(Self, Writer)> {
        let shared = Arc::new(Shared::new(keep, rhythm));
        let (alive, ended) = mpsc::channel();
        let scribe = Scribe::new(Arc::clone(&shared), sink);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                let _alive = alive;
                scribe.run();
            })?;
        shared.serve(thread.thread().clone());
        let writer = Writer {
            shared: Arc::clone(&shared),
            ended,
        };
        Ok((Self::on(shared), writer))
    }
}

// === impl Writer ===

impl Writer {
    /// Writes everything that is queued and the last counts, then ends. Waits a few seconds at most:
    /// a log that cannot be written must not keep the gate from stopping. Call it when no request
    /// is under way any more; what is recorded later is lost.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stop();
        // The thread gives up by itself; a little more, for a write that blocks for ever.
        let patience = self
            .shared
            .rhythm()
            .farewell
            .saturating_add(Duration::from_secs(1));
        if self.ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::error!("the audit log did not take its last records");
        }
    }
}

/// The thread's own state.
struct Scribe<S> {
    shared: Arc<Shared>,
    /// What is being rendered.
    page: Page,
    sink: S,
    /// Rendered lines that are not written yet, and how many of their bytes are.
    lines: Vec<u8>,
    written: usize,
    /// When counted denials are reported next, and since when they were counted.
    denials: Alarm,
    /// The same of passed calls.
    passes: Alarm,
    failed: bool,
}

/// Something that is due some time after it became necessary.
#[derive(Clone, Copy, Debug)]
struct Alarm {
    due: Option<Instant>,
    since: SystemTime,
}

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing is left.
    Done,
    /// The reader is slow.
    Slow,
    /// The sink is broken.
    Failed,
}

/// Lines are written when so many bytes are there, however many more records wait.
const BATCH: usize = 64 * 1024;

/// A buffer that a flood has grown is given back above this size.
const KEPT: usize = 2 * BATCH;

/// How soon a pipe or terminal that was full is tried again.
const SLOW: Duration = Duration::from_millis(10);

impl<S: Write> Scribe<S> {
    fn new(shared: Arc<Shared>, sink: S) -> Self {
        let idle = Alarm {
            due: None,
            since: SystemTime::now(),
        };
        Self {
            shared,
            page: Page::default(),
            sink,
            lines: Vec::new(),
            written: 0,
            denials: idle,
            passes: idle,
            failed: false,
        }
    }

    fn run(mut self) {
        let mut last_chance = None;
        loop {
            // Looked at first: what was queued before the stop is written by this very turn.
            let stopping = self.shared.stopping.load(Ordering::SeqCst);
            self.shared.hurry.store(false, Ordering::SeqCst);
            let (taken, mut progress) = self.drain();
            if progress == Progress::Done && (self.take_counts(stopping) || stopping) {
                progress = self.write();
            }
            if stopping {
                let deadline = *last_chance
                    .get_or_insert_with(|| Instant::now() + self.shared.rhythm().farewell);
                if progress == Progress::Done || Instant::now() >= deadline {
                    return self.part();
                }
            }
            self.rest(taken, progress, stopping);
        }
    }

    /// Renders and writes what is queued.
    fn drain(&mut self) -> (usize, Progress) {
        let mut total = 0;
        loop {
            let progress = self.write();
            if progress != Progress::Done {
                return (total, progress);
            }
            if self.page.is_empty() {
                self.page.clear();
                self.shared.turn(&mut self.page);
            }
            let mut taken = 0;
            while self.lines.len() < BATCH
                && let Some((record, ending)) = self.page.next()
            {
                match ending {
                    None => render::opening(&record, &mut self.lines),
                    Some(ending) => render::ending(&record, &ending, &mut self.lines),
                }
                taken += 1;
            }
            if taken == 0 {
                return (total, Progress::Done);
            }
            total += taken;
            self.shared.free(taken);
        }
    }

    /// Renders the counts that are due, or all of them at the end. True when there were any.
    fn take_counts(&mut self, all: bool) -> bool {
        let shared = Arc::clone(&self.shared);
        let before = self.lines.len();
        if self
            .denials
            .is_due(&shared.denials, shared.rhythm().denials)
            || all
        {
            self.take_denials(&shared);
        }
        if self.passes.is_due(&shared.passes, shared.rhythm().passes) || all {
            self.take_passes(&shared);
        }
        self.lines.len() > before
    }

    fn take_denials(&mut self, shared: &Shared) {
        // Lowered before the counts are taken: what is counted later raises it again.
        shared.denials.store(false, Ordering::SeqCst);
        let span = self.denials.restart();
        let mut more = false;
        for (policy, ledger) in shared.ledgers() {
            for summed in ledger.take_denials() {
                render::summed(&policy, &summed, span, &mut self.lines);
            }
            let dropped = ledger.take_dropped();
            if dropped > 0 {
                render::dropped(&policy, dropped, span, &mut self.lines);
            }
            more |= ledger.remembers_denials();
        }
        if more {
            shared.denials.store(true, Ordering::SeqCst);
            self.denials.due = Some(Instant::now() + shared.rhythm().denials);
        }
    }

    fn take_passes(&mut self, shared: &Shared) {
        shared.passes.store(false, Ordering::SeqCst);
        let span = self.passes.restart();
        for (policy, ledger) in shared.ledgers() {
            if let Some(passed) = ledger.take_passed() {
                render::summary(&policy, &passed, span, &mut self.lines);
            }
        }
    }

    /// Writes what is rendered. What cannot be written stays, to the byte.
    fn write(&mut self) -> Progress {
        while let Some(rest) = self
            .lines
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match self.sink.write(rest) {
                Ok(0) => return self.fail(&io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written = self.written.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Progress::Slow,
                Err(error) => return self.fail(&error),
            }
        }
        if self.written > 0 {
            self.lines.clear();
            self.lines.shrink_to(KEPT);
            self.written = 0;
            if let Err(error) = self.sink.flush() {
                return self.fail(&error);
            }
        }
        self.recover();
        Progress::Done
    }

    fn fail(&mut self, error: &io::Error) -> Progress {
        if !self.failed {
            self.failed = true;
            self.shared.failing.store(true, Ordering::SeqCst);
            self.shared.call_waiters();
            tracing::error!(
                %error,
                "cannot write the audit log: calls that must be recorded are refused until it can be \
                 written; make room on its disk or restart with another --audit"
            );
        }
        Progress::Failed
    }

    fn recover(&mut self) {
        if self.failed {
            self.failed = false;
            self.shared.failing.store(false, Ordering::SeqCst);
            tracing::warn!("the audit log can be written again");
        }
    }

    /// Waits for something to do.
    fn rest(&mut self, taken: usize, progress: Progress, stopping: bool) {
        let rhythm = self.shared.rhythm();
        match progress {
            Progress::Failed => thread::park_timeout(rhythm.retry),
            Progress::Slow => thread::park_timeout(SLOW),
            Progress::Done if stopping => {}
            Progress::Done if taken > 0 => {
                if !self.shared.hurry.load(Ordering::SeqCst) {
                    thread::park_timeout(rhythm.gather);
                }
            }
            Progress::Done => self.sleep(),
        }
    }

    /// Sleeps until the next alarm or until woken; for ever when nothing happens.
    fn sleep(&mut self) {
        self.page.release();
        self.shared.release();
        let shared = &self.shared;
        shared.asleep.store(true, Ordering::SeqCst);
        let news = shared.depth.load(Ordering::SeqCst) > 0
            || shared.stopping.load(Ordering::SeqCst)
            || (self.denials.due.is_none() && shared.denials.load(Ordering::SeqCst))
            || (self.passes.due.is_none() && shared.passes.load(Ordering::SeqCst));
        if !news {
            match self.denials.due.into_iter().chain(self.passes.due).min() {
                Some(due) => {
                    thread::park_timeout(due.saturating_duration_since(Instant::now()));
                }
                None => thread::park(),
            }
        } else if shared.depth.load(Ordering::SeqCst) > 0 {
            // A place is taken and its item is on its way.
            thread::yield_now();
        }
        shared.asleep.store(false, Ordering::SeqCst);
    }

    fn part(mut self) {
        let lost = self.page.len() + self.shared.shut();
        if lost > 0 || self.written < self.lines.len() {
            tracing::error!(
                records = lost,
                bytes = self.lines.len().saturating_sub(self.written),
                "the audit log could not be written to its end"
            );
        }
        if let Err(error) = self.sink.flush() {
            tracing::error!(%error, "the audit log could not be flushed");
        }
    }
}

// === impl Alarm ===

impl Alarm {
    /// Sets itself when `flag` is up; true when its time has come.
    fn is_due(&mut self, flag: &AtomicBool, after: Duration) -> bool {
        if let Some(due) = self.due {
            return Instant::now() >= due;
        }
        if flag.load(Ordering::SeqCst) {
            self.due = Some(Instant::now() + after);
            self.since = SystemTime::now();
        }
        false
    }

    /// The span that ends now; the next one begins.
    fn restart(&mut self) -> render::Span {
        let until = SystemTime::now();
        let span = render::Span {
            since: self.since,
            until,
        };
        self.due = None;
        self.since = until;
        span
    }
}
