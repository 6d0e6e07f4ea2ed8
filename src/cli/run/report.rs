//! What `run` says once it serves: policies, sockets, the engine, and what to paste where.

use std::path::Path;

use crate::cli::console::Console;
use crate::cli::reach;
use crate::cli::text::{Style, Text, count, piece, plain};
use crate::diag::Severity;
use crate::docker::ApiVersion;
use crate::engine::{AskError, EngineVersion};
use crate::fleet::{self, Post};
use crate::policy::settings::{Principal, Socket};
use crate::proxy::dial::Address;
use crate::settings::{Docker, LogFormat, NamedBy};

/// What there is to say.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) docker: &'a Docker,
    pub(super) engine: &'a Result<EngineVersion, AskError>,
    pub(super) posts: &'a [Post],
    /// How many connections the process's descriptors allow at a time.
    pub(super) room: Option<usize>,
    /// The most of them that one socket gets.
    pub(super) most_each: usize,
}

/// For people as text, for programs as log lines.
pub(super) fn say(console: Console, format: LogFormat, report: &Report<'_>) {
    match format {
        LogFormat::Text => console.tell(&report.text(reach::in_container())),
        LogFormat::Json => report.log(),
    }
}

impl Report<'_> {
    fn text(&self, in_container: bool) -> Text {
        let mut text = Text::new();
        text.line([
            piece(
                Style::Strong,
                format_args!("quaygate {}", env!("CARGO_PKG_VERSION")),
            ),
            plain(format_args!(
                " guards {}{}",
                self.docker.address,
                self.named_by()
            )),
            plain(
                self.engine
                    .as_ref()
                    .map_or_else(|_| String::new(), engine_words),
            ),
        ]);
        if let Err(error) = self.engine {
            text.append(reach::trouble(&self.docker.address, error));
            text.say("  the gates are open all the same, and answer 503 until Docker is there");
        }
        text.gap();
        text.table(2, self.posts.iter().map(post_row).collect());
        if let Some(room) = self.room {
            text.gap();
            text.say(format_args!(
                "room for {room} connections at a time, by the limit of open files"
            ));
        }
        text.append(self.warnings());
        text.append(paste(self.posts, in_container));
        text
    }

    fn named_by(&self) -> &'static str {
        match self.docker.named_by {
            NamedBy::Environment => " (from DOCKER_HOST)",
            NamedBy::Option | NamedBy::Default => "",
        }
    }

    fn warnings(&self) -> Text {
        let mut text = Text::new();
        for line in self
            .machine_warnings()
            .into_iter()
            .chain(self.policy_warnings())
        {
            text.line([
                piece(Style::Careful, "warning"),
                plain(format_args!(": {line}")),
            ]);
        }
        text
    }

    fn machine_warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Address::Tcp(_) = self.docker.address {
            lines.push(
                "the way to Docker is not encrypted: whoever can reach that port is root there"
                    .to_owned(),
            );
        }
        if let Ok(version) = self.engine
            && version.api > ApiVersion::NEWEST
        {
            lines.push(format!(
                "the engine speaks API {}, and this quaygate knows up to {}: what came later is refused",
                version.api,
                ApiVersion::NEWEST
            ));
        }
        if let Some(room) = self.room.filter(|_| self.most_each < usize::MAX) {
            lines.push(format!(
                "open files allow {room} connections at a time, fewer than the policies do: no socket gets more than {}; raise LimitNOFILE= (systemd) or ulimits.nofile (compose)",
                self.most_each
            ));
        }
        lines
    }

    fn policy_warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (directory, names) in fleet::shared_directories(self.posts) {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            lines.push(format!(
                "the sockets of {} share {}: a service that mounts it gets all of them",
                names.join(" and "),
                directory.display()
            ));
        }
        for post in self.posts {
            let directory = post.socket.parent().unwrap_or_else(|| Path::new("/"));
            if is_shared_with_others(directory, self.posts) {
                lines.push(format!(
                    "{} holds more than the socket of `{}`: a service that mounts it sees all of it; give the socket a directory of its own",
                    directory.display(),
                    post.loaded.policy.name()
                ));
            }
        }
        for post in self.posts {
            let findings = post.loaded.findings.iter();
            let warnings = findings
                .filter(|found| found.severity == Severity::Warning)
                .count();
            if warnings > 0 {
                lines.push(format!(
                    "{} about `{}`: see `quaygate check {}`",
                    count(warnings, "warning"),
                    post.loaded.policy.name(),
                    post.loaded.word()
                ));
            }
        }
        lines
    }

    fn log(&self) {
        match self.engine {
            Ok(engine) => tracing::info!(
                docker = %self.docker.address,
                release = %engine.release,
                api = %engine.api,
                "the engine answers"
            ),
            Err(error) => tracing::warn!(
                docker = %self.docker.address,
                %error,
                "the engine does not answer; calls get 503 until it does"
            ),
        }
        for warning in self.machine_warnings() {
            tracing::warn!("{warning}");
        }
        for post in self.posts {
            tracing::info!(
                policy = %post.loaded.policy.name(),
                file = %post.loaded.source.name(),
                socket = %post.socket.display(),
                "a gate is open"
            );
        }
        if let Some(room) = self.room {
            tracing::info!(
                connections = room,
                "open files allow so many connections at a time"
            );
        }
    }
}

