//! The command line: what is said, where, and with which exit code. Environment scrubbed, paths
//! replaced.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{FakeDocker, Gate, Signal, WORKSHOP, ok, wait_until};

mod sweep;

const PING: &str = "allow = [\"GET /_ping\"]\n";

/// A directory to be in, with policies to name.
struct Desk {
    dir: TempDir,
}

/// What became of a command.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("qgc").tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn with(self, name: &str, text: &str) -> Self {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quaygate"));
        command
            .env_clear()
            .env("TMPDIR", self.path("tmp"))
            .current_dir(self.dir.path())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    fn quaygate(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        let here = self.dir.path().to_str().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(here, "@@DIR@@");
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// `run` with everything that would otherwise depend on the machine.
    fn run(&self, arguments: &[&str]) -> Ended {
        let docker = format!("unix://{}", self.path("engine.sock").display());
        let mut all = vec!["run", "--docker", &docker, "--runtime-dir", "run"];
        all.extend(arguments);
        self.quaygate(&all)
    }
}

impl Ended {
    /// Exit code and standard error; nothing may have been printed as an answer.
    fn refusal(&self) -> String {
        assert_eq!(self.out, "");
        format!("{}exit {}", self.err, self.code)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

// --- What keeps a gate from starting ---

#[test]
fn a_word_that_names_no_policy_is_told_what_there_is() {
    let desk = Desk::new().with("ci.toml", PING);
    insta::assert_snapshot!(desk.run(&["traefk"]).refusal(), @r#"
    error: there is no built-in policy `traefk`; did you mean `traefik`?
    error: nothing was started
    exit 2
    "#);
    insta::assert_snapshot!(desk.run(&["ci"]).refusal(), @r#"
    error: there is no built-in policy `ci`; for the file, write `./ci.toml`
    error: nothing was started
    exit 2
    "#);
    insta::assert_snapshot!(desk.run(&["./missing.toml"]).refusal(), @r#"
    error: cannot read `./missing.toml`: no such file or directory; is it mounted, and is the path right?
    error: nothing was started
    exit 2
    "#);
    insta::assert_snapshot!(desk.run(&["./tmp"]).refusal(), @r#"
    error: `./tmp` holds no policy: policies are the files `*.toml` directly inside
    error: nothing was started
    exit 2
    "#);
}

#[test]
fn a_word_that_could_mean_two_things_is_refused() {
    let desk = Desk::new().with("traefik.toml", PING);
    insta::assert_snapshot!(desk.run(&["traefik"]).refusal(), @r#"
    error: `traefik` is a built-in policy, and `./traefik.toml` is here too: write `./traefik.toml` for the file; for the built-in one, rename the file or start elsewhere
    error: nothing was started
    exit 2
    "#);
}

#[test]
fn every_mistake_of_every_policy_is_told_before_a_socket_is_opened() {
    let desk = Desk::new()
        .with("p/a.toml", "alow = []\n")
        .with("p/b.toml", "allow = [\"GET /containers/jsn\"]\n")
        .with("p/good.toml", PING);
    insta::assert_snapshot!(desk.run(&["./p"]).refusal(), @r#"
    error[unknown-key]: unknown key `alow` in the policy
     --> ./p/a.toml:1:1
      |
    1 | alow = []
      | ^^^^ not a key of the policy
      |
      = help: did you mean `allow`?
    error: `./p/a.toml` has 1 error
    error[unknown-operation]: Docker has no `GET /containers/jsn`
     --> ./p/b.toml:1:10
      |
    1 | allow = ["GET /containers/jsn"]
      |          ^^^^^^^^^^^^^^^^^^^^^ no operation of the Docker API
      |
      = help: did you mean `GET /containers/json`?
      = note: paths beyond Docker's table belong into `[unlisted]`
    error: `./p/b.toml` has 1 error
    error: nothing was started
    exit 2
    "#);
    assert!(!desk.path("run").exists(), "nothing was made");
}

#[test]
fn two_policies_never_share_a_name_or_a_socket() {
    let socket = "[socket]\npath = \"/run/x/docker.sock\"\n";
    let desk = Desk::new()
        .with("a.toml", PING)
        .with("x/a.toml", PING)
        .with("one.toml", &format!("{PING}{socket}"))
        .with("two.toml", &format!("{PING}{socket}"));
    insta::assert_snapshot!(desk.run(&["a.toml", "x/a.toml"]).refusal(), @r#"
    error: two policies are named `a`: a.toml and x/a.toml; rename one file, its stem is the policy's name
    error: nothing was started
    exit 2
    "#);
    insta::assert_snapshot!(desk.run(&["one.toml", "two.toml"]).refusal(), @r#"
    error: `one` and `two` both want the socket /run/x/docker.sock: each policy needs a socket, and a directory, of its own
    error: nothing was started
    exit 2
    "#);
    insta::assert_snapshot!(desk.run(&["a.toml", "one.toml", "--listen", "/run/s"]).refusal(), @r#"
    error: --listen /run/s names one socket, but there are 2 policies: use --runtime-dir, which gives each a socket of its own
    error: nothing was started
    exit 2
    "#);
}

#[test]
fn the_gate_never_takes_dockers_own_place() {
    let desk = Desk::new();
    fs::create_dir(desk.path("real")).unwrap();
    symlink(desk.path("real"), desk.path("link")).unwrap();
    insta::assert_snapshot!(desk.run(&["read-only", "--listen", "engine.sock"]).refusal(), @r#"
    error: the gate's socket @@DIR@@/engine.sock is Docker's own address: the gate needs another path (--runtime-dir, --listen or `[socket] path`), or Docker another address (--docker)
    exit 2
    "#);
    let docker = desk.path("real/docker.sock");
    let through_a_link = desk.quaygate(&[
        "run",
        "read-only",
        "--docker",
        docker.to_str().unwrap(),
        "--listen",
        "link/docker.sock",
    ]);
    assert_eq!(through_a_link.code, 2, "{}", through_a_link.err);
    assert!(
        through_a_link.err.contains("is Docker's own address"),
        "{}",
        through_a_link.err
    );
}

#[test]
fn a_socket_that_cannot_be_opened_says_what_to_do() {
    let desk = Desk::new().with("file", "");
    fs::create_dir_all(desk.path("run/traefik/docker.sock")).unwrap();
    insta::assert_snapshot!(desk.run(&["traefik"]).refusal(), @r#"
    error: @@DIR@@/run/traefik/docker.sock is a directory, not a socket: Docker makes one when a container mounts a path that does not exist yet; stop that container, `rmdir @@DIR@@/run/traefik/docker.sock`, and mount the directory above it instead
    exit 3
    "#);
    insta::assert_snapshot!(desk.run(&["read-only", "--listen", "file"]).refusal(), @r#"
    error: @@DIR@@/file is a file, not a socket: quaygate replaces only sockets; remove it if it is not needed
    exit 3
    "#);
    insta::assert_snapshot!(desk.run(&["read-only", "--listen", "file/docker.sock"]).refusal(), @r#"
    error: cannot make the directory @@DIR@@/file for the socket @@DIR@@/file/docker.sock: not a directory; a file is where a directory should be; choose another --runtime-dir
    exit 3
    "#);

    let live = UnixListener::bind(desk.path("live")).unwrap();
    insta::assert_snapshot!(desk.run(&["read-only", "--listen", "live"]).refusal(), @r#"
    error: another process listens on @@DIR@@/live: stop it first (`ss -xlp | grep @@DIR@@/live` names it), or choose another --runtime-dir
    exit 3
    "#);
    drop(live);

    let long = format!("/run/{}/docker.sock", "x".repeat(100));
    insta::assert_snapshot!(desk.run(&["read-only", "--listen", &long]).refusal(), @r#"
    error: the socket path /run/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/docker.sock has 117 bytes, and the kernel takes 107: choose a shorter --runtime-dir, --listen or `[socket] path`
    exit 3
    "#);
}

#[test]
fn an_unknown_owner_is_told_where_names_are_looked_for() {
    let policy = format!("{PING}[socket]\nowner = \"nobody-at-all\"\ngroup = \"no-such-group\"\n");
    let desk = Desk::new().with("a.toml", &policy);
    insta::assert_snapshot!(desk.run(&["a.toml"]).refusal(), @r#"
    error: `[socket] owner = "nobody-at-all"`: /etc/passwd has no such name; names are read from this file alone, so write the number, or add a line to it
    error: `[socket] group = "no-such-group"`: /etc/group has no such name; names are read from this file alone, so write the number, or add a line to it
    exit 3
    "#);
}

#[test]
fn an_audit_log_that_cannot_be_written_keeps_the_gate_shut() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.run(&["read-only", "--audit", "no/such/dir/audit.jsonl"]).refusal(), @r#"
    error: cannot open the audit log no/such/dir/audit.jsonl: its directory does not exist; create it, or name another file
    exit 3
    "#);
    insta::assert_snapshot!(desk.run(&["read-only", "--audit", "tmp"]).refusal(), @r#"
    error: cannot open the audit log tmp: it is a directory; name a file in it
    exit 3
    "#);
    assert!(!desk.path("run").exists(), "nothing was made");
}

#[test]
fn settings_that_cannot_be_read_are_told_what_to_write() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.quaygate(&["run", "traefik", "--docker", "ssh://me@host"]).refusal(), @r#"
    error: cannot use the docker address `ssh://me@host`: quaygate does not speak ssh; forward the socket (`ssh -L /tmp/d.sock:/var/run/docker.sock HOST`) and say `--docker unix:///tmp/d.sock`
    exit 2
    "#);
    insta::assert_snapshot!(desk.quaygate(&["run", "traefik", "--audit-allowed", "some"]).refusal(), @r#"
    error: invalid value 'some' for '--audit-allowed <WHICH>': write `all`, `changes` or `none`

    For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(desk.quaygate(&["run", "traefik", "--threads", "0"]).refusal(), @r#"
    error: invalid value '0' for '--threads <N>': 0 is not in 1..=64

    For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(desk.quaygate(&["run"]).refusal(), @r#"
    error: the following required arguments were not provided:
      <POLICY>...

    Usage: quaygate run <POLICY>...

    For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(desk.quaygate(&["rnu"]).refusal(), @r#"
    error: unrecognized subcommand 'rnu'

    Usage: quaygate <COMMAND>

    For more information, try '--help'.
    exit 2
    "#);

    let environment = desk
        .command(&["run", "traefik"])
        .env("DOCKER_HOST", "localhost:2375")
        .output()
        .unwrap();
    assert_eq!(environment.status.code(), Some(2));
    let told = String::from_utf8(environment.stderr).unwrap();
    assert!(
        told.contains("(from DOCKER_HOST)") && told.contains("tcp://localhost:2375"),
        "{told}"
    );

    let filter = desk
        .command(&["run", "traefik", "--runtime-dir", "run"])
        .env("RUST_LOG", "quaygate=loud")
        .output()
        .unwrap();
    assert_eq!(filter.status.code(), Some(2));
    assert!(
        String::from_utf8(filter.stderr)
            .unwrap()
            .contains("RUST_LOG cannot be read")
    );
}

// --- What a gate says and how it ends ---

#[test]
fn a_gate_says_what_it_guards_and_what_to_mount() {
    let docker = FakeDocker::saying("OK");
    let gate = Gate::with_policy(&docker, WORKSHOP);
    wait_until("the report is there", || gate.log().contains("DOCKER_HOST"));

    let log = gate.log();
    let socket = gate.socket().to_str().unwrap();
    let directory = gate.socket().parent().unwrap().to_str().unwrap();
    for wanted in [
        &format!("guards unix://{}: engine ", docker.path().display()),
        &format!("test  {socket}  0660"),
        &format!(":{directory}:ro"),
        &format!("DOCKER_HOST: unix://{socket}"),
    ] {
        assert!(log.contains(wanted.as_str()), "{wanted} in:\n{log}");
    }
    assert!(!log.contains('\u{1b}'), "no colour in a file:\n{log}");
}

#[test]
fn an_absent_engine_is_told_and_awaited() {
    let (_dir, path) = FakeDocker::absent();
    let gate = Gate::start(&path, WORKSHOP, &[]);
    wait_until("the report is there", || gate.log().contains("DOCKER_HOST"));

    let log = gate.log();
    assert!(log.contains("there is no such file"), "{log}");
    assert!(log.contains("answer 503 until Docker is there"), "{log}");
    assert_eq!(gate.client().get("/_ping").status(), 503);
}

#[test]
fn log_lines_for_programs_are_json_and_say_the_same() {
    let docker = FakeDocker::saying("OK");
    let gate = Gate::start(docker.path(), WORKSHOP, &["--log", "json"]);
    wait_until("the gate is reported", || {
        gate.log().contains("a gate is open")
    });

    for line in gate.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
    assert!(gate.log().contains(gate.socket().to_str().unwrap()));
}

#[test]
fn a_gate_that_is_told_to_end_ends_well_and_takes_its_socket_along() {
    let docker = FakeDocker::saying("OK");
    for threads in ["1", "3"] {
        let mut gate = Gate::start(docker.path(), WORKSHOP, &["--threads", threads]);
        for _ in 0..8 {
            assert_eq!(gate.client().get("/_ping").status(), 200);
        }
        gate.terminate();

        assert_eq!(gate.wait_exit().code(), Some(0), "{}", gate.log());
        assert!(!gate.socket().exists());
    }
}

#[test]
fn a_second_signal_does_not_wait_for_calls_in_flight() {
    let stuck = Signal::new();
    let release = stuck.clone();
    let docker = FakeDocker::start(move |exchange| {
        exchange.read_body();
        stuck.wait();
    });
    let mut gate = Gate::with_policy(&docker, WORKSHOP);
    let mut client = gate.client();
    client.send_raw(b"GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n");
    docker.wait_requests(1);

    gate.terminate();
    wait_until("the gate waits for the call", || {
        gate.log().contains("a second signal")
    });
    let since = Instant::now();
    gate.terminate();

    assert_eq!(gate.wait_exit().code(), Some(0));
    assert!(
        since.elapsed() < Duration::from_secs(8),
        "the drain lasts 10 s"
    );
    release.set();
}

#[test]
fn a_gate_starts_where_a_killed_one_left_its_socket() {
    let desk = Desk::new();
    let stale = desk.path("tmp/s");
    drop(UnixListener::bind(&stale).unwrap());
    let arguments = [
        "run",
        "read-only",
        "--docker",
        "/no/such.sock",
        "--listen",
        "tmp/s",
    ];
    let mut gate = desk
        .command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();

    wait_until("somebody listens", || UnixStream::connect(&stale).is_ok());

    gate.kill().unwrap();
    gate.wait().unwrap();
    assert!(
        stale.exists(),
        "a killed gate leaves its socket behind, for the next one"
    );
}

// --- health ---

#[test]
fn health_is_yes_while_gate_and_docker_answer_whatever_the_policy_grants() {
    let docker = FakeDocker::saying("OK");
    let desk = Desk::new();
    for policy in [WORKSHOP, "allow = [\"GET /version\"]\n"] {
        let gate = Gate::with_policy(&docker, policy);
        let socket = gate.socket().to_str().unwrap();
        let address = format!("unix://{}", docker.path().display());

        let yes = desk.quaygate(&["health", "--socket", socket, "--docker", &address]);
        assert_eq!(yes.code, 0, "{}{}", yes.out, yes.err);

        let runtime_dir = gate.socket().ancestors().nth(2).unwrap().to_str().unwrap();
        let all = [
            "health",
            "--runtime-dir",
            runtime_dir,
            "--docker",
            &address,
            "--format",
            "json",
        ];
        let document = desk.quaygate(&all).json();
        assert_eq!(document["schema"], "quaygate/health/1");
        assert_eq!(document["healthy"], true);
        assert_eq!(document["gates"][0]["socket"], socket);
    }
}

#[test]
fn health_is_no_without_a_gate_or_without_docker() {
    let docker = FakeDocker::saying("OK");
    let gate = Gate::with_policy(&docker, WORKSHOP);
    let desk = Desk::new();
    let engine = format!("unix://{}", docker.path().display());
    let there = gate.socket().to_str().unwrap();

    let no_gate = desk.quaygate(&["health", "--socket", "tmp/s", "--docker", &engine]);
    assert_eq!(no_gate.code, 1);
    assert!(
        no_gate.out.contains("there is no such socket"),
        "{}",
        no_gate.out
    );

    let no_docker = desk.quaygate(&["health", "--socket", there, "--docker", "/no/such.sock"]);
    assert_eq!(no_docker.code, 1);
    assert!(
        no_docker.out.contains("cannot be reached"),
        "{}",
        no_docker.out
    );

    let nothing = desk.quaygate(&["health", "--runtime-dir", "tmp", "--docker", &engine]);
    insta::assert_snapshot!(nothing.refusal(), @r#"
    error: there is no gate under @@DIR@@/tmp: is `quaygate run` up, with this --runtime-dir?
    exit 1
    "#);
}

// --- check, explain ---

#[test]
fn check_tells_errors_with_their_place_and_says_no() {
    let desk = Desk::new().with("bad.toml", "allow = [\"GET /containers/jsn\"]\n");
    let ended = desk.quaygate(&["check", "./bad.toml"]);
    insta::assert_snapshot!(format!("{}{}exit {}", ended.out, ended.err, ended.code), @r#"
    error[unknown-operation]: Docker has no `GET /containers/jsn`
     --> ./bad.toml:1:10
      |
    1 | allow = ["GET /containers/jsn"]
      |          ^^^^^^^^^^^^^^^^^^^^^ no operation of the Docker API
      |
      = help: did you mean `GET /containers/json`?
      = note: paths beyond Docker's table belong into `[unlisted]`

    broken: ./bad.toml: 1 error
    exit 1
    "#);

    let document = desk.quaygate(&["check", "bad.toml", "--format", "json"]);
    assert_eq!(document.code, 1);
    let document = document.json();
    assert_eq!(document["schema"], "quaygate/check/1");
    assert_eq!(document["policies"][0]["loads"], false);
    assert_eq!(
        document["policies"][0]["findings"][0]["places"][0]["line"],
        1
    );
}

#[test]
fn check_says_yes_to_every_policy_that_comes_with_it() {
    let desk = Desk::new();
    for name in quaygate::policy::builtin::names() {
        let ended = desk.quaygate(&["check", name]);
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    }
}

#[test]
fn check_says_what_is_handed_out_and_whether_that_is_root() {
    let desk = Desk::new()
        .with(
            "looks.toml",
            "allow = [\"GET /_ping\", \"GET /version\", \"GET /events\"]\n",
        )
        .with("makes.toml", MAKES);
    let looks = desk.quaygate(&["check", "looks.toml"]);
    insta::assert_snapshot!(format!("{}exit {}", looks.out, looks.code), @r#"
    note[hands-out]: `GET /events` shows: names and labels of everything, command lines of every exec
     --> looks.toml:1:40
      |
    1 | allow = ["GET /_ping", "GET /version", "GET /events"]
      |                                        ^^^^^^^^^^^^^ granted here

    ok: looks.toml: it has no tests
    hands out: 4 of 120 operations: 3 safe-read, 1 shows-secrets
    grade: read-only: it shows, and changes nothing
    exit 0
    "#);
    let makes = desk
        .quaygate(&["check", "makes.toml", "--format", "json"])
        .json();
    let makes = &makes["policies"][0];
    assert_eq!(makes["root"], true);
    assert_eq!(makes["grade"], "root");
    assert_eq!(
        makes["causes"],
        json!([{
            "grade": "root",
            "why": "a container may be privileged",
            "steps": [
                {"operation": "ContainerCreate", "rule": "job", "line": 4},
                {"operation": "ContainerStart", "rule": "POST /containers/{id}/start", "line": 2},
            ],
        }])
    );
    let text = desk.quaygate(&["check", "makes.toml"]).out;
    for said in [
        "this policy can become root on the host because a container may be privileged",
        "grade: root: whoever can use this socket can be root on the host; see the warnings above",
    ] {
        assert!(text.contains(said), "{text}");
    }
}

const MAKES: &str = r#"
allow = ["POST /containers/{id}/start"]

[[rule]]
name = "job"
allow = "POST /containers/create"
container.privileged = true
"#;

#[test]
fn check_says_no_to_what_is_worse_than_it_may_be() {
    let desk = Desk::new()
        .with("good.toml", PING)
        .with("makes.toml", MAKES);
    for (policies, most, code) in [
        (&["good.toml"][..], "read-only", 0),
        (&["makes.toml"], "root", 0),
        (&["makes.toml"], "powers", 1),
        (&["good.toml", "makes.toml"], "changes", 1),
        (&["good.toml"], "good", 2),
        (&["missing.toml", "makes.toml"], "powers", 2),
    ] {
        for format in ["text", "json"] {
            let mut words = vec!["check", "--max-grade", most, "--format", format];
            words.extend(policies);
            let ended = desk.quaygate(&words);
            assert_eq!(ended.code, code, "{words:?} {}{}", ended.out, ended.err);
        }
    }
    let said = desk
        .quaygate(&["check", "--max-grade", "changes", "makes.toml"])
        .out;
    assert!(said.ends_with("worse than --max-grade changes\n"), "{said}");
}

#[test]
fn check_goes_on_after_a_file_that_cannot_be_read() {
    let desk = Desk::new().with("good.toml", PING);
    let ended = desk.quaygate(&["check", "./missing.toml", "good.toml"]);
    assert_eq!(ended.code, 2);
    assert!(ended.out.contains("ok: good.toml"), "{}", ended.out);
    assert!(ended.err.contains("missing.toml"), "{}", ended.err);
}

const JOBS: &str = r#"
allow = ["GET /_ping", "GET /containers/json"]

[[rule]]
name = "soon"
allow = "POST /containers/job-*/restart"
query.t = ["", '~[0-9]{1,2}']
"#;

#[test]
fn explain_names_the_rule_and_its_line() {
    let desk = Desk::new().with("jobs.toml", JOBS);
    let ended = desk.quaygate(&[
        "explain",
        "jobs.toml",
        "POST /v1.41/containers/job-7/restart?t=5",
    ]);
    insta::assert_snapshot!(format!("{}exit {}", ended.out, ended.code), @r#"
    allowed: POST /containers/job-7/restart (ContainerRestart)

      jobs.toml:4  soon
    exit 0
    "#);
}

#[test]
fn explain_tells_near_misses_and_the_line_to_add() {
    let desk = Desk::new().with("jobs.toml", JOBS);
    let near = desk.quaygate(&[
        "explain",
        "jobs.toml",
        "POST /containers/job-7/restart?t=500",
    ]);
    insta::assert_snapshot!(format!("{}exit {}", near.out, near.code), @r#"
    refused: POST /containers/job-7/restart (ContainerRestart)

      a condition on the query does not hold [query]

    rules about this operation, and what each lacks:

      jobs.toml:4  soon
                   a condition on the query does not hold: query.t = ["", '~[0-9]{1,2}']

    to allow it, add:

      [[rule]]
      allow = "POST /containers/job-*/restart"
      query.t = 500

    careful: restarts any container [changes-state]

    the client reads:

      ContainerRestart (POST /containers/job-7/restart) is refused by policy `jobs`: rule `soon` (line 4) would allow it, but the request does not meet `query.t = ["", '~[0-9]{1,2}']`. To allow it too, add a rule with `query.t = 500`

    (without a version prefix it counts as the engine's own version; here 1.56 was taken)
    exit 1
    "#);
    let none = desk.quaygate(&[
        "explain",
        "jobs.toml",
        "POST",
        "/v1.41/containers/create?name=x",
    ]);
    insta::assert_snapshot!(format!("{}exit {}", none.out, none.code), @r#"
    refused: POST /containers/create (ContainerCreate)

      no rule grants the operation [no-rule]

    to allow it, add:

      allow = ["POST /containers/create"]

    careful: makes containers of any image, command and environment, without power over the host [changes-state]

    the client reads:

      ContainerCreate (POST /containers/create) is refused by policy `jobs`: no rule grants it. To allow it, add to allow: "POST /containers/create"
    exit 1
    "#);
    let unreadable = desk.quaygate(&["explain", "jobs.toml", "/containers/../info"]);
    insta::assert_snapshot!(format!("{}exit {}", unreadable.out, unreadable.code), @r#"
    refused: GET /containers/../info

      the path holds a `.` or `..` segment; write the path it leads to
      it is answered 400 under every policy, and Docker never hears of it
    exit 1
    "#);
}

#[test]
fn explain_reads_urls_as_curl_does() {
    let desk = Desk::new().with("jobs.toml", JOBS);
    let curl = desk.quaygate(&["explain", "jobs.toml", "http:/v1.41/containers/json"]);
    insta::assert_snapshot!(format!("{}exit {}", curl.out, curl.code), @r#"
    allowed: GET /containers/json (ContainerList)
      curl takes `v1.41` for the host, and sends the path `/containers/json` without version

      jobs.toml:2  GET /containers/json
    exit 0
    "#);
    let not_one = desk.quaygate(&["explain", "jobs.toml", "containers/json"]);
    insta::assert_snapshot!(not_one.refusal(), @r#"
    error: `containers/json` is not a path: did you mean `/containers/json`?
    exit 2
    "#);
}

#[test]
fn explain_takes_the_callers_ids() {
    let policy = format!("{PING}[socket]\npeers.uid = [1000]\n");
    let desk = Desk::new().with("a.toml", &policy);
    let ask = |more: &[&str]| {
        let mut all = vec!["explain", "a.toml", "/_ping", "--format", "json"];
        all.extend(more);
        let ended = desk.quaygate(&all);
        (ended.code, ended.json())
    };

    assert_eq!(
        ask(&[]).0,
        0,
        "a caller whom the policy lets in is presumed"
    );
    assert_eq!(ask(&["--uid", "1000"]).0, 0);
    let (code, document) = ask(&["--uid", "33", "--gid", "33"]);
    assert_eq!((code, &document["reason"]), (1, &"peer".into()));
    assert_eq!(document["schema"], "quaygate/explain/1");
}

#[test]
fn explain_is_told_about_the_object_and_about_the_container_in_a_connects_body() {
    let policy = r#"
[[rule]]
name = "join"
allow = "POST /networks/{id}/connect"
target.name = "front"
connect.container.label = "tier=front"
"#;
    let desk = Desk::new()
        .with("a.toml", policy)
        .with("body.json", r#"{"Container":"web"}"#);
    let ask = |facts: &[&str]| {
        let mut all = vec!["explain", "a.toml", "POST /networks/n/connect", "--format"];
        all.extend(["json", "--body", "body.json"]);
        all.extend(facts.iter().flat_map(|fact| ["--given", fact]));
        let document = desk.quaygate(&all).json();
        let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
        (text("decision"), text("depends") + &text("reason"))
    };
    let network = "name=front";
    for (facts, decision, why) in [
        (&[][..], "depends", "target"),
        (&[network], "depends", "connected"),
        (
            &[network, "connect.container.label=tier=front"],
            "allow",
            "",
        ),
        (&[network, "connect.container.name=web"], "deny", "target"),
        (
            &["name=back", "connect.container.label=tier=front"],
            "deny",
            "target",
        ),
    ] {
        let answer = ask(facts);
        assert_eq!((&*answer.0, &*answer.1), (decision, why), "{facts:?}");
    }
    let unread = desk.quaygate(&[
        "explain",
        "a.toml",
        "POST /networks/n/connect",
        "--given",
        network,
    ]);
    assert!(
        unread.out.contains("--given connect.container.name=web"),
        "{}",
        unread.out
    );
    let slip = desk.quaygate(&[
        "explain",
        "a.toml",
        "/_ping",
        "--given",
        "connect.container.nmae=x",
    ]);
    assert_eq!(slip.code, 2);
    assert!(slip.err.contains("not `nmae`"), "{}", slip.err);
}

// --- show ---

#[test]
fn show_lists_the_policies_that_come_with_it() {
    let desk = Desk::new();
    let list = desk.quaygate(&["show"]);
    let document = desk.quaygate(&["show", "--format", "json"]).json();
    assert_eq!(document["schema"], "quaygate/policies/1");
    for (index, name) in quaygate::policy::builtin::names().enumerate() {
        assert!(list.out.contains(&format!("  {name} ")), "{}", list.out);
        assert_eq!(document["policies"][index]["name"], name);
    }
}

#[test]
fn show_says_of_every_operation_whether_and_how_it_is_reached() {
    let desk = Desk::new().with("jobs.toml", JOBS);
    let shown = desk.quaygate(&["show", "jobs.toml"]);
    let (reached, _) = shown.out.split_once("refused: ").unwrap();
    insta::assert_snapshot!(reached, @r#"
    jobs (jobs.toml)

    allowed: 3 operations

      GET   /containers/json  ContainerList   shows-secrets
      GET   /_ping            SystemPing      safe-read
      HEAD  /_ping            SystemPingHead  safe-read

    conditional: 1 operation

      POST  /containers/{id}/restart  ContainerRestart  changes-state
            if id = job-*, query.t = ["", '~[0-9]{1,2}'] (line 4)
    "#);

    let document = desk
        .quaygate(&["show", "jobs.toml", "--format", "json"])
        .json();
    assert_eq!(document["schema"], "quaygate/show/1");
    let operations = document["operations"].as_array().unwrap();
    for operation in operations {
        let name = operation["operation"].as_str().unwrap();
        assert!(shown.out.contains(name), "{name} is missing");
    }
    let restart = operations
        .iter()
        .find(|o| o["operation"] == "ContainerRestart")
        .unwrap();
    assert_eq!(restart["access"], "conditional");
    assert_eq!(restart["ways"][0]["rule"], "soon");
    assert_eq!(restart["ways"][0]["names"][0], "id = job-*");
}

#[test]
fn show_gives_a_policy_to_start_from() {
    let desk = Desk::new();
    let toml = desk.quaygate(&["show", "traefik", "--toml"]);
    assert_eq!(
        Some(toml.out.as_str()),
        quaygate::policy::builtin::text("traefik")
    );

    let mine = Desk::new().with("mine.toml", &toml.out);
    assert_eq!(mine.quaygate(&["check", "mine.toml"]).code, 0);
    assert_eq!(desk.quaygate(&["show", "--toml"]).code, 2);
}

// --- demo ---

#[test]
fn the_demonstration_shows_both_kinds_of_calls_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let ended = desk.quaygate(&["demo", "--docker", "/no/such.sock"]);

    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    for wanted in [
        "a small engine inside this program",
        "2 containers",
        "  200  ",
        "  403  ",
        "  400  ",
    ] {
        assert!(ended.out.contains(wanted), "{wanted} in:\n{}", ended.out);
    }
    assert_eq!(fs::read_dir(desk.path("tmp")).unwrap().count(), 0);
}

#[test]
fn the_demonstration_only_reads_from_a_real_docker() {
    let docker = FakeDocker::start(|exchange| {
        exchange.read_body();
        exchange.send(&ok(r#"[{"Id":"0123456789abcdef"}]"#));
    });
    let desk = Desk::new();
    let address = format!("unix://{}", docker.path().display());

    let ended = desk.quaygate(&["demo", "--docker", &address]);

    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("it is only read from"), "{}", ended.out);
    let asked = docker.requests();
    assert!(asked.len() >= 5, "{asked:?}");
    for request in asked {
        let read = matches!(request.head.word(0), "GET" | "HEAD");
        assert!(read && !request.target().contains("archive"), "{request:?}");
    }
}

// --- all of them ---

#[test]
fn nothing_that_is_shown_can_steer_a_terminal() {
    let desk = Desk::new()
        .with("p/\u{1b}[2J.toml", PING)
        .with("p/b.toml", "allow = [\"\u{1b}[2J\"]\n");
    for arguments in [
        &["explain", "traefik", "GET /\u{1b}[2J"][..],
        &["explain", "traefik", "POST /a\u{9b}2J", "--format", "json"],
        &["check", "./p", "\u{1b}[2J", "./\u{7}.toml"],
        &["check", "./p", "--format", "json"],
        &["run", "traefik", "--docker", "\u{1b}[2J"],
        &["\u{1b}[2J"],
    ] {
        let ended = desk.quaygate(arguments);
        let text = format!("{}{}", ended.out, ended.err);
        assert_ne!(ended.code, 0);
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "{text:?}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let desk = Desk::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = desk
        .command(&["explain", "traefik", "/_ping"])
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn version_and_help_are_answers() {
    let desk = Desk::new();
    let version = desk.quaygate(&["--version"]);
    assert_eq!(
        (version.code, version.out),
        (0, format!("quaygate {}\n", env!("CARGO_PKG_VERSION")))
    );
    let help = desk.quaygate(&["run", "--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(
        help.out.starts_with("Example: quaygate run "),
        "{}",
        help.out
    );
}
