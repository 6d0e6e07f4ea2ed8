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

use serde_json::{Value, json};

use crate::stage::{Container, Done, Gate, IMAGE, curl, docker, engine, name};
use stranger::Stranger;

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

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn tests_reach_no_container_and_no_network_but_their_own() {
    let gate = ready("testcontainers");
    let socket = gate.socket();
    let stranger = Stranger::running(&["--label", "org.testcontainers=true"]);
    let own = Container(name("own"));
    let run = ["run", "-d", "--name", &own.0, IMAGE, "sleep", "600"];
    docker(&socket, &run).ok();
    docker(&socket, &["exec", &own.0, "true"]).ok();

    stranger.is_out_of_reach(&socket, &[]);

    let theirs = name("net");
    docker(engine(), &["network", "create", &theirs]).ok();
    let body = json!({"Name": name("net"), "Labels": {"org.testcontainers": "true"}});
    let (status, made) = ask(&socket, "POST", "/networks/create", Some(&body));
    assert_eq!(status, 201, "{made}");
    let ours = made["Id"].as_str().unwrap();
    let member = json!({"Container": own.0});
    let other = json!({"Container": stranger.name()});
    let drawn = ask(
        &socket,
        "POST",
        &format!("/networks/{ours}/connect"),
        Some(&other),
    );
    assert_eq!(drawn.0, 403, "{}", drawn.1);
    stranger.is_as_it_was();
    for (network, expected) in [
        (theirs.as_str(), [403, 403, 403, 403]),
        (ours, [200, 200, 200, 204]),
    ] {
        let path = format!("/networks/{network}");
        let connect = format!("{path}/connect");
        let disconnect = format!("{path}/disconnect");
        let statuses = [
            ask(&socket, "GET", &path, None).0,
            ask(&socket, "POST", &connect, Some(&member)).0,
            ask(&socket, "POST", &disconnect, Some(&member)).0,
            ask(&socket, "DELETE", &path, None).0,
        ];
        assert_eq!(statuses, expected, "{network}");
    }
    docker(engine(), &["network", "rm", &theirs]).ok();
}

/// Ryuk itself is not here: the docker CLI, in a container that has this policy's own socket where Ryuk
/// would get it, does what Ryuk does.
#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_reaper_at_the_policys_own_socket_removes_what_tests_left_and_nothing_else() {
    const SESSION: &str = "org.testcontainers.sessionId=d5c1";
    let gate = ready_with("testcontainers", |text| {
        let own = std::env::temp_dir().join("*/run/scene/docker.sock");
        let line = format!("container.mounts = [\"{}\"]\n", own.display());
        let key = "container.publish";
        assert_eq!(text.matches(key).count(), 1);
        text.replace(key, &(line + key))
    });
    let socket = gate.socket();
    let stranger = Stranger::running(&["--label", SESSION]);
    let left = Container(name("left"));
    let run = ["run", "-d", "--label", SESSION, "--name", &left.0, IMAGE];
    docker(&socket, &[&run[..], &["sleep", "600"]].concat()).ok();

    let remove = |what: &str| format!("docker -H unix:///s rm -f {what}");
    let list = format!("docker -H unix:///s ps -aq --no-trunc --filter label={SESSION}");
    let script = format!("{list}; {}; {}", remove(&left.0), remove(stranger.name()));
    let reap = |inside: &Path| {
        let bind = format!("{}:/s", inside.display());
        let run = ["run", "-d", "-v", &bind, IMAGE, "sh", "-c", &script];
        docker(&socket, &run)
    };
    let refused = reap(engine());
    assert!(refused.err.contains("container.mounts"), "{refused:?}");
    assert!(exists(&left.0));
    let reaper = Container(reap(&socket).ok().trim().to_owned());
    docker(&socket, &["wait", &reaper.0]).ok();
    let said = docker(&socket, &["logs", &reaper.0]);
    assert!(said.err.contains("refused by policy"), "{said:?}");
    assert!(!exists(&left.0), "{said:?}");
    stranger.is_as_it_was();
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
