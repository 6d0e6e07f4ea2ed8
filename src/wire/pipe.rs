//! The way round: the payload of a bulk stream goes from one socket to the other inside the kernel,
//! through a pipe, and is not copied in between (splice(2)).
//!
//! It costs half of what reading and writing do, for pieces of many pages; two descriptors, and some system
//! calls to set it up. So only long bodies take it, and only so many at a time.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// How many pipes there are at a time in one process at most. More streams are copied.
pub const MOST: usize = 32;

static ALLOWED: AtomicUsize = AtomicUsize::new(MOST);

/// What one has room for, counted in whole pages (pipe(7)): what a socket holds comes as pieces of pages, too.
const SIZE: usize = 256 * 1024;

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Payload between two sockets. It belongs to one direction of one call: what is left in it when that breaks
/// goes with it.
#[derive(Debug)]
pub struct Pipe {
    output: OwnedFd,
    input: OwnedFd,
    holds: usize,
    _place: Place,
}

/// One of those that may be.
#[derive(Debug)]
struct Place;

/// What came of asking a socket for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// So many bytes.
    More(usize),
    /// The pipe takes no more until something is poured out.
    Full,
    /// The socket will send nothing more.
    End,
}

/// Has the process make do with `pipes`, because it may not open many files.
pub fn allow(pipes: usize) {
    ALLOWED.store(pipes, Ordering::Relaxed);
}

impl Pipe {
    /// An empty pipe; none if there are as many as may be already, or no descriptors for it.
    pub fn open() -> Option<Self> {
        let place = Place::take()?;
        let (output, input) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).ok()?;
        // As it is, it works just as well, in more steps.
        let _as_it_is = fcntl_setpipe_size(&input, SIZE);
        Some(Self {
            output,
            input,
            holds: 0,
            _place: place,
        })
    }

    /// One that nothing can be put into, as where splice(2) is filtered.
    #[cfg(test)]
    pub(super) fn barred() -> Self {
        let nowhere = || std::fs::File::open("/dev/null").map(OwnedFd::from);
        Self {
            output: nowhere().unwrap(),
            input: nowhere().unwrap(),
            holds: 0,
            _place: Place::take().unwrap(),
        }
    }

    /// How many bytes are in it.
    pub fn holds(&self) -> usize {
        self.holds
    }

    /// Takes up to `most` bytes out of a socket. `EAGAIN` says that nothing has come.
    pub(super) fn fill(&mut self, from: BorrowedFd<'_>, most: usize) -> rustix::io::Result<Filled> {
        match splice(from, None, &self.input, None, most, FLAGS) {
            Ok(0) => Ok(Filled::End),
            Ok(count) => {
                self.holds += count;
                Ok(Filled::More(count))
            }
            // The kernel says the same of a pipe that is full, and a pipe that is empty is not.
            Err(Errno::AGAIN) if self.holds > 0 => Ok(Filled::Full),
            Err(errno) => Err(errno),
        }
    }

    /// Puts bytes of our own behind those that are in it; all of them or none.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        debug_assert!(bytes.len() <= rustix::pipe::PIPE_BUF, "pipe(7)");
        let pushed = rustix::io::write(&self.input, bytes) == Ok(bytes.len());
        if pushed {
            self.holds += bytes.len();
        }
        pushed
    }

    /// Hands to a socket what that takes at once. `EAGAIN` says that it takes nothing.
    pub(super) fn pour(&mut self, to: BorrowedFd<'_>) -> rustix::io::Result<usize> {
        let count = splice(&self.output, None, to, None, self.holds, FLAGS)?;
        self.holds = self.holds.saturating_sub(count);
        Ok(count)
    }
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

impl Place {
    fn take() -> Option<Self> {
        let free = |open| (open < ALLOWED.load(Ordering::Relaxed)).then_some(open + 1);
        OPEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free)
            .ok()
            .map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}
