//! `quaygate explain`: the decision for one request, and why.
//!
//! The request is judged by the very walk that the gate takes. What only the running gate knows is
//! presumed and said: the caller is one whom the policy lets in, and a path without version prefix
//! counts as a version that the policy accepts. Where the answer hangs on what is not told here, the
//! answer is that it depends, and on what.

mod document;
mod request;

use std::io::{self, Read as _};

use serde::Serialize;

use super::Format;
use super::console::Console;
use super::exit::Exit;
use super::run::problems_to;
use super::show::risk_code;
use super::text::{Piece, Style, Text, piece, plain};
use crate::diag::Source;
use crate::docker::operation::Risk;
use crate::docker::{ApiVersion, Call, Malformed, Operation};
use crate::facts::{Caller, Findings};
use crate::fleet::{self, Loaded};
use crate::judge::Judge;
use crate::policy::trace::Step;
use crate::policy::{Denial, Policy, Reason, RuleRef, Verdict};
use request::Request;

/// The decision for one request: the rule that allows it, or why not and the line to add
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: quaygate explain traefik 'POST /containers/create?name=web'",
    after_help = "Exit code 0 if the request is allowed, 1 if it is refused or if that depends on what was not told."
)]
pub(super) struct Arguments {
    /// A policy file or the name of a built-in policy
    #[arg(value_name = "POLICY")]
    policy: String,

    /// The request: 'METHOD /path?query', or a path or URL alone, which is a GET as with curl
    #[arg(value_name = "REQUEST", required = true, num_args = 1..=3)]
    request: Vec<String>,

    /// A file with the request's JSON body, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    body: Option<String>,

    /// A fact about the object that the request names: name=…, label=KEY=VALUE, image=…, project=… or own=true; about the container in a connect's body: connect.container.name=… and so on
    #[arg(long, value_name = "FACT")]
    given: Vec<String>,

    /// The user id of the caller [default: one that the policy lets in]
    #[arg(long, value_name = "N")]
    uid: Option<u32>,

    /// The group id of the caller
    #[arg(long, value_name = "N")]
    gid: Option<u32>,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// Judges one request.
pub(super) fn explain(console: Console, arguments: &Arguments) -> Exit {
    let here = std::env::current_dir().unwrap_or_default();
    let mut loaded = match fleet::load(std::slice::from_ref(&arguments.policy), &here) {
        Ok(loaded) => loaded,
        Err(problems) => {
            problems_to(console, &problems);
            return Exit::Usage;
        }
    };
    let (Some(loaded), []) = (loaded.pop(), &loaded[..]) else {
        console.error(format_args!(
            "`{}` holds several policies: name one file of it",
            arguments.policy
        ));
        return Exit::Usage;
    };
    let request = match Request::read(&arguments.request) {
        Ok(request) => request,
        Err(complaint) => {
            console.error(complaint);
            return Exit::Usage;
        }
    };
    let body = match arguments.body.as_deref().map(read_body).transpose() {
        Ok(body) => body,
        Err(error) => {
            let file = arguments.body.as_deref().unwrap_or_default();
            console.error(format_args!("`{file}` cannot be read: {error}"));
            return Exit::Usage;
        }
    };
    let findings = match given(&arguments.given) {
        Ok(findings) => findings,
        Err(complaint) => {
            console.error(complaint);
            return Exit::Usage;
        }
    };
    let call = Call::parse(&request.method, &request.target);
    let answer = match &call {
        Ok(call) => judged(arguments, &loaded, call, body.as_deref(), &findings),
        Err(malformed) => Answer::unreadable(&request, *malformed),
    };
    match arguments.format {
        Format::Text => console.answer(&answer.text(&loaded.source, request.remark.as_deref())),
        Format::Json => console.json(&answer.document(&loaded)),
    }
    if matches!(answer.outcome, Outcome::Allowed(_)) {
        Exit::Done
    } else {
        Exit::No
    }
}

/// The body as it would be sent.
fn read_body(file: &str) -> io::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file);
    }
    let mut body = Vec::new();
    io::stdin().lock().read_to_end(&mut body)?;
    Ok(body)
}

/// What `--given` states.
fn given(facts: &[String]) -> Result<Findings, String> {
    let mut findings = Findings::default();
    for fact in facts {
        let complaint = |bad| format!("`--given {fact}`: {bad}");
        findings.give(fact).map_err(complaint)?;
    }
    findings.made = Some(Vec::new());
    Ok(findings)
}

