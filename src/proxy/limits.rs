//! The bounds of one gate, each with its reason. The policy's `[limits]` add theirs.

use std::time::Duration;

use crate::wire::pipe;

/// Bounds that hold for every client connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections of one socket, whatever its policy says: the process's descriptors,
    /// shared out (see [`fair_share`]).
    pub connections: usize,
    /// The most bulk streams of the whole process that go through a pipe (see [`pipes`]).
    pub pipes: usize,
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
            connections: usize::MAX,
            pipes: pipe::MOST,
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

/// How many bodies of one socket's requests are kept in memory at a time; more wait.
pub(super) const KEPT_BODIES: usize = 4;

/// How many connections beyond a socket's places are kept for the moment it takes to tell them so;
/// more are closed without a word.
pub(super) const STANDING: usize = 16;

/// Descriptors of one connection: the client's and the engine's.
const FILES_EACH: usize = 2;

/// Descriptors that belong to no connection: the runtime, logs, our own questions.
const OWN_FILES: usize = 32;

/// One pipe for so many descriptors.
const FILES_PER_PIPE: usize = 32;

/// How many connections fit into `files` descriptors when `sockets` sockets are served.
pub fn room(files: usize, sockets: usize) -> usize {
    let own = OWN_FILES + 2 * pipes(files);
    let own = own.saturating_add(sockets.saturating_mul(STANDING + 1));
    files.saturating_sub(own) / FILES_EACH
}

/// How many bulk streams may have a pipe at a time: each takes two descriptors.
pub fn pipes(files: usize) -> usize {
    (files / FILES_PER_PIPE).min(pipe::MOST)
}

/// The most connections one socket may have so that all sockets together, each with what it `asked`
/// for at most, stay within `room`: a flood on one takes no descriptor from another. At least one.
pub fn fair_share(room: usize, asked: &[usize]) -> usize {
    let mut asked = asked.to_vec();
    asked.sort_unstable();
    let (mut left, mut sockets) = (room, asked.len());
    for wanted in asked {
        // Those who want less than an even share leave the rest to the others.
        let even = left / sockets;
        if wanted > even {
            return even.max(1);
        }
        left -= wanted;
        sockets -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::{fair_share, room};

    #[test]
    fn descriptors_are_shared_out_evenly_and_what_one_leaves_goes_to_the_others() {
        assert_eq!(fair_share(1000, &[400, 600]), usize::MAX, "all fit");
        assert_eq!(fair_share(1000, &[4096]), 1000);
        assert_eq!(fair_share(1000, &[4096, 4096]), 500);
        assert_eq!(fair_share(1000, &[4096, 100, 4096]), 450);
        assert_eq!(fair_share(0, &[4096, 4096]), 1, "somebody must get in");
        assert_eq!(fair_share(10, &[]), usize::MAX);
    }

    #[test]
    fn every_connection_takes_two_descriptors() {
        assert_eq!(room(1024, 1), (1024 - 96 - 17) / 2);
        assert_eq!(room(100, 1), (100 - 32 - 6 - 17) / 2);
        assert_eq!(room(10, 1), 0);
    }
}
