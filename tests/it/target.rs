//! Rules that are about certain objects: what reaches Docker is about the object that was judged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::{Client, Exchange, FakeDocker, Gate, ok};

mod own_container;

mod connect;
mod reference;

/// A container of the engine below.
#[derive(Clone)]
struct Container {
    id: String,
    name: String,
    labels: BTreeMap<String, String>,
}

impl Container {
    fn new(digit: char, name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter();
        Self {
            id: digit.to_string().repeat(64),
            name: name.to_owned(),
            labels: labels.map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        }
    }

    fn document(&self) -> String {
        serde_json::json!({
            "Id": self.id,
            "Name": format!("/{}", self.name),
            "Config": {"Image": "ghcr.io/acme/app:1", "Labels": self.labels},
        })
        .to_string()
    }
}

/// An engine that resolves names, full ids and beginnings of ids, as dockerd does.
struct Engine {
    docker: FakeDocker,
    containers: Arc<Mutex<Vec<Container>>>,
}

impl Engine {
    fn start() -> Self {
        let containers = Arc::new(Mutex::new(vec![
            Container::new('a', "web", &[("autoheal", "true")]),
            Container::new('b', "db", &[("tier", "data")]),
        ]));
        let theirs = Arc::clone(&containers);
        let docker = FakeDocker::start(move |exchange| serve(exchange, &theirs));
        Self { docker, containers }
    }

    /// The gate's own questions about objects.
    fn questions(&self) -> Vec<String> {
        let requests = self.docker.requests().into_iter();
        let questions = requests.filter(|request| request.head.connection("close"));
        questions
            .map(|request| request.target().to_owned())
            .collect()
    }

    /// What callers' requests came to, the gate's own questions apart.
    fn heard(&self) -> Vec<String> {
        let requests = self.docker.requests().into_iter();
        let calls = requests.filter(|request| request.head.get("x-call").is_some());
        calls
            .map(|request| format!("{} {}", request.head.word(0), request.target()))
            .collect()
    }
}

fn serve(exchange: &mut Exchange, containers: &Mutex<Vec<Container>>) {
    let body = exchange.read_body();
    let target = exchange.target().to_owned();
    let containers = containers.lock().unwrap().clone();
    let parts: Vec<&str> = target.trim_start_matches('/').split(['/', '?']).collect();
    let answer = match (exchange.method(), &parts[..]) {
        ("GET", ["containers", name, "json"]) => {
            let all = containers.iter();
            let found = all
                .clone()
                .find(|container| container.id == **name || container.name == **name)
                .map_or_else(
                    || all.filter(|c| c.id.starts_with(*name)).collect(),
                    |c| vec![c],
                );
            match found[..] {
                [one] => ok(&one.document()),
                [] => status("404 Not Found", &format!("No such container: {name}")),
                _ => status("400 Bad Request", "ambiguous"),
            }
        }
        ("GET", ["exec", _, "json"]) => ok(&format!("{{\"ContainerID\":\"{}\"}}", "b".repeat(64))),
        ("GET", ["networks", name]) => ok(&format!(
            "{{\"Id\":\"{}\",\"Name\":\"{name}\",\"Labels\":{{\"open\":\"yes\"}}}}",
            "e".repeat(64)
        )),
        ("POST", ["containers", "create"]) => {
            let id = String::from_utf8(body).unwrap().len() % 10;
            created(&id.to_string())
        }
        ("POST", ["containers", _, "exec"]) => created("e"),
        _ => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    };
    exchange.send(&answer);
}

fn created(digit: &str) -> Vec<u8> {
    let text = format!("{{\"Id\":\"{}\"}}", digit.repeat(64));
    let length = text.len();
    format!("HTTP/1.1 201 Created\r\nContent-Length: {length}\r\n\r\n{text}").into_bytes()
}

