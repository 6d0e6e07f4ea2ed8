//! Which execs were created through a socket, so that it reaches no others.
//!
//! An exec's id is all that `POST /exec/{id}/start` names, and whoever reads events or lists another's
//! container may see it; so that it was handed out here is remembered. The memory is bounded and does
//! not survive a restart; what is forgotten is refused.

use std::collections::{HashSet, VecDeque};

use crate::docker::json;

/// How many are remembered; the oldest are forgotten first. dockerd itself forgets an exec five minutes
/// after it ended (moby `daemon/monitor.go`, `execCommandGC`).
const MOST: usize = 8192;

/// An id: 64 hexadecimal digits, half as long.
type Id = [u8; 32];

/// The execs of one socket.
#[derive(Debug, Default)]
pub(super) struct Execs {
    known: HashSet<Id>,
    oldest_first: VecDeque<Id>,
}

impl Execs {
    /// Remembers the exec that the body of an engine's answer names, `{"Id": "…"}`.
    pub(super) fn learn(&mut self, answer: &[u8]) {
        let Ok(answer) = json::parse(answer) else {
            return;
        };
        let id = answer.object().and_then(|object| object.get("Id")?.text());
        let Some(id) = id.and_then(|id| read(id)) else {
            return;
        };
        if self.known.insert(id) {
            self.oldest_first.push_back(id);
        }
        if self.oldest_first.len() > MOST
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether an exec was created here. Docker knows execs by their full id alone (moby
    /// `daemon/exec.go`, `getExecConfig`).
    pub(super) fn knows(&self, id: &str) -> bool {
        read(id).is_some_and(|id| self.known.contains(&id))
    }
}

fn read(text: &str) -> Option<Id> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut id = [0; 32];
    for (byte, pair) in id.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(nibble);
        *byte = high? << 4 | low?;
    }
    Some(id)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Execs, MOST};

    fn id(number: usize) -> String {
        format!("{number:064x}")
    }

    #[test]
    fn what_the_engine_named_is_known_and_nothing_else() {
        let mut execs = Execs::default();
        execs.learn(format!("{{\"Id\":\"{}\"}}\n", id(10)).as_bytes());
        assert!(execs.knows(&id(10)));
        for other in [
            id(11),
            id(10).to_uppercase(),
            id(10).trim_start_matches('0').to_owned(),
            String::new(),
        ] {
            assert!(!execs.knows(&other), "{other}");
        }
    }

    #[test]
    fn an_answer_that_names_no_exec_teaches_nothing() {
        let mut execs = Execs::default();
        for answer in [
            "",
            "{}",
            "[]",
            r#"{"Id":1}"#,
            r#"{"Id":"abc"}"#,
            r#"{"message":"x"}"#,
        ] {
            execs.learn(answer.as_bytes());
        }
        assert!(execs.known.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten_first() {
        let mut execs = Execs::default();
        for number in 0..=MOST {
            execs.learn(format!("{{\"Id\":\"{}\"}}", id(number)).as_bytes());
        }
        assert_eq!(execs.known.len(), MOST);
        assert!(!execs.knows(&id(0)));
        assert!(execs.knows(&id(1)));
        assert!(execs.knows(&id(MOST)));
    }
}
