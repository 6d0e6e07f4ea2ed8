//! `[visible]`.

use crate::diag::{Diagnostic, Span, escape};
use crate::facts::PROJECT;
use crate::policy::visible::{Label, Visible};

use super::document::{Kind, Problems, Value};

const KEYS: [&str; 3] = ["label", "project", "own"];

/// What Docker itself writes into the attributes of events, where labels stand, too (moby
/// `daemon/events.go`, `copyAttributes`): a name that somebody gave would pass for a label.
const ATTRIBUTES: [&str; 18] = [
    "name",
    "image",
    "oldName",
    "comment",
    "imageID",
    "imageRef",
    "type",
    "driver",
    "container",
    "destination",
    "propagation",
    "read/write",
    "exitCode",
    "execID",
    "execDuration",
    "signal",
    "height",
    "width",
];

/// Decodes `[visible]`.
pub(super) fn visible(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Visible> {
    let mut table = value.table(problems)?.prefixed("visible");
    let mut visible = Visible {
        labels: Vec::new(),
        own: false,
        texts: Vec::new(),
    };
    for key in KEYS {
        let Some(value) = table.take(key) else {
            continue;
        };
        let text = value.written(problems.source);
        let text = text.strip_prefix("visible.").unwrap_or(&text);
        visible.texts.push(text.into());
        match key {
            "label" => {
                for one in value.one_or_list() {
                    label(&one, problems, &mut visible.labels);
                }
            }
            "project" => project(&value, problems, &mut visible.labels),
            // A mistake is no reason to say that nothing is narrowed, too.
            _ => visible.own = flag(&value, problems).unwrap_or(true),
        }
    }
    table.finish(&KEYS, &[], problems);
    if visible.labels.is_empty() && !visible.own {
        problems.report(nothing(&value.key_span));
        return None;
    }
    Some(visible)
}

fn nothing(span: &Span) -> Diagnostic {
    Diagnostic::error("bad-value", "`[visible]` narrows nothing")
        .at(span.clone(), "everything would be shown")
        .help("give `label = \"team=blue\"`, `project = \"shop\"` or `own = true`, or leave it out")
}

fn label(value: &Value<'_>, problems: &mut Problems<'_>, labels: &mut Vec<Label>) {
    let Some(text) = value.text(problems) else {
        return;
    };
    let new = Label::read(text);
    let (message, help) = if new.key.is_empty() {
        let message = format!("`{}` is not a label", escape(text));
        (message, "write `KEY=VALUE`, or `KEY` alone")
    } else if new.value.as_deref() == Some("") {
        let message = format!("`{}` has no value", escape(text));
        (
            message,
            "swarm reads an empty value as any: write a value, or `KEY` alone",
        )
    } else if ATTRIBUTES.contains(&&*new.key) {
        let message = format!("`{}` is a word of Docker's own events", escape(&new.key));
        (
            message,
            "other objects can have it there without the label: use another key",
        )
    } else {
        return exact(value, text, new, problems, labels);
    };
    problems.report(
        Diagnostic::error("bad-value", message)
            .at(value.span.clone(), "cannot tell objects apart")
            .help(help),
    );
}

fn project(value: &Value<'_>, problems: &mut Problems<'_>, labels: &mut Vec<Label>) {
    let Some(text) = value.text(problems) else {
        return;
    };
    if text.is_empty() {
        problems.report(
            Diagnostic::error("bad-value", "a project has a name")
                .at(value.span.clone(), "this is empty"),
        );
        return;
    }
    let label = Label {
        key: PROJECT.into(),
        value: Some(text.into()),
    };
    exact(value, text, label, problems, labels);
}

/// Adds a label, once for each key.
fn exact(
    value: &Value<'_>,
    text: &str,
    new: Label,
    problems: &mut Problems<'_>,
    labels: &mut Vec<Label>,
) {
    if text.starts_with('~') || text.contains('*') || text.chars().any(char::is_control) {
        let message = format!("`{}` is a pattern", escape(text));
        problems.report(
            Diagnostic::error("bad-value", message)
                .at(value.span.clone(), "Docker's filters know exact text only")
                .help("write the value out, or the label's key alone, which any value meets"),
        );
        return;
    }
    match labels.iter_mut().find(|label| label.key == new.key) {
        None => labels.push(new),
        Some(old) if old.value.is_none() => *old = new,
        Some(old) if new.value.is_none() || new.value == old.value => {}
        Some(_) => problems.report(
            Diagnostic::error("bad-value", "no object has a label with two values")
                .at(value.span.clone(), "all labels must hold")
                .help("nothing would be shown: give one value for each key"),
        ),
    }
}

fn flag(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<bool> {
    if let Kind::Boolean(yes) = value.kind() {
        return Some(yes);
    }
    problems.report(value.wrong("true or false"));
    None
}
