//! What waits for the writer's thread: records of fixed size, and all their texts in one buffer.
//!
//! There are two pages. Calls fill one while the thread renders the other; then it takes the full one
//! and leaves the empty one. Both keep their buffers while records come, so that a record that waits
//! costs no heap block. The road not taken is a channel of records: their blocks are taken by one thread
//! and given back by another, and the two of them then wait for each other in the allocator.

use std::collections::VecDeque;

use super::{Ending, Record};

/// Records that wait, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Page {
    items: VecDeque<(Record<Length>, Option<Ending>)>,
    /// One text behind the other, in the order of the records.
    texts: String,
    /// How much of them was taken.
    taken: usize,
}

/// As many records an empty page keeps room for while nothing happens,
const IDLE: usize = 64;
/// and as many while a gate is busy: what one turn of the thread takes as a rule.
const BUSY: usize = 4096;
/// The bytes of text that it keeps room for with each of them.
const TEXT: usize = 64;

/// The length of a text, in bytes.
type Length = usize;

impl Page {
    /// Adds a record: a final one, if the call has ended.
    pub(super) fn push(&mut self, record: Record, ending: Option<Ending>) {
        let record = record.map(|text| {
            self.texts.push_str(&text);
            text.len()
        });
        self.items.push_back((record, ending));
    }

    /// Takes the oldest.
    pub(super) fn next(&mut self) -> Option<(Record<&str>, Option<Ending>)> {
        let (record, ending) = self.items.pop_front()?;
        let record = record.map(|length| {
            let start = self.taken;
            self.taken += length;
            self.texts.get(start..self.taken).unwrap_or_default()
        });
        Some((record, ending))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Makes an empty page ready for the next records, and gives back what hostile ones made it grow to.
    pub(super) fn clear(&mut self) {
        self.shrink(BUSY);
    }

    /// The same while nothing happens; a page on which something waits is left alone.
    pub(super) fn release(&mut self) {
        if self.items.is_empty() {
            self.shrink(IDLE);
        }
    }

    fn shrink(&mut self, records: usize) {
        self.items.clear();
        self.texts.clear();
        self.taken = 0;
        self.items.shrink_to(records);
        self.texts.shrink_to(records * TEXT);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::audit::Target;

    fn record(path: &str, target: Option<&str>) -> Record {
        Record {
            id: 1,
            time: SystemTime::UNIX_EPOCH,
            policy: "ci".into(),
            rule: None,
            reason: None,
            operation: None,
            method: "GET",
            path: path.into(),
            query: "q".into(),
            target: target.map(|name| Target {
                id: "0".into(),
                name: name.into(),
            }),
            connected: None,
            api: None,
            client: Arc::default(),
            hint: Some("hint".into()),
        }
    }

    #[test]
    fn records_come_back_in_their_order_with_their_own_texts() {
        let mut page = Page::default();

        for round in 0..2 {
            page.push(record("/one", None), None);
            page.push(record("", Some("web")), None);
            assert_eq!(page.len(), 2);

            let (one, _) = page.next().unwrap();
            assert_eq!((one.path, one.query, one.hint), ("/one", "q", Some("hint")));
            assert_eq!(one.target, None);
            page.push(record("/three", None), None);
            let (two, _) = page.next().unwrap();
            let target = Target {
                id: "0",
                name: "web",
            };
            assert_eq!((two.path, two.target), ("", Some(target)));
            assert_eq!(page.next().unwrap().0.path, "/three");
            assert!(page.next().is_none() && page.is_empty(), "round {round}");
            page.clear();
        }
    }

    #[test]
    fn the_room_of_a_flood_is_given_back() {
        let mut page = Page::default();
        for _ in 0..10_000 {
            page.push(record(&"p".repeat(1024), None), None);
        }

        page.release();
        assert_eq!(page.len(), 10_000, "what waits is not touched");
        while page.next().is_some() {}
        page.clear();
        assert!(page.items.capacity() <= BUSY && page.texts.capacity() <= BUSY * TEXT);
        page.release();
        assert!(page.items.capacity() <= IDLE && page.texts.capacity() <= IDLE * TEXT);
    }
}
