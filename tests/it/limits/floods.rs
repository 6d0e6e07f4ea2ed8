//! What a flood on one socket does to another: little.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quaygate::proxy::limits::Limits;
use tempfile::TempDir;

use crate::support::{DEADLINE, Inside, WORKSHOP, ok};

/// How many requests of the undisturbed client are measured at least.
const MEASURED: usize = 300;

/// And for how long at least.
const MEASURED_FOR: Duration = Duration::from_secs(1);

/// How many turns of work may come before an answer, 99 times in 100. The floods have about a thousand
/// connections at a time, and whoever is ready gets a turn before anybody gets the next. A turn is
/// what one undisturbed request costs here. All of it is processor time, because the machine is busy
/// with the flood itself and perhaps with much else.
const TURNS: u32 = 2_000;

type Flood = fn(&Path, &AtomicBool, &AtomicU64);

/// Each with what one turn of it is.
const FLOODS: &[(&str, Flood)] = &[
    ("connections", connections),
    ("denials", denials),
    ("denials in one piece", pipelined_denials),
    ("garbage", garbage),
    ("slow heads", slow_heads),
    ("abandoned requests", abandoned),
];

#[test]
fn flood_on_one_socket_leaves_another_its_speed_and_its_records() {
    let docker = plain_engine();
    let policies = [("flooded", WORKSHOP), ("calm", WORKSHOP)];
    let gates = Inside::start(&docker.path().join("e"), &policies, Limits::default());
    let undisturbed = measure(&gates);
    let bound = undisturbed.1 * TURNS;
    let mut changes = 0;

    for floods in FLOODS.iter().map(std::slice::from_ref).chain([FLOODS]) {
        let name = if floods.len() == 1 {
            floods[0].0
        } else {
            "all together"
        };
        let (stop, turns) = (AtomicBool::new(false), AtomicU64::new(0));
        let socket = gates.socket("flooded");
        let (waited, worked) = thread::scope(|scope| {
            // However this ends, the flood does too.
            let _stopping = Stopping(&stop);
            for (_, flood) in floods {
                let (socket, stop, turns) = (&socket, &stop, &turns);
                scope.spawn(move || flood(socket, stop, turns));
            }
            while turns.load(Ordering::Relaxed) < 50 {
                thread::yield_now();
            }
            let percentiles = measure(&gates);
            // Changes, on the flooded socket too.
            for policy in ["calm", "flooded"] {
                let made = gates.client(policy).post("/containers/create", "{}");
                assert_eq!(made.status(), 200, "{name}, on {policy}");
            }
            percentiles
        });
        changes += 1;
        eprintln!(
            "{name}: {} turns; 99 in 100 answers within {waited:?}, {worked:?} of the gate's time (undisturbed {undisturbed:?})",
            turns.load(Ordering::Relaxed)
        );
        assert!(worked < bound, "{name}: {worked:?}, more than {bound:?}");
    }

    let records = gates.finish();
    for policy in ["calm", "flooded"] {
        for kind in ["open", "final"] {
            let found = records.iter().filter(|record| {
                record["policy"] == policy
                    && record["kind"] == kind
                    && record["operation"] == "ContainerCreate"
            });
            assert_eq!(
                found.count(),
                changes,
                "{kind} records of changes on {policy}"
            );
        }
    }
    let dropped = records.iter().filter(|record| record["kind"] == "dropped");
    assert_eq!(dropped.count(), 0);
}

struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The time within which 99 in 100 answers come on the calm socket, and that which the gate works
/// until then.
fn measure(gates: &Inside) -> (Duration, Duration) {
    let mut client = gates.client("calm");
    let (mut times, end) = (Vec::new(), Instant::now() + MEASURED_FOR);
    while times.len() < MEASURED || Instant::now() < end {
        let (began, before) = (Instant::now(), gates.worked());
        assert_eq!(client.get("/version").status(), 200);
        times.push((began.elapsed(), gates.worked().saturating_sub(before)));
    }
    let percentile = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() * 99 / 100]
    };
    let (waited, worked) = times.into_iter().unzip();
    (percentile(waited), percentile(worked))
}

/// An engine that answers and remembers nothing: a flood would fill a memory.
fn plain_engine() -> TempDir {
    let dir = tempfile::Builder::new().prefix("qgd").tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("e")).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let (mut held, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    held.extend_from_slice(&buffer[..count]);
                    // The only bodies here are two bytes, and come with their heads.
                    while let Some(end) = held.windows(4).position(|four| four == b"\r\n\r\n") {
                        held.drain(..end + 4);
                        if held.starts_with(b"{}") {
                            held.drain(..2);
                        }
                        if stream.write_all(&ok("{}")).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    dir
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Sends, reads to the end of the connection or until `enough` bytes came.
fn converse(stream: &mut UnixStream, bytes: &[u8], enough: usize) -> usize {
    let mut came = 0;
    if stream.write_all(bytes).is_ok() {
        let mut buffer = [0; 16 * 1024];
        while came < enough {
            match stream.read(&mut buffer) {
                Ok(count @ 1..) => came += count,
                _ => break,
            }
        }
    }
    came
}

fn connections(socket: &Path, stop: &AtomicBool, turns: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        drop(connect(socket));
        turns.fetch_add(1, Ordering::Relaxed);
    }
}

fn denials(socket: &Path, stop: &AtomicBool, turns: &AtomicU64) {
    let mut clients: Vec<_> = (0..50).map(|_| connect(socket)).collect();
    while !stop.load(Ordering::Relaxed) {
        for client in &mut clients {
            converse(client, b"DELETE /volumes/x HTTP/1.1\r\nHost: d\r\n\r\n", 1);
            turns.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn pipelined_denials(socket: &Path, stop: &AtomicBool, turns: &AtomicU64) {
    let bytes = b"GET /info HTTP/1.1\r\nHost: d\r\n\r\n".repeat(2000);
    while !stop.load(Ordering::Relaxed) {
        let mut clients: Vec<_> = (0..50).map(|_| connect(socket)).collect();
        for client in &mut clients {
            client.set_nonblocking(true).unwrap();
            drop(client.write(&bytes));
            turns.fetch_add(1, Ordering::Relaxed);
        }
        for client in &mut clients {
            client.set_nonblocking(false).unwrap();
            converse(client, b"", 64 * 1024);
        }
    }
}

fn garbage(socket: &Path, stop: &AtomicBool, turns: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        converse(&mut connect(socket), b"\x7f\0\r\n\r\n", usize::MAX);
        turns.fetch_add(1, Ordering::Relaxed);
    }
}

fn slow_heads(socket: &Path, stop: &AtomicBool, turns: &AtomicU64) {
    let mut clients: Vec<_> = (0..300).map(|_| connect(socket)).collect();
    for client in &mut clients {
        drop(client.write(b"GET /version HTTP/1.1\r\nX: "));
    }
    while !stop.load(Ordering::Relaxed) {
        for client in &mut clients {
            drop(client.write(b"x"));
            turns.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn abandoned(socket: &Path, stop: &AtomicBool, turns: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        drop(connect(socket).write(b"GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n"));
        turns.fetch_add(1, Ordering::Relaxed);
    }
}
