//! Opening the gate's own sockets: all of them, or none.
//!
//! A socket is bound, given its owner and mode, checked, and only then told to listen: until
//! `listen(2)` every connect is refused by the kernel, whatever the file mode says, so nobody slips
//! in while owner and mode are still being set. Both are set on the inode that is held open, never
//! by path: the directory may be writable by the very clients the gate keeps out, and a path may
//! have become a symbolic link. Roads not taken: the umask belongs to the whole process, so that
//! other threads' files would come out wrong; binding under a private name and renaming needs room
//! for a second name within the 107 bytes of a socket path, shows that name in `ss -xl` for ever,
//! and steals the path of a gate that starts at the same moment instead of being refused.
//!
//! A file in the way is removed only if it is a socket that nobody listens on.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::policy::settings::{Principal, Socket};

mod error;
mod names;

pub use error::{BindError, Obstacle};
pub(crate) use error::{errno, kernel_words};
pub use names::group_name;

/// The longest path that fits into `sockaddr_un` (unix(7): 108 bytes with the final NUL).
pub const LONGEST_PATH: usize = 107;

/// How many clients may wait to be accepted; the kernel lowers it to `net.core.somaxconn`. The 128
/// of std is too few for compose, which connects to the daemon for every service at once.
const BACKLOG: i32 = 4096;

/// The mode of directories made here. Who may connect is said by the socket, not by the way to it.
const DIRECTORY_MODE: u32 = 0o755;

/// A socket to be opened.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Where.
    pub path: &'a Path,
    /// Mode, owner and group.
    pub socket: &'a Socket,
}

/// An open socket and the file it is reached by.
#[derive(Debug)]
pub struct Listening {
    /// Non-blocking, listening.
    pub listener: UnixListener,
    /// Removes the socket's file when it is dropped.
    pub file: SocketFile,
}

/// Opens every socket, or none: what was opened is closed and removed again when one fails. All
/// failures are told at once, and what is wrong with the plans before anything is made.
pub fn bind_all(plans: &[Plan<'_>]) -> Result<Vec<Listening>, Vec<BindError>> {
    let rights = all(plans.iter().map(Rights::of))
        .map_err(|wrong| wrong.into_iter().flatten().collect::<Vec<_>>())?;
    let bound = all(plans
        .iter()
        .zip(&rights)
        .map(|(plan, rights)| bind(plan.path, rights)))?;
    let open = all(bound.into_iter().map(Listening::start))?;
    // A socket that does not listen yet looks stale to another one of the same path, be it ours
    // under a second spelling or another gate's that starts just now. From here on it looks alive,
    // so whoever has lost its place knows by now.
    let lost = open
        .iter()
        .filter(|open| !open.file.is_still_ours().unwrap_or(false));
    let lost: Vec<_> = lost
        .map(|open| BindError::Taken {
            path: open.file.path.clone(),
        })
        .collect();
    if lost.is_empty() { Ok(open) } else { Err(lost) }
}

/// All results, or all errors.
fn all<T, E>(results: impl Iterator<Item = Result<T, E>>) -> Result<Vec<T>, Vec<E>> {
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) => bad.push(error),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// Mode, owner and group as numbers.
struct Rights {
    mode: Mode,
    owner: Option<Uid>,
    group: Option<Gid>,
}

impl Rights {
    fn of(plan: &Plan<'_>) -> Result<Self, Vec<BindError>> {
        let path = plan.path;
        let bytes = path.as_os_str().as_bytes().len();
        let too_long = (bytes > LONGEST_PATH).then(|| BindError::TooLong {
            path: path.to_owned(),
            bytes,
        });
        let owner = resolve(plan.socket.owner.as_ref(), names::Kind::User);
        let group = resolve(plan.socket.group.as_ref(), names::Kind::Group);
        match (too_long, owner, group) {
            (None, Ok(owner), Ok(group)) => Ok(Self {
                mode: Mode::from_raw_mode(plan.socket.mode & 0o777),
                owner: owner.map(Uid::from_raw),
                group: group.map(Gid::from_raw),
            }),
            (too_long, owner, group) => Err(too_long
                .into_iter()
                .chain(owner.err())
                .chain(group.err())
                .collect()),
        }
    }
}

impl Listening {
    fn start((socket, file): (OwnedFd, SocketFile)) -> Result<Self, BindError> {
        rustix::net::listen(&socket, BACKLOG)
            .map_err(|error| BindError::io("listen on", &file.path, error.into()))?;
        Ok(Self {
            listener: socket.into(),
            file,
        })
    }
}

/// Binds one socket without listening yet.
fn bind(path: &Path, rights: &Rights) -> Result<(OwnedFd, SocketFile), BindError> {
    make_parents(path)?;
    clear_the_way(path)?;

    let failed = |what| move |error: Errno| BindError::io(what, path, error.into());
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .map_err(failed("make a socket for"))?;
    let address = SocketAddrUnix::new(path).map_err(failed("name"))?;
    // Linux makes the file with the mode of the socket, less the umask (unix_bind_bsd in
    // net/unix/af_unix.c): never wider than asked for.
    rustix::fs::fchmod(&socket, rights.mode).map_err(failed("set the mode of"))?;
    rustix::net::bind(&socket, &address).map_err(failed("create"))?;
    let file = SocketFile::hold(path).map_err(|e| BindError::io("look at", path, e))?;
    file.give_to(rights.owner, rights.group)?;
    file.set_mode(rights.mode)?;
    Ok((socket, file))
}

fn resolve(who: Option<&Principal>, kind: names::Kind) -> Result<Option<u32>, BindError> {
    match who {
        None => Ok(None),
        Some(Principal::Id(id)) => Ok(Some(*id)),
        Some(Principal::Name(name)) => names::look_up(kind, name).map(Some),
    }
}

/// Creates the missing directories above `path`, passable for everybody whatever the umask says.
fn make_parents(path: &Path) -> Result<(), BindError> {
    let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) else {
        return Ok(());
    };
    let missing: Vec<&Path> = parent.ancestors().take_while(|p| !p.exists()).collect();
    let failed = |directory: &Path| {
        let (directory, path) = (directory.to_owned(), path.to_owned());
        move |cause| BindError::Directory {
            directory,
            path,
            cause,
        }
    };
    for directory in missing.into_iter().rev() {
        make_directory(directory).map_err(failed(directory))?;
    }
    if parent.is_dir() {
        return Ok(());
    }
    Err(failed(parent)(Errno::NOTDIR.into()))
}

