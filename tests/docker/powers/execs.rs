//! Execs: one is reached through the socket that made it, and one that is started in the background
//! gets no tunnel.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::play::{is_refusal, unchanged};
use super::raw::{Answer, ask, framed, post, send};
use super::scenery::Scenery;
use super::{assert_recorded, reasons};
use crate::stage::Gate;

const PLAIN: &str = r#"
allow = [
  "POST /containers/{id}/exec",
  "POST /exec/{id}/start",
  "POST /exec/{id}/resize",
  "GET /exec/{id}/json",
]
"#;

const ANY: &str = r#"
[[rule]]
allow = ["POST /exec/{id}/start", "POST /exec/{id}/resize", "GET /exec/{id}/json"]
any_exec = true
"#;

const JSON: &str = "Content-Type: application/json";

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn an_exec_is_reached_through_the_socket_that_made_it_and_no_other() {
    let scenery = Scenery::set();
    let policies = [("mine", PLAIN), ("theirs", PLAIN), ("any", ANY)];
    let policies = policies.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let gate = Gate::serving(scenery.engine(), &policies);
    let [mine, theirs, any] = ["mine", "theirs", "any"].map(|name| gate.socket_of(name));
    let id = create(&scenery, &mine, r#""echo", "hello from it""#);
    let elsewhere = create(&scenery, scenery.engine(), r#""true""#);

    for (socket, id) in [(&theirs, &id), (&mine, &elsewhere), (&theirs, &elsewhere)] {
        for answer in reach(socket, id) {
            assert_eq!(answer.status, 403, "{answer:?}");
            let message = answer.message();
            assert!(
                message.contains("no exec of this id was created through this socket"),
                "{message}"
            );
            assert!(message.contains("any_exec = true"), "{message}");
        }
    }
    for id in [&id, &elsewhere] {
        let state = scenery.inspect(&format!("/exec/{id}/json"));
        assert_eq!(
            (&state["Running"], &state["ExitCode"]),
            (&false.into(), &Value::Null)
        );
    }
    // One refusal of another kind would be another reason.
    let foreign = ["mine", "theirs"].map(|name| (name.to_owned(), "foreign-exec".to_owned()));
    assert_recorded(&gate, &foreign.into());

    let [inspected, resized, started] = reach(&mine, &id);
    assert_eq!(inspected.json()["ID"], *id, "{inspected:?}");
    assert!(!is_refusal(&resized), "{resized:?}");
    assert!(started.body.contains("hello from it"), "{started:?}");
    let [inspected, _, started] = reach(&any, &elsewhere);
    assert_eq!(
        (inspected.status, started.status),
        (200, 200),
        "{inspected:?} {started:?}"
    );
    let ended = scenery.inspect(&format!("/exec/{elsewhere}/json"));
    assert_eq!(ended["ExitCode"], 0, "{ended}");

    // What was made before a restart is forgotten, and the refusal says so.
    let id = create(&scenery, &mine, r#""true""#);
    let gate = gate.restart();
    for answer in reach(&gate.socket_of("mine"), &id) {
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(
            answer.message().contains("since quaygate started"),
            "{answer:?}"
        );
    }
    assert_eq!(reach(&gate.socket_of("any"), &id)[2].status, 200);
    assert_eq!(reasons(&gate).get("any"), None);
}

/// Every way to an exec.
fn reach(socket: &Path, id: &str) -> [Answer; 3] {
    [
        ask(socket, "GET", &format!("/exec/{id}/json")),
        ask(socket, "POST", &format!("/exec/{id}/resize?h=24&w=80")),
        post(socket, &format!("/exec/{id}/start"), r#"{"Detach": false}"#),
    ]
}

fn create(scenery: &Scenery, socket: &Path, command: &str) -> String {
    let target = scenery.filled("/containers/{BOX}/exec");
    let body = format!(r#"{{"Cmd": [{command}], "AttachStdout": true}}"#);
    let made = post(socket, &target, &body);
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["Id"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn an_exec_in_the_background_gets_no_tunnel_that_later_requests_could_ride_through() {
    let scenery = Scenery::set();
    let gate = Gate::serving(scenery.engine(), &[("scene".to_owned(), PLAIN.to_owned())]);
    let socket = gate.socket();
    let upgrade = [JSON, "Connection: Upgrade", "Upgrade: tcp"];
    let start = |id: &str, body: &str| {
        let target = format!("/exec/{id}/start");
        framed("POST", &target, &upgrade, body.as_bytes())
    };
    let smuggled = scenery.filled(r#"{"Image": "{IMAGE}", "HostConfig": {"Privileged": true}}"#);
    let smuggled = framed("POST", "/containers/create", &[JSON], smuggled.as_bytes());

    let id = create(&scenery, &socket, r#""true""#);
    let before = made(&scenery);
    let mut riding = start(&id, r#"{"Detach": true}"#);
    riding.extend_from_slice(&smuggled);
    let said = talk(&socket, &riding);
    let heads: Vec<&str> = said.matches("HTTP/1.1 ").collect();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(
        heads.len() == 2 && said.contains("HTTP/1.1 403"),
        "the second one is judged: {said}"
    );
    unchanged(&before, &made(&scenery)).unwrap();

    // The engine would have taken it.
    let id = create(&scenery, scenery.engine(), r#""true""#);
    let mut riding = start(&id, r#"{"Detach": true}"#);
    riding.extend_from_slice(&smuggled);
    let said = talk(scenery.engine(), &riding);
    assert!(said.contains("HTTP/1.1 201"), "{said}");

    // The twin gets its tunnel.
    let id = create(&scenery, &socket, r#""echo", "hello from it""#);
    let said = talk(&socket, &start(&id, r#"{"Detach": false, "Tty": false}"#));
    assert!(
        said.starts_with("HTTP/1.1 101") && said.contains("hello from it"),
        "{said}"
    );
    let plain = send(&socket, &framed("POST", "/exec/0/start", &[JSON], b"{}"));
    assert_eq!(plain.status, 403, "an id that nobody made: {plain:?}");
}

/// What there is without execs, which go when they end.
fn made(scenery: &Scenery) -> BTreeSet<String> {
    let mut seen = scenery.seen();
    seen.retain(|one| !one.starts_with("exec: "));
    seen
}

/// Everything that comes back until the other side closes.
fn talk(socket: &Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(request).unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    String::from_utf8_lossy(&said).into_owned()
}
