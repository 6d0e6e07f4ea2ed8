//! What the scenes share: the engine, a test image, the gate, the docker CLI, curl.

mod images;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) use images::import_small_image;

/// The image that every scene uses: busybox, curl and the docker CLI.
pub(crate) const IMAGE: &str = "quaygate-test:latest";

/// How long a command may take before it counts as hanging.
const PATIENCE: &str = "120";

/// The ready policy for looking only.
pub(crate) fn viewer() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/docker-cli-viewer.toml");
    fs::read_to_string(file).unwrap()
}

/// A policy for working with containers.
pub(crate) const WORKER: &str = r#"
description = "what the docker CLI needs to run containers and to look at them"
allow = [
  "GET /_ping",
  "GET /version",
  "GET /info",
  "GET /events",
  "GET /containers/json",
  "GET /containers/{id}/json",
  "GET /containers/{id}/logs",
  "GET /containers/{id}/archive",
  "PUT /containers/{id}/archive",
  "POST /containers/create",
  "POST /containers/{id}/start",
  "POST /containers/{id}/stop",
  "POST /containers/{id}/wait",
  "POST /containers/{id}/attach",
  "POST /containers/{id}/resize",
  "POST /containers/{id}/exec",
  "POST /exec/{id}/start",
  "POST /exec/{id}/resize",
  "GET /exec/{id}/json",
  "DELETE /containers/{id}",
  "GET /images/json",
  "GET /images/{name}/json",
  "GET /images/{name}/get",
  "GET /images/get",
  "POST /images/load",
  "POST /build",
  "DELETE /images/{name}",
]
"#;

/// The socket of the engine that was started for us, with the test image in it.
pub(crate) fn engine() -> &'static Path {
    static ENGINE: OnceLock<PathBuf> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let host = std::env::var("QUAYGATE_TEST_DOCKER")
            .expect("QUAYGATE_TEST_DOCKER=unix:///path/to/docker.sock; scripts/test sets it");
        let socket = PathBuf::from(host.strip_prefix("unix://").unwrap_or(&host));
        images::import_image(&socket);
        socket
    })
}

/// A second engine, for scenes in which it stops.
pub(crate) struct OwnEngine {
    dir: TempDir,
}

