//! `quaygate run`: the gate itself.
//!
//! Everything that can be wrong is found before anything is opened: settings, then all policies
//! with all their problems, then all sockets or none. An engine that is absent is not wrong: the
//! gate starts, says what to do, and answers 503 until Docker is there.

mod follower;
mod plan;
mod report;
mod serve;

use std::path::PathBuf;

use clap::ValueEnum;

use super::console::{Console, Stream};
use super::exit::Exit;
use crate::audit::{Keep, Output};

use crate::fleet::Problem;
use crate::settings::LogFormat;

/// Serve each policy on a Unix socket of its own, and let through what it allows
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: quaygate run traefik ./policies/ci.toml",
    after_help = "A POLICY with a `/` or ending in `.toml` is a file or a directory of such files; any other word\nis a built-in policy (`quaygate show` lists them). A service mounts the directory of its socket\nand gets DOCKER_HOST=unix:///…; the exact lines are printed at start."
)]
pub(super) struct Arguments {
    /// Policies: files, directories of files, or names of built-in ones
    #[arg(required = true, value_name = "POLICY")]
    pub(super) policies: Vec<String>,

    /// Where Docker listens: unix:///path or tcp://host:port [default: $DOCKER_HOST, else
    /// unix:///var/run/docker.sock]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) docker: Option<String>,

    /// Sockets are DIR/<policy>/docker.sock [default: /run/quaygate, or $XDG_RUNTIME_DIR/quaygate
    /// when not root]
    #[arg(long, value_name = "DIR")]
    pub(super) runtime_dir: Option<PathBuf>,

    /// Where it is remembered what was created through the sockets of policies with `own`, in
    /// DIR/<policy> [default: /var/lib/quaygate, or $XDG_STATE_HOME/quaygate when not root]
    #[arg(long, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,

    /// The path of the one socket, when there is one policy
    #[arg(long, value_name = "PATH")]
    pub(super) listen: Option<PathBuf>,

    /// Where audit records go: stdout, stderr or a file
    #[arg(long, value_name = "OUTPUT", default_value = "stdout", value_parser = output)]
    pub(super) audit: Output,

    /// Which allowed calls are recorded: all, changes (also streams and tunnels) or none; refusals
    /// always are
    #[arg(long, value_name = "WHICH", default_value = "changes", value_parser = keep)]
    pub(super) audit_allowed: Keep,

    /// How operational logs look, on standard error; RUST_LOG filters them
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) log: Log,

    /// How many threads carry calls; 2 by default, and 1 where there is one core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) threads: Option<u16>,
}

/// `--log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Log {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

impl From<Log> for LogFormat {
    fn from(log: Log) -> Self {
        match log {
            Log::Text => Self::Text,
            Log::Json => Self::Json,
        }
    }
}

/// `--audit`; a file of such a name is written `./stdout`.
fn output(word: &str) -> Result<Output, &'static str> {
    match word {
        "" => Err("write `stdout`, `stderr` or the path of a file"),
        "stdout" => Ok(Output::Stdout),
        "stderr" => Ok(Output::Stderr),
        path => Ok(Output::File(PathBuf::from(path))),
    }
}

/// `--audit-allowed`.
fn keep(word: &str) -> Result<Keep, &'static str> {
    match word {
        "all" => Ok(Keep::All),
        "changes" => Ok(Keep::Changes),
        "none" => Ok(Keep::None),
        _ => Err("write `all`, `changes` or `none`"),
    }
}

/// Runs until it is told to end.
pub(super) fn run(console: Console, arguments: &Arguments) -> Exit {
    let plan = match plan::plan(arguments) {
        Ok(plan) => plan,
        Err(refusal) => return refuse(console, refusal),
    };
    match serve::serve(console, plan) {
        Ok(()) => Exit::Done,
        Err(refusal) => refuse(console, refusal),
    }
}

/// Why the gate does not start.
#[derive(Debug)]
enum Refusal {
    /// Something on the command line or in the environment.
    Usage(String),
    /// Policies, each with all that is wrong.
    Policies(Vec<Problem>),
    /// What the machine refuses.
    Machine(Vec<String>),
}

fn refuse(console: Console, refusal: Refusal) -> Exit {
    match refusal {
        Refusal::Usage(message) => {
            console.error(message);
            Exit::Usage
        }
        Refusal::Policies(problems) => {
            problems_to(console, &problems);
            console.error("nothing was started");
            Exit::Usage
        }
        Refusal::Machine(messages) => {
            for message in messages {
                console.error(message);
            }
            Exit::NotStarted
        }
    }
}

/// Tells problems with policies, with the place of each in its file.
pub(super) fn problems_to(console: Console, problems: &[Problem]) {
    for problem in problems {
        if let Problem::Faulty {
            source,
            diagnostics,
        } = problem
        {
            console.diagnostics(Stream::Error, source, diagnostics);
        }
        console.error(problem);
    }
}
