//! `quaygate demo`: a gate at work, in a few seconds, leaving nothing behind.
//!
//! The gate is the real one, in this process, with the built-in policy `traefik` on a socket in a
//! temporary directory. Behind it is the real Docker if it can be reached, and else a small engine
//! of our own. A real Docker is only read from: what the demonstration is allowed is to read, and
//! what it is refused names objects that do not exist.

mod calls;
mod engine;
mod scratch;

use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::console::Console;
use super::exit::Exit;
use super::reach;
use super::run::problems_to;
use super::text::{Style, Text, piece, plain};
use crate::audit::{Audit, Keep};
use crate::engine::{AskError, EngineState, EngineVersion, version};
use crate::fleet::{self, Loaded, Post};
use crate::proxy::dial::Address;
use crate::proxy::limits::Limits;
use crate::proxy::listen;
use crate::proxy::{self, Gate, Shared};
use crate::settings::{Docker, Environment, NamedBy};
use calls::Played;
use scratch::Scratch;

/// The policy that is shown.
const POLICY: &str = "traefik";

/// The demonstration ends by itself; if anything hangs, it ends all the same.
const AT_MOST: Duration = Duration::from_secs(30);

/// Show a gate at work: allowed and refused calls, and what the audit log says about them
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: quaygate demo",
    after_help = "Uses the real Docker if it can be reached, only reading from it, and else a small engine of its\nown. Ends by itself and leaves nothing behind."
)]
pub(super) struct Arguments {
    /// Where Docker listens, as for `run`
    #[arg(long, value_name = "ADDRESS")]
    docker: Option<String>,
}

/// Shows it.
pub(super) fn demo(console: Console, arguments: &Arguments) -> Exit {
    let docker = match Docker::resolve(arguments.docker.as_deref(), &Environment::read()) {
        Ok(docker) => docker,
        Err(error) => {
            console.error(error);
            return Exit::Usage;
        }
    };
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(error) => return cannot(console, "make a temporary directory", &error),
    };
    let loaded = match fleet::load(&[POLICY.to_owned()], scratch.path()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            problems_to(console, &problems);
            return Exit::Bug;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return cannot(console, "start the runtime", &error),
    };
    let shown =
        runtime.block_on(async { timeout(AT_MOST, show(console, docker, &scratch, loaded)).await });
    match shown {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => cannot(console, "go on", &error),
        Err(_) => cannot(console, "go on", &io::ErrorKind::TimedOut.into()),
    }
}

fn cannot(console: Console, what: &str, error: &io::Error) -> Exit {
    console.error(format_args!(
        "cannot {what}: {}",
        listen::kernel_words(error)
    ));
    Exit::NotStarted
}

async fn show(
    console: Console,
    docker: Docker,
    scratch: &Scratch,
    loaded: Vec<Loaded>,
) -> io::Result<Exit> {
    let behind = Behind::choose(docker, scratch).await?;
    let Ok(mut posts) = fleet::place(loaded, scratch.path(), None) else {
        return Ok(Exit::Bug);
    };
    let Some(post) = posts.pop() else {
        return Ok(Exit::Bug);
    };
    console.answer(&opening(&behind, &post));

    let state = EngineState::default();
    state.learn(&behind.version);
    let (audit, writer, lines) = audit()?;
    let mut open = listen::bind_all(&[post.plan()]).map_err(|errors| {
        io::Error::other(errors.iter().map(ToString::to_string).collect::<String>())
    })?;
    let Some(open) = open.pop() else {
        return Ok(Exit::Bug);
    };
    let gate = Gate {
        policy: Arc::clone(&post.loaded.policy),
        listener: open.listener,
    };
    let shared = Shared::new(behind.address.clone(), state, audit, Limits::default());
    let (end, ended) = oneshot::channel::<()>();
    let gate = tokio::spawn(proxy::run(vec![gate], Arc::new(shared), async {
        let _told_or_gone = ended.await;
    }));

    let show = |call: &Played| console.answer(&row(call));
    let played = calls::play(&post.socket, &post.loaded.policy, &behind.version, show).await;
    drop(end);
    let ended = gate.await;
    writer.finish();

    console.answer(&refusal(&played));
    console.answer(&trail(&lines));
    console.answer(&next());
    let as_promised = ended.is_ok() && played.iter().all(|call| call.as_promised);
    if as_promised {
        return Ok(Exit::Done);
    }
    console.error("the gate did not do what the demonstration promises; this is a bug");
    Ok(Exit::Bug)
}

/// The engine behind the gate.
struct Behind {
    address: Address,
    version: EngineVersion,
    /// Why it is not the real one.
    missing: Option<Text>,
}

