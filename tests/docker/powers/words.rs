//! What a person at the docker CLI reads: the power by its field, and the line that would allow it.

use super::scenery::Scenery;
use crate::stage::{Gate, WORKER, docker};

/// What is typed, and what the refusal tells to add, or another part of it where a line would repeat
/// what may be a secret.
#[rustfmt::skip]
const TYPED: &[(&str, &str)] = &[
    ("run --rm -v /:/host {IMAGE} true",                    r#"`container.mounts = ["/"]`"#),
    ("run --rm -v /etc:/host:ro {IMAGE} true",              r#"`container.mounts = ["/etc:ro"]`"#),
    ("run --rm -v qg-new:/v {IMAGE} true",                  r#"`container.mounts = ["volume:qg-new"]`"#),
    ("run --rm --mount type=bind,source=/etc,target=/h,readonly {IMAGE} true", r#"`container.mounts = ["/etc:ro"]`"#),
    ("run --rm --tmpfs /t {IMAGE} true",                    r#"`container.mounts = ["tmpfs"]`"#),
    ("run --rm --volumes-from {BOX} {IMAGE} true",          r#"`container.volumes_from = ["{BOX}"]`"#),
    ("run --rm --privileged {IMAGE} true",                  "`container.privileged = true`"),
    ("run --rm --network host {IMAGE} true",                r#"`container.network = ["host"]`"#),
    ("run --rm --network {NET} {IMAGE} true",               r#"`container.network = ["{NET}"]`"#),
    ("run --rm --network container:{BOX} {IMAGE} true",     r#"`container.network = ["container:{BOX}"]`"#),
    ("run --rm -p 18080:80 {IMAGE} true",                   r#"`container.publish = ["*:18080/tcp"]`"#),
    ("run --rm -p 127.0.0.1:18080:80/udp {IMAGE} true",     r#"`container.publish = ["127.0.0.1:18080/udp"]`"#),
    ("run --rm -P {IMAGE} true",                            r#"`container.publish = ["*:0/tcp"]`"#),
    ("run --rm --link {BOX}:db {IMAGE} true",               r#"`container.links = ["{BOX}"]`"#),
    ("run --rm --pid host {IMAGE} true",                    r#"`container.pid = ["host"]`"#),
    ("run --rm --ipc host {IMAGE} true",                    r#"`container.ipc = ["host"]`"#),
    ("run --rm --uts host {IMAGE} true",                    r#"`container.uts = ["host"]`"#),
    ("run --rm --userns host {IMAGE} true",                 r#"`container.userns = ["host"]`"#),
    ("run --rm --cap-add SYS_ADMIN {IMAGE} true",           r#"`container.capabilities = ["SYS_ADMIN"]`"#),
    ("run --rm --cap-add all {IMAGE} true",                 r#"`container.capabilities = ["ALL"]`"#),
    ("run --rm --device /dev/zero {IMAGE} true",            r#"`container.devices = ["/dev/zero"]`"#),
    ("run --rm --gpus all {IMAGE} true",                    "`container.gpus = true`"),
    ("run --rm --security-opt seccomp=unconfined {IMAGE} true", r#"`container.security_opt = ["seccomp=unconfined"]`"#),
    ("run --rm --security-opt systempaths=unconfined {IMAGE} true", "`container.unmask_paths = true`"),
    ("run --rm --cgroup-parent /x {IMAGE} true",            r#"`container.cgroup_parent = ["/x"]`"#),
    ("run --rm --runtime io.containerd.runc.v2 {IMAGE} true", r#"`container.runtime = ["io.containerd.runc.v2"]`"#),
    ("run --rm --sysctl net.core.somaxconn=9 {IMAGE} true", r#"`container.sysctls = ["net.core.somaxconn=9"]`"#),
    ("run --rm --group-add 4242 {IMAGE} true",              r#"`container.groups = ["4242"]`"#),
    ("run --rm --ulimit nofile=1:2 {IMAGE} true",           r#"`container.ulimits = ["nofile=1:2"]`"#),
    ("run --rm --shm-size 1g {IMAGE} true",                 r#"`container.resources = ["ShmSize"]`"#),
    ("run --rm --log-driver syslog {IMAGE} true",           r#"`container.log_driver = ["syslog"]`"#),
    ("create --storage-opt size=1G {IMAGE} true",           r#"`container.storage = ["size=1G"]`"#),
    ("exec --privileged {BOX} true",                        "`exec.privileged = true`"),
    ("exec --user root {BOX} true",                         r#"`exec.user = ["root"]`"#),
    ("exec --workdir / {BOX} true",                         r#"`exec.workdir = ["/"]`"#),
    ("exec --env TOKEN=secret {BOX} true",                  "sets environment variables"),
    ("volume create --driver other qg-typed",               r#"`volume.driver = ["other"]`"#),
    ("volume create -o type=overlay -o device=overlay -o o=lowerdir=/ qg-typed", "which can make it any directory or disk of the host"),
    ("network create --driver macvlan qg-typed",            r#"`network.driver = ["macvlan"]`"#),
    ("network create --subnet 10.231.9.0/24 qg-typed",      r#"`network.subnets = ["10.231.9.0/24"]`"#),
];

/// The same without the power.
const PLAIN: &[&str] = &[
    "run --rm {IMAGE} true",
    "run --rm --network none --cap-drop ALL --read-only --memory 64m --user 1000 {IMAGE} true",
    "run --rm -e TOKEN=secret -l job=1 -w /tmp --security-opt no-new-privileges {IMAGE} true",
    "exec {BOX} true",
    "volume create qg-typed",
    "network create qg-typed",
];

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn what_is_refused_at_the_command_line_is_told_with_the_line_that_allows_it() {
    let scenery = Scenery::set();
    let more = r#"  "POST /volumes/create",
  "POST /networks/create",
]"#;
    let gate = Gate::before(
        scenery.engine(),
        &WORKER.replacen("\n]", &format!("\n{more}"), 1),
    );
    let typed = |line: &str| {
        let line = scenery.filled(line);
        let words: Vec<&str> = line.split(' ').collect();
        docker(&gate.socket(), &words)
    };
    let before = scenery.seen();
    let mut wrong = Vec::new();
    for (line, told) in TYPED {
        let done = typed(line);
        let told = scenery.filled(told);
        if done.code == 0 || !done.err.contains(&told) || done.err.contains("secret") {
            wrong.push(format!("{line}: {told} is not told: {done:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    super::play::unchanged(&before, &scenery.seen()).unwrap();

    for line in PLAIN {
        typed(line).ok();
    }
    // The line that is told is the line that helps.
    let helped = WORKER.replacen("  \"POST /containers/create\",\n", "", 1);
    let mounts = scenery.filled(r#"container.mounts = ["{HOST}:ro"]"#);
    let helped = format!("{helped}\n[[rule]]\nallow = \"POST /containers/create\"\n{mounts}\n");
    let gate = Gate::before(scenery.engine(), &helped);
    let line = scenery.filled("run --rm -v {HOST}:/h:ro {IMAGE} cat /h/marker");
    let words: Vec<&str> = line.split(' ').collect();
    let shown = docker(&gate.socket(), &words).ok();
    assert_eq!(shown, scenery.filled("{MARK}"));
}
