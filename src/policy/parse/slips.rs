//! Slips that TOML itself makes easy, in the words of somebody who writes policies.

use toml::de::Error;

use crate::diag::{Diagnostic, Severity, Source, Span, escape};

use super::document::{Problems, Table};

/// Reports every syntax error. True when reading on would only produce more noise.
pub(super) fn toml_errors(errors: &[Error], problems: &mut Problems<'_>) -> bool {
    let mut give_up = false;
    for error in errors {
        let span = problems.source.clamp(&error.span().unwrap_or(0..0));
        let line = problems.source.line_text(span.start).trim().to_owned();
        let message = error.message();
        let diagnostic = if message.contains("leading zero") {
            leading_zero(&line)
        } else if message.contains("escape") {
            backslash()
        } else if message.contains("duplicate key") && line.starts_with("[[rule]]") {
            let known = problems.found.iter().any(|d| d.id == "wrong-table");
            if known {
                continue;
            }
            after_single_rule(problems.source)
        } else if message.contains("duplicate key") {
            let message = format!("{} is written twice", quoted(problems.source, &span));
            Diagnostic::error("toml", message)
                .note("every key and every `[table]` can be written once")
        } else {
            give_up = true;
            Diagnostic::error("toml", escape(message).into_owned())
        };
        problems.report(diagnostic.at(span, ""));
    }
    give_up
}

fn quoted(source: &Source, span: &Span) -> String {
    let text = source.text().get(span.clone()).unwrap_or_default();
    format!("`{}`", escape(text))
}

fn backslash() -> Diagnostic {
    Diagnostic::error(
        "toml",
        "a backslash in double quotes begins an escape, and this is none",
    )
    .help("put patterns in single quotes, where nothing is an escape: `'~[0-9]+\\.x'`")
}

fn leading_zero(line: &str) -> Diagnostic {
    let key = line.split('=').next().unwrap_or_default().trim();
    let value = line.split('=').nth(1).unwrap_or_default().trim();
    let value: String = value.chars().take_while(char::is_ascii_digit).collect();
    Diagnostic::error("toml", "a number cannot start with 0")
        .help(format!("quote it: `{} = \"{value}\"`", escape(key)))
}

/// `[rule]` or `[rule.container]` first, `[[rule]]` later.
fn after_single_rule(source: &Source) -> Diagnostic {
    let mut offset = 0;
    let single = source.text().split_inclusive('\n').find_map(|line| {
        let start = offset;
        offset += line.len();
        let header = line.trim_end();
        let found = header.starts_with("[rule]") || header.starts_with("[rule.");
        found.then(|| start..start + header.len())
    });
    let span = single.unwrap_or(0..0);
    let message = format!("{} comes before any `[[rule]]`", quoted(source, &span));
    Diagnostic::error("wrong-table", message)
        .at(span, "not part of any `[[rule]]`")
        .help("begin every rule with `[[rule]]`; write its conditions as dotted keys below it")
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
