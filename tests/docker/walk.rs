//! A random walk: tens of thousands of mutated requests through the gate under the read-only policy,
//! and the engine is afterwards what it was before.
//!
//! The requests are recorded ones of real clients, bent by [`mutation`] until they are anything from
//! a valid read to noise; names in them are those of things that exist, so that a change that slipped
//! through would change something. The seed is fixed: a walk can be repeated.

#![expect(
    clippy::indexing_slicing,
    reason = "a walk that cannot go on says so by panicking"
)]

mod mutation;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use mutation::{Dice, Walker};
use serde_json::Value;

use crate::stage::{Gate, OwnEngine, curl, docker, import_small_image, name, wait_until};

/// How many requests of one walk are answered; more are sent, because a refusal may close the
/// connection on those behind it.
/// `QUAYGATE_TEST_WALK_STEPS` makes it a longer walk.
const STEPS: usize = 20_000;

/// How many clients walk at a time.
const WALKERS: usize = 4;

/// How long an answer that does not end (events, stats) is listened to.
const LISTEN: Duration = Duration::from_millis(40);

/// The image that stands for all images.
const IMAGE: &str = "quaygate-walk:latest";

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn nothing_that_a_client_of_a_read_only_gate_sends_changes_the_engine() {
    // Its own engine: in a shared one other scenes change things all the time.
    let own = OwnEngine::start();
    walk(&own.socket());
}

#[test]
#[ignore = "needs a second Docker engine, named by QUAYGATE_TEST_DOCKER_28"]
fn nothing_that_a_client_of_a_read_only_gate_sends_changes_a_newer_engine() {
    let Ok(host) = std::env::var("QUAYGATE_TEST_DOCKER_28") else {
        eprintln!("SKIPPED: QUAYGATE_TEST_DOCKER_28 does not name an engine 28");
        return;
    };
    walk(Path::new(host.strip_prefix("unix://").unwrap_or(&host)));
}

fn walk(engine: &Path) {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/read-only.toml");
    let gate = Gate::before(engine, &fs::read_to_string(policy).unwrap());
    let scenery = Scenery::set(engine);
    let began = soon();
    let before = snapshot(engine, began);
    assert_eq!(before["events"], "", "nothing has happened yet");
    let started = Instant::now();

    let steps = std::env::var("QUAYGATE_TEST_WALK_STEPS");
    let steps = steps.map_or(STEPS, |steps| steps.parse().unwrap());
    let seen = Seen::default();
    thread::scope(|scope| {
        for number in 0..WALKERS {
            let (gate, scenery, seen) = (&gate, &scenery, &seen);
            scope.spawn(move || {
                let dice = Dice::new(0x5eed_0001 + u64::try_from(number).unwrap());
                let mut walker = Walker::new(dice, &scenery.names);
                while seen.answered.load(Ordering::Relaxed) < steps {
                    go(&gate.socket(), &mut walker, seen);
                }
            });
        }
    });
    let took = started.elapsed();

    // Whatever the engine still does for us must have shown its effect.
    wait_until("the gate's connections are gone from the engine", || {
        curl(engine, &["http://docker/_ping"]).code == 0 && idle(engine)
    });
    let canary = curl(&gate.socket(), &["http://docker/_ping"]).ok();
    assert_eq!(canary, "OK", "the gate still serves");
    let after = snapshot(engine, began);
    for (what, was) in &before {
        assert_eq!(
            &after[what], was,
            "{what} of the engine changed during the walk"
        );
    }
    eprintln!("{}", seen.report(engine, took));
    seen.assert_meaningful();

    // The twin: a snapshot does show a change, and the gate is not what hides it.
    let volume = name("walk");
    docker(engine, &["volume", "create", &volume]).ok();
    docker(engine, &["kill", &scenery.names.containers[0]]).ok();
    let changed = snapshot(engine, began);
    docker(engine, &["volume", "rm", &volume]).ok();
    for what in ["containers", "volumes", "events"] {
        assert_ne!(
            changed[what], before[what],
            "a change of {what} is not seen"
        );
    }
}

