//! What a gate wrote down of what was created through a socket: `container ID`, `network ID` or
//! `volume NAME CREATED_AT`, a line each, and the same after `gone` for what is gone since. It is read
//! here and never written: it belongs to the gate that may be running, which forgets what the engine says
//! is gone.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::docker::operation::is_name;
use crate::engine::id;

/// What was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Full ids.
    pub(super) containers: Vec<String>,
    /// Full ids.
    pub(super) networks: Vec<String>,
    /// Names, and when they were created, as the engine says it.
    pub(super) volumes: Vec<(String, String)>,
}

impl Memory {
    /// Reads it; `None` if there is none.
    pub(super) fn read(file: &Path) -> io::Result<Option<Self>> {
        match fs::read_to_string(file) {
            Ok(text) => Ok(Some(Self::parse(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// SECURITY: what is not whole, such as a line that was cut when the machine went down, names nothing:
    /// the beginning of an id would be taken for another object's.
    fn parse(text: &str) -> Self {
        let mut memory = Self::default();
        let mut told = HashSet::new();
        // What was said last of an object holds.
        for line in text.lines().rev() {
            let gone = line.strip_prefix("gone ");
            let words: Vec<&str> = gone.unwrap_or(line).split(' ').collect();
            let (kind, name, created) = match words[..] {
                [kind @ ("container" | "network"), whole] if id::read(whole).is_some() => {
                    (kind, whole, "")
                }
                ["volume", name, created] if is_name(name) => ("volume", name, created),
                _ => continue,
            };
            if !told.insert((kind, name)) || gone.is_some() {
                continue;
            }
            match kind {
                "container" => memory.containers.push(name.to_owned()),
                "network" => memory.networks.push(name.to_owned()),
                _ => memory.volumes.push((name.to_owned(), created.to_owned())),
            }
        }
        memory.containers.reverse();
        memory.networks.reverse();
        memory.volumes.reverse();
        memory
    }

    /// How many objects it holds.
    pub(super) fn len(&self) -> usize {
        self.containers.len() + self.networks.len() + self.volumes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn what_is_whole_is_read_and_nothing_else() {
        let id = |digit: &str| digit.repeat(64);
        let text = format!(
            "container {a}\nnetwork {b}\nvolume cache 2026-01-02T03:04:05Z\n\
             exec {a}\ncontainer {a}0\ncontainer ABC\nnetwork 12\nvolume cache\nvolume ../x 2026\n\ncontainer 12",
            a = id("a"),
            b = id("b"),
        );
        let memory = Memory::parse(&text);
        assert_eq!(
            memory,
            Memory {
                containers: vec![id("a")],
                networks: vec![id("b")],
                volumes: vec![("cache".to_owned(), "2026-01-02T03:04:05Z".to_owned())],
            }
        );
        assert_eq!(memory.len(), 3);
    }

    #[test]
    fn what_is_gone_is_not_remembered_unless_it_was_created_again() {
        let text = format!(
            "container {a}\nvolume x 1\nvolume y 2\nnetwork {a}\ngone container {a}\n\
             gone volume x 1\ngone volume y 2\nvolume x 3\n",
            a = "a".repeat(64),
        );
        let memory = Memory::parse(&text);
        let expected = Memory {
            containers: Vec::new(),
            networks: vec!["a".repeat(64)],
            volumes: vec![("x".to_owned(), "3".to_owned())],
        };
        assert_eq!(memory, expected);
    }
}
