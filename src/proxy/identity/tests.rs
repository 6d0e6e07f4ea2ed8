use std::os::unix::fs::symlink;

use super::*;

const A: &str = "3f1c8a5de0b74c6f9a2d17e4b8c05f63d1e2a9740b5c8f6e3d7a1b2c4e5f6078";
const B: &str = "b0a1c2d3e4f5061728394a5b6c7d8e9fb0a1c2d3e4f5061728394a5b6c7d8e9f";

fn filled(text: &str) -> String {
    text.replace("<A>", A).replace("<B>", B)
}

#[test]
fn container_ids_are_found_in_every_engines_cgroups() {
    for (engine, cgroup) in [
        ("docker, v2, systemd", "0::/system.slice/docker-<A>.scope\n"),
        ("docker, v2, cgroupfs", "0::/docker/<A>\n"),
        (
            "docker, v2, own cgroup namespace",
            "0::/../docker-<A>.scope\n",
        ),
        ("docker, v2, own namespace, cgroupfs", "0::/../<A>\n"),
        (
            "docker, v1",
            "12:pids:/docker/<A>\n11:cpu,cpuacct:/docker/<A>\n1:name=systemd:/docker/<A>\n0::/\n",
        ),
        (
            "docker, a process below",
            "0::/system.slice/docker-<A>.scope/init\n",
        ),
        (
            "docker, rootless",
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-<A>.scope\n",
        ),
        ("podman", "0::/machine.slice/libpod-<A>.scope/container\n"),
        ("podman, cgroupfs", "0::/libpod_parent/libpod-<A>\n"),
        ("containerd", "0::/default/<A>\n"),
        ("nerdctl", "0::/system.slice/nerdctl-<A>.scope\n"),
        (
            "kubernetes, containerd, systemd",
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b_2.slice/\
             cri-containerd-<A>.scope\n",
        ),
        (
            "kubernetes, cgroupfs",
            "4:memory:/kubepods/burstable/pod7d8e9f00-1122-3344-5566-778899aabbcc/<A>\n",
        ),
        (
            "kubernetes, containerd without systemd",
            "0::/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:<A>\n",
        ),
        (
            "kubernetes, cri-o",
            "0::/kubepods.slice/kubepods-pod1.slice/crio-<A>.scope\n",
        ),
        ("ecs", "9:cpu:/ecs/4d2f/0123456789abcdef/<A>\n"),
    ] {
        assert_eq!(container_id(&filled(cgroup)), Some(A), "{engine}");
    }
}

#[test]
fn what_is_no_container_has_no_id() {
    for cgroup in [
        "",
        "0::/\n",
        "0::/user.slice/user-1000.slice/session-3.scope\n",
        "0::/system.slice/docker.service\n",
        "0::/system.slice/docker-3f1c8a5de0b7.scope\n",
        "0::/machine.slice/libpod-conmon-<A>.scope\n",
        "0::/kubepods.slice/crio-conmon-<A>.scope\n",
        "0::/docker/<A>0\n",
        "0::/docker/x<A>\n",
        "nonsense",
    ] {
        assert_eq!(container_id(&filled(cgroup)), None, "{cgroup}");
    }
    let upper = format!("0::/docker/{}\n", A.to_uppercase());
    assert_eq!(container_id(&upper), None);
    assert_eq!(container_id(&filled("0::/docker/é<A>\n")), None);
}

#[test]
fn a_cgroup_made_inside_a_container_does_not_hide_the_container() {
    let nested = filled("0::/system.slice/docker-<A>.scope/docker-<B>.scope\n");

    assert_eq!(container_id(&nested), Some(A));
}

#[test]
fn hierarchies_that_disagree_name_nobody() {
    let text = filled("3:cpu:/docker/<A>\n2:pids:/docker/<B>\n");

    assert_eq!(container_id(&text), None);
}

#[test]
fn this_process_is_in_the_innermost_container() {
    let (outer, inner) = ("a".repeat(64), "b".repeat(64));
    let cgroup = format!(
        "1:name=systemd:/docker/{outer}/docker/{inner}\n0::/docker/{outer}/docker/{inner}\n"
    );
    assert_eq!(innermost_id(&cgroup), Some(&*inner));
    for none in ["", "0::/\n", "0::/system.slice/quaygate.service\n"] {
        assert_eq!(innermost_id(none), None, "{none}");
    }
}

