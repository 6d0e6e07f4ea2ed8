//! Bodies that are judged: how large, how slow, how many at a time; and an engine that takes no calls.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use quaygate::proxy::limits::Limits;

use crate::support::{FakeDocker, Inside, Signal, chunked, wait_until};

const MAKER: &str = r#"
allow = ["GET /version", "POST /containers/create"]

[limits]
body = "4MiB"
"#;

const SMALL: &str = r#"
allow = ["GET /version", "POST /containers/create"]

[limits]
body = "1KiB"
"#;

const PLAIN: &str = r#"{"Image":"alpine"}"#;

fn inside(docker: &FakeDocker, body_deadline: Duration) -> Inside {
    let limits = Limits {
        body_deadline,
        ..Limits::default()
    };
    let policies = [("maker", MAKER), ("small", SMALL)];
    Inside::start(docker.path(), &policies, limits)
}

fn head(framing: &str) -> String {
    format!(
        "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
    )
}

#[test]
fn judged_body_that_does_not_come_is_given_up() {
    let docker = FakeDocker::saying("{}");
    let gates = inside(&docker, Duration::from_millis(200));

    for (framing, part) in [
        ("Content-Length: 18", &PLAIN[..9]),
        ("Content-Length: 18", ""),
        ("Transfer-Encoding: chunked", "12\r\n{"),
        (
            "Transfer-Encoding: chunked",
            "12\r\n{\"Image\":\"alpine\"}\r\n",
        ),
    ] {
        let mut client = gates.client("maker");
        client.send_raw(head(framing)).send_raw(part);
        assert_eq!(client.read_response().status(), 408, "{framing} {part}");
        client.expect_closed();
    }
    assert!(docker.received().is_empty());

    let whole = gates.client("maker").post("/containers/create", PLAIN);
    assert_eq!(whole.status(), 200);
    let records = gates.finish();
    let slow = |record: &&serde_json::Value| record["reason"] == "body-too-slow";
    assert_eq!(records.iter().filter(slow).count(), 4, "{records:?}");
}

#[test]
fn judged_body_has_the_size_that_the_policy_says() {
    let docker = FakeDocker::saying("{}");
    let gates = inside(&docker, Limits::default().body_deadline);
    let body = |size: usize| format!("{}{PLAIN}", " ".repeat(size - PLAIN.len())).into_bytes();

    for chunks in [false, true] {
        for (size, status) in [(1024, 200), (1025, 413), (200_000, 413)] {
            let body = body(size);
            let mut client = gates.client("small");
            if chunks {
                client.send_raw(head("Transfer-Encoding: chunked"));
                client.try_send(chunked(&body));
            } else {
                client.send_raw(head(&format!("Content-Length: {size}")));
                client.try_send(&body);
            }
            let answer = client.read_response();
            assert_eq!(answer.status(), status, "{size} {chunks}");
            if status == 413 {
                let message = answer.message();
                assert!(message.contains("limits.body"), "{message}");
                client.expect_closed();
            }
        }
    }

    let heard = docker.requests();
    assert_eq!(heard.len(), 2);
    assert!(heard.iter().all(|request| request.payload() == body(1024)));
    let records = gates.finish();
    let large = |record: &&serde_json::Value| record["reason"] == "body-too-large";
    assert_eq!(records.iter().filter(large).count(), 4, "{records:?}");
}

#[test]
fn body_that_finds_no_room_in_time_is_told_so() {
    // An engine that hears a create and does not read on: what it does not take stays in memory here.
    let over = Signal::new();
    let held = over.clone();
    let docker = FakeDocker::start(move |exchange| {
        if exchange.method() == "POST" {
            held.wait();
        }
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    });
    let gates = inside(&docker, Duration::from_secs(5));
    let size = 1 << 20;
    let large = format!("{}{PLAIN}", " ".repeat(size - PLAIN.len()));

    let mut four: Vec<_> = (0..4).map(|_| gates.client("maker")).collect();
    for client in &mut four {
        client.send_raw(head(&format!("Content-Length: {size}")));
        client.send_raw(&large);
    }
    wait_until("four creates are on their way", || {
        docker.requests().len() == 4
    });
    let mut fifth = gates.client("maker");
    fifth.send_raw(head("Content-Length: 18")).send_raw("{");
    let answer = fifth.read_response();
    assert_eq!(answer.status(), 503);
    assert!(
        answer.message().contains("try again"),
        "{}",
        answer.message()
    );
    fifth.expect_closed();
    let whole = gates.client("small").get("/version");
    assert_eq!(whole.status(), 200, "another socket has room of its own");

    over.set();
    for client in &mut four {
        assert_eq!(client.read_response().status(), 200);
    }
    let again = gates.client("maker").post("/containers/create", PLAIN);
    assert_eq!(again.status(), 200);
    let records = gates.finish();
    let full = |record: &&serde_json::Value| record["reason"] == "bodies-full";
    assert_eq!(records.iter().filter(full).count(), 1, "{records:?}");
}

#[test]
fn engine_that_takes_no_calls_is_given_five_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let docker = dir.path().join("docker.sock");
    let engine = UnixListener::bind(&docker).unwrap();
    // Room for one that nobody accepts.
    rustix::net::listen(&engine, 0).unwrap();
    let _waiting = UnixStream::connect(&docker).unwrap();
    let gates = Inside::start(&docker, &[("maker", MAKER)], Limits::default());

    let refused = gates.client("maker").get("/version");

    assert_eq!(refused.status(), 503);
    let message = refused.message();
    assert!(message.contains("does not accept connections"), "{message}");

    // The next one waits for its turn, and gets it.
    let mut patient = gates.client("maker");
    patient.send("GET", "/version");
    let answers = thread::spawn(move || {
        let _first = engine.accept().unwrap();
        let (mut call, _) = engine.accept().unwrap();
        let mut heard = [0; 4096];
        let count = call.read(&mut heard).unwrap();
        call.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            .unwrap();
        heard[..count].starts_with(b"GET /version HTTP/1.1\r\n")
    });
    assert_eq!(patient.read_response().status(), 200);
    assert!(answers.join().unwrap());
}
