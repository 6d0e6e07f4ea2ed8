//! The whole gate between a hostile client and a lenient engine that says anything at all.
//!
//! Promise: every request that the engine finds in the bytes it is sent – reading as leniently as
//! any HTTP/1 reader ever did – is one that the policy allows, whatever the client sends and the
//! engine answers; and when both sides are done the gate lets go of both.
//!
//! An input is a byte of manners, the client's bytes and the engine's answers, separated by
//! [`SEPARATOR`].

mod engine;
mod oracle;
mod reader;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use quaygate::audit::Audit;
use quaygate::diag::Source;
use quaygate::docker::ApiVersion;
use quaygate::engine::{EngineState, EngineVersion};
use quaygate::policy::Policy;
use quaygate::proxy::dial::Address;
use quaygate::proxy::{Gate, Shared, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

pub use quaygate::proxy::limits::Limits;

use engine::Engine;

/// Between the client's bytes and the answers.
const SEPARATOR: &[u8] = b"\n~~~~\n";

/// A gate that runs on the caller's thread, and the engine behind it.
pub struct Rig {
    runtime: Runtime,
    engine: Arc<Engine>,
    socket: PathBuf,
    patience: Duration,
    /// How long the client waits before it stops sending, when it is polite.
    pause: Duration,
    _directory: tempfile::TempDir,
}

/// How the client behaves, from the first byte of an input.
#[derive(Clone, Copy)]
struct Manners {
    /// Bytes per write.
    piece: usize,
    /// Stops sending at once, without waiting for answers.
    hasty: bool,
    /// Leaves without reading to the end.
    rude: bool,
    /// The engine answers before it has read the body.
    engine_first: bool,
}

impl Rig {
    /// Starts both; `clock` is called once inside of the runtime.
    pub fn start(limits: Limits, clock: impl FnOnce()) -> Self {
        Self::new(oracle::POLICY, oracle::allows, limits, clock)
    }

    /// The same with a policy of the caller's, and without a second opinion on it.
    pub fn with_policy(policy: &str, limits: Limits) -> Self {
        Self::new(policy, |_, _| Ok(()), limits, || {})
    }

    fn new(policy: &str, oracle: engine::Oracle, limits: Limits, clock: impl FnOnce()) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let (socket, docker) = (
            directory.path().join("gate"),
            directory.path().join("docker"),
        );
        let gate = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        gate.set_nonblocking(true)
            .expect("a socket that does not block");
        let source = Source::new("exchange.toml", policy);
        let policy = Policy::parse("exchange", &source).expect("a policy").policy;
        let state = EngineState::default();
        state.learn(&EngineVersion {
            release: "28.5.2".to_owned(),
            api: ApiVersion::new(1, 51),
            oldest_api: None,
            os: "linux".to_owned(),
        });
        let shared = Shared::new(
            Address::Unix(docker.clone()),
            state,
            Audit::silent(),
            limits,
        );
        let engine = {
            let _inside = runtime.enter();
            // libFuzzer's main is not Rust's, which would ignore SIGPIPE.
            let _caught_from_here_on = signal(SignalKind::pipe()).expect("a signal handler");
            clock();
            Engine::listen(&docker, oracle)
        };
        let gates = vec![Gate {
            policy: Arc::new(policy),
            listener: gate,
        }];
        runtime.spawn(run(gates, Arc::new(shared), std::future::pending()));
        let patience = 4 * (limits.head_deadline + limits.body_deadline + limits.linger);
        Self {
            runtime,
            engine,
            socket,
            patience,
            pause: limits.linger / 2,
            _directory: directory,
        }
    }

    /// One input.
    ///
    /// # Panics
    ///
    /// When a promise breaks.
    pub fn check(&self, input: &[u8]) {
        let Some((manners, rest)) = input.split_first() else {
            return;
        };
        let manners = Manners::of(*manners);
        let mut parts = split(rest);
        let client = parts.remove(0).to_vec();
        let answers = parts.into_iter().map(<[u8]>::to_vec).collect();
        self.engine.play(answers, manners.engine_first);
        self.runtime.block_on(async {
            let talk = self.talk(&client, manners);
            let ended = timeout(self.patience, talk).await;
            assert!(ended.is_ok(), "the client's connection did not end");
            let idle = timeout(self.patience, self.engine.idle()).await;
            assert!(idle.is_ok(), "the engine's connection did not end");
        });
        let seen = self.engine.seen();
        assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
    }

    /// The requests that reached the engine during the last input: their first lines.
    pub fn reached(&self) -> Vec<String> {
        self.engine.seen().lines
    }

    /// Sends these bytes, waits until so many answers came (or the gate closed), then ends. Returns
    /// all bytes that reached the engine, connection by connection.
    pub fn relay(&self, bytes: &[u8], answers: usize) -> Vec<Vec<u8>> {
        self.engine.play(VecDeque::new(), false);
        self.runtime.block_on(async {
            let ended = timeout(self.patience, self.converse(bytes, answers)).await;
            assert!(ended.is_ok(), "the client's connection did not end");
            self.engine.idle().await;
        });
        let seen = self.engine.seen();
        assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
        seen.raw
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a client of the gate, not a way to Docker"
    )]
    async fn converse(&self, bytes: &[u8], answers: usize) {
        let mut stream = UnixStream::connect(&self.socket)
            .await
            .expect("the gate listens");
        let mut received = Vec::new();
        let _closed_already = stream.write_all(bytes).await;
        let start = b"HTTP/1.1 ";
        loop {
            let count = received
                .windows(start.len())
                .filter(|part| part == start)
                .count();
            if count >= answers {
                break;
            }
            match stream.read_buf(&mut received).await {
                Ok(count) if count > 0 => {}
                _ => break,
            }
        }
        let _closed_already = stream.shutdown().await;
        let _reset_is_an_end = stream.read_to_end(&mut received).await;
    }

    /// The client's side, until the gate closes.
    #[expect(
        clippy::disallowed_methods,
        reason = "a client of the gate, not a way to Docker"
    )]
    async fn talk(&self, bytes: &[u8], manners: Manners) {
        let stream = UnixStream::connect(&self.socket)
            .await
            .expect("the gate listens");
        let (mut from, mut to) = stream.into_split();
        let reading = tokio::spawn(async move {
            let mut answers = Vec::new();
            let _reset_is_an_end = from.read_to_end(&mut answers).await;
            answers
        });
        for piece in bytes.chunks(manners.piece) {
            if to.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        if manners.rude {
            tokio::task::yield_now().await;
            reading.abort();
            drop(to);
            let _aborted = reading.await;
            return;
        }
        if !manners.hasty {
            sleep(self.pause).await;
        }
        let _closed_already = to.shutdown().await;
        let answers = reading.await.expect("a reader");
        assert!(
            answers.is_empty() || answers.starts_with(b"HTTP/1.1 "),
            "the client was sent {:?}",
            String::from_utf8_lossy(&answers)
        );
    }
}

impl Manners {
    fn of(byte: u8) -> Self {
        let piece = [4096, 1, 7, 64, 512, 3, 16, 1024][usize::from(byte & 7)];
        Self {
            piece,
            hasty: byte & 8 != 0,
            rude: byte & 0x30 == 0x30,
            engine_first: byte & 64 != 0,
        }
    }
}

/// The parts between separators; at least one.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes
        .windows(SEPARATOR.len())
        .position(|window| window == SEPARATOR)
    {
        parts.push(&bytes[..at]);
        bytes = &bytes[at + SEPARATOR.len()..];
    }
    parts.push(bytes);
    parts
}
