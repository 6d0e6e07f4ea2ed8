//! The gate's own container: whoever may act on any container looks at this one and does nothing to it.

use super::connect::{named, send_by};
use super::{Container, Engine, HEALER, ask_by};
use crate::support::Inside;

const PLAIN: &str = r#"
allow = [
  "GET,POST /containers/{id}/*", "DELETE /containers/{id}", "POST /containers/{id}/exec", "POST /containers/{id}/attach",
  "GET /containers/{id}/export", "GET,PUT /containers/{id}/archive",
]

[[rule]]
allow = ["POST /containers/{id}/update", "POST /commit"]
body = "unchecked"

[[rule]]
allow = ["POST /networks/{id}/connect", "POST /networks/{id}/disconnect"]

[[rule]]
allow = ["GET /exec/{id}/json", "POST /exec/{id}/resize"]
any_exec = true
"#;

/// An engine that has the gate's container too, and the gate in it.
struct Stage {
    engine: Engine,
    gate: Inside,
    id: String,
}

impl Stage {
    fn with(policy: &str) -> Self {
        Self::at('c', policy)
    }

    /// A gate in the container whose id is this digit all over.
    fn at(digit: char, policy: &str) -> Self {
        let engine = Engine::start();
        let container = Container::new('c', "gate", &[("autoheal", "true")]);
        engine.containers.lock().unwrap().push(container);
        let id = digit.to_string().repeat(64);
        let gate = Inside::in_container(engine.docker.path(), &[("p", policy)], &id);
        Self { engine, gate, id }
    }

    /// A gate that has asked for its name.
    fn named(policy: &str) -> Self {
        let stage = Self::with(policy);
        stage.gate.ask_own_name();
        stage
    }

    fn ask(&self, method: &str, target: &str) -> (u16, String) {
        ask_by(self.gate.client("p"), method, target)
    }

    /// A connect or disconnect of this container.
    fn name_in_body(&self, target: &str, container: &str) -> (u16, String) {
        send_by(self.gate.client("p"), target, &named(container))
    }

    /// What a call came to, and how many requests the engine heard because of it.
    fn cost(&self, method: &str, target: &str) -> (u16, usize) {
        let before = self.engine.docker.requests().len();
        let (status, _) = self.ask(method, target);
        (status, self.engine.docker.requests().len() - before)
    }
}

#[test]
fn no_spelling_of_the_gates_container_leads_a_change_to_it() {
    let stage = Stage::named(PLAIN);
    let beginnings = (1..=stage.id.len()).map(|end| stage.id[..end].to_owned());
    let spelled: Vec<String> = beginnings.chain(["gate".to_owned()]).collect();
    for name in &spelled {
        let target = format!("/v1.41/containers/{name}/stop");
        let (status, text) = stage.ask("POST", &target);
        assert_eq!(status, 403, "{name}: {text}");
        assert!(text.contains("target.name = \\\"gate\\\""), "{text}");
    }
    for (method, rest) in [
        ("POST", "/start"),
        ("POST", "/kill"),
        ("POST", "/restart"),
        ("POST", "/pause"),
        ("POST", "/rename?name=x"),
        ("POST", "/update"),
        ("POST", "/wait"),
        ("POST", "/resize"),
        ("POST", "/exec"),
        ("POST", "/attach?stream=1"),
        ("GET", "/export"),
        ("GET", "/archive?path=/etc"),
        ("PUT", "/archive?path=/etc"),
        ("DELETE", "?force=1"),
    ] {
        for name in ["gate", &stage.id] {
            let target = format!("/containers/{name}{rest}");
            assert_eq!(stage.cost(method, &target), (403, 1), "{method} {target}");
        }
    }
    for name in ["gate", "%2Fgate", "cc", &stage.id] {
        let target = format!("/commit?repo=x&container={name}");
        assert_eq!(stage.ask("POST", &target).0, 403, "{target}");
    }
    assert!(stage.engine.heard().is_empty());
    let records = stage.gate.finish();
    let record = records
        .iter()
        .find(|record| record["reason"] == "target-gate");
    assert_eq!(record.unwrap()["target"]["name"], "gate");
}

#[test]
fn a_query_is_no_way_into_the_gates_own_questions() {
    let stage = Stage::named(PLAIN);
    for name in ["web%2Fexport%3F", "..%2Fimages%2Fweb%2Fget%3F", "%2F%2Fweb"] {
        let target = format!("/commit?repo=x&container={name}");
        assert_eq!(stage.cost("POST", &target), (403, 0), "{target}");
    }
    assert_eq!(stage.cost("POST", "/commit?repo=x&container=cc").0, 403);
    assert_eq!(stage.cost("POST", "/commit?repo=x&container=web").0, 204);
}

#[test]
fn no_network_is_taken_from_the_gate_or_given_to_it() {
    let stage = Stage::named(PLAIN);
    for verb in ["connect", "disconnect"] {
        let target = format!("/networks/front/{verb}");
        for spelled in ["gate", "/gate", "g\\u0061te", "cc", &stage.id] {
            let (status, text) = stage.name_in_body(&target, spelled);
            assert_eq!(status, 403, "{spelled}: {text}");
            let line = "connect.container.name = \\\"gate\\\"";
            assert!(text.contains(line), "{spelled}: {text}");
        }
        for spelled in ["web/gate", "/web/gate", "%67ate"] {
            let (status, text) = stage.name_in_body(&target, spelled);
            assert!(text.contains("could not be found out"), "{spelled}: {text}");
            assert_eq!(status, 403, "{spelled}");
        }
    }
    assert!(stage.engine.heard().is_empty());
}

