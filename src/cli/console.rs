//! The one place that prints.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::text::{Style, Text, piece, plain};
use crate::diag::{Diagnostic, Source, render};

/// Standard output and standard error, and whether each takes colour.
///
/// A reader that went away (`quaygate show … | head`) is no reason to complain: what cannot be
/// written is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Console {
    colour_out: bool,
    colour_err: bool,
}

impl Console {
    /// Colour on terminals, unless NO_COLOR is set (no-color.org: to anything but nothing) or the
    /// terminal is dumb.
    pub(super) fn new() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let wanted = set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb");
        Self {
            colour_out: wanted && io::stdout().is_terminal(),
            colour_err: wanted && io::stderr().is_terminal(),
        }
    }

    /// Whether standard error takes colour.
    pub(super) fn colour_err(self) -> bool {
        self.colour_err
    }

    /// The answer, to standard output.
    pub(super) fn answer(self, text: &Text) {
        write(io::stdout().lock(), &text.draw(self.colour_out));
    }

    /// What is said about the work, to standard error.
    pub(super) fn tell(self, text: &Text) {
        write(io::stderr().lock(), &text.draw(self.colour_err));
    }

    /// One line that begins with `error:`.
    pub(super) fn error(self, message: impl std::fmt::Display) {
        let mut text = Text::new();
        text.line([piece(Style::Bad, "error"), plain(": "), plain(message)]);
        self.tell(&text);
    }

    /// Diagnostics, to standard error where they accompany an answer for programs, else as the
    /// answer.
    pub(super) fn diagnostics(self, to: Stream, source: &Source, diagnostics: &[Diagnostic]) {
        match to {
            Stream::Answer => {
                write(
                    io::stdout().lock(),
                    &render::text(source, diagnostics, self.colour_out),
                );
            }
            Stream::Error => {
                write(
                    io::stderr().lock(),
                    &render::text(source, diagnostics, self.colour_err),
                );
            }
        }
    }

    /// A text that is shown as it is: a policy file. On a terminal it is escaped all the same.
    pub(super) fn verbatim(self, text: &str) {
        if io::stdout().is_terminal() {
            self.answer(Text::new().block(0, &text.replace('\t', "    ")));
        } else {
            write(io::stdout().lock(), text);
        }
    }

    /// One JSON document, to standard output. JSON escapes control characters itself; the ones it
    /// leaves alone (DEL and above) are escaped here.
    #[expect(
        clippy::unused_self,
        reason = "whoever prints, prints through the console"
    )]
    pub(super) fn json(self, document: &impl Serialize) {
        let text = serde_json::to_string_pretty(document).unwrap_or_default();
        write(io::stdout().lock(), &(escape_json(&text) + "\n"));
    }
}

/// Where something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Answer,
    Error,
}

fn write(mut to: impl Write, text: &str) {
    let _reader_gone = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// Spells out what could steer a terminal and is legal in a JSON string: outside of strings there
/// are no such characters.
fn escape_json(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && crate::diag::escape::is_unsafe(c) {
            // All of them are in the basic plane, so one escape says it.
            let _infallible = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_for_programs_is_harmless_on_a_terminal_too() {
        let text = serde_json::to_string_pretty(&["a\u{1b}\u{9b}\u{7f}\u{202e}é"]).unwrap();
        let escaped = escape_json(&text);

        assert!(
            !escaped
                .chars()
                .any(|c| c != '\n' && crate::diag::escape::is_unsafe(c))
        );
        let back: Vec<String> = serde_json::from_str(&escaped).unwrap();
        assert_eq!(back, ["a\u{1b}\u{9b}\u{7f}\u{202e}é"]);
    }
}
