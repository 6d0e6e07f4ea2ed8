//! A service in a container that has nothing but the gate's socket directory.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::stage::{Container, Gate, IMAGE, WORKER, docker, engine, name, viewer, wait_until};

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn service_in_a_container_follows_what_happens_to_others() {
    let gate = Gate::before(engine(), &viewer());
    let mount = format!("{}:/gate:ro", gate.socket_dir().display());
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let url = format!("http://docker/events?since={since}");
    let watcher = Container::running(
        "watcher",
        &["-v", &mount, "--network", "none"],
        &["curl", "-sSN", "--unix-socket", "/gate/docker.sock", &url],
    );

    let other = name("other");
    docker(engine(), &["run", "--rm", "--name", &other, IMAGE, "true"]).ok();

    wait_until("create, connect, start of the other container", || {
        let seen = docker(engine(), &["logs", &watcher.0]).out;
        let of_other = |line: &&str| line.contains(&other);
        let actions: Vec<&str> = seen.lines().filter(of_other).collect();
        ["\"create\"", "\"start\""]
            .iter()
            .all(|a| actions.iter().any(|line| line.contains(a)))
            && seen.lines().any(|line| line.contains("\"connect\""))
    });
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn docker_cli_in_a_container_sees_through_the_gate_and_is_stopped_by_it() {
    let gate = Gate::before(engine(), &viewer());
    let mount = format!("{}:/gate", gate.socket_dir().display());
    let inside = |arguments: &[&str]| {
        let all = [
            &[
                "run",
                "--rm",
                "-v",
                &mount,
                "-e",
                "DOCKER_HOST=unix:///gate/docker.sock",
                IMAGE,
                "docker",
            ],
            arguments,
        ]
        .concat();
        docker(engine(), &all)
    };
    let container = Container::running("neighbour", &[], &["sleep", "600"]);

    assert!(inside(&["ps"]).ok().contains(&container.0));
    assert!(inside(&["images"]).ok().contains("quaygate-test"));
    assert!(inside(&["version"]).ok().contains("Server"));
    let refused = inside(&["rm", "-f", &container.0]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("ContainerDelete"), "{}", refused.err);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn gate_that_restarts_is_found_again_by_who_mounted_the_directory() {
    let engine_socket = engine();
    let gate = Gate::before(engine_socket, WORKER);
    let mount = format!("{}:/gate", gate.socket_dir().display());
    let service = Container::running("mounted", &["-v", &mount], &["sleep", "600"]);
    let list = || {
        docker(
            engine_socket,
            &[
                "exec",
                &service.0,
                "curl",
                "-sS",
                "--unix-socket",
                "/gate/docker.sock",
                "http://d/containers/json",
            ],
        )
    };
    assert!(list().ok().contains(&service.0));

    let gate = gate.restart();

    assert!(list().ok().contains(&service.0));
    drop(gate);
}
