//! The policy's own settings: `[socket]`, `[limits]`.

use std::path::PathBuf;

/// A user or group, by number or by the name that /etc/passwd or /etc/group gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A number.
    Id(u32),
    /// A name.
    Name(String),
}

/// The socket of one policy, and who may connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Where; `None` means `<runtime dir>/<policy name>/docker.sock`.
    pub path: Option<PathBuf>,
    /// Permission bits, default 0660.
    pub mode: u32,
    /// The owner; `None` leaves it.
    pub owner: Option<Principal>,
    /// The group; `None` leaves it.
    pub group: Option<Principal>,
    /// Which local users may connect; `None`: whoever the file mode lets in.
    pub peer_uids: Option<Vec<u32>>,
}

impl Default for Socket {
    fn default() -> Self {
        Self {
            path: None,
            mode: 0o660,
            owner: None,
            group: None,
            peer_uids: None,
        }
    }
}

/// Bounds of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Client connections at a time, default 4096.
    pub connections: usize,
    /// The largest body that is judged, in bytes, default 1 MiB.
    pub body: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            body: 1 << 20,
        }
    }
}
