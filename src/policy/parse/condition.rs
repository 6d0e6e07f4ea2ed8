//! `query.KEY` and `query.filters.KEY`.

use crate::diag::{Diagnostic, Span, escape};
use crate::docker::Operation;
use crate::docker::operation::{QueryKey, QueryKind};
use crate::policy::condition::{Condition, Subject, Want};
use crate::policy::image::ImagePattern;
use crate::policy::pattern::{BadPattern, Pattern};
use crate::policy::rule::Grant;
use crate::policy::signal;

use super::document::{Kind, Problems, Table, Value};
use super::rule::nearest_query_key;

/// Decodes everything below `query`.
pub(super) fn query(
    value: &Value<'_>,
    grants: &[Grant],
    problems: &mut Problems<'_>,
) -> Vec<Condition> {
    let Some(table) = value.table(problems) else {
        return Vec::new();
    };
    let mut conditions = Vec::new();
    for value in table.prefixed("query").take_all() {
        let key = value
            .key
            .strip_prefix("query.")
            .unwrap_or(&value.key)
            .to_owned();
        let Some(kind) = fitting_kind(&key, &value, grants, problems) else {
            continue;
        };
        if kind == Meaning::Kind(QueryKind::Filters) {
            if let Some(table) = value.table(problems) {
                conditions.extend(filters(table, problems));
            }
            continue;
        }
        let wants = wants(&value, kind, problems);
        conditions.extend(condition(
            &value,
            Subject::Query(key.into()),
            wants,
            problems,
        ));
    }
    conditions
}

/// How the values of a key are read: by its kind, or as image references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Kind(QueryKind),
    Image,
}

impl Meaning {
    fn of(operation: Operation, key: &QueryKey) -> Self {
        // Docker reads `fromImage` and `tag` together as one reference; so do we.
        if operation == Operation::ImageCreate && key.name() == "fromImage" {
            Self::Image
        } else {
            Self::Kind(key.kind())
        }
    }
}

/// What kind of key this is, if every operation of every grant has it and agrees.
fn fitting_kind(
    key: &str,
    value: &Value<'_>,
    grants: &[Grant],
    problems: &mut Problems<'_>,
) -> Option<Meaning> {
    let mut meaning = None;
    let mut misfits = Vec::new();
    for grant in grants {
        let found = grant.targets.iter().map(|target| {
            let key = target.operation.query_key(key)?;
            Some(Meaning::of(target.operation, key))
        });
        let found: Option<Vec<Meaning>> = found.collect();
        let agrees = |found: &Vec<Meaning>| {
            let first = *meaning.get_or_insert(*found.first()?);
            found.iter().all(|other| *other == first).then_some(())
        };
        if found.as_ref().and_then(agrees).is_none() {
            misfits.push(grant);
        }
    }
    if misfits.is_empty() {
        return meaning;
    }
    problems.report(if misfits.len() == grants.len() {
        no_such_key(key, value, grants)
    } else {
        fits_not(value, &misfits)
    });
    None
}

fn no_such_key(key: &str, value: &Value<'_>, grants: &[Grant]) -> Diagnostic {
    let operations: Vec<_> = grants
        .iter()
        .map(|grant| format!("`{}`", grant.text))
        .collect();
    let message = format!("Docker reads no query key `{}` there", escape(key));
    let near = nearest_query_key(key, grants).filter(|near| *near != key);
    Diagnostic::error("unknown-key", message)
        .at(
            value.key_span.clone(),
            format!("not a query key of {}", operations.join(", ")),
        )
        .help_opt(near.map(|near| format!("did you mean `query.{near}`?")))
}

fn fits_not(value: &Value<'_>, misfits: &[&Grant]) -> Diagnostic {
    let message = format!(
        "`{}` does not fit every grant of its rule",
        escape(&value.key)
    );
    let names: Vec<_> = misfits
        .iter()
        .map(|grant| format!("`{}`", grant.text))
        .collect();
    let mut diagnostic = Diagnostic::error("condition-fits-not", message)
        .at(value.key_span.clone(), "this condition")
        .help(format!("move {} to a rule of its own", names.join(", ")));
    for grant in misfits {
        diagnostic = diagnostic.at(grant.span.clone(), "does not have this key");
    }
    diagnostic
}

