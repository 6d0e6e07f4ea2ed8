//! A text with a name, and places in it.

use std::sync::Arc;

/// A byte range in a [`Source`].
pub type Span = std::ops::Range<usize>;

/// A text with the name it is shown under.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    beside: Arc<[Beside]>,
}

/// A file that a text names, as whoever reads files found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The name, as the text has it.
    pub name: String,
    /// What it holds, or why it cannot be read.
    pub content: Result<Vec<u8>, String>,
}

impl Source {
    /// A source named `name` (a path, or `<built-in>/traefik.toml`).
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            beside: Arc::default(),
        }
    }

    /// The same source with the files that its text names.
    #[must_use]
    pub fn with(mut self, beside: Vec<Beside>) -> Self {
        self.beside = beside.into();
        self
    }

    /// A file that the text names, if somebody went to read it.
    pub fn beside(&self, name: &str) -> Option<&Beside> {
        self.beside.iter().find(|beside| beside.name == name)
    }

    /// The name it is shown under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// One-based line of a byte offset. An offset past the end is on the last line.
    pub fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|&&byte| byte == b'\n').count() + 1
    }

    /// One-based column of a byte offset, counted in characters, as editors do.
    pub fn column(&self, offset: usize) -> usize {
        let offset = self.floor(offset);
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.chars().count() + 1
    }

    /// The whole line that holds `offset`, without its end.
    pub fn line_text(&self, offset: usize) -> &str {
        self.text.get(self.line_span(offset)).unwrap_or_default()
    }

    /// The range of the line that holds `offset`, without its end.
    pub fn line_span(&self, offset: usize) -> Span {
        let offset = self.floor(offset);
        let start = self.text.get(..offset).and_then(|t| t.rfind('\n'));
        let start = start.map_or(0, |at| at + 1);
        let end = self.text.get(offset..).and_then(|t| t.find('\n'));
        start..end.map_or(self.text.len(), |at| offset + at)
    }

    /// `span` made safe to cut with: inside the text and on character boundaries.
    pub fn clamp(&self, span: &Span) -> Span {
        let start = self.floor(span.start);
        let end = self.floor(span.end).max(start);
        start..end
    }

    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let source = Source::new("p.toml", "a = 1\nü = \"x\"\n");
        for (offset, line, column) in [(0, 1, 1), (4, 1, 5), (6, 2, 1), (8, 2, 2), (99, 3, 1)] {
            assert_eq!(
                (source.line(offset), source.column(offset)),
                (line, column),
                "{offset}"
            );
        }
        assert_eq!(source.line_text(9), "ü = \"x\"");
    }

    #[test]
    fn a_span_inside_a_character_or_past_the_end_is_clamped() {
        let source = Source::new("p.toml", "ü");
        assert_eq!(source.clamp(&(1..9)), 0..2);
        assert_eq!(source.line(1), 1);
    }
}
