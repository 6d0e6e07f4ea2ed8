//! `gitlab-runner`, `nextcloud-aio-appapi` and `watchtower`: their services are not here, so that their
//! requests are played one by one, as their sources have them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::stranger::Stranger;
use super::{ask, exists, finished, ready};
use crate::stage::{Container, IMAGE, docker, docker_with_input, engine, name};

// === gitlab-runner ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn gitlab_runner_feeds_a_script_to_a_job_with_a_cache() {
    let gate = ready("gitlab-runner");
    let socket = gate.socket();
    let unique = format!("runner-{}", name("t1"));
    let (cache, network) = (format!("{unique}-cache"), format!("{unique}-job-9-network"));
    let job = Container(format!("{unique}-build"));

    let body =
        json!({"Name": cache, "Driver": "", "DriverOpts": null, "Labels": {"type": "cache"}});
    assert_eq!(ask(&socket, "POST", "/volumes/create", Some(&body)).0, 201);
    let body = json!({"Name": network, "EnableIPv6": false, "Options": {}, "Labels": {}});
    assert_eq!(ask(&socket, "POST", "/networks/create", Some(&body)).0, 201);
    let bind = format!("{cache}:/builds");
    let run = [
        "run",
        "-i",
        "--name",
        &job.0,
        "-v",
        &bind,
        "--network",
        &network,
        IMAGE,
        "sh",
    ];
    let said = docker_with_input(&socket, &run, b"echo built >/builds/x; cat /builds/x").ok();
    assert_eq!(said, "built\n");
    assert_eq!(docker(&socket, &["logs", &job.0]).ok(), "built\n");
    let disconnect = ["network", "disconnect", "--force", &network, &job.0];
    docker(&socket, &disconnect).ok();
    docker(&socket, &["rm", "-f", "-v", &job.0]).ok();

    for flag in [
        "--privileged",
        "-v=/:/host",
        "-v=other:/x",
        "--network=host",
        "--cap-add=SYS_ADMIN",
    ] {
        let escape = Container(format!("{unique}-escape"));
        let refused = docker(&socket, &["run", "--name", &escape.0, flag, IMAGE, "true"]);
        assert_ne!(refused.code, 0, "{flag}");
        assert!(!exists(&escape.0), "{flag}");
    }
    let other = Container(name("other"));
    assert_ne!(
        docker(&socket, &["create", "--name", &other.0, IMAGE, "true"]).code,
        0
    );
    assert!(!exists(&other.0), "under another name");

    docker(&socket, &["network", "rm", &network]).ok();
    docker(&socket, &["volume", "rm", &cache]).ok();
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn gitlab_runner_makes_a_cache_writable_and_ends_a_job() {
    let gate = ready("gitlab-runner");
    let socket = gate.socket();
    let unique = format!("runner-{}", name("t2"));
    let post = |path: &str, body: Option<&Value>| ask(&socket, "POST", path, body);
    let delete = |path: &str| ask(&socket, "DELETE", path, None).0;
    let of = |container: &Container, rest: &str| format!("/containers/{}{rest}", container.0);

    // A cache is made writable by a container that lives for a moment.
    let cache = format!("{unique}-cache");
    let body = json!({"Name": cache});
    assert_eq!(post("/volumes/create", Some(&body)).0, 201);
    let bind = format!("{cache}:/gitlab-runner-cache-init");
    let body = json!({
        "Image": IMAGE, "Cmd": ["sh", "-c", "echo >/gitlab-runner-cache-init/x"],
        "HostConfig": {"LogConfig": {"Type": "json-file"}, "Binds": [bind]},
    });
    let create = format!("/containers/create?name={cache}-set-permission-1f2e3d4c");
    let (status, made) = post(&create, Some(&body));
    assert_eq!(status, 201, "{made}");
    let init = Container(made["Id"].as_str().unwrap().to_owned());
    assert_eq!(post(&of(&init, "/start"), None).0, 204);
    let (status, ended) = post(&of(&init, "/wait?condition=not-running"), None);
    assert_eq!((status, &ended["StatusCode"]), (200, &json!(0)));
    assert_eq!(delete(&of(&init, "?force=1")), 204);

    // Whatever has the name that a job's container gets is removed first.
    let build = Container(format!("{unique}-build"));
    assert_eq!(delete(&of(&build, "?force=1&v=1")), 404);
    let run = ["run", "-d", "--name", &build.0, IMAGE, "sleep", "600"];
    docker(&socket, &run).ok();
    // A job that is cancelled: what it left is ended by a command in its container.
    docker(&socket, &["exec", &build.0, "sh", "-c", "true"]).ok();
    assert_eq!(post(&of(&build, "/kill?signal=KILL"), None).0, 204);
    assert_eq!(delete(&of(&build, "?force=1&v=1")), 204);
    assert!(!exists(&build.0));
    assert_eq!(delete(&format!("/volumes/{cache}?force=1")), 204);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn gitlab_runner_reaches_no_container_network_or_volume_of_others() {
    let gate = ready("gitlab-runner");
    let socket = gate.socket();
    let at = |method: &str, path: &str| ask(&socket, method, path, None).0;
    // Not even what another runner has made.
    let stranger = Stranger::running(&["--label", "com.gitlab.gitlab-runner.managed=true"]);
    stranger.is_out_of_reach(&socket, &[]);

    let theirs = name("net");
    docker(engine(), &["network", "create", &theirs]).ok();
    docker(engine(), &["network", "connect", &theirs, stranger.name()]).ok();
    assert_eq!(at("GET", "/networks"), 200);
    assert_eq!(at("GET", &format!("/networks/{theirs}")), 403);
    let member = json!({"Container": stranger.name(), "Force": true});
    let disconnect = format!("/networks/{theirs}/disconnect");
    assert_eq!(ask(&socket, "POST", &disconnect, Some(&member)).0, 403);
    docker(
        engine(),
        &["network", "disconnect", &theirs, stranger.name()],
    )
    .ok();
    assert_eq!(at("DELETE", &format!("/networks/{theirs}")), 403);
    docker(engine(), &["network", "rm", &theirs]).ok();
    stranger.is_as_it_was();

    let data = name("data");
    docker(engine(), &["volume", "create", &data]).ok();
    assert_eq!(at("GET", &format!("/volumes/{data}")), 403);
    assert_eq!(at("DELETE", &format!("/volumes/{data}?force=1")), 403);
    docker(engine(), &["volume", "rm", &data]).ok();
}

// === nextcloud-aio-appapi ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn nextcloud_installs_an_app_and_removes_it() {
    let gate = ready("nextcloud-aio-appapi");
    let socket = gate.socket();
    let _network = AioNetwork::new();
    let app = Container(format!("nc_app_{}", name("flow")));
    let data = format!("{}_data", app.0);
    let at = |rest: &str| format!("/containers/{}{rest}", app.0);
    let post = |path: &str, body: Option<&Value>| ask(&socket, "POST", path, body);

    assert_eq!(post("/volumes/create", Some(&json!({"name": data}))).0, 201);
    let create = format!("/containers/create?name={}", app.0);
    assert_eq!(post(&create, Some(&an_app(&app.0))).0, 201);
    assert_eq!(post(&at("/start"), None).0, 204);
    let seen = ask(&socket, "GET", &at("/json"), None).1;
    assert_eq!(seen["State"]["Running"], true);
    let command = json!({"Cmd": ["echo", "hi"], "AttachStdout": true});
    let (status, exec) = post(&at("/exec"), Some(&command));
    assert_eq!(status, 201, "{exec}");
    let start = format!("/exec/{}/start", exec["Id"].as_str().unwrap());
    assert_eq!(
        post(&start, Some(&json!({"Detach": false, "Tty": false}))).0,
        200
    );
    assert_eq!(post(&at("/stop?t=0"), None).0, 204);
    assert_eq!(ask(&socket, "DELETE", &at("?force=true"), None).0, 204);
    let volume = format!("/volumes/{data}");
    let body = json!({"name": data});
    assert_eq!(ask(&socket, "DELETE", &volume, Some(&body)).0, 400);
    assert_eq!(ask(&socket, "DELETE", &volume, None).0, 204);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn nextcloud_installs_no_app_that_has_more_than_its_own() {
    let gate = ready("nextcloud-aio-appapi");
    for (object, key, value) in [
        ("/HostConfig", "NetworkMode", json!("host")),
        ("/HostConfig", "Privileged", json!(true)),
        ("/HostConfig", "privileged", json!(true)),
        ("/HostConfig", "Binds", json!(["/:/host"])),
        (
            "/HostConfig/Mounts/0",
            "Source",
            json!("nextcloud_aio_database"),
        ),
        ("/HostConfig/Mounts/0", "Type", json!("bind")),
        (
            "/NetworkingConfig/EndpointsConfig/nextcloud-aio",
            "NetworkID",
            json!("4f1e2d3c4b5a"),
        ),
        ("", "Privileged", json!(true)),
    ] {
        let app = Container(format!("nc_app_{}", name("escape")));
        let mut body = an_app(&app.0);
        body.pointer_mut(object).unwrap()[key] = value;
        let create = format!("/containers/create?name={}", app.0);
        let (status, said) = ask(&gate.socket(), "POST", &create, Some(&body));
        assert!(
            matches!(status, 400 | 403),
            "{object} {key}: {status} {said}"
        );
        assert!(!exists(&app.0), "{object} {key}");
    }
    let other = Container(name("other"));
    let create = format!("/containers/create?name={}", other.0);
    let (status, said) = ask(&gate.socket(), "POST", &create, Some(&an_app("nc_app_x")));
    assert_eq!(status, 403, "{said}");
    assert!(!exists(&other.0), "under another name");
}

/// What AppAPI sends to make an app.
fn an_app(name: &str) -> Value {
    let data = format!("{name}_data");
    let mount =
        json!({"Source": data, "Target": format!("/{data}"), "Type": "volume", "ReadOnly": false});
    json!({
        "Image": IMAGE, "Hostname": "flow", "Env": ["APP_ID=flow"], "Cmd": ["sleep", "600"],
        "HostConfig": {
            "NetworkMode": "nextcloud-aio",
            "Mounts": [mount],
            "RestartPolicy": {"Name": "unless-stopped"},
            "NanoCPUs": 0,
        },
        "NetworkingConfig": {"EndpointsConfig": {"nextcloud-aio": {"Aliases": ["flow"]}}},
    })
}

/// The network `nextcloud-aio`, whose name cannot be another: for one scene at a time.
struct AioNetwork;

impl AioNetwork {
    fn new() -> Self {
        // A scene that was ended may have left it.
        docker(engine(), &["network", "create", "nextcloud-aio"]);
        Self
    }
}

impl Drop for AioNetwork {
    fn drop(&mut self) {
        docker(engine(), &["network", "rm", "nextcloud-aio"]);
    }
}

// === watchtower ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn watchtower_replaces_a_plain_container() {
    const SEEN: &str = "{{.Id}} {{.State.Running}} {{.Config.Env}} {{.HostConfig.NetworkMode}}";
    let gate = ready("watchtower");
    let socket = gate.socket();
    let network = name("net");
    docker(engine(), &["network", "create", &network]).ok();
    let how = [
        "--cgroupns=private",
        "--network",
        &network,
        "--restart=always",
        "--label=com.centurylinklabs.watchtower.enable=true",
        "-e",
        "A=1",
    ];
    let plain = Container::running("plain", &how, &["sleep", "600"]);
    let see = || docker(engine(), &["inspect", "-f", SEEN, &plain.0]).ok();
    let before = see();

    let copy = copy(&socket, &plain.0);
    assert_eq!(explained(&copy), 0, "`explain` says so before");
    for (method, path, body) in replacement(&plain.0, &copy) {
        let (status, said) = ask(&socket, method, &path, body.as_ref());
        assert!(status < 300, "{method} {path}: {status} {said}");
    }

    let (old, as_it_was) = before.split_once(' ').unwrap();
    let after = see();
    let (new, as_it_is) = after.split_once(' ').unwrap();
    assert_ne!(old, new);
    assert_eq!(as_it_was, as_it_is);
    let (_, now) = ask(
        engine(),
        "GET",
        &format!("/containers/{}/json", plain.0),
        None,
    );
    let networks = now["NetworkSettings"]["Networks"].as_object().unwrap();
    assert_eq!(networks.keys().collect::<Vec<_>>(), [&network]);
    docker(engine(), &["rm", "-f", &plain.0]).ok();
    docker(engine(), &["network", "rm", &network]).ok();

    let kept = Stranger::running(&["--label", "com.centurylinklabs.watchtower.enable=false"]);
    kept.is_out_of_reach(&socket, &["/json"]);
    let member = json!({"Container": kept.name(), "Force": true});
    let (status, said) = ask(
        &socket,
        "POST",
        "/networks/bridge/disconnect",
        Some(&member),
    );
    assert_eq!(status, 403, "{said}");
    kept.is_as_it_was();
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn watchtower_makes_no_copy_of_what_has_something_of_the_host() {
    let gate = ready("watchtower");
    for flag in [
        "--privileged",
        "--volume=/etc:/host:ro",
        "--volume=qg-named:/data",
        "--publish=127.0.0.1:0:80",
        "--pid=host",
        "--network=host",
        "--cap-add=NET_ADMIN",
    ] {
        let special = Container(name("special"));
        let create = [
            "create",
            "--cgroupns=private",
            "--name",
            &special.0,
            flag,
            IMAGE,
            "true",
        ];
        docker(engine(), &create).ok();
        let copy = copy(&gate.socket(), &special.0);
        assert_eq!(explained(&copy), 1, "{flag}: `explain` warns");
        let new = Container(name("copy"));
        let create = format!("/containers/create?name={}", new.0);
        let (status, said) = ask(&gate.socket(), "POST", &create, Some(&copy));
        assert_eq!(status, 403, "{flag}: {said}");
        assert!(!exists(&new.0), "{flag}");
    }
    docker(engine(), &["volume", "rm", "qg-named"]).ok();
}

/// The body with which Watchtower would make a container again, from what it inspects.
fn copy(socket: &Path, container: &str) -> Value {
    let (status, seen) = ask(
        socket,
        "GET",
        &format!("/containers/{container}/json"),
        None,
    );
    assert_eq!(status, 200, "{seen}");
    let mut body = seen["Config"].clone();
    body["HostConfig"] = seen["HostConfig"].clone();
    body["NetworkingConfig"] = json!({"EndpointsConfig": seen["NetworkSettings"]["Networks"]});
    body
}

/// What Watchtower does to a container, in its order.
fn replacement(container: &str, copy: &Value) -> Vec<(&'static str, String, Option<Value>)> {
    let path = |rest: &str| format!("/containers/{container}{rest}");
    let mut steps = vec![
        ("POST", path("/kill?signal=SIGKILL"), None),
        ("DELETE", path("?force=1"), None),
        (
            "POST",
            format!("/containers/create?name={container}"),
            Some(copy.clone()),
        ),
    ];
    let endpoints = copy["NetworkingConfig"]["EndpointsConfig"]
        .as_object()
        .unwrap();
    for (network, endpoint) in endpoints {
        let leave = json!({"Container": container, "Force": true});
        let join = json!({"Container": container, "EndpointConfig": endpoint});
        steps.push((
            "POST",
            format!("/networks/{network}/disconnect"),
            Some(leave),
        ));
        steps.push(("POST", format!("/networks/{network}/connect"), Some(join)));
    }
    steps.push(("POST", path("/start"), None));
    steps
}

/// The exit code of `quaygate explain watchtower` about a body.
fn explained(body: &Value) -> i32 {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("body.json");
    fs::write(&file, body.to_string()).unwrap();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_quaygate"));
    explain
        .args(["explain", "watchtower", "POST /containers/create", "--body"])
        .arg(&file);
    finished(&mut explain).code
}