fn make_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        other => other?,
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::open(directory, flags, Mode::empty())?;
    Ok(rustix::fs::fchmod(
        &made,
        Mode::from_raw_mode(DIRECTORY_MODE),
    )?)
}

/// Removes a socket that a gate left behind; refuses to remove anything else.
fn clear_the_way(path: &Path) -> Result<(), BindError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(BindError::io("look at", path, error)),
    };
    if !found.is_socket() {
        let what = if found.is_dir() {
            Obstacle::Directory
        } else if found.is_symlink() {
            Obstacle::Symlink
        } else {
            Obstacle::File
        };
        return Err(BindError::InTheWay {
            path: path.to_owned(),
            what,
        });
    }
    match knock(path) {
        Knock::Nobody => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BindError::io("replace the stale socket", path, error))
            }
            _ => Ok(()),
        },
        Knock::Gone => Ok(()),
        Knock::Somebody => Err(BindError::Live {
            path: path.to_owned(),
        }),
        Knock::Unknown(cause) => Err(BindError::io("find out who listens on", path, cause)),
    }
}

enum Knock {
    Nobody,
    Somebody,
    Gone,
    Unknown(io::Error),
}

/// Connects and hangs up at once; not a byte is sent.
fn knock(path: &Path) -> Knock {
    let tried = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .and_then(|socket| rustix::net::connect(&socket, &SocketAddrUnix::new(path)?));
    match tried {
        // EAGAIN: the backlog is full. EPROTOTYPE: a datagram socket; somebody holds it all the same.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Knock::Somebody,
        Err(Errno::CONNREFUSED) => Knock::Nobody,
        Err(Errno::NOENT) => Knock::Gone,
        Err(other) => Knock::Unknown(other.into()),
    }
}

/// The file of a socket that this process bound. Removed at the end, if it is still ours.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Holds the inode, so that its number cannot be given to another file while we compare.
    inode: OwnedFd,
}

impl SocketFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn hold(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inode = rustix::fs::open(path, flags, Mode::empty())?;
        // SECURITY: in a directory that a client can write, the file may have been swapped between
        // bind and here. Owner changes go to the inode that is held, and only if it is a socket.
        if FileType::from_raw_mode(rustix::fs::fstat(&inode)?.st_mode) != FileType::Socket {
            return Err(io::Error::other("it was replaced by another file just now"));
        }
        Ok(Self {
            path: path.to_owned(),
            inode,
        })
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.inode)?)
    }

    fn give_to(&self, owner: Option<Uid>, group: Option<Gid>) -> Result<(), BindError> {
        let failed = |cause: io::Error| BindError::Ownership {
            path: self.path.clone(),
            owner: owner.map(Uid::as_raw),
            group: group.map(Gid::as_raw),
            cause,
        };
        let now = self.stat().map_err(failed)?;
        let owner = owner.filter(|o| o.as_raw() != now.st_uid);
        let group = group.filter(|g| g.as_raw() != now.st_gid);
        if owner.is_none() && group.is_none() {
            return Ok(());
        }
        rustix::fs::chownat(&self.inode, "", owner, group, AtFlags::EMPTY_PATH)
            .map_err(|error| failed(error.into()))
    }

    /// Gives back what the umask took. A descriptor opened with `O_PATH` cannot be told a mode
    /// (open(2)), but its name in `/proc/self/fd` leads to this very inode and to no other.
    fn set_mode(&self, wanted: Mode) -> Result<(), BindError> {
        let mode = || -> io::Result<Mode> { Ok(Mode::from_raw_mode(self.stat()?.st_mode & 0o777)) };
        let failed = |e: io::Error| BindError::io("set the mode of", &self.path, e);
        if mode().map_err(failed)? != wanted {
            let held = format!("/proc/self/fd/{}", self.inode.as_raw_fd());
            let changed = rustix::fs::chmod(held, wanted);
            let got = mode().map_err(failed)?;
            if got != wanted {
                return Err(BindError::Mode {
                    path: self.path.clone(),
                    wanted: wanted.as_raw_mode(),
                    got: got.as_raw_mode(),
                    cause: changed.err().map(io::Error::from),
                });
            }
        }
        Ok(())
    }

    fn is_still_ours(&self) -> io::Result<bool> {
        let ours = self.stat()?;
        let there = rustix::fs::statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_still_ours().unwrap_or(false) {
            let _left_behind = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
