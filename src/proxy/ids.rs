//! A bounded set of the ids that the engine gave to what it created.

use std::collections::{HashSet, VecDeque};

/// An id: 64 hexadecimal digits, half as long.
pub(super) type Id = [u8; 32];

/// Ids, the oldest of which are forgotten first.
#[derive(Debug)]
pub(super) struct Ids {
    known: HashSet<Id>,
    oldest_first: VecDeque<Id>,
    most: usize,
}

impl Ids {
    /// None yet, and never more than `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            known: HashSet::new(),
            oldest_first: VecDeque::new(),
            most,
        }
    }

    /// Remembers one.
    pub(super) fn add(&mut self, id: Id) {
        if self.known.insert(id) {
            self.oldest_first.push_back(id);
        }
        if self.oldest_first.len() > self.most
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether this one is remembered, by its full id.
    pub(super) fn has(&self, id: &str) -> bool {
        read(id).is_some_and(|id| self.known.contains(&id))
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Id> {
        self.oldest_first.iter()
    }
}

/// An id as the engine writes it (moby `pkg/stringid`); `None` if it is none, or not in full.
pub(super) fn read(text: &str) -> Option<Id> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut id = [0; 32];
    for (byte, pair) in id.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(nibble);
        *byte = high? << 4 | low?;
    }
    Some(id)
}

/// The same in digits.
pub(super) fn write(id: &Id) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in id {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
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
    use super::{Ids, read, write};

    fn id(number: usize) -> String {
        format!("{number:064x}")
    }

    #[test]
    fn an_id_is_read_in_full_and_written_as_it_was() {
        for number in [0, 10, usize::MAX] {
            assert_eq!(write(&read(&id(number)).unwrap()), id(number));
        }
        let short = id(10).trim_start_matches('0').to_owned();
        for other in [id(10).to_uppercase(), short, String::new(), "g".repeat(64)] {
            assert_eq!(read(&other), None, "{other}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten_first() {
        let mut ids = Ids::new(3);
        for number in [1, 2, 2, 3, 4] {
            ids.add(read(&id(number)).unwrap());
        }
        let has: Vec<_> = (0..6).filter(|number| ids.has(&id(*number))).collect();
        assert_eq!(has, [2, 3, 4]);
        assert_eq!(ids.iter().count(), 3);
    }
}
