//! `autoheal`, `dozzle-actions`, `volume-backup` and `ofelia`, which go by labels. None of these services
//! is here: their calls are played one by one, autoheal's as they were recorded, those of the others as
//! their sources and clients write them.

use std::path::Path;

use serde_json::{Value, json};

use super::stranger::Stranger;
use super::{ask, ready, ready_with, started};
use crate::stage::{Background, Container, IMAGE, curl, docker, engine, wait_until};

// === autoheal ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn autoheal_restarts_what_is_unhealthy_and_labelled_and_nothing_else() {
    let gate = ready("autoheal");
    let socket = gate.socket();
    let failing = [
        "--health-cmd=false",
        "--health-interval=1s",
        "--health-retries=1",
    ];
    let labelled = [&failing[..], &["--label", "autoheal=true"]].concat();
    let sick = Container::running("sick", &labelled, &["sleep", "600"]);
    let stranger = Stranger::running(&[&failing[..], &["--label", "autoheal=false"]].concat());

    // autoheal's curl sends braces and quotes as they are.
    let list = r#"http://docker/containers/json?filters={"health":["unhealthy"],"label":["autoheal=true"],"status":["running"]}"#;
    let mut found = String::new();
    wait_until("it is found unhealthy", || {
        let listed = curl(&socket, &["-g", list]).ok();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let mut all = listed.as_array().unwrap().iter();
        let it = all.find(|one| one["Names"][0] == format!("/{}", sick.0));
        found = it.map_or(String::new(), |one| one["Id"].as_str().unwrap().to_owned());
        !found.is_empty()
    });
    let before = started_at(&sick);
    let restart = format!("/containers/{found}/restart?t=1");
    assert_eq!(ask(&socket, "POST", &restart, None).0, 204);
    assert_ne!(started_at(&sick), before);

    let restart = format!("/containers/{}/restart?t=1", stranger.name());
    let (status, said) = ask(&socket, "POST", &restart, None);
    assert_eq!(status, 403, "{said}");
    assert!(
        said["message"].as_str().unwrap().contains("autoheal=true"),
        "{said}"
    );
    stranger.is_out_of_reach(&socket, &[]);
}

// === dozzle-actions ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn dozzle_reads_everything_and_its_buttons_work_where_they_are_labelled() {
    let gate = ready("dozzle-actions");
    let socket = gate.socket();
    let how = ["--stop-signal=KILL", "--label", "dozzle.actions=true"];
    let web = Container::running("web", &how, &["sh", "-c", "echo hello; sleep 600"]);
    let stranger = Stranger::running(&["--label", "dozzle.actions=false"]);
    let get = |path: &str| {
        let (status, said) = ask(&socket, "GET", path, None);
        assert_eq!(status, 200, "{path}: {said}");
        said
    };

    // Dozzle addresses containers by the first twelve digits of what the list says.
    get("/info");
    get("/version");
    let listed = get("/containers/json?all=1");
    let mut all = listed.as_array().unwrap().iter();
    let it = all
        .find(|one| one["Names"][0] == format!("/{}", web.0))
        .unwrap();
    let short = &it["Id"].as_str().unwrap()[..12];
    get(&format!("/containers/{short}/json"));
    get(&format!("/containers/{}/json", stranger.name()));
    let followed = Background::docker(&socket, &["logs", "--follow", short]);
    followed.wait_for("hello");
    let events = Background::docker(
        &socket,
        &["events", "--filter", &format!("container={short}")],
    );
    let numbers = Background::docker(&socket, &["stats", "--no-trunc", short]);
    numbers.wait_for(&it["Id"].as_str().unwrap()[..64]);

    let press = |button: &str| {
        let (status, said) = ask(
            &socket,
            "POST",
            &format!("/containers/{short}/{button}"),
            None,
        );
        assert_eq!(status, 204, "{button}: {said}");
    };
    let before = started_at(&web);
    press("stop");
    assert_eq!(state(&web), "exited");
    press("start");
    assert_eq!(state(&web), "running");
    press("restart");
    assert_ne!(started_at(&web), before);
    events.wait_for("container restart");

    stranger.is_out_of_reach(&socket, &["/json", "/logs?stdout=1"]);
    // Not even a labelled one is entered.
    for (rest, body) in [
        ("/exec", Some(json!({"Cmd": ["sh"], "Tty": true}))),
        ("/attach?stream=1&stdin=1", None),
        ("/kill", None),
    ] {
        let path = format!("/containers/{short}{rest}");
        assert_eq!(ask(&socket, "POST", &path, body.as_ref()).0, 403, "{path}");
    }
}

