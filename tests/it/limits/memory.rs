//! What slow and vanished clients cost.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quaygate::proxy::limits::Limits;

use crate::support::{FakeDocker, Gate, Inside, Signal, WORKSHOP, wait_until};

/// How many slow clients at a time.
const CLIENTS: usize = 200;

/// What one such client may cost: 64 KiB of what it does not take or sent too early, and as much as
/// the connection itself and the allocator's leftovers need.
const EACH_KIB: u64 = 64 + 32;

/// What all of them together may cost besides: as long as little is held for slow readers, each may
/// hold more.
const ALL_KIB: u64 = 8 * 1024;

#[test]
fn slow_readers_of_large_bodies_cost_bounded_memory() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let docker = FakeDocker::start(move |exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nContent-Length: 100000000000\r\n\r\n");
        while exchange.send(&[0; 16 * 1024]) {
            count.fetch_add(16 * 1024, Ordering::Relaxed);
        }
        exchange.close();
    });
    let gate = Gate::with_policy(&docker, WORKSHOP);
    let before = memory_kib(&gate);

    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = UnixStream::connect(gate.socket()).unwrap();
            client
                .write_all(b"GET /images/large/get HTTP/1.1\r\nHost: d\r\n\r\n")
                .unwrap();
            client
        })
        .collect();
    until_still(&sent, CLIENTS);

    assert_cost("slow readers", before, memory_kib(&gate));
    drop(clients);
}

#[test]
fn uploads_that_the_engine_does_not_read_cost_bounded_memory() {
    let docker = FakeDocker::start(super::places::never_reads);
    let gate = Gate::with_policy(&docker, WORKSHOP);
    let before = memory_kib(&gate);
    let sent = Arc::new(AtomicU64::new(0));

    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = UnixStream::connect(gate.socket()).unwrap();
            client
                .write_all(b"POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: 100000000000\r\n\r\n")
                .unwrap();
            client.set_nonblocking(true).unwrap();
            client
        })
        .collect();
    // Everybody sends until nothing more is taken.
    let mut quiet = 0;
    while quiet < 10 {
        let mut moved = 0;
        for mut client in &clients {
            match client.write(&[0; 16 * 1024]) {
                Ok(count) => moved += u64::try_from(count).unwrap(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
        sent.fetch_add(moved, Ordering::Relaxed);
        quiet = if moved == 0 { quiet + 1 } else { 0 };
        std::thread::park_timeout(Duration::from_millis(10));
    }

    assert!(
        sent.load(Ordering::Relaxed) > 200 * 1024 * 200,
        "too little was taken to say anything"
    );
    assert_cost("uploads", before, memory_kib(&gate));
}

#[test]
fn heads_that_do_not_end_and_read_ahead_cost_bounded_memory() {
    let docker = FakeDocker::start(super::places::never_reads);
    let gate = Gate::with_policy(&docker, WORKSHOP);
    let before = memory_kib(&gate);
    let head = format!(
        "GET /version HTTP/1.1\r\nHost: d\r\nX: {}",
        "x".repeat(60 * 1024)
    );
    let pipelined = format!(
        "GET /version HTTP/1.1\r\nHost: d\r\n\r\n{}",
        "x".repeat(200 * 1024)
    );

    for (what, bytes) in [
        ("unfinished heads", head),
        ("bytes sent too early", pipelined),
    ] {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut client = UnixStream::connect(gate.socket()).unwrap();
                client.set_nonblocking(true).unwrap();
                // What is not taken at once stays in the kernel.
                let _taken = client.write(bytes.as_bytes()).unwrap();
                client
            })
            .collect();
        let mut largest = 0;
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            largest = largest.max(memory_kib(&gate));
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert_cost(what, before, largest);
        drop(clients);
    }
}