fn status(line: &str, message: &str) -> Vec<u8> {
    let body = format!("{{\"message\":\"{message}\"}}");
    format!(
        "HTTP/1.1 {line}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Asks as a client does; the header tells its calls from the gate's questions.
fn ask(gate: &Gate, method: &str, target: &str) -> (u16, String) {
    ask_by(gate.client(), method, target)
}

fn ask_by(mut client: Client, method: &str, target: &str) -> (u16, String) {
    let answer = client
        .send_raw(format!(
            "{method} {target} HTTP/1.1\r\nHost: d\r\nX-Call: 1\r\nContent-Length: 0\r\n\r\n"
        ))
        .read_response();
    let text = answer.text();
    (answer.status(), text)
}

const HEALER: &str = r#"
[[rule]]
name = "heal"
allow = "POST /containers/{id}/restart"
target.label = "autoheal=true"
"#;

#[test]
fn however_it_is_addressed_the_call_is_about_the_object_that_was_judged() {
    let engine = Engine::start();
    let gate = Gate::with_policy(&engine.docker, HEALER);
    let (web, db) = ("a".repeat(64), "b".repeat(64));
    for spelled in ["web", &web, &web[..12], "aa", "w%65b"] {
        let before = engine.heard().len();
        let (status, text) = ask(
            &gate,
            "POST",
            &format!("/v1.41/containers/{spelled}/restart?t=1"),
        );
        assert_eq!(status, 204, "{spelled}: {text}");
        assert_eq!(
            engine.heard()[before..],
            [format!("POST /v1.41/containers/{web}/restart?t=1")],
            "{spelled}"
        );
    }
    let before = engine.heard().len();
    for spelled in ["db", &db, &db[..12], "b"] {
        let (status, text) = ask(
            &gate,
            "POST",
            &format!("/v1.41/containers/{spelled}/restart"),
        );
        assert_eq!(status, 403, "{spelled}");
        assert!(text.contains("its object does not meet"), "{text}");
        assert!(text.contains("autoheal=true"), "{text}");
    }
    assert_eq!(engine.heard().len(), before, "nothing about another object");
    for (decision, id, name) in [("allow", web, "web"), ("deny", db, "db")] {
        let record = gate.wait_record(name, |record| {
            record["target"]["name"] == name && record["kind"] == "final"
        });
        assert_eq!(record["target"]["id"], id);
        assert_eq!(record["decision"], decision);
    }
}

#[test]
fn a_name_that_changes_hands_after_the_judgement_leads_nowhere_else() {
    let engine = Engine::start();
    let gate = Gate::with_policy(&engine.docker, HEALER);
    assert_eq!(ask(&gate, "POST", "/containers/web/restart").0, 204);
    {
        let mut containers = engine.containers.lock().unwrap();
        containers[0].name = "old".to_owned();
        containers[1].name = "web".to_owned();
    }
    let before = engine.heard().len();
    assert_eq!(ask(&gate, "POST", "/containers/web/restart").0, 403);
    assert_eq!(engine.heard().len(), before);
    assert_eq!(ask(&gate, "POST", "/containers/old/restart").0, 204);
    assert_eq!(
        engine.heard()[before],
        format!("POST /containers/{}/restart", "a".repeat(64))
    );
}

#[test]
fn a_missing_object_is_dockers_own_answer_and_a_doubt_is_refused() {
    let engine = Engine::start();
    engine
        .containers
        .lock()
        .unwrap()
        .push(Container::new('a', "twin", &[("autoheal", "true")]));
    engine.containers.lock().unwrap()[2].id = format!("aaab{}", "c".repeat(60));
    let gate = Gate::with_policy(&engine.docker, HEALER);

    let (status, text) = ask(&gate, "POST", "/containers/nothing/restart");
    assert_eq!(
        (status, text.contains("No such container: nothing")),
        (404, true),
        "{text}"
    );
    let (status, text) = ask(&gate, "POST", "/containers/aaa/restart");
    assert_eq!(status, 403);
    assert!(text.contains("could not be found out"), "{text}");
    assert!(engine.heard().is_empty());
    for reason in ["target-absent", "target-unclear"] {
        gate.wait_record(reason, |record| record["reason"] == reason);
    }
}

#[test]
fn nothing_is_asked_where_no_rule_has_a_target_or_another_rule_allows() {
    let engine = Engine::start();
    let others = r#"
allow = ["GET /containers/{id}/logs"]

[[rule]]
allow = "POST /containers/{id}/restart"
query.t = 7
"#;
    let policy = format!("{others}{HEALER}");
    let gate = Gate::with_policy(&engine.docker, &policy);
    for (method, target) in [
        ("GET", "/containers/db/logs"),
        ("POST", "/containers/db/restart?t=7"),
    ] {
        assert_eq!(ask(&gate, method, target).0, 204, "{target}");
    }
    assert!(engine.questions().is_empty());
}

#[test]
fn an_exec_is_judged_by_its_container() {
    let engine = Engine::start();
    let rule = |label: &str| {
        format!(
            "[[rule]]\nallow = \"GET /exec/{{id}}/json\"\nany_exec = true\ntarget.label = \"{label}\"\n"
        )
    };
    for (label, status) in [("tier=data", 200), ("autoheal=true", 403)] {
        let gate = Gate::with_policy(&engine.docker, &rule(label));
        assert_eq!(ask(&gate, "GET", "/exec/e1/json").0, status, "{label}");
    }
}

#[test]
fn the_container_of_an_exec_that_was_created_here_is_not_asked_twice() {
    let engine = Engine::start();
    let rule = r#"
[[rule]]
allow = ["POST /containers/{id}/exec", "GET /exec/{id}/json"]
target.label = "autoheal=true"
"#;
    let gate = Gate::with_policy(&engine.docker, rule);
    let answer = gate.client().post("/containers/web/exec", "{\"Cmd\":[]}");
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let exec = "e".repeat(64);
    // The engine would say that it is in the other container.
    assert_eq!(ask(&gate, "GET", &format!("/exec/{exec}/json")).0, 200);
    let by_id = format!("/containers/{}/json", "a".repeat(64));
    assert_eq!(engine.questions(), ["/containers/web/json", &by_id]);
}

#[test]
fn own_is_what_was_created_through_this_socket_and_it_survives_a_restart() {
    let engine = Engine::start();
    let policy = r#"
allow = ["POST /containers/create"]
[[rule]]
name = "own"
allow = "DELETE /containers/{id}"
target.own = true
"#;
    let state = tempfile::tempdir().unwrap();
    let state = ["--state-dir", state.path().to_str().unwrap()];
    let gate = Gate::start(engine.docker.path(), policy, &state);
    // Its length makes this the container 2…2, see `serve`.
    let answer = gate.client().post("/containers/create", "{}");
    assert_eq!(answer.status(), 201);
    let own = "2".repeat(64);
    engine.containers.lock().unwrap().push(Container {
        id: own.clone(),
        name: "mine".to_owned(),
        labels: BTreeMap::new(),
    });

    assert_eq!(ask(&gate, "DELETE", "/containers/db").0, 403);
    assert_eq!(ask(&gate, "DELETE", "/containers/mine").0, 204);
    drop(gate);
    let gate = Gate::start(engine.docker.path(), policy, &state);
    assert_eq!(ask(&gate, "DELETE", "/containers/mine").0, 204);
    assert_eq!(ask(&gate, "DELETE", "/containers/web").0, 403);
    drop(gate);

    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = ["--state-dir", elsewhere.path().to_str().unwrap()];
    let other = Gate::start(engine.docker.path(), policy, &elsewhere);
    assert_eq!(ask(&other, "DELETE", "/containers/mine").0, 403);
    let deleted = format!("DELETE /containers/{own}");
    assert_eq!(engine.heard(), [deleted.clone(), deleted]);
}
