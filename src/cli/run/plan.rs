//! What `run` is going to do, before it does anything.

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;

use super::{Arguments, Refusal};
use crate::fleet::{self, Post};
use crate::proxy::dial::Address;
use crate::settings::{Docker, Environment, Settings, runtime_dir, state_dir};

/// Settings and posts that go together.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) posts: Vec<Post>,
}

/// Reads settings and policies; touches nothing.
pub(super) fn plan(arguments: &Arguments) -> Result<Plan, Refusal> {
    let settings = settings(arguments, &Environment::read())?;
    let here = std::env::current_dir().unwrap_or_default();
    let loaded = fleet::load(&arguments.policies, &here).map_err(Refusal::Policies)?;
    let posts = fleet::place(loaded, &settings.runtime_dir, settings.listen.as_deref())
        .map_err(Refusal::Policies)?;
    for post in &posts {
        not_dockers_own(&post.socket, &settings.docker)?;
        out_of_reach(&settings.state_dir, post)?;
    }
    Ok(Plan { settings, posts })
}

fn settings(arguments: &Arguments, environment: &Environment) -> Result<Settings, Refusal> {
    let docker = Docker::resolve(arguments.docker.as_deref(), environment)
        .map_err(|error| Refusal::Usage(error.to_string()))?;
    Ok(Settings {
        docker,
        state_dir: state_dir(arguments.state_dir.as_deref(), environment),
        runtime_dir: runtime_dir(arguments.runtime_dir.as_deref(), environment),
        listen: arguments.listen.clone(),
        audit: arguments.audit.clone(),
        keep: arguments.audit_allowed,
        log: arguments.log.into(),
        threads: threads(arguments.threads),
    })
}

/// How many threads carry calls: two are enough to be no bottleneck before one engine (docs/performance.md,
/// "Threads").
fn threads(asked: Option<u16>) -> NonZeroUsize {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let number = asked.map_or(cores.min(2), usize::from);
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

/// SECURITY: a gate on Docker's own path would replace a stopped engine's socket, and then ask
/// itself for ever. Links are followed, because /var/run is one on most systems.
fn not_dockers_own(socket: &Path, docker: &Docker) -> Result<(), Refusal> {
    let Address::Unix(theirs) = &docker.address else {
        return Ok(());
    };
    if socket != theirs && real(socket) != real(theirs) {
        return Ok(());
    }
    Err(Refusal::Usage(format!(
        "the gate's socket {} is Docker's own address: the gate needs another path (--runtime-dir, --listen or `[socket] path`), or Docker another address (--docker)",
        socket.display()
    )))
}

/// SECURITY: a service sees the directory of its socket, and could write itself what it owns.
fn out_of_reach(state_dir: &Path, post: &Post) -> Result<(), Refusal> {
    let seen = post.socket.parent().unwrap_or(&post.socket);
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if !post.loaded.policy.keeps_own() || !whole(state_dir).starts_with(whole(seen)) {
        return Ok(());
    }
    Err(Refusal::Usage(format!(
        "the state directory {} is inside of {}, which the service that uses the socket can see: choose another one with --state-dir",
        state_dir.display(),
        seen.display()
    )))
}

/// The path with its directory's links resolved.
fn real(path: &Path) -> Option<std::path::PathBuf> {
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}
