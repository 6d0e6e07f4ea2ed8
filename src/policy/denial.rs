//! A refusal in words.
//!
//! The client reads what was asked, which policy refused it, why, and the line that would allow it.
//! It never reads query values, bodies or anything else that might be a secret, and nothing from
//! the request reaches it unescaped or unbounded. A conditional rule that almost matched is told
//! first, because that is the line its author has to look at.

use std::fmt::Write as _;

use crate::diag::escape;
use crate::docker::operation::QueryKind;
use crate::docker::{Call, Operation};
use crate::facts::Facts;

use super::condition::Subject;
use super::decision::{Denial, Reason, RuleRef};
use super::trace::{Miss, Nearest};
use super::{Policy, index};

/// The longest path that is repeated in a message.
const LONGEST_PATH: usize = 160;

/// The longest piece of a policy that is repeated in a message.
const LONGEST_QUOTE: usize = 200;

pub(super) fn denial(policy: &Policy, facts: &Facts<'_>, reason: Reason) -> Denial {
    let call = facts.call;
    let mut message = String::with_capacity(256);
    if let Some(operation) = call.operation() {
        message.push_str(operation.name());
        message.push_str(" (");
        push_request(&mut message, call);
        message.push(')');
    } else {
        push_request(&mut message, call);
    }
    message.push_str(" is refused by policy `");
    escape::push(&mut message, policy.name(), LONGEST_QUOTE);
    message.push_str("`: ");
    let mut nearest = Nearest::default();
    let hint = match (reason, call.operation()) {
        (Reason::Peer, _) => {
            message
                .push_str("this user may not use the socket; `[socket] peers.uid` lists who may");
            return finish(reason, message, None);
        }
        (Reason::ApiOutside | Reason::ApiUnknown, _) => {
            push_api(&mut message, policy, facts, reason);
            return finish(reason, message, None);
        }
        (_, None) => unlisted(&mut message, call),
        (_, Some(operation)) => {
            let _same = policy.walk(facts, &mut nearest);
            match nearest.miss {
                Some((rule, miss)) if miss.reason != Reason::Name => {
                    push_miss(&mut message, policy, rule, miss);
                    near_hint(policy, call, operation, rule, miss)
                }
                _ => plain(&mut message, call, operation, reason),
            }
        }
    };
    finish(reason, message, hint)
}

fn finish(reason: Reason, message: String, hint: Option<String>) -> Denial {
    Denial {
        reason,
        message,
        hint,
    }
}

/// `POST /containers/web/kill`, without the query.
fn push_request(out: &mut String, call: &Call<'_>) {
    out.push_str(call.method().as_str());
    out.push(' ');
    if let (Some(version), None) = (call.path().version(), call.operation()) {
        // Of what Docker has not, the version is part of the path.
        let _infallible = write!(out, "/v{version}");
    }
    escape::push(out, call.path().as_str(), LONGEST_PATH);
}

/// No rule at all, or none for this name.
fn plain(
    message: &mut String,
    call: &Call<'_>,
    operation: Operation,
    reason: Reason,
) -> Option<String> {
    let by_name = matches!(reason, Reason::Name);
    message.push_str(if by_name {
        "it is granted for other names only"
    } else {
        "no rule grants it"
    });
    let grant = if by_name {
        grant_for_name(call, operation)
    } else {
        grant(operation)
    };
    // Writing to a String cannot fail.
    let _infallible = write!(message, ". To allow it, add to allow: \"{grant}\"");
    Some(format!("allow = [\"{grant}\"]"))
}

/// The grant of a whole operation. `GET` is written where it brings the `HEAD` operation along.
fn grant(operation: Operation) -> String {
    format!("{} {}", operation.method().as_str(), operation.path())
}

