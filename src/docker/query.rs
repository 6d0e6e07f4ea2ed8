//! The query string, read as Go's `net/url` reads it (rule R10).

use std::borrow::Cow;

use super::Malformed;

/// A query that has exactly one reading. Borrowed, checked once, decoded when asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<'h> {
    raw: &'h str,
}

impl<'h> Query<'h> {
    /// Checks the text after `?`: no `;`, no bad escape, no control byte, no `#`.
    pub fn parse(_raw: &'h str) -> Result<Self, Malformed> {
        todo!()
    }

    /// Decoded pairs in the order written.
    pub fn pairs(&self) -> impl Iterator<Item = (Cow<'h, str>, Cow<'h, str>)> + use<'h> {
        let _ = self.raw;
        std::iter::empty()
    }

    /// The first value of `key`: the one that Go's `Form.Get` returns.
    pub fn first(&self, _key: &str) -> Option<Cow<'h, str>> {
        todo!()
    }

    /// How often `key` is written.
    pub fn count(&self, _key: &str) -> usize {
        todo!()
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Appends the canonical spelling for the wire, without `?`.
    pub fn write(&self, _out: &mut Vec<u8>) {
        todo!()
    }
}
