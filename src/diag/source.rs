//! A text with a name, and places in it.

use std::sync::Arc;

/// A byte range in a [`Source`].
pub type Span = std::ops::Range<usize>;

/// A text with the name it is shown under.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    /// A source named `name` (a path, or `<built-in>/traefik.toml`).
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
    /// The name it is shown under.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// One-based line of a byte offset.
    pub fn line(&self, _offset: usize) -> usize {
        todo!()
    }
}
