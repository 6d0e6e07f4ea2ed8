//! The ready policies that let a service change something, each with the client it is for, or with the
//! calls of one that is not here: its work is done, what would reach the host leaves no container
//! behind, and what is aimed at somebody else's container leaves that as it was.
//!
//! `QUAYGATE_TEST_COMPOSE` names another compose than `docker-compose` in `PATH`;
//! `QUAYGATE_TEST_PYTHON` a Python that has testcontainers.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a scene that does not find what it looks for ends"
)]

mod command_line;
mod compose;
mod labelled;
mod services;
mod stranger;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::stage::{Done, Gate, IMAGE, curl, docker, engine};

#[test]
#[ignore = "needs a Docker engine and QUAYGATE_TEST_PYTHON: scripts/test brings both"]
fn testcontainers_of_python_start_run_and_remove_theirs() {
    let python = std::env::var("QUAYGATE_TEST_PYTHON")
        .expect("QUAYGATE_TEST_PYTHON=/path/to/python that has testcontainers");
    let gate = ready("testcontainers");
    let mut play = Command::new("timeout");
    play.args(["--kill-after=5", "120", &python])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docker/throwaway.py"))
        .arg(IMAGE)
        .env("DOCKER_HOST", format!("unix://{}", gate.socket().display()))
        .env("DOCKER_CONFIG", "/nonexistent")
        .env("TESTCONTAINERS_RYUK_DISABLED", "true");
    let said = finished(&mut play).ok();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "exec: 0 hi",
            "logs: ready",
            "file: ok",
            "port: some",
            "network: joined",
            "privileged: refused",
            "directory: refused",
            "host network: refused",
        ]
    );
}

// === what they share ===

/// The gate with a ready policy.
fn ready(policy: &str) -> Gate {
    ready_with(policy, |text| text)
}

/// The gate with a ready policy that a person has edited.
fn ready_with(policy: &str, edit: impl FnOnce(String) -> String) -> Gate {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("policies/{policy}.toml"));
    Gate::before(engine(), &edit(fs::read_to_string(file).unwrap()))
}

fn exists(container: &str) -> bool {
    docker(engine(), &["inspect", "--type=container", container]).code == 0
}

/// One request by curl: the status, and the document that came back, if it was one.
fn ask(socket: &Path, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let url = format!("http://docker/v1.41{path}");
    let text = body.map(Value::to_string);
    let mut arguments = vec!["-X", method, "-w", "\n%{http_code}", &url];
    if let Some(text) = &text {
        arguments.extend(["-H", "Content-Type: application/json", "-d", text]);
    }
    let said = curl(socket, &arguments).ok();
    let (document, status) = said.rsplit_once('\n').unwrap();
    let document = serde_json::from_str(document).unwrap_or(Value::Null);
    (status.parse().unwrap(), document)
}

/// Starts an exec as Go's clients do, by an upgrade of the connection: all that came until the command
/// had ended.
#[track_caller]
fn started(socket: &Path, exec: &str) -> String {
    let body = r#"{"Detach":false,"Tty":false}"#;
    let request = format!(
        "POST /v1.41/exec/{exec}/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n\
         Upgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = UnixStream::connect(socket).unwrap();
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    answer
}

fn finished(command: &mut Command) -> Done {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The command line was refused something, and says so.
#[track_caller]
fn is_refused(refused: &Done) {
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.err.contains("refused by policy"), "{refused:?}");
}
