//! What each policy is worth, and by which rules.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use super::Grade::{Changes, Powers, ReadOnly, Root};
use super::*;
use crate::policy::tests::policy;

/// A policy that creates and starts, with these lines in the rule that creates.
fn creating(lines: &str) -> Policy {
    policy(&format!(
        "allow = [\"POST /containers/{{id}}/start\"]\n[[rule]]\nname = \"job\"\n\
         allow = \"POST /containers/create\"\n{lines}\n"
    ))
}

fn assert_grade(policy: &Policy, expected: Grade, why: &str, of: &str) {
    let causes = policy.causes();
    assert_eq!(policy.grade(), expected, "{of}: {causes:#?}");
    let said = causes
        .first()
        .map(|cause| cause.why.as_str())
        .unwrap_or_default();
    assert!(said.contains(why), "{of}: {said}");
}

#[test]
fn a_power_is_worth_what_a_container_can_do_with_it() {
    for (lines, expected, why) in [
        ("", Changes, ""),
        ("container.image = \"alpine\"", Changes, ""),
        ("container.require = [\"memory\"]", Changes, ""),
        ("container.mounts = [\"tmpfs\"]", Changes, ""),
        ("container.mounts = []", Changes, ""),
        ("container.network = [\"none\", \"bridge\"]", Changes, ""),
        ("container.ipc = [\"private\", \"shareable\"]", Changes, ""),
        ("container.dns = [\"10.0.0.1\"]", Changes, ""),
        ("container.privileged = false", Changes, ""),
        ("container.privileged = true", Root, "be privileged"),
        ("container.unmask_paths = true", Root, "kernel's settings"),
        (
            "body = \"unchecked\"",
            Root,
            "in a body that nobody looks into",
        ),
        ("container.mounts = [\"/\"]", Root, "mount `/` of the host"),
        (
            "container.mounts = [\"/**\"]",
            Root,
            "mount `/run` of the host",
        ),
        (
            "container.mounts = [\"/**:ro\"]",
            Root,
            "use the sockets in it",
        ),
        (
            "container.mounts = [\"/srv/**\", \"/etc/**\"]",
            Root,
            "mount `/etc` of the host",
        ),
        (
            "container.mounts = [\"/var/lib/docker/**\"]",
            Root,
            "/var/lib/docker",
        ),
        (
            "container.mounts = [\"/run/quaygate/**\"]",
            Root,
            "/run/quaygate",
        ),
        (
            "container.mounts = [\"/var/run/docker.sock:ro\"]",
            Root,
            "/var/run/docker.sock",
        ),
        ("container.mounts = [\"/proc\"]", Root, "/proc"),
        ("container.mounts = [\"/sys\"]", Root, "/sys"),
        ("container.mounts = [\"/dev\"]", Root, "/dev"),
        (
            "container.mounts = [\"/etc/**:ro\"]",
            Powers,
            "container.mounts",
        ),
        (
            "container.mounts = [\"/srv/ci/**\"]",
            Powers,
            "container.mounts",
        ),
        (
            "container.mounts = [\"/etc/localtime:ro\"]",
            Powers,
            "container.mounts",
        ),
        (
            "container.mounts = [\"volume:ci-*\"]",
            Powers,
            "container.mounts",
        ),
        (
            "container.mounts = [\"tmpfs:any\"]",
            Powers,
            "container.mounts",
        ),
        ("container.network = [\"host\"]", Root, "host's network"),
        (
            "container.network = [\"ci-*\"]",
            Powers,
            "container.network",
        ),
        ("container.network = [\"**\"]", Powers, "container.network"),
        ("container.pid = [\"host\"]", Root, "processes of the host"),
        ("container.pid = [\"container:*\"]", Powers, "container.pid"),
        ("container.ipc = [\"host\"]", Root, "shared memory"),
        ("container.uts = [\"host\"]", Powers, "container.uts"),
        (
            "container.capabilities = [\"SYS_ADMIN\"]",
            Root,
            "`SYS_ADMIN`",
        ),
        (
            "container.capabilities = [\"cap_sys_*\"]",
            Root,
            "`SYS_ADMIN`",
        ),
        ("container.capabilities = [\"ALL\"]", Root, "`ALL`"),
        ("container.capabilities = [\"**\"]", Root, "`SYS_ADMIN`"),
        (
            "container.capabilities = [\"NET_ADMIN\"]",
            Powers,
            "container.capabilities",
        ),
        ("container.devices = [\"/dev/sd*\"]", Root, "/dev/sda"),
        ("container.devices = [\"/dev/**:r\"]", Root, "/dev/sda"),
        (
            "container.devices = [\"/dev/fuse\"]",
            Powers,
            "container.devices",
        ),
        ("container.device_rules = [\"b *:* rwm\"]", Root, "disks"),
        ("container.device_rules = [\"a\"]", Root, "disks"),
        ("container.device_rules = [\"**\"]", Root, "disks"),
        ("container.device_rules = [\"c 1:1 r\"]", Root, "disks"),
        (
            "container.device_rules = [\"c 189:* rmw\"]",
            Powers,
            "container.device_rules",
        ),
        (
            "container.volumes_from = [\"*\"]",
            Root,
            "mounts of any container",
        ),
        (
            "container.volumes_from = [\"web-*\"]",
            Powers,
            "container.volumes_from",
        ),
        (
            "container.security_opt = [\"seccomp=unconfined\"]",
            Powers,
            "container.security_opt",
        ),
        ("container.publish = true", Powers, "container.publish"),
        ("container.gpus = true", Powers, "container.gpus"),
        ("container.resources = true", Powers, "container.resources"),
        (
            "container.fields = [\"HostConfig.*\"]",
            Root,
            "nobody judges",
        ),
        (
            "container.fields = [\"HostConfig.Isolation\"]",
            Powers,
            "nobody judges",
        ),
        ("volume.options = [\"device=**\"]", Root, "volume of `/`"),
        ("volume.options = [\"o=**\"]", Root, "volume of `/`"),
        (
            "volume.options = [\"device=/dev/sda1\"]",
            Root,
            "volume of `/dev/sda1`",
        ),
        (
            "volume.options = [\"type=nfs\", \"device=:/export\"]",
            Powers,
            "volume.options",
        ),
        ("volume.driver = [\"nfs\"]", Powers, "volume.driver"),
    ] {
        assert_grade(&creating(lines), expected, why, lines);
    }
}

