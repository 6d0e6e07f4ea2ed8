//! The command line: one variant per verb.

use std::process::ExitCode;

/// Parses the arguments, runs the verb, returns the exit code.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
