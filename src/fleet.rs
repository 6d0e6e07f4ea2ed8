//! The policies one process serves: words on the command line become policies, policies become
//! sockets.
//!
//! Every problem of every file is found before the first socket is opened, because a person who
//! mends one file at a time restarts the gate as often as there are mistakes. What a word means is
//! decided by its spelling alone (a word with `/` or ending in `.toml` is a path, else the name of
//! a built-in policy), and a word that could be both is refused rather than guessed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diag::{Diagnostic, Source};
use crate::policy::Policy;
use crate::proxy::listen::Plan;

mod gather;
mod problem;

pub use gather::{Draft, gather};
pub use problem::Problem;

/// A policy that may be served, and the text it was read from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its text.
    pub source: Source,
    /// Warnings and notes.
    pub findings: Vec<Diagnostic>,
}

impl Loaded {
    /// The word that names it on the command line.
    pub fn word(&self) -> &str {
        let built_in = self.source.name().starts_with("<built-in>/");
        if built_in {
            self.policy.name()
        } else {
            self.source.name()
        }
    }
}

/// Reads every policy that the words name, or says everything that is wrong with any of them.
pub fn load(words: &[String], directory: &Path) -> Result<Vec<Loaded>, Vec<Problem>> {
    let (drafts, mut problems) = gather(words, directory);
    problems.extend(same_names(&drafts));
    let mut loaded = Vec::new();
    for draft in drafts {
        match draft.parse() {
            Ok(policy) => loaded.push(policy),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

impl Draft {
    /// Reads the policy. What it says about itself is checked too: its own tests must pass.
    pub fn parse(self) -> Result<Loaded, Problem> {
        match Policy::parse(&self.name, &self.source) {
            Ok(checked) => Ok(Loaded {
                policy: Arc::new(checked.policy),
                source: self.source,
                findings: checked.findings,
            }),
            Err(diagnostics) => Err(Problem::Faulty {
                source: self.source,
                diagnostics,
            }),
        }
    }
}

/// Two policies of one name would want one socket, and the log could not tell them apart.
pub fn same_names(drafts: &[Draft]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Draft> = BTreeMap::new();
    let mut problems = Vec::new();
    for draft in drafts {
        match first.get(draft.name.as_str()) {
            None => {
                first.insert(&draft.name, draft);
            }
            Some(earlier) => problems.push(Problem::SameName {
                name: draft.name.clone(),
                first: earlier.source.name().to_owned(),
                second: draft.source.name().to_owned(),
            }),
        }
    }
    problems
}

/// A policy and the path of the socket it is served on.
#[derive(Clone, Debug)]
pub struct Post {
    /// The policy.
    pub loaded: Loaded,
    /// Its socket.
    pub socket: PathBuf,
}

/// Gives each policy its socket: `--listen`, else `[socket] path`, else
/// `<runtime dir>/<name>/docker.sock`.
pub fn place(
    loaded: Vec<Loaded>,
    runtime_dir: &Path,
    listen: Option<&Path>,
) -> Result<Vec<Post>, Vec<Problem>> {
    if let (Some(path), [_, _, ..]) = (listen, &loaded[..]) {
        return Err(vec![Problem::ListenWithMany {
            path: path.to_owned(),
            policies: loaded.len(),
        }]);
    }
    let posts: Vec<Post> = loaded
        .into_iter()
        .map(|loaded| {
            let configured = loaded.policy.socket().path.as_deref();
            let own = || {
                runtime_dir
                    .join(loaded.policy.name().as_ref())
                    .join("docker.sock")
            };
            let socket = listen.or(configured).map_or_else(own, Path::to_owned);
            let socket = std::path::absolute(&socket).unwrap_or(socket);
            Post { loaded, socket }
        })
        .collect();
    let problems = same_sockets(&posts);
    if problems.is_empty() {
        Ok(posts)
    } else {
        Err(problems)
    }
}

impl Post {
    /// What to open for it.
    pub fn plan(&self) -> Plan<'_> {
        Plan {
            path: &self.socket,
            socket: self.loaded.policy.socket(),
        }
    }
}

fn same_sockets(posts: &[Post]) -> Vec<Problem> {
    let mut first: BTreeMap<&Path, &Post> = BTreeMap::new();
    let mut problems = Vec::new();
    for post in posts {
        match first.get(post.socket.as_path()) {
            None => {
                first.insert(&post.socket, post);
            }
            Some(earlier) => problems.push(Problem::SameSocket {
                path: post.socket.clone(),
                first: earlier.loaded.policy.name().to_string(),
                second: post.loaded.policy.name().to_string(),
            }),
        }
    }
    problems
}

/// Sockets of several policies in one directory: whoever mounts the directory gets all of them.
pub fn shared_directories(posts: &[Post]) -> Vec<(&Path, Vec<&str>)> {
    let mut by_directory: BTreeMap<&Path, Vec<&str>> = BTreeMap::new();
    for post in posts {
        if let Some(directory) = post.socket.parent() {
            by_directory
                .entry(directory)
                .or_default()
                .push(post.loaded.policy.name());
        }
    }
    by_directory
        .into_iter()
        .filter(|(_, names)| names.len() > 1)
        .collect()
}

#[cfg(test)]
mod tests;
