//! `ci-runner`, `docker-run`, `ai-agent-sandbox` and `docker-cli-full` with the docker command line.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::stranger::Stranger;
use super::{exists, is_refused, ready, ready_with};
use crate::stage::{Container, IMAGE, docker, docker_with_input, name};

// === ci-runner ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn ci_runner_runs_throw_away_containers() {
    let gate = ready("ci-runner");
    let socket = gate.socket();

    let said = docker(&socket, &["run", "--rm", IMAGE, "echo", "hello"]).ok();
    assert_eq!(said, "hello\n");
    let ended = docker(&socket, &["run", "--rm", IMAGE, "sh", "-c", "exit 7"]);
    assert_eq!(ended.code, 7, "{ended:?}");

    let typed = docker_with_input(&socket, &["run", "--rm", "-i", IMAGE, "cat"], b"typed\n");
    assert_eq!(typed.ok(), "typed\n");

    let job = Container(name("job"));
    docker(
        &socket,
        &["run", "-d", "--name", &job.0, IMAGE, "sleep", "600"],
    )
    .ok();
    docker(&socket, &["stop", "--time", "0", &job.0]).ok();
    docker(&socket, &["rm", &job.0]).ok();
    assert!(!exists(&job.0));

    Stranger::running(&[]).is_out_of_reach(&socket, &[]);
}

// === docker-run ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn docker_run_lists_its_own_where_a_person_adds_what_its_file_says() {
    let gate = ready_with("docker-run", |text| {
        // The tests of the file say who is refused how, and that changes with it.
        let rules = text.split("[[test]]").next().unwrap();
        let rules = rules.replace("#   [visible]\n#   own", "[visible]\nown");
        rules.replacen("allow = [", "allow = [\n  \"GET /containers/json\",", 1)
    });
    let neighbour = Stranger::running(&[]);
    let own = Container(name("own"));
    let socket = gate.socket();
    docker(&socket, &["create", "--name", &own.0, IMAGE, "true"]).ok();

    let listed = docker(&socket, &["ps", "-a", "--format", "{{.Names}}"]).ok();
    assert_eq!(listed, format!("{}\n", own.0));
    neighbour.is_out_of_reach(&socket, &[]);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn docker_run_does_everything_with_its_own_and_nothing_with_others() {
    let gate = ready("docker-run");
    let socket = gate.socket();
    let neighbour = Stranger::running(&[]);

    let said = docker(&socket, &["run", "--rm", IMAGE, "echo", "hello"]).ok();
    assert_eq!(said, "hello\n");
    let typed = docker_with_input(&socket, &["run", "--rm", "-i", IMAGE, "cat"], b"typed\n");
    assert_eq!(typed.ok(), "typed\n");

    let own = Container(name("own"));
    docker(
        &socket,
        &["run", "-d", "--name", &own.0, IMAGE, "sleep", "600"],
    )
    .ok();
    let said = docker(&socket, &["exec", &own.0, "echo", "inside"]).ok();
    assert_eq!(said, "inside\n");
    docker(&socket, &["logs", &own.0]).ok();

    // Names change hands, and what was created here stays what it is after a restart.
    let gate = gate.restart();
    let socket = gate.socket();
    for refused in [
        &["exec", neighbour.name(), "true"][..],
        &["logs", neighbour.name()],
        &["stop", "--time", "0", neighbour.name()],
        &["rm", "-f", neighbour.name()],
        &["inspect", neighbour.name()],
        &["cp", &format!("{}:/etc/passwd", neighbour.name()), "-"],
        &[
            "run",
            "--rm",
            "--network",
            &format!("container:{}", neighbour.name()),
            IMAGE,
            "true",
        ],
    ] {
        let done = docker(&socket, refused);
        assert_ne!(done.code, 0, "{refused:?}: {done:?}");
    }
    neighbour.is_out_of_reach(&socket, &[]);
    docker(&socket, &["rm", "-f", &own.0]).ok();
    assert!(!exists(&own.0));
}

// === ci-runner, refusing ===

