//! `quaygate show`: what a policy amounts to, operation by operation.

use serde::Serialize;

use super::Format;
use super::console::Console;
use super::exit::Exit;
use super::run::problems_to;
use super::text::{Piece, Style, Text, count, piece, plain};
use crate::docker::operation::Risk;
use crate::fleet::{self, Draft, Loaded, Problem};
use crate::policy::effect::{Access, Effect, Way};
use crate::policy::{Policy, RuleRef, builtin};

/// Every operation of the Docker API under a policy: allowed, conditional, refused, and its risk
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example: quaygate show traefik",
    after_help = "Without a policy: the policies that come with quaygate."
)]
pub(super) struct Arguments {
    /// A policy file or the name of a built-in policy
    #[arg(value_name = "POLICY")]
    policy: Option<String>,

    /// Print the policy itself: a start for one of your own
    #[arg(long, requires = "policy")]
    toml: bool,

    /// How the answer is written
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        conflicts_with = "toml"
    )]
    format: Format,
}

/// Shows it.
pub(super) fn show(console: Console, arguments: &Arguments) -> Exit {
    let Some(word) = &arguments.policy else {
        match arguments.format {
            Format::Text => console.answer(&list()),
            Format::Json => console.json(&ListDocument::new()),
        }
        return Exit::Done;
    };
    let draft = match one_draft(word) {
        Ok(draft) => draft,
        Err(problems) => {
            problems_to(console, &problems);
            return Exit::Usage;
        }
    };
    let Some(draft) = draft else {
        console.error(format_args!(
            "`{word}` holds several policies: name one file of it"
        ));
        return Exit::Usage;
    };
    if arguments.toml {
        console.verbatim(draft.source.text());
        return Exit::Done;
    }
    let loaded = match draft.parse() {
        Ok(loaded) => loaded,
        Err(problem) => {
            problems_to(console, &[problem]);
            return Exit::Usage;
        }
    };
    let effects = loaded.policy.effects();
    match arguments.format {
        Format::Text => console.answer(&text(&loaded, &effects)),
        Format::Json => console.json(&Document::of(&loaded, &effects)),
    }
    Exit::Done
}

/// The one policy of a word; `None` if there are several.
fn one_draft(word: &str) -> Result<Option<Draft>, Vec<Problem>> {
    let here = std::env::current_dir().unwrap_or_default();
    let (mut drafts, problems) = fleet::gather(&[word.to_owned()], &here);
    if !problems.is_empty() {
        return Err(problems);
    }
    let first = drafts.pop();
    Ok(first.filter(|_| drafts.is_empty()))
}

fn list() -> Text {
    let mut text = Text::new();
    text.say("Policies that come with quaygate:").gap();
    let row = |policy: &builtin::Builtin| {
        vec![
            piece(Style::Strong, policy.name),
            plain(policy.description()),
        ]
    };
    text.table(2, builtin::ALL.iter().map(row).collect());
    text.gap();
    text.say("`quaygate show NAME` shows what one amounts to, `--toml` the policy itself.");
    text
}

fn text(loaded: &Loaded, effects: &[Effect]) -> Text {
    let policy = &loaded.policy;
    let mut text = Text::new();
    let description = policy
        .description()
        .map_or_else(String::new, |words| format!(" – {words}"));
    text.line([
        piece(Style::Strong, policy.name()),
        plain(format_args!("{description} ({})", loaded.source.name())),
    ]);
    for shown in policy.shows() {
        text.line([
            piece(Style::Good, "shows only"),
            plain(format_args!(": {shown}")),
        ]);
    }
    for (access, style) in [
        ("allowed", Style::Good),
        ("conditional", Style::Careful),
        ("refused", Style::Dim),
    ] {
        let group: Vec<&Effect> = effects
            .iter()
            .filter(|e| word(&e.access) == access)
            .collect();
        if group.is_empty() {
            continue;
        }
        text.gap();
        text.line([
            piece(style, access),
            plain(format_args!(": {}", count(group.len(), "operation"))),
        ]);
        text.gap();
        text.table(
            2,
            group
                .iter()
                .flat_map(|effect| rows(policy, effect))
                .collect(),
        );
    }
    text
}

