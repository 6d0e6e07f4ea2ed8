//! What was made through a socket is remembered, and what is gone is not.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const OWN: &str = r#"
allow = ["POST /containers/create", "POST /networks/create"]

[[rule]]
allow = ["POST /containers/{id}/start", "DELETE /networks/{id}"]
target.own = true
"#;

/// A gate with a memory of its own.
pub(super) struct Keeper {
    pub(super) gate: Gate,
    dir: TempDir,
    policy: &'static str,
}

impl Keeper {
    pub(super) fn before(engine: &Engine, policy: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gate = start(engine, policy, dir.path());
        Self { gate, dir, policy }
    }

    /// The same gate after a restart; in between something happens.
    pub(super) fn again(self, engine: &Engine, between: impl FnOnce()) -> Self {
        drop(self.gate);
        between();
        let gate = start(engine, self.policy, self.dir.path());
        Self { gate, ..self }
    }

    fn make(&self, what: &str) -> String {
        let body = if what == "networks" {
            "{\"Name\":\"n\"}"
        } else {
            "{}"
        };
        let mut client = self.gate.client();
        let answer = client.post(&format!("/{what}/create"), body);
        assert_eq!(answer.status(), 201, "{}", answer.text());
        let made: Value = serde_json::from_str(&answer.text()).unwrap();
        made["Id"].as_str().unwrap().to_owned()
    }

    /// What a start would remember.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("test/made")).unwrap();
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            match line.strip_prefix("gone ") {
                Some(gone) => lines.retain(|line| line != gone),
                None => lines.push(line.to_owned()),
            }
        }
        lines
    }

    pub(super) fn wait_lines(&self, expected: &[&str]) {
        wait_until(&format!("the file says {expected:?}"), || {
            self.lines() == expected
        });
    }
}

fn start(engine: &Engine, policy: &str, state: &Path) -> Gate {
    let state = ["--state-dir", state.to_str().unwrap()];
    Gate::start(engine.docker.path(), policy, &state)
}

pub(super) fn listening(engine: &Engine) {
    wait_until("the events are followed", || {
        !engine.world().listeners.is_empty()
    });
}

#[test]
fn what_the_engine_says_is_gone_is_forgotten_at_once_and_in_the_file() {
    let engine = Engine::start();
    let keeper = Keeper::before(&engine, OWN);
    listening(&engine);
    let [first, second] = [(); 2].map(|()| keeper.make("containers"));
    let network = keeper.make("networks");
    let kept = [
        format!("container {first}"),
        format!("container {second}"),
        format!("network {network}"),
    ];
    assert_eq!(keeper.lines(), kept);
    engine.event("container", "destroy", &first);
    // Of another kind: it is not this network.
    engine.event("volume", "destroy", &network);
    keeper.wait_lines(&[&kept[1], &kept[2]]);
    engine.event("network", "destroy", &network);
    keeper.wait_lines(&[&kept[1]]);
}

#[test]
fn what_is_gone_unheard_is_forgotten_when_events_are_heard_again() {
    let engine = Engine::start();
    let keeper = Keeper::before(&engine, OWN);
    listening(&engine);
    let ids = [(); 4].map(|()| keeper.make("containers"));
    let lines = ids.each_ref().map(|id| format!("container {id}"));
    engine.world().mute = true;
    engine.hang_up();
    engine.world().containers.remove(&ids[0]);
    engine.world().mute = false;
    keeper.wait_lines(&[&lines[1], &lines[2], &lines[3]]);

    let keeper = keeper.again(&engine, || {
        engine.world().containers.remove(&ids[1]);
    });
    keeper.wait_lines(&[&lines[2], &lines[3]]);
    let own = |id: &str| ask(&keeper.gate, "POST", &format!("/containers/{id}/start")).0;
    assert_eq!((own(&ids[2]), own("web")), (204, 403));
}

#[test]
fn what_docker_does_not_know_is_forgotten_too() {
    let engine = Engine::start();
    engine.world().mute = true;
    let keeper = Keeper::before(&engine, OWN);
    let made = keeper.make("containers");
    engine.world().containers.remove(&made);
    let target = format!("/containers/{made}/start");
    assert_eq!(ask(&keeper.gate, "POST", &target).0, 404);
    assert!(keeper.lines().is_empty());
}
