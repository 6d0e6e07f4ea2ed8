//! The ready policies are what their files and their table say: each service can do its job, nobody
//! can do more, and every optional line that a file offers is a line that works.

mod makers;
mod strangers;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use quaygate::diag::{Severity, Source, render};
use quaygate::docker::operation::{Effect, Risk};
use quaygate::docker::{ApiVersion, Call, Operation};
use quaygate::facts::{Caller, Findings, Found, Object};
use quaygate::judge::Judge;
use quaygate::policy::{Checked, Policy, Verdict, builtin};
use serde::Deserialize;

#[test]
fn every_file_comes_with_the_program_and_has_a_row_in_the_table() {
    let files = files();
    let mut names: Vec<_> = builtin::names().collect();
    names.sort_unstable();

    assert_eq!(files.keys().collect::<Vec<_>>(), names);

    let readme = include_str!("../../README.md");
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !readme.contains(**name))
        .collect();
    assert!(missing.is_empty(), "README.md lacks {missing:?}");
    let table = fs::read_to_string(folder().join("README.md")).unwrap();
    let rows: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with("| ["))
        .collect();
    assert_eq!(rows.len(), names.len());
    for name in names {
        let cell = format!("| [`{name}`]({name}.toml) |");
        let row = rows.iter().find(|row| row.starts_with(&cell));
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        let harmless = changes(&loaded(name, &files[name]).policy).is_empty();
        assert_eq!(harmless, row.contains("| nothing |"), "{row}");
    }
}

#[test]
fn check_has_no_warning_on_what_only_looks() {
    for name in lookers().into_keys() {
        let output = Command::new(env!("CARGO_BIN_EXE_quaygate"))
            .args(["check", &name])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(!said.contains("warning"), "{said}");
    }
}

#[test]
fn everything_that_a_service_was_seen_to_ask_is_allowed() {
    let files = files();
    let mut seen = 0;
    for recording in recordings() {
        let text = &files[&recording.policy];
        let text = if recording.optional {
            with_optional_lines(text)
        } else {
            text.clone()
        };
        let policy = loaded(&recording.policy, &text).policy;
        for request in &recording.requests {
            seen += 1;
            assert!(
                allows(&policy, request, recording.engine()),
                "{} must allow `{request}` ({}, {})",
                recording.policy,
                recording.doing,
                recording.src
            );
        }
    }
    assert!(seen > 100, "the data is there");
}

#[test]
fn autoheal_works_with_every_one_of_its_settings() {
    let plain = files()["autoheal"].clone();
    let narrowed = plain.replace(
        "query.filters.health = \"unhealthy\"",
        "query.filters.health = \"unhealthy\"\nquery.filters.label = \"autoheal=true\"",
    );
    let [plain, narrowed] = [plain, narrowed].map(|text| loaded("autoheal", &text).policy);
    for (request, if_plain, if_narrowed) in [
        (
            r#"/containers/json?filters={"health":["unhealthy"]}"#,
            true,
            false,
        ),
        (
            r#"/containers/json?filters={"health":["unhealthy"],"label":["heal=true"],"status":["running"]}"#,
            true,
            false,
        ),
        (
            r#"/containers/json?filters={"health":["unhealthy"],"label":["autoheal=true"]}"#,
            true,
            true,
        ),
        (
            r#"/containers/json?filters={"label":["autoheal=true"]}"#,
            false,
            false,
        ),
    ] {
        let request = format!("GET {request}");
        let engine = ApiVersion::new(1, 51);
        assert_eq!(allows(&plain, &request, engine), if_plain, "{request}");
        assert_eq!(
            allows(&narrowed, &request, engine),
            if_narrowed,
            "{request}"
        );
    }
}

#[test]
fn optional_lines_load_with_the_tests_beside_them_and_without_warnings() {
    let mut lines = 0;
    for (name, text) in files() {
        let more = with_optional_lines(&text);
        lines += more
            .lines()
            .zip(text.lines())
            .filter(|(now, before)| now != before)
            .count();
        let checked = loaded(&name, &more);
        let mut warnings = checked.findings;
        // That `[visible]` does not narrow a line is what a person who takes it should know.
        let is_told =
            |id: &str| id == "not-narrowed" || (name == "docker-cli-full" && id == "host-root");
        warnings.retain(|finding| finding.severity > Severity::Note && !is_told(finding.id));
        assert!(warnings.is_empty(), "{name}: {warnings:?}");
    }
    assert!(lines > 35, "{lines} optional lines");
}

#[test]
fn narrowings_that_headers_propose_are_grants() {
    let mut proposed = 0;
    for (name, text) in files() {
        for line in text.lines().filter_map(|line| line.strip_prefix("#   \"")) {
            loaded(&name, &format!("allow = [\"{line}]\n"));
            proposed += 1;
        }
    }
    assert_eq!(proposed, 2);
}

