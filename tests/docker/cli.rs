//! Looking and working with curl and the docker CLI.

use crate::stage::{
    Container, Gate, IMAGE, WORKER, curl, docker, engine, name, on_terminal, viewer,
};

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn curl_lists_containers_and_images() {
    let container = Container::running("listed", &[], &["sleep", "600"]);
    let gate = Gate::before(engine(), &viewer());

    // With one slash, as many manuals write it, curl takes the version for a host name.
    for url in [
        "http:/v1.41/containers/json",
        "http://docker/v1.41/containers/json",
        "http://docker/containers/json",
    ] {
        let list = curl(&gate.socket(), &[url]).ok();
        assert!(
            list.starts_with('[') && list.contains(&container.0),
            "{url}: {list}"
        );
    }
    for url in ["http:/v1.41/images/json", "http://docker/images/json"] {
        let list = curl(&gate.socket(), &[url]).ok();
        assert!(list.contains(IMAGE), "{url}: {list}");
    }
    let found = curl(
        &gate.socket(),
        &[
            "-g",
            r#"http://docker/containers/json?filters={"name":["qg-listed"]}"#,
        ],
    );
    assert!(found.ok().contains(&container.0));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn curl_creates_and_starts_a_container_where_the_policy_allows_it() {
    let container = Container(name("curl"));
    let body = format!(r#"{{"Image":"{IMAGE}","Cmd":["echo","made by curl"]}}"#);
    let create = format!("http://docker/v1.41/containers/create?name={}", container.0);
    let start = format!("http://docker/v1.41/containers/{}/start", container.0);
    let json = ["-H", "Content-Type: application/json", "-d", &body, &create];

    let viewer = Gate::before(engine(), &viewer());
    let refused = curl(&viewer.socket(), &json).ok();
    assert!(
        refused.contains("ContainerCreate") && refused.contains("message"),
        "{refused}"
    );
    assert_ne!(
        docker(engine(), &["inspect", &container.0]).code,
        0,
        "no container exists afterwards"
    );

    let worker = Gate::before(engine(), WORKER);
    let created = curl(&worker.socket(), &json).ok();
    assert!(created.contains("\"Id\""), "{created}");
    let started = curl(
        &worker.socket(),
        &["-w", "%{http_code}", "-X", "POST", &start],
    )
    .ok();
    assert_eq!(started, "204");
    assert_eq!(docker(engine(), &["wait", &container.0]).ok().trim(), "0");
    assert_eq!(
        docker(&worker.socket(), &["logs", &container.0]).ok(),
        "made by curl\n"
    );
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn viewer_sees_what_it_would_see_without_the_gate() {
    let container = Container::running(
        "seen",
        &["-p", "127.0.0.1:0:8080"],
        &["sh", "-c", "echo hello; sleep 600"],
    );
    let gate = Gate::before(engine(), &viewer());
    let filter = format!("name={}", container.0);

    for command in [
        &[
            "ps",
            "--no-trunc",
            "--format",
            "{{.ID}} {{.Names}} {{.Ports}}",
            "--filter",
            &filter,
        ][..],
        &[
            "images",
            "--no-trunc",
            "--format",
            "{{.ID}} {{.Tag}}",
            IMAGE,
        ],
        &["version"],
        &["port", &container.0],
        &["inspect", &container.0],
        &["logs", &container.0],
    ] {
        let direct = docker(engine(), command);
        let through = docker(&gate.socket(), command);
        assert_eq!(
            (direct.code, &direct.out),
            (through.code, &through.out),
            "{command:?}: {through:?}"
        );
        assert_eq!(direct.code, 0, "{command:?}");
        assert!(!direct.out.trim().is_empty(), "{command:?} shows nothing");
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn refusals_say_why_in_the_clients_own_words() {
    let container = Container::running("refused", &[], &["sleep", "600"]);
    let gate = Gate::before(engine(), &viewer());

    let exec = on_terminal(&gate.socket(), &[], &["exec", "-it", &container.0, "sh"]);
    assert_ne!(exec.code, 0);
    for needle in ["ContainerExec", "scene", "POST /containers/{id}/exec"] {
        assert!(
            exec.out.contains(needle),
            "`{needle}` is missing in: {}",
            exec.out
        );
    }

    for (command, operation) in [
        (&["run", "--rm", IMAGE, "true"][..], "ContainerCreate"),
        (&["stop", &container.0], "ContainerStop"),
        (&["rm", "-f", &container.0], "ContainerDelete"),
        (&["volume", "create", "qg"], "VolumeCreate"),
        (&["network", "create", "qg"], "NetworkCreate"),
        (&["rmi", IMAGE], "ImageDelete"),
    ] {
        let refused = docker(&gate.socket(), command);
        assert_ne!(refused.code, 0, "{command:?}");
        assert!(
            refused.err.contains(operation),
            "{command:?}: {}",
            refused.err
        );
    }
    assert_eq!(
        docker(
            engine(),
            &["inspect", "-f", "{{.State.Running}}", &container.0]
        )
        .ok()
        .trim(),
        "true"
    );
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn files_images_and_builds_pass_both_ways() {
    let container = Container::running("files", &[], &["sleep", "600"]);
    let gate = Gate::before(engine(), WORKER);
    let dir = tempfile::tempdir().unwrap();
    let (there, back) = (dir.path().join("there"), dir.path().join("back"));
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&there, &bytes).unwrap();

    docker(
        &gate.socket(),
        &[
            "cp",
            there.to_str().unwrap(),
            &format!("{}:/tmp/f", container.0),
        ],
    )
    .ok();
    docker(
        &gate.socket(),
        &[
            "cp",
            &format!("{}:/tmp/f", container.0),
            back.to_str().unwrap(),
        ],
    )
    .ok();
    assert!(
        std::fs::read(&back).unwrap() == bytes,
        "the file came back changed"
    );

    let saved = dir.path().join("image.tar");
    docker(
        &gate.socket(),
        &["save", "-o", saved.to_str().unwrap(), IMAGE],
    )
    .ok();
    let loaded = docker(&gate.socket(), &["load", "-i", saved.to_str().unwrap()]).ok();
    assert!(loaded.contains("Loaded image"), "{loaded}");

    std::fs::write(
        dir.path().join("Dockerfile"),
        format!("FROM {IMAGE}\nRUN echo built >/built\n"),
    )
    .unwrap();
    let tag = format!("{}:latest", name("built"));
    let context = tempfile::tempdir().unwrap();
    std::fs::copy(
        dir.path().join("Dockerfile"),
        context.path().join("Dockerfile"),
    )
    .unwrap();
    docker(
        &gate.socket(),
        &["build", "-t", &tag, context.path().to_str().unwrap()],
    )
    .ok();
    assert_eq!(
        docker(&gate.socket(), &["run", "--rm", &tag, "cat", "/built"]).ok(),
        "built\n"
    );
    docker(engine(), &["rmi", "-f", &tag]);
}
