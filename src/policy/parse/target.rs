//! `target.KEY` and `connect.container.KEY`.

use crate::diag::{Diagnostic, escape};
use crate::docker::operation::ObjectKind;
use crate::policy::image::ImagePattern;
use crate::policy::pattern::Pattern;
use crate::policy::rule::Grant;
use crate::policy::target::{Clause, Says, keys};

use super::body::{each, fits_not, misfits, texts};
use super::condition::pattern;
use super::document::{Kind, Problems, Value};

const KEYS: [&str; 5] = ["name", "label", "image", "project", "own"];

/// Decodes everything below `target`.
pub(super) fn target(
    value: &Value<'_>,
    grants: &[Grant],
    problems: &mut Problems<'_>,
) -> Vec<Clause> {
    let Some(table) = value.table(problems) else {
        return Vec::new();
    };
    let misfits = misfits(grants, |operation| operation.object().is_some());
    if !misfits.is_empty() {
        problems.report(fits_not(value, &misfits, "names no object"));
        return Vec::new();
    }
    let kinds = || {
        let targets = grants.iter().flat_map(|grant| &grant.targets);
        targets.filter_map(|target| target.operation.object())
    };
    let mut clauses = Vec::new();
    let mut table = table.prefixed("target");
    for key in KEYS {
        let Some(value) = table.take(key) else {
            continue;
        };
        if let Some(kind) = kinds().find(|kind| !keys(*kind).contains(&key)) {
            problems.report(makes_no_sense(key, kind, &value));
            continue;
        }
        let images = kinds().any(|kind| kind == ObjectKind::Image);
        if key == "name" && images && kinds().any(|kind| kind != ObjectKind::Image) {
            let message = "`target.name` of an image is a reference, of anything else a name";
            problems.report(
                Diagnostic::error("condition-fits-not", message)
                    .at(value.key_span.clone(), "this rule is about both")
                    .help("write a rule for each"),
            );
            continue;
        }
        clauses.extend(clause(key, images, &value, problems));
    }
    table.finish(&KEYS, &[], problems);
    clauses
}

/// Decodes everything below `connect.container`.
pub(super) fn connected(value: &Value<'_>, problems: &mut Problems<'_>) -> Vec<Clause> {
    let Some(table) = value.table(problems) else {
        return Vec::new();
    };
    let mut table = table.prefixed(&value.key);
    let values: Vec<_> = KEYS
        .iter()
        .filter_map(|key| Some((*key, table.take(key)?)))
        .collect();
    table.finish(&KEYS, &[], problems);
    let clauses = values
        .iter()
        .filter_map(|(key, value)| clause(key, false, value, problems));
    clauses.collect()
}

fn makes_no_sense(key: &str, kind: ObjectKind, value: &Value<'_>) -> Diagnostic {
    let (a, kind) = match kind {
        ObjectKind::Container => ("a", "container"),
        ObjectKind::Exec => ("an", "exec"),
        ObjectKind::Image => ("an", "image"),
        ObjectKind::Network => ("a", "network"),
        ObjectKind::Volume => ("a", "volume"),
        ObjectKind::Service => ("a", "service"),
    };
    let message = if key == "own" {
        format!("which {kind}s were created through a socket is not remembered")
    } else {
        format!("{a} {kind} has no {key}")
    };
    Diagnostic::error("unknown-key", message).at(value.key_span.clone(), "cannot be judged by this")
}

fn clause(
    key: &str,
    images: bool,
    value: &Value<'_>,
    problems: &mut Problems<'_>,
) -> Option<Clause> {
    let references = |problems: &mut Problems<'_>| {
        each(value, problems, |value, problems| {
            let text = value.text(problems)?;
            pattern(value, text, ImagePattern::parse(text), problems)
        })
    };
    let names = |problems: &mut Problems<'_>| -> Option<Vec<Pattern>> {
        let patterns = texts(value, problems)?;
        if patterns.is_empty() {
            problems.report(
                Diagnostic::warning(
                    "empty-target",
                    format!("`{} = []` is met by nothing", escape(&value.key)),
                )
                .at(value.span.clone(), "an empty list"),
            );
        }
        Some(patterns)
    };
    let says = match key {
        "name" if images => Says::Reference(references(problems)?),
        "name" => Says::Name(names(problems)?),
        "label" => Says::Label(names(problems)?),
        "image" => Says::Image(references(problems)?),
        "own" => match value.kind() {
            Kind::Boolean(true) => Says::Own,
            // Not "somebody else's": it says nothing.
            Kind::Boolean(false) => return None,
            Kind::Text(_) | Kind::Integer(_) | Kind::List(_) | Kind::Table | Kind::Other => {
                problems.report(value.wrong("true or false"));
                return None;
            }
        },
        _ => Says::Project(names(problems)?),
    };
    let source = problems.source.text();
    let written = source.get(value.span.clone()).unwrap_or_default();
    let written: Vec<&str> = written.split_whitespace().collect();
    Some(Clause {
        says,
        text: format!("{} = {}", value.key, written.join(" ")).into(),
        span: value.key_span.clone(),
    })
}
