//! From the text of a policy file to a policy, or to everything that is wrong with it.
//!
//! One decoder per element of the language, each in its own file. None of them stops at the first
//! mistake: what can be read is read, so that a person sees all problems of a file at once. Lints
//! and the file's own tests run only on a file without errors, because they would only repeat them.

mod body;
mod condition;
pub(super) mod document;
mod grant;
mod image;
mod rule;
mod settings;
mod slips;
mod target;
mod unlisted;
mod visible;

pub(super) use body::body_key;

use std::sync::Arc;

use toml::de::DeTable;

use crate::diag::{Diagnostic, Source, escape};
use crate::docker::operation::ObjectKind;

use self::document::{Problems, ROOT, Table, Value};
use super::api::ApiRange;
use super::case::{self, Case};
use super::index::Index;
use super::rule::Rule;
use super::target::Says;
use super::{Checked, Policy, lint};

/// The meaning of policy files that this version knows.
const SEMANTICS: i64 = 1;

/// Keys of the outermost table.
const KEYS: [&str; 10] = [
    "description",
    "semantics",
    "api",
    "allow",
    "rule",
    "socket",
    "limits",
    "test",
    "unlisted",
    "visible",
];

/// Reads a policy, lints it and runs its tests.
pub(super) fn policy(name: &str, source: &Source) -> Result<Checked, Vec<Diagnostic>> {
    let mut problems = Problems {
        source,
        found: Vec::new(),
    };
    policy_name(name, &mut problems);
    let (table, errors) = DeTable::parse_recoverable(source.text());
    if slips::toml_errors(&errors, &mut problems) {
        return Err(problems.found);
    }
    let root = Table::new(table.get_ref(), ROOT.to_owned(), 0..0);
    let draft = draft(root, &mut problems);
    slips::drop_echoes(&mut problems);
    if problems.found.iter().any(Diagnostic::is_error) {
        return Err(problems.found);
    }
    let (policy, cases) = draft.finish(name);
    let mut findings = problems.found;
    findings.extend(lint::lint(&policy));
    findings.extend(case::run(&policy, &cases));
    if findings.iter().any(Diagnostic::is_error) {
        return Err(findings);
    }
    Ok(Checked { policy, findings })
}

/// Everything of a file, decoded.
struct Draft {
    description: Option<String>,
    api: ApiRange,
    socket: super::settings::Socket,
    limits: super::settings::Limits,
    rules: Vec<Rule>,
    unlisted: super::unlisted::Unlisted,
    visible: Option<super::visible::Visible>,
    cases: Vec<Case>,
}

impl Draft {
    fn finish(self, name: &str) -> (Policy, Vec<Case>) {
        let own = |rule: &Rule| {
            rule.objects()
                .any(|clause| matches!(clause.says, Says::Own))
        };
        let shows_own = self.visible.as_ref().is_some_and(|visible| visible.own);
        let keeps_own = shows_own || self.rules.iter().any(own);
        let volume = |rule: &Rule| {
            let mut kinds = rule.targets().map(|(_, target)| target.operation.object());
            kinds.any(|kind| kind == Some(ObjectKind::Volume))
        };
        let keeps_volumes = self.rules.iter().any(|rule| own(rule) && volume(rule));
        let policy = Policy {
            name: Arc::from(name),
            description: self.description,
            api: self.api,
            socket: self.socket,
            limits: self.limits,
            index: Index::new(&self.rules),
            rules: self.rules,
            unlisted: self.unlisted,
            visible: self.visible,
            keeps_own,
            keeps_volumes,
            tests: self.cases.len(),
        };
        (policy, self.cases)
    }
}

fn draft(mut root: Table<'_>, problems: &mut Problems<'_>) -> Draft {
    let description = root
        .take("description")
        .and_then(|value| description(&value, problems));
    if let Some(value) = root.take("semantics") {
        semantics(&value, problems);
    }
    let api = root.take("api").and_then(|value| api(&value, problems));
    let mut rules = Vec::new();
    if let Some(value) = root.take("allow") {
        rules.extend(rule::top_level(&value, problems));
    }
    if let Some(value) = root.take("rule") {
        rules.extend(rule::rules(&value, problems));
    }
    rule::settle(&rules, problems);
    let mut table = |key, problems: &mut _| root.take(key).and_then(|value| value.table(problems));
    let socket = table("socket", problems).map(|t| settings::socket(t, problems));
    let limits = table("limits", problems).map(|t| settings::limits(t, problems));
    let unlisted = table("unlisted", problems);
    let unlisted = unlisted.map(|t| unlisted::unlisted(t, &mut rules, problems));
    let visible = root.take("visible");
    let visible = visible.and_then(|value| visible::visible(&value, problems));
    let tests = root.take("test");
    let cases = tests
        .map(|value| case::decode(&value, problems))
        .unwrap_or_default();
    slips::plural_tables(&mut root, problems);
    root.finish(&KEYS, &["observe", "own"], problems);
    Draft {
        description,
        api: api.unwrap_or_default(),
        socket: socket.unwrap_or_default(),
        limits: limits.unwrap_or_default(),
        rules,
        unlisted: unlisted.unwrap_or_default(),
        visible,
        cases,
    }
}

/// `[a-z0-9][a-z0-9_.-]{0,63}`: it names a directory, a log field and a label.
fn policy_name(name: &str, problems: &mut Problems<'_>) {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    let starts = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    if starts && name.len() <= 64 && name.bytes().all(allowed) {
        return;
    }
    let message = format!("`{}` cannot be the name of a policy", escape(name));
    problems.report(
        Diagnostic::error("bad-name", message)
            .help("rename the file: lower-case letters, digits, `_`, `.`, `-`, at most 64 of them")
            .note("a policy is called by the stem of its file, and its socket's directory too"),
    );
}

fn description(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<String> {
    value.text(problems).map(|text| escape(text).into_owned())
}

fn semantics(value: &Value<'_>, problems: &mut Problems<'_>) {
    let number = value.integer::<i64>(problems);
    if number.is_some_and(|number| number != SEMANTICS) {
        problems.report(
            Diagnostic::error("not-supported", "this version knows `semantics = 1` only")
                .at(value.span.clone(), "not known to this version"),
        );
    }
}

fn api(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<ApiRange> {
    let text = value.text(problems)?;
    let range = ApiRange::parse(text);
    if let Err(reason) = &range {
        let message = format!("`api` cannot be read: {}", escape(reason));
        problems.report(
            Diagnostic::error("api-range", message)
                .at(value.span.clone(), "not a range of API versions")
                .help("for example `api = \">=1.41, <=1.51\"`"),
        );
    }
    range.ok()
}

#[cfg(test)]
mod tests;
