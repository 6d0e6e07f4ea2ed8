//! `[unlisted]`.

use crate::diag::{Diagnostic, escape};
use crate::docker::Call;
use crate::policy::decision::RuleRef;
use crate::policy::rule::Rule;
use crate::policy::unlisted::{Unlisted, UnlistedGrant};

use super::document::{Problems, Table, Value};

/// Decodes `[unlisted]`; every grant becomes a rule without operations, so that it has a name.
pub(super) fn unlisted(
    mut table: Table<'_>,
    rules: &mut Vec<Rule>,
    problems: &mut Problems<'_>,
) -> Unlisted {
    let allow = table.require("allow", problems);
    table.finish(&["allow"], &[], problems);
    let entries = allow
        .and_then(|value| value.list(problems))
        .unwrap_or_default();
    let mut unlisted = Unlisted::default();
    for entry in entries {
        let text = entry.text(problems);
        let Some(call) = text.and_then(|text| read(&entry, text, problems)) else {
            continue;
        };
        let rule = RuleRef(u32::try_from(rules.len()).unwrap_or(u32::MAX));
        rules.push(Rule {
            name: text.unwrap_or_default().into(),
            line: problems.source.line(entry.span.start),
            span: entry.span.clone(),
            grants: Vec::new(),
            conditions: Vec::new(),
            target: Vec::new(),
            body: None,
            any_exec: false,
        });
        unlisted.grants.push(UnlistedGrant {
            rule,
            method: call.method(),
            version: call.path().version(),
            path: call.path().as_str().into(),
        });
    }
    unlisted
}

fn read<'t>(entry: &Value<'_>, text: &'t str, problems: &mut Problems<'_>) -> Option<Call<'t>> {
    let (method, path) = text.split_once(' ').unwrap_or((text, ""));
    let report = |problems: &mut Problems<'_>, id, message: String, help: &str| {
        problems.report(
            Diagnostic::error(id, message)
                .at(entry.span.clone(), "in `[unlisted]`")
                .help(help.to_owned()),
        );
        None
    };
    let shown = escape(text);
    if let Some(wild) = path.find(['*', '{', '~', '?', '%']) {
        let found = path.get(wild..=wild).unwrap_or_default();
        let message = format!("`{found}` has no meaning in `[unlisted]`");
        return report(
            problems,
            "grant-form",
            message,
            "write out every path, byte for byte",
        );
    }
    match Call::parse(method, path) {
        Err(error) => {
            let message = format!("`{shown}` cannot be a request: {error}");
            report(problems, "grant-form", message, "write `METHOD /path`")
        }
        Ok(call) => match call.operation() {
            Some(operation) => {
                let message = format!("`{shown}` is Docker's {}", operation.name());
                report(
                    problems,
                    "unlisted-known",
                    message,
                    "move it to `allow` at the top",
                )
            }
            None => Some(call),
        },
    }
}
