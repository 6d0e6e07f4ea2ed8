//! Drawing diagnostics: as text in rustc's manner, and as records for programs.
//!
//! Pure: the text is returned, not printed, and whether to colour it is said by the caller. File
//! text and messages are escaped here, whoever wrote them.

use annotate_snippets::{AnnotationKind, Level, Origin, Padding, Renderer, Snippet};
use serde::Serialize;

use super::escape::is_unsafe;
use super::{Diagnostic, Severity, Source, escape};

/// All diagnostics of one file as text, in the order of the file.
pub fn text(source: &Source, diagnostics: &[Diagnostic], colour: bool) -> String {
    let shown = visible(source.text());
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|d| (d.offset(), std::cmp::Reverse(d.severity)));
    let mut out = String::new();
    for diagnostic in sorted {
        out.push_str(&one(source, &shown, diagnostic, colour));
        out.push_str("\n\n");
    }
    out.truncate(out.trim_end().len());
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn one(source: &Source, shown: &str, diagnostic: &Diagnostic, colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level
        .primary_title(escape(&diagnostic.message))
        .id(diagnostic.id);
    let mut snippet = Snippet::source(shown).path(escape(source.name()));
    for (index, (span, label)) in diagnostic.labels.iter().enumerate() {
        let kind = if index == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let label = (!label.is_empty()).then(|| escape(label).into_owned());
        snippet = snippet.annotation(kind.span(source.clamp(span)).label(label));
    }
    let mut group = if diagnostic.labels.is_empty() {
        let place = Origin::path(escape(source.name()));
        title.element(place).element(Padding)
    } else {
        title.element(snippet)
    };
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(lines(help)));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(lines(note)));
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&[group])
}

/// Escaped line by line: help may show several lines of TOML.
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(escape).collect();
    lines.join("\n")
}

/// The text with C1 controls and direction marks replaced by something visible of the same length
/// in bytes, so that spans still hold; the renderer itself replaces the older control characters.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => c,
            c if is_unsafe(c) && c.len_utf8() == 2 => '·',
            c if is_unsafe(c) && c.len_utf8() == 3 => '␦',
            c => c,
        })
        .collect()
}

/// One diagnostic as programs read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The diagnostic's id.
    pub id: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The file.
    pub file: String,
    /// Where; the first is the primary place.
    pub places: Vec<Place>,
    /// What to do.
    pub help: Vec<String>,
    /// Background.
    pub notes: Vec<String>,
}

/// A place in the file: lines and columns count from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// The column after the last.
    pub end_column: usize,
    /// What to say there.
    pub label: String,
}

/// All diagnostics of one file as records, in the order given.
pub fn records(source: &Source, diagnostics: &[Diagnostic]) -> Vec<Record> {
    diagnostics.iter().map(|d| record(source, d)).collect()
}

fn record(source: &Source, diagnostic: &Diagnostic) -> Record {
    let place = |(span, label): &(super::Span, String)| Place {
        line: source.line(span.start),
        column: source.column(span.start),
        end_line: source.line(span.end),
        end_column: source.column(span.end),
        label: label.clone(),
    };
    Record {
        id: diagnostic.id,
        severity: diagnostic.severity,
        message: diagnostic.message.clone(),
        file: source.name().to_owned(),
        places: diagnostic.labels.iter().map(place).collect(),
        help: diagnostic.help.clone(),
        notes: diagnostic.notes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Source, Diagnostic) {
        let source = Source::new("policies/ci.toml", "[[rule]]\npaht = \"/images/create\"\n");
        let diagnostic = Diagnostic::error("unknown-key", "unknown key `paht` in rule `ci-pull`")
            .at(9..13, "not a key of `[[rule]]`")
            .help("did you mean `path`?")
            .note("every key is checked");
        (source, diagnostic)
    }

    #[test]
    fn a_diagnostic_is_drawn_as_rustc_draws_it() {
        let (source, diagnostic) = example();
        insta::assert_snapshot!(text(&source, &[diagnostic], false), @r#"
        error[unknown-key]: unknown key `paht` in rule `ci-pull`
         --> policies/ci.toml:2:1
          |
        2 | paht = "/images/create"
          | ^^^^ not a key of `[[rule]]`
          |
          = help: did you mean `path`?
          = note: every key is checked
        "#);
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let (source, diagnostic) = example();
        assert!(text(&source, std::slice::from_ref(&diagnostic), true).contains('\u{1b}'));
        assert!(!text(&source, &[diagnostic], false).contains('\u{1b}'));
    }

    #[test]
    fn control_characters_of_the_file_never_reach_the_terminal() {
        let source = Source::new("p\u{1b}.toml", "a = \"\u{1b}[2J\u{9b}2J\u{202e}\"\n");
        let diagnostic = Diagnostic::error("bad-value", "bad \u{1b}[2J")
            .at(0..1, "here \u{7}")
            .help("try \u{1b}]0;x\u{7}");
        let drawn = text(&source, &[diagnostic], false);
        assert!(
            !drawn.chars().any(|c| c != '\n' && is_unsafe(c)),
            "{drawn:?}"
        );
    }

    #[test]
    fn the_record_says_the_same_to_programs() {
        let (source, diagnostic) = example();
        let records = records(&source, &[diagnostic]);
        let json = serde_json::to_value(&records).unwrap();
        assert_eq!(json[0]["places"][0]["line"], 2);
        assert_eq!(json[0]["places"][0]["end_column"], 5);
        assert_eq!(json[0]["severity"], "error");
    }
}
