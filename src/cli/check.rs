//! `quaygate check`: is a policy right, and what does it hand out?
//!
//! Every policy is read even when another one is broken. What a policy hands out is said as
//! findings about its grants, and then summed up over the table of operations.

use serde::Serialize;

use super::Format;
use super::console::{Console, Stream};
use super::exit::Exit;
use super::text::{Style, Text, count, piece, plain};
use crate::diag::render::{Record, records};
use crate::diag::{Diagnostic, Severity, Source};
use crate::fleet::{self, Loaded, Problem};

/// Read policies, run their own tests, and say in plain words what they hand out
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: quaygate check traefik",
    after_help = "Exit code 0 if every policy loads (warnings and all), 1 if one has errors, 2 if one cannot be read."
)]
pub(super) struct Arguments {
    /// Policies: files, directories of files, or names of built-in ones
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<String>,

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
        Format::Text => tell(console, &reports, &unread),
        Format::Json => console.json(&Document::of(&reports, &unread)),
    }
    if !unread.is_empty() {
        Exit::Usage
    } else if reports.iter().any(|report| report.loaded.is_none()) {
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

    fn number(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

fn tell(console: Console, reports: &[Report], unread: &[Problem]) {
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            console.answer(Text::new().gap());
        }
        console.diagnostics(Stream::Answer, &report.source, &report.findings);
        let mut text = Text::new();
        if !report.findings.is_empty() {
            text.gap();
        }
        summary(&mut text, report);
        console.answer(&text);
    }
    for problem in unread {
        console.error(problem);
    }
}

/// `ok: policies/ci.toml: 12 tests pass, 1 warning`.
fn summary(text: &mut Text, report: &Report) {
    let mut words = Vec::new();
    let verdict = match &report.loaded {
        Some(loaded) => {
            words.push(match loaded.policy.tests() {
                0 => "it has no tests".to_owned(),
                number => format!("{} pass", count(number, "test")),
            });
            piece(Style::Good, "ok")
        }
        None => piece(Style::Bad, "broken"),
    };
    for (severity, noun) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let number = report.number(severity);
        if number > 0 {
            words.push(count(number, noun));
        }
    }
    text.line([
        verdict,
        plain(format_args!(
            ": {}: {}",
            report.source.name(),
            words.join(", ")
        )),
    ]);
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
    findings: Vec<Record>,
}

impl Document {
    fn of(reports: &[Report], unread: &[Problem]) -> Self {
        let policy = |report: &Report| PolicyDocument {
            name: report.name.clone(),
            file: report.source.name().to_owned(),
            loads: report.loaded.is_some(),
            tests: report.loaded.as_ref().map(|loaded| loaded.policy.tests()),
            findings: records(&report.source, &report.findings),
        };
        Self {
            schema: "quaygate/check/1",
            policies: reports.iter().map(policy).collect(),
            problems: unread.iter().map(ToString::to_string).collect(),
        }
    }
}