/// One connection: a few requests, at once or one after the other, and what comes back.
fn go(socket: &Path, walker: &mut Walker<'_>, seen: &Seen) {
    let step = walker.step();
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LISTEN)).unwrap();
    stream.set_write_timeout(Some(LISTEN)).unwrap();
    let mut answers = Vec::new();
    for piece in &step.pieces {
        // The gate may have said no and closed in the middle.
        if stream.write_all(piece).is_err() {
            break;
        }
        if step.waits {
            listen(&mut stream, &mut answers, true);
        }
    }
    if step.half_closes {
        drop(stream.shutdown(Shutdown::Write));
    }
    listen(&mut stream, &mut answers, false);
    seen.count(step.requests, &answers);
}

/// Reads until the gate closes, is silent or – `one` – has said something.
fn listen(stream: &mut UnixStream, answers: &mut Vec<u8>, one: bool) {
    let end = Instant::now() + LISTEN;
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answers.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if one || Instant::now() > end {
            break;
        }
    }
}

// === what was seen ===

#[derive(Default)]
struct Seen {
    sent: AtomicUsize,
    connections: AtomicUsize,
    answered: AtomicUsize,
    by_status: Mutex<BTreeMap<String, usize>>,
}

impl Seen {
    fn count(&self, requests: usize, answers: &[u8]) {
        self.sent.fetch_add(requests, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
        let heads = answers.windows(12).filter(|bytes| {
            bytes.starts_with(b"HTTP/1.1 ") && bytes[9..].iter().all(u8::is_ascii_digit)
        });
        for head in heads {
            let status = String::from_utf8_lossy(&head[9..]).into_owned();
            if !status.starts_with('1') {
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            *self.by_status.lock().unwrap().entry(status).or_default() += 1;
        }
    }

    /// A walk in which everything is turned away at the door would prove nothing.
    fn assert_meaningful(&self) {
        let by_status = self.by_status.lock().unwrap();
        for (what, status) in [("passed", "200"), ("denied", "403"), ("malformed", "400")] {
            let count = by_status.get(status).copied().unwrap_or(0);
            assert!(count > STEPS / 20, "only {count} were {what}");
        }
    }

    fn report(&self, engine: &Path, took: Duration) -> String {
        let version = curl(engine, &["http://docker/version"]).ok();
        let version: Value = serde_json::from_str(&version).unwrap();
        format!(
            "walk: engine {}: {} requests on {} connections in {:.1} s, {} of them answered: {:?}; nothing changed",
            version["Version"],
            self.sent.load(Ordering::Relaxed),
            self.connections.load(Ordering::Relaxed),
            took.as_secs_f64(),
            self.answered.load(Ordering::Relaxed),
            self.by_status.lock().unwrap(),
        )
    }
}

// === the engine ===

/// Things that a change would hit.
struct Scenery {
    names: mutation::Names,
    engine: PathBuf,
}

impl Drop for Scenery {
    fn drop(&mut self) {
        let remove: [&[&str]; 4] = [
            &["rm", "--force", "--volumes"],
            &["volume", "rm"],
            &["network", "rm"],
            &["rmi", "--force"],
        ];
        let names = &self.names;
        let what: [&[String]; 4] = [
            &names.containers,
            std::slice::from_ref(&names.volume),
            std::slice::from_ref(&names.network),
            std::slice::from_ref(&names.image),
        ];
        for (verb, what) in remove.iter().zip(what) {
            for one in what {
                docker(&self.engine, &[verb, &[one.as_str()][..]].concat());
            }
        }
    }
}

impl Scenery {
    fn set(engine: &Path) -> Self {
        import_small_image(engine, IMAGE, &["sh", "cat", "sleep", "true", "touch"]);
        let create = |what: &str, words: &[&str], command: &[&str]| {
            let made = name(what);
            let all = [words, &["--name", &made, IMAGE], command].concat();
            docker(engine, &all).ok();
            made
        };
        let volume = name("walk-volume");
        docker(engine, &["volume", "create", &volume]).ok();
        let network = name("walk-net");
        docker(engine, &["network", "create", &network]).ok();
        let mount = format!("{volume}:/v");
        let forever = ["sh", "-c", "trap exit TERM; while true; do sleep 1; done"];
        let running = create("walk-up", &["run", "-d", "-v", &mount], &forever);
        let attached = create("walk-cat", &["run", "-d", "-i"], &["cat"]);
        let ended = create("walk-down", &["run"], &["true"]);
        let made = create("walk-new", &["create"], &["true"]);
        let id = docker(engine, &["inspect", "-f", "{{.Id}}", &running]).ok();
        let exec = curl(
            engine,
            &[
                "-H",
                "Content-Type: application/json",
                "-d",
                r#"{"Cmd":["touch","/tmp/walked"]}"#,
                &format!("http://docker/v1.41/containers/{running}/exec"),
            ],
        );
        let exec: Value = serde_json::from_str(&exec.ok()).unwrap();
        // A running `sleep` of the shell is no event, and an exec is created before the snapshot.
        Self {
            names: mutation::Names {
                containers: vec![running, id.trim().to_owned(), attached, ended, made],
                exec: exec["Id"].as_str().unwrap().to_owned(),
                image: IMAGE.to_owned(),
                volume,
                network,
            },
            engine: engine.to_owned(),
        }
    }
}

/// A moment that begins now, as `since=` takes it: what the scenery did is not part of the walk.
fn soon() -> u64 {
    let second = seconds() + 1;
    wait_until("the next second begins", || seconds() > second);
    second
}

/// The engine's clock is this machine's.
fn seconds() -> u64 {
    let epoch = SystemTime::UNIX_EPOCH;
    SystemTime::now().duration_since(epoch).unwrap().as_secs()
}

/// Everything a change could show in: part by part, as text.
fn snapshot(engine: &Path, since: u64) -> BTreeMap<&'static str, String> {
    let get = |target: &str| curl(engine, &[&format!("http://docker/v1.41{target}")]).ok();
    let json = |target: &str| serde_json::from_str::<Value>(&get(target)).unwrap();
    let containers: Vec<Value> = ids(&json("/containers/json?all=1"), "Id")
        .iter()
        .map(|id| json(&format!("/containers/{id}/json")))
        .collect();
    let images: Vec<Value> = ids(&json("/images/json?all=1"), "Id")
        .iter()
        .map(|id| json(&format!("/images/{id}/json")))
        .collect();
    let networks: Vec<Value> = ids(&json("/networks"), "Id")
        .iter()
        .map(|id| json(&format!("/networks/{id}")))
        .collect();
    let exec = containers
        .iter()
        .flat_map(|container| container["ExecIDs"].as_array().cloned().unwrap_or_default())
        .map(|id| get(&format!("/exec/{}/json", id.as_str().unwrap())))
        .collect::<String>();
    let info = json("/info");
    let until = seconds() + 1;
    BTreeMap::from([
        ("containers", pretty(&Value::from(containers))),
        ("images", pretty(&Value::from(images))),
        ("networks", pretty(&Value::from(networks))),
        ("volumes", pretty(&json("/volumes"))),
        ("execs", exec),
        ("plugins", get("/plugins")),
        ("swarm", info["Swarm"]["LocalNodeState"].to_string()),
        ("build cache", json("/system/df")["BuildCache"].to_string()),
        (
            "events",
            get(&format!("/events?since={since}&until={until}")),
        ),
    ])
}

fn ids(list: &Value, key: &str) -> Vec<String> {
    let mut ids: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item[key].as_str().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    ids
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// Nobody follows the engine's events any more: the walk's last streams have ended there.
fn idle(engine: &Path) -> bool {
    let info: Value = serde_json::from_str(&curl(engine, &["http://docker/info"]).ok()).unwrap();
    info["NEventsListener"] == 0
}
