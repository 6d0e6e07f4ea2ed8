//! The gate itself: listeners, connections, exchanges, tunnels.