/// Flags of `docker run` that ask for something of the host, with the field or power that the refusal names.
const ESCAPES: [(&str, &str); 30] = [
    ("--privileged", "privileged"),
    ("--volume=/:/host", "mounts"),
    ("--volume=/etc:/host:ro", "mounts"),
    ("--volume=named:/data", "mounts"),
    ("--mount=type=bind,src=/,dst=/host", "mounts"),
    (
        "--mount=type=volume,dst=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/",
        "DriverConfig",
    ),
    (
        "--mount=type=volume,dst=/x,volume-opt=type=overlay,\"volume-opt=o=lowerdir=/,upperdir=/tmp/u,workdir=/tmp/w\",volume-opt=device=overlay",
        "DriverConfig",
    ),
    ("--volumes-from=NEIGHBOUR", "volumes_from"),
    ("--network=host", "network"),
    ("--network=container:NEIGHBOUR", "network"),
    ("--pid=host", "pid"),
    ("--ipc=host", "ipc"),
    ("--uts=host", "uts"),
    ("--userns=host", "userns"),
    ("--cap-add=SYS_ADMIN", "capabilities"),
    ("--cap-add=ALL", "capabilities"),
    ("--device=/dev/null", "devices"),
    ("--device-cgroup-rule=c 1:3 rwm", "device_rules"),
    ("--security-opt=seccomp=unconfined", "security_opt"),
    ("--security-opt=apparmor=unconfined", "security_opt"),
    ("--security-opt=systempaths=unconfined", "unmask_paths"),
    ("--publish=127.0.0.1:0:80", "publish"),
    ("--publish-all", "publish"),
    ("--cgroup-parent=/other", "cgroup_parent"),
    ("--sysctl=net.ipv4.ip_forward=1", "sysctls"),
    ("--group-add=0", "groups"),
    ("--runtime=other", "runtime"),
    ("--log-driver=syslog", "log_driver"),
    ("--oom-kill-disable", "oom"),
    ("--ulimit=nofile=9:9", "ulimits"),
];

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn ci_runner_gives_no_container_anything_of_the_host() {
    let gate = ready("ci-runner");
    let neighbour = Container::running("neighbour", &[], &["sleep", "600"]);

    for (flag, power) in ESCAPES {
        let flag = flag.replace("NEIGHBOUR", &neighbour.0);
        let job = Container(name("escape"));
        let refused = docker(
            &gate.socket(),
            &["run", "--name", &job.0, &flag, IMAGE, "true"],
        );
        assert_ne!(refused.code, 0, "{flag}");
        assert!(
            refused.err.contains("ContainerCreate") && refused.err.contains(&format!(".{power}")),
            "{flag}: {}",
            refused.err
        );
        assert!(!exists(&job.0), "{flag} left a container behind");
    }
    for command in [
        &["exec", &neighbour.0, "true"][..],
        &["inspect", &neighbour.0],
        &["logs", &neighbour.0],
        &["rm", "-f", &neighbour.0],
        &["cp", &format!("{}:/etc/passwd", neighbour.0), "-"],
        &["volume", "create", "x"],
        &["ps"],
    ] {
        let refused = docker(&gate.socket(), command);
        is_refused(&refused);
    }
    assert!(exists(&neighbour.0));
}

// === ai-agent-sandbox ===