#[test]
fn a_chain_needs_all_of_its_links() {
    let rule = |allow: &str, lines: &str| format!("[[rule]]\nallow = {allow}\n{lines}\n");
    let create = rule("\"POST /containers/create\"", "container.privileged = true");
    let volume = rule(
        "\"POST /volumes/create\"",
        "volume.options = [\"device=**\"]",
    );
    let mounting = rule(
        "[\"POST /containers/create\"]",
        "container.mounts = [\"volume:**\"]",
    );
    let entering = |lines: &str| {
        let exec = rule("\"POST /containers/{id}/exec\"", lines);
        format!("allow = [\"POST /exec/{{id}}/start\"]\n{exec}")
    };
    for (text, expected, why) in [
        (String::new(), ReadOnly, ""),
        (
            "allow = [\"GET /containers/json\", \"POST /containers/{id}/wait\"]".to_owned(),
            ReadOnly,
            "",
        ),
        ("allow = [\"GET /**\"]".to_owned(), Powers, "tokens"),
        (
            "allow = [\"POST /containers/{id}/restart\"]".to_owned(),
            Changes,
            "",
        ),
        (create.clone(), Powers, "once somebody else can start it"),
        (
            format!("allow = [\"POST /containers/{{id}}/start\"]\n{create}"),
            Root,
            "be privileged",
        ),
        (
            format!("allow = [\"POST /containers/ci-*/restart\"]\n{create}"),
            Root,
            "be privileged",
        ),
        (
            "allow = [\"POST /containers/{id}/exec\"]".to_owned(),
            Powers,
            "once somebody else can start it",
        ),
        (
            "allow = [\"POST /containers/{id}/exec\", \"POST /exec/{id}/start\"]".to_owned(),
            Root,
            "any command in any container",
        ),
        (
            "allow = [\"POST /containers/web-*/exec\", \"POST /exec/{id}/start\"]".to_owned(),
            Powers,
            "whatever power these have",
        ),
        (
            format!(
                "allow = [\"POST /exec/{{id}}/start\"]\n{}",
                rule(
                    "\"POST /containers/{id}/exec\"",
                    "exec.command = [[\"ls\", \"**\"]]"
                )
            ),
            Powers,
            "run commands",
        ),
        (
            format!(
                "allow = [\"POST /exec/{{id}}/start\"]\n{}",
                rule(
                    "\"POST /containers/{id}/exec\"",
                    "exec.command = [[\"sh\", \"-c\", \"**\"]]"
                )
            ),
            Root,
            "any command",
        ),
        (
            format!(
                "allow = [\"POST /exec/{{id}}/start\"]\n{}",
                rule(
                    "\"POST /containers/{id}/exec\"",
                    "exec.command = [[\"**\"]]"
                )
            ),
            Root,
            "any command",
        ),
        (
            format!(
                "allow = [\"POST /exec/{{id}}/start\"]\n{}",
                rule("\"POST /containers/web-*/exec\"", "exec.privileged = true")
            ),
            Root,
            "be privileged",
        ),
        (
            "allow = [\"POST /exec/{id}/start\"]".to_owned(),
            Changes,
            "",
        ),
        (
            rule("\"POST /exec/{id}/start\"", "any_exec = true"),
            Powers,
            "others have prepared",
        ),
        (
            "allow = [\"PUT /containers/{id}/archive\"]".to_owned(),
            Root,
            "any file in any container",
        ),
        (
            "allow = [\"PUT /containers/web-*/archive\"]".to_owned(),
            Powers,
            "write files",
        ),
        (
            rule(
                "\"PUT /containers/{id}/archive\"",
                "query.path = \"/data/**\"",
            ),
            Powers,
            "write files",
        ),
        (
            rule("\"PUT /containers/{id}/archive\"", "target.own = true"),
            Changes,
            "",
        ),
        (
            rule("\"PUT /containers/{id}/archive\"", "target.label = \"web\""),
            Powers,
            "write files",
        ),
        (
            entering("target.own = true\nexec.env = \"**\"\nexec.workdir = \"**\""),
            Changes,
            "",
        ),
        (
            entering("target.label = \"web\""),
            Powers,
            "whatever power these have",
        ),
        (
            entering("target.own = true\nexec.user = \"**\""),
            Powers,
            "exec.user",
        ),
        (
            entering("target.own = true\nexec.privileged = true"),
            Root,
            "be privileged",
        ),
        // A plain grant of an operation whose body nobody describes allows nothing.
        (
            "allow = [\"POST /plugins/pull\", \"POST /swarm/join\", \"POST /nodes/{id}/update\"]"
                .to_owned(),
            ReadOnly,
            "",
        ),
        (
            rule("\"POST /swarm/join\"", "body = \"unchecked\""),
            Root,
            "obey a cluster",
        ),
        (
            rule("\"POST /commit\"", "body = \"unchecked\""),
            Powers,
            "ImageCommit",
        ),
        (
            rule("\"POST /plugins/pull\"", "body = \"unchecked\""),
            Powers,
            "enable it",
        ),
        (
            format!(
                "allow = [\"POST /plugins/{{name}}/enable\"]\n{}",
                rule("\"POST /plugins/pull\"", "body = \"unchecked\"")
            ),
            Root,
            "a plugin",
        ),
        (
            "allow = [\"POST /plugins/create\", \"POST /plugins/{name}/enable\"]".to_owned(),
            Root,
            "a plugin",
        ),
        ("allow = [\"POST /build\"]".to_owned(), Changes, ""),
        (
            rule("\"POST /build\"", "query.networkmode = \"none\""),
            Changes,
            "",
        ),
        (
            rule(
                "\"POST /build\"",
                "query.networkmode = [\"default\", \"host\"]",
            ),
            Root,
            "host's network",
        ),
        (
            rule(
                "\"POST /build\"",
                "query.remote = \"https://git.example/**\"",
            ),
            Powers,
            "query.remote",
        ),
        ("allow = [\"POST /grpc\"]".to_owned(), Root, "tunnel"),
        ("allow = [\"POST /session\"]".to_owned(), Root, "tunnel"),
        (
            "allow = [\"POST /volumes/create\", \"POST /networks/create\"]".to_owned(),
            Changes,
            "",
        ),
        (volume.clone(), Powers, "once somebody else can mount it"),
        (format!("{volume}{mounting}"), Root, "volume of `/`"),
        (
            "allow = [\"POST /services/create\"]".to_owned(),
            Changes,
            "",
        ),
        (
            rule(
                "[\"POST /services/create\", \"POST /services/{id}/update\"]",
                "service.mounts = [\"/**\"]",
            ),
            Root,
            "a service may mount",
        ),
        (
            rule(
                "\"POST /containers/{id}/update\"",
                "update.devices = [\"/dev/**\"]",
            ),
            Root,
            "/dev/sda",
        ),
        (
            "allow = [\"POST /images/create\", \"POST /images/load\", \"POST /images/{name}/tag\"]"
                .to_owned(),
            Changes,
            "",
        ),
        (
            rule("\"POST /images/create\"", "image.import = true"),
            Powers,
            "image.import",
        ),
        (
            "[unlisted]\nallow = [\"POST /new/thing\"]".to_owned(),
            Root,
            "nobody knows what",
        ),
        (
            "[unlisted]\nallow = [\"GET /new/thing\"]".to_owned(),
            ReadOnly,
            "",
        ),
    ] {
        assert_grade(&policy(&text), expected, why, &text);
    }
}

