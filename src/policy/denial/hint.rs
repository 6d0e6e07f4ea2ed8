//! The line that would allow what was refused.

use crate::docker::operation::{QueryKey, QueryKind};
use crate::docker::query::truthy;
use crate::docker::{Call, Operation};
use crate::facts::{Facts, Found};

use super::{LONGEST_PATH, push_request};
use crate::policy::condition::Subject;
use crate::policy::decision::{Power, Reason, RuleRef};
use crate::policy::image::Named;
use crate::policy::trace::Miss;
use crate::policy::{Policy, index, signal};

/// The grant of a whole operation.
pub(super) fn grant(operation: Operation) -> String {
    // `GET` brings the `HEAD` along, and clients that are refused one ask for the other.
    let operation = if operation == Operation::SystemPingHead {
        Operation::SystemPing
    } else {
        operation
    };
    format!("{} {}", operation.method().as_str(), operation.path())
}

/// The grant of an operation for the name that was written, unless that could be an id.
pub(super) fn grant_for_name(call: &Call<'_>, operation: Operation) -> String {
    let subject = call.subject().unwrap_or_default();
    let hex = subject
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex || subject.len() > LONGEST_PATH || subject.contains(['*', '~', '{', '"']) {
        return grant(operation);
    }
    let mut text = String::with_capacity(64);
    push_request(&mut text, call);
    text
}

/// The condition with which a twin of the nearest rule would apply. A value that may be a secret
/// stands as `…`.
pub(super) fn line(
    policy: &Policy,
    facts: &Facts<'_>,
    operation: Operation,
    rule: RuleRef,
    miss: Miss,
) -> Option<String> {
    match miss.reason {
        Reason::Query => {
            let rule = policy.rules.get(index::slot_of(rule))?;
            let number = usize::try_from(miss.condition?).ok()?;
            match &rule.conditions.get(number)?.subject {
                Subject::Query(key) => Some(query_line(facts.call, operation, key)),
                Subject::Filter(_) | Subject::Reference | Subject::Import => None,
            }
        }
        Reason::ForeignExec => Some(ANY_EXEC.to_owned()),
        Reason::TargetGate => own_container_line(facts, operation),
        Reason::Reference => {
            let named = Named::of(operation, facts.call.subject(), facts.call.query())?;
            Some(format!("image.reference = \"{}\"", named.full()))
        }
        Reason::Power(Power::FromSrc) => Some("image.import = true".to_owned()),
        Reason::Power(power) => Some(format!("query.{} = \"**\"", key_text(power.key()))),
        Reason::BodyPower(_)
        | Reason::Body
        | Reason::Require
        | Reason::UnknownField
        | Reason::ClosedField
        | Reason::ContentType
        | Reason::MalformedBody
        | Reason::BodyUndescribed
        | Reason::BodyUnread => super::body::line(policy, facts, operation, rule),
        Reason::NoRule
        | Reason::UnknownOperation
        | Reason::Name
        | Reason::QueryRepeated
        | Reason::Filter
        | Reason::FilterMalformed
        | Reason::FilterWidens
        | Reason::Target
        | Reason::TargetUnasked
        | Reason::TargetAbsent
        | Reason::TargetUnclear
        | Reason::ConnectUnasked
        | Reason::IdAsName
        | Reason::Hidden
        | Reason::VisibleFilter
        | Reason::VisibleOwn
        | Reason::VisibleMany
        | Reason::ApiOutside
        | Reason::ApiUnknown
        | Reason::Peer => None,
    }
}

/// That twin: the nearest rule with this condition instead of the one that does not hold.
pub(super) fn twin(
    policy: &Policy,
    operation: Operation,
    rule: RuleRef,
    miss: Miss,
    line: &str,
) -> Option<String> {
    let rule = policy.rules.get(index::slot_of(rule))?;
    let mut targets = rule.targets();
    let (grant, _) = targets.find(|(_, target)| target.operation == operation)?;
    let quote = if grant.text.contains(['"', '\\']) {
        '\''
    } else {
        '"'
    };
    // A wildcard also covers what names no object, which no target fits.
    let text = if grant.wildcard && miss.reason == Reason::TargetGate {
        self::grant(operation)
    } else {
        grant.text.to_string()
    };
    let mut hint = format!("[[rule]]\nallow = {quote}{text}{quote}\n{line}");
    for (number, (text, _)) in (0..).zip(rule.parts()) {
        if miss.condition != Some(number) {
            hint.push('\n');
            hint.push_str(text);
        }
    }
    if rule.any_exec {
        hint.push('\n');
        hint.push_str(ANY_EXEC);
    }
    Some(hint)
}

/// Lifts the bond between an exec and the socket it was created through.
const ANY_EXEC: &str = "any_exec = true";

/// `target.name = "quaygate"`: nothing else reaches the gate's own container.
fn own_container_line(facts: &Facts<'_>, operation: Operation) -> Option<String> {
    let found = if operation.names_container_in_body() {
        &facts.findings.connected
    } else {
        &facts.findings.target
    };
    let Found::Object(object) = found else {
        return None;
    };
    let name = object.names.first()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let fits = name.len() <= LONGEST_PATH && name.bytes().all(plain);
    fits.then(|| format!("{} = \"{name}\"", own_container_key(operation)))
}

/// The key that names the gate's own container.
pub(super) fn own_container_key(operation: Operation) -> &'static str {
    if operation.names_container_in_body() {
        "connect.container.name"
    } else {
        "target.name"
    }
}

/// `query.t = 5`, with the value only where it cannot be a secret.
fn query_line(call: &Call<'_>, operation: Operation, key: &str) -> String {
    let known = operation.query_key(key);
    let written = call.query().first(key).filter(|value| !value.is_empty());
    let value = match (&written, known) {
        (Some(value), _) => value,
        (None, Some(known)) => known.default_value(),
        (None, None) => "",
    };
    let shown = match known.map(QueryKey::kind) {
        Some(QueryKind::Bool) => Some(truthy(value).to_string()),
        Some(QueryKind::Int) => value.parse::<i64>().ok().map(|number| number.to_string()),
        Some(QueryKind::Signal) => signal::number(value).map(|number| {
            signal::name(number).map_or(number.to_string(), |name| format!("\"{name}\""))
        }),
        Some(QueryKind::Text | QueryKind::Path | QueryKind::Json | QueryKind::Filters) | None => {
            None
        }
    };
    let shown = shown.as_deref().unwrap_or("\"…\"");
    format!("query.{} = {shown}", key_text(key))
}

/// A TOML key, quoted where it must be.
fn key_text(key: &str) -> std::borrow::Cow<'_, str> {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if key.bytes().all(bare) {
        key.into()
    } else {
        format!("\"{key}\"").into()
    }
}