fn judged(
    arguments: &Arguments,
    loaded: &Loaded,
    call: &Call<'_>,
    body: Option<&[u8]>,
    findings: &Findings,
) -> Answer {
    let policy = &loaded.policy;
    let presumed = policy.presumed_caller();
    let caller = Caller {
        uid: arguments.uid.or(presumed.uid),
        gid: arguments.gid.or(presumed.gid),
        pid: None,
    };
    let engine = policy.presumed_engine();
    let judge = Judge::new(policy, &caller, call, Some(engine)).findings(findings);
    let judge = match body {
        Some(body) => judge.body(body),
        None => judge,
    };
    let told = judge.decide().verdict;
    let judge = judge.presumed();
    let outcome = match (told, judge.decide().verdict) {
        (Verdict::Allow(rule), _) => Outcome::Allowed(RuleAt::of(policy, rule)),
        (Verdict::Deny(reason), Verdict::Allow(rule)) => Outcome::Depends {
            on: On::of(reason),
            rule: Some(RuleAt::of(policy, rule)),
        },
        (_, Verdict::Deny(reason @ (Reason::TargetUnasked | Reason::ConnectUnasked)))
        | (Verdict::Deny(reason @ Reason::BodyUnread), Verdict::Deny(_)) => Outcome::Depends {
            on: On::of(reason),
            rule: None,
        },
        (_, Verdict::Deny(reason)) => Outcome::Refused {
            denial: judge.denial(reason),
            near: judge
                .trace()
                .steps
                .iter()
                .filter_map(|step| Near::of(policy, step))
                .collect(),
        },
    };
    let hides = matches!(&outcome, Outcome::Refused { denial, .. } if policy.denies_existence(denial.reason));
    let narrowed = matches!(policy.instead(call, findings), Ok(Some(_)));
    let shows = policy.shows().filter(|_| narrowed).map(str::to_owned);
    Answer {
        hides,
        shows: shows.collect(),
        method: call.method().as_str().to_owned(),
        path: call.path().as_str().to_owned(),
        operation: call.operation(),
        written: call.path().version(),
        presumed: engine,
        uid: caller.uid,
        outcome,
    }
}

/// Everything there is to say.
struct Answer {
    method: String,
    path: String,
    operation: Option<Operation>,
    /// The version prefix of the request.
    written: Option<ApiVersion>,
    /// The version that counts without one.
    presumed: ApiVersion,
    uid: Option<u32>,
    outcome: Outcome,
    /// The refusal is Docker's own answer for what it does not have.
    hides: bool,
    /// What `[visible]` says, if it narrows the call.
    shows: Vec<String>,
}

enum Outcome {
    Allowed(RuleAt),
    /// It hangs on what was not told; `rule` would allow it at best.
    Depends {
        on: On,
        rule: Option<RuleAt>,
    },
    Refused {
        denial: Denial,
        near: Vec<Near>,
    },
    Unreadable(Malformed),
}

/// What a decision hangs on.
#[derive(Clone, Copy)]
enum On {
    Body,
    Exec,
    Target,
    Connected,
}

impl On {
    fn of(reason: Reason) -> Self {
        if reason == Reason::ForeignExec {
            Self::Exec
        } else if reason == Reason::TargetUnasked {
            Self::Target
        } else if reason == Reason::ConnectUnasked {
            Self::Connected
        } else {
            Self::Body
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Exec => "exec",
            Self::Target => "target",
            Self::Connected => "connected",
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Body => "on its body: give it with --body FILE",
            Self::Exec => {
                "on the exec: it is reached if it was created through this socket since quaygate started"
            }
            Self::Target => {
                "on the object: state what is known of it, for example --given name=web --given label=KEY=VALUE"
            }
            Self::Connected => {
                "on the container that its body names: state what is known of it, for example --given connect.container.name=web"
            }
        }
    }
}

/// A rule and its line.
#[derive(Serialize)]
struct RuleAt {
    name: String,
    line: usize,
}

impl RuleAt {
    fn of(policy: &Policy, rule: RuleRef) -> Self {
        let (name, line) = policy.rule(rule);
        Self {
            name: name.to_owned(),
            line,
        }
    }
}

/// A rule about the operation that does not apply.
#[derive(Serialize)]
struct Near {
    rule: RuleAt,
    reason: &'static str,
    meaning: &'static str,
    condition: Option<String>,
}

