//! `compose-deploy` with docker-compose.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::stranger::Stranger;
use super::{finished, is_refused, ready};
use crate::stage::{Done, Gate, IMAGE, docker, engine, name};

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn compose_deploys_a_project_and_takes_it_down() {
    let gate = ready("compose-deploy");
    let project = Project::at(&gate);
    let mut settings = [
        "volumes: [\"data:/data\"]",
        "tmpfs: [\"/tmp\"]",
        "restart: unless-stopped",
        "environment: {A: \"1\"}",
    ];
    project.write(&settings);
    project.compose(&["up", "-d"]).ok();
    assert_eq!(project.containers(engine()).lines().count(), 2);
    assert!(project.compose(&["ps"]).ok().contains("web"));
    project.compose(&["restart", "-t", "0"]).ok();
    settings[3] = "environment: {A: \"2\"}";
    project.write(&settings);
    let again = project.compose(&["up", "-d", "-t", "0"]);
    if again.err.contains("'ContainerConfig'") {
        // Compose 1.29 cannot make a container anew at engines since 25.
        project.compose(&["rm", "-s", "-f", "web"]).ok();
        project.compose(&["up", "-d"]).ok();
    } else {
        again.ok();
    }
    let env = "{{.Config.Env}}";
    let web = project.containers(engine());
    let envs: Vec<_> = web
        .lines()
        .map(|id| docker(engine(), &["inspect", "-f", env, id]).ok())
        .collect();
    assert!(envs.concat().contains("A=2"), "it was made anew: {envs:?}");

    project.compose(&["down", "-t", "0"]).ok();

    assert_eq!(project.containers(engine()), "");
    let volume = project.compose(&["down", "-v"]);
    assert_ne!(volume.code, 0, "its data is not deleted");
    assert!(volume.err.contains("VolumeDelete"), "{}", volume.err);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn compose_gets_no_service_that_has_anything_of_the_host() {
    let gate = ready("compose-deploy");
    let project = Project::at(&gate);
    for (setting, power) in [
        ("privileged: true", "privileged"),
        ("volumes: [\"/etc:/host:ro\"]", "mounts"),
        ("volumes: [\"/var/run/docker.sock:/s\"]", "mounts"),
        ("network_mode: host", "network"),
        ("pid: host", "pid"),
        ("cap_add: [SYS_ADMIN]", "capabilities"),
        ("devices: [\"/dev/null:/dev/x\"]", "devices"),
        ("security_opt: [\"seccomp:unconfined\"]", "security_opt"),
        ("ports: [\"127.0.0.1:0:80\"]", "publish"),
    ] {
        project.write(&[setting]);
        let refused = project.compose(&["up", "-d", "web"]);
        assert_ne!(refused.code, 0, "{setting}");
        assert!(
            refused.err.contains(&format!(".{power}")),
            "{setting}: {}",
            refused.err
        );
        assert_eq!(project.containers(engine()), "", "{setting}");
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn compose_leaves_alone_what_somebody_else_has_brought_up() {
    let gate = ready("compose-deploy");
    let socket = gate.socket();
    let project = Project::at(&gate);
    project.write(&["restart: \"no\""]);
    // What Compose, 1.29 and 2, knows its own by.
    let labels = [
        &format!("project={}", project.name),
        "service=web",
        "oneoff=False",
        "container-number=1",
        "config-hash=0",
    ];
    let labels = labels.map(|label| format!("--label=com.docker.compose.{label}"));
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let stranger = Stranger::running(&labels);

    let down = project.compose(&["down", "-t", "0"]);
    assert!(down.err.contains("refused by policy"), "{down:?}");
    stranger.is_out_of_reach(&socket, &[]);
    let network = name("net_default");
    docker(engine(), &["network", "create", &network]).ok();
    for verb in ["connect", "disconnect"] {
        is_refused(&docker(
            &socket,
            &["network", verb, &network, stranger.name()],
        ));
    }
    is_refused(&docker(&socket, &["network", "rm", &network]));
    stranger.is_as_it_was();
    docker(engine(), &["network", "rm", &network]).ok();
}

/// A project in a directory of its own, at the gate.
struct Project<'g> {
    gate: &'g Gate,
    name: String,
    dir: tempfile::TempDir,
}

impl<'g> Project<'g> {
    fn at(gate: &'g Gate) -> Self {
        Self {
            gate,
            name: name("project"),
            dir: tempfile::Builder::new().prefix("qgp").tempdir().unwrap(),
        }
    }

    /// Two services; `web` has these settings.
    fn write(&self, settings: &[&str]) {
        let service = format!("    image: {IMAGE}\n    command: [sleep, \"600\"]\n");
        let mut web = format!(
            "    {}
",
            settings.join(
                "
    "
            )
        );
        if !web.contains("network_mode") {
            web.push_str("    networks: [n]\n");
        }
        let text = format!(
            "version: \"3.3\"\nservices:\n  web:\n{service}{web}  job:\n{service}    networks: [n]\n\
             volumes: {{data: {{}}}}\nnetworks: {{n: {{}}}}\n"
        );
        fs::write(self.file(), text).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("docker-compose.yml")
    }

    fn compose(&self, arguments: &[&str]) -> Done {
        self.compose_at(&self.gate.socket(), arguments)
    }

    fn compose_at(&self, socket: &Path, arguments: &[&str]) -> Done {
        let program = std::env::var("QUAYGATE_TEST_COMPOSE");
        let mut compose = Command::new("timeout");
        compose
            .args(["--kill-after=5", "120"])
            .arg(program.as_deref().unwrap_or("docker-compose"))
            .args(["-p", &self.name, "-f"])
            .arg(self.file())
            .args(arguments)
            .env("DOCKER_HOST", format!("unix://{}", socket.display()))
            .env("DOCKER_CONFIG", "/nonexistent");
        finished(&mut compose)
    }

    fn containers(&self, socket: &Path) -> String {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        docker(socket, &["ps", "-aq", "--filter", &filter]).ok()
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        self.compose_at(engine(), &["down", "-v", "-t", "0"]);
    }
}
