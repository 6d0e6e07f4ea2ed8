//! What was made through a socket: execs, so that it reaches no others; and, where the policy says
//! `own`, containers, networks and volumes.
//!
//! An exec's id is all that `POST /exec/{id}/start` names, and whoever reads events or lists another's
//! container may see it; so that it was handed out here is remembered, in memory only. Containers and
//! networks are written to the state directory before the client hears their ids, and survive a restart.
//! Everything is bounded, and goes when the engine says that the object is gone; what is forgotten is
//! somebody else's.
//!
//! Volumes have no id: who created the volume of a name says nothing about the next one of that name. So
//! one is remembered with the moment of its creation as the engine told it; that must be the same whenever
//! its end may have gone unheard.

mod journal;

use std::io;
use std::path::Path;

use crate::docker::operation::{ObjectKind, is_name};
use crate::docker::{Operation, json};
use crate::engine::id::{self, Id};
use crate::engine::latest::Latest;
use journal::Journal;

/// How many execs are remembered. dockerd itself forgets an exec five minutes after it ended (moby
/// `daemon/exec.go`, `execCommandGC`).
const EXECS: usize = 8192;

/// How many containers, and how many networks.
const OWN: usize = 65_536;

/// How many volumes, whose names are long.
const VOLUMES: usize = 16_384;

/// What the answer to a create names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Making {
    /// An exec.
    Exec,
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume that was not there before.
    Volume,
}

/// What one socket made.
#[derive(Debug)]
pub(crate) struct Made {
    /// Each with its container, if it was created under that one's full id.
    execs: Latest<Id, Option<Id>>,
    containers: Latest<Id, ()>,
    networks: Latest<Id, ()>,
    /// When each was created.
    volumes: Latest<Box<str>, Box<str>>,
    journal: Option<Journal>,
}

impl Making {
    /// Everything that is written down.
    const LASTING: [Self; 3] = [Self::Container, Self::Network, Self::Volume];

    /// What an operation makes.
    pub(super) fn of(operation: Operation) -> Option<Self> {
        let all = [
            (Operation::ContainerExec, Self::Exec),
            (Operation::ContainerCreate, Self::Container),
            (Operation::NetworkCreate, Self::Network),
            (Operation::VolumeCreate, Self::Volume),
        ];
        let mut all = all.into_iter();
        all.find_map(|(by, making)| (by == operation).then_some(making))
    }

