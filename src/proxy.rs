//! The gate itself.
//!
//! The journey of a request, file by file: `deal` takes in a connection and says which thread carries
//! it; `accept` gives it a place; `connection` waits for a head; `exchange` carries the request from top to bottom –
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
mod deal;
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
use crate::wire::pipe;
use deal::{Arrivals, Load, deal};
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
        pipe::allow(limits.pipes);
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

/// One thread's part in serving every gate.
#[derive(Debug)]
pub struct Part(Vec<(Arc<Policy>, Arrivals)>);

/// Divides the work among so many threads, at least one. Whoever has the first part takes in the connections
/// of all.
pub fn divide(gates: Vec<Gate>, threads: usize) -> Vec<Part> {
    let loads: Vec<_> = (0..threads.max(1)).map(|_| Load::default()).collect();
    let mut parts: Vec<_> = loads.iter().map(|_| Part(Vec::new())).collect();
    for Gate { policy, listener } in gates {
        for (part, arrivals) in parts.iter_mut().zip(deal(listener, &loads)) {
            part.0.push((Arc::clone(&policy), arrivals));
        }
    }
    parts
}

/// Serves every gate on the current thread's runtime alone.
pub async fn run(gates: Vec<Gate>, shared: Arc<Shared>, shutdown: impl Future<Output = ()>) {
    if let Some(all) = divide(gates, 1).pop() {
        all.run(shared, shutdown).await;
    }
}

impl Part {
    /// Serves until `shutdown` completes, then lets calls in flight end within [`Limits::drain`]. Runs on the
    /// current thread's runtime.
    pub async fn run(self, shared: Arc<Shared>, shutdown: impl Future<Output = ()>) {
        let (ending, ended) = watch::channel(false);
        let mut serving = JoinSet::new();
        for (policy, arrivals) in self.0 {
            serving.spawn(accept::serve(
                policy,
                arrivals,
                Arc::clone(&shared),
                ended.clone(),
            ));
        }
        shutdown.await;
        shared.draining.store(true, Ordering::Relaxed);
        let _nobody_serves = ending.send(true);
        while serving.join_next().await.is_some() {}
    }
}
