//! What the gate remembers of a real engine's objects: others remove them, the engine restarts.

use std::path::Path;

use crate::stage::{Gate, IMAGE, OwnEngine, docker, engine, import_small_image, name, wait_until};

const OWN: &str = r#"
allow = [
  "GET /_ping", "POST /containers/create", "POST /networks/create", "GET /images/{name}/json",
]

[[rule]]
name = "own"
allow = ["GET /containers/{id}/json", "POST /containers/{id}/rename", "GET /networks/{id}"]
target.own = true
"#;

/// The id that a command printed.
fn id(output: &str) -> String {
    output.trim().to_owned()
}

fn create(socket: &Path) -> String {
    id(&docker(socket, &["create", IMAGE, "true"]).ok())
}

/// Waits until it is or is not written down.
fn wait_written(gate: &Gate, id: &str, expected: bool) {
    let what = format!("{id} is written down: {expected}");
    let ends = |line: &String| line.ends_with(id);
    wait_until(&what, || gate.made().iter().any(ends) == expected);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn what_somebody_else_removes_is_forgotten() {
    let gate = Gate::before(engine(), OWN);
    let [gone, kept] = [(); 2].map(|()| create(&gate.socket()));
    let network = name("net");
    let network = id(&docker(&gate.socket(), &["network", "create", &network]).ok());
    for id in [&gone, &kept, &network] {
        wait_written(&gate, id, true);
    }
    docker(engine(), &["rm", &gone]).ok();
    docker(engine(), &["network", "rm", &network]).ok();
    wait_written(&gate, &gone, false);
    wait_written(&gate, &network, false);
    docker(&gate.socket(), &["inspect", "--type", "container", &kept]).ok();
    docker(engine(), &["rm", &kept]).ok();
    wait_written(&gate, &kept, false);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn what_is_gone_while_the_engine_or_the_gate_is_down_is_forgotten_later() {
    let own = OwnEngine::start();
    import_small_image(&own.socket(), IMAGE, &["true"]);
    let gate = Gate::before(&own.socket(), OWN);
    let [first, second, kept] = [(); 3].map(|()| create(&gate.socket()));
    own.verb("stop");
    own.verb("start");
    // Whether or not the gate has noticed that the engine is back.
    docker(&own.socket(), &["rm", &first]).ok();
    wait_written(&gate, &first, false);
    docker(&gate.socket(), &["inspect", "--type", "container", &second]).ok();

    let gate = gate.restart_after(|| {
        docker(&own.socket(), &["rm", &second]).ok();
    });
    wait_written(&gate, &second, false);
    docker(&gate.socket(), &["inspect", "--type", "container", &kept]).ok();
    assert_eq!(gate.made(), [format!("container {kept}")]);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_label_is_right_through_removals_and_new_containers_of_the_name() {
    let policy = r#"
allow = ["GET /_ping"]

[[rule]]
allow = "GET /containers/{id}/json"
target.label = "mine=yes"
"#;
    let gate = Gate::before(engine(), policy);
    let web = name("web");
    let make = |label: &str| {
        let arguments = ["create", "--name", &web, "--label", label, IMAGE, "true"];
        id(&docker(engine(), &arguments).ok())
    };
    let sees = |name: &str| {
        let seen = docker(&gate.socket(), &["inspect", "--type", "container", name]);
        seen.code == 0
    };
    for _ in 0..5 {
        let mine = make("mine=yes");
        assert!(sees(&mine) && sees(&mine) && sees(&web));
        docker(engine(), &["rm", &mine]).ok();
        assert!(!sees(&mine));
        let theirs = make("mine=no");
        assert!(!sees(&theirs) && !sees(&theirs) && !sees(&web) && !sees(&mine));
        docker(engine(), &["rm", &theirs]).ok();
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_volume_is_own_until_somebody_else_removes_it() {
    let policy = r#"
allow = ["GET /_ping", "POST /volumes/create"]

[[rule]]
name = "own"
allow = ["GET /volumes/{name}", "DELETE /volumes/{name}"]
target.own = true
"#;
    let gate = Gate::before(engine(), policy);
    let volume =
        |socket: &Path, verb: &str, name: &str| docker(socket, &["volume", verb, name]).code == 0;
    let [mine, lost, theirs] = ["mine", "lost", "theirs"].map(name);
    docker(engine(), &["volume", "create", &theirs]).ok();
    for name in [&mine, &lost, &theirs] {
        assert!(volume(&gate.socket(), "create", name));
    }
    for name in [&mine, &lost] {
        wait_until("it is own", || volume(&gate.socket(), "inspect", name));
    }
    assert!(!volume(&gate.socket(), "inspect", &theirs));
    assert!(!volume(&gate.socket(), "rm", &theirs));

    let gate = gate.restart();
    wait_until("it is own still", || {
        volume(&gate.socket(), "inspect", &mine)
    });
    // Created anew by somebody else, and by whoever made it first: he did not make this one.
    docker(engine(), &["volume", "rm", &lost]).ok();
    docker(engine(), &["volume", "create", &lost]).ok();
    wait_until("it is nobody's", || {
        !volume(&gate.socket(), "inspect", &lost)
    });
    assert!(volume(&gate.socket(), "create", &lost));
    assert!(!volume(&gate.socket(), "rm", &lost));
    assert!(volume(&gate.socket(), "rm", &mine));
    wait_until("it is forgotten", || gate.made().is_empty());
    docker(engine(), &["volume", "rm", &lost, &theirs]).ok();
}
