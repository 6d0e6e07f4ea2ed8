//! `quaygate health`: does the running gate answer, and can Docker be reached?
//!
//! The gate is asked `GET /_ping` through its own socket, and any answer will do: a refusal shows as
//! well as a success that the gate reads, judges and writes. Whether Docker is there is asked from
//! Docker itself, over `--docker`, which is where this process and the gate both look. Asking
//! through the gate would need a grant that a policy may not have, and a path that the gate answers
//! by itself would be a hole in every policy.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use hyper::Method;
use rustix::io::Errno;
use serde::Serialize;

use super::client;
use super::console::Console;
use super::exit::Exit;
use super::run::problems_to;
use super::text::{Piece, Style, Text, piece, plain};
use super::{Format, reach};
use crate::engine::{self, AskError, EngineVersion};
use crate::fleet::{self, Problem};
use crate::proxy::listen::{errno, kernel_words};
use crate::settings::{Docker, Environment, runtime_dir};

/// Whether the running gate answers and can reach Docker: exit code 0 if both, 1 if not
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: quaygate health\n\nIn compose:\n  healthcheck:\n    test: [\"CMD\", \"quaygate\", \"health\"]",
    after_help = "Each gate is sent GET /_ping through its socket; any answer counts, also a refusal (which the\naudit log then shows). Docker is asked directly."
)]
pub(super) struct Arguments {
    /// Only the gates of these policies [default: every socket in the runtime directory]
    #[arg(value_name = "POLICY")]
    policies: Vec<String>,

    /// Only the gate at this socket; may be repeated
    #[arg(long, value_name = "PATH")]
    socket: Vec<PathBuf>,

    /// Where Docker listens, as for `run`
    #[arg(long, value_name = "ADDRESS")]
    docker: Option<String>,

    /// Where sockets are, as for `run`
    #[arg(long, value_name = "DIR")]
    runtime_dir: Option<PathBuf>,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// Asks every gate and Docker.
pub(super) fn health(console: Console, arguments: &Arguments) -> Exit {
    let environment = Environment::read();
    let docker = match Docker::resolve(arguments.docker.as_deref(), &environment) {
        Ok(docker) => docker,
        Err(error) => {
            console.error(error);
            return Exit::Usage;
        }
    };
    let directory = runtime_dir(arguments.runtime_dir.as_deref(), &environment);
    let sockets = match sockets(arguments, &directory) {
        Ok(sockets) => sockets,
        Err(problems) => {
            problems_to(console, &problems);
            return Exit::Usage;
        }
    };
    if sockets.is_empty() {
        console.error(format_args!(
            "there is no gate under {}: is `quaygate run` up, with this --runtime-dir?",
            directory.display()
        ));
        return Exit::No;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        console.error("cannot start the runtime");
        return Exit::Bug;
    };
    let (gates, engine) = runtime.block_on(async {
        let mut gates = Vec::new();
        for socket in &sockets {
            gates.push(Health {
                socket,
                answer: knock(socket).await,
            });
        }
        (gates, engine::version(&docker.address).await)
    });
    let healthy = engine.is_ok() && gates.iter().all(|gate| gate.answer.is_ok());
    match arguments.format {
        Format::Text => console.answer(&text(&gates, &docker, &engine)),
        Format::Json => console.json(&document(healthy, &gates, &docker, &engine)),
    }
    if healthy { Exit::Done } else { Exit::No }
}

/// One gate and what it answered: a status, or why there was none.
struct Health<'a> {
    socket: &'a Path,
    answer: Result<u16, String>,
}

async fn knock(socket: &Path) -> Result<u16, String> {
    let io = client::connect(socket).map_err(|error| not_connected(&error))?;
    match engine::ask(io, Method::GET, "/_ping").await {
        Ok(answer) => Ok(answer.status),
        Err(error) => Err(error.to_string()),
    }
}

fn not_connected(error: &io::Error) -> String {
    match errno(error) {
        Errno::NOENT => "there is no such socket".to_owned(),
        Errno::CONNREFUSED => "nobody listens: the gate is not running".to_owned(),
        Errno::AGAIN => "it accepts nobody: its backlog is full".to_owned(),
        Errno::ACCESS => {
            "permission denied: ask as a user whom the socket's mode lets in".to_owned()
        }
        _ => kernel_words(error),
    }
}

/// The sockets that were named, those of policies that were named, or all there are.
fn sockets(arguments: &Arguments, directory: &Path) -> Result<Vec<PathBuf>, Vec<Problem>> {
    let mut sockets = arguments.socket.clone();
    if !arguments.policies.is_empty() {
        let here = std::env::current_dir().unwrap_or_default();
        let loaded = fleet::load(&arguments.policies, &here)?;
        let posts = fleet::place(loaded, directory, None)?;
        sockets.extend(posts.into_iter().map(|post| post.socket));
    } else if sockets.is_empty() {
        sockets = sockets_in(directory);
    }
    Ok(sockets)
}

fn sockets_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut sockets: Vec<PathBuf> = entries
        .map(|entry| entry.path().join("docker.sock"))
        .filter(|path| std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket()))
        .collect();
    sockets.sort();
    sockets
}

fn text(gates: &[Health<'_>], docker: &Docker, engine: &Result<EngineVersion, AskError>) -> Text {
    let mut text = Text::new();
    let mut rows: Vec<Vec<Piece>> = gates
        .iter()
        .map(|gate| match &gate.answer {
            Ok(_) => row(true, gate.socket.display(), "answers"),
            Err(why) => row(false, gate.socket.display(), why),
        })
        .collect();
    match engine {
        Ok(version) => rows.push(row(
            true,
            &docker.address,
            &format!("answers: engine {}, API {}", version.release, version.api),
        )),
        Err(_) => rows.push(row(false, &docker.address, "cannot be reached")),
    }
    text.table(0, rows);
    if let Err(error) = engine {
        text.append(reach::trouble(&docker.address, error));
    }
    text
}

fn row(well: bool, who: impl std::fmt::Display, what: &str) -> Vec<Piece> {
    let mark = if well {
        piece(Style::Good, "ok")
    } else {
        piece(Style::Bad, "fails")
    };
    vec![mark, plain(who), plain(what)]
}

/// The answer for programs.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    healthy: bool,
    gates: Vec<GateDocument>,
    docker: DockerDocument,
}

#[derive(Serialize)]
struct GateDocument {
    socket: String,
    answers: bool,
    status: Option<u16>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct DockerDocument {
    address: String,
    answers: bool,
    release: Option<String>,
    api: Option<String>,
    problem: Option<String>,
}

fn document(
    healthy: bool,
    gates: &[Health<'_>],
    docker: &Docker,
    engine: &Result<EngineVersion, AskError>,
) -> Document {
    let gate = |gate: &Health<'_>| GateDocument {
        socket: gate.socket.display().to_string(),
        answers: gate.answer.is_ok(),
        status: gate.answer.as_ref().ok().copied(),
        problem: gate.answer.as_ref().err().cloned(),
    };
    let known = engine.as_ref().ok();
    Document {
        schema: "quaygate/health/1",
        healthy,
        gates: gates.iter().map(gate).collect(),
        docker: DockerDocument {
            address: docker.address.to_string(),
            answers: known.is_some(),
            release: known.map(|version| version.release.clone()),
            api: known.map(|version| version.api.to_string()),
            problem: engine.as_ref().err().map(ToString::to_string),
        },
    }
}
