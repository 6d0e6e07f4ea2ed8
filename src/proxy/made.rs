//! What was made through a socket: execs, so that it reaches no others; and, where the policy says
//! `own`, containers and networks.
//!
//! An exec's id is all that `POST /exec/{id}/start` names, and whoever reads events or lists another's
//! container may see it; so that it was handed out here is remembered, in memory only. Containers and
//! networks are written to the state directory before the client hears their ids, and survive a restart.
//! Everything is bounded, and goes when the engine says that the object is gone; what is forgotten is
//! somebody else's.
//!
//! Volumes have no id: who created the volume of a name says nothing about the next one of that name.

mod journal;

use std::io;
use std::path::Path;

use crate::docker::operation::ObjectKind;
use crate::docker::{Operation, json};
use crate::engine::id::{self, Id};
use crate::engine::latest::Latest;
use journal::Journal;

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

impl Making {
    /// Everything that is written down.
    const LASTING: [Self; 2] = [Self::Container, Self::Network];

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

    /// As what an object was made, if that is remembered; an exec is judged by its container.
    pub(super) fn of_kind(kind: ObjectKind) -> Option<Self> {
        match kind {
            ObjectKind::Container | ObjectKind::Exec => Some(Self::Container),
            ObjectKind::Network => Some(Self::Network),
            ObjectKind::Image | ObjectKind::Volume | ObjectKind::Service => None,
        }
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
    /// What was made before, as this file says.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut made = Self::default();
        for (gone, line) in journal::read(path)? {
            // A line that was cut when the machine went down names nothing.
            let Some((word, id)) = line.split_once(' ') else {
                continue;
            };
            let mut lasting = Making::LASTING.into_iter();
            let making = lasting.find(|making| making.word() == word);
            match making.zip(id::read(id)) {
                Some((making, _)) if gone => {
                    made.remove(making, id);
                }
                Some((making, id)) => made.add(making, id, None),
                None => {}
            }
        }
        Ok(made)
    }

    /// The same, and goes on being written down there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut made = Self::read(path)?;
        made.journal = Some(Journal::begin(path.to_owned(), &made.lines())?);
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
        if let Some(journal) = self.journal.as_mut().filter(|_| making != Making::Exec) {
            journal.made(&line(making, &id::write(&id)));
        }
    }

    /// Forgets those that are gone.
    pub(super) fn forget<'n>(&mut self, making: Making, gone: impl IntoIterator<Item = &'n str>) {
        let gone = gone.into_iter().filter(|name| self.remove(making, name));
        let gone: Vec<String> = gone.map(|name| line(making, name)).collect();
        if gone.is_empty() {
            return;
        }
        let made = self.containers.len() + self.networks.len();
        if let Some(mut journal) = self.journal.take() {
            journal.gone(&gone);
            if journal.is_long(made) {
                journal.renew(&self.lines());
            }
            self.journal = Some(journal);
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

    /// All that is remembered, the oldest first.
    pub(super) fn list(&self, making: Making) -> Vec<String> {
        let ids = |ids: &Latest<Id, ()>| ids.iter().map(|(id, ())| id::write(id)).collect();
        match making {
            Making::Exec => self.execs.iter().map(|(id, _)| id::write(id)).collect(),
            Making::Container => ids(&self.containers),
            Making::Network => ids(&self.networks),
        }
    }

    fn add(&mut self, making: Making, id: Id, container: Option<Id>) {
        match making {
            Making::Exec => self.execs.put(id, container),
            Making::Container => self.containers.put(id, ()),
            Making::Network => self.networks.put(id, ()),
        }
    }

    fn remove(&mut self, making: Making, name: &str) -> bool {
        id::read(name).is_some_and(|id| match making {
            Making::Exec => self.execs.remove(&id),
            Making::Container => self.containers.remove(&id),
            Making::Network => self.networks.remove(&id),
        })
    }

    fn lines(&self) -> Vec<String> {
        let all = Making::LASTING.into_iter();
        let lines = all.flat_map(|making| {
            let list = self.list(making).into_iter();
            list.map(move |name| line(making, &name))
        });
        lines.collect()
    }
}

fn line(making: Making, name: &str) -> String {
    format!("{} {name}", making.word())
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
    fn what_is_gone_is_forgotten_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ci");
        let mut made = Made::open(&path).unwrap();
        for number in [1, 2] {
            made.learn(Making::Container, None, &answer(number));
            made.learn(Making::Network, None, &answer(number));
        }
        made.forget(Making::Container, [&*id(1), "web", &id(9)]);
        let has = |made: &Made| {
            [1, 2].map(|number| {
                let id = id(number);
                (
                    made.has(Making::Container, &id),
                    made.has(Making::Network, &id),
                )
            })
        };
        assert_eq!(has(&made), [(false, true), (true, true)]);
        assert_eq!(has(&Made::read(&path).unwrap()), has(&made));
        assert_eq!(has(&Made::open(&path).unwrap()), has(&made));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn the_file_does_not_grow_with_what_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ci");
        let mut made = Made::open(&path).unwrap();
        made.learn(Making::Network, None, &answer(0));
        for number in 1..3000 {
            made.learn(Making::Container, None, &answer(number));
            made.forget(Making::Container, [&*id(number)]);
        }
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 1100, "{lines} lines");
        made.learn(Making::Container, None, &answer(3000));
        let made = Made::read(&path).unwrap();
        assert_eq!((made.containers.len(), made.networks.len()), (1, 1));
        assert!(made.has(Making::Container, &id(3000)));
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
