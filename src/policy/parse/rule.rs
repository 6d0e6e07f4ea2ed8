//! `allow = […]` at the top of the file, and `[[rule]]`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diag::escape::{self, escape};
use crate::diag::{Diagnostic, suggest};
use crate::docker::operation::QueryKey;
use crate::policy::condition::{Condition, Subject};
use crate::policy::rule::{Grant, Rule, Target};

use super::body;
use super::condition;
use super::document::{Kind, Problems, Table, Value};
use super::grant;
use super::image;
use super::target;

/// Keys of `[[rule]]`.
const KEYS: [&str; 14] = [
    "name",
    "allow",
    "query",
    "target",
    "body",
    "any_exec",
    "container",
    "exec",
    "update",
    "network",
    "connect",
    "volume",
    "service",
    "image",
];

/// Keys of `[[rule]]` that the language has and this version does not.
const LATER: [&str; 2] = ["visible", "observe"];

/// The longest rule name.
const LONGEST_NAME: usize = 64;

/// Decodes the top-level `allow`: each grant is a rule of its own.
pub(super) fn top_level(value: &Value<'_>, problems: &mut Problems<'_>) -> Vec<Rule> {
    let Some(entries) = value.list(problems) else {
        return Vec::new();
    };
    if entries.is_empty() {
        problems.report(
            Diagnostic::warning("empty-allow", "`allow = []` grants nothing")
                .at(value.span.clone(), "an empty list"),
        );
    }
    let rule = |entry: &Value<'_>, problems: &mut Problems<'_>| {
        let grant = grant::grant(entry, problems)?;
        Some(Rule {
            name: Arc::from(&*grant.text),
            line: problems.source.line(entry.span.start),
            span: entry.span.clone(),
            grants: vec![grant],
            conditions: Vec::new(),
            target: Vec::new(),
            body: None,
            any_exec: false,
        })
    };
    entries
        .iter()
        .filter_map(|entry| rule(entry, problems))
        .collect()
}

/// Decodes every `[[rule]]`.
pub(super) fn rules(value: &Value<'_>, problems: &mut Problems<'_>) -> Vec<Rule> {
    match value.kind() {
        Kind::List(entries) => {
            let tables = entries.iter().filter_map(|entry| entry.table(problems));
            let tables: Vec<_> = tables.collect();
            tables
                .into_iter()
                .filter_map(|table| rule(table, problems))
                .collect()
        }
        Kind::Table => {
            let already = problems.found.iter().any(|d| d.id == "wrong-table");
            if !already {
                problems.report(single_table(value, problems));
            }
            Vec::new()
        }
        Kind::Text(_) | Kind::Boolean(_) | Kind::Integer(_) | Kind::Other => {
            problems.report(value.wrong("a list of tables, `[[rule]]`"));
            Vec::new()
        }
    }
}

fn single_table(value: &Value<'_>, problems: &Problems<'_>) -> Diagnostic {
    let line = problems.source.line_text(value.key_span.start).trim();
    let (message, help) = if line.starts_with("[rule.") {
        (
            format!("`{}` comes before any `[[rule]]`", escape(line)),
            "put `[[rule]]` above it, or better: write dotted keys below `[[rule]]`",
        )
    } else {
        (
            "`rule` is a list of tables".to_owned(),
            "write `[[rule]]` with double brackets",
        )
    };
    Diagnostic::error("wrong-table", message)
        .at(value.key_span.clone(), "not part of any `[[rule]]`")
        .help(help)
}

fn rule(mut table: Table<'_>, problems: &mut Problems<'_>) -> Option<Rule> {
    let span = table.span.clone();
    let name = table.take("name").and_then(|value| name(&value, problems));
    if let Some(name) = name {
        table.title = format!("rule `{}`", escape(name));
    }
    let allow = table.require("allow", problems);
    let query = table.take("query");
    let grants = allow
        .map(|value| grants(&value, problems))
        .unwrap_or_default();
    let conditions = query.map(|value| condition::query(&value, &grants, problems));
    let target = table.take("target");
    let target = target.map(|value| target::target(&value, &grants, problems));
    let any_exec = table.take("any_exec");
    let any_exec = any_exec.is_some_and(|value| reaches_any_exec(&value, &grants, problems));
    let mut conditions = conditions.unwrap_or_default();
    conditions.extend(image::image(&mut table, &grants, problems));
    let body = body::body(&mut table, &grants, problems);
    table.finish(&KEYS, &LATER, problems);
    let default = Arc::from(&*grants.first()?.text);
    Some(Rule {
        name: name.map_or(default, Into::into),
        line: problems.source.line(span.start),
        span,
        grants,
        conditions,
        target: target.unwrap_or_default(),
        body,
        any_exec,
    })
}

