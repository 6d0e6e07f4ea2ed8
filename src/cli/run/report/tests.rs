use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::diag::Source;
use crate::fleet::Loaded;
use crate::policy::Policy;

fn post(name: &str, text: &str, socket: &str) -> Post {
    let source = Source::new(&format!("{name}.toml"), text);
    let checked = Policy::parse(name, &source).unwrap();
    let loaded = Loaded {
        policy: Arc::new(checked.policy),
        source,
        findings: checked.findings,
    };
    Post {
        loaded,
        socket: PathBuf::from(socket),
    }
}

fn engine(api: ApiVersion) -> EngineVersion {
    EngineVersion {
        release: "28.5.2".into(),
        api,
        oldest_api: None,
        os: "linux".into(),
    }
}

fn docker(address: Address) -> Docker {
    Docker {
        address,
        named_by: NamedBy::Environment,
    }
}

fn drawn(report: &Report<'_>, in_container: bool) -> String {
    let text = report.text(in_container).draw(false);
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn on_a_host_the_directory_of_the_socket_is_mounted() {
    let posts = [post(
        "traefik",
        "allow = [\"GET /_ping\"]",
        "/run/quaygate/traefik/docker.sock",
    )];
    let report = Report {
        docker: &docker(Address::Unix("/var/run/docker.sock".into())),
        engine: &Ok(engine(ApiVersion::new(1, 51))),
        posts: &posts,
        room: Some(349_509),
        most_each: usize::MAX,
    };
    insta::assert_snapshot!(drawn(&report, false), @r#"
    quaygate VERSION guards unix:///var/run/docker.sock (from DOCKER_HOST): engine 28.5.2, API 1.51

      traefik  /run/quaygate/traefik/docker.sock  0660  traefik.toml

    room for 349509 connections at a time, by the limit of open files

    The service behind `traefik`, in its compose file:

        volumes:
          - /run/quaygate/traefik:/run/quaygate/traefik:ro
        environment:
          DOCKER_HOST: unix:///run/quaygate/traefik/docker.sock
    "#);
}

#[test]
fn in_a_container_a_volume_is_mounted_and_doubts_are_told() {
    let limited = "allow = [\"POST /grpc\"]\n[socket]\nmode = \"0600\"\ngroup = \"docker\"\n";
    let posts = [
        post("ci", limited, "/run/both/ci.sock"),
        post("cd", "allow = [\"GET /_ping\"]", "/run/both/cd.sock"),
    ];
    let report = Report {
        docker: &docker(Address::Tcp("engine:2375".into())),
        engine: &Ok(engine(ApiVersion::new(1, 99))),
        posts: &posts,
        room: Some(319),
        most_each: 159,
    };
    insta::assert_snapshot!(drawn(&report, true), @r#"
    quaygate VERSION guards tcp://engine:2375 (from DOCKER_HOST): engine 28.5.2, API 1.99

      ci  /run/both/ci.sock  0600 group docker  ci.toml
      cd  /run/both/cd.sock  0660               cd.toml

    room for 319 connections at a time, by the limit of open files
    warning: the way to Docker is not encrypted: whoever can reach that port is root there
    warning: the engine speaks API 1.99, and this quaygate knows up to 1.56: what came later is refused
    warning: open files allow 319 connections at a time, fewer than the policies do: no socket gets more than 159; raise LimitNOFILE= (systemd) or ulimits.nofile (compose)
    warning: the sockets of `ci` and `cd` share /run/both: a service that mounts it gets all of them
    warning: 1 warning about `ci`: see `quaygate check ci.toml`

    The service behind `ci`, and likewise the others, in its compose file:

        volumes:
          - gate-ci:/run/both:ro
        environment:
          DOCKER_HOST: unix:///run/both/ci.sock

    where `gate-ci` is a volume that this container mounts at /run/both; a volume of its own for each policy
    "#);
}

#[test]
fn a_socket_among_other_files_is_warned_about() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let posts = [post(
        "a",
        "allow = [\"GET /_ping\"]",
        socket.to_str().unwrap(),
    )];
    std::fs::write(&socket, "").unwrap();
    assert!(!is_shared_with_others(dir.path(), &posts));

    std::fs::write(dir.path().join("secrets"), "").unwrap();
    assert!(is_shared_with_others(dir.path(), &posts));
}