// === volume-backup ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_backup_stops_what_is_labelled_runs_its_commands_and_reaches_nothing_else() {
    let gate = ready("volume-backup");
    let socket = gate.socket();
    let command = "docker-volume-backup.archive-pre=/bin/sh -c 'echo dumped'";
    let stop = "docker-volume-backup.stop-during-backup=true";
    let db = Container::running("db", &["--label", command], &["sleep", "600"]);
    let app = Container::running(
        "app",
        &["--stop-signal=KILL", "--label", stop],
        &["sleep", "600"],
    );
    let stranger = Stranger::running(&["--label", "docker-volume-backup.exec-label=db"]);

    assert_eq!(
        curl(&socket, &["-I", "http://docker/_ping"])
            .ok()
            .split(' ')
            .nth(1),
        Some("200")
    );
    assert_eq!(ask(&socket, "GET", "/info", None).0, 200);
    let with_command = listed(
        &socket,
        r#"{"label":{"docker-volume-backup.archive-pre":true}}"#,
        &db,
    );
    let dump = json!({
        "User": "", "Privileged": false, "Tty": false, "AttachStdin": true, "AttachStderr": true,
        "AttachStdout": false, "DetachKeys": "", "WorkingDir": "",
        "Env": ["COMMAND_RUNTIME_ARCHIVE_FILEPATH=/tmp/backup.tar.gz"],
        "Cmd": ["/bin/sh", "-c", "echo dumped to $COMMAND_RUNTIME_ARCHIVE_FILEPATH >&2"],
    });
    let said = entered(&socket, &with_command, &dump);
    assert!(said.contains("dumped to /tmp/backup.tar.gz"), "{said}");

    let running = listed(&socket, "{}", &app);
    let at = |verb: &str| format!("/containers/{running}/{verb}");
    assert_eq!(ask(&socket, "POST", &at("stop"), None).0, 204);
    assert_eq!(state(&app), "exited");
    assert_eq!(ask(&socket, "POST", &at("start"), None).0, 204);
    assert_eq!(state(&app), "running");

    // Each label is good for what it says.
    let kept = started_at(&db);
    assert_eq!(
        ask(&socket, "POST", &format!("/containers/{}/stop", db.0), None).0,
        403
    );
    assert_eq!((state(&db).as_str(), started_at(&db)), ("running", kept));
    assert_eq!(ask(&socket, "POST", &at("exec"), Some(&dump)).0, 403);
    stranger.is_out_of_reach(&socket, &[]);

    // Nor does it start what somebody else has prepared.
    let body = json!({"Cmd": ["sh", "-c", "echo >/entered"]});
    let (_, exec) = ask(
        engine(),
        "POST",
        &format!("/containers/{}/exec", stranger.name()),
        Some(&body),
    );
    let start = format!("/exec/{}/start", exec["Id"].as_str().unwrap());
    assert_eq!(
        ask(&socket, "POST", &start, Some(&json!({"Detach": true}))).0,
        403
    );
    stranger.is_as_it_was();
}

