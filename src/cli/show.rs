//! `quaygate show`: what a policy amounts to, operation by operation.

use super::console::Console;
use super::exit::Exit;

/// Show
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// Shows it.
pub(super) fn show(_console: Console, _arguments: &Arguments) -> Exit {
    Exit::Bug
}
