//! A sink that tests can read, hold up and break.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A sink that tests can read, close and break.
#[derive(Clone, Default)]
pub(super) struct Paper {
    state: Arc<(Mutex<Written>, Condvar)>,
}

#[derive(Default)]
pub(super) struct Written {
    bytes: Vec<u8>,
    writes: usize,
    /// Writes wait.
    pub(super) shut: bool,
    /// Writes fail after so many more bytes.
    pub(super) room: Option<usize>,
}

impl Paper {
    pub(super) fn shut() -> Self {
        let paper = Self::default();
        paper.change(|written| written.shut = true);
        paper
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Written)) {
        change(&mut self.state.0.lock().unwrap());
        self.state.1.notify_all();
    }

    pub(super) fn open(&self) {
        self.change(|written| written.shut = false);
    }

    /// Waits until what was written satisfies `enough`; the lines.
    pub(super) fn wait_until(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut written = self.state.0.lock().unwrap();
        loop {
            let lines = lines(&written.bytes);
            if enough(&lines) {
                return lines;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not what was awaited: {lines:#?}");
            written = self.state.1.wait_timeout(written, left).unwrap().0;
        }
    }

    pub(super) fn lines(&self) -> Vec<Value> {
        lines(&self.state.0.lock().unwrap().bytes)
    }

    pub(super) fn writes(&self) -> usize {
        self.state.0.lock().unwrap().writes
    }
}

pub(super) fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.state.0.lock().unwrap();
        while written.shut {
            written = self.state.1.wait(written).unwrap();
        }
        let count = match &mut written.room {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(room) => {
                let count = bytes.len().min(*room);
                *room -= count;
                count
            }
            None => bytes.len(),
        };
        written.bytes.extend_from_slice(&bytes[..count]);
        written.writes += 1;
        self.state.1.notify_all();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
