//! What a gate wrote down of what was created through a socket: `container ID`, `network ID` or
//! `volume NAME CREATED_AT`, a line each. It is read here and never written: it belongs to the gate that
//! may be running, which forgets what the engine says is gone.

use std::fs;
use std::io;
use std::path::Path;

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
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["container", id] if is_id(id) => memory.containers.push(id.to_owned()),
                ["network", id] if is_id(id) => memory.networks.push(id.to_owned()),
                ["volume", name, created] if is_name(name) => {
                    memory.volumes.push((name.to_owned(), created.to_owned()));
                }
                _ => {}
            }
        }
        memory
    }

    /// How many objects it holds.
    pub(super) fn len(&self) -> usize {
        self.containers.len() + self.networks.len() + self.volumes.len()
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// moby `daemon/names/names.go`.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(plain)
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
}