/// The operation, and below it the ways in which a conditional one is reached.
fn rows(policy: &Policy, effect: &Effect) -> Vec<Vec<Piece>> {
    let risk_style = match effect.risk {
        Risk::SafeRead => Style::Plain,
        Risk::LeaksSecrets | Risk::ChangesState => Style::Careful,
        Risk::HostRoot => Style::Bad,
    };
    let operation = effect.operation;
    let mut rows = vec![vec![
        plain(operation.method().as_str()),
        plain(operation.path()),
        plain(operation.name()),
        piece(risk_style, risk_code(effect.risk)),
    ]];
    if let Access::Conditional(ways) = &effect.access {
        for way in ways {
            let (_, line) = policy.rule(way.rule);
            let only = [&way.names[..], &way.conditions].concat().join(", ");
            rows.push(vec![
                plain(""),
                plain(format_args!("if {only} (line {line})")),
            ]);
        }
    }
    rows
}

fn word(access: &Access) -> &'static str {
    match access {
        Access::Allowed(_) => "allowed",
        Access::Conditional(_) => "conditional",
        Access::Refused => "refused",
    }
}

/// What a plain grant amounts to, in one word.
pub(super) fn risk_code(risk: Risk) -> &'static str {
    match risk {
        Risk::SafeRead => "safe-read",
        Risk::LeaksSecrets => "shows-secrets",
        Risk::ChangesState => "changes-state",
        Risk::HostRoot => "host-root",
    }
}

/// The answer for programs.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    policy: String,
    file: String,
    description: Option<String>,
    /// What `[visible]` says.
    visible: Vec<String>,
    operations: Vec<OperationDocument>,
}

#[derive(Serialize)]
struct OperationDocument {
    operation: &'static str,
    method: &'static str,
    path: &'static str,
    access: &'static str,
    risk: &'static str,
    reason: String,
    ways: Vec<WayDocument>,
}

/// A rule that leads there, and what it asks for.
#[derive(Serialize)]
struct WayDocument {
    rule: String,
    line: usize,
    names: Vec<String>,
    conditions: Vec<String>,
}

impl Document {
    fn of(loaded: &Loaded, effects: &[Effect]) -> Self {
        let policy = &loaded.policy;
        let operation = |effect: &Effect| OperationDocument {
            operation: effect.operation.name(),
            method: effect.operation.method().as_str(),
            path: effect.operation.path(),
            access: word(&effect.access),
            risk: risk_code(effect.risk),
            reason: effect.reason.to_string(),
            ways: ways(policy, &effect.access),
        };
        Self {
            schema: "quaygate/show/1",
            policy: policy.name().to_string(),
            file: loaded.source.name().to_owned(),
            description: policy.description().map(str::to_owned),
            visible: policy.shows().map(str::to_owned).collect(),
            operations: effects.iter().map(operation).collect(),
        }
    }
}

fn ways(policy: &Policy, access: &Access) -> Vec<WayDocument> {
    let document = |rule: RuleRef, way: Option<&Way>| {
        let (name, line) = policy.rule(rule);
        WayDocument {
            rule: name.to_owned(),
            line,
            names: way.map(|way| way.names.clone()).unwrap_or_default(),
            conditions: way.map(|way| way.conditions.clone()).unwrap_or_default(),
        }
    };
    match access {
        Access::Allowed(rule) => vec![document(*rule, None)],
        Access::Conditional(ways) => ways
            .iter()
            .map(|way| document(way.rule, Some(way)))
            .collect(),
        Access::Refused => Vec::new(),
    }
}

/// The built-in policies, for programs.
#[derive(Serialize)]
struct ListDocument {
    schema: &'static str,
    policies: Vec<BuiltinDocument>,
}

#[derive(Serialize)]
struct BuiltinDocument {
    name: &'static str,
    description: &'static str,
}

impl ListDocument {
    fn new() -> Self {
        let document = |policy: &builtin::Builtin| BuiltinDocument {
            name: policy.name,
            description: policy.description(),
        };
        Self {
            schema: "quaygate/policies/1",
            policies: builtin::ALL.iter().map(document).collect(),
        }
    }
}