// === ofelia ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn ofelia_runs_jobs_in_labelled_containers_and_reaches_no_others() {
    let gate = ready("ofelia");
    let socket = gate.socket();
    let web = Container::running(
        "web",
        &["--label", "ofelia.enabled=true"],
        &["sleep", "600"],
    );
    let stranger = Stranger::running(&["--label", "ofelia.enabled=false"]);

    assert_eq!(ask(&socket, "GET", "/info", None).0, 200);
    listed(&socket, r#"{"label":["ofelia.enabled=true"]}"#, &web);
    assert_eq!(
        ask(&socket, "GET", "/containers/json?all=1", None).0,
        403,
        "everybody's"
    );
    assert_eq!(ask(&socket, "GET", "/version", None).0, 200);
    // A label's job names its container; root is what Ofelia asks for by itself.
    let job = |container: &str, command: &[&str]| {
        json!({
            "Env": ["A=1"], "Cmd": command, "Container": container, "User": "root",
            "AttachStdout": true, "AttachStderr": true,
        })
    };
    let said = entered(
        &socket,
        &web.0,
        &job(&web.0, &["sh", "-c", "echo $A from $(id -u)"]),
    );
    assert!(said.contains("1 from 0"), "{said}");

    let path = format!("/containers/{}/exec", stranger.name());
    let (status, said) = ask(
        &socket,
        "POST",
        &path,
        Some(&job(&web.0, &["sh", "-c", "echo >/entered"])),
    );
    assert_eq!(status, 403, "{said}");
    stranger.is_out_of_reach(&socket, &[]);
    let create = json!({"Image": IMAGE, "Cmd": ["true"]});
    assert_eq!(
        ask(&socket, "POST", "/containers/create", Some(&create)).0,
        403
    );
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn ofelia_makes_containers_for_jobs_where_it_is_let_and_reaches_its_own() {
    let gate = ready_with("ofelia", |text| text.replace("\n  # \"", "\n  \""));
    let socket = gate.socket();
    let stranger = Stranger::running(&[]);
    // As go-dockerclient writes a job.
    let body = |host: Value| {
        json!({
            "User": "root", "AttachStdout": true, "AttachStderr": true, "Image": IMAGE,
            "Cmd": ["echo", "done"], "Entrypoint": null, "HostConfig": host,
            "NetworkingConfig": {"EndpointsConfig": null},
        })
    };
    let plain = json!({"ConsoleSize": [0, 0], "RestartPolicy": {}, "LogConfig": {}});
    let (status, made) = ask(&socket, "POST", "/containers/create?", Some(&body(plain)));
    assert_eq!(status, 201, "{made}");
    let id = made["Id"].as_str().unwrap();
    let job = Container(id.to_owned());
    let at = |rest: &str| format!("/containers/{id}{rest}");
    assert_eq!(ask(&socket, "POST", &at("/start"), None).0, 204);
    wait_until("the job ends", || {
        let (status, seen) = ask(&socket, "GET", &at("/json?"), None);
        assert_eq!(status, 200, "{seen}");
        seen["State"]["Running"] == false
    });
    let logs = format!(
        "http://docker/v1.41{}",
        at("/logs?stderr=1&stdout=1&tail=all")
    );
    assert!(curl(&socket, &["-o", "-", &logs]).ok().contains("done"));
    assert_eq!(ask(&socket, "DELETE", &at("?"), None).0, 204);
    assert!(!super::exists(&job.0));

    let escape = body(json!({"Binds": ["/:/host"]}));
    assert_eq!(
        ask(&socket, "POST", "/containers/create?", Some(&escape)).0,
        403
    );
    stranger.is_out_of_reach(&socket, &[]);
}

// === what they share ===

/// The id of a container in a list with these filters.
#[track_caller]
fn listed(socket: &Path, filters: &str, container: &Container) -> String {
    let url = "http://docker/v1.41/containers/json";
    let filters = format!("filters={filters}");
    let said = curl(socket, &["-G", "--data-urlencode", &filters, url]).ok();
    let all: Value = serde_json::from_str(&said).unwrap();
    let name = format!("/{}", container.0);
    let mut all = all.as_array().unwrap_or_else(|| panic!("{said}")).iter();
    let it = all.find(|one| one["Names"][0] == name.as_str()).unwrap();
    it["Id"].as_str().unwrap().to_owned()
}

/// Prepares a command, starts it, asks how it ended (well), and gives what it said.
#[track_caller]
fn entered(socket: &Path, container: &str, exec: &Value) -> String {
    let (status, made) = ask(
        socket,
        "POST",
        &format!("/containers/{container}/exec"),
        Some(exec),
    );
    assert_eq!(status, 201, "{made}");
    let id = made["Id"].as_str().unwrap();
    let said = started(socket, id);
    let (status, ended) = ask(socket, "GET", &format!("/exec/{id}/json"), None);
    assert_eq!(
        (status, &ended["ExitCode"]),
        (200, &json!(0)),
        "{ended} {said}"
    );
    said
}

fn state(container: &Container) -> String {
    let said = docker(
        engine(),
        &["inspect", "-f", "{{.State.Status}}", &container.0],
    );
    said.ok().trim().to_owned()
}

fn started_at(container: &Container) -> String {
    docker(
        engine(),
        &["inspect", "-f", "{{.State.StartedAt}}", &container.0],
    )
    .ok()
}
