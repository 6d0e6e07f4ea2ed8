//! Connections, bodies in memory and descriptors: how many, and what becomes of one more.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use quaygate::proxy::limits::Limits;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use crate::support::{Client, FakeDocker, Gate, Inside, WORKSHOP, ok, wait_until};

const TWO_PLACES: &str = r#"
allow = ["GET /version", "GET /events"]

[limits]
connections = 2
"#;

/// An engine that answers at once, but for `/events`, which begin and never end.
fn engine() -> FakeDocker {
    FakeDocker::start(|exchange| {
        exchange.read_body();
        if exchange.target() == "/events" {
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            exchange.wait_gone();
        } else {
            exchange.send(&ok("{}"));
        }
    })
}

fn inside(docker: &FakeDocker, limits: Limits) -> Inside {
    Inside::start(
        docker.path(),
        &[("two", TWO_PLACES), ("many", WORKSHOP)],
        limits,
    )
}

/// The binary with two threads, and so many places for `/version` and `/events`.
fn on_two_threads(docker: &FakeDocker, places: usize) -> Gate {
    let policy = TWO_PLACES.replace("= 2", &format!("= {places}"));
    let gate = Gate::start(docker.path(), &policy, &["--threads", "2"]);
    wait_until("the probe of the harness is forgotten", || {
        gate.client().get("/version").status() == 200
    });
    gate
}

#[test]
fn connection_that_never_said_a_word_gives_way() {
    let docker = engine();
    let gates = inside(&docker, Limits::default());
    let mut silent = gates.client("two");
    let second = gates.client("two");

    let mut third = gates.client("two");

    assert_eq!(third.get("/version").status(), 200);
    silent.expect_closed();
    assert!(second.is_quiet(), "only the one idle longest is closed");
}

#[test]
fn newcomers_that_come_together_are_not_taken_for_busy() {
    let docker = engine();
    let gates = inside(&docker, Limits::default());

    for _ in 0..20 {
        let crowd: Vec<_> = (0..6).map(|_| gates.client("two")).collect();
        assert_eq!(gates.client("two").get("/version").status(), 200);
        drop(crowd);
    }
}

#[test]
fn client_without_a_place_learns_why_when_it_asks() {
    let docker = engine();
    let gates = inside(&docker, Limits::default());
    let mut busy: Vec<_> = (0..2).map(|_| gates.client("two")).collect();
    for client in &mut busy {
        client.send("GET", "/events").read_head();
    }

    let mut third = gates.client("two");
    assert!(third.is_quiet(), "no answer comes before the question");
    let answer = third.get("/version");
    assert_eq!(answer.status(), 503);
    assert!(
        answer.message().contains("all 2 connections") && answer.message().contains("limits."),
        "{}",
        answer.message()
    );
    third.expect_closed();
    let head = gates.client("two").ask("HEAD", "/_ping");
    assert_eq!(head.status(), 503);

    drop(busy);
    let records = gates.finish();
    let turned_away = records
        .iter()
        .filter(|record| record["reason"] == "no-place" && record["status"] == 503);
    assert_eq!(turned_away.count(), 2, "{records:?}");
}

#[test]
fn crowd_before_a_full_house_is_sent_away_and_harms_nobody() {
    let docker = engine();
    let limits = Limits {
        linger: Duration::from_millis(200),
        ..Limits::default()
    };
    let gates = inside(&docker, limits);
    let mut busy: Vec<_> = (0..2).map(|_| gates.client("two")).collect();
    for client in &mut busy {
        client.send("GET", "/events").read_head();
    }

    let mut crowd: Vec<_> = (0..100).map(|_| gates.client("two")).collect();

    assert_eq!(gates.client("many").get("/version").status(), 200);
    for client in &mut crowd {
        client.expect_closed();
    }
    assert!(busy.iter().all(Client::is_quiet));
    drop(busy.pop());
    wait_until("there is a place again", || {
        gates.client("two").get("/version").status() == 200
    });
}

