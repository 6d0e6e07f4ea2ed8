//! The policy's own tests: requests with the answer their author expects.
//!
//! A policy file whose tests fail does not load, so that an edit which opens or closes more than it
//! was meant to is noticed where it is made. The tests go through the same walk as the gate.

use crate::diag::{Diagnostic, Span, escape, suggest};
use crate::docker::{Call, Malformed};
use crate::facts::Caller;
use crate::judge::Judge;

use super::Policy;
use super::decision::{Reason, Verdict};
use super::parse::document::{Kind, Problems, Table, Value};

/// Keys of `[[test]]`.
const KEYS: [&str; 8] = [
    "name", "request", "body", "expect", "reason", "rule", "uid", "gid",
];

/// Keys of `[[test]]` that the language has and this version does not.
const LATER: [&str; 5] = ["body_file", "content_type", "target", "given", "own"];

/// Every way in which a request line has no reading, so that tests can name its code.
const MALFORMED: [Malformed; 17] = [
    Malformed::Method,
    Malformed::TargetTooLong,
    Malformed::Target,
    Malformed::Fragment,
    Malformed::PathByte,
    Malformed::PathEscape,
    Malformed::PathDecoded,
    Malformed::EmptySegment,
    Malformed::DotSegment,
    Malformed::TrailingSlash,
    Malformed::Version,
    Malformed::Name,
    Malformed::Reference,
    Malformed::QueryByte,
    Malformed::QuerySemicolon,
    Malformed::QueryEscape,
    Malformed::QueryText,
];

/// One `[[test]]`.
#[derive(Debug)]
pub(super) struct Case {
    span: Span,
    name: Option<String>,
    request: String,
    request_span: Span,
    body: Option<String>,
    expect: Expect,
    caller: Caller,
}

#[derive(Debug)]
enum Expect {
    /// Allowed, perhaps by the rule of this name.
    Allow(Option<(String, Span)>),
    /// Refused, perhaps with this reason code.
    Deny(Option<(String, Span)>),
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Malformed(Malformed),
    Judged(Verdict),
}

// === reading ===

/// Decodes every `[[test]]`.
pub(super) fn decode(value: &Value<'_>, problems: &mut Problems<'_>) -> Vec<Case> {
    if matches!(value.kind(), Kind::Table) {
        problems.report(
            Diagnostic::error("wrong-table", "`test` is a list of tables")
                .at(value.key_span.clone(), "a single table")
                .help("write `[[test]]` with double brackets"),
        );
        return Vec::new();
    }
    let entries = value.list(problems).unwrap_or_default();
    let tables: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.table(problems))
        .collect();
    tables
        .into_iter()
        .filter_map(|table| case(table, problems))
        .collect()
}

fn case(mut table: Table<'_>, problems: &mut Problems<'_>) -> Option<Case> {
    let span = table.span.clone();
    let name = table.take("name").and_then(|value| value.text(problems));
    let request = table.require("request", problems);
    let expect = table.require("expect", problems);
    let body = table.take("body").and_then(|value| value.text(problems));
    let reason = table.take("reason");
    let rule = table.take("rule");
    let uid = table.take("uid").and_then(|value| value.integer(problems));
    let gid = table.take("gid").and_then(|value| value.integer(problems));
    table.finish(&KEYS, &LATER, problems);
    let request = request.and_then(|value| request_line(&value, problems));
    let expect = expect.and_then(|value| expectation(&value, reason, rule, problems));
    let (request, request_span) = request?;
    Some(Case {
        span,
        name: name.map(|name| escape(name).into_owned()),
        request,
        request_span,
        body: body.map(str::to_owned),
        expect: expect?,
        caller: Caller {
            uid,
            gid,
            pid: None,
        },
    })
}

