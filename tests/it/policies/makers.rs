//! The ready policies that let a service make containers: what the service needs passes, and no body
//! reaches the host – not even with every line that the file offers as a comment.

use std::collections::BTreeSet;

use quaygate::docker::{ApiVersion, Call, Operation};
use quaygate::facts::{Caller, Findings, Found, Object};
use quaygate::judge::Judge;
use quaygate::policy::{Policy, Verdict};
use serde_json::{Value, json};

use super::{files, loaded, with_optional_lines};
use crate::support::traces::{self, Trace};
use crate::support::{FakeDocker, Gate, ok};

/// A policy, a request that makes a container, and a body that it allows.
struct Maker {
    policy: &'static str,
    create: &'static str,
    body: &'static str,
}

const MAKERS: [Maker; 8] = [
    Maker {
        policy: "ai-agent-sandbox",
        create: "POST /containers/create?name=sandbox-1",
        body: r#"{"Image":"a","User":"1000","HostConfig":{"NetworkMode":"none","Memory":1,"PidsLimit":1,
            "CapDrop":["ALL"],"SecurityOpt":["no-new-privileges"]}}"#,
    },
    Maker {
        policy: "ci-runner",
        create: "POST /containers/create",
        body: r#"{"Image":"a","HostConfig":{"Memory":1,"PidsLimit":1}}"#,
    },
    Maker {
        policy: "compose-deploy",
        create: "POST /containers/create?name=shop-web-1",
        body: r#"{"Image":"a","HostConfig":{"NetworkMode":"shop_default"}}"#,
    },
    Maker {
        policy: "docker-run",
        create: "POST /containers/create",
        body: r#"{"Image":"a","HostConfig":{"Memory":1,"PidsLimit":1}}"#,
    },
    Maker {
        policy: "gitlab-runner",
        create: "POST /containers/create?name=runner-1-build",
        body: r#"{"Image":"a","HostConfig":{"Memory":1}}"#,
    },
    Maker {
        policy: "nextcloud-aio-appapi",
        create: "POST /containers/create?name=nc_app_flow",
        body: r#"{"Image":"a","HostConfig":{"NetworkMode":"nextcloud-aio"}}"#,
    },
    Maker {
        policy: "testcontainers",
        create: "POST /containers/create",
        body: r#"{"Image":"a","HostConfig":{}}"#,
    },
    Maker {
        policy: "watchtower",
        create: "POST /containers/create?name=web",
        body: r#"{"Image":"a","HostConfig":{}}"#,
    },
];

