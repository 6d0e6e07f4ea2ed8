//! What rules allow bodies.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use crate::docker::{ApiVersion, Call, Operation};
use crate::facts::{Caller, Findings, Origin};
use crate::judge::Judge;
use crate::policy::tests::policy;
use crate::policy::{Decision, Denial, Policy, Verdict};

const ENGINE: Option<ApiVersion> = Some(ApiVersion::new(1, 45));

/// `allow`, or the reason code.
fn verdict(policy: &Policy, request: &str, body: &str) -> &'static str {
    match answer(policy, request, body) {
        Ok(()) => "allow",
        Err(denial) => denial.reason.code(),
    }
}

fn answer(policy: &Policy, request: &str, body: &str) -> Result<(), Denial> {
    let (method, target) = request.split_once(' ').unwrap();
    let call = Call::parse(method, target).unwrap();
    let caller = Caller::default();
    let judge = Judge::new(policy, &caller, &call, ENGINE)
        .presumed()
        .body(body.as_bytes());
    match judge.decide().verdict {
        Verdict::Allow(_) => Ok(()),
        Verdict::Deny(reason) => Err(judge.denial(reason)),
    }
}

const CREATE: &str = "POST /containers/create";

/// A policy with one rule about creates.
fn create(lines: &str) -> Policy {
    policy(&format!(
        "[[rule]]\nname = \"job\"\nallow = \"{CREATE}\"\n{lines}\n"
    ))
}

fn assert_creates(lines: &str, cases: &[(&str, &str)]) {
    let policy = create(lines);
    for (body, expected) in cases {
        assert_eq!(verdict(&policy, CREATE, body), *expected, "{lines} {body}");
    }
}

