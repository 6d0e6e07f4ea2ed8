//! The bounds of one gate, each with its reason. The policy's `[limits]` add theirs.

use std::time::Duration;

/// Bounds that hold for every client connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a head to its last: a client that dribbles must not hold a place.
    pub head_deadline: Duration,
    /// For reading a body that is kept in memory, and for handing a refusal to the client.
    pub body_deadline: Duration,
    /// How long what a refused client still sends is read and thrown away, so that it can read the
    /// refusal before the connection closes.
    pub linger: Duration,
    /// How much of it is read at most.
    pub linger_bytes: usize,
    /// How long calls in flight may go on after SIGTERM.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_deadline: Duration::from_secs(10),
            body_deadline: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            linger_bytes: 1024 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// The largest body that is read and dropped where an operation defines none.
pub(super) const DROPPED_BODY: u64 = 64 * 1024;
