//! The gate itself: listeners, connections, exchanges, tunnels.

pub mod dial;
pub mod listen;
