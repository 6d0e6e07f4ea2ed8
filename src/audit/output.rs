//! Where the lines of the audit trail go, and how it is opened.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Where the audit trail goes (`--audit`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error, where operational logs go too.
    Stderr,
    /// A file that lines are appended to.
    File(PathBuf),
}

impl Output {
    /// Opens it for appending.
    pub(super) fn open(self) -> io::Result<File> {
        // Not `io::stdout()`: its line buffer would cost a system call per record.
        let descriptor: OwnedFd = match self {
            Self::Stdout => io::stdout().as_fd().try_clone_to_owned()?,
            Self::Stderr => io::stderr().as_fd().try_clone_to_owned()?,
            Self::File(path) => return open_file(&path),
        };
        Ok(File::from(descriptor))
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    // Non-blocking, because opening a pipe would otherwise wait for its reader; files don't care.
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::CLOEXEC
        | OFlags::NOCTTY
        | OFlags::NONBLOCK;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
    let descriptor = rustix::fs::open(path, flags, mode).map_err(|errno| explain(path, errno))?;
    let mut file = File::from(descriptor);
    if ends_in_mid_line(path) {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

fn explain(path: &Path, errno: Errno) -> io::Error {
    let error = io::Error::from(errno);
    let why = match errno {
        Errno::NOENT => "its directory does not exist; create it, or name another file".to_owned(),
        Errno::ISDIR => "it is a directory; name a file in it".to_owned(),
        Errno::ACCESS => "permission denied; quaygate's user must be able to write it".to_owned(),
        Errno::ROFS => {
            "its file system is read-only; name a file elsewhere, or `stdout`".to_owned()
        }
        Errno::NXIO => "it is a pipe that nobody reads; start its reader first".to_owned(),
        _ => error.to_string(),
    };
    let path = path.display().to_string();
    let shown = path.escape_debug();
    io::Error::new(
        error.kind(),
        format!("cannot open the audit log {shown}: {why}"),
    )
}

/// Whether a file's last line was torn, by a crash or a full disk: the next record would be part of
/// it. A file that cannot be read is taken as whole.
fn ends_in_mid_line(path: &Path) -> bool {
    let last_byte = || {
        let length = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len();
        let mut last = [0_u8];
        let file = File::open(path).ok()?;
        file.read_exact_at(&mut last, length.checked_sub(1)?).ok()?;
        Some(last)
    };
    last_byte().is_some_and(|last| last != *b"\n")
}
