//! The whole table of exit codes.

use std::process::ExitCode;

/// How a verb ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done; the answer is yes.
    Done,
    /// Done; the answer is no.
    No,
    /// The command line or a file cannot be read.
    Usage,
    /// The gate could not start, or Docker cannot be reached.
    NotStarted,
    /// A fault of quaygate's own.
    Bug,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::NotStarted => 3,
            Exit::Bug => 70, // EX_SOFTWARE of sysexits.h
        })
    }
}
