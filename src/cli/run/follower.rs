//! Who knows the engine's version, and what happens to its objects, for as long as the gate runs.
//!
//! On a thread of its own: those that carry calls wait for nothing else then. Who has a timer to look after,
//! however far off, has the kernel set and cancel it around every wait (some 2 µs on a virtual machine).

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::watch;

use super::serve::{runtime, until_told};
use crate::engine::EngineState;
use crate::proxy::Shared;
use crate::proxy::dial::Address;

/// The thread that follows the engine.
#[derive(Debug)]
pub(super) struct Follower {
    tell: watch::Sender<()>,
    thread: JoinHandle<()>,
}

impl Follower {
    /// Follows the engine's version, and its events for whoever is `watching`.
    pub(super) fn start(
        docker: Address,
        state: EngineState,
        watching: Option<Arc<Shared>>,
    ) -> io::Result<Self> {
        let (tell, told) = watch::channel(());
        let runtime = runtime()?;
        let watch = async move {
            match watching {
                Some(shared) => shared.watch().await,
                None => pending().await,
            }
        };
        let follow = async move {
            tokio::select! {
                () = state.follow(docker) => {}
                () = watch => {}
                () = until_told(told) => {}
            }
        };
        let thread = thread::Builder::new()
            .name("engine".into())
            .spawn(move || runtime.block_on(follow))?;
        Ok(Self { tell, thread })
    }

    /// Ends what it does, and waits for that.
    pub(super) fn end(self) {
        drop(self.tell);
        // A thread that panicked has said so.
        let _ended = self.thread.join();
    }
}