fn engine_words(engine: &EngineVersion) -> String {
    format!(": engine {}, API {}", engine.release, engine.api)
}

fn post_row(post: &Post) -> Vec<crate::cli::text::Piece> {
    vec![
        piece(Style::Strong, post.loaded.policy.name()),
        plain(post.socket.display()),
        piece(Style::Dim, rights(post.loaded.policy.socket())),
        piece(Style::Dim, post.loaded.source.name()),
    ]
}

/// `0660 group docker`, as far as the policy says.
fn rights(socket: &Socket) -> String {
    let mut words = vec![format!("{:04o}", socket.mode)];
    for (what, who) in [("owner", &socket.owner), ("group", &socket.group)] {
        match who {
            None => {}
            Some(Principal::Id(id)) => words.push(format!("{what} {id}")),
            Some(Principal::Name(name)) => words.push(format!("{what} {name}")),
        }
    }
    words.join(" ")
}

/// Whether a directory holds more than these sockets: a service that mounts it sees that too.
fn is_shared_with_others(directory: &Path, posts: &[Post]) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut others = entries.filter(|entry| posts.iter().all(|post| post.socket != entry.path()));
    others.next().is_some()
}

/// What makes a service use its gate. The directory is mounted, not the socket: a mounted file
/// stays the old one when the gate starts anew. Read-only is enough to connect, and keeps the
/// service from putting another socket there.
fn paste(posts: &[Post], in_container: bool) -> Text {
    let mut text = Text::new();
    let Some(post) = posts.first() else {
        return text;
    };
    let name = post.loaded.policy.name();
    let directory = post.socket.parent().unwrap_or_else(|| Path::new("/"));
    let source = if in_container {
        format!("gate-{name}")
    } else {
        directory.display().to_string()
    };
    let example = if posts.len() > 1 {
        format!("`{name}`, and likewise the others")
    } else {
        format!("`{name}`")
    };
    text.gap();
    text.say(format_args!(
        "The service behind {example}, in its compose file:"
    ));
    text.gap();
    text.say("    volumes:");
    text.say(format_args!("      - {source}:{}:ro", directory.display()));
    text.say("    environment:");
    text.say(format_args!(
        "      DOCKER_HOST: unix://{}",
        post.socket.display()
    ));
    if in_container {
        text.gap();
        text.say(format_args!(
            "where `gate-{name}` is a volume that this container mounts at {}; a volume of its own for each policy",
            directory.display()
        ));
    }
    text
}

#[cfg(test)]
mod tests;
