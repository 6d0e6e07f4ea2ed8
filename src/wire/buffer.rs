//! The only buffers of the data path: borrowed from a per-thread pool while bytes are in hand,
//! given back as soon as they are gone, so that an idle connection or a quiet stream holds none.

use std::cell::{Cell, RefCell};

/// What one buffer holds. Large enough for every head that clients send in practice.
pub const BUFFER: usize = 16 * 1024;

/// How many spare buffers a thread keeps; more are freed.
const SPARES: usize = 64;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// The size of all buffers of this thread that hold something.
    static IN_HAND: Cell<usize> = const { Cell::new(0) };
}

/// How much memory this thread's buffers take while something is in them.
pub fn in_hand() -> usize {
    IN_HAND.get()
}

/// Bytes in hand: read from a socket, not yet passed on. Empty costs nothing.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Initialised storage, or nothing at all while the buffer is empty.
    store: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// The bytes in hand.
    pub fn bytes(&self) -> &[u8] {
        self.store.get(self.start..self.end).unwrap_or_default()
    }

    /// How many bytes are in hand.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// True when no byte is in hand.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room for reading at least one more byte, growing up to `most` bytes in hand; `None` when
    /// that many are in hand already.
    pub fn room(&mut self, most: usize) -> Option<&mut [u8]> {
        if self.len() >= most {
            return None;
        }
        if self.store.is_empty() {
            self.store = take_store();
        }
        if self.end == self.store.len() {
            self.make_room(most);
        }
        let limit = self.store.len().min(self.start + most);
        self.store
            .get_mut(self.end..limit)
            .filter(|room| !room.is_empty())
    }

    /// `count` bytes were read into [`Buffer::room`].
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.store.len());
        self.settle();
    }

    /// The first `count` bytes were passed on.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        self.settle();
    }

    /// Adds bytes at the end, growing as needed: the caller bounds what it adds.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.store.is_empty() {
            self.store = take_store();
        }
        if self.store.len() - self.end < bytes.len() {
            self.store.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let needed = self.end + bytes.len();
            if self.store.len() < needed {
                self.grow(needed);
            }
        }
        if let Some(room) = self.store.get_mut(self.end..self.end + bytes.len()) {
            room.copy_from_slice(bytes);
            self.end += bytes.len();
        }
    }

    /// Forgets everything in hand.
    pub fn clear(&mut self) {
        self.consume(self.len());
    }

    fn make_room(&mut self, most: usize) {
        if self.start > 0 {
            self.store.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        } else {
            let larger = (self.store.len() * 2).min(most.max(self.store.len() + 1));
            self.grow(larger);
        }
    }

    fn grow(&mut self, length: usize) {
        IN_HAND.set(IN_HAND.get() + (length - self.store.len()));
        self.store.resize(length, 0);
    }

    fn settle(&mut self) {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            give_back(std::mem::take(&mut self.store));
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.store));
    }
}

fn take_store() -> Vec<u8> {
    IN_HAND.set(IN_HAND.get() + BUFFER);
    POOL.try_with(|pool| pool.borrow_mut().pop())
        .ok()
        .flatten()
        .unwrap_or_else(|| vec![0; BUFFER])
}

fn give_back(store: Vec<u8>) {
    // A buffer that ends on another thread than it began on was in nobody's hand here.
    IN_HAND.set(IN_HAND.get().saturating_sub(store.len()));
    if store.len() != BUFFER {
        return;
    }
    // A thread that is ending has no pool any more; the buffer is then simply freed.
    let _ended = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < SPARES {
            pool.push(store);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{BUFFER, Buffer, in_hand};

    fn read_into(buffer: &mut Buffer, bytes: &[u8], most: usize) {
        let room = buffer.room(most).unwrap();
        room[..bytes.len()].copy_from_slice(bytes);
        buffer.filled(bytes.len());
    }

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut buffer = Buffer::default();
        read_into(&mut buffer, b"hello ", 100);
        read_into(&mut buffer, b"world", 100);
        buffer.consume(6);
        buffer.push(b"!");

        assert_eq!(buffer.bytes(), b"world!");
    }

    #[test]
    fn an_empty_buffer_holds_no_memory() {
        let mut buffer = Buffer::default();
        read_into(&mut buffer, b"x", 100);
        buffer.consume(1);

        assert!(buffer.store.is_empty());
    }

    #[test]
    fn no_more_than_the_bound_is_ever_in_hand() {
        let mut buffer = Buffer::default();
        let mut read = 0;
        while let Some(room) = buffer.room(40_000) {
            let count = room.len();
            buffer.filled(count);
            read += count;
        }

        assert_eq!(read, 40_000);
        assert!(buffer.room(40_000).is_none());
        assert!(buffer.room(40_001).is_some());
    }

    #[test]
    fn what_is_in_hand_is_counted_and_given_back() {
        let before = in_hand();
        let mut buffer = Buffer::default();
        buffer.push(&[1; 10]);
        assert_eq!(in_hand(), before + BUFFER);
        buffer.push(&vec![2; 3 * BUFFER]);
        assert_eq!(in_hand(), before + 3 * BUFFER + 10);
        buffer.consume(3 * BUFFER);
        assert_eq!(in_hand(), before + 3 * BUFFER + 10);
        drop(buffer);
        assert_eq!(in_hand(), before);
    }

    #[test]
    fn pushing_more_than_a_buffer_keeps_every_byte() {
        let mut buffer = Buffer::default();
        buffer.push(&[1; 10]);
        buffer.consume(5);
        buffer.push(&vec![2; 3 * BUFFER]);

        assert_eq!(buffer.len(), 5 + 3 * BUFFER);
        assert_eq!(buffer.bytes()[..5], [1; 5]);
        assert_eq!(buffer.bytes()[5], 2);
    }
}