#[test]
fn places_are_counted_over_all_threads() {
    let docker = engine();
    let gate = on_two_threads(&docker, 4);

    let mut clients: Vec<_> = (0..12).map(|_| gate.client()).collect();
    let mut streams = 0;
    for client in &mut clients {
        // A connection may also have been closed for being idle, when a later one came.
        if client.try_send("GET /events HTTP/1.1\r\nHost: d\r\n\r\n")
            && let Some(status) = client.status_or_end()
        {
            assert!(status == 200 || status == 503, "{status}");
            streams += usize::from(status == 200);
        }
    }

    assert!(
        (1..=4).contains(&streams),
        "{streams} connections at a time"
    );
    assert_eq!(docker.connections() - 1, streams);
}

#[test]
fn a_newcomer_takes_the_place_of_whoever_is_idle_longest_on_any_thread() {
    let docker = engine();
    let gate = on_two_threads(&docker, 60);
    // More than one thread keeps to itself, so that newcomers go to the other one.
    let mut clients: Vec<_> = (0..60).map(|_| gate.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/version").status(), 200);
    }

    assert_eq!(gate.client().get("/version").status(), 200);

    clients[0].expect_closed();
    assert!(clients[1..].iter().all(Client::is_quiet));
}

#[test]
fn only_so_many_bodies_are_kept_in_memory() {
    let docker = FakeDocker::saying("{}");
    let gates = inside(&docker, Limits::default());
    let head = "POST /containers/web/wait HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n";
    let mut slow: Vec<_> = (0..4).map(|_| gates.client("many")).collect();
    for client in &mut slow {
        client.send_raw(head);
    }
    // Another socket's answer: by now the gate has read those heads.
    assert_eq!(gates.client("two").get("/version").status(), 200);

    let mut fifth = gates.client("many");
    fifth.send_raw(head).send_raw("{");
    let whole = gates.client("many").post("/containers/web/wait", "{}");
    assert_eq!(
        whole.status(),
        200,
        "a body that came with its head waits for nobody"
    );
    fifth.send_raw("}");
    assert_eq!(gates.client("two").get("/version").status(), 200);
    assert!(fifth.is_quiet(), "four are being read already");

    slow[0].send_raw("{}");
    assert_eq!(slow[0].read_response().status(), 200);
    assert_eq!(fifth.read_response().status(), 200, "now it is its turn");
}

#[test]
fn body_that_never_comes_to_its_end_is_given_up() {
    let docker = FakeDocker::saying("{}");
    let limits = Limits {
        body_deadline: Duration::from_millis(200),
        ..Limits::default()
    };
    let gates = inside(&docker, limits);

    let mut clients: Vec<_> = (0..9).map(|_| gates.client("many")).collect();
    for client in &mut clients {
        client.send_raw("POST /containers/web/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{");
    }

    for client in &mut clients {
        let status = client.read_response().status();
        assert!(
            status == 408 || status == 503,
            "{status}: too slow, or still waiting for a place"
        );
        client.expect_closed();
    }
    assert!(docker.received().is_empty());
    assert_eq!(
        gates
            .client("many")
            .post("/containers/web/start", "{}")
            .status(),
        200
    );
}

// === descriptors ===

/// A gate of two policies that may open only so many files.
struct Poor {
    dir: TempDir,
    child: Child,
}

