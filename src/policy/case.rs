//! The policy's own tests: requests with the answer their author expects.
//!
//! A policy file whose tests fail does not load, so that an edit which opens or closes more than it
//! was meant to is noticed where it is made. The tests go through the same walk as the gate.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diag::{Diagnostic, Span, escape, suggest};
use crate::docker::media::Media;
use crate::docker::payload::{BadBody, Payload};
use crate::docker::{Call, Malformed};
use crate::facts::{Caller, Findings, Found, Object};
use crate::judge::Judge;

use super::Policy;
use super::decision::{Reason, Verdict};
use super::parse::document::{Kind, Problems, Table, Value};

/// Keys of `[[test]]`.
const KEYS: [&str; 12] = [
    "name",
    "request",
    "body",
    "body_file",
    "content_type",
    "expect",
    "reason",
    "rule",
    "uid",
    "gid",
    "target",
    "connect",
];

/// Keys of `[[test]]` that the language has and this version does not.
const LATER: [&str; 2] = ["given", "own"];

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

/// The code of a body that the gate takes for a form.
const FORM: &str = "form-body";

/// One `[[test]]`.
#[derive(Debug)]
pub(super) struct Case {
    span: Span,
    name: Option<String>,
    request: String,
    request_span: Span,
    body: Option<Body>,
    expect: Expect,
    caller: Caller,
    findings: Findings,
}

/// What is sent along.
#[derive(Debug)]
struct Body {
    bytes: Vec<u8>,
    /// Its `Content-Type`.
    media: String,
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
    /// The call is allowed, and the gate refuses its form all the same.
    Form,
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
    let body = body(&mut table, problems);
    let reason = table.take("reason");
    let rule = table.take("rule");
    let uid = table.take("uid").and_then(|value| value.integer(problems));
    let gid = table.take("gid").and_then(|value| value.integer(problems));
    let target = table
        .take("target")
        .and_then(|value| stated(&value, problems));
    let connected = table
        .take("connect")
        .and_then(|value| stated_connected(&value, problems));
    table.finish(&KEYS, &LATER, problems);
    let request = request.and_then(|value| request_line(&value, problems));
    let expect = expect.and_then(|value| expectation(&value, reason, rule, problems));
    let (request, request_span) = request?;
    Some(Case {
        span,
        name: name.map(|name| escape(name).into_owned()),
        request,
        request_span,
        body,
        expect: expect?,
        caller: Caller {
            uid,
            gid,
            pid: None,
        },
        findings: Findings {
            target: target.unwrap_or_default(),
            connected: connected.unwrap_or_default(),
            ..Findings::default()
        },
    })
}

