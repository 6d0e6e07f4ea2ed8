//! The gate itself.
//!
//! The journey of a request, file by file: `accept` takes a connection and asks the kernel who is
//! there; `connection` waits for a head; `exchange` carries the request from top to bottom –
//! reading it (`wire::head`, `docker::call`), finding out what it is about (`target`), reading the
//! body that the decision hangs on (`body`), judging it (`judge`), writing the audit record (`entry`),
//! dialling Docker (`dial`) and moving bytes both ways (`forward`, `passage`, and `tunnel` after an
//! upgrade) – or turning it away (`refuse`).
//!
//! One task carries one client connection, with one connection to the engine that belongs to it
//! alone: whatever goes wrong between the two can only ever reach the client that caused it.

mod accept;
mod asked;
mod body;
mod connection;
pub mod dial;
mod entry;
mod exchange;
mod finish;
mod forward;
mod held;
pub(crate) mod identity;
pub mod limits;
pub mod listen;
mod made;
mod news;
mod passage;
mod refuse;
mod seat;
mod target;
mod tunnel;

use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audit::Audit;
use crate::engine::EngineState;
use crate::engine::cache::Cache;
use crate::policy::Policy;
use dial::Address;
use limits::Limits;
use made::Made;
use seat::Houses;

/// One policy and the socket it guards.
#[derive(Debug)]
pub struct Gate {
    /// What may pass.
    pub policy: Arc<Policy>,
    /// Where clients connect: bound, listening, non-blocking.
    pub listener: UnixListener,
}

/// What all gates of a process have in common.
#[derive(Debug)]
pub struct Shared {
    /// Where Docker listens.
    pub docker: Address,
    /// What is known of the engine behind it.
    pub engine: EngineState,
    /// The audit log.
    pub audit: Audit,
    /// Bounds for every connection.
    pub limits: Limits,
    /// Set once the process is to end: no connection takes another request.
    draining: AtomicBool,
    /// What is known of its objects.
    cache: Cache,
    /// Which places of which socket are taken.
    houses: Houses,
}

impl Shared {
    /// What the gates share.
    pub fn new(docker: Address, engine: EngineState, audit: Audit, limits: Limits) -> Self {
        Self {
            docker,
            engine,
            audit,
            limits,
            draining: AtomicBool::new(false),
            cache: Cache::default(),
            houses: Houses::default(),
        }
    }

    /// Lets what is created through a policy's socket survive a restart, in this file.
    pub fn remember(&self, policy: &Arc<str>, file: &Path) -> io::Result<()> {
        self.houses.of(policy).remember(Made::open(file)?);
        Ok(())
    }

    fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Serves every gate until `shutdown` completes, then lets calls in flight end within
/// [`Limits::drain`]. Runs on the current thread's runtime; several threads may each run it with
/// clones of the same listeners.
pub async fn run(gates: Vec<Gate>, shared: Arc<Shared>, shutdown: impl Future<Output = ()>) {
    let (ending, ended) = watch::channel(false);
    let mut serving = JoinSet::new();
    for gate in gates {
        serving.spawn(accept::serve(gate, Arc::clone(&shared), ended.clone()));
    }
    shutdown.await;
    shared.draining.store(true, Ordering::Relaxed);
    let _nobody_serves = ending.send(true);
    while serving.join_next().await.is_some() {}
}