impl Poor {
    fn start(docker: &FakeDocker, files: u64) -> Self {
        let dir = tempfile::Builder::new().prefix("qgp").tempdir().unwrap();
        for name in ["one", "other"] {
            fs::write(dir.path().join(format!("{name}.toml")), WORKSHOP).unwrap();
        }
        let child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_quaygate"))
            .arg("run")
            .arg(dir.path())
            .arg("--docker")
            .arg(format!("unix://{}", docker.path().display()))
            .arg("--runtime-dir")
            .arg(dir.path().join("run"))
            .args(["--audit", "/dev/null"])
            .stdin(Stdio::null())
            .stdout(fs::File::create(dir.path().join("stdout")).unwrap())
            .stderr(fs::File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let gate = Self { dir, child };
        wait_until("the gate says what it does", || {
            gate.said().contains("DOCKER_HOST")
        });
        gate
    }

    fn said(&self) -> String {
        ["stdout", "stderr"]
            .map(|name| fs::read_to_string(self.dir.path().join(name)).unwrap())
            .concat()
    }

    fn client(&self, policy: &str) -> Client {
        let socket: PathBuf = self.dir.path().join("run").join(policy).join("docker.sock");
        Client::new(UnixStream::connect(socket).unwrap())
    }

    fn open_files(&self) -> usize {
        let fds = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(fds).unwrap().count()
    }

    fn may_open(&self, files: usize) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        let files = u64::try_from(files).unwrap();
        let limit = Rlimit {
            current: Some(files),
            maximum: Some(4096),
        };
        prlimit(pid, Resource::Nofile, limit).unwrap();
    }

    /// Processor time used so far.
    fn worked(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }
}

impl Drop for Poor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the gate said:\n{}---", self.said());
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn files_that_are_too_few_are_said_and_shared_out() {
    let docker = engine();
    let gate = Poor::start(&docker, 128);
    // (128 - 32 for the process - 8 for pipes - 2 * 17 for the sockets) / 2 descriptors each.
    let said = gate.said();
    assert!(
        said.contains("open files allow 27 connections")
            && said.contains("no socket gets more than 13"),
        "{said}"
    );

    // One socket's clients take all they can get.
    let mut streams = Vec::new();
    for _ in 0..13 {
        let mut client = gate.client("one");
        client.send("GET", "/events").read_head();
        streams.push(client);
    }
    let refused = gate.client("one").get("/version");
    assert_eq!(refused.status(), 503);
    assert!(
        refused.message().contains("LimitNOFILE"),
        "{}",
        refused.message()
    );

    // The other's find their places all the same.
    let mut others: Vec<_> = (0..13).map(|_| gate.client("other")).collect();
    for client in &mut others {
        assert_eq!(client.get("/version").status(), 200);
    }
    assert!(gate.open_files() <= 128);
}

#[test]
fn running_out_of_files_neither_spins_nor_stops_who_is_in() {
    let docker = engine();
    let gate = Poor::start(&docker, 4096);
    let mut inside = gate.client("other");
    assert_eq!(inside.get("/version").status(), 200);
    wait_until("the gate's own questions are over", || {
        let open = gate.open_files();
        gate.may_open(open);
        UnixStream::connect(gate.dir.path().join("run/one/docker.sock")).is_ok()
    });

    let mut outside: Vec<_> = (0..5).map(|_| gate.client("one")).collect();
    for client in &mut outside {
        client.send("GET", "/version");
    }
    let (before, began) = (gate.worked(), Instant::now());
    wait_until("a second passes", || {
        assert_eq!(inside.get("/version").status(), 200);
        std::thread::park_timeout(Duration::from_millis(20));
        began.elapsed() > Duration::from_secs(1)
    });
    let worked = gate.worked().saturating_sub(before);
    assert!(
        worked < Duration::from_millis(300),
        "{worked:?} of a second"
    );
    assert!(gate.said().contains("cannot accept connections"));

    gate.may_open(4096);
    for client in &mut outside {
        let answer = client.read_response();
        // One may have been let in when there was a descriptor for it, but none for the engine.
        let told = answer.status() == 503 && answer.message().contains("no file descriptors");
        assert!(answer.status() == 200 || told, "{}", answer.text());
    }
    assert_eq!(gate.client("one").get("/version").status(), 200);
}

/// An engine that takes a head and then neither reads nor answers.
pub(super) fn never_reads(exchange: &mut crate::support::Exchange) {
    exchange.wait_gone();
}
