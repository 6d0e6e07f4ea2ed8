//! Slips that TOML itself makes easy, in the words of somebody who writes policies.

use toml::de::Error;

use crate::diag::{Diagnostic, Severity, escape};

use super::document::{Problems, Table};

/// Reports every syntax error. True when reading on would only produce more noise.
pub(super) fn toml_errors(errors: &[Error], problems: &mut Problems<'_>) -> bool {
    let mut give_up = false;
    for error in errors {
        let span = problems.source.clamp(&error.span().unwrap_or(0..0));
        let line = problems.source.line_text(span.start).trim().to_owned();
        let message = error.message();
        let diagnostic = Diagnostic::error("toml", escape(message).into_owned());
        let diagnostic = if message.contains("leading zero") {
            leading_zero(&line)
        } else if message.contains("escape") {
            diagnostic
                .help("put patterns in single quotes: nothing is an escape there, `'~[0-9]+\\.x'`")
        } else if message.contains("duplicate key") && line.starts_with("[[rule]]") {
            single_rule()
        } else if message.contains("duplicate key") {
            diagnostic.note("every key and every `[table]` can be written once")
        } else {
            give_up = true;
            diagnostic
        };
        problems.report(diagnostic.at(span, ""));
    }
    give_up
}

fn leading_zero(line: &str) -> Diagnostic {
    let key = line.split('=').next().unwrap_or_default().trim();
    let value = line.split('=').nth(1).unwrap_or_default().trim();
    let value: String = value.chars().take_while(char::is_ascii_digit).collect();
    Diagnostic::error("toml", "a number cannot start with 0")
        .help(format!("quote it: `{} = \"{value}\"`", escape(key)))
}

fn single_rule() -> Diagnostic {
    Diagnostic::error(
        "wrong-table",
        "`[[rule]]` comes after a single `rule` table",
    )
    .help("begin every rule with `[[rule]]`; write its conditions as dotted keys below it")
    .note("`[rule]` and `[rule.…]` before the first `[[rule]]` make one table that cannot repeat")
}

/// `[rules]`, `[[rules]]`, `[tests]` and the like.
pub(super) fn plural_tables(root: &mut Table<'_>, problems: &mut Problems<'_>) {
    for (slip, meant) in [
        ("rules", "[[rule]]"),
        ("tests", "[[test]]"),
        ("sockets", "[socket]"),
    ] {
        if let Some(value) = root.take(slip) {
            problems.report(
                Diagnostic::error("wrong-table", format!("there is no table `{slip}`"))
                    .at(value.key_span.clone(), format!("`{meant}` is meant"))
                    .help(format!("write `{meant}`")),
            );
        }
    }
}

/// Drops what was said about a line that is not even TOML: it follows from that.
pub(super) fn drop_echoes(problems: &mut Problems<'_>) {
    let source = problems.source;
    let broken: Vec<usize> = problems
        .found
        .iter()
        .filter(|d| matches!(d.id, "toml" | "wrong-table"))
        .map(|d| source.line(d.offset()))
        .collect();
    let echo = |d: &Diagnostic| {
        d.severity == Severity::Error
            && !matches!(d.id, "toml" | "wrong-table")
            && !d.labels.is_empty()
            && broken.contains(&source.line(d.offset()))
    };
    problems.found.retain(|d| !echo(d));
}
