//! The second reader against the original: Go's own net/http, where a Go toolchain is at hand.
//!
//! Two things are compared over everything that the catalogue and the walk send: that `godocker`
//! hears what Go hears (or the catalogue would prove something about another engine), and that
//! whatever the gate's own reader takes, Go reads as the same method, target and body.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use quaygate::docker::Call;
use quaygate::wire::framing::{Meter, RequestBody, collect};
use quaygate::wire::head::read_request;
use serde::Deserialize;

use super::catalogue::{self, Step};
use super::godocker::{Stop, Wire};
use super::{moby, walk};

/// A request as it was read by whomever. Bytes stand for themselves, as code points.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Read {
    method: String,
    target: String,
    path: String,
    body: String,
    /// The body broke off, or was not well framed.
    cut: bool,
    bad_form: bool,
    /// Each key with its values.
    form: Vec<Vec<String>>,
}

#[test]
fn go_reads_what_the_second_reader_reads() {
    let Some(go) = toolchain() else {
        eprintln!("SKIPPED: there is no Go toolchain (`go` in PATH, or GO=/path/to/go)");
        return;
    };
    let sayings = sayings();

    let answers = ask(&go, &sayings);

    assert_eq!(sayings.len(), answers.len());
    let mut differences = Vec::new();
    let mut requests = 0;
    for (said, go) in sayings.iter().zip(&answers) {
        requests += go.len();
        let godocker = godocker(said);
        let ours = ours(said);
        let same = go.iter().zip(&ours).all(|(go, ours)| {
            (&go.method, &go.target, go.cut) == (&ours.method, &ours.target, ours.cut)
                && (go.cut || go.body == ours.body)
        });
        if comparable(go) != comparable(&godocker) {
            differences.push(format!(
                "{}\n  Go:       {go:?}\n  godocker: {godocker:?}",
                said.escape_ascii()
            ));
        } else if !same || ours.len() > go.len() {
            differences.push(format!(
                "{}\n  Go:   {go:?}\n  ours: {ours:?}",
                said.escape_ascii()
            ));
        }
    }
    eprintln!(
        "{} connections, in which Go hears {requests} requests",
        sayings.len()
    );
    for difference in differences.iter().take(40) {
        eprintln!("{difference}\n");
    }
    assert!(differences.is_empty(), "{} differences", differences.len());
}

/// What is left of a body that broke off is nobody's business.
fn comparable(requests: &[Read]) -> Vec<Read> {
    let mut requests = requests.to_vec();
    for request in requests.iter_mut().filter(|request| request.cut) {
        request.body.clear();
        request.form.clear();
        request.bad_form = false;
    }
    requests
}

/// What clients say on one connection each.
fn sayings() -> Vec<Vec<u8>> {
    let cases = catalogue::all().into_iter().chain(walk::steps());
    // CONNECT is refused at its first line, and what Go makes of its targets is a subject of its own.
    let connects = |bytes: &[u8]| bytes.windows(7).any(|seven| seven == b"CONNECT");
    let said = cases.map(|case| {
        let mut bytes = Vec::new();
        for step in &case.steps {
            if let Step::Send(sent) = step {
                bytes.extend_from_slice(sent);
            } else if let Step::Times(count, sent) = step
                && *count < 1000
            {
                bytes.extend(sent.repeat(*count));
            }
        }
        bytes
    });
    said.filter(|bytes| !connects(bytes)).collect()
}

fn toolchain() -> Option<PathBuf> {
    let named = std::env::var_os("GO").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("go"));
    named.or_else(|| found.find(|file| file.is_file()))
}

/// Builds the helper and asks it about each connection.
fn ask(go: &Path, sayings: &[Vec<u8>]) -> Vec<Vec<Read>> {
    let folder = tempfile::tempdir().unwrap();
    let helper = folder.path().join("reader");
    let built = Command::new(go)
        .env("GO111MODULE", "off")
        .env("GOCACHE", folder.path().join("cache"))
        .args(["build", "-o"])
        .arg(&helper)
        .arg(catalogue::folder().join("go/main.go"))
        .status()
        .unwrap();
    assert!(built.success(), "the helper does not build");
    let mut child = Command::new(helper)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || {
            for said in sayings {
                let length = u32::try_from(said.len()).unwrap();
                input.write_all(&length.to_be_bytes()).unwrap();
                input.write_all(said).unwrap();
            }
        });
        child.wait_with_output().unwrap()
    });
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What `godocker` hears.
fn godocker(said: &[u8]) -> Vec<Read> {
    let mut wire = Wire::new(said);
    let mut heard = Vec::new();
    let mut after_post = false;
    while let Ok(head) = wire.head(after_post) {
        after_post = head.method == "POST";
        let Ok((path, query)) = moby::target(&head.target) else {
            break;
        };
        // net/http `globalOptionsHandler`: answered before any handler is asked.
        if head.method == "OPTIONS" && head.target == b"*" {
            drop(wire.body(head.framing));
            continue;
        }
        // net/http server.go: an expectation it does not know ends the connection.
        if head
            .get("Expect")
            .is_some_and(|expects| !expects.is_empty() && !continues(expects))
        {
            break;
        }
        let body: Result<Vec<u8>, Stop> = wire.body(head.framing);
        let cut = body.is_err();
        let body = body.unwrap_or_default();
        let (values, bad_form) = moby::form(&head, &query, &body);
        let mut form: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in values {
            form.entry(text(&key)).or_default().push(text(&value));
        }
        heard.push(Read {
            method: head.method.clone(),
            target: text(&head.target),
            path: text(&path),
            body: text(&body),
            cut,
            bad_form,
            form: form
                .into_iter()
                .map(|(key, values)| [vec![key], values].concat())
                .collect(),
        });
        if cut || head.close {
            break;
        }
    }
    heard
}

/// httpguts `HeaderValuesContainsToken`.
fn continues(expects: &[u8]) -> bool {
    let mut tokens = expects.split(|byte| *byte == b',');
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"100-continue"))
}

/// What the gate takes, up to its first refusal.
fn ours(said: &[u8]) -> Vec<Read> {
    let mut rest = said;
    let mut taken = Vec::new();
    while let Ok(Some((head, length))) = read_request(rest) {
        rest = &rest[length..];
        // An absolute target goes on without its authority, so what Go thinks of that is no matter.
        let call = Call::parse(head.method(), head.target());
        if call.is_err() || !head.target().starts_with('/') {
            break;
        }
        let mut payload = Vec::new();
        let mut meter = Meter::request(head.body());
        let used = collect(&mut meter, rest, &mut payload);
        let cut = used.is_err() || !meter.is_done();
        // A body that is not well framed is refused; where it was to end is not known.
        let framed = used.is_ok() || matches!(head.body(), RequestBody::Length(_));
        if !framed {
            break;
        }
        taken.push(Read {
            method: head.method().to_owned(),
            target: head.target().to_owned(),
            path: String::new(),
            body: text(&payload),
            cut,
            bad_form: false,
            form: Vec::new(),
        });
        if cut || !head.keep_alive() {
            break;
        }
        rest = &rest[used.unwrap_or(0)..];
    }
    taken
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