#[test]
fn a_cause_names_its_rules_in_the_order_of_their_use() {
    let policy = creating("container.privileged = true");
    let [cause] = &policy.causes()[..] else {
        panic!("{:?}", policy.causes());
    };
    let steps: Vec<_> = cause
        .steps
        .iter()
        .map(|step| (step.operation.unwrap().name(), policy.rule(step.rule)))
        .collect();
    assert_eq!(
        steps,
        [
            ("ContainerCreate", ("job", 2)),
            ("ContainerStart", ("POST /containers/{id}/start", 1)),
        ]
    );
}

#[test]
fn the_directory_of_its_own_socket_is_root_too() {
    let text = "\n[socket]\npath = \"/opt/gates/ci/docker.sock\"\n";
    let of = |mounts: &str| creating(&format!("container.mounts = [\"{mounts}\"]{text}")).grade();
    assert_eq!(of("/opt/gates/**"), Root);
    assert_eq!(of("/opt/gate/**"), Powers);
}

#[test]
fn an_operation_is_worth_what_its_rules_add_to_it() {
    use crate::docker::operation::Risk;
    let risk = |lines: &str| creating(lines).effect(Operation::ContainerCreate).risk;
    assert_eq!(risk(""), Risk::ChangesState);
    assert_eq!(risk("container.mounts = [\"/srv/**\"]"), Risk::ChangesState);
    assert_eq!(risk("container.mounts = [\"/**\"]"), Risk::HostRoot);
    let plain = policy("allow = [\"POST /swarm/init\"]");
    assert!(!plain.effect(Operation::SwarmInit).access.is_reachable());
}

#[test]
fn grades_are_ordered_and_read_as_they_are_written() {
    assert!(Grade::ALL.is_sorted());
    for grade in Grade::ALL {
        assert_eq!(grade.word().parse(), Ok(grade));
        assert_eq!(grade.to_string(), grade.word());
        assert!(!grade.meaning().is_empty());
    }
    assert!("Root".parse::<Grade>().is_err());
}
