//! Why a socket could not be opened, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::LONGEST_PATH;

/// What is in the way of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Something else that is not a socket.
    File,
}

/// Why a socket could not be opened, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The path does not fit.
    #[error(
        "the socket path {} has {bytes} bytes, and the kernel takes {LONGEST_PATH}: choose a shorter --runtime-dir, --listen or `[socket] path`",
        path.display()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// Somebody listens there.
    #[error(
        "another process listens on {}: stop it first (`ss -xlp | grep {}` names it), or choose another --runtime-dir",
        path.display(), path.display()
    )]
    Live {
        /// The path.
        path: PathBuf,
    },
    /// Two of our own sockets have one path under two spellings, or another gate starts just now.
    #[error(
        "{} was taken by another socket just now: do two policies or two gates want the same path under two spellings?",
        path.display()
    )]
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// Something that is not a socket.
    #[error("{}", in_the_way(path, *what))]
    InTheWay {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: Obstacle,
    },
    /// No directory for it.
    #[error("{}", no_directory(directory, path, cause))]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The socket's path.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The name is in neither file.
    #[error(
        "`[socket] {key} = \"{name}\"`: {file} has no such name; names are read from this file alone, so write the number, or add a line to it"
    )]
    NoSuchName {
        /// `owner` or `group`.
        key: &'static str,
        /// The name.
        name: String,
        /// Where it was looked for.
        file: &'static str,
    },
    /// The file with the names cannot be read.
    #[error(
        "cannot read {file}, where the name `{name}` is looked up: {cause}; write the number in `[socket] {key}`"
    )]
    NoNames {
        /// `owner` or `group`.
        key: &'static str,
        /// The name.
        name: String,
        /// Where it was looked for.
        file: &'static str,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The socket could not be given away.
    #[error("{}", not_given(path, *owner, *group, cause))]
    Ownership {
        /// The path.
        path: PathBuf,
        /// The owner it should have.
        owner: Option<u32>,
        /// The group it should have.
        group: Option<u32>,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The mode could not be set.
    #[error("{}", wrong_mode(path, *wanted, *got, cause.as_ref()))]
    Mode {
        /// The path.
        path: PathBuf,
        /// The mode of the policy.
        wanted: u32,
        /// The mode of the file.
        got: u32,
        /// What the kernel said, if it said anything.
        #[source]
        cause: Option<io::Error>,
    },
    /// Anything else.
    #[error("{}", plain(what, path, cause))]
    Io {
        /// What was tried.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
}

impl BindError {
    pub(super) fn io(what: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::Io {
            what,
            path: path.to_owned(),
            cause,
        }
    }
}

fn in_the_way(path: &Path, what: Obstacle) -> String {
    let path = path.display();
    match what {
        Obstacle::Directory => format!(
            "{path} is a directory, not a socket: Docker makes one when a container mounts a path that does not exist yet; stop that container, `rmdir {path}`, and mount the directory above it instead"
        ),
        Obstacle::Symlink => format!(
            "{path} is a symbolic link: quaygate replaces only sockets; remove it if it is not needed"
        ),
        Obstacle::File => format!(
            "{path} is a file, not a socket: quaygate replaces only sockets; remove it if it is not needed"
        ),
    }
}

fn no_directory(directory: &Path, path: &Path, cause: &io::Error) -> String {
    let (directory, path) = (directory.display(), path.display());
    let todo = match errno(cause) {
        Errno::ACCESS | Errno::PERM => {
            "create it for this user, or choose a directory of your own with --runtime-dir"
        }
        Errno::NOTDIR => "a file is where a directory should be; choose another --runtime-dir",
        Errno::ROFS => "mount a volume or a tmpfs there, or choose another --runtime-dir",
        _ => "create it, or choose another --runtime-dir",
    };
    format!(
        "cannot make the directory {directory} for the socket {path}: {}; {todo}",
        kernel_words(cause)
    )
}

fn not_given(path: &Path, owner: Option<u32>, group: Option<u32>, cause: &io::Error) -> String {
    let mut to = Vec::new();
    to.extend(owner.map(|id| format!("owner {id}")));
    to.extend(group.map(|id| format!("group {id}")));
    let todo = if cause.kind() == io::ErrorKind::PermissionDenied {
        "; only root may do that (with CAP_CHOWN), or a member of the group for `group`: start as root, or leave `owner` and `group` out"
    } else {
        ""
    };
    format!(
        "cannot give {} to {}: {}{todo}",
        path.display(),
        to.join(", "),
        kernel_words(cause)
    )
}

fn wrong_mode(path: &Path, wanted: u32, got: u32, cause: Option<&io::Error>) -> String {
    let path = path.display();
    let todo = match cause {
        Some(cause) => format!(
            "{}; is /proc mounted? without it, start under a umask that leaves these bits alone",
            kernel_words(cause)
        ),
        None => "its file system keeps modes of its own; choose a directory on another one (a tmpfs such as /run works)".to_owned(),
    };
    format!("{path} has mode {got:04o} instead of {wanted:04o}: {todo}")
}

fn plain(what: &str, path: &Path, cause: &io::Error) -> String {
    let todo = match errno(cause) {
        Errno::ACCESS | Errno::PERM => {
            "; its directory must be writable for this user: create it for this user, or choose another --runtime-dir"
        }
        Errno::ADDRINUSE => "; another process was faster: is a second gate starting?",
        _ => "",
    };
    format!(
        "cannot {what} {}: {}{todo}",
        path.display(),
        kernel_words(cause)
    )
}

/// What the kernel said, as a number; an error that is not the kernel's is `EIO`.
pub(crate) fn errno(cause: &io::Error) -> Errno {
    Errno::from_io_error(cause).unwrap_or(Errno::IO)
}

/// The kernel's words in our dress: "Permission denied (os error 13)" becomes "permission denied".
pub(crate) fn kernel_words(cause: &io::Error) -> String {
    let text = cause.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}
