//! A volume has nothing but its name, and is own all the same.

use super::made::{Keeper, listening};
use super::*;

const OWN: &str = r#"
allow = ["POST /volumes/create"]

[[rule]]
allow = "DELETE /volumes/{name}"
target.own = true

[[rule]]
allow = "GET /volumes/{name}"
target.label = "l"
"#;

fn create(keeper: &Keeper, name: &str) {
    let body = json!({"Name": name}).to_string();
    let answer = keeper.gate.client().post("/volumes/create", &body);
    assert_eq!(answer.status(), 201, "{}", answer.text());
}

fn remove(keeper: &Keeper, name: &str) -> (u16, String) {
    ask(&keeper.gate, "DELETE", &format!("/volumes/{name}"))
}

/// Waits until a volume that was made here may be removed, which does nothing at this engine.
fn wait_own(keeper: &Keeper, name: &str) {
    wait_until(&format!("{name} is own"), || remove(keeper, name).0 == 204);
}

fn begin(engine: &Engine) -> Keeper {
    let keeper = Keeper::before(engine, OWN);
    listening(engine);
    create(&keeper, "mine");
    wait_own(&keeper, "mine");
    keeper
}

#[test]
fn a_volume_is_own_if_the_engine_knew_none_of_that_name() {
    let engine = Engine::start();
    let theirs = "2020-01-01T00:00:00Z".to_owned();
    engine.world().volumes.insert("theirs".to_owned(), theirs);
    let keeper = begin(&engine);
    // Docker says 201 of it, too.
    create(&keeper, "theirs");
    assert_eq!(remove(&keeper, "theirs").0, 403);

    let unnamed = || {
        let answer = keeper.gate.client().post("/volumes/create", "{}");
        let made: Value = serde_json::from_str(&answer.text()).unwrap();
        made["Name"].as_str().unwrap().to_owned()
    };
    let mut name = String::new();
    assert_eq!(
        engine.count(|| name = unnamed()),
        0,
        "the engine chose the name"
    );
    wait_own(&keeper, &name);

    engine.world().mood = Mood::HangsUp;
    create(&keeper, "doubtful");
    engine.world().mood = Mood::Answers;
    assert_eq!(remove(&keeper, "doubtful").0, 403);
    create(&keeper, "mine");
    wait_own(&keeper, "mine");
}

#[test]
fn a_volume_that_is_destroyed_is_forgotten_and_the_next_of_its_name_is_not_own() {
    let engine = Engine::start();
    let keeper = begin(&engine);
    let (_, created) = engine.world().volumes.remove_entry("mine").unwrap();
    let again = created.clone();
    engine.world().volumes.insert("mine".to_owned(), again);
    engine.event("volume", "destroy", "mine");
    keeper.wait_lines(&[]);
    assert_eq!(remove(&keeper, "mine").0, 403);

    create(&keeper, "gone");
    wait_own(&keeper, "gone");
    engine.world().volumes.remove("gone");
    assert_eq!(remove(&keeper, "gone").0, 404);
    assert!(keeper.lines().is_empty(), "{:?}", keeper.lines());
}

#[test]
fn while_events_are_not_heard_nobody_can_tell() {
    let engine = Engine::start();
    let keeper = begin(&engine);
    engine.world().mute = true;
    engine.hang_up();
    wait_until("it cannot be told", || remove(&keeper, "mine").0 == 403);
    let (status, text) = remove(&keeper, "mine");
    assert!(
        status == 403 && text.contains("could not be found out"),
        "{text}"
    );
    let label = ask(&keeper.gate, "GET", "/volumes/mine");
    assert_eq!(label.0, 200, "a label can be told");
    engine.world().mute = false;
    wait_own(&keeper, "mine");
}

#[test]
fn after_a_gap_only_the_volume_of_the_same_moment_is_own() {
    let engine = Engine::start();
    let keeper = begin(&engine);
    create(&keeper, "other");
    let lines = keeper.lines();
    let swap = |name: &str| {
        let later = "2026-02-02T00:00:00Z".to_owned();
        engine.world().volumes.insert(name.to_owned(), later);
    };
    engine.world().mute = true;
    engine.hang_up();
    swap("mine");
    engine.world().mute = false;
    keeper.wait_lines(&[&lines[1]]);
    assert_eq!(remove(&keeper, "mine").0, 403);
    wait_own(&keeper, "other");

    let keeper = keeper.again(&engine, || {});
    wait_own(&keeper, "other");
    let keeper = keeper.again(&engine, || swap("other"));
    keeper.wait_lines(&[]);
    assert_eq!(remove(&keeper, "other").0, 403);
}
