//! The gate itself: the built binary as a child process, one policy, one socket, stopped on drop.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal as Kill, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{Client, FakeDocker, wait_for, wait_until};

/// A running gate.
pub(crate) struct Gate {
    dir: TempDir,
    child: Child,
    socket: PathBuf,
}

impl Gate {
    /// A gate before this engine under this policy.
    pub(crate) fn with_policy(docker: &FakeDocker, policy: &str) -> Self {
        Self::start(docker.path(), policy, &[])
    }

    /// The same with further arguments of `quaygate run`.
    pub(crate) fn start(docker: &Path, policy: &str, arguments: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("qgg").tempdir().unwrap();
        let file = dir.path().join("test.toml");
        fs::write(&file, policy).unwrap();
        Self::run(dir, "test", file.to_str().unwrap(), docker, arguments)
    }

    fn run(dir: TempDir, name: &str, word: &str, docker: &Path, arguments: &[&str]) -> Self {
        let runtime = dir.path().join("run");
        let socket = runtime.join(name).join("docker.sock");
        let audit = dir.path().join("audit.jsonl");
        let mut command = Command::new(env!("CARGO_BIN_EXE_quaygate"));
        command
            .env_clear()
            .args(["run", word, "--docker"])
            .arg(format!("unix://{}", docker.display()))
            .arg("--runtime-dir")
            .arg(&runtime)
            .arg("--audit")
            .arg(&audit)
            .args(arguments);
        if !arguments.contains(&"--state-dir") {
            command.arg("--state-dir").arg(dir.path().join("state"));
        }
        command
            .stdin(std::process::Stdio::null())
            .stdout(File::create(dir.path().join("stdout")).unwrap())
            .stderr(File::create(dir.path().join("stderr")).unwrap());
        let child = command.spawn().unwrap();
        let mut gate = Self { dir, child, socket };
        gate.wait_listening();
        gate
    }

    fn wait_listening(&mut self) {
        let socket = self.socket.clone();
        wait_until("the gate listens", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the gate ended at once ({status}):\n{}", self.log());
            }
            connect(&socket).is_some()
        });
    }

    /// A connection to the gate.
    pub(crate) fn client(&self) -> Client {
        Client::new(connect(&self.socket).expect("the gate takes a connection"))
    }

    /// A connection, if one is taken.
    pub(crate) fn try_client(&self) -> Option<Client> {
        connect(&self.socket).map(Client::new)
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// What the gate said: standard output, then standard error.
    pub(crate) fn log(&self) -> String {
        ["stdout", "stderr"]
            .map(|name| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default())
            .concat()
    }

    /// The audit records written so far.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.path().join("audit.jsonl")).unwrap_or_default();
        // The last line may still be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
            })
            .collect()
    }

    /// Waits for a record that fits.
    pub(crate) fn wait_record(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        wait_for(
            &format!("a record: {what}; there are {:?}", self.records()),
            || self.records().into_iter().find(&fits),
        )
    }

    /// Where the kernel tells about the gate's thread of this name.
    pub(crate) fn thread(&self, name: &str) -> PathBuf {
        let tasks = Path::new("/proc")
            .join(self.child.id().to_string())
            .join("task");
        let is_named = |task: &PathBuf| {
            fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        wait_for(&format!("a thread named {name}"), || {
            let mut tasks = fs::read_dir(&tasks).unwrap();
            tasks.find_map(|task| Some(task.unwrap().path()).filter(is_named))
        })
    }

    /// Asks the gate to stop, as a supervisor does.
    pub(crate) fn terminate(&self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, Kill::TERM).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the gate ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the gate said:\n{}---", self.log());
            for record in self.records_if_readable() {
                eprintln!("{record}");
            }
        }
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.terminate();
            let mut patience = 1000;
            while patience > 0 && self.child.try_wait().is_ok_and(|status| status.is_none()) {
                patience -= 1;
                std::thread::park_timeout(std::time::Duration::from_millis(2));
            }
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Gate {
    fn records_if_readable(&self) -> Vec<String> {
        fs::read_to_string(self.dir.path().join("audit.jsonl"))
            .map(|text| text.lines().map(str::to_owned).collect())
            .unwrap_or_default()
    }
}

fn connect(socket: &Path) -> Option<UnixStream> {
    UnixStream::connect(socket).ok()
}