fn request_line(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<(String, Span)> {
    let text = value.text(problems)?;
    if text
        .split_once(' ')
        .is_some_and(|(_, target)| !target.contains(' '))
    {
        return Some((text.to_owned(), value.span.clone()));
    }
    let message = format!("`{}` is not a request", escape(text));
    problems.report(
        Diagnostic::error("bad-value", message)
            .at(value.span.clone(), "a method, one blank and a target")
            .help("for example `request = \"GET /containers/json?all=1\"`"),
    );
    None
}

fn expectation(
    value: &Value<'_>,
    reason: Option<Value<'_>>,
    rule: Option<Value<'_>>,
    problems: &mut Problems<'_>,
) -> Option<Expect> {
    let text = value.text(problems)?;
    let misplaced = match text {
        "allow" => reason
            .as_ref()
            .map(|value| (value, "a reason belongs to `expect = \"deny\"`")),
        "deny" => rule
            .as_ref()
            .map(|value| (value, "a rule belongs to `expect = \"allow\"`")),
        _ => {
            problems.report(
                Diagnostic::error("bad-value", format!("`{}` is no answer", escape(text)))
                    .at(value.span.clone(), "either `allow` or `deny`"),
            );
            return None;
        }
    };
    if let Some((value, message)) = misplaced {
        problems.report(Diagnostic::error("bad-value", message).at(
            value.key_span.clone(),
            format!("does not fit `expect = \"{text}\"`"),
        ));
    }
    if text == "deny" {
        let reason = reason.and_then(|value| reason_code(&value, problems));
        return Some(Expect::Deny(reason));
    }
    let rule = rule.and_then(|value| Some((value.text(problems)?.to_owned(), value.span.clone())));
    Some(Expect::Allow(rule))
}

fn reason_code(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<(String, Span)> {
    let text = value.text(problems)?;
    let codes = || {
        let reasons = Reason::ALL.iter().map(|reason| reason.code());
        reasons.chain(MALFORMED.iter().map(Malformed::code))
    };
    if codes().any(|code| code == text) {
        return Some((text.to_owned(), value.span.clone()));
    }
    let help = suggest::nearest(text, codes()).map(|near| format!("did you mean `{near}`?"));
    problems.report(
        Diagnostic::error(
            "bad-value",
            format!("`{}` is not a reason code", escape(text)),
        )
        .at(value.span.clone(), "no call is refused for this reason")
        .help_opt(help),
    );
    None
}

// === running ===

/// Runs every test; an error for each that fails.
pub(super) fn run(policy: &Policy, cases: &[Case]) -> Vec<Diagnostic> {
    cases.iter().filter_map(|case| case.run(policy)).collect()
}

impl Case {
    fn run(&self, policy: &Policy) -> Option<Diagnostic> {
        let (method, target) = self.request.split_once(' ').unwrap_or((&self.request, ""));
        let caller = match self.caller.uid {
            Some(_) => self.caller,
            None => Caller {
                gid: self.caller.gid,
                ..policy.presumed_caller()
            },
        };
        let call = match Call::parse(method, target) {
            Ok(call) => call,
            Err(malformed) => return self.compare(policy, Outcome::Malformed(malformed)),
        };
        let engine = Some(policy.presumed_engine());
        let judge = Judge::new(policy, &caller, &call, engine).presumed();
        let judge = match &self.body {
            Some(body) => judge.body(body.as_bytes()),
            None => judge,
        };
        let decision = judge.decide();
        let mut failure = self.compare(policy, Outcome::Judged(decision.verdict))?;
        if !failure.is_error() {
            return Some(failure);
        }
        if let (Expect::Allow(_), Verdict::Deny(reason)) = (&self.expect, decision.verdict) {
            let denial = judge.denial(reason);
            failure = failure.note(denial.message);
        }
        Some(
            judge
                .trace()
                .lines(policy)
                .into_iter()
                .fold(failure, Diagnostic::note),
        )
    }

    fn compare(&self, policy: &Policy, outcome: Outcome) -> Option<Diagnostic> {
        let code = match outcome {
            Outcome::Malformed(malformed) => Some(malformed.code()),
            Outcome::Judged(Verdict::Deny(reason)) => Some(reason.code()),
            Outcome::Judged(Verdict::Allow(_)) => None,
        };
        let by = match outcome {
            Outcome::Judged(Verdict::Allow(rule)) => policy.rule(rule).0,
            Outcome::Judged(Verdict::Deny(_)) | Outcome::Malformed(_) => "",
        };
        let diagnostic = match (&self.expect, code) {
            (Expect::Allow(None), None) => return None,
            (Expect::Allow(Some((rule, _))), None) if rule == by => return None,
            (Expect::Allow(Some((rule, span))), None) => self
                .failed("this call is allowed by another rule")
                .at(span.clone(), format!("expected rule `{}`", escape(rule)))
                .note(format!("it is allowed by rule `{}`", escape(by))),
            (Expect::Allow(_), Some(code)) => self
                .failed("this call should be allowed, and is refused")
                .at(self.request_span.clone(), format!("refused: `{code}`")),
            (Expect::Deny(_), None) => self
                .failed("this call should be refused, and is allowed")
                .at(
                    self.request_span.clone(),
                    format!("allowed by rule `{}`", escape(by)),
                ),
            (Expect::Deny(Some((wanted, _))), Some(code)) if wanted == code => return None,
            (Expect::Deny(Some((wanted, span))), Some(code)) => self
                .failed("this call is refused for another reason")
                .at(span.clone(), format!("expected `{wanted}`, found `{code}`")),
            (Expect::Deny(None), Some(code)) => return self.vacuous(outcome, code),
        };
        Some(diagnostic)
    }

    fn failed(&self, message: &str) -> Diagnostic {
        let name = self.name.as_ref().map(|name| format!("test `{name}`: "));
        Diagnostic::error(
            "test-failed",
            format!("{}{message}", name.unwrap_or_default()),
        )
    }

    /// A refusal that says nothing about the policy, because no policy could allow the call.
    fn vacuous(&self, outcome: Outcome, code: &str) -> Option<Diagnostic> {
        let label = match outcome {
            Outcome::Malformed(malformed) => malformed.to_string(),
            Outcome::Judged(Verdict::Deny(Reason::UnknownOperation)) => {
                "Docker has no operation at this method and path".to_owned()
            }
            Outcome::Judged(_) => return None,
        };
        let message = "this test passes only because the request is none that Docker knows";
        Some(
            Diagnostic::warning("test-path-unknown", message)
                .at(self.request_span.clone(), escape(&label))
                .at(self.span.clone(), "this test")
                .help(format!(
                    "correct the request, or say `reason = \"{code}\"` if it is meant"
                )),
        )
    }
}
