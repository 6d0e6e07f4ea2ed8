//! `quaygate check`: is a policy right, and what does it hand out?
//!
//! Every policy is read even when another one is broken. What a policy hands out is said as
//! findings about its grants, and then summed up over the table of operations.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Format;
use super::console::{Console, Stream};
use super::exit::Exit;
use super::show::risk_code;
use super::text::{Style, Text, count, piece, plain};
use crate::diag::render::{Record, records};
use crate::diag::{Diagnostic, Severity, Source};
use crate::docker::Operation;
use crate::docker::operation::Risk;
use crate::fleet::{self, Loaded, Problem};
use crate::policy::grade::Step;
use crate::policy::{Grade, Policy};

/// Read policies, run their own tests, and say in plain words what they hand out
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: quaygate check traefik",
    after_help = "Exit code 0 if every policy loads (warnings and all) and none is worse than --max-grade, 1 if one has errors or is worse, 2 if one cannot be read."
)]
pub(super) struct Arguments {
    /// Policies: files, directories of files, or names of built-in ones
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<String>,

    /// Say no to policies that are worse than this: `read-only`, `changes`, `powers` or `root`
    #[arg(long, value_name = "GRADE")]
    max_grade: Option<Grade>,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// Checks every policy that is named.
pub(super) fn check(console: Console, arguments: &Arguments) -> Exit {
    let here = std::env::current_dir().unwrap_or_default();
    let (drafts, mut unread) = fleet::gather(&arguments.policies, &here);
    unread.extend(fleet::same_names(&drafts));
    let mut reports = Vec::new();
    for draft in drafts {
        let name = draft.name.clone();
        match draft.parse() {
            Ok(loaded) => reports.push(Report::good(loaded)),
            Err(Problem::Faulty {
                source,
                diagnostics,
            }) => {
                reports.push(Report {
                    name,
                    source,
                    findings: diagnostics,
                    loaded: None,
                });
            }
            Err(other) => unread.push(other),
        }
    }
    match arguments.format {
        Format::Text => tell(console, &reports, &unread, arguments.max_grade),
        Format::Json => console.json(&Document::of(&reports, &unread)),
    }
    let no = |report: &Report| {
        let grade = report.grade();
        grade.is_none() || grade > arguments.max_grade.or(Some(Grade::Root))
    };
    if !unread.is_empty() {
        Exit::Usage
    } else if reports.iter().any(no) {
        Exit::No
    } else {
        Exit::Done
    }
}

/// What came of one policy.
struct Report {
    name: String,
    source: Source,
    findings: Vec<Diagnostic>,
    /// The policy, if it loads.
    loaded: Option<Loaded>,
}

impl Report {
    fn good(loaded: Loaded) -> Self {
        Self {
            name: loaded.policy.name().to_string(),
            source: loaded.source.clone(),
            findings: loaded.findings.clone(),
            loaded: Some(loaded),
        }
    }

    /// What the policy is worth, if it loads.
    fn grade(&self) -> Option<Grade> {
        self.loaded.as_ref().map(|loaded| loaded.policy.grade())
    }

    fn number(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

fn tell(console: Console, reports: &[Report], unread: &[Problem], most: Option<Grade>) {
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            console.answer(Text::new().gap());
        }
        console.diagnostics(Stream::Answer, &report.source, &report.findings);
        let mut text = Text::new();
        if !report.findings.is_empty() {
            text.gap();
        }
        summary(&mut text, report, most);
        console.answer(&text);
    }
    for problem in unread {
        console.error(problem);
    }
}

/// `ok: policies/ci.toml: 12 tests pass, 1 warning`, and the grade.
fn summary(text: &mut Text, report: &Report, most: Option<Grade>) {
    let name = report.source.name();
    let mut words = Vec::new();
    if let Some(loaded) = &report.loaded {
        words.push(match loaded.policy.tests() {
            0 => "it has no tests".to_owned(),
            number => format!("{} pass", count(number, "test")),
        });
    }
    for (severity, noun) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let number = report.number(severity);
        if number > 0 {
            words.push(count(number, noun));
        }
    }
    let words = words.join(", ");
    if report.loaded.is_none() {
        text.line([
            piece(Style::Bad, "broken"),
            plain(format_args!(": {name}: {words}")),
        ]);
        return;
    }
    text.line([
        piece(Style::Good, "ok"),
        plain(format_args!(": {name}: {words}")),
    ]);
    if let Some(loaded) = &report.loaded {
        text.say(hands_out(&loaded.policy));
        graded(text, loaded.policy.grade(), most);
    }
}