/// What the policy's first lines tell an agent to write.
const SANDBOX: [&str; 9] = [
    "--network=none",
    "--memory=64m",
    "--pids-limit=64",
    "--user=1000",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    IMAGE,
    "sleep",
    "600",
];

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn agents_run_code_in_sandboxes() {
    let work = tempfile::Builder::new().prefix("qgw").tempdir().unwrap();
    fs::write(work.path().join("task"), "a task").unwrap();
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let place = work.path().display().to_string();
    let gate = ready_with("ai-agent-sandbox", |text| {
        text.replace("/srv/sandbox", &place)
    });
    let socket = gate.socket();
    let _other = Container::running("other", &[], &["sleep", "600"]);
    let sandbox = Container(name("a"));
    let enter = |arguments: &[&str], input: &[u8]| {
        docker_with_input(&socket, &[&["exec"], arguments].concat(), input).ok()
    };

    let bind = format!("--volume={place}:/data:ro");
    let run = [&["run", "-d", "--name", &sandbox.0, &bind], &SANDBOX[..]].concat();
    docker(&socket, &run).ok();
    let listed = docker(&socket, &["ps", "-a", "--format", "{{.Names}}"]).ok();
    assert_eq!(listed, format!("{}\n", sandbox.0), "its own alone");
    assert_eq!(enter(&[&sandbox.0, "cat", "/data/task"], b""), "a task");
    let written = docker(&socket, &["exec", &sandbox.0, "sh", "-c", "echo >/data/x"]);
    assert!(written.err.contains("Read-only"), "{written:?}");
    assert_eq!(enter(&[&sandbox.0, "id", "-u"], b""), "1000\n");
    is_refused(&docker(&socket, &["exec", "--user=0", &sandbox.0, "id"]));
    let said = enter(
        &[
            "-w",
            "/tmp",
            "-e",
            "A=b",
            &sandbox.0,
            "sh",
            "-c",
            "pwd; echo $A",
        ],
        b"",
    );
    assert_eq!(said, "/tmp\nb\n");
    let script = ["-i", &sandbox.0, "sh"];
    assert_eq!(enter(&script, b"echo from a script"), "from a script\n");
    assert!(!enter(&[&sandbox.0, "ls", "/sys/class/net"], b"").contains("eth0"));

    // Libraries go by ids.
    let id = docker(&socket, &["inspect", "-f", "{{.Id}}", &sandbox.0]).ok();
    docker(&socket, &["rm", "-f", &id[..12]]).ok();
    assert!(!exists(&sandbox.0));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn agents_reach_nothing_but_sandboxes() {
    let gate = ready("ai-agent-sandbox");
    let neighbour = Stranger::running(&["--network=none"]);
    for command in [&["pull", "alpine:3"][..], &["network", "ls"]] {
        is_refused(&docker(&gate.socket(), command));
    }
    assert_eq!(docker(&gate.socket(), &["ps", "-aq"]).ok(), "");
    neighbour.is_out_of_reach(&gate.socket(), &[]);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn agents_get_no_sandbox_that_is_less_than_one() {
    let gate = ready("ai-agent-sandbox");
    for left_out in &SANDBOX[..6] {
        let sandbox = Container(name("b"));
        let mut run = vec!["run", "-d", "--name", &sandbox.0];
        run.extend(SANDBOX.iter().filter(|word| *word != left_out));
        is_refused(&docker(&gate.socket(), &run));
        assert!(!exists(&sandbox.0), "without {left_out}");
    }
    for more in [
        "--privileged",
        "--volume=/:/host",
        "--volume=/srv/sandbox:/data",
        "--volume=/srv:/data:ro",
        "--cap-add=SYS_ADMIN",
        "--pid=host",
    ] {
        let sandbox = Container(name("c"));
        let run = [&["run", "-d", "--name", &sandbox.0, more], &SANDBOX[..]].concat();
        is_refused(&docker(&gate.socket(), &run));
        assert!(!exists(&sandbox.0), "with {more}");
    }
}

// === docker-cli-full ===

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn docker_cli_full_is_dockers_own_socket() {
    let gate = ready("docker-cli-full");
    let socket = gate.socket();
    let (all, powerful) = (Container(name("all")), Container(name("powerful")));
    let volume = name("volume");

    // Only made: not every machine that runs the tests lets one start.
    let create = [
        "create",
        "--privileged",
        "--pid=host",
        "--name",
        &powerful.0,
        IMAGE,
        "true",
    ];
    docker(&socket, &create).ok();
    let run = [
        "run",
        "-d",
        "--name",
        &all.0,
        "--volume=/:/host:ro",
        IMAGE,
        "sleep",
        "600",
    ];
    docker(&socket, &run).ok();
    docker(&socket, &["exec", "-u", "0", &all.0, "ls", "/host/etc"]).ok();
    docker(&socket, &["cp", &format!("{}:/etc/passwd", all.0), "-"]).ok();
    docker(
        &socket,
        &["update", "--memory=64m", "--memory-swap=64m", &all.0],
    )
    .ok();
    docker(&socket, &["top", &all.0, "-o", "pid,args"]).ok();
    let bound = ["-o", "type=none", "-o", "o=bind", "-o", "device=/tmp"];
    docker(
        &socket,
        &[&["volume", "create"], &bound[..], &[&volume]].concat(),
    )
    .ok();
    docker(&socket, &["volume", "rm", &volume]).ok();
    let prune = [
        "image",
        "prune",
        "--all",
        "--force",
        "--filter",
        "label=nothing=has-this",
    ];
    docker(&socket, &prune).ok();
    docker(&socket, &["rm", "-f", &all.0]).ok();
}
