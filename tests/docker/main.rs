//! The gate between the real docker CLI and a real Docker engine.
//!
//! `scripts/test` starts a private engine and runs these; `QUAYGATE_TEST_DOCKER` names its socket
//! (`unix:///…`), `QUAYGATE_TEST_DOCKER_CLI` another docker CLI than the one in `PATH`. They need
//! root, because some of them start a second engine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on says so by panicking, and prints what a human needs"
)]

mod cli;
mod image;
mod inside;
mod outage;
mod own_container;
mod powers;
mod ready;
mod remembered;
mod soak;
mod stage;
mod streams;
mod sweep;
mod target;
mod visible;
mod walk;