fn filters(table: Table<'_>, problems: &mut Problems<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for value in table.prefixed("query.filters").take_all() {
        let key = value
            .key
            .strip_prefix("query.filters.")
            .unwrap_or(&value.key);
        let subject = Subject::Filter(key.into());
        let wants = wants(&value, Meaning::Kind(QueryKind::Filters), problems);
        conditions.extend(condition(&value, subject, wants, problems));
    }
    conditions
}

fn condition(
    value: &Value<'_>,
    subject: Subject,
    wants: Option<Vec<Want>>,
    problems: &mut Problems<'_>,
) -> Option<Condition> {
    let wants = wants?;
    if wants.is_empty() {
        problems.report(
            Diagnostic::error(
                "bad-value",
                format!("`{} = []` can never hold", escape(&value.key)),
            )
            .at(value.span.clone(), "an empty list")
            .help("list the values that are allowed, or delete the rule"),
        );
        return None;
    }
    Some(Condition {
        subject,
        wants,
        text: value.written(problems.source),
        span: value.key_span.clone(),
    })
}

/// One value, or a list of which any will do.
fn wants(value: &Value<'_>, meaning: Meaning, problems: &mut Problems<'_>) -> Option<Vec<Want>> {
    let elements = value.one_or_list();
    let wants: Vec<Option<Want>> = elements
        .iter()
        .map(|e| want(e, meaning, problems))
        .collect();
    wants.into_iter().collect()
}

fn want(value: &Value<'_>, meaning: Meaning, problems: &mut Problems<'_>) -> Option<Want> {
    let Meaning::Kind(kind) = meaning else {
        let text = value.text(problems)?;
        return pattern(value, text, ImagePattern::parse(text), problems).map(Want::Image);
    };
    match (value.kind(), kind) {
        (Kind::Boolean(yes), QueryKind::Bool | QueryKind::Filters) => Some(Want::Bool(yes)),
        (Kind::Integer(number), QueryKind::Int | QueryKind::Filters) => Some(Want::Int(number)),
        (Kind::Integer(number), QueryKind::Signal) => {
            signal_want(&number.to_string(), value, problems)
        }
        (_, QueryKind::Bool) => {
            problems.report(value.wrong("`true` or `false`"));
            None
        }
        (Kind::Text(text), QueryKind::Signal) if !text.is_empty() && is_exact(text) => {
            signal_want(text, value, problems)
        }
        (Kind::Text(text), _) => {
            pattern(value, text, Pattern::parse(text), problems).map(Want::Text)
        }
        (_, QueryKind::Int) => {
            problems.report(value.wrong("an integer or a pattern"));
            None
        }
        (_, QueryKind::Signal) => {
            problems.report(value.wrong("a signal such as `\"HUP\"`"));
            None
        }
        (_, QueryKind::Text | QueryKind::Path | QueryKind::Json | QueryKind::Filters) => {
            problems.report(value.wrong("a pattern"));
            None
        }
    }
}

fn is_exact(text: &str) -> bool {
    Pattern::parse(text).is_ok_and(|pattern| pattern.exact().is_some())
}

fn signal_want(text: &str, value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Want> {
    let number = signal::number(text);
    if number.is_none() {
        let message = format!("`{}` is not a signal", escape(text));
        problems.report(Diagnostic::error("bad-value", message).at(
            value.span.clone(),
            "neither a name such as `HUP` nor a number from 1 to 64",
        ));
    }
    number.map(Want::Signal)
}

/// A pattern, or what is wrong with it.
pub(super) fn pattern<P>(
    value: &Value<'_>,
    text: &str,
    parsed: Result<P, BadPattern>,
    problems: &mut Problems<'_>,
) -> Option<P> {
    let error = match parsed {
        Ok(pattern) => return Some(pattern),
        Err(error) => error,
    };
    problems.report(bad_pattern(value.span.clone(), text, &error));
    None
}

/// Says what is wrong with a pattern.
pub(super) fn bad_pattern(span: Span, text: &str, error: &BadPattern) -> Diagnostic {
    let message = format!("`{}` is not a pattern", escape(text));
    Diagnostic::error("bad-pattern", message).at(span, escape(&error.to_string()))
}
