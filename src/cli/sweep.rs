//! `quaygate sweep`: removes what was created through a policy's socket and is still there.
//!
//! What that is stands in the state file of the gate; what is not in it is never touched. The gate may be
//! running meanwhile: what it makes after the file was read stays. It is Docker that is asked to remove
//! things, directly, as root at the engine would.

mod memory;
mod report;

use std::io;
use std::path::{Path, PathBuf};

use super::console::Console;
use super::exit::Exit;
use super::run::problems_to;
use super::{Format, reach};
use crate::engine::leftover::{self, Kind, Leftover};
use crate::engine::{self, AskError};
use crate::fleet::{self, Loaded};
use crate::proxy::dial::Address;
use crate::proxy::identity::own_container;
use crate::proxy::listen::kernel_words;
use crate::settings::{Docker, Environment, memory_file, state_dir};
use memory::Memory;
use report::{Report, Swept};

/// Remove what was created through a policy's socket and is still there
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: quaygate sweep docker-run --dry-run\n\nIn a container:\n  docker exec gate quaygate sweep docker-run",
    after_help = "Containers go with force and with their anonymous volumes, then networks, then volumes. Policies whose rules say\n`target.own` remember what was created; nothing else is ever removed.\n\nExit codes: 0 done, 1 something could not be removed, 2 usage or unreadable input, 3 Docker cannot be reached"
)]
pub(super) struct Arguments {
    /// A policy file or the name of a built-in policy
    #[arg(value_name = "POLICY")]
    policy: String,

    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Where Docker listens, as for `run`
    #[arg(long, value_name = "ADDRESS")]
    docker: Option<String>,

    /// Where it is remembered what was created, as for `run`
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// Tells what is left, and removes it.
pub(super) fn sweep(console: Console, arguments: &Arguments) -> Exit {
    let environment = Environment::read();
    let docker = match Docker::resolve(arguments.docker.as_deref(), &environment) {
        Ok(docker) => docker,
        Err(error) => {
            console.error(error);
            return Exit::Usage;
        }
    };
    let Some(loaded) = policy(console, &arguments.policy) else {
        return Exit::Usage;
    };
    let dir = state_dir(arguments.state_dir.as_deref(), &environment);
    let file = memory_file(&dir, loaded.policy.name());
    let memory = match Memory::read(&file) {
        Ok(memory) => memory,
        Err(error) => {
            console.error(unreadable(&file, &error));
            return Exit::Usage;
        }
    };
    let report = Report {
        policy: loaded.policy.name().to_string(),
        keeps_own: loaded.policy.keeps_own(),
        file,
        remembered: memory.as_ref().map(Memory::len),
        dry_run: arguments.dry_run,
        swept: Vec::new(),
    };
    let memory = memory.unwrap_or_default();
    carry_out(console, arguments.format, &docker.address, &memory, report)
}

fn carry_out(
    console: Console,
    format: Format,
    docker: &Address,
    memory: &Memory,
    mut report: Report,
) -> Exit {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        console.error("cannot start the runtime");
        return Exit::Bug;
    };
    let left = match runtime.block_on(left(docker, memory)) {
        Ok(left) => left,
        Err(error) => {
            console.tell(&reach::trouble(docker, &error));
            console.error("nothing was removed");
            return Exit::NotStarted;
        }
    };
    report.swept = left.into_iter().map(Swept::from).collect();
    if format == Format::Text {
        console.answer(&report.opening());
    }
    if !report.dry_run {
        runtime.block_on(remove(docker, &mut report.swept));
    }
    match format {
        Format::Text => console.answer(&report.closing()),
        Format::Json => console.json(&report.document()),
    }
    if report.failed() == 0 {
        Exit::Done
    } else {
        Exit::No
    }
}

/// The one policy that is named.
fn policy(console: Console, word: &String) -> Option<Loaded> {
    let here = std::env::current_dir().unwrap_or_default();
    let mut loaded = match fleet::load(std::slice::from_ref(word), &here) {
        Ok(loaded) => loaded,
        Err(problems) => {
            problems_to(console, &problems);
            return None;
        }
    };
    if let (Some(one), []) = (loaded.pop(), &loaded[..]) {
        return Some(one);
    }
    console.error(format_args!(
        "`{word}` holds several policies: name one file of it"
    ));
    None
}

fn unreadable(file: &Path, error: &io::Error) -> String {
    let advice = if error.kind() == io::ErrorKind::PermissionDenied {
        "; sweep as the user that the gate runs as, or as root"
    } else {
        ""
    };
    format!(
        "cannot read {}: {}{advice}",
        file.display(),
        kernel_words(error)
    )
}

/// What of all that was created is still there.
async fn left(docker: &Address, memory: &Memory) -> Result<Vec<Leftover>, AskError> {
    if memory.len() == 0 {
        return Ok(Vec::new());
    }
    engine::version(docker).await?;
    let mut left = leftover::containers(docker, &memory.containers).await?;
    left.extend(leftover::networks(docker, &memory.networks).await?);
    for (name, created) in &memory.volumes {
        left.extend(leftover::volume(docker, name, created).await?);
    }
    Ok(left)
}

/// Removes one after the other; what cannot be removed keeps nothing else from going.
async fn remove(docker: &Address, all: &mut [Swept]) {
    let here = own_container();
    for swept in all {
        let left = &swept.left;
        // SECURITY: who ends it ends this very process, and a gate with it.
        if left.kind == Kind::Container && here.as_deref() == Some(&*left.id) {
            swept.problem = Some("this very command runs in it".to_owned());
            continue;
        }
        if let Err(error) = left.remove(docker).await {
            swept.problem = Some(error.to_string());
        }
    }
}
