//! Heads, bodies, time and connections are bounded; what is no exchange of messages is not.

mod bodies;
mod floods;
mod memory;
mod places;

use crate::support::{FakeDocker, Gate, Signal, WORKSHOP, chunked, ok, wait_until};

fn workshop() -> (FakeDocker, Gate) {
    let docker = FakeDocker::saying("{}");
    let gate = Gate::with_policy(&docker, WORKSHOP);
    (docker, gate)
}

#[test]
fn heads_are_bounded() {
    let long_value = format!("X: {}\r\n", "v".repeat(66_000));
    let many = "X: y\r\n".repeat(101);
    let long_target = format!("/containers/json?x={}", "t".repeat(17_000));
    let cases = [
        (431, "/version", long_value.as_str()),
        (431, "/version", many.as_str()),
        (414, long_target.as_str(), ""),
    ];
    for (status, target, headers) in cases {
        let (docker, gate) = workshop();
        let mut client = gate.client();
        client.try_send(format!(
            "GET {target} HTTP/1.1\r\nHost: docker\r\n{headers}\r\n"
        ));
        let answer = client.read_response();
        assert_eq!(
            answer.status(),
            status,
            "{} bytes of headers",
            headers.len()
        );
        assert!(!answer.message().is_empty());
        client.expect_closed();
        assert!(docker.received().is_empty());
    }
}

#[test]
fn heads_within_the_bounds_pass() {
    let (docker, gate) = workshop();
    let long_target = format!("/containers/json?x={}", "t".repeat(15_000));
    let headers = format!("X: {}\r\n{}", "v".repeat(30_000), "Y: z\r\n".repeat(80));

    let answer = gate
        .client()
        .send_raw(format!(
            "GET {long_target} HTTP/1.1\r\nHost: docker\r\n{headers}\r\n"
        ))
        .read_response();

    assert_eq!(answer.status(), 200);
    assert_eq!(docker.wait_requests(1)[0].target(), long_target);
}

#[test]
fn head_with_as_many_headers_as_are_allowed_passes_and_one_more_does_not() {
    let (docker, gate) = workshop();
    for (headers, status) in [(99, 200), (100, 431)] {
        // `Host` is one of them.
        let headers = "X: y\r\n".repeat(headers);
        let answer = gate
            .client()
            .send_raw(format!("GET /version HTTP/1.1\r\nHost: d\r\n{headers}\r\n"))
            .read_response();
        assert_eq!(answer.status(), status);
    }
    assert_eq!(docker.requests().len(), 1);
}

#[test]
fn chunk_extensions_are_refused_whether_the_body_is_read_here_or_passed_on() {
    let post = |target: &str, media: &str, body: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: d\r\nContent-Type: {media}\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        )
    };
    for (target, media) in [
        ("/containers/web/wait", "application/json"),
        ("/images/load", "application/x-tar"),
    ] {
        for body in [
            "2;x=y\r\n{}\r\n0\r\n\r\n",
            "2;\r\n{}\r\n0\r\n\r\n",
            "2 ;x\r\n{}\r\n0\r\n\r\n",
            "2\r\n{}\r\n0;x=y\r\n\r\n",
            "2\r\n{}\r\n0\r\nX-Trailer: y\r\n\r\n",
        ] {
            // An engine that waits for the whole body.
            let (docker, gate) = workshop();
            let mut client = gate.client();
            client.send_raw(post(target, media, body));
            assert_eq!(client.read_response().status(), 400, "{target} {body:?}");
            client.expect_closed();
            let whole = docker
                .requests()
                .iter()
                .any(|request| request.body.is_some());
            assert!(!whole, "{target} {body:?} reached the engine whole");
        }
        let (_docker, gate) = workshop();
        let mut client = gate.client();
        client.send_raw(post(target, media, "2\r\n{}\r\n0\r\n\r\n"));
        assert_eq!(client.read_response().status(), 200, "{target}");
    }
}

#[test]
fn endless_head_is_answered_before_it_ends() {
    let (docker, gate) = workshop();

    let mut client = gate.client();
    let piece = format!(
        "GET /version HTTP/1.1\r\nHost: docker\r\nX: {}",
        "v".repeat(64 * 1024)
    );
    client.try_send(piece);

    assert_eq!(client.read_response().status(), 431);
    assert!(docker.received().is_empty());
}

#[test]
fn head_that_never_comes_to_its_end_is_given_up() {
    let (docker, gate) = workshop();

    let mut client = gate.client();
    client.send_raw("GET /version HTTP/1.1\r\nHost: doc");

    assert_eq!(client.read_response().status(), 408);
    client.expect_closed();
    assert!(docker.received().is_empty());
}

#[test]
fn idle_connection_outlives_the_time_a_head_may_take() {
    let (_docker, gate) = workshop();
    let mut idle = gate.client();
    assert_eq!(idle.get("/version").status(), 200);
    let fresh = gate.client();

    // A slow head on a third connection tells that the time is over.
    let mut slow = gate.client();
    slow.send_raw("GET ");
    assert_eq!(slow.read_response().status(), 408);

    assert!(
        fresh.is_quiet(),
        "a connection that has not begun a request is closed"
    );
    assert_eq!(idle.get("/version").status(), 200);
}