#[test]
fn tasks_end_with_their_connections() {
    let docker = FakeDocker::start(|exchange| {
        exchange.read_body();
        if exchange.target() == "/events" {
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            exchange.wait_gone();
        } else {
            exchange.send(&crate::support::ok("{}"));
        }
    });
    let gates = Inside::start(docker.path(), &[("test", WORKSHOP)], Limits::default());
    assert_eq!(gates.client("test").get("/version").status(), 200);
    wait_until("only the gate's own task is there", || gates.tasks() == 1);

    for _ in 0..10 {
        let mut idle = gates.client("test");
        assert_eq!(idle.get("/version").status(), 200);
        let silent = gates.client("test");
        let mut half = gates.client("test");
        half.send_raw("GET /vers");
        let mut stream = gates.client("test");
        stream.send("GET", "/events").read_head();
        let mut half_closed = gates.client("test");
        half_closed.send("GET", "/events").half_close().read_head();
        let mut upload = gates.client("test");
        upload.send_raw("POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: 100\r\n\r\nabc");
        let mut garbage = gates.client("test");
        garbage.send_raw("\u{7f}\r\n\r\n");
        assert_eq!(garbage.read_response().status(), 400);
        assert!(gates.tasks() > 4);
        drop((idle, silent, half, stream, half_closed, upload, garbage));
    }

    wait_until("every connection's task has ended", || gates.tasks() == 1);
}

#[test]
fn bulk_streams_have_pipes_for_as_long_as_they_last_and_so_many_at_most() {
    const HALF: usize = 3 << 20;
    const MOST: usize = 32;
    let go = Signal::new();
    let waiting = go.clone();
    let docker = FakeDocker::start(move |exchange| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 * HALF);
        exchange.read_body();
        exchange.send(head.as_bytes());
        exchange.send(&vec![1; HALF]);
        waiting.wait();
        exchange.send(&vec![2; HALF]);
    });
    let gate = Gate::with_policy(&docker, WORKSHOP);
    let pipes = || {
        let files = fs::read_dir(format!("/proc/{}/fd", pid(&gate))).unwrap();
        files
            .filter_map(|file| fs::read_link(file.unwrap().path()).ok())
            .filter(|file| file.to_string_lossy().starts_with("pipe:"))
            .count()
    };
    let before = pipes();

    let mut clients: Vec<_> = (1..MOST + 5)
        .map(|streams| {
            let mut client = gate.client();
            client.send("GET", "/images/app/get").read_head();
            assert!(client.read_exact(HALF).iter().all(|byte| *byte == 1));
            assert_eq!(pipes(), before + 2 * streams.min(MOST));
            client
        })
        .collect();
    go.set();
    for client in &mut clients {
        assert!(client.read_exact(HALF).iter().all(|byte| *byte == 2));
    }

    wait_until("the pipes are closed", || pipes() == before);
}

/// Waits until nothing moves any more.
fn until_still(sent: &AtomicU64, clients: usize) {
    let enough = u64::try_from(clients).unwrap() * 200 * 1024;
    let (mut last, mut since) = (0, Instant::now());
    wait_until("nobody can send more", || {
        let now = sent.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        now > enough && since.elapsed() > Duration::from_millis(500)
    });
}

fn assert_cost(what: &str, before: u64, after: u64) {
    let all = after.saturating_sub(before).saturating_sub(ALL_KIB);
    let each = all / u64::try_from(CLIENTS).unwrap();
    eprintln!("{CLIENTS} {what}: {before} KiB -> {after} KiB, {each} KiB each beyond {ALL_KIB}");
    assert!(each <= EACH_KIB, "{what} cost {each} KiB each");
}

/// What the gate's process keeps in memory.
fn memory_kib(gate: &Gate) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid(gate))).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn pid(gate: &Gate) -> i32 {
    let probe = UnixStream::connect(gate.socket()).unwrap();
    let pid = rustix::net::sockopt::socket_peercred(&probe).unwrap().pid;
    pid.as_raw_nonzero().get()
}
