//! Engines that stop, come back, or are others.

use crate::stage::{Gate, OwnEngine, docker, engine, viewer};

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn stopped_engine_is_said_in_our_words_and_found_when_it_is_back() {
    let own = OwnEngine::start();
    let gate = Gate::before(&own.socket(), &viewer());
    docker(&gate.socket(), &["ps"]).ok();

    own.verb("stop");
    let down = docker(&gate.socket(), &["ps"]);
    assert_ne!(down.code, 0);
    let socket = own.socket().display().to_string();
    assert!(
        down.err.contains("quaygate") && down.err.contains(&socket),
        "{}",
        down.err
    );

    own.verb("start");
    docker(&gate.socket(), &["ps"]).ok();
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn gate_asks_the_engine_it_was_given() {
    let own = OwnEngine::start();
    let policy = "allow = [\"GET /_ping\", \"GET /images/json\"]";
    let here = Gate::before(engine(), policy);
    let there = Gate::before(&own.socket(), policy);
    let images =
        |gate: &Gate| docker(&gate.socket(), &["images", "--format", "{{.Repository}}"]).ok();

    assert!(images(&here).contains("quaygate-test"));
    assert_eq!(images(&there), "", "the second engine has no image");
}
