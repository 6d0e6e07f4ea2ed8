//! Opening everything, running until a signal, closing everything.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Refusal;
use super::follower::Follower;
use super::plan::Plan;
use super::report::{self, Report};
use crate::audit::Audit;
use crate::cli::console::Console;
use crate::engine::{self, AskError, EngineState, EngineVersion};
use crate::fleet::Post;
use crate::proxy::dial::Address;
use crate::proxy::identity;
use crate::proxy::limits::{self, Limits};
use crate::proxy::listen::{self, kernel_words};
use crate::proxy::{self, Gate, Part, Shared};
use crate::settings::{LogFormat, memory_file};

/// How long the first question to the engine may hold up the start. Clients queue meanwhile.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// Opens, serves, closes.
pub(super) fn serve(console: Console, plan: Plan) -> Result<(), Refusal> {
    let Plan { settings, posts } = plan;
    log(console, settings.log)?;
    let files = raise_open_files();
    let (audit, writer) = Audit::start(settings.audit, settings.keep)
        .map_err(|error| Refusal::Machine(vec![error.to_string()]))?;
    let runtime = runtime().map_err(|error| machine("start the runtime", &error))?;
    let mut signals = {
        // Signal handlers belong to a runtime, and are in place before anybody can connect.
        let _inside = runtime.enter();
        Signals::new().map_err(|error| machine("listen for signals", &error))?
    };
    let plans: Vec<_> = posts.iter().map(Post::plan).collect();
    let open = listen::bind_all(&plans)
        .map_err(|errors| Refusal::Machine(errors.iter().map(ToString::to_string).collect()))?;
    let (listeners, socket_files): (Vec<_>, Vec<_>) = open
        .into_iter()
        .map(|open| (open.listener, open.file))
        .unzip();

    let room = files.map(|files| limits::room(files, posts.len()));
    let asked: Vec<_> = posts
        .iter()
        .map(|post| post.loaded.policy.limits().connections)
        .collect();
    let bounds = Limits {
        connections: room.map_or(usize::MAX, |room| limits::fair_share(room, &asked)),
        pipes: limits::pipes(files.unwrap_or(usize::MAX)),
        ..Limits::default()
    };

    let docker = settings.docker.address.clone();
    let state = EngineState::seen_from(identity::own_container().as_deref());
    let shared = Arc::new(Shared::new(docker.clone(), state.clone(), audit, bounds));
    remember(&posts, &settings.state_dir, &shared)?;
    let gates = posts.iter().zip(listeners).map(|(post, listener)| Gate {
        policy: Arc::clone(&post.loaded.policy),
        listener,
    });
    let parts = proxy::divide(gates.collect(), settings.threads.get());

    let ended = runtime.block_on(async {
        let engine = first_answer(&docker, &state).await;
        report::say(
            console,
            settings.log,
            &Report {
                docker: &settings.docker,
                engine: &engine,
                posts: &posts,
                room,
                most_each: bounds.connections,
            },
        );
        let watching = hangs_on_events(&posts, &state).then(|| Arc::clone(&shared));
        let follower = Follower::start(docker, state, watching)?;
        let ended = carry(parts, shared, &mut signals).await;
        follower.end();
        ended
    });
    // The files go first: whoever starts next finds no trace of us.
    drop(socket_files);
    writer.finish();
    ended.map_err(|error| machine("start a thread", &error))
}

/// Whether what happens to objects matters to any policy, or to the gate itself.
fn hangs_on_events(posts: &[Post], state: &EngineState) -> bool {
    let mut policies = posts.iter().map(|post| &post.loaded.policy);
    let remembers = policies.any(|policy| policy.asks_targets() || policy.keeps_own());
    remembers || state.own_container().is_some()
}

