//! Text for people: pieces with a style, and tables that align.
//!
//! SECURITY: everything that is added is escaped here, whoever wrote it, so that no request, file
//! name or container name can steer the terminal it is shown on. Colour is put around pieces when
//! the text is drawn, never inside them.

use std::fmt::Display;

use crate::diag::escape;

/// How a piece looks where there is colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    #[default]
    Plain,
    Strong,
    Good,
    Bad,
    Careful,
    Dim,
}

impl Style {
    /// The SGR parameter of ECMA-48, if any.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
            Self::Careful => Some("33"),
            Self::Dim => Some("2"),
        }
    }
}

/// A styled piece of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    style: Style,
    text: String,
}

/// A piece in this style, escaped.
pub(super) fn piece(style: Style, text: impl Display) -> Piece {
    Piece {
        style,
        text: escape(&text.to_string()).into_owned(),
    }
}

/// A piece without style, escaped.
pub(super) fn plain(text: impl Display) -> Piece {
    piece(Style::Plain, text)
}

/// Lines of pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    lines: Vec<Vec<Piece>>,
}

impl Text {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a line of several pieces.
    pub(super) fn line(&mut self, pieces: impl IntoIterator<Item = Piece>) -> &mut Self {
        self.lines.push(pieces.into_iter().collect());
        self
    }

    /// Adds a line without style.
    pub(super) fn say(&mut self, text: impl Display) -> &mut Self {
        self.line([plain(text)])
    }

    /// Adds an empty line.
    pub(super) fn gap(&mut self) -> &mut Self {
        self.line([])
    }

    /// Adds lines that are written as one text; the line ends are ours, the rest is escaped.
    pub(super) fn block(&mut self, indent: usize, text: &str) -> &mut Self {
        for line in text.lines() {
            let indent = if line.is_empty() { 0 } else { indent };
            self.say(format_args!("{:indent$}{line}", ""));
        }
        self
    }

    /// Adds another text.
    pub(super) fn append(&mut self, other: Self) -> &mut Self {
        self.lines.extend(other.lines);
        self
    }

    /// Adds rows whose cells line up, two spaces apart; the last cell of a row is not padded.
    pub(super) fn table(&mut self, indent: usize, rows: Vec<Vec<Piece>>) -> &mut Self {
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut widths = vec![0; columns];
        for row in &rows {
            let padded = row.len().saturating_sub(1);
            for (width, cell) in widths.iter_mut().zip(row.iter().take(padded)) {
                *width = (*width).max(cell.width());
            }
        }
        for row in rows {
            let last = row.len().saturating_sub(1);
            let mut line = vec![plain(" ".repeat(indent))];
            for (index, (cell, width)) in row.into_iter().zip(&widths).enumerate() {
                let gap = if index == last {
                    0
                } else {
                    width - cell.width() + 2
                };
                line.push(cell);
                line.push(plain(" ".repeat(gap)));
            }
            self.lines.push(line);
        }
        self
    }

    /// As one string, every line ended; without trailing spaces.
    pub(super) fn draw(&self, colour: bool) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let start = out.len();
            for piece in line {
                match piece
                    .style
                    .code()
                    .filter(|_| colour && !piece.text.is_empty())
                {
                    Some(code) => {
                        out.extend(["\u{1b}[", code, "m", &piece.text, "\u{1b}[0m"]);
                    }
                    None => out.push_str(&piece.text),
                }
            }
            let end = out.trim_end_matches(' ').len().max(start);
            out.truncate(end);
            out.push('\n');
        }
        out
    }
}

impl Piece {
    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// `1 error`, `2 errors`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_line_up_and_nothing_trails() {
        let mut text = Text::new();
        text.table(
            2,
            vec![
                vec![plain("GET /_ping"), piece(Style::Good, "200"), plain("")],
                vec![plain("x"), plain("403"), plain("because")],
                vec![plain("alone")],
            ],
        );
        assert_eq!(
            text.draw(false),
            "  GET /_ping  200\n  x           403  because\n  alone\n"
        );
    }

    #[test]
    fn colour_is_put_around_pieces_only_when_asked_for() {
        let mut text = Text::new();
        text.line([piece(Style::Bad, "no"), plain(" entry")]);
        assert_eq!(text.draw(true), "\u{1b}[31mno\u{1b}[0m entry\n");
        assert_eq!(text.draw(false), "no entry\n");
    }

    #[test]
    fn what_came_from_elsewhere_cannot_steer_the_terminal() {
        let mut text = Text::new();
        text.say("a\u{1b}[2Jb\nc").block(2, "one\ntw\u{7}o");
        assert_eq!(text.draw(true), "a\\x1b[2Jb\\x0ac\n  one\n  tw\\x07o\n");
    }
}
