//! A refusal in words.
//!
//! The client reads what was asked, which policy refused it, why, and the line that would allow it.
//! It never reads query values, bodies or anything else that might be a secret, and nothing from
//! the request reaches it unescaped or unbounded. A conditional rule that almost matched is told
//! first, because that is the line its author has to look at.

mod body;
mod hint;
mod visible;

use std::fmt::Write as _;

use crate::diag::escape;
use crate::docker::{Call, Operation};
use crate::facts::Facts;

use super::Policy;
use super::decision::{Denial, Reason, RuleRef};
use super::trace::{Miss, Nearest};

/// The longest path that is repeated in a message.
const LONGEST_PATH: usize = 160;

/// The longest piece of a policy that is repeated in a message.
const LONGEST_QUOTE: usize = 200;

pub(super) fn denial(policy: &Policy, facts: &Facts<'_>, reason: Reason) -> Denial {
    let call = facts.call;
    if policy.denies_existence(reason) {
        return finish(reason, visible::no_such(policy, facts), None);
    }
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
        (_, Some(_)) if visible::refuses(policy, facts, reason) => {
            visible::push(&mut message, reason);
            visible::hint(reason)
        }
        (_, Some(operation)) => {
            let _same = policy.walk(facts, &mut nearest);
            match nearest.miss {
                Some((rule, miss)) if miss.reason != Reason::Name => {
                    push_miss(&mut message, policy, facts, rule, miss);
                    let line = hint::line(policy, facts, operation, rule, miss);
                    if let Some(line) = line.as_deref().filter(|line| !line.contains('…')) {
                        // Writing to a String cannot fail.
                        let _infallible =
                            write!(message, ". To allow it too, add a rule with `{line}`");
                    }
                    line.and_then(|line| hint::twin(policy, operation, rule, miss, &line))
                }
                _ => Some(plain(&mut message, call, operation, reason)),
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
fn plain(message: &mut String, call: &Call<'_>, operation: Operation, reason: Reason) -> String {
    let by_name = matches!(reason, Reason::Name);
    message.push_str(if by_name {
        "it is granted for other names only"
    } else {
        "no rule grants it"
    });
    let grant = if by_name {
        hint::grant_for_name(call, operation)
    } else {
        hint::grant(operation)
    };
    // Writing to a String cannot fail.
    let _infallible = write!(message, ". To allow it, add to allow: \"{grant}\"");
    format!("allow = [\"{grant}\"]")
}

fn push_miss(message: &mut String, policy: &Policy, facts: &Facts<'_>, rule: RuleRef, miss: Miss) {
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
        (Reason::Query | Reason::Reference | Reason::Filter, Some(text)) => {
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
        (Reason::Target, Some(text)) => {
            // The clause says which of the two it is about.
            message.push_str(if text.starts_with("connect.") {
                "the container that its body names does not meet `"
            } else {
                "its object does not meet `"
            });
            escape::push(message, text, LONGEST_QUOTE);
            message.push('`');
        }
        (Reason::TargetGate, _) => push_gate(message, facts.call.operation()),
        (Reason::IdAsName, _) => message.push_str(miss.reason.meaning()),
        (Reason::ForeignExec, _) => message
            .push_str("no exec of this id was created through this socket since quaygate started"),
        (Reason::Power(power), _) => {
            let _infallible = write!(
                message,
                "it uses the query key `{key}`, which hands out more than the operation",
                key = power.key()
            );
        }
        (
            Reason::BodyPower(_)
            | Reason::Body
            | Reason::Require
            | Reason::UnknownField
            | Reason::ClosedField
            | Reason::ContentType
            | Reason::MalformedBody,
            _,
        ) => body::push(message, policy, facts, rule),
        (other, _) => message.push_str(other.meaning()),
    }
}

fn push_gate(message: &mut String, operation: Option<Operation>) {
    let key = operation.map_or("", hint::own_container_key);
    // Writing to a String cannot fail.
    let _infallible = write!(
        message,
        "it is about quaygate's own container, which only a rule that names it in `{key}` reaches"
    );
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

#[cfg(test)]
mod tests;