impl Near {
    fn of(policy: &Policy, step: &Step) -> Option<Self> {
        let miss = step.result.err()?;
        let condition = miss
            .condition
            .and_then(|number| policy.condition(step.rule, number));
        Some(Self {
            rule: RuleAt::of(policy, step.rule),
            reason: miss.reason.code(),
            meaning: miss.reason.meaning(),
            condition: condition.map(|(text, _)| text.to_owned()),
        })
    }
}

impl Answer {
    fn unreadable(request: &Request, malformed: Malformed) -> Self {
        Self {
            method: request.method.clone(),
            path: request.target.clone(),
            operation: None,
            written: None,
            presumed: ApiVersion::OLDEST,
            uid: None,
            outcome: Outcome::Unreadable(malformed),
            hides: false,
            shows: Vec::new(),
        }
    }

    fn what(&self) -> String {
        let name = self
            .operation
            .map_or_else(String::new, |operation| format!(" ({})", operation.name()));
        format!("{} {}{name}", self.method, self.path)
    }

    fn text(&self, source: &Source, remark: Option<&str>) -> Text {
        let mut text = Text::new();
        let (style, word) = match &self.outcome {
            Outcome::Allowed(_) => (Style::Good, "allowed"),
            Outcome::Depends { .. } => (Style::Careful, "depends"),
            Outcome::Refused { .. } | Outcome::Unreadable(_) => (Style::Bad, "refused"),
        };
        text.line([piece(style, word), plain(format_args!(": {}", self.what()))]);
        if let Some(remark) = remark {
            text.say(format_args!("  {remark}"));
        }
        match &self.outcome {
            Outcome::Allowed(rule) => {
                text.gap().table(2, vec![line_of(source, rule)]);
                if !self.shows.is_empty() {
                    text.gap()
                        .say("it goes on with filters that show no more than")
                        .gap()
                        .block(2, &self.shows.join("\n"));
                }
            }
            Outcome::Depends { on, rule } => {
                text.gap().say(format_args!("  {}", on.says()));
                match (on, rule) {
                    (On::Body, Some(rule)) => {
                        text.gap()
                            .say("one that asks for nothing, `{}`, is allowed by");
                        text.table(2, vec![line_of(source, rule)]);
                    }
                    (On::Body, None) => {
                        text.gap()
                            .say("one that asks for nothing, `{}`, is refused");
                    }
                    (On::Exec | On::Target | On::Connected, rule) => {
                        text.gap()
                            .table(2, rule.iter().map(|rule| line_of(source, rule)).collect());
                    }
                }
            }
            Outcome::Unreadable(malformed) => {
                text.gap().say(format_args!("  {malformed}"));
                text.say(format_args!(
                    "  it is answered {} under every policy, and Docker never hears of it",
                    malformed.status()
                ));
            }
            Outcome::Refused { denial, near } => self.refusal(&mut text, source, denial, near),
        }
        text
    }

    fn refusal(&self, text: &mut Text, source: &Source, denial: &Denial, near: &[Near]) {
        text.gap().say(format_args!(
            "  {} [{}]",
            denial.reason.meaning(),
            denial.reason.code()
        ));
        if !near.is_empty() {
            text.gap()
                .say("rules about this operation, and what each lacks:");
            for near in near {
                let condition = near.condition.as_ref();
                let lacks = condition.map_or_else(
                    || near.meaning.to_owned(),
                    |condition| format!("{}: {condition}", near.meaning),
                );
                text.gap().table(
                    2,
                    vec![line_of(source, &near.rule), vec![plain(""), plain(lacks)]],
                );
            }
        }
        if let Some(hint) = &denial.hint {
            text.gap().say("to allow it, add:").gap().block(2, hint);
        }
        if let Some((risk, why)) = self
            .operation
            .map(Operation::risk)
            .filter(|(risk, _)| *risk > Risk::SafeRead)
        {
            text.gap().line([
                piece(Style::Careful, "careful"),
                plain(format_args!(": {why} [{}]", risk_code(risk))),
            ]);
        }
        text.gap()
            .say("the client reads:")
            .gap()
            .block(2, &denial.message);
        if self.written.is_none() {
            let presumed = self.presumed;
            text.gap().say(format_args!("(without a version prefix it counts as the engine's own version; here {presumed} was taken)"));
        }
    }
}

/// `policies/ci.toml:9` and the rule's name; a rule without one is named by its grant.
fn line_of(source: &Source, rule: &RuleAt) -> Vec<Piece> {
    vec![
        piece(
            Style::Strong,
            format_args!("{}:{}", source.name(), rule.line),
        ),
        plain(&rule.name),
    ]
}
