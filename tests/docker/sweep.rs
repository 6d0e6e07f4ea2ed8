//! `quaygate sweep` at a real engine: what was made through a socket goes, and nothing else.

use std::path::Path;

use crate::stage::{Gate, IMAGE, docker, engine, name};

/// Makes containers, networks and volumes, and owns them.
const MAKER: &str = r#"
allow = [
  "GET /_ping", "GET /version", "GET /info", "GET /images/{name}/json", "POST /containers/create", "POST /containers/{id}/start",
  "POST /networks/create", "POST /volumes/create",
]

[[rule]]
allow = ["DELETE /containers/{id}", "DELETE /volumes/{name}"]
target.own = true
"#;

/// Removes the containers, networks and volumes of these names when the scene is over, however it ends.
struct Cleared<'a>(&'a [(&'static str, &'a String)]);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        for (_, name) in self.0 {
            docker(engine(), &["rm", "--force", "--volumes", name]);
        }
        for (kind, name) in self.0.iter().filter(|(kind, _)| *kind != "container") {
            docker(engine(), &[kind, "rm", name]);
        }
    }
}

/// A container that runs, one that does not, a network and a volume.
fn make(through: &Path, [running, stopped, network, volume]: [&str; 4]) {
    let run = [
        "run", "-d", "--name", running, "-v", "/data", IMAGE, "sleep", "600",
    ];
    docker(through, &run).ok();
    docker(through, &["create", "--name", stopped, IMAGE, "true"]).ok();
    docker(through, &["network", "create", network]).ok();
    docker(through, &["volume", "create", volume]).ok();
}

fn anonymous_volume(container: &str) -> String {
    let name = "{{(index .Mounts 0).Name}}";
    let told = docker(engine(), &["inspect", "--format", name, container]).ok();
    told.trim().to_owned()
}

/// Whether the engine has an object, and in what state.
fn state(kind: &str, name: &str) -> Option<String> {
    let format = if kind == "container" {
        "{{.Id}} {{.State.Status}}"
    } else {
        "{{.Name}}"
    };
    let told = docker(engine(), &[kind, "inspect", "--format", format, name]);
    (told.code == 0).then_some(told.out)
}

fn states(of: &[(&str, &String)]) -> Vec<Option<String>> {
    of.iter().map(|(kind, name)| state(kind, name)).collect()
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn what_was_made_through_a_socket_goes_and_nothing_else() {
    let policies = ["scene", "other"].map(|name| (name.to_owned(), MAKER.to_owned()));
    let gate = Gate::serving(engine(), &policies);
    let (scene, other) = (gate.socket(), gate.socket_of("other"));
    let base = name("swept");
    let named = |what: &str| format!("{base}-{what}");
    let (running, stopped, net) = (named("running"), named("stopped"), named("net"));
    let (theirs, their_net, beside) = (named("running-2"), named("net-2"), named("beside"));
    let (data, their_data) = (named("data"), named("data-2"));
    let own = [
        ("container", &running),
        ("container", &stopped),
        ("network", &net),
        ("volume", &data),
    ];
    let others = [
        ("container", &theirs),
        ("network", &their_net),
        ("container", &beside),
        ("volume", &their_data),
    ];
    let all = [own, others].concat();
    let _cleared = Cleared(&all);

    make(&scene, [&running, &stopped, &net, &data]);
    docker(
        engine(),
        &["run", "-d", "--name", &theirs, IMAGE, "sleep", "600"],
    )
    .ok();
    docker(engine(), &["network", "create", &their_net]).ok();
    docker(&other, &["create", "--name", &beside, IMAGE, "true"]).ok();
    docker(engine(), &["volume", "create", &their_data]).ok();
    // To make what is there already makes nobody its owner.
    docker(&scene, &["volume", "create", &their_data]).ok();
    let volume = anonymous_volume(&running);

    let before = states(&all);
    let tried = gate.sweep("scene", &["--dry-run"]).ok();
    for (_, name) in own {
        assert!(tried.contains(name.as_str()), "{tried}");
    }
    assert!(
        tried.contains("2 containers, 1 network, 1 volume would go"),
        "{tried}"
    );
    assert_eq!(states(&all), before, "nothing has changed");

    let swept = gate.sweep("scene", &[]).ok();
    assert!(
        swept.contains("removed 2 containers, 1 network, 1 volume"),
        "{swept}"
    );
    assert_eq!(states(&own), [None, None, None, None]);
    assert_eq!(state("volume", &volume), None, "its anonymous volume");
    assert!(
        before.ends_with(&states(&others)),
        "others are as they were"
    );
    let nothing = gate.sweep("scene", &[]).ok();
    assert!(nothing.starts_with("nothing to sweep"), "{nothing}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_network_that_others_are_on_stays_and_is_named() {
    let gate = Gate::before(engine(), MAKER);
    let (busy, theirs, own) = (name("busy"), name("theirs"), name("own"));
    let all = [
        ("network", &busy),
        ("container", &theirs),
        ("container", &own),
    ];
    let _cleared = Cleared(&all);
    docker(&gate.socket(), &["network", "create", &busy]).ok();
    docker(&gate.socket(), &["create", "--name", &own, IMAGE, "true"]).ok();
    let join = [
        "run",
        "-d",
        "--name",
        &theirs,
        "--network",
        &busy,
        IMAGE,
        "sleep",
        "600",
    ];
    docker(engine(), &join).ok();

    let swept = gate.sweep("scene", &[]);
    assert_eq!(swept.code, 1, "{swept:?}");
    let lines: Vec<&str> = swept.out.lines().collect();
    let told = |start: &str| {
        lines
            .iter()
            .find(|line| line.trim_start().starts_with(start))
    };
    assert!(
        told("network")
            .unwrap()
            .ends_with(&format!("on it: {theirs}")),
        "{swept:?}"
    );
    let problem = told("failed").unwrap();
    assert!(
        problem.contains(&busy) && problem.contains("active endpoints"),
        "{problem}"
    );
    assert_eq!(told("removed"), Some(&"removed 1 container"));

    docker(engine(), &["network", "disconnect", &busy, &theirs]).ok();
    let swept = gate.sweep("scene", &[]).ok();
    assert!(swept.contains("removed 1 network"), "{swept}");
    assert_eq!(state("network", &busy), None);
    assert!(state("container", &theirs).unwrap().contains("running"));
}