impl Behind {
    async fn choose(docker: Docker, scratch: &Scratch) -> io::Result<Self> {
        let why = match version(&docker.address).await {
            Ok(version) => {
                return Ok(Self {
                    address: docker.address,
                    version,
                    missing: None,
                });
            }
            Err(error) => error,
        };
        let path = scratch.path().join("engine.sock");
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        tokio::spawn(engine::serve(listener));
        let address = Address::Unix(path);
        let version = version(&address).await.map_err(io::Error::other)?;
        // Nobody named an engine, so nobody needs to hear how to reach one.
        let missing = match docker.named_by {
            NamedBy::Default => nothing_there(&docker.address, &why),
            NamedBy::Option | NamedBy::Environment => reach::trouble(&docker.address, &why),
        };
        Ok(Self {
            address,
            version,
            missing: Some(missing),
        })
    }
}

fn nothing_there(address: &Address, why: &AskError) -> Text {
    let mut text = Text::new();
    text.say(format_args!(
        "(Docker cannot be reached at {address}: {why})"
    ));
    text
}

/// An audit log that records everything, and the lines that come out of it.
fn audit() -> io::Result<(Audit, crate::audit::Writer, Receiver<Vec<u8>>)> {
    let (sender, lines) = channel();
    let (audit, writer) = Audit::to(Lines(sender), Keep::All)?;
    Ok((audit, writer, lines))
}

struct Lines(Sender<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .send(bytes.to_owned())
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn opening(behind: &Behind, post: &Post) -> Text {
    let mut text = Text::new();
    let engine = match &behind.missing {
        None => format!(
            "the real Docker at {}: engine {}, API {}; it is only read from",
            behind.address, behind.version.release, behind.version.api
        ),
        Some(_) => "a small engine inside this program".to_owned(),
    };
    let policy = post.loaded.policy.description().unwrap_or_default();
    text.table(
        0,
        vec![
            vec![piece(Style::Strong, "engine"), plain(engine)],
            vec![
                piece(Style::Strong, "policy"),
                plain(format_args!("{POLICY} – {policy}")),
            ],
            vec![piece(Style::Strong, "gate"), plain(post.socket.display())],
        ],
    );
    if let Some(missing) = &behind.missing {
        text.append(missing.clone());
    }
    text.gap();
    text.say("What a service behind this gate asks, and what it gets:");
    text.gap();
    text
}

/// One call, in columns that do not wait for the others.
fn row(call: &Played) -> Text {
    let style = if call.allowed {
        Style::Good
    } else {
        Style::Bad
    };
    let status = call
        .status
        .map_or_else(|| "–".to_owned(), |status| status.to_string());
    let mut text = Text::new();
    text.line([
        plain(format_args!("  {:<62}  ", call.request)),
        piece(style, status),
        plain(format_args!("  {}", call.why)),
    ]);
    text
}

fn refusal(played: &[Played]) -> Text {
    let mut text = Text::new();
    let message = played
        .iter()
        .find_map(|call| call.message.as_ref().filter(|_| !call.allowed));
    if let Some(message) = message {
        text.gap();
        text.say("What the refused service reads, and the docker CLI shows:");
        text.gap();
        text.block(2, message);
    }
    text
}

/// The records of one allowed and of one refused call; the whole trail is of their kind.
fn trail(lines: &Receiver<Vec<u8>>) -> Text {
    let bytes: Vec<u8> = lines.try_iter().flatten().collect();
    let whole = String::from_utf8_lossy(&bytes);
    let with = |decision: &str| {
        let mark = format!("\"decision\":\"{decision}\"");
        whole.lines().find(move |line| line.contains(&mark))
    };
    let mut text = Text::new();
    text.gap();
    text.say(format_args!(
        "The audit log has {} lines of JSON by now; one of each kind:",
        whole.lines().count()
    ));
    for line in [with("allow"), with("deny")].into_iter().flatten() {
        text.gap().block(2, line);
    }
    text
}

fn next() -> Text {
    let mut text = Text::new();
    text.gap();
    text.say("Next:");
    text.gap();
    let row = |command: &str, what: &str| vec![piece(Style::Strong, command), plain(what)];
    text.table(
        2,
        vec![
            row("quaygate show", "the policies that come with it"),
            row(
                "quaygate check traefik",
                "what one hands out, in plain words",
            ),
            row(
                "quaygate explain traefik 'POST /containers/create'",
                "why a call is refused, and the line that would allow it",
            ),
            row(
                "quaygate run traefik",
                "a gate of your own, with the lines for your compose file",
            ),
        ],
    );
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_embedded_engine_is_an_engine_by_its_own_words() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let scratch = Scratch::new().unwrap();
        let nowhere = Docker {
            address: Address::Unix(Path::new("/nonexistent/docker.sock").to_owned()),
            named_by: NamedBy::Default,
        };

        let behind = runtime.block_on(Behind::choose(nowhere, &scratch)).unwrap();

        assert_eq!(behind.version.release, "embedded");
        assert_eq!(behind.version.os, "linux");
        let said = opening_words(&behind);
        assert!(said.contains("no such file or directory"), "{said}");
    }

    fn opening_words(behind: &Behind) -> String {
        behind.missing.as_ref().unwrap().draw(false)
    }
}
