//! What is worth saying about a policy beyond errors.
//!
//! A policy hands out what its grants say, and that is often more than their author thinks of: GET
//! shows environments and logs, a body may be let ask for the host's root directory, two harmless
//! grants make a dangerous one. Here it is said in plain words. A warning is what should not be there by
//! oversight; a note is what somebody should know.

mod companion;
mod labels;
mod visible;

use crate::diag::{Diagnostic, escape};
use crate::docker::Operation;
use crate::docker::operation::{Effect as Kind, Risk};

use super::effect::{Access, Effect};
use super::grade::{Cause, Grade};
use super::rule::{Grant, Rule, Target};
use super::{Policy, index};

/// Everything worth saying.
pub(super) fn lint(policy: &Policy) -> Vec<Diagnostic> {
    let effects = policy.effects();
    let mut findings = Vec::new();
    let reachable = effects.iter().filter(|effect| effect.access.is_reachable());
    findings.extend(reachable.filter_map(|effect| hands_out(policy, effect)));
    findings.extend(policy.causes().iter().map(|cause| because(policy, cause)));
    findings.extend(wildcards(policy));
    findings.extend(never_matches(policy));
    findings.extend(undescribed(policy));
    findings.extend(companion::missing(policy));
    findings.extend(labels::free(policy));
    findings.extend(visible::shown(policy));
    findings
}

/// What one operation shows or hands out by itself.
fn hands_out(policy: &Policy, effect: &Effect) -> Option<Diagnostic> {
    let operation = effect.operation;
    let (risk, _) = operation.risk();
    let reason = &policy.plainly(operation);
    let verb = match risk {
        Risk::SafeRead => return None,
        Risk::LeaksSecrets if operation.effect() == Kind::Read => "shows",
        Risk::LeaksSecrets | Risk::ChangesState | Risk::HostRoot => "hands out",
    };
    let message = format!("`{}` {verb}: {reason}", spelled(operation));
    let place = place(policy, effect)?;
    let only = narrowed(&effect.access);
    let finding = Diagnostic::remark("hands-out", message).at(place, "granted here");
    Some(finding.help_opt(only))
}

/// Why the policy is worth more than its operations say.
fn because(policy: &Policy, cause: &Cause) -> Diagnostic {
    let why = escape(&cause.why);
    let mut finding = if cause.grade == Grade::Root {
        let message = format!("this policy can become root on the host because {why}");
        Diagnostic::warning("host-root", message)
    } else {
        Diagnostic::remark("power", format!("this policy hands out a power: {why}"))
    };
    for (number, step) in cause.steps.iter().enumerate() {
        let rule = escape(policy.rule(step.rule).0);
        let then = if number == 0 { "" } else { "then " };
        finding = finding.at(step.span.clone(), format!("{then}by rule `{rule}`"));
    }
    finding
}

/// How far names and conditions narrow an operation.
fn narrowed(access: &Access) -> Option<String> {
    let Access::Conditional(ways) = access else {
        return None;
    };
    let shown = ways.iter().take(3).map(|way| {
        let all: Vec<&str> = way
            .names
            .iter()
            .chain(&way.conditions)
            .map(String::as_str)
            .collect();
        format!("`{}`", escape(&all.join(", ")))
    });
    let mut shown: Vec<String> = shown.collect();
    if ways.len() > shown.len() {
        shown.push(format!("{} more", ways.len() - shown.len()));
    }
    Some(format!("only where {}", shown.join(", or ")))
}

/// Where an operation is granted.
fn place(policy: &Policy, effect: &Effect) -> Option<crate::diag::Span> {
    let rule = policy.rules.get(index::slot_of(effect.access.rule()?))?;
    let (grant, _) = granting(rule, effect.operation)?;
    Some(grant.span.clone())
}

fn granting(rule: &Rule, operation: Operation) -> Option<(&Grant, &Target)> {
    rule.targets()
        .find(|(_, target)| target.operation == operation)
}

/// What each wildcard covers.
fn wildcards(policy: &Policy) -> Vec<Diagnostic> {
    let grants = policy.rules.iter().flat_map(|rule| &rule.grants);
    grants
        .filter(|grant| grant.wildcard)
        .map(spell_out)
        .collect()
}

fn spell_out(grant: &Grant) -> Diagnostic {
    let names: Vec<&str> = grant
        .targets
        .iter()
        .map(|target| target.operation.name())
        .collect();
    let message = format!("`{}` covers {}", escape(&grant.text), count(names.len()));
    Diagnostic::remark("wildcard", message)
        .at(grant.span.clone(), "this wildcard")
        .note(format!("covered: {}", names.join(", ")))
}

fn count(operations: usize) -> String {
    match operations {
        1 => "one operation".to_owned(),
        many => format!("{many} operations"),
    }
}

/// Operations that are newer than the newest API version of the policy.
fn never_matches(policy: &Policy) -> Vec<Diagnostic> {
    let range = policy.api;
    let plain = policy.rules.iter().flat_map(|rule| &rule.grants);
    let grants = plain.filter(|grant| !grant.wildcard);
    let targets = grants.flat_map(|grant| grant.targets.iter().map(move |t| (grant, t.operation)));
    let late = targets.filter(|(_, operation)| range.ends_before(operation.since()));
    late.map(|(grant, operation)| {
        let message = format!("`{}` can never match", escape(&grant.text));
        Diagnostic::warning("never-matches", message)
            .at(
                grant.span.clone(),
                format!("Docker has it since API {}", operation.since()),
            )
            .help(format!("the policy says `api = \"{range}\"`"))
    })
    .collect()
}

/// Grants of operations whose bodies nobody describes, in rules that would have them judged.
fn undescribed(policy: &Policy) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for rule in &policy.rules {
        for grant in rule.grants.iter().filter(|grant| !grant.wildcard) {
            let mut targets = grant.targets.iter();
            if !targets.any(|target| rule.is_blind_to(target.operation)) {
                continue;
            }
            let message = format!("`{}` can never match", escape(&grant.text));
            findings.push(
                Diagnostic::warning("never-matches", message)
                    .at(
                        grant.span.clone(),
                        "this version does not describe its body",
                    )
                    .help("to pass the body on without judging it, say `body = \"unchecked\"`")
                    .note("a body that is not described could ask for anything, so it is refused"),
            );
        }
    }
    findings
}

/// `GET /containers/json`.
fn spelled(operation: Operation) -> String {
    format!("{} {}", operation.method().as_str(), operation.path())
}

#[cfg(test)]
mod tests;