/// Decodes `any_exec`, which makes sense where an exec is named.
fn reaches_any_exec(value: &Value<'_>, grants: &[Grant], problems: &mut Problems<'_>) -> bool {
    let Kind::Boolean(any) = value.kind() else {
        problems.report(value.wrong("true or false"));
        return false;
    };
    let mut targets = grants.iter().flat_map(|grant| &grant.targets);
    if !grants.is_empty() && !targets.any(|target| target.operation.is_on_exec()) {
        problems.report(
            Diagnostic::error(
                "condition-fits-not",
                "`any_exec` belongs to a rule about `/exec/{id}/…`",
            )
            .at(
                value.key_span.clone(),
                "nothing that this rule allows names an exec",
            ),
        );
    }
    any
}

fn grants(value: &Value<'_>, problems: &mut Problems<'_>) -> Vec<Grant> {
    let entries = value.one_or_list();
    if entries.is_empty() {
        problems.report(
            Diagnostic::warning("empty-allow", "`allow = []` grants nothing")
                .at(value.span.clone(), "an empty list"),
        );
    }
    entries
        .iter()
        .filter_map(|entry| grant::grant(entry, problems))
        .collect()
}

fn name<'t>(value: &Value<'t>, problems: &mut Problems<'_>) -> Option<&'t str> {
    let text = value.text(problems)?;
    let printable = !text.chars().any(escape::is_unsafe);
    if printable && !text.trim().is_empty() && text.len() <= LONGEST_NAME {
        return Some(text);
    }
    let message = format!("`{}` cannot be the name of a rule", escape(text));
    problems.report(
        Diagnostic::error("bad-name", message)
            .at(value.span.clone(), "1 to 64 printable characters"),
    );
    None
}

/// What can only be said when all rules are known.
pub(super) fn settle(rules: &[Rule], problems: &mut Problems<'_>) {
    duplicate_names(rules, problems);
    nothing_changes(rules, problems);
}

fn duplicate_names(rules: &[Rule], problems: &mut Problems<'_>) {
    let mut seen: HashMap<&str, &Rule> = HashMap::new();
    for rule in rules {
        let Some(first) = seen.get(&*rule.name) else {
            seen.insert(&rule.name, rule);
            continue;
        };
        let by_grant = |rule: &Rule| rule.grants.first().is_some_and(|g| *g.text == *rule.name);
        let diagnostic = if by_grant(rule) && by_grant(first) {
            if !rule.is_plain() || !first.is_plain() {
                // Two rules for one grant under different conditions are how "or" is written.
                continue;
            }
            let message = format!("`{}` is granted twice", escape(&rule.name));
            Diagnostic::warning("duplicate-grant", message)
        } else {
            let message = format!("two rules are called `{}`", escape(&rule.name));
            Diagnostic::error("duplicate-rule", message)
                .help("give each a name of its own: logs tell rules apart by it")
        };
        problems.report(
            diagnostic
                .at(rule.span.clone(), "again here")
                .at(first.span.clone(), "first here"),
        );
    }
}

/// A conditional rule whose every grant another rule gives without any condition.
fn nothing_changes(rules: &[Rule], problems: &mut Problems<'_>) {
    for rule in rules.iter().filter(|rule| !rule.is_plain()) {
        let mut conditions = rule.conditions.iter();
        let more = conditions.any(|condition| admits_more(condition, rule));
        if more || rule.any_exec || rule.body().admits_more() {
            continue;
        }
        let covering = |target: &Target| {
            let plain = rules.iter().filter(|other| other.is_plain());
            plain
                .into_iter()
                .find(|other| other.targets().any(|(_, t)| t.covers(target)))
        };
        let covers: Option<Vec<&Rule>> = rule.targets().map(|(_, t)| covering(t)).collect();
        let Some(first) = covers.as_deref().and_then(<[_]>::first) else {
            continue;
        };
        let message = format!("rule `{}` changes nothing", escape(&rule.name));
        problems.report(
            Diagnostic::error("nothing-changes", message)
                .at(rule.span.clone(), "these conditions narrow nothing")
                .at(
                    first.span.clone(),
                    "this grants the same without any condition",
                )
                .help("delete the grant without conditions, or this rule")
                .note("rules only add: a call passes if any rule allows it"),
        );
    }
}

/// Whether a condition admits what a plain grant would refuse: a power, or a filter on prune.
fn admits_more(condition: &Condition, rule: &Rule) -> bool {
    rule.targets().any(|(_, target)| match &condition.subject {
        Subject::Query(key) => {
            let key = target.operation.query_key(key);
            key.is_some_and(|key| key.is_power().is_some())
        }
        Subject::Filter(key) => {
            let free = matches!(&**key, "label" | "label!" | "until");
            target.operation.path().ends_with("/prune") && !free
        }
        Subject::Import => true,
        Subject::Reference => false,
    })
}

/// The nearest of the keys that some operation of these grants has.
pub(super) fn nearest_query_key(key: &str, grants: &[Grant]) -> Option<&'static str> {
    let targets = grants.iter().flat_map(|grant| &grant.targets);
    let keys = targets
        .flat_map(|target| target.operation.query())
        .map(QueryKey::name);
    suggest::nearest(key, keys)
}
