//! The harness: an engine that records, the gate as a child process, a client that sends anything.
//!
//! Nothing here sleeps for a guess: every wait is for a fact, and ends at [`DEADLINE`].

mod client;
mod fake_docker;
mod gate;
mod http;
mod inside;
pub(crate) mod traces;

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub(crate) use client::{Client, Ended};
pub(crate) use fake_docker::{Exchange, FakeDocker, ok};
pub(crate) use gate::Gate;
pub(crate) use http::{Body, Head, chunked};
pub(crate) use inside::Inside;

/// How long any test waits for any fact. Generous: the machine may be busy, and a passing test
/// never waits that long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `fact` holds; fails the test with `what` when it does not.
pub(crate) fn wait_until(what: &str, mut fact: impl FnMut() -> bool) {
    wait_for(what, || fact().then_some(()));
}

/// Waits until `fact` is there, and returns it.
pub(crate) fn wait_for<T>(what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = fact() {
            return found;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} in vain: {what}");
        // Some facts (a file's content, another process's exit) announce themselves to nobody.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A latch between a test and the script of its engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal(Arc<(Mutex<bool>, Condvar)>);

impl Signal {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn set(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn wait(&self) {
        let held = self.0.0.lock().unwrap();
        let (_held, late) = self
            .0
            .1
            .wait_timeout_while(held, DEADLINE, |set| !*set)
            .map(|(g, t)| (g, t.timed_out()))
            .unwrap();
        assert!(!late, "a signal was never given");
    }
}

/// A policy that grants what the chapters use, plainly.
pub(crate) const WORKSHOP: &str = r#"
description = "what the tests use"
allow = [
  "GET /_ping",
  "GET /version",
  "GET /events",
  "GET /containers/json",
  "GET /containers/{id}/json",
  "GET /containers/{id}/logs",
  "GET /containers/{id}/attach/ws",
  "POST /containers/create",
  "POST /containers/{id}/start",
  "POST /containers/{id}/wait",
  "POST /containers/{id}/attach",
  "POST /containers/{id}/exec",
  "DELETE /containers/{id}",
  "GET /images/{name}/get",
  "POST /images/load",
  "POST /build",
  "POST /session",
]

[[rule]]
name = "exec"
allow = "POST /exec/{id}/start"
any_exec = true
"#;