/// Goes on from what was created through the sockets of policies that care.
fn remember(posts: &[Post], state_dir: &Path, shared: &Shared) -> Result<(), Refusal> {
    for post in posts.iter().filter(|post| post.loaded.policy.keeps_own()) {
        let policy = post.loaded.policy.name();
        let file = memory_file(state_dir, policy);
        let dir = file.parent().unwrap_or(&file);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .and_then(|()| shared.remember(policy, &file))
            .map_err(|error| {
                let what = format!(
                    "remember in {} what is created through the socket of `{policy}`, which its `own` rules need (--state-dir names another directory)",
                    dir.display()
                );
                machine(&what, &error)
            })?;
    }
    Ok(())
}

/// Serves the first part on this thread and each other on one of its own, until a signal; then lets calls in
/// flight end. A second signal ends at once.
async fn carry(parts: Vec<Part>, shared: Arc<Shared>, signals: &mut Signals) -> io::Result<()> {
    let (tell, told) = watch::channel(());
    let mut parts = parts.into_iter();
    let Some(here) = parts.next() else {
        return Ok(());
    };
    let mut others = Vec::new();
    for (number, part) in parts.enumerate() {
        let serving = part.run(Arc::clone(&shared), until_told(told.clone()));
        let runtime = runtime()?;
        others.push(
            thread::Builder::new()
                .name(format!("gate-{}", number + 1))
                .spawn(move || runtime.block_on(serving))?,
        );
    }
    let here = here.run(shared, until_told(told));
    tokio::pin!(here);
    tokio::select! {
        () = &mut here => {}
        name = signals.next() => {
            tracing::info!(signal = name, "ending: no new calls, calls in flight have 10 s; a second signal ends at once");
            drop(tell);
            tokio::select! {
                () = &mut here => {}
                name = signals.next() => {
                    tracing::warn!(signal = name, "ending at once");
                    return Ok(());
                }
            }
        }
    }
    for other in others {
        // A thread that panicked has said so; there is nothing left to wait for.
        let _ended = other.join();
    }
    Ok(())
}

/// Completes when the other end of the channel is gone.
pub(super) async fn until_told(mut told: watch::Receiver<()>) {
    while told.changed().await.is_ok() {}
}

async fn first_answer(docker: &Address, state: &EngineState) -> Result<EngineVersion, AskError> {
    let answer = timeout(FIRST_ANSWER, engine::version(docker))
        .await
        .unwrap_or(Err(AskError::Slow(FIRST_ANSWER)));
    if let Ok(version) = &answer {
        state.learn(version);
        if let Some(container) = state.own_container() {
            // Until its name is known, calls that may be about it are asked about one by one.
            let _in_time = timeout(FIRST_ANSWER, container.ask(docker)).await;
        }
    }
    answer
}

pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Operational logs, to standard error.
fn log(console: Console, format: LogFormat) -> Result<(), Refusal> {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.is_empty());
    let wanted = wanted.as_deref().unwrap_or("info").parse();
    let filter: Targets = wanted.map_err(|error| {
        Refusal::Usage(format!(
            "RUST_LOG cannot be read: {error}; say `info`, `debug` or `quaygate=debug`"
        ))
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(console.colour_err())
        .with_target(false);
    let filtered = tracing_subscriber::registry().with(filter);
    let set = match format {
        LogFormat::Text => filtered.with(lines).try_init(),
        LogFormat::Json => filtered.with(lines.json()).try_init(),
    };
    set.map_err(|error| Refusal::Machine(vec![format!("cannot start the log: {error}")]))
}

/// Every call needs two descriptors, and the usual soft limit of 1024 is for programs that use
/// select(2): raise it to the hard limit. Says what holds now.
fn raise_open_files() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // An unlimited hard limit cannot be asked for on every kernel; then the soft one stays.
    let _kept = setrlimit(Resource::Nofile, raised);
    let files = getrlimit(Resource::Nofile).current;
    files.map(|files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// SIGTERM and SIGINT.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

fn machine(what: &str, error: &io::Error) -> Refusal {
    Refusal::Machine(vec![format!("cannot {what}: {}", kernel_words(error))])
}
