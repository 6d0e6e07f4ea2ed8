//! Gates inside the test's own process: with other limits than the real ones, and with a look at
//! the runtime.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use quaygate::audit::{Audit, Keep, Output};
use quaygate::diag::Source;
use quaygate::engine::EngineState;
use quaygate::policy::Policy;
use quaygate::proxy::dial::Address;
use quaygate::proxy::limits::Limits;
use quaygate::proxy::{self, Gate, Shared};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::Client;

/// The gates of one process, on a thread of their own.
pub(crate) struct Inside {
    dir: TempDir,
    handle: Handle,
    engine: EngineState,
    docker: Address,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Where the kernel tells about that thread.
    stat: PathBuf,
}

impl Inside {
    /// One gate for each named policy.
    pub(crate) fn start(docker: &Path, policies: &[(&str, &str)], limits: Limits) -> Self {
        Self::with(docker, policies, limits, EngineState::default())
    }

    /// The same, as if in the container of this id, whose name nobody has asked for yet.
    pub(crate) fn in_container(docker: &Path, policies: &[(&str, &str)], id: &str) -> Self {
        let engine = EngineState::seen_from(Some(id));
        Self::with(docker, policies, Limits::default(), engine)
    }

    fn with(docker: &Path, policies: &[(&str, &str)], limits: Limits, engine: EngineState) -> Self {
        let dir = tempfile::Builder::new().prefix("qgi").tempdir().unwrap();
        let gates = policies
            .iter()
            .map(|(name, text)| {
                let source = Source::new(&format!("{name}.toml"), text);
                let policy = Policy::parse(name, &source).unwrap().policy;
                let listener = UnixListener::bind(dir.path().join(name)).unwrap();
                listener.set_nonblocking(true).unwrap();
                Gate {
                    policy: Arc::new(policy),
                    listener,
                }
            })
            .collect();
        let (audit, writer) =
            Audit::start(Output::File(dir.path().join("audit.jsonl")), Keep::Changes).unwrap();
        let address = Address::Unix(docker.to_owned());
        let shared = Shared::new(address.clone(), engine.clone(), audit, limits);
        let shared = Arc::new(shared);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let own = fs::read_link("/proc/thread-self").unwrap();
            tell.send(Path::new("/proc").join(own).join("schedstat"))
                .unwrap();
            runtime.block_on(proxy::run(gates, shared, async {
                drop(stopped.await);
            }));
            writer.finish();
        });
        Self {
            dir,
            handle,
            engine,
            docker: address,
            stop: Some(stop),
            thread: Some(thread),
            stat: told.recv().unwrap(),
        }
    }

    pub(crate) fn socket(&self, policy: &str) -> PathBuf {
        self.dir.path().join(policy)
    }

    pub(crate) fn client(&self, policy: &str) -> Client {
        Client::new(UnixStream::connect(self.socket(policy)).unwrap())
    }

    /// Has the gates ask for the name of their container.
    pub(crate) fn ask_own_name(&self) {
        let container = self.engine.own_container().unwrap();
        self.handle.block_on(container.ask(&self.docker));
    }

    /// How many tasks the gates have right now.
    pub(crate) fn tasks(&self) -> usize {
        self.handle.metrics().num_alive_tasks()
    }

    /// Processor time that the gates have used so far.
    pub(crate) fn worked(&self) -> Duration {
        let stat = fs::read_to_string(&self.stat).unwrap();
        Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
    }

    /// Ends the gates and gives the whole audit log.
    pub(crate) fn finish(mut self) -> Vec<Value> {
        self.end();
        fs::read_to_string(self.dir.path().join("audit.jsonl"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}
