//! The container image, and the compose examples that start it: the gate as one container, its
//! service as another that has nothing of Docker but the gate's directory.
//!
//! `QUAYGATE_TEST_IMAGE_BINARY` names a static binary for the image; without it `scripts/image`
//! builds one. `QUAYGATE_TEST_COMPOSE` names another compose than `docker-compose` in `PATH`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::stage::{Container, Done, IMAGE, docker, engine, name, wait_until};

/// What a hardened container has, as `docker inspect` tells it.
const HARDENED: &str =
    "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}";

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn gate_in_a_container_serves_another_that_sees_only_its_directory() {
    let gate = GateContainer::start("docker-cli-viewer", &[&docker_group()]);
    let neighbour = Container::running("neighbour", &[], &["sleep", "600"]);
    gate.wait_healthy();
    let user = inspect(&gate.name, "{{.Config.User}}");
    assert_eq!(user, "62375:62375", "not root");

    assert!(gate.client(&["docker", "ps"]).ok().contains(&neighbour.0));
    let refused = gate.client(&["docker", "rm", "-f", &neighbour.0]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("ContainerDelete"), "{}", refused.err);
    assert_eq!(gate.client(&["ls", SOCKETS]).ok().trim(), "docker.sock");

    let stranger = gate.beside(&["--rm"], &["docker", "ps"]);
    assert_ne!(stranger.code, 0, "the volume alone, without the group");
    assert!(
        stranger.err.contains("permission denied"),
        "{}",
        stranger.err
    );
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn gate_in_a_container_ends_cleanly_and_is_found_again_after_a_restart() {
    let gate = GateContainer::start("docker-cli-viewer", &[&docker_group()]);
    gate.wait_healthy();
    let service = Container(name("service"));
    let how = [&["-d", "--name", &service.0], &KEY[..]].concat();
    gate.beside(&how, &["sleep", "600"]).ok();
    let version = || docker(engine(), &["exec", &service.0, "docker", "version"]);
    version().ok();

    docker(engine(), &["stop", "--time", "20", &gate.name]).ok();

    assert_eq!(inspect(&gate.name, "{{.State.ExitCode}}"), "0");
    assert_eq!(
        gate.client(&["ls", SOCKETS]).ok(),
        "",
        "the socket is removed"
    );
    assert_ne!(version().code, 0);

    docker(engine(), &["start", &gate.name]).ok();

    wait_until("the service finds the gate again", || version().code == 0);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn health_in_a_container_fails_without_docker_and_says_what_is_missing() {
    let gate = GateContainer::start("docker-cli-viewer", &[]);
    let health = || docker(engine(), &["exec", &gate.name, "quaygate", "health"]);
    wait_until("the gate listens", || health().out.contains("answers"));

    let health = health();

    assert_eq!(health.code, 1, "{health:?}");
    assert!(health.out.contains("group"), "{health:?}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn traefik_example_starts_and_looks_but_creates_nothing() {
    let example = Example::up("traefik");

    let list = example.curl(&["http://docker/v1.41/containers/json"]);
    assert!(list.contains(&example.container), "{list}");
    let create = example.curl(&["-X", "POST", "http://docker/v1.41/containers/create"]);
    assert!(create.contains("ContainerCreate"), "{create}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn dozzle_example_starts_and_reads_logs_but_opens_no_shell() {
    let noisy = Container::running("noisy", &[], &["sh", "-c", "echo noise; sleep 600"]);
    let example = Example::up("dozzle");

    assert_eq!(example.exec(&["docker", "logs", &noisy.0]).ok(), "noise\n");
    let shell = example.exec(&["docker", "exec", &noisy.0, "sh"]);
    assert_ne!(shell.code, 0);
    assert!(shell.err.contains("ContainerExec"), "{}", shell.err);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn autoheal_example_starts_and_restarts_what_is_unhealthy() {
    let health = ["--health-cmd", "false", "--health-interval", "1s"];
    let label = ["--health-retries", "1", "--label", "autoheal=true"];
    let ill = Container::running("ill", &[health, label].concat(), &["sleep", "600"]);
    let example = Example::up("autoheal");
    let started = || inspect(&ill.0, "{{.State.StartedAt}}");
    let before = started();

    // Both requests as autoheal's script sends them.
    let list = concat!(
        r#"http://localhost/containers/json?filters=\{"health":\["unhealthy"\]"#,
        r#","label":\["autoheal=true"\]\}"#
    );
    let id = inspect(&ill.0, "{{.Id}}");
    wait_until("the ill container is on the list", || {
        example.curl(&[list]).contains(&id)
    });
    let restart = format!("http://localhost/containers/{id}/restart?t=1");
    assert_eq!(example.curl(&["-f", "-X", "POST", &restart]), "");

    assert_ne!(started(), before, "it was restarted");
    let all = example.curl(&["http://localhost/containers/json"]);
    assert!(all.contains("query.filters.health"), "{all}");
}

// === the gate as one container ===

/// Where a client finds the socket.
const SOCKETS: &str = "/run/quaygate/docker-cli-viewer";

/// The group of the image's user: who has it may use the sockets.
const KEY: [&str; 2] = ["--group-add", "62375"];

/// A gate in a container, hardened as the examples are, its sockets on a volume.
struct GateContainer {
    name: String,
    volume: String,
}

impl GateContainer {
    fn start(policy: &str, groups: &[&str]) -> Self {
        build_image();
        let gate = Self {
            name: name("gate"),
            volume: name("sockets"),
        };
        let docker_socket = format!("{}:/var/run/docker.sock", engine().display());
        let sockets = format!("{}:/run/quaygate", gate.volume);
        let mut run = vec!["run", "-d", "--name", &gate.name, "--network", "none"];
        run.extend(["--read-only", "--cap-drop", "ALL"]);
        run.extend(["--security-opt", "no-new-privileges"]);
        run.extend(groups.iter().flat_map(|group| ["--group-add", *group]));
        run.extend(["-v", &docker_socket, "-v", &sockets, "quaygate"]);
        run.extend(["run", policy]);
        docker(engine(), &run).ok();
        gate
    }

    fn wait_healthy(&self) {
        wait_until("the gate is healthy", || {
            inspect(&self.name, "{{.State.Health.Status}}") == "healthy"
        });
    }

    /// Runs a command in a container that has the volume and the group, and waits for it.
    fn client(&self, command: &[&str]) -> Done {
        self.beside(&[&["--rm"], &KEY[..]].concat(), command)
    }

    /// Runs a command in a container that has the volume.
    fn beside(&self, how: &[&str], command: &[&str]) -> Done {
        let volume = format!("{}:/run/quaygate:ro", self.volume);
        let host = format!("DOCKER_HOST=unix://{SOCKETS}/docker.sock");
        let what = ["-v", &volume, "-e", &host, IMAGE];
        let hardened = ["run", "--network", "none", "--cap-drop", "ALL"];
        docker(engine(), &[&hardened, how, &what, command].concat())
    }
}

impl Drop for GateContainer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = docker(engine(), &["logs", &self.name]);
            eprintln!("--- the gate: {}{}", said.out, said.err);
        }
        docker(engine(), &["rm", "--force", &self.name]);
        docker(engine(), &["volume", "rm", "--force", &self.volume]);
    }
}

fn inspect(container: &str, format: &str) -> String {
    let told = docker(engine(), &["inspect", "--format", format, container]);
    told.ok().trim().to_owned()
}

/// The group that the engine's socket belongs to.
fn docker_group() -> String {
    fs::metadata(engine()).unwrap().gid().to_string()
}

/// Builds `quaygate:latest` in the engine, as a person would.
fn build_image() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(project().join("scripts/image"));
        build.args(["--tag", "quaygate:latest"]);
        match std::env::var_os("QUAYGATE_TEST_IMAGE_BINARY") {
            Some(binary) => build.arg("--binary").arg(binary),
            None => build.args(["--profile", "dev"]),
        };
        finished(at_engine(&mut build)).ok();
    });
}