#[test]
fn a_container_that_hides_its_cgroup_is_known_by_the_files_that_docker_mounts() {
    let id = "c".repeat(64);
    let line = |root: &str, point: &str| {
        format!("121 104 254:0 {root} {point} rw,relatime - ext4 /dev/vda rw\n")
    };
    let made = format!("/var/lib/docker/containers/{id}/hosts");
    let other = format!("/var/lib/docker/volumes/{}/_data", "d".repeat(64));
    for (mounts, expected) in [
        (line(&made, "/etc/hosts"), Some(&*id)),
        (
            line(&other, "/data")
                + &line("/etc/hostname", "/etc/hostname")
                + &line(&made, "/etc/hosts"),
            Some(&*id),
        ),
        (line("/etc/hostname", "/etc/hostname"), None),
        (line(&made, "/data"), None),
        (String::new(), None),
    ] {
        assert_eq!(mounted_from(&mounts), expected, "{mounts}");
    }
}

fn stat(name: &str, start: &str) -> String {
    format!(
        "4711 ({name}) S 1 4711 4711 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 1 0 {start} 1000 50 18446"
    )
}

#[test]
fn start_time_is_read_whatever_the_command_is_called() {
    for name in [
        "curl",
        "a b",
        "x) S 1 2",
        "((",
        "x) R 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1",
    ] {
        assert_eq!(
            start_ticks(stat(name, "98765").as_bytes()),
            Some(98765),
            "{name}"
        );
    }
    let mut hostile = stat("name", "98765").into_bytes();
    hostile[7] = 0xff;
    assert_eq!(
        start_ticks(&hostile),
        Some(98765),
        "a name that is not UTF-8"
    );
    for bad in [
        "",
        "4711",
        "4711 (x)",
        "4711 (x) S 1",
        &stat("x", "-1"),
        &stat("x", "soon"),
    ] {
        assert_eq!(start_ticks(bad.as_bytes()), None, "{bad}");
    }
}

/// A directory that looks like `/proc/<pid>`.
fn process(start: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    symlink("/usr/bin/traefik", dir.path().join("exe")).unwrap();
    fs::write(dir.path().join("cgroup"), filled("0::/docker/<A>\n")).unwrap();
    fs::write(dir.path().join("stat"), stat("traefik", &start.to_string())).unwrap();
    dir
}

#[test]
fn a_process_older_than_the_connection_is_its_caller() {
    let caller = process(500);

    let seen = look(caller.path(), Accepted { ticks: 500 });

    assert_eq!(
        seen,
        (Some("/usr/bin/traefik".to_owned()), Some(A.to_owned()))
    );
}

#[test]
fn a_process_that_got_the_id_later_is_not_taken_for_the_caller() {
    let stranger = process(501);

    assert_eq!(look(stranger.path(), Accepted { ticks: 500 }), (None, None));
}

#[test]
fn a_process_that_is_gone_leaves_its_fields_out() {
    let dir = tempfile::tempdir().unwrap();

    assert_eq!(
        look(&dir.path().join("1"), Accepted { ticks: u64::MAX }),
        (None, None)
    );
}

#[test]
fn this_process_sees_itself() {
    let pid = i32::try_from(std::process::id()).unwrap();
    let caller = Caller {
        uid: Some(1),
        gid: Some(2),
        pid: Some(pid),
    };

    let client = identify(&caller, Accepted::now());

    assert_eq!(
        (client.pid, client.uid, client.gid),
        (Some(pid), Some(1), Some(2))
    );
    let exe = std::env::current_exe().unwrap();
    assert_eq!(client.exe.as_deref(), exe.to_str());
}

#[test]
fn a_caller_from_another_pid_namespace_keeps_what_is_known() {
    for pid in [None, Some(0), Some(-1)] {
        let caller = Caller {
            uid: Some(7),
            gid: Some(8),
            pid,
        };

        let client = identify(&caller, Accepted::now());

        let known = Client {
            uid: Some(7),
            gid: Some(8),
            ..Client::default()
        };
        assert_eq!(client, known);
    }
}
