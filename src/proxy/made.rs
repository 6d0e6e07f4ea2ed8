//! What was made through a socket: execs, so that it reaches no others; and, where the policy says
//! `own`, containers and networks.
//!
//! An exec's id is all that `POST /exec/{id}/start` names, and whoever reads events or lists another's
//! container may see it; so that it was handed out here is remembered, in memory only. Containers and
//! networks are written to the state directory before the client hears their ids, and survive a restart.
//! Everything is bounded; what is forgotten is somebody else's.
//!
//! Volumes have no id: who created the volume of a name says nothing about the next one of that name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::docker::{Operation, json};
use crate::engine::id::{self, Id};
use crate::engine::latest::Latest;

/// How many execs are remembered. dockerd itself forgets an exec five minutes after it ended (moby
/// `daemon/exec.go`, `execCommandGC`).
const EXECS: usize = 8192;

/// How many containers, and how many networks.
const OWN: usize = 65_536;

/// What the answer to a create names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Making {
    /// An exec.
    Exec,
    /// A container.
    Container,
    /// A network.
    Network,
}

/// What one socket made.
#[derive(Debug)]
pub(crate) struct Made {
    /// Each with its container, if it was created under that one's full id.
    execs: Latest<Id, Option<Id>>,
    containers: Latest<Id, ()>,
    networks: Latest<Id, ()>,
    journal: Option<Journal>,
}

/// The file that it survives in: `container ID` or `network ID`, a line each.
#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
}

impl Making {
    /// What an operation makes.
    pub(super) fn of(operation: Operation) -> Option<Self> {
        let all = [
            (Operation::ContainerExec, Self::Exec),
            (Operation::ContainerCreate, Self::Container),
            (Operation::NetworkCreate, Self::Network),
        ];
        let mut all = all.into_iter();
        all.find_map(|(by, making)| (by == operation).then_some(making))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Container => "container",
            Self::Network => "network",
        }
    }
}

impl Default for Made {
    fn default() -> Self {
        Self {
            execs: Latest::new(EXECS),
            containers: Latest::new(OWN),
            networks: Latest::new(OWN),
            journal: None,
        }
    }
}

impl Made {
    /// What was made before, and goes on being written down, in this file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut made = Self::default();
        let before = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        for line in before.lines() {
            // A line that was cut when the machine went down names nothing.
            let Some((word, id)) = line.split_once(' ') else {
                continue;
            };
            let making = [Making::Container, Making::Network];
            let making = making.into_iter().find(|making| making.word() == word);
            if let Some((making, id)) = making.zip(id::read(id)) {
                made.add(making, id, None);
            }
        }
        // Written anew: what was forgotten, or cut, goes.
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&fresh)?;
        let mut text = String::new();
        for making in [Making::Container, Making::Network] {
            for id in made.all(making) {
                text.push_str(&line(making, &id));
            }
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&fresh, path)?;
        made.journal = Some(Journal {
            path: path.to_owned(),
            file,
        });
        Ok(made)
    }

    /// Remembers what the body of an engine's answer names, `{"Id": "…"}`; of an exec also in which
    /// container it is, if that is known.
    pub(super) fn learn(&mut self, making: Making, container: Option<Id>, answer: &[u8]) {
        let Ok(answer) = json::parse(answer) else {
            return;
        };
        let id = answer
            .object()
            .and_then(|object| object.get("Id")?.text().and_then(|id| id::read(id)));
        let Some(id) = id else {
            return;
        };
        self.add(making, id, container);
        if let Some(journal) = self.journal.as_mut().filter(|_| making != Making::Exec)
            && let Err(error) = journal.file.write_all(line(making, &id).as_bytes())
        {
            tracing::error!(
                path = %journal.path.display(), %error,
                "what was created cannot be written down: after a restart it is not `own` any more"
            );
        }
    }

    /// Whether it was made here, by its full id. Docker knows execs by nothing else (moby
    /// `daemon/exec.go`, `getExecConfig`).
    pub(super) fn has(&self, making: Making, id: &str) -> bool {
        id::read(id).is_some_and(|id| match making {
            Making::Exec => self.execs.get(&id).is_some(),
            Making::Container => self.containers.get(&id).is_some(),
            Making::Network => self.networks.get(&id).is_some(),
        })
    }

    /// The container of an exec that was made here. An exec never changes its container.
    pub(super) fn container_of(&self, exec: &str) -> Option<Id> {
        *self.execs.get(&id::read(exec)?)?
    }

    fn add(&mut self, making: Making, id: Id, container: Option<Id>) {
        match making {
            Making::Exec => self.execs.put(id, container),
            Making::Container => self.containers.put(id, ()),
            Making::Network => self.networks.put(id, ()),
        }
    }

    fn all(&self, making: Making) -> Vec<Id> {
        match making {
            Making::Exec => self.execs.iter().map(|(id, _)| *id).collect(),
            Making::Container => self.containers.iter().map(|(id, ())| *id).collect(),
            Making::Network => self.networks.iter().map(|(id, ())| *id).collect(),
        }
    }
}

fn line(making: Making, id: &Id) -> String {
    format!("{} {}\n", making.word(), id::write(id))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Made, Making, id};

    fn id(number: usize) -> String {
        format!("{number:064x}")
    }

    fn answer(number: usize) -> Vec<u8> {
        format!("{{\"Id\":\"{}\",\"Warnings\":[]}}\n", id(number)).into_bytes()
    }

    #[test]
    fn what_the_engine_named_is_known_and_nothing_else() {
        let mut made = Made::default();
        made.learn(Making::Exec, None, &answer(10));
        assert!(made.has(Making::Exec, &id(10)));
        assert!(!made.has(Making::Exec, &id(11)));
        assert!(!made.has(Making::Container, &id(10)));
        for nothing in [
            "",
            "{}",
            "[]",
            r#"{"Id":1}"#,
            r#"{"Id":"abc"}"#,
            r#"{"message":"x"}"#,
        ] {
            made.learn(Making::Exec, None, nothing.as_bytes());
        }
        assert_eq!(made.execs.len(), 1);
    }

    #[test]
    fn an_exec_is_remembered_with_its_container_if_that_is_known() {
        let mut made = Made::default();
        let container = id::read(&id(7));
        made.learn(Making::Exec, container, &answer(1));
        made.learn(Making::Exec, None, &answer(2));
        let of = |number| made.container_of(&id(number));
        assert_eq!([of(1), of(2), of(3)], [container, None, None]);
    }

    #[test]
    fn containers_and_networks_survive_a_restart_and_execs_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ci");
        let mut made = Made::open(&path).unwrap();
        made.learn(Making::Container, None, &answer(1));
        made.learn(Making::Network, None, &answer(2));
        made.learn(Making::Exec, None, &answer(3));
        drop(made);

        let mut made = Made::open(&path).unwrap();
        assert!(made.has(Making::Container, &id(1)));
        assert!(made.has(Making::Network, &id(2)));
        assert!(!made.has(Making::Exec, &id(3)));
        assert!(!made.has(Making::Container, &id(2)));
        made.learn(Making::Container, None, &answer(4));
        drop(made);
        assert!(Made::open(&path).unwrap().has(Making::Container, &id(4)));
    }

    #[test]
    fn a_line_that_was_cut_names_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ci");
        let text = format!("container {}\nvolume x\n\nnetwork 12", id(1));
        fs::write(&path, text).unwrap();
        let made = Made::open(&path).unwrap();
        assert!(made.has(Making::Container, &id(1)));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("container {}\n", id(1))
        );
    }
}