impl OwnEngine {
    pub(crate) fn start() -> Self {
        let engine = Self {
            dir: tempfile::Builder::new().prefix("qge").tempdir().unwrap(),
        };
        engine.verb("start");
        engine
    }
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("e").join("docker.sock")
    }
    pub(crate) fn verb(&self, verb: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine");
        // The engine must not inherit our pipes, or whoever reads them waits for it to end.
        let log = File::create(self.dir.path().join("script.log")).unwrap();
        let done = Command::new(script)
            .args([verb, self.dir.path().join("e").to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        let said = fs::read_to_string(self.dir.path().join("script.log")).unwrap();
        assert!(done.success(), "scripts/engine {verb}: {said}");
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.verb("remove");
    }
}

/// A name that no other scene uses.
pub(crate) fn name(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "qg-{what}-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Waits for a fact about another process or the engine.
pub(crate) fn wait_until(what: &str, mut fact: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !fact() {
        assert!(Instant::now() < end, "waited a minute in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

// === the gate ===

/// A running gate before an engine.
pub(crate) struct Gate {
    dir: TempDir,
    child: Child,
    engine: PathBuf,
    policies: Vec<String>,
}

impl Gate {
    /// With one policy, called `scene`.
    pub(crate) fn before(engine: &Path, policy: &str) -> Self {
        Self::serving(engine, &[("scene".to_owned(), policy.to_owned())])
    }

    /// With several policies, by their names.
    pub(crate) fn serving(engine: &Path, policies: &[(String, String)]) -> Self {
        let dir = tempfile::Builder::new().prefix("qgr").tempdir().unwrap();
        fs::create_dir(dir.path().join("policies")).unwrap();
        for (name, policy) in policies {
            let file = dir.path().join("policies").join(format!("{name}.toml"));
            fs::write(file, policy).unwrap();
        }
        let child = spawn(&dir, engine);
        let mut gate = Self {
            dir,
            child,
            engine: engine.to_owned(),
            policies: policies.iter().map(|(name, _)| name.clone()).collect(),
        };
        gate.wait_listening();
        gate
    }

    /// Kills it, as a crash would, and starts it again at the same place.
    pub(crate) fn restart(self) -> Self {
        self.restart_after(|| {})
    }

    /// The same, and in between something happens.
    pub(crate) fn restart_after(mut self, between: impl FnOnce()) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        between();
        self.child = spawn(&self.dir, &self.engine);
        self.wait_listening();
        self
    }

    fn wait_listening(&mut self) {
        for policy in self.policies.clone() {
            let socket = self.socket_of(&policy);
            wait_until("the gate listens", || {
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "the gate ended at once:\n{}", self.log());
                connect(&socket).is_some()
            });
        }
    }
    pub(crate) fn socket(&self) -> PathBuf {
        self.socket_of("scene")
    }

    /// The socket of one of several policies.
    pub(crate) fn socket_of(&self, policy: &str) -> PathBuf {
        self.dir.path().join("run").join(policy).join("docker.sock")
    }

    /// `quaygate sweep` of one of its policies.
    pub(crate) fn sweep(&self, policy: &str, arguments: &[&str]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quaygate"));
        let policies = self.dir.path().join("policies");
        command
            .env_clear()
            .arg("sweep")
            .arg(policies.join(format!("{policy}.toml")))
            .arg("--state-dir")
            .arg(self.dir.path().join("state"))
            .arg("--docker")
            .arg(format!("unix://{}", self.engine.display()))
            .args(arguments);
        run(command, b"")
    }

    /// The audit log so far.
    pub(crate) fn audit(&self) -> String {
        fs::read_to_string(self.dir.path().join("audit.jsonl")).unwrap_or_default()
    }

    /// What it would remember as made through its socket after a restart: the lines of its file.
    pub(crate) fn made(&self) -> Vec<String> {
        let file = self.dir.path().join("state/scene/made");
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut made = Vec::new();
        for line in text.lines() {
            match line.strip_prefix("gone ") {
                Some(gone) => made.retain(|line| line != gone),
                None => made.push(line.to_owned()),
            }
        }
        made
    }

    /// The directory that a service would mount.
    pub(crate) fn socket_dir(&self) -> PathBuf {
        self.dir.path().join("run").join("scene")
    }

    pub(crate) fn connect(&self) -> std::os::unix::net::UnixStream {
        let stream = connect(&self.socket()).expect("the gate takes a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }

    fn log(&self) -> String {
        ["stdout", "stderr", "audit.jsonl"]
            .map(|name| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default())
            .concat()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let end: Vec<&str> = log.lines().rev().take(200).collect();
            eprintln!("--- the gate said at last:");
            end.iter().rev().for_each(|line| eprintln!("{line}"));
            eprintln!("---");
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(dir: &TempDir, engine: &Path) -> Child {
    let at = |name: &str| dir.path().join(name);
    Command::new(env!("CARGO_BIN_EXE_quaygate"))
        .env_clear()
        .arg("run")
        .arg(at("policies"))
        .arg("--docker")
        .arg(format!("unix://{}", engine.display()))
        .arg("--runtime-dir")
        .arg(at("run"))
        .arg("--state-dir")
        .arg(at("state"))
        .arg("--audit")
        .arg(at("audit.jsonl"))
        .stdin(Stdio::null())
        .stdout(File::create(at("stdout")).unwrap())
        .stderr(File::create(at("stderr")).unwrap())
        .spawn()
        .unwrap()
}

fn connect(socket: &Path) -> Option<std::os::unix::net::UnixStream> {
    std::os::unix::net::UnixStream::connect(socket).ok()
}

// === commands ===

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Asserts success and gives standard output.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }
}

/// The docker CLI at a socket, within bounds of time.
pub(crate) fn docker(socket: &Path, arguments: &[&str]) -> Done {
    docker_with_input(socket, arguments, b"")
}

/// The same with something on its standard input.
pub(crate) fn docker_with_input(socket: &Path, arguments: &[&str], input: &[u8]) -> Done {
    let mut command = docker_command(socket);
    command.args(arguments);
    run(command, input)
}

/// A docker CLI that goes on in the background, its output going to a file.
pub(crate) struct Background {
    child: Child,
    pub(crate) out: PathBuf,
    _dir: TempDir,
}

impl Background {
    pub(crate) fn docker(socket: &Path, arguments: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("qgb").tempdir().unwrap();
        let out = dir.path().join("out");
        let file = File::create(&out).unwrap();
        let child = docker_command(socket)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self {
            child,
            out,
            _dir: dir,
        }
    }
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }
    pub(crate) fn wait_for(&self, needle: &str) {
        wait_until(&format!("`{needle}` in the output"), || {
            self.said().contains(needle)
        });
    }
    pub(crate) fn wait_exit(&mut self) -> i32 {
        let mut code = None;
        wait_until("the command ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|status| status.code()).unwrap_or(-1)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `curl` at a socket.
pub(crate) fn curl(socket: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "--max-time", "60", "--unix-socket"])
        .arg(socket)
        .args(arguments);
    run(command, b"")
}

/// The docker CLI on a terminal of its own, played by terminal.py.
pub(crate) fn on_terminal(socket: &Path, steps: &[&str], arguments: &[&str]) -> Done {
    let mut command = Command::new("python3");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docker/terminal.py"))
        .args(steps)
        .arg("--")
        .arg(cli())
        .args(arguments);
    surroundings(&mut command, socket);
    run(command, b"")
}

fn docker_command(socket: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", PATIENCE, &cli()]);
    surroundings(&mut command, socket);
    command
}

fn cli() -> String {
    std::env::var("QUAYGATE_TEST_DOCKER_CLI").unwrap_or_else(|_| "docker".to_owned())
}

/// Nothing of this machine's own docker configuration.
fn surroundings(command: &mut Command, socket: &Path) {
    command
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .env("DOCKER_CONFIG", "/nonexistent")
        .env("DOCKER_BUILDKIT", "0")
        .env_remove("DOCKER_CONTEXT")
        .env_remove("DOCKER_TLS_VERIFY");
}

fn run(mut command: Command, input: &[u8]) -> Done {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    assert_ne!(
        status.code(),
        Some(124),
        "{command:?} hangs; so far: {}",
        String::from_utf8_lossy(&stdout)
    );
    Done {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A container that is removed when the scene is over.
pub(crate) struct Container(pub(crate) String);

impl Drop for Container {
    fn drop(&mut self) {
        docker(engine(), &["rm", "--force", &self.0]);
    }
}

impl Container {
    /// Runs one in the background, not through the gate.
    pub(crate) fn running(what: &str, arguments: &[&str], command: &[&str]) -> Self {
        let name = name(what);
        let all = [
            &["run", "-d", "--name", &name],
            arguments,
            &[IMAGE],
            command,
        ]
        .concat();
        docker(engine(), &all).ok();
        Self(name)
    }
}
