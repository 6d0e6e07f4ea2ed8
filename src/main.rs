//! Parses arguments, dispatches, turns the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    quaygate::cli::main()
}