#[test]
fn to_connect_others_asks_nothing() {
    let stage = Stage::named(PLAIN);
    for spelled in ["db", "/db", "nobody", "bbb"] {
        let before = stage.engine.docker.requests().len();
        let (status, text) = stage.name_in_body("/networks/front/connect", spelled);
        assert_eq!(status, 204, "{spelled}: {text}");
        let requests = stage.engine.docker.requests().len() - before;
        assert_eq!(requests, 1, "{spelled}");
    }
    let spells =
        "[[rule]]\nallow = \"POST /networks/{id}/connect\"\nconnect.container.name = \"gate\"\n";
    let stage = Stage::named(spells);
    assert_eq!(stage.name_in_body("/networks/front/connect", "cc").0, 204);
}

#[test]
fn looks_and_ordinary_calls_ask_nothing() {
    let stage = Stage::named(PLAIN);
    for (method, target) in [
        ("GET", "/containers/gate/logs"),
        ("GET", "/containers/gate/stats"),
        ("GET", "/containers/gate/top"),
        ("GET", "/containers/gate/changes"),
        ("POST", "/containers/db/stop"),
        ("POST", "/containers/web/kill"),
        ("POST", "/containers/bbbb/restart"),
        ("DELETE", "/containers/gate2"),
        ("POST", "/commit?container=web"),
        ("GET", "/exec/e1/json"),
    ] {
        let (status, requests) = stage.cost(method, target);
        assert!(status < 300, "{method} {target}: {status}");
        assert_eq!(requests, 1, "{method} {target}");
    }
    assert_eq!(stage.cost("GET", "/containers/gate/json"), (200, 1));
}

#[test]
fn another_container_that_looks_like_it_is_reached_under_its_full_id() {
    let stage = Stage::named(PLAIN);
    let other = Container::new('d', "cc", &[]);
    let id = other.id.clone();
    stage.engine.containers.lock().unwrap().push(other);
    assert_eq!(stage.cost("POST", "/containers/cc/stop"), (204, 2));
    assert_eq!(stage.cost("POST", "/commit?container=cc&repo=x"), (204, 2));
    assert_eq!(stage.cost("POST", "/containers/ccc/stop"), (403, 1));
    assert_eq!(stage.cost("POST", "/containers/c_c/stop"), (404, 1));
    assert_eq!(
        stage.engine.heard(),
        [
            format!("POST /containers/{id}/stop"),
            format!("POST /commit?container={id}&repo=x"),
        ]
    );
}

#[test]
fn before_its_name_is_known_every_call_that_may_be_about_it_is_asked_about() {
    let stage = Stage::with(PLAIN);
    assert_eq!(stage.cost("POST", "/containers/web/stop"), (204, 2));
    assert_eq!(stage.cost("GET", "/containers/web/logs"), (204, 1));
    let db = format!("/containers/{}/stop", "b".repeat(64));
    assert_eq!(stage.cost("POST", &db), (204, 1));
    assert_eq!(stage.cost("POST", "/containers/gate/stop"), (403, 1));
    // That answer told its name.
    assert_eq!(stage.cost("POST", "/containers/web/stop"), (204, 1));
}

#[test]
fn its_name_is_followed() {
    let stage = Stage::named(PLAIN);
    stage.engine.containers.lock().unwrap()[2].name = "gate-old".to_owned();
    stage.gate.ask_own_name();
    assert_eq!(stage.cost("POST", "/containers/gate-old/stop"), (403, 1));

    {
        let mut containers = stage.engine.containers.lock().unwrap();
        containers[2].name = "gate-older".to_owned();
        containers[1].name = "gate-old".to_owned();
    }
    // Whoever has its name now shows that it has another one, which nobody has asked for.
    assert_eq!(stage.cost("POST", "/containers/gate-old/stop"), (204, 2));
    assert_eq!(stage.cost("POST", "/containers/gate-older/stop"), (403, 1));
    let db = format!("POST /containers/{}/stop", "b".repeat(64));
    assert_eq!(stage.engine.heard(), [db]);
}

#[test]
fn a_rule_that_spells_its_name_reaches_it_and_no_other_target_does() {
    let rule =
        |line: &str| format!("[[rule]]\nallow = \"POST /containers/{{id}}/restart\"\n{line}\n");
    for (line, status) in [
        ("target.name = \"gate\"", 204),
        ("target.name = \"ga*\"", 403),
    ] {
        let stage = Stage::named(&rule(line));
        assert_eq!(stage.ask("POST", "/containers/cccc/restart").0, status);
    }
    let stage = Stage::named(HEALER);
    assert_eq!(stage.ask("POST", "/containers/gate/restart").0, 403);
    assert_eq!(stage.ask("POST", "/containers/web/restart").0, 204);
}

#[test]
fn an_exec_that_others_created_in_it_is_looked_at_and_not_touched() {
    // The engine's exec runs in container b; to say so takes two questions.
    for (gate, expected) in [('b', (403, 2)), ('c', (204, 3))] {
        let stage = Stage::at(gate, PLAIN);
        let resize = "/exec/e1/resize?h=1&w=1";
        assert_eq!(stage.cost("POST", resize), expected, "{gate}");
        assert_eq!(stage.cost("GET", "/exec/e1/json"), (200, 1), "{gate}");
    }
}
