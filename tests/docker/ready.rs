//! The ready policies that let a service make containers, each with the client it is for: its work is
//! done, and what would reach the host leaves no container behind.
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
mod services;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

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
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("policies/{policy}.toml"));
    Gate::before(engine(), &fs::read_to_string(file).unwrap())
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
