//! The command line: one variant per verb.
//!
//! Each verb is a file: gather what it needs, ask the library, show the answer, say how it ended.
//! What people read and what programs read (`--format json`) comes from the same values. Only
//! `console` prints, only `exit` knows exit codes.

mod check;
mod client;
mod console;
mod demo;
mod exit;
mod explain;
mod health;
mod reach;
mod run;
mod show;
mod sweep;
mod text;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use console::Console;
use exit::Exit;
use text::Text;

/// The gate between containers and Docker: each service gets its own socket with its own small
/// policy.
#[derive(Debug, Parser)]
#[command(
    name = "quaygate",
    version,
    about,
    disable_help_subcommand = true,
    before_help = "Example: quaygate run traefik\n         quaygate demo",
    after_help = "Exit codes: 0 done, 1 the answer is no, 2 usage or unreadable input, 3 could not start, 70 a bug"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Show(show::Arguments),
    Health(health::Arguments),
    Sweep(sweep::Arguments),
    Demo(demo::Arguments),
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: one JSON document with a versioned schema
    Json,
}

/// Parses the arguments, runs the verb, returns the exit code.
pub fn main() -> ExitCode {
    let console = Console::new();
    // The hook has told where; the code tells supervisors that it is no fault of theirs.
    let exit = catch_unwind(AssertUnwindSafe(|| dispatch(console))).unwrap_or_else(|_| {
        console.error("this is a bug in quaygate; please report the lines above");
        Exit::Bug
    });
    exit.into()
}

fn dispatch(console: Console) -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(console, &error),
    };
    match arguments.verb {
        Verb::Run(arguments) => run::run(console, &arguments),
        Verb::Check(arguments) => check::check(console, &arguments),
        Verb::Explain(arguments) => explain::explain(console, &arguments),
        Verb::Show(arguments) => show::show(console, &arguments),
        Verb::Health(arguments) => health::health(console, &arguments),
        Verb::Sweep(arguments) => sweep::sweep(console, &arguments),
        Verb::Demo(arguments) => demo::demo(console, &arguments),
    }
}

/// clap's complaint, or the help that was asked for.
fn usage(console: Console, error: &clap::Error) -> Exit {
    let mut text = Text::new();
    text.block(0, &error.to_string());
    if error.use_stderr() {
        console.tell(&text);
        Exit::Usage
    } else {
        console.answer(&text);
        Exit::Done
    }
}

#[cfg(test)]
mod generated;
#[cfg(test)]
mod tests;