    /// As what an object was made, if that is remembered; an exec is judged by its container.
    pub(super) fn of_kind(kind: ObjectKind) -> Option<Self> {
        match kind {
            ObjectKind::Container | ObjectKind::Exec => Some(Self::Container),
            ObjectKind::Network => Some(Self::Network),
            ObjectKind::Volume => Some(Self::Volume),
            ObjectKind::Image | ObjectKind::Service => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Container => "container",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

impl Default for Made {
    fn default() -> Self {
        Self {
            execs: Latest::new(EXECS),
            containers: Latest::new(OWN),
            networks: Latest::new(OWN),
            volumes: Latest::new(VOLUMES),
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
            let mut words = line.split(' ');
            let (word, name) = (words.next(), words.next().unwrap_or_default());
            let created = words.next().unwrap_or_default();
            let mut lasting = Making::LASTING.into_iter();
            let Some(making) = lasting.find(|making| Some(making.word()) == word) else {
                continue;
            };
            if gone {
                made.remove(making, name);
            } else {
                made.add(making, name, created, None);
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
        let text = |key| answer.object()?.get(key)?.text();
        let (name, created) = match making {
            Making::Exec | Making::Container | Making::Network => (text("Id"), None),
            Making::Volume => (text("Name"), text("CreatedAt")),
        };
        let name = name.map_or("", |name| name);
        let created = created.map_or("", |created| created);
        if !self.add(making, name, created, container) {
            return;
        }
        if let Some(journal) = self.journal.as_mut().filter(|_| making != Making::Exec) {
            journal.made(&line(making, name, created));
        }
    }

    /// Forgets those that are gone.
    pub(super) fn forget<'n>(&mut self, making: Making, gone: impl IntoIterator<Item = &'n str>) {
        let gone = gone.into_iter();
        let gone: Vec<String> = gone.filter_map(|name| self.remove(making, name)).collect();
        if gone.is_empty() {
            return;
        }
        let made = self.containers.len() + self.networks.len() + self.volumes.len();
        if let Some(mut journal) = self.journal.take() {
            journal.gone(&gone);
            if journal.is_long(made) {
                journal.renew(&self.lines());
            }
            self.journal = Some(journal);
        }
    }

    /// Whether it was made here, by its full id. Docker knows execs by nothing else (moby
    /// `daemon/exec.go`, `getExecConfig`), and volumes by their names.
    pub(super) fn has(&self, making: Making, name: &str) -> bool {
        let id = || id::read(name);
        match making {
            Making::Exec => id().is_some_and(|id| self.execs.get(&id).is_some()),
            Making::Container => id().is_some_and(|id| self.containers.get(&id).is_some()),
            Making::Network => id().is_some_and(|id| self.networks.get(&id).is_some()),
            Making::Volume => self.volumes.get(name).is_some(),
        }
    }

    /// The container of an exec that was made here. An exec never changes its container.
    pub(super) fn container_of(&self, exec: &str) -> Option<Id> {
        *self.execs.get(&id::read(exec)?)?
    }

    /// All that is remembered, the oldest first, and of volumes when they were created.
    pub(super) fn list(&self, making: Making) -> Vec<(String, String)> {
        let id = |id: &Id| (id::write(id), String::new());
        match making {
            Making::Exec => self.execs.iter().map(|(key, _)| id(key)).collect(),
            Making::Container => self.containers.iter().map(|(key, ())| id(key)).collect(),
            Making::Network => self.networks.iter().map(|(key, ())| id(key)).collect(),
            Making::Volume => {
                let all = self.volumes.iter();
                all.map(|(name, created)| (name.to_string(), created.to_string()))
                    .collect()
            }
        }
    }

    /// As many of them as that, of what has an id and lasts.
    pub(super) fn some(&self, making: Making, most: usize) -> Vec<Box<str>> {
        let ids = |ids: &Latest<Id, ()>| {
            let some = ids.iter().take(most);
            some.map(|(id, ())| id::write(id).into()).collect()
        };
        match making {
            Making::Exec | Making::Volume => Vec::new(),
            Making::Container => ids(&self.containers),
            Making::Network => ids(&self.networks),
        }
    }

    /// Whether that is something that can be remembered.
    fn add(&mut self, making: Making, name: &str, created: &str, container: Option<Id>) -> bool {
        if making == Making::Volume {
            let whole = is_name(name) && name.len() <= 255 && is_moment(created);
            if whole {
                self.volumes.put(name.into(), created.into());
            }
            return whole;
        }
        let Some(id) = id::read(name) else {
            return false;
        };
        match making {
            Making::Exec => self.execs.put(id, container),
            Making::Container => self.containers.put(id, ()),
            Making::Network | Making::Volume => self.networks.put(id, ()),
        }
        true
    }

    /// The line that it had, if it was there.
    fn remove(&mut self, making: Making, name: &str) -> Option<String> {
        let mut created = Box::default();
        let id = || id::read(name);
        let removed = match making {
            Making::Exec => self.execs.remove(&id()?),
            Making::Container => self.containers.remove(&id()?),
            Making::Network => self.networks.remove(&id()?),
            Making::Volume => {
                created = self.volumes.get(name)?.clone();
                self.volumes.remove(name)
            }
        };
        removed.then(|| line(making, name, &created))
    }

    fn lines(&self) -> Vec<String> {
        let all = Making::LASTING.into_iter();
        let lines = all.flat_map(|making| {
            let list = self.list(making).into_iter();
            list.map(move |(name, created)| line(making, &name, &created))
        });
        lines.collect()
    }
}

fn line(making: Making, name: &str, created: &str) -> String {
    let word = making.word();
    if created.is_empty() {
        format!("{word} {name}")
    } else {
        format!("{word} {name} {created}")
    }
}

/// A moment as engines write it, RFC 3339. A volume that has none cannot be told from the next one.
fn is_moment(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
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
    fn a_volume_is_remembered_with_the_moment_of_its_creation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ci");
        let mut made = Made::open(&path).unwrap();
        for (name, created) in [
            ("x", "T1"),
            ("y", "T1"),
            ("x", "T2"),
            ("-z", "T1"),
            ("w", ""),
        ] {
            let answer = format!("{{\"Name\":\"{name}\",\"CreatedAt\":\"{created}\"}}");
            made.learn(Making::Volume, None, answer.as_bytes());
        }
        made.learn(Making::Volume, None, br#"{"Name":"v"}"#);
        let all = vec![
            ("x".to_owned(), "T2".to_owned()),
            ("y".to_owned(), "T1".to_owned()),
        ];
        assert_eq!(made.list(Making::Volume), all);
        assert_eq!(Made::read(&path).unwrap().list(Making::Volume), all);
        made.forget(Making::Volume, ["x", "w"]);
        assert!(!made.has(Making::Volume, "x") && made.has(Making::Volume, "y"));
        drop(made);
        assert_eq!(Made::open(&path).unwrap().list(Making::Volume), all[1..]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "volume y T1\n");
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