#[test]
fn silent_streams_outlive_every_deadline() {
    let over = Signal::new();
    let (events, tunnel) = (over.clone(), over.clone());
    let docker = FakeDocker::start(move |exchange| {
        exchange.read_body();
        if exchange.method() == "GET" {
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            events.wait();
            exchange.send(&chunked(b"{}"));
        } else {
            exchange.send(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
            tunnel.wait();
            exchange.send(b"alive");
            exchange.close();
        }
    });
    let gate = Gate::with_policy(&docker, WORKSHOP);
    let mut stream = gate.client();
    stream.send("GET", "/events").read_head();
    let mut attached = gate.client();
    attached
        .send_raw("POST /containers/web/attach HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n")
        .read_head();

    let mut slow = gate.client();
    slow.send_raw("GET ");
    assert_eq!(slow.read_response().status(), 408);
    over.set();

    assert!(stream.read_exact(12).ends_with(b"0\r\n\r\n"));
    assert_eq!(attached.read_to_eof(), b"alive");
}

#[test]
fn bodies_nobody_reads_are_bounded_and_streams_are_not() {
    let (docker, gate) = workshop();
    let size = 65 * 1024;
    let head = |target: &str, media: &str, framing: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: {media}\r\n{framing}\r\n\r\n"
        )
    };

    for framing in [
        format!("Content-Length: {size}"),
        "Transfer-Encoding: chunked".to_owned(),
    ] {
        let mut client = gate.client();
        client.send_raw(head("/containers/web/wait", "application/json", &framing));
        let blanks = vec![b' '; size];
        let body = if framing.contains("chunked") {
            chunked(&blanks)
        } else {
            blanks
        };
        client.try_send(body);
        assert_eq!(client.read_response().status(), 413, "{framing}");
        client.expect_closed();
        assert!(docker.received().is_empty(), "{framing}");
    }

    let mut client = gate.client();
    client.send_raw(head(
        "/images/load",
        "application/x-tar",
        &format!("Content-Length: {size}"),
    ));
    assert_eq!(client.send_raw(vec![0; size]).read_response().status(), 200);
    assert_eq!(docker.wait_requests(1)[0].payload().len(), size);
}

#[test]
fn body_that_docker_does_not_read_is_not_sent() {
    let (docker, gate) = workshop();

    // What some clients send with everything; after an attach it would become input.
    for (index, (target, body)) in [
        ("/containers/web/wait", "{\"x\":1}"),
        ("/containers/web/start", "{}"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(gate.client().post(target, body).status(), 200);
        let request = &docker.wait_requests(index + 1)[index];
        assert_eq!(request.payload(), b"", "{target}");
    }

    let refused = gate
        .client()
        .post("/containers/web/start", r#"{"Privileged":true}"#);
    assert_eq!(
        refused.status(),
        400,
        "old engines take a whole configuration there"
    );
    assert_eq!(docker.requests().len(), 2);
}

#[test]
fn forms_are_refused_everywhere() {
    let (docker, gate) = workshop();
    for media in [
        "application/x-www-form-urlencoded",
        "Multipart/Form-Data; boundary=x",
    ] {
        for target in [
            "/containers/create",
            "/containers/web/start",
            "/images/load",
            "/build",
        ] {
            let answer = gate
                .client()
                .send_raw(format!(
                    "POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: {media}\r\nContent-Length: 9\r\n\r\nname=evil"
                ))
                .read_response();
            assert_eq!(answer.status(), 400, "{target} {media}");
        }
    }
    assert!(docker.received().is_empty());
}

#[test]
fn when_full_the_longest_idle_connection_makes_room() {
    const POLICY: &str = r#"
allow = ["GET /version", "GET /events"]

[limits]
connections = 2
"#;
    let docker = FakeDocker::start(|exchange| {
        exchange.read_body();
        if exchange.target() == "/events" {
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            exchange.wait_gone();
        } else {
            exchange.send(&ok("{}"));
        }
    });
    let gate = Gate::with_policy(&docker, POLICY);
    // The connection that waited for the gate to listen may still be counted for a moment.
    let mut first = gate.client();
    wait_until("the first is served", || {
        first.try_send("GET /version HTTP/1.1\r\nHost: d\r\n\r\n")
    });
    assert_eq!(first.read_response().status(), 200);
    let mut second = gate.client();
    assert_eq!(second.get("/version").status(), 200);

    let mut third = gate.client();
    assert_eq!(third.get("/version").status(), 200);
    first.expect_closed();

    // Now both are busy: there is no room, and that is said.
    for client in [&mut second, &mut third] {
        client.send("GET", "/events").read_head();
    }
    let mut fourth = gate.client();
    assert_eq!(fourth.get("/version").status(), 503);
    fourth.expect_closed();
    drop(second);
    docker.wait_gone(1);
    wait_until("room again", || {
        gate.client().get("/version").status() == 200
    });
}

#[test]
fn only_the_named_users_may_connect() {
    let docker = FakeDocker::saying("{}");
    let me = rustix::process::getuid().as_raw();
    let policy = |uid: u32| format!("allow = [\"GET /version\"]\n[socket]\npeers.uid = [{uid}]\n");

    let gate = Gate::with_policy(&docker, &policy(me + 1));
    let refused = gate
        .client()
        .send("GET", "/version")
        .read_to_eof_or_answer();
    assert!(refused.is_empty() || refused.contains("403"), "{refused}");
    assert!(docker.received().is_empty());

    let gate = Gate::with_policy(&docker, &policy(me));
    assert_eq!(gate.client().get("/version").status(), 200);
}