/// `grade: changes: it changes what Docker runs, without power over the host`.
fn graded(text: &mut Text, grade: Grade, most: Option<Grade>) {
    let style = match grade {
        Grade::ReadOnly | Grade::Changes => Style::Good,
        Grade::Powers => Style::Careful,
        Grade::Root => Style::Bad,
    };
    let see = match grade {
        Grade::ReadOnly | Grade::Changes => "",
        Grade::Powers => "; see the notes above",
        Grade::Root => "; see the warnings above",
    };
    text.line([
        plain("grade: "),
        piece(style, grade),
        plain(format_args!(": {}{see}", grade.meaning())),
    ]);
    if let Some(most) = most.filter(|most| grade > *most) {
        text.line([
            piece(Style::Bad, "worse"),
            plain(format_args!(" than --max-grade {most}")),
        ]);
    }
}

/// `hands out: 5 of 120 operations: 3 safe-read, 2 shows-secrets`.
fn hands_out(policy: &Policy) -> String {
    let effects = policy.effects();
    let reached = effects.iter().filter(|effect| effect.access.is_reachable());
    let mut by_risk: BTreeMap<Risk, usize> = BTreeMap::new();
    for effect in reached.clone() {
        *by_risk.entry(effect.risk).or_default() += 1;
    }
    let kinds: Vec<String> = by_risk
        .iter()
        .map(|(risk, number)| format!("{number} {}", risk_code(*risk)))
        .collect();
    let colon = if kinds.is_empty() { "" } else { ": " };
    format!(
        "hands out: {} of {} operations{colon}{}",
        reached.count(),
        effects.len(),
        kinds.join(", ")
    )
}

/// The answer for programs.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    policies: Vec<PolicyDocument>,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct PolicyDocument {
    name: String,
    file: String,
    loads: bool,
    tests: Option<usize>,
    root: Option<bool>,
    grade: Option<&'static str>,
    causes: Vec<CauseDocument>,
    findings: Vec<Record>,
}

/// Why a policy is worth `powers` or `root`.
#[derive(Serialize)]
struct CauseDocument {
    grade: &'static str,
    why: String,
    steps: Vec<StepDocument>,
}

/// One rule of the chain.
#[derive(Serialize)]
struct StepDocument {
    operation: Option<&'static str>,
    rule: String,
    line: usize,
}

fn causes(policy: &Policy) -> Vec<CauseDocument> {
    let step = |step: &Step| {
        let (rule, line) = policy.rule(step.rule);
        StepDocument {
            operation: step.operation.map(Operation::name),
            rule: rule.to_owned(),
            line,
        }
    };
    let causes = policy.causes().into_iter().map(|cause| CauseDocument {
        grade: cause.grade.word(),
        steps: cause.steps.iter().map(step).collect(),
        why: cause.why,
    });
    causes.collect()
}

impl Document {
    fn of(reports: &[Report], unread: &[Problem]) -> Self {
        let policy = |report: &Report| PolicyDocument {
            name: report.name.clone(),
            file: report.source.name().to_owned(),
            loads: report.loaded.is_some(),
            tests: report.loaded.as_ref().map(|loaded| loaded.policy.tests()),
            root: report.grade().map(|grade| grade == Grade::Root),
            grade: report.grade().map(Grade::word),
            causes: report
                .loaded
                .as_ref()
                .map(|loaded| causes(&loaded.policy))
                .unwrap_or_default(),
            findings: records(&report.source, &report.findings),
        };
        Self {
            schema: "quaygate/check/1",
            policies: reports.iter().map(policy).collect(),
            problems: unread.iter().map(ToString::to_string).collect(),
        }
    }
}