// === compose ===

/// A compose example that is up; the service's own image is played by ours.
struct Example {
    service: &'static str,
    /// The id of the service's container.
    container: String,
    project: String,
    dir: TempDir,
}

impl Example {
    fn up(service: &'static str) -> Self {
        build_image();
        let mut example = Self {
            service,
            container: String::new(),
            project: name(service),
            dir: tempfile::Builder::new().prefix("qgx").tempdir().unwrap(),
        };
        let stand_in = format!(
            r#"{{"services": {{
              "gate": {{"volumes": ["{}:/var/run/docker.sock"]}},
              "{service}": {{"image": "{IMAGE}", "entrypoint": ["sleep", "600"], "command": []}}
            }}}}"#,
            engine().display()
        );
        fs::write(example.stand_in(), stand_in).unwrap();
        example.compose(&["up", "-d"]).ok();
        for part in ["gate", service] {
            let id = example.compose(&["ps", "-q", part]).ok();
            id.trim().clone_into(&mut example.container);
            assert_eq!(
                inspect(&example.container, HARDENED),
                "true [ALL] [no-new-privileges:true]",
                "{part}"
            );
        }
        example
    }

    fn stand_in(&self) -> PathBuf {
        self.dir.path().join("stand-in.json")
    }

    fn compose(&self, arguments: &[&str]) -> Done {
        let program = std::env::var("QUAYGATE_TEST_COMPOSE");
        let mut compose = Command::new("timeout");
        compose
            .args(["--kill-after=5", "120"])
            .arg(program.as_deref().unwrap_or("docker-compose"))
            .args(["-p", &self.project, "-f"])
            .arg(project().join(format!("examples/compose/{}/compose.yaml", self.service)))
            .arg("-f")
            .arg(self.stand_in())
            .args(arguments)
            .env("DOCKER_GID", docker_group());
        finished(at_engine(&mut compose))
    }

    /// Runs a command in the service's container.
    fn exec(&self, command: &[&str]) -> Done {
        docker(engine(), &[&["exec", &self.container], command].concat())
    }

    /// Asks the gate from the service's container, with curl.
    fn curl(&self, arguments: &[&str]) -> String {
        let socket = format!("/run/quaygate/{}/docker.sock", self.service);
        let curl = ["curl", "-sS", "--unix-socket", &socket];
        self.exec(&[&curl, arguments].concat()).ok()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.compose(&["logs"]);
            eprintln!("--- compose: {}{}", said.out, said.err);
        }
        self.compose(&["down", "--volumes", "--timeout", "2"]);
    }
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The test's engine, and nothing of this machine's own docker configuration.
fn at_engine(command: &mut Command) -> &mut Command {
    command
        .env("DOCKER_HOST", format!("unix://{}", engine().display()))
        .env("DOCKER_CONFIG", "/nonexistent")
        .env("DOCKER_BUILDKIT", "0")
        .env_remove("DOCKER_CONTEXT")
}

fn finished(command: &mut Command) -> Done {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Done {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