/// Decodes `connect.container.KEY`: what the test states about the container that its body names.
fn stated_connected(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Found> {
    let mut table = value.table(problems)?.prefixed("connect");
    let container = table.take("container");
    table.finish(&["container"], &[], problems);
    stated(&container?, problems)
}

/// Decodes `target.KEY`: what the test states about the object that its request names.
fn stated(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Found> {
    const KEYS: [&str; 6] = ["name", "label", "labels", "image", "project", "own"];
    let mut table = value.table(problems)?.prefixed(&value.key);
    let mut object = Object::default();
    for key in KEYS {
        let Some(value) = table.take(key) else {
            continue;
        };
        for one in value.one_or_list() {
            let text = if let Kind::Boolean(yes) = one.kind() {
                yes.to_string()
            } else {
                one.text(problems)?.to_owned()
            };
            let key = if key == "labels" { "label" } else { key };
            if let Err(bad) = object.give(&format!("{key}={text}")) {
                problems.report(
                    Diagnostic::error("bad-value", bad.to_string())
                        .at(one.span.clone(), "cannot be stated"),
                );
            }
        }
    }
    table.finish(&KEYS, &[], problems);
    Some(Found::Object(Box::new(object)))
}

/// `body`, or the content of `body_file`, under `content_type`.
fn body(table: &mut Table<'_>, problems: &mut Problems<'_>) -> Option<Body> {
    let text = table.take("body");
    let file = table.take("body_file");
    let media = table.take("content_type");
    if let (Some(text), Some(file)) = (&text, &file) {
        problems.report(
            Diagnostic::error("bad-value", "a request has one body")
                .at(file.key_span.clone(), "this is another one")
                .at(text.key_span.clone(), "this is one"),
        );
    }
    if let (None, None, Some(media)) = (&text, &file, &media) {
        problems.report(
            Diagnostic::error("bad-value", "`content_type` says what a body is")
                .at(media.key_span.clone(), "there is no body")
                .help("add `body` or `body_file`"),
        );
    }
    let media = media.and_then(|value| value.text(problems));
    let bytes = match (text, file) {
        (Some(text), _) => text.text(problems)?.as_bytes().to_vec(),
        (None, Some(file)) => file_beside(&file, problems)?,
        (None, None) => return None,
    };
    Some(Body {
        bytes,
        media: media.unwrap_or("application/json").to_owned(),
    })
}

/// Whether a file is named by a path below the policy's own directory.
fn is_below(path: &str) -> bool {
    let fine = |part: &str| !matches!(part, "" | "." | "..");
    path.split('/').all(fine) && !path.contains('\0')
}

/// What a file holds that somebody has read for us: this is no place for input and output.
fn file_beside(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Vec<u8>> {
    let path = value.text(problems)?;
    let (message, label) = match problems.source.beside(path).map(|beside| &beside.content) {
        Some(Ok(content)) => return Some(content.clone()),
        _ if !is_below(path) => (
            format!(
                "`{}` is not a path below the policy's own directory",
                escape(path)
            ),
            "write it relative to the policy's file, without `..`".to_owned(),
        ),
        Some(Err(cause)) => (
            format!("`{}` cannot be read", escape(path)),
            escape(cause).into_owned(),
        ),
        None => (
            format!("`{}` cannot be read", escape(path)),
            "only a policy that is a file has files beside it".to_owned(),
        ),
    };
    problems.report(Diagnostic::error("bad-value", message).at(value.span.clone(), label));
    None
}

/// The files that the tests of a policy name, as they name them, for whoever can read files.
pub(super) fn files(text: &str) -> Vec<String> {
    let (table, _) = DeTable::parse_recoverable(text);
    let tests = table.get_ref().get("test");
    let tests = tests.and_then(|tests| tests.get_ref().as_array());
    let name = |test: &Spanned<DeValue<'_>>| {
        let file = test.get_ref().as_table()?.get("body_file")?;
        file.get_ref().as_str().map(str::to_owned)
    };
    let mut names: Vec<String> = tests
        .into_iter()
        .flat_map(|t| t.iter().filter_map(name))
        .collect();
    names.retain(|name| is_below(name));
    names.sort_unstable();
    names.dedup();
    names
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
        let malformed = MALFORMED.iter().map(Malformed::code);
        reasons.chain(malformed).chain([FORM])
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

impl Body {
    /// Whether it would be judged, and is not called what it must be.
    fn is_misnamed(&self, call: &Call<'_>) -> bool {
        let judged = Payload::to_come(call.operation()) == Payload::Unread;
        judged && !self.bytes.is_empty() && Media::of(self.media.as_bytes()) != Media::Json
    }

    /// Whether the gate would refuse it although its call is allowed.
    fn is_form(&self) -> bool {
        !self.bytes.is_empty() && Media::of(self.media.as_bytes()) == Media::Form
    }
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
        let judge = Judge::new(policy, &caller, &call, engine)
            .findings(&self.findings)
            .presumed();
        let judge = match &self.body {
            Some(body) if body.is_misnamed(&call) => judge.bad_body(BadBody::Media),
            Some(body) => judge.body(&body.bytes),
            None => judge,
        };
        let decision = judge.decide();
        if decision.allows() && self.body.as_ref().is_some_and(Body::is_form) {
            return self.compare(policy, Outcome::Form);
        }
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
            Outcome::Form => Some(FORM),
            Outcome::Judged(Verdict::Deny(reason)) => Some(reason.code()),
            Outcome::Judged(Verdict::Allow(_)) => None,
        };
        let by = match outcome {
            Outcome::Judged(Verdict::Allow(rule)) => policy.rule(rule).0,
            Outcome::Judged(Verdict::Deny(_)) | Outcome::Malformed(_) | Outcome::Form => "",
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
            Outcome::Form => "a form is refused under every policy".to_owned(),
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