#[test]
fn every_power_is_refused_by_default_and_allowed_by_its_key() {
    let plain = policy(&format!("allow = [\"{CREATE}\"]"));
    for (inside, code, key, other) in [
        (
            r#""Privileged":true"#,
            "power-privileged",
            "privileged = true",
            "oom = true",
        ),
        (
            r#""MaskedPaths":[]"#,
            "power-unmask-paths",
            "unmask_paths = true",
            "oom = true",
        ),
        (
            r#""OomKillDisable":true"#,
            "power-oom",
            "oom = true",
            "gpus = true",
        ),
        (
            r#""DeviceRequests":[{"Capabilities":[["gpu"]]}]"#,
            "power-gpus",
            "gpus = true",
            r#"devices = ["/dev/**"]"#,
        ),
        (
            r#""Binds":["/srv/ci/x:/x"]"#,
            "power-mounts",
            r#"mounts = ["/srv/ci/**"]"#,
            r#"mounts = ["/srv/other/**", "volume:**", "tmpfs"]"#,
        ),
        (
            r#""Binds":["/srv/ci/x:/x:ro"]"#,
            "power-mounts",
            r#"mounts = ["/srv/ci/**:ro"]"#,
            r#"mounts = ["volume:**:ro"]"#,
        ),
        (
            r#""Mounts":[{"Type":"volume","Source":"ci-1","Target":"/x"}]"#,
            "power-mounts",
            r#"mounts = ["volume:ci-*"]"#,
            r#"mounts = ["/**"]"#,
        ),
        (
            r#""Tmpfs":{"/t":""}"#,
            "power-mounts",
            r#"mounts = ["tmpfs"]"#,
            r#"mounts = ["/**"]"#,
        ),
        (
            r#""NetworkMode":"ci-net""#,
            "power-network",
            r#"network = ["ci-*"]"#,
            r#"network = ["none"]"#,
        ),
        (
            r#""NetworkMode":"host""#,
            "power-network",
            r#"network = ["host"]"#,
            r#"network = ["*", "**", "h*", "~h.*"]"#,
        ),
        (
            r#""NetworkMode":"container:web""#,
            "power-network",
            r#"network = ["container:w*"]"#,
            r#"network = ["**", "cont*"]"#,
        ),
        (
            r#""PortBindings":{"80/tcp":[{"HostPort":"8080"}]}"#,
            "power-publish",
            r#"publish = ["*:8000-8100/tcp"]"#,
            r#"publish = ["127.0.0.1:8080/tcp"]"#,
        ),
        (
            r#""PublishAllPorts":true"#,
            "power-publish",
            "publish = true",
            r#"publish = ["*:1-65535/tcp"]"#,
        ),
        (
            r#""CapAdd":["cap_net_bind_service"]"#,
            "power-capabilities",
            r#"capabilities = ["NET_BIND_SERVICE"]"#,
            r#"capabilities = ["SYS_*"]"#,
        ),
        (
            r#""CapAdd":["ALL"]"#,
            "power-capabilities",
            r#"capabilities = ["all"]"#,
            r#"capabilities = ["**"]"#,
        ),
        (
            r#""Devices":[{"PathOnHost":"/dev/fuse","CgroupPermissions":"r"}]"#,
            "power-devices",
            r#"devices = ["/dev/fuse:rw"]"#,
            r#"devices = ["/dev/fuse:w"]"#,
        ),
        (
            r#""Devices":[{"PathOnHost":"/dev/fuse"}]"#,
            "power-devices",
            r#"devices = ["/dev/fuse"]"#,
            r#"devices = ["/dev/fuse:rw"]"#,
        ),
        (
            r#""DeviceRequests":[{"Driver":"cdi","DeviceIDs":["v.com/x=1"]}]"#,
            "power-devices",
            r#"devices = ["cdi:v.com/**"]"#,
            r#"devices = ["/**"]"#,
        ),
        (
            r#""DeviceCgroupRules":["c 1:3 r"]"#,
            "power-device-rules",
            r#"device_rules = ["c 1:3 r"]"#,
            r#"device_rules = ["b **"]"#,
        ),
        (
            r#""VolumesFrom":["data-1:ro"]"#,
            "power-volumes-from",
            r#"volumes_from = ["data-*"]"#,
            r#"volumes_from = ["x-*"]"#,
        ),
        (
            r#""PidMode":"host""#,
            "power-pid",
            r#"pid = ["host"]"#,
            r#"pid = ["**"]"#,
        ),
        (
            r#""IpcMode":"host""#,
            "power-ipc",
            r#"ipc = ["host"]"#,
            r#"ipc = ["private"]"#,
        ),
        (
            r#""UTSMode":"host""#,
            "power-uts",
            r#"uts = ["host"]"#,
            r#"uts = ["*"]"#,
        ),
        (
            r#""UsernsMode":"host""#,
            "power-userns",
            r#"userns = ["host"]"#,
            r#"userns = ["*"]"#,
        ),
        (
            r#""CgroupnsMode":"host""#,
            "power-cgroupns",
            r#"cgroupns = ["host"]"#,
            r#"cgroupns = ["*"]"#,
        ),
        (
            r#""CgroupParent":"/ci""#,
            "power-cgroup-parent",
            r#"cgroup_parent = ["/ci"]"#,
            r#"cgroup_parent = ["/x"]"#,
        ),
        (
            r#""SecurityOpt":["seccomp:unconfined"]"#,
            "power-security-opt",
            r#"security_opt = ["seccomp=unconfined"]"#,
            r#"security_opt = ["label=*"]"#,
        ),
        (
            r#""SecurityOpt":["label=disable"]"#,
            "power-security-opt",
            r#"security_opt = ["label:disable"]"#,
            r#"security_opt = ["seccomp:*"]"#,
        ),
        (
            r#""Sysctls":{"net.core.somaxconn":"1024"}"#,
            "power-sysctls",
            r#"sysctls = ["net.core.somaxconn=*"]"#,
            r#"sysctls = ["kernel.**"]"#,
        ),
        (
            r#""Runtime":"runsc""#,
            "power-runtime",
            r#"runtime = ["runsc"]"#,
            r#"runtime = ["runc"]"#,
        ),
        (
            r#""GroupAdd":["video"]"#,
            "power-groups",
            r#"groups = ["video"]"#,
            r#"groups = ["docker"]"#,
        ),
        (
            r#""Links":["my-db:db"]"#,
            "power-links",
            r#"links = ["my-*"]"#,
            r#"links = ["x-*"]"#,
        ),
        (
            r#""LogConfig":{"Type":"syslog"}"#,
            "power-log-driver",
            r#"log_driver = ["syslog"]"#,
            r#"log_driver = ["json-file"]"#,
        ),
        (
            r#""StorageOpt":{"size":"1G"}"#,
            "power-storage",
            r#"storage = ["size=*"]"#,
            r#"storage = ["x=*"]"#,
        ),
        (
            r#""Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}]"#,
            "power-ulimits",
            r#"ulimits = ["nofile=*"]"#,
            r#"ulimits = ["nproc=*"]"#,
        ),
        (
            r#""ShmSize":1073741824"#,
            "power-resources",
            "resources = true",
            r#"resources = ["OomScoreAdj"]"#,
        ),
        (
            r#""Annotations":{"a":"b"}"#,
            "power-annotations",
            r#"annotations = ["a=*"]"#,
            r#"annotations = ["x=*"]"#,
        ),
    ] {
        let body = format!(r#"{{"Image":"alpine","HostConfig":{{{inside}}}}}"#);
        assert_eq!(verdict(&plain, CREATE, &body), code, "{body}");
        let named = create(&format!("container.{key}"));
        assert_eq!(verdict(&named, CREATE, &body), "allow", "{key} {body}");
        let elsewhere = create(&format!("container.{other}"));
        assert_eq!(verdict(&elsewhere, CREATE, &body), code, "{other} {body}");
    }
}

#[test]
fn paths_of_the_host_have_one_reading() {
    let bind = |source: &str| format!(r#"{{"HostConfig":{{"Binds":["{source}:/x"]}}}}"#);
    let policy = create(r#"container.mounts = ["/srv/ci/**"]"#);
    for (source, expected) in [
        ("/srv/ci", "allow"),
        ("/srv/ci/a", "allow"),
        ("/srv/ci/../../etc", "power-mounts"),
        ("/srv/ci/./a", "power-mounts"),
        ("/srv/ci//a", "power-mounts"),
        ("/srv/ci/", "power-mounts"),
        ("//srv/ci", "power-mounts"),
        ("/srv/ci\\u0000/a", "power-mounts"),
        ("/srv/cia", "power-mounts"),
        ("/", "power-mounts"),
        ("srv/ci", "malformed-body"),
    ] {
        assert_eq!(
            verdict(&policy, CREATE, &bind(source)),
            expected,
            "{source}"
        );
    }
    let all = create(r#"container.mounts = ["/**"]"#);
    assert_eq!(verdict(&all, CREATE, &bind("/")), "power-mounts");
    let root = create(r#"container.mounts = ["/", "/**"]"#);
    assert_eq!(verdict(&root, CREATE, &bind("/")), "allow");
}

#[test]
fn a_power_that_is_named_replaces_dockers_default() {
    assert_creates(
        r#"container.network = ["none"]"#,
        &[
            ("{}", "power-network"),
            (r#"{"HostConfig":{"NetworkMode":""}}"#, "power-network"),
            (
                r#"{"HostConfig":{"NetworkMode":"default"}}"#,
                "power-network",
            ),
            (r#"{"HostConfig":{"NetworkMode":"none"}}"#, "allow"),
            (
                r#"{"HostConfig":{"NetworkMode":"none"},"NetworkingConfig":{"EndpointsConfig":{"bridge":{}}}}"#,
                "power-network",
            ),
        ],
    );
    assert_creates(
        r#"container.network = ["default", "ci-*"]"#,
        &[
            ("{}", "allow"),
            (r#"{"HostConfig":{"NetworkMode":"bridge"}}"#, "allow"),
            (r#"{"HostConfig":{"NetworkMode":"none"}}"#, "power-network"),
            (
                r#"{"HostConfig":{"NetworkMode":"ci-a"},"NetworkingConfig":{"EndpointsConfig":{"ci-a":{},"ci-b":{}}}}"#,
                "allow",
            ),
            (
                r#"{"HostConfig":{"NetworkMode":"ci-a"},"NetworkingConfig":{"EndpointsConfig":{"prod":{}}}}"#,
                "power-network",
            ),
            (
                r#"{"HostConfig":{"NetworkMode":"ci-a"},"NetworkingConfig":{"EndpointsConfig":{"ci-a":{"NetworkID":"abc"}}}}"#,
                "closed-field",
            ),
        ],
    );
    // Powers that add something have nothing as their default.
    assert_creates(r#"container.mounts = ["tmpfs"]"#, &[("{}", "allow")]);
    assert_creates(
        r#"container.pid = ["host"]"#,
        &[
            ("{}", "power-pid"),
            (r#"{"HostConfig":{"PidMode":"host"}}"#, "allow"),
        ],
    );
    assert_creates(
        "container.privileged = false\ncontainer.mounts = []",
        &[("{}", "allow")],
    );
    // Harmless in any form, but it can be narrowed.
    assert_creates(
        r#"container.dns = ["1.1.1.1"]"#,
        &[
            ("{}", "allow"),
            (r#"{"HostConfig":{"Dns":["1.1.1.1"]}}"#, "allow"),
            (r#"{"HostConfig":{"Dns":["8.8.8.8"]}}"#, "power-dns"),
        ],
    );
}

#[test]
fn what_is_made_can_be_narrowed() {
    assert_creates(
        r#"container.image = ["alpine:*", "ghcr.io/acme/**:*", "sha256:ab*"]"#,
        &[
            (r#"{"Image":"alpine"}"#, "allow"),
            (r#"{"Image":"docker.io/library/alpine:3"}"#, "allow"),
            (r#"{"Image":"ghcr.io/acme/x/y:1"}"#, "allow"),
            (r#"{"Image":"evil/alpine"}"#, "body"),
            (r#"{"Image":"sha256:abcd"}"#, "allow"),
            (r#"{"Image":"sha256:bbcd"}"#, "body"),
            (r#"{"Image":"abcd"}"#, "body"),
            ("{}", "body"),
        ],
    );
    assert_creates(
        r#"container.command = [["ls"], ["sh", "-c", "**"]]"#,
        &[
            (r#"{"Cmd":["ls"]}"#, "allow"),
            (r#"{"Cmd":["ls","-l"]}"#, "body"),
            (r#"{"Cmd":["sh","-c"]}"#, "allow"),
            (r#"{"Cmd":["sh","-c","x","y"]}"#, "allow"),
            (r#"{"Entrypoint":["sh"],"Cmd":["-c","x"]}"#, "allow"),
            (r#"{"Entrypoint":["evil"],"Cmd":["ls"]}"#, "body"),
            (
                r#"{"Cmd":["ls"],"Healthcheck":{"Test":["CMD","evil"]}}"#,
                "body",
            ),
            (r#"{"Cmd":["ls"],"Healthcheck":{"Test":["NONE"]}}"#, "allow"),
            ("{}", "body"),
        ],
    );
    assert_creates(
        r#"container.user = ["1000", "1000:*"]"#,
        &[
            (r#"{"User":"1000"}"#, "allow"),
            (r#"{"User":"01000:5"}"#, "allow"),
            (r#"{"User":"0"}"#, "body"),
            ("{}", "body"),
        ],
    );
    assert_creates(
        r#"container.labels = ["ci=*"]"#,
        &[
            ("{}", "allow"),
            (r#"{"Labels":{"ci":"1"}}"#, "allow"),
            (r#"{"Labels":{"ci":"1","traefik.enable":"true"}}"#, "body"),
        ],
    );
    let named = create(r#"container.name = "job-*""#);
    for (query, expected) in [
        ("?name=job-1", "allow"),
        ("?name=web", "body"),
        ("", "body"),
        ("?name=job-1&name=web", "body"),
    ] {
        let request = format!("{CREATE}{query}");
        assert_eq!(verdict(&named, &request, "{}"), expected, "{query}");
    }
}

#[test]
fn what_is_required_must_be_there() {
    for (word, inside) in [
        ("memory", r#""HostConfig":{"Memory":1}"#),
        ("pids", r#""HostConfig":{"PidsLimit":1}"#),
        ("cpus", r#""HostConfig":{"NanoCpus":1}"#),
        ("cpus", r#""HostConfig":{"CpuQuota":1}"#),
        ("read-only", r#""HostConfig":{"ReadonlyRootfs":true}"#),
        (
            "no-new-privileges",
            r#""HostConfig":{"SecurityOpt":["no-new-privileges:true"]}"#,
        ),
        ("drop-all", r#""HostConfig":{"CapDrop":["ALL"]}"#),
        ("init", r#""HostConfig":{"Init":true}"#),
        ("user", r#""User":"1000:0""#),
    ] {
        assert_creates(
            &format!("container.require = [\"{word}\"]"),
            &[("{}", "require"), (&format!("{{{inside}}}"), "allow")],
        );
    }
    assert_creates(
        r#"container.require = ["memory", "pids", "user"]"#,
        &[
            (
                r#"{"User":"0","HostConfig":{"Memory":1,"PidsLimit":1}}"#,
                "require",
            ),
            (
                r#"{"User":"00","HostConfig":{"Memory":1,"PidsLimit":1}}"#,
                "require",
            ),
            (
                r#"{"User":"root","HostConfig":{"Memory":1,"PidsLimit":1}}"#,
                "require",
            ),
            (
                r#"{"User":"5","HostConfig":{"Memory":1,"PidsLimit":-1}}"#,
                "require",
            ),
            (
                r#"{"User":"5","HostConfig":{"Memory":1,"PidsLimit":1}}"#,
                "allow",
            ),
        ],
    );
}

#[test]
fn unknown_fields_are_refused_unless_they_are_named() {
    assert_creates(
        r#"container.fields = ["HostConfig.NewThing", "NetworkingConfig.EndpointsConfig.*.NetworkID", "**"]"#,
        &[
            (r#"{"HostConfig":{"NewThing":1}}"#, "allow"),
            (
                r#"{"NetworkingConfig":{"EndpointsConfig":{"bridge":{"NetworkID":"x"}}}}"#,
                "allow",
            ),
            // A power in another spelling, or where old engines read it, is never let through.
            (r#"{"hostconfig":{"Privileged":true}}"#, "unknown-field"),
            (r#"{"Privileged":true}"#, "unknown-field"),
        ],
    );
    assert_creates(
        "",
        &[
            (r#"{"HostConfig":{"NewThing":1}}"#, "unknown-field"),
            (r#"{"HostConfig":{"NewThing":null}}"#, "allow"),
            (r#"{"HostConfig":{"ContainerIDFile":"/x"}}"#, "closed-field"),
        ],
    );
}

#[test]
fn bodies_that_cannot_be_read_are_refused_by_rules_that_judge_them() {
    assert_creates(
        "",
        &[
            ("", "malformed-body"),
            ("{}{}", "malformed-body"),
            ("[]", "malformed-body"),
            (r#"{"Image":"a","image":"b"}"#, "malformed-body"),
        ],
    );
    assert_creates(
        r#"body = "unchecked""#,
        &[
            ("x", "allow"),
            (r#"{"HostConfig":{"Privileged":true}}"#, "allow"),
        ],
    );
    let swarm = policy("allow = [\"POST /swarm/leave\", \"POST /swarm/init\"]");
    assert_eq!(
        verdict(&swarm, "POST /swarm/init", "{}"),
        "body-undescribed"
    );
    assert_eq!(verdict(&swarm, "POST /swarm/leave", ""), "allow");
    let swarm = policy("[[rule]]\nallow = \"POST /swarm/init\"\nbody = \"unchecked\"");
    assert_eq!(verdict(&swarm, "POST /swarm/init", "{}"), "allow");
}

#[test]
fn a_body_that_nobody_read_is_not_allowed_unless_it_is_unchecked() {
    let caller = Caller::default();
    let call = Call::parse("POST", "/containers/create").unwrap();
    for (lines, before, after) in [
        ("", "body-unread", "allow"),
        (r#"container.image = "alpine""#, "body-unread", "allow"),
        (r#"container.image = "busybox""#, "body-unread", "body"),
        (r#"body = "unchecked""#, "allow", "allow"),
    ] {
        let policy = create(lines);
        let judge = Judge::new(&policy, &caller, &call, ENGINE);
        let code = |decision: Decision| match decision.verdict {
            Verdict::Allow(_) => "allow",
            Verdict::Deny(reason) => reason.code(),
        };
        assert_eq!(code(judge.decide()), before, "{lines}");
        let read = judge.body(br#"{"Image":"alpine"}"#);
        assert_eq!(code(read.decide()), after, "{lines}");
    }
}

#[test]
fn an_exec_is_reached_from_where_it_was_created() {
    let caller = Caller::default();
    for request in ["GET /exec/0a/json", "POST /exec/0a/resize?h=1&w=1"] {
        let (method, target) = request.split_once(' ').unwrap();
        let call = Call::parse(method, target).unwrap();
        let grants = r#"allow = ["GET /exec/{id}/json", "POST /exec/{id}/resize"]"#;
        for (lines, origin, allowed) in [
            ("", Origin::Here, true),
            ("", Origin::Elsewhere, false),
            ("any_exec = true", Origin::Elsewhere, true),
            ("any_exec = false", Origin::Elsewhere, false),
        ] {
            let policy = policy(&format!("[[rule]]\n{grants}\n{lines}\n"));
            let findings = Findings {
                exec: origin,
                ..Findings::default()
            };
            let judge = Judge::new(&policy, &caller, &call, ENGINE).findings(&findings);
            assert_eq!(judge.decide().allows(), allowed, "{request} {lines}");
        }
        let policy = policy(grants);
        let judge = Judge::new(&policy, &caller, &call, ENGINE);
        let Verdict::Deny(reason) = judge.decide().verdict else {
            panic!("{request}: who knows nothing allows nothing");
        };
        assert_eq!(reason.code(), "foreign-exec");
        let denial = judge.denial(reason);
        assert!(denial.message.contains("`any_exec = true`"), "{denial:?}");
    }
}

#[test]
fn other_bodies_have_their_tables() {
    for (grant, lines, body, expected) in [
        (
            "POST /containers/{id}/exec",
            "",
            r#"{"Cmd":["ls"]}"#,
            "allow",
        ),
        (
            "POST /containers/{id}/exec",
            "",
            r#"{"Privileged":true}"#,
            "power-privileged",
        ),
        (
            "POST /containers/{id}/exec",
            "exec.privileged = true",
            r#"{"Privileged":true}"#,
            "allow",
        ),
        (
            "POST /containers/{id}/exec",
            "",
            r#"{"User":"root"}"#,
            "power-user",
        ),
        (
            "POST /containers/{id}/exec",
            r#"exec.user = ["", "1000"]"#,
            r#"{"User":"01000"}"#,
            "allow",
        ),
        (
            "POST /containers/{id}/exec",
            r#"exec.user = ["", "1000"]"#,
            "{}",
            "allow",
        ),
        (
            "POST /containers/{id}/exec",
            r#"exec.user = ["1000"]"#,
            "{}",
            "power-user",
        ),
        (
            "POST /containers/{id}/exec",
            "",
            r#"{"Env":["A=1"]}"#,
            "power-env",
        ),
        (
            "POST /containers/{id}/exec",
            r#"exec.env = ["A=*"]"#,
            r#"{"Env":["A=1"]}"#,
            "allow",
        ),
        (
            "POST /containers/{id}/exec",
            "",
            r#"{"WorkingDir":"/"}"#,
            "power-workdir",
        ),
        (
            "POST /containers/{id}/exec",
            r#"exec.command = [["redis-cli", "**"]]"#,
            r#"{"Cmd":["redis-cli","ping"]}"#,
            "allow",
        ),
        (
            "POST /containers/{id}/exec",
            r#"exec.command = [["redis-cli", "**"]]"#,
            r#"{"Cmd":["sh"]}"#,
            "body",
        ),
        (
            "POST /containers/{id}/update",
            "",
            r#"{"Memory":5}"#,
            "allow",
        ),
        (
            "POST /containers/{id}/update",
            "",
            r#"{"DeviceCgroupRules":["a"]}"#,
            "power-device-rules",
        ),
        (
            "POST /containers/{id}/update",
            r#"update.device_rules = ["a"]"#,
            r#"{"DeviceCgroupRules":["a"]}"#,
            "allow",
        ),
        (
            "POST /networks/create",
            "",
            r#"{"Name":"n","Driver":"bridge"}"#,
            "allow",
        ),
        (
            "POST /networks/create",
            "",
            r#"{"Name":"n","Driver":"macvlan"}"#,
            "power-network-driver",
        ),
        (
            "POST /networks/create",
            "network.driver = [\"macvlan\"]\nnetwork.options = [\"parent=eth1\"]",
            r#"{"Name":"n","Driver":"macvlan","Options":{"parent":"eth1"}}"#,
            "allow",
        ),
        (
            "POST /networks/create",
            "",
            r#"{"Options":{"parent":"eth1"}}"#,
            "power-network-options",
        ),
        (
            "POST /networks/create",
            r#"network.name = "ci-*""#,
            r#"{"Name":"ci-a"}"#,
            "allow",
        ),
        (
            "POST /networks/create",
            r#"network.name = "ci-*""#,
            r#"{"Name":"prod"}"#,
            "body",
        ),
        (
            "POST /networks/create",
            "",
            r#"{"ConfigOnly":true}"#,
            "power-config",
        ),
        (
            "POST /networks/create",
            "network.config = true",
            r#"{"ConfigOnly":true}"#,
            "allow",
        ),
        (
            "POST /networks/{id}/connect",
            "",
            r#"{"Container":"c"}"#,
            "allow",
        ),
        (
            "POST /networks/{id}/connect",
            "",
            r#"{"EndpointConfig":{"DriverOpts":{"a":"b"}}}"#,
            "power-endpoint",
        ),
        (
            "POST /networks/{id}/connect",
            r#"connect.endpoint = ["a=*"]"#,
            r#"{"EndpointConfig":{"DriverOpts":{"a":"b"}}}"#,
            "allow",
        ),
        (
            "POST /volumes/create",
            "",
            r#"{"Name":"v","Driver":"local"}"#,
            "allow",
        ),
        (
            "POST /volumes/create",
            "",
            r#"{"DriverOpts":{"type":"none","o":"bind","device":"/"}}"#,
            "power-volume-options",
        ),
        (
            "POST /volumes/create",
            r#"volume.options = ["type=tmpfs", "device=tmpfs", "o=size=*"]"#,
            r#"{"DriverOpts":{"type":"tmpfs","device":"tmpfs","o":"size=1m"}}"#,
            "allow",
        ),
        (
            "POST /volumes/create",
            r#"volume.options = ["type=tmpfs", "device=tmpfs", "o=size=*"]"#,
            r#"{"DriverOpts":{"type":"none","device":"/etc","o":"bind"}}"#,
            "power-volume-options",
        ),
        (
            CREATE,
            "container.mounts = [\"volume:*\"]",
            r#"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"v","VolumeOptions":{"DriverConfig":{"Options":{"device":"/"}}}}]}}"#,
            "power-volume-options",
        ),
        (
            CREATE,
            "container.mounts = [\"volume:*\"]\nvolume.options = [\"device=/srv\"]",
            r#"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"v","VolumeOptions":{"DriverConfig":{"Options":{"device":"/srv"}}}}]}}"#,
            "allow",
        ),
        (
            "POST /services/create",
            "",
            r#"{"Name":"s","Mode":{"Replicated":{}}}"#,
            "allow",
        ),
        (
            "POST /services/create",
            "",
            r#"{"Mode":{"Global":{}}}"#,
            "power-mode",
        ),
        (
            "POST /services/create",
            r#"service.mode = ["global"]"#,
            r#"{"Mode":{"Global":{}}}"#,
            "allow",
        ),
        (
            "POST /services/create",
            "",
            r#"{"TaskTemplate":{"ContainerSpec":{"Secrets":[{"SecretID":"x"}]}}}"#,
            "power-mounts",
        ),
        (
            "POST /services/create",
            r#"service.mounts = ["secret:ci-*"]"#,
            r#"{"TaskTemplate":{"ContainerSpec":{"Secrets":[{"SecretName":"ci-x"}]}}}"#,
            "allow",
        ),
    ] {
        let policy = policy(&format!("[[rule]]\nallow = \"{grant}\"\n{lines}\n"));
        let request = grant.replace("{id}", "web");
        assert_eq!(
            verdict(&policy, &request, body),
            expected,
            "{grant} {lines} {body}"
        );
    }
}

#[test]
fn several_rules_are_joined_by_or_never_by_and() {
    let text = format!(
        "[[rule]]\nname = \"a\"\nallow = \"{CREATE}\"\ncontainer.image = \"alpine\"\ncontainer.mounts = [\"tmpfs\"]\n\
         [[rule]]\nname = \"b\"\nallow = \"{CREATE}\"\ncontainer.image = \"busybox\"\ncontainer.privileged = true\n"
    );
    let policy = policy(&text);
    for (body, expected) in [
        (
            r#"{"Image":"alpine","HostConfig":{"Tmpfs":{"/t":""}}}"#,
            "allow",
        ),
        (
            r#"{"Image":"busybox","HostConfig":{"Privileged":true}}"#,
            "allow",
        ),
        (
            r#"{"Image":"alpine","HostConfig":{"Privileged":true}}"#,
            "power-privileged",
        ),
        (
            r#"{"Image":"busybox","HostConfig":{"Privileged":true,"Tmpfs":{"/t":""}}}"#,
            "power-privileged",
        ),
    ] {
        assert_eq!(verdict(&policy, CREATE, body), expected, "{body}");
    }
}

#[test]
fn recorded_creates_get_their_listed_verdict() {
    let plain = policy(&format!("allow = [\"{CREATE}\"]"));
    let (mut allowed, mut refused) = (0, 0);
    for line in include_str!("../../../tests/data/bodies.jsonl").lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["operation"] != "ContainerCreate" {
            continue;
        }
        let count = line["count"].as_u64().unwrap();
        let powers = line["powers"].as_array().unwrap();
        let verdict = verdict(&plain, CREATE, &line["body"].to_string());
        if powers.is_empty() {
            assert_eq!(verdict, "allow", "{line}");
            allowed += count;
        } else {
            let named = powers.iter().map(|power| power.as_str().unwrap());
            let named = named.map(|power| format!("power-{}", power.replace('_', "-")));
            assert!(
                named.into_iter().any(|code| code == verdict),
                "{verdict} {line}"
            );
            refused += count;
        }
    }
    assert_eq!((allowed, refused), (56, 27));
}

#[test]
fn a_denial_names_field_power_and_the_line_to_add() {
    let said = |lines: &str, body: &str| {
        let denial = answer(&create(lines), CREATE, body).unwrap_err();
        let message = denial.message.split_once("but ").unwrap().1.to_owned();
        (message, denial.hint.unwrap_or_default())
    };
    let body = |inside: &str| format!(r#"{{"HostConfig":{{{inside}}}}}"#);
    for (lines, inside, message, hint) in [
        (
            "",
            r#""Binds":["/etc:/x:ro"]"#,
            "HostConfig.Binds[0] is `/etc:ro`, which mounts what lies outside of the container. \
             To allow it too, add a rule with `container.mounts = [\"/etc:ro\"]`",
            "[[rule]]\nallow = \"POST /containers/create\"\ncontainer.mounts = [\"/etc:ro\"]",
        ),
        (
            "container.image = \"**\"\ncontainer.network = [\"ci-*\"]",
            r#""NetworkMode":"prod""#,
            "HostConfig.NetworkMode is `prod`, which joins a network. \
             To allow it too, add a rule with `container.network = [\"prod\"]`",
            "[[rule]]\nallow = \"POST /containers/create\"\ncontainer.network = [\"prod\"]\ncontainer.image = \"**\"",
        ),
        (
            "container.network = [\"none\"]",
            "",
            "HostConfig.NetworkMode is absent, so that Docker takes `bridge`. \
             To allow it too, add a rule with `container.network = [\"bridge\"]`",
            "[[rule]]\nallow = \"POST /containers/create\"\ncontainer.network = [\"bridge\"]",
        ),
        (
            "",
            r#""Privileged":true"#,
            "HostConfig.Privileged gives every capability and every device, unconfined: root on the host. \
             To allow it too, add a rule with `container.privileged = true`",
            "[[rule]]\nallow = \"POST /containers/create\"\ncontainer.privileged = true",
        ),
        (
            "",
            r#""Annotations":{"key":"secret"}"#,
            "HostConfig.Annotations.key is `key=…`, which passes annotations to the runtime",
            "",
        ),
        (
            "",
            r#""Links":["/my-db:db"]"#,
            "HostConfig.Links[0] is `/my-db:db`, which links to another container and reads its environment. \
             To allow it too, add a rule with `container.links = [\"my-db\"]`",
            "[[rule]]\nallow = \"POST /containers/create\"\ncontainer.links = [\"my-db\"]",
        ),
        // No line that the policy language itself would refuse, or that would not help.
        (
            "",
            r#""Links":["db:alias"]"#,
            "HostConfig.Links[0] is `db:alias`, which links to another container and reads its environment",
            "",
        ),
        (
            "",
            r#""Binds":["/srv/../etc:/x"]"#,
            "HostConfig.Binds[0] is `/srv/../etc`, which mounts what lies outside of the container",
            "",
        ),
        (
            "",
            r#""New\u001b[0m":1"#,
            "the body's field `HostConfig.New\\x1b[0m` is not known to this version",
            "",
        ),
        (
            "",
            r#""NewThing":1"#,
            "the body's field `HostConfig.NewThing` is not known to this version. \
             To allow it too, add a rule with `container.fields = [\"HostConfig.NewThing\"]`",
            "[[rule]]\nallow = \"POST /containers/create\"\ncontainer.fields = [\"HostConfig.NewThing\"]",
        ),
        (
            "container.require = [\"memory\"]",
            "",
            "it sets no limit on memory (`HostConfig.Memory`)",
            "",
        ),
        (
            "container.image = \"alpine\"",
            "",
            "the body does not meet `container.image = \"alpine\"`",
            "",
        ),
        (
            "",
            r#""Memory":"5""#,
            "HostConfig.Memory must be an integer, not a string",
            "",
        ),
    ] {
        assert_eq!(
            said(lines, &body(inside)),
            (message.to_owned(), hint.to_owned()),
            "{lines} {inside}"
        );
    }
}

#[test]
fn a_flag_of_a_power_with_names_is_told_as_a_flag() {
    let policy = policy("[[rule]]\nallow = \"POST /networks/create\"\n");
    let denial = answer(&policy, "POST /networks/create", r#"{"ConfigOnly":true}"#).unwrap_err();
    let (_, message) = denial.message.split_once("but ").unwrap();
    assert_eq!(
        message,
        "ConfigOnly makes or uses the configuration of another network. \
         To allow it too, add a rule with `network.config = true`"
    );
}

#[test]
fn the_gate_is_told_which_bodies_to_read() {
    let policy = policy(
        "allow = [\"POST /containers/create\", \"POST /containers/{id}/start\", \"POST /swarm/init\"]\n\
         [[rule]]\nallow = \"POST /volumes/create\"\nbody = \"unchecked\"\n",
    );
    for (operation, expected) in [
        (Operation::ContainerCreate, true),
        (Operation::ContainerStart, false),
        (Operation::VolumeCreate, false),
        (Operation::NetworkCreate, false),
        (Operation::SwarmInit, false),
    ] {
        assert_eq!(
            policy.reads_body(operation),
            expected,
            "{}",
            operation.name()
        );
    }
}
