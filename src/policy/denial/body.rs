//! What a body was refused for, in words, and the line that would allow it.
//!
//! The field and the shape of its value are told, never a value that may be a secret.

use std::fmt::Write as _;

use crate::diag::escape;
use crate::docker::Operation;
use crate::docker::payload::{Power, Stray, Use, What, Why};
use crate::facts::Facts;
use crate::policy::decision::RuleRef;
use crate::policy::parse::body_key;
use crate::policy::power::want::{Form, Want};
use crate::policy::power::{Hindrance, Obstacle};
use crate::policy::rule::Rule;
use crate::policy::{Policy, index};

use super::LONGEST_QUOTE;

/// Says what stands in the way: `HostConfig.Binds[0] asks for …`.
pub(super) fn push(message: &mut String, policy: &Policy, facts: &Facts<'_>, rule: RuleRef) {
    let Some((rule, obstacle)) = obstacle(policy, facts, rule) else {
        message.push_str("its body is not allowed");
        return;
    };
    match obstacle.what {
        Hindrance::Use(one) => push_use(message, one),
        Hindrance::Stray(stray) => push_stray(message, stray),
        Hindrance::Bad(bad) => escape::push(message, &bad.to_string(), LONGEST_QUOTE),
        Hindrance::Lacks(word) => message.push_str(word.meaning()),
        Hindrance::Clause => match obstacle.clause.and_then(|n| rule.body().clauses.get(n)) {
            Some(clause) => {
                message.push_str("the body does not meet `");
                escape::push(message, &clause.text, LONGEST_QUOTE);
                message.push('`');
            }
            None => message.push_str(obstacle.reason.meaning()),
        },
    }
}

fn obstacle<'f>(
    policy: &'f Policy,
    facts: &'f Facts<'f>,
    rule: RuleRef,
) -> Option<(&'f Rule, Obstacle<'f>)> {
    let rule = policy.rules.get(index::slot_of(rule))?;
    let obstacle = rule.body().obstacle(facts.payload, facts.call.query())?;
    Some((rule, obstacle))
}

fn push_use(message: &mut String, one: &Use<'_>) {
    escape::push(message, &one.place, LONGEST_QUOTE);
    if one.absent {
        message.push_str(" is absent, so that Docker takes `");
        escape::push(message, &one.shape(), LONGEST_QUOTE);
        message.push('`');
        return;
    }
    if one.what != What::Flag {
        message.push_str(" is `");
        escape::push(message, &one.shape(), LONGEST_QUOTE);
        message.push_str("`, which");
    }
    message.push(' ');
    message.push_str(one.power.meaning());
}

fn push_stray(message: &mut String, stray: &Stray) {
    message.push_str("the body's field `");
    escape::push(message, &stray.place, LONGEST_QUOTE);
    message.push_str("` ");
    // Writing to a String cannot fail.
    let _infallible = match stray.why {
        Why::Unknown => write!(message, "is not known to this version"),
        Why::Closed => write!(message, "must be empty"),
        Why::Spelling(name) => write!(message, "must be spelled `{name}`"),
        Why::TopLevel => write!(message, "belongs into `HostConfig`"),
    };
}

/// The line that a rule would need.
pub(super) fn line(
    policy: &Policy,
    facts: &Facts<'_>,
    operation: Operation,
    rule: RuleRef,
) -> Option<String> {
    let (_, obstacle) = obstacle(policy, facts, rule)?;
    match obstacle.what {
        Hindrance::Use(one) => {
            let key = body_key(operation, one.power)?;
            let value = value(one)?;
            Some(format!("{key} = {value}"))
        }
        Hindrance::Stray(stray) if matches!(stray.why, Why::Unknown | Why::Closed) => {
            let table = body_key(operation, Power::Privileged)
                .or_else(|| body_key(operation, Power::VolumeDriver))
                .or_else(|| body_key(operation, Power::NetworkDriver))
                .or_else(|| body_key(operation, Power::Devices))
                .or_else(|| body_key(operation, Power::Endpoint))?;
            let table = table.split('.').next()?;
            is_plain(&stray.place).then(|| format!("{table}.fields = [\"{}\"]", stray.place))
        }
        Hindrance::Stray(_) | Hindrance::Bad(_) | Hindrance::Lacks(_) | Hindrance::Clause => None,
    }
}

/// The value that allows a use; none if it may be a secret, cannot be written without care, or would
/// not allow it after all.
fn value(one: &Use<'_>) -> Option<String> {
    if one.what == What::Flag {
        return Form::of(one.power).takes_true().then(|| "true".to_owned());
    }
    let shape = one.shape();
    let shape = if matches!(one.power, Power::Links | Power::VolumesFrom) {
        // `db:alias` and `data:ro` begin with the container, which is all that a pattern names.
        let name = shape.split(':').next().unwrap_or_default();
        name.trim_start_matches('/').to_owned()
    } else {
        shape
    };
    let fits = !one.power.hides_values() && is_plain(&shape) && !shape.contains('*');
    let port = one.power == Power::Publish && is_plain(&shape);
    let allows = Want::parse(one.power, &shape).is_ok_and(|want| want.matches(one));
    ((fits || port) && allows).then(|| format!("[\"{shape}\"]"))
}

/// Whether a text can stand in a TOML string as it is and means itself there.
fn is_plain(text: &str) -> bool {
    let fine = |c: char| !matches!(c, '"' | '\\' | '…') && !escape::is_unsafe(c);
    !text.starts_with('~') && text.len() <= LONGEST_QUOTE && text.chars().all(fine)
}