/// The grant of an operation for the name that was written, unless that could be an id.
fn grant_for_name(call: &Call<'_>, operation: Operation) -> String {
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

fn push_miss(message: &mut String, policy: &Policy, rule: RuleRef, miss: Miss) {
    let (name, line) = policy.rule(rule);
    message.push_str("rule `");
    escape::push(message, name, LONGEST_QUOTE);
    // Writing to a String cannot fail.
    let _infallible = write!(message, "` (line {line}) would allow it, but ");
    let condition = miss
        .condition
        .and_then(|number| policy.condition(rule, number));
    let condition = condition.map(|(text, _)| text);
    match (miss.reason, condition) {
        (Reason::Query | Reason::Filter, Some(text)) => {
            message.push_str("the request does not meet `");
            escape::push(message, text, LONGEST_QUOTE);
            message.push('`');
        }
        (Reason::QueryRepeated, _) => {
            message.push_str("a query key that is judged is written more than once");
        }
        (Reason::FilterMalformed, _) => {
            message.push_str("its filters cannot be read in exactly one way");
        }
        (Reason::FilterWidens, _) => {
            message.push_str(
                "this prune call carries a filter that can widen what is deleted; \
                 a condition `query.filters.KEY` would admit it",
            );
        }
        (Reason::Power(power), _) => {
            let _infallible = write!(
                message,
                "it uses the query key `{key}`, which hands out more than the operation; \
                 a condition `query.{key}` would admit it",
                key = power.key()
            );
        }
        (other, _) => message.push_str(other.meaning()),
    }
}

/// What to write so that the nearest rule, or a twin of it, applies.
fn near_hint(
    policy: &Policy,
    call: &Call<'_>,
    operation: Operation,
    rule: RuleRef,
    miss: Miss,
) -> Option<String> {
    let line = match miss.reason {
        Reason::Query => {
            let conditions = &policy.rules.get(index::slot_of(rule))?.conditions;
            let number = usize::try_from(miss.condition?).ok()?;
            match &conditions.get(number)?.subject {
                Subject::Query(key) => query_line(call, operation, key),
                Subject::Filter(_) => return None,
            }
        }
        Reason::Power(power) => format!("query.{} = \"**\"", key_text(power.key())),
        _ => return None,
    };
    Some(format!(
        "[[rule]]\nallow = \"{}\"\n{line}",
        grant(operation)
    ))
}

/// `query.t = 5`, with the value only where it cannot be a secret.
fn query_line(call: &Call<'_>, operation: Operation, key: &str) -> String {
    let kind = operation.query_key(key).map(|key| key.kind());
    let value = call.query().first(key).unwrap_or_default();
    let short = value.len() <= 32 && value.bytes().all(|b| b.is_ascii_alphanumeric());
    let shown = match kind {
        Some(QueryKind::Bool) => crate::docker::query::truthy(&value).to_string(),
        Some(QueryKind::Int | QueryKind::Signal) if short => format!("\"{value}\""),
        _ => "\"…\"".to_owned(),
    };
    format!("query.{} = {shown}", key_text(key))
}

/// A TOML key, quoted where it must be.
fn key_text(key: &str) -> std::borrow::Cow<'_, str> {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if key.bytes().all(bare) {
        key.into()
    } else {
        format!("{key:?}").into()
    }
}

fn push_api(message: &mut String, policy: &Policy, facts: &Facts<'_>, reason: Reason) {
    let version = facts.call.path().version().or(facts.engine);
    // Writing to a String cannot fail.
    let _infallible = match version {
        Some(version) if reason == Reason::ApiOutside => write!(
            message,
            "API version {version} is outside of its range, `api = \"{}\"`",
            policy.api()
        ),
        _ => write!(
            message,
            "the call names no API version and the engine's own one is not known yet, but `api = \
             \"{}\"` depends on it",
            policy.api()
        ),
    };
}

fn unlisted(message: &mut String, call: &Call<'_>) -> Option<String> {
    message.push_str("Docker has no such operation");
    let mut request = String::with_capacity(64);
    push_request(&mut request, call);
    if request.contains(['"', '\\', '…']) {
        return None;
    }
    // Writing to a String cannot fail.
    let _infallible = write!(
        message,
        ". To pass it on all the same, add to the policy: [unlisted] allow = [\"{request}\"]"
    );
    Some(format!("[unlisted]\nallow = [\"{request}\"]"))
}
