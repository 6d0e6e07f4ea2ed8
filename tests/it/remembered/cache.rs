//! Objects that are named by their full ids are asked about once.

use super::*;

const HEALER: &str = r#"
[[rule]]
name = "heal"
allow = "POST /containers/{id}/restart"
target.label = "heal=yes"

[[rule]]
name = "stop"
allow = "POST /containers/{id}/stop"
target.name = "web"
target.label = "heal=yes"
"#;

fn restart(gate: &Gate, name: &str) -> u16 {
    ask(gate, "POST", &format!("/containers/{name}/restart")).0
}

/// A gate that follows the events, and knows both containers.
fn begin(engine: &Engine) -> Gate {
    let gate = Gate::with_policy(&engine.docker, HEALER);
    learn(engine, &gate);
    gate
}

/// Waits until no question is asked any more.
fn learn(engine: &Engine, gate: &Gate) {
    wait_until("both containers are known", || {
        let asks = || {
            assert_eq!(restart(gate, &id('a')), 204);
            assert_eq!(restart(gate, &id('b')), 403);
        };
        engine.count(asks) == 0
    });
}

/// Waits until the container is asked about anew.
fn forgets(engine: &Engine, gate: &Gate, what: &str) {
    wait_until(what, || {
        let asks = || {
            restart(gate, &id('a'));
        };
        engine.count(asks) == 1
    });
}

#[test]
fn a_full_id_is_asked_about_once_and_a_name_every_time() {
    let engine = Engine::start();
    let gate = begin(&engine);
    let heard = engine.heard().len();
    assert_eq!(
        engine.count(|| assert_eq!(restart(&gate, &id('a')), 204)),
        0
    );
    assert_eq!(
        engine.count(|| assert_eq!(restart(&gate, &id('b')), 403)),
        0
    );
    let restarted = format!("POST /containers/{}/restart", id('a'));
    assert_eq!(engine.heard()[heard..], [restarted]);
    for (name, status) in [("web", 204), ("db", 403), (&id('a')[..12], 404)] {
        let asks = || assert_eq!(restart(&gate, name), status, "{name}");
        assert_eq!(engine.count(asks), 1, "{name}");
    }
}

#[test]
fn who_goes_by_the_name_asks_every_time() {
    let engine = Engine::start();
    let gate = begin(&engine);
    let stop = || ask(&gate, "POST", &format!("/containers/{}/stop", id('a'))).0;
    assert_eq!(engine.count(|| assert_eq!(stop(), 204)), 1);
    // No event says so: it is asked all the same.
    engine.make('a', "other", json!({"heal": "yes"}));
    assert_eq!(engine.count(|| assert_eq!(stop(), 403)), 1);
}

#[test]
fn what_is_gone_or_renamed_is_asked_about_anew() {
    let engine = Engine::start();
    let gate = begin(&engine);
    engine.event("container", "rename", &id('a'));
    forgets(&engine, &gate, "a renamed container is asked about");
    learn(&engine, &gate);
    engine.world().containers.remove(&id('a'));
    engine.event("container", "destroy", &id('a'));
    forgets(&engine, &gate, "a container that is gone is asked about");
    assert_eq!(restart(&gate, &id('a')), 404);
    let others = || assert_eq!(restart(&gate, &id('b')), 403);
    assert_eq!(engine.count(others), 0, "the other one is still known");
}

#[test]
fn nothing_is_known_while_events_may_be_missed() {
    let engine = Engine::start();
    let gate = begin(&engine);
    let breaks: [fn(&Engine); 3] = [
        Engine::hang_up,
        |engine| engine.say("{\"Type\":\"container\"}"),
        |engine| engine.say("not json"),
    ];
    for breaks in breaks {
        engine.world().mute = true;
        breaks(&engine);
        forgets(&engine, &gate, "a broken stream empties the memory");
        for _ in 0..3 {
            let asks = || assert_eq!(restart(&gate, &id('a')), 204);
            assert_eq!(engine.count(asks), 1);
        }
        engine.world().mute = false;
        learn(&engine, &gate);
    }
}

#[test]
fn an_engine_that_hangs_or_hangs_up_in_the_middle_of_a_question_has_said_nothing() {
    let engine = Engine::start();
    let gate = Gate::with_policy(&engine.docker, HEALER);
    for mood in [Mood::HangsUp, Mood::Hangs] {
        engine.world().mood = mood;
        let (status, text) = ask(&gate, "POST", "/containers/web/restart");
        assert_eq!(status, 403, "{text}");
        assert!(text.contains("could not be found out"), "{text}");
    }
    assert!(engine.heard().is_empty(), "nothing went on");
    engine.world().mood = Mood::Answers;
    assert_eq!(restart(&gate, "web"), 204);
}