#[test]
fn what_only_looks_can_not_enter_create_read_files_or_pull_not_even_with_every_optional_line() {
    for (name, text) in lookers() {
        let policy = loaded(&name, &with_optional_lines(&text)).policy;
        for operation in reachable(&policy) {
            assert!(
                operation.risk().0 != Risk::HostRoot
                    && !operation.opens_tunnel()
                    && !DOORS.contains(&operation),
                "{name} reaches {}",
                operation.name()
            );
        }
    }
}

#[test]
fn of_what_only_looks_two_policies_alone_change_anything() {
    for (name, text) in lookers() {
        let expected: &[Operation] = match name.as_str() {
            "autoheal" => &[Operation::ContainerRestart],
            "dozzle-actions" => &[
                Operation::ContainerStart,
                Operation::ContainerStop,
                Operation::ContainerRestart,
            ],
            _ => &[],
        };
        assert_eq!(changes(&loaded(&name, &text).policy), expected, "{name}");
    }
}

/// What makes something, hands out content or makes Docker fetch something, beside what is root or a
/// tunnel anyway.
const DOORS: [Operation; 18] = [
    Operation::ContainerCreate,
    Operation::ContainerUpdate,
    Operation::ExecStart,
    Operation::ImageBuild,
    Operation::NetworkCreate,
    Operation::VolumeCreate,
    Operation::ServiceCreate,
    Operation::ServiceUpdate,
    Operation::ContainerArchive,
    Operation::ContainerArchiveInfo,
    Operation::ContainerExport,
    Operation::ImageGet,
    Operation::ImageGetAll,
    Operation::ImageCreate,
    Operation::ImageLoad,
    Operation::ImageCommit,
    Operation::SwarmInspect,
    Operation::SystemAuth,
];

fn reachable(policy: &Policy) -> Vec<Operation> {
    let all = Operation::ALL.iter().copied();
    all.filter(|operation| policy.effect(*operation).access.is_reachable())
        .collect()
}

fn changes(policy: &Policy) -> Vec<Operation> {
    let mut found = reachable(policy);
    found.retain(|operation| operation.effect() == Effect::Change);
    found
}

/// One line of `tests/data/services.jsonl`: what a service was seen to ask while it did one thing.
#[derive(Debug, Deserialize)]
struct Recording {
    policy: String,
    src: String,
    doing: String,
    /// For an optional feature: needs the policy's optional lines.
    #[serde(default)]
    optional: bool,
    requests: Vec<String>,
}

impl Recording {
    /// The version that the recorded engine spoke: what a request without a prefix counts as.
    fn engine(&self) -> ApiVersion {
        match self.src.split_once("-engine") {
            Some((_, "28.5")) => ApiVersion::new(1, 51),
            _ => ApiVersion::new(1, 41),
        }
    }
}

fn recordings() -> Vec<Recording> {
    include_str!("../data/services.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

fn allows(policy: &Policy, request: &str, engine: ApiVersion) -> bool {
    let (method, target) = request.split_once(' ').unwrap();
    let call = Call::parse(method, target).unwrap_or_else(|e| panic!("{request}: {e}"));
    let caller = Caller {
        uid: Some(0),
        gid: Some(0),
        pid: None,
    };
    // The containers of the recordings bore it.
    let mut object = Object::default();
    object.give("label=autoheal=true").unwrap();
    let findings = Findings {
        target: Found::Object(Box::new(object)),
        ..Findings::default()
    };
    matches!(
        Judge::new(policy, &caller, &call, Some(engine))
            .findings(&findings)
            .presumed()
            .decide()
            .verdict,
        Verdict::Allow(_)
    )
}

/// The text with every grant, and every key of a body, that is offered as a comment switched on.
fn with_optional_lines(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let grant = line
            .strip_prefix("  # \"")
            .map(|rest| format!("  \"{rest}"));
        let key = line
            .strip_prefix("# ")
            .filter(|rest| rest.starts_with("container.") || rest.starts_with("exec."))
            .filter(|rest| rest.contains(" = "));
        let grant = grant.filter(|line| line.ends_with(','));
        grant.or_else(|| key.map(str::to_owned))
    });
    let switched = lines.zip(text.lines());
    let mut out = String::new();
    for (on, before) in switched {
        out.push_str(on.as_deref().unwrap_or(before));
        out.push('\n');
    }
    out
}

fn loaded(name: &str, text: &str) -> Checked {
    let source = Source::new(&format!("{name}.toml"), text);
    Policy::parse(name, &source)
        .unwrap_or_else(|problems| panic!("{}", render::text(&source, &problems, false)))
}

/// The policies that let nobody make or enter containers.
fn lookers() -> BTreeMap<String, String> {
    let mut files = files();
    files.retain(|name, text| {
        let policy = loaded(name, text).policy;
        let reaches = |operation| policy.effect(operation).access.is_reachable();
        !reaches(Operation::ContainerCreate) && !reaches(Operation::ContainerExec)
    });
    assert_eq!(files.len(), 17);
    files
}

fn files() -> BTreeMap<String, String> {
    fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"))
}