/// What would reach the host, or other containers: each is laid over a body that is allowed.
fn escapes() -> Vec<Value> {
    let host_config = [
        json!({"Privileged": true}),
        json!({"privileged": true}),
        json!({"CapAdd": ["SYS_ADMIN"]}),
        json!({"CapAdd": ["cap_sys_ptrace"]}),
        json!({"CapAdd": ["ALL"]}),
        json!({"Binds": ["/:/host"]}),
        json!({"Binds": ["/etc:/host:ro"]}),
        json!({"Binds": ["/srv/../etc:/host"]}),
        json!({"Binds": ["/var/run/docker.sock:/s"]}),
        json!({"Binds": ["/run/docker.sock:/s:ro"]}),
        json!({"Binds": ["/proc:/p"]}),
        json!({"Binds": ["/srv/x:/x:rshared"]}),
        json!({"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]}),
        json!({"Mounts": [{"Type": "bind", "Source": "/var/lib/docker", "Target": "/d", "ReadOnly": true}]}),
        json!({"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig":
            {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/"}}}}]}),
        json!({"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig":
            {"Options": {"type": "overlay", "o": "lowerdir=/,upperdir=/tmp/u,workdir=/tmp/w", "device": "overlay"}}}}]}),
        json!({"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "rclone"}}}]}),
        json!({"VolumeDriver": "rclone"}),
        json!({"VolumesFrom": ["vault"]}),
        json!({"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}]}),
        json!({"DeviceCgroupRules": ["b *:* rwm"]}),
        json!({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/device=all"]}]}),
        json!({"NetworkMode": "host"}),
        json!({"NetworkMode": "container:vault"}),
        json!({"PidMode": "host"}),
        json!({"PidMode": "container:vault"}),
        json!({"IpcMode": "host"}),
        json!({"IpcMode": "container:vault"}),
        json!({"UTSMode": "host"}),
        json!({"UsernsMode": "host"}),
        json!({"CgroupParent": "/"}),
        json!({"Cgroup": "container:vault"}),
        json!({"SecurityOpt": ["seccomp=unconfined"]}),
        json!({"SecurityOpt": ["apparmor:unconfined"]}),
        json!({"SecurityOpt": ["label=disable"]}),
        json!({"SecurityOpt": ["systempaths=unconfined"]}),
        json!({"MaskedPaths": []}),
        json!({"ReadonlyPaths": []}),
        json!({"Sysctls": {"kernel.core_pattern": "|/x"}}),
        json!({"Runtime": "unconfined"}),
        json!({"GroupAdd": ["docker"]}),
        json!({"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "tcp://10.0.0.1:514"}}}),
        json!({"StorageOpt": {"size": "1T"}}),
        json!({"OomKillDisable": true}),
        json!({"OomScoreAdj": -1000}),
        json!({"ContainerIDFile": "/etc/cron.d/x"}),
        json!({"Annotations": {"run.oci.keep_original_groups": "1"}}),
        json!({"PidsLimit": 1, "NewPower": true}),
    ];
    let within = host_config.into_iter();
    within
        .map(|more| json!({ "HostConfig": more }))
        .chain(top_level())
        .collect()
}

fn top_level() -> [Value; 4] {
    [
        json!({"Privileged": true}),
        json!({"Binds": ["/:/host"]}),
        json!({"hostconfig": {"Privileged": true}}),
        json!({"NewPower": true}),
    ]
}

/// What other bodies could ask for; each with the twin that the policy's service needs.
const OTHERS: [(&str, &str, &str, &str); 13] = [
    (
        "ai-agent-sandbox",
        "POST /containers/sandbox-1/exec",
        r#"{"Cmd":["a"]}"#,
        r#"{"Cmd":["a"],"Privileged":true}"#,
    ),
    (
        "nextcloud-aio-appapi",
        "POST /containers/nc_app_a/exec",
        r#"{"Cmd":["a"]}"#,
        r#"{"Cmd":["a"],"privileged":true}"#,
    ),
    (
        "testcontainers",
        "POST /containers/c/exec",
        r#"{"Cmd":["a"]}"#,
        r#"{"Cmd":["a"],"Privileged":true}"#,
    ),
    (
        "compose-deploy",
        "POST /volumes/create",
        r#"{"Name":"a_b"}"#,
        r#"{"Name":"a_b","DriverOpts":{"device":"/"}}"#,
    ),
    (
        "gitlab-runner",
        "POST /volumes/create",
        r#"{"Name":"runner-a"}"#,
        r#"{"Name":"runner-a","Driver":"rclone"}"#,
    ),
    (
        "nextcloud-aio-appapi",
        "POST /volumes/create",
        r#"{"name":"nc_app_a_data"}"#,
        r#"{"name":"nc_app_a_data","DriverOpts":{"o":"bind"}}"#,
    ),
    (
        "compose-deploy",
        "POST /networks/create",
        r#"{"Name":"a_b"}"#,
        r#"{"Name":"a_b","Options":{"com.docker.network.bridge.name":"docker0"}}"#,
    ),
    (
        "gitlab-runner",
        "POST /networks/create",
        r#"{"Name":"runner-a"}"#,
        r#"{"Name":"runner-a","Driver":"ipvlan"}"#,
    ),
    (
        "testcontainers",
        "POST /networks/create",
        r#"{"Name":"a"}"#,
        r#"{"Name":"a","ConfigFrom":{"Network":"b"}}"#,
    ),
    (
        "compose-deploy",
        "POST /networks/n_n/connect",
        r#"{"Container":"a"}"#,
        r#"{"Container":"a","EndpointConfig":{"NetworkID":"b"}}"#,
    ),
    (
        "testcontainers",
        "POST /networks/n/connect",
        r#"{"Container":"a"}"#,
        r#"{"Container":"a","EndpointConfig":{"NetworkID":"b"}}"#,
    ),
    (
        "watchtower",
        "POST /networks/n/connect",
        r#"{"Container":"a"}"#,
        r#"{"Container":"a","EndpointConfig":{"New":"b"}}"#,
    ),
    (
        "ci-runner",
        "POST /containers/create",
        r#"{"Image":"a","HostConfig":{"Memory":1,"PidsLimit":1}}"#,
        r#"{"Image":"a","Image":"b","HostConfig":{"Memory":1,"PidsLimit":1}}"#,
    ),
];

#[test]
fn no_body_reaches_the_host_not_even_with_every_optional_line() {
    let files = files();
    let mut refused = 0;
    for maker in &MAKERS {
        let plain = files[maker.policy].clone();
        for text in [with_optional_lines(&plain), plain] {
            let policy = loaded(maker.policy, &text).policy;
            let base: Value = serde_json::from_str(maker.body).unwrap();
            assert!(
                allows(&policy, maker.create, &base.to_string()),
                "{}",
                maker.policy
            );
            for escape in escapes() {
                let mut body = base.clone();
                lay(&mut body, &escape);
                assert!(
                    !allows(&policy, maker.create, &body.to_string()),
                    "{} allows {escape}",
                    maker.policy
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 700, "{refused}");
}

#[test]
fn ofelia_makes_plain_containers_if_it_is_let_and_none_if_not() {
    let plain = files()["ofelia"].clone();
    let create = "POST /containers/create?";
    // What go-dockerclient makes of a job.
    let base = json!({
        "User": "root", "AttachStdout": true, "AttachStderr": true, "Cmd": ["date"], "Image": "a",
        "Entrypoint": null,
        "HostConfig": {"ConsoleSize": [0, 0], "RestartPolicy": {}, "LogConfig": {}},
        "NetworkingConfig": {"EndpointsConfig": null},
    });
    let policy = loaded("ofelia", &with_optional_lines(&plain)).policy;
    assert!(allows(&policy, create, &base.to_string()));
    for escape in escapes() {
        let mut body = base.clone();
        lay(&mut body, &escape);
        assert!(!allows(&policy, create, &body.to_string()), "{escape}");
    }
    let policy = loaded("ofelia", &plain).policy;
    assert!(!allows(&policy, create, &base.to_string()));
}

#[test]
fn the_running_gate_sends_docker_what_is_allowed_and_no_escape() {
    let files = files();
    for maker in &MAKERS {
        let docker = FakeDocker::start(|exchange| {
            exchange.read_body();
            exchange.send(&ok("{}"));
        });
        let gate = Gate::with_policy(&docker, &files[maker.policy]);
        let (_, target) = maker.create.split_once(' ').unwrap();
        let base: Value = serde_json::from_str(maker.body).unwrap();

        for escape in escapes() {
            let mut body = base.clone();
            lay(&mut body, &escape);
            let status = gate.client().post(target, &body.to_string()).status();
            assert!(
                matches!(status, 400 | 403),
                "{}: {status} {escape}",
                maker.policy
            );
        }
        assert!(docker.requests().is_empty(), "{}", maker.policy);

        let answer = gate.client().post(target, maker.body);
        assert_eq!(answer.status(), 200, "{}: {}", maker.policy, answer.text());
        let sent = docker.wait_requests(1);
        assert_eq!(sent[0].target(), target);
        assert_eq!(sent[0].payload(), maker.body.as_bytes(), "byte for byte");
    }
}

#[test]
fn other_bodies_reach_nothing_of_the_host_either() {
    let files = files();
    for (name, request, needed, escape) in OTHERS {
        let plain = files[name].clone();
        for text in [with_optional_lines(&plain), plain] {
            let policy = loaded(name, &text).policy;
            assert!(
                allows(&policy, request, needed),
                "{name}: {request} {needed}"
            );
            assert!(
                !allows(&policy, request, escape),
                "{name}: {request} {escape}"
            );
        }
    }
}

#[test]
fn every_maker_is_one_that_is_tested_here() {
    let files = files();
    let makers = files.iter().filter(|(name, text)| {
        let policy = loaded(name, text).policy;
        let effect = policy.effect(Operation::ContainerCreate);
        effect.access.is_reachable() && name.as_str() != "docker-cli-full"
    });
    let makers: Vec<_> = makers.map(|(name, _)| name.as_str()).collect();
    assert_eq!(makers, MAKERS.map(|maker| maker.policy));
}

#[test]
fn docker_cli_full_is_root_and_says_so_in_its_first_words() {
    let text = &files()["docker-cli-full"];
    let policy = loaded("docker-cli-full", text).policy;
    assert!(
        policy
            .description()
            .unwrap()
            .starts_with("ROOT ON THE HOST")
    );
    for maker in &MAKERS {
        for escape in escapes() {
            let mut body: Value = serde_json::from_str(maker.body).unwrap();
            lay(&mut body, &escape);
            assert!(allows(&policy, maker.create, &body.to_string()), "{body}");
        }
    }
    for trace in traces::all() {
        if Call::parse(&trace.method, &trace.target).is_ok_and(|call| call.operation().is_some()) {
            assert_eq!(
                verdict(&policy, &trace),
                "allowed",
                "{} {}",
                trace.method,
                trace.target
            );
        }
    }
}

/// Lays one document over another: objects key by key, anything else whole.
fn lay(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                lay(below.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}

// === what recorded clients asked for ===

#[test]
fn ci_runner_runs_what_the_docker_cli_was_seen_to_run() {
    for src in ["cli20.10-engine20.10", "cli28.5-engine28.5"] {
        let mut verdicts = verdicts("ci-runner", src);
        verdicts.retain(|(_, verdict)| *verdict != "no-rule");
        assert_eq!(
            verdicts,
            [
                ("ContainerAttach", "allowed"),
                // `run -v /dir:/data --cap-add`, `run --privileged -v /:/host`.
                ("ContainerCreate", "allowed"),
                ("ContainerCreate", "power-mounts"),
                ("ContainerDelete", "allowed"),
                ("ContainerKill", "allowed"),
                ("ContainerResize", "allowed"),
                ("ContainerStart", "allowed"),
                ("ContainerStop", "allowed"),
                ("ContainerWait", "allowed"),
                ("ImageCreate", "allowed"),
                // `docker import`.
                ("ImageCreate", "power-from-src"),
                ("SystemInfo", "allowed"),
                ("SystemPingHead", "allowed"),
                ("SystemVersion", "allowed"),
            ]
            .into(),
            "{src}"
        );
    }
}

#[test]
fn compose_deploy_does_all_that_compose_was_seen_to_do_but_build_enter_and_delete_data() {
    for (src, refused) in [
        (
            "compose1.29-engine20.10",
            &[
                // `run` links to the other containers of its service.
                ("ContainerCreate", "power-links"),
                ("ContainerExec", "no-rule"),
                ("ContainerLogs", "no-rule"),
                ("ContainerTop", "no-rule"),
                ("ExecResize", "no-rule"),
                ("ImageBuild", "no-rule"),
                ("ImageDelete", "no-rule"),
                ("SystemEvents", "no-rule"),
                ("VolumeDelete", "no-rule"),
            ][..],
        ),
        (
            "compose2.26-engine20.10",
            &[
                ("ContainerArchiveInfo", "no-rule"),
                ("ContainerAttach", "no-rule"),
                ("ContainerExec", "no-rule"),
                ("ContainerLogs", "no-rule"),
                ("ContainerTop", "no-rule"),
                ("ExecInspect", "no-rule"),
                ("ExecResize", "no-rule"),
                ("ExecStart", "no-rule"),
                ("Grpc", "no-rule"),
                ("ImageDelete", "no-rule"),
                ("PutContainerArchive", "no-rule"),
                ("Session", "no-rule"),
                ("SystemEvents", "no-rule"),
                ("VolumeDelete", "no-rule"),
            ],
        ),
        (
            "compose2.40-engine28.5",
            &[
                ("ContainerArchiveInfo", "no-rule"),
                ("ContainerAttach", "no-rule"),
                ("ContainerExec", "no-rule"),
                ("ContainerLogs", "no-rule"),
                ("ContainerTop", "no-rule"),
                ("ExecInspect", "no-rule"),
                ("ExecResize", "no-rule"),
                ("ExecStart", "no-rule"),
                ("ImageDelete", "no-rule"),
                ("PutContainerArchive", "no-rule"),
                ("SystemEvents", "no-rule"),
                ("VolumeDelete", "no-rule"),
            ],
        ),
    ] {
        assert_eq!(refusals("compose-deploy", src), refused, "{src}");
    }
}

#[test]
fn testcontainers_does_all_that_it_was_seen_to_do_but_mount_a_directory() {
    for src in [
        "testcontainers-py4.15-engine20.10",
        "testcontainers-py4.15-engine28.5",
    ] {
        let refused = refusals("testcontainers", src);
        assert_eq!(refused, [("ContainerCreate", "power-mounts")], "{src}");
    }
}

fn refusals(name: &str, src: &str) -> Vec<(&'static str, &'static str)> {
    let verdicts = verdicts(name, src).into_iter();
    verdicts
        .filter(|(_, verdict)| *verdict != "allowed")
        .collect()
}

/// What became of a recorded client's requests: operations with verdicts.
fn verdicts(name: &str, src: &str) -> BTreeSet<(&'static str, &'static str)> {
    let policy = loaded(name, &files()[name]).policy;
    let traces = traces::all();
    let mut asked = traces.iter().filter(|trace| trace.src == src).peekable();
    assert!(asked.peek().is_some(), "the data is there");
    let judged = asked.map(|trace| {
        let call = Call::parse(&trace.method, &trace.target).unwrap();
        let operation = call.operation().map_or("-", Operation::name);
        (operation, verdict(&policy, trace))
    });
    judged.collect()
}

fn verdict(policy: &Policy, trace: &Trace) -> &'static str {
    let engine = if trace.src.ends_with("-engine28.5") {
        51
    } else {
        41
    };
    judged(
        policy,
        &trace.method,
        &trace.target,
        &trace.payload(),
        engine,
    )
}

fn allows(policy: &Policy, request: &str, body: &str) -> bool {
    let (method, target) = request.split_once(' ').unwrap();
    judged(policy, method, target, body.as_bytes(), 51) == "allowed"
}

/// `allowed`, or the code of the reason.
fn judged(policy: &Policy, method: &str, target: &str, body: &[u8], engine: u16) -> &'static str {
    let call = Call::parse(method, target).unwrap_or_else(|e| panic!("{method} {target}: {e}"));
    let caller = Caller {
        uid: Some(0),
        gid: Some(0),
        pid: None,
    };
    let engine = Some(ApiVersion::new(1, engine));
    // What was recorded, execs too, was created by the client that then asked for it.
    let mut object = Object::default();
    for fact in ["own=true", "name=recorded_default"] {
        object.give(fact).unwrap();
    }
    let found = Found::Object(Box::new(object));
    let findings = Findings {
        target: found.clone(),
        connected: found,
        ..Findings::default()
    };
    let judge = Judge::new(policy, &caller, &call, engine);
    let judge = judge.findings(&findings).presumed();
    match judge.body(body).decide().verdict {
        Verdict::Allow(_) => "allowed",
        Verdict::Deny(reason) => reason.code(),
    }
}
