//! What is allowed reaches Docker unchanged in meaning, and so does the answer.

use std::io::{Read as _, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::{
    Body, Ended, Exchange, FakeDocker, Gate, Signal, WORKSHOP, chunked, ok, wait_until,
};

const LIST: &str = "/v1.41/containers/json";

fn workshop(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> (FakeDocker, Gate) {
    let docker = FakeDocker::start(script);
    let gate = Gate::with_policy(&docker, WORKSHOP);
    (docker, gate)
}

fn workshop_answering(answer: &'static str) -> (FakeDocker, Gate) {
    let docker = FakeDocker::answering(answer);
    let gate = Gate::with_policy(&docker, WORKSHOP);
    (docker, gate)
}

// === the ordinary call ===

#[test]
fn allowed_call_reaches_docker_and_its_answer_comes_back() {
    let (docker, gate) = workshop_answering(
        "HTTP/1.1 201 Born\r\nApi-Version: 1.41\r\nX-Docker-Container-Path-Stat: eyJuYW1lIjoiIn0=\r\n\
         Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"Id\":\"a\"}",
    );

    let answer = gate
        .client()
        .post("/v1.41/containers/create?name=web", r#"{"Image":"alpine"}"#);

    assert_eq!(answer.head.first, "HTTP/1.1 201 Born");
    assert_eq!(
        answer.head.get("x-docker-container-path-stat"),
        Some("eyJuYW1lIjoiIn0=")
    );
    assert_eq!(answer.text(), r#"{"Id":"a"}"#);
    let requests = docker.wait_requests(1);
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].head.first,
        "POST /v1.41/containers/create?name=web HTTP/1.1"
    );
    assert_eq!(requests[0].payload(), br#"{"Image":"alpine"}"#);
    assert_eq!(
        requests[0].head.get("content-type"),
        Some("application/json")
    );
}

#[test]
fn end_to_end_headers_pass_and_hop_by_hop_ones_do_not() {
    let (docker, gate) = workshop_answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\n[]",
    );

    let answer = gate
        .client()
        .send_raw(format!(
            "GET {LIST} HTTP/1.1\r\nHost: somewhere.example\r\nUser-Agent: test\r\nX-Registry-Auth: e30=\r\n\
             Traceparent: 00-d5-29-01\r\nAccept-Encoding: gzip, deflate\r\nX-Meta: one\r\nX-Meta: two\r\n\
             Connection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n\
             Trailer: X-Later\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nX_Under: 1\r\n\r\n"
        ))
        .read_response();

    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.head.get("keep-alive"),
        None,
        "hop-by-hop towards the client"
    );
    let head = &docker.wait_requests(1)[0].head;
    assert_eq!(head.get("user-agent"), Some("test"));
    assert_eq!(head.get("x-registry-auth"), Some("e30="));
    assert_eq!(head.get("traceparent"), Some("00-d5-29-01"));
    assert_eq!(head.get("accept-encoding"), Some("gzip, deflate"));
    assert_eq!(head.all("x-meta").collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(head.all("host").count(), 1);
    assert_ne!(
        head.get("host"),
        Some("somewhere.example"),
        "the Host is the gate's own"
    );
    for gone in [
        "x-private",
        "keep-alive",
        "te",
        "trailer",
        "proxy-connection",
        "proxy-authorization",
        "x_under",
    ] {
        assert_eq!(head.get(gone), None, "`{gone}` went on to Docker");
    }
    assert!(!head.connection("x-private"));
}

#[test]
fn the_target_that_was_judged_is_the_target_that_is_sent() {
    let cases = [
        ("/containers/json", "/containers/json"),
        ("/v1.41/%63ontainers/json", "/v1.41/containers/json"),
        (
            "/containers/json?all=1&limit=2",
            "/containers/json?all=1&limit=2",
        ),
        (
            "http://docker/v1.41/containers/json",
            "/v1.41/containers/json",
        ),
        (
            "/images/ghcr.io/acme/app:1.2/get",
            "/images/ghcr.io/acme/app:1.2/get",
        ),
    ];
    let (docker, gate) = workshop_answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");

    let mut client = gate.client();
    for (index, (sent, wanted)) in cases.iter().enumerate() {
        assert_eq!(client.get(sent).status(), 200, "{sent}");
        assert_eq!(
            docker.wait_requests(index + 1)[index].target(),
            *wanted,
            "{sent}"
        );
    }
}

#[test]
fn the_filters_that_curl_sends_raw_keep_their_meaning() {
    let (docker, gate) = workshop_answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");

    let answer = gate
        .client()
        .get(r#"/containers/json?filters={"label":["autoheal=true"]}"#);

    assert_eq!(answer.status(), 200);
    let target = docker.wait_requests(1)[0].target().to_owned();
    let query = target.strip_prefix("/containers/json?").unwrap();
    assert_eq!(
        percent_decoded(query),
        r#"filters={"label":["autoheal=true"]}"#
    );
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (hex, rest) = part.split_at(2);
        out.push(char::from(u8::from_str_radix(hex, 16).unwrap()));
        out.push_str(rest);
    }
    out
}

// === keep-alive ===

#[test]
fn one_client_connection_is_one_engine_connection() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(&ok("[]"));
    });
    let (mut one, mut two) = (gate.client(), gate.client());

    for _ in 0..3 {
        assert_eq!(one.get(LIST).status(), 200);
        assert_eq!(two.get(LIST).status(), 200);
    }

    assert_eq!(docker.connections(), 2);
    let (left, right): (Vec<_>, Vec<_>) = docker
        .wait_requests(6)
        .into_iter()
        .partition(|request| request.connection == 0);
    assert_eq!(
        (left.len(), right.len()),
        (3, 3),
        "connections are never shared"
    );
}

#[test]
fn engine_that_closes_after_its_answer_closes_the_client_too() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]");
        exchange.close();
    });

    let mut client = gate.client();
    let answer = client.get(LIST);

    assert_eq!(answer.text(), "[]");
    assert!(answer.head.connection("close"), "{:?}", answer.head);
    client.expect_closed();
}

#[test]
fn client_that_asks_to_close_is_closed_after_its_answer() {
    let (_docker, gate) = workshop_answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");

    let mut client = gate.client();
    let answer = client
        .send_raw(format!(
            "GET {LIST} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
        ))
        .read_response();

    assert_eq!(answer.text(), "[]");
    assert!(answer.head.connection("close"), "{:?}", answer.head);
    client.expect_closed();
}

#[test]
fn what_a_client_sends_beyond_its_last_request_does_not_cut_the_answer() {
    let (_docker, gate) = workshop_answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");
    // As long as a head may be, so that nothing beyond it is read together with it.
    let start = format!("GET {LIST} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nPadding: ");
    let padding = "p".repeat(16 * 1024 - start.len() - "\r\n\r\n".len());
    let request = format!("{start}{padding}\r\n\r\n\r\n");

    // Several at a time, so that answers come while the gate is busy with others.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut client = gate.client();
                    let answer = client.send_raw(&request).read_response();
                    assert_eq!(answer.text(), "[]");
                    // Its end, and not a reset.
                    assert_eq!(client.writer().read(&mut [0]).unwrap(), 0);
                }
            });
        }
    });
}

#[test]
fn engine_closing_an_idle_connection_is_dialled_anew() {
    let closed = Signal::new();
    let done = closed.clone();
    let (docker, gate) = workshop(move |exchange| {
        exchange.read_body();
        exchange.send(&ok("[]"));
        if exchange.connection() == 0 {
            exchange.close();
            done.set();
        }
    });

    let mut client = gate.client();
    assert_eq!(client.get(LIST).status(), 200);
    closed.wait();
    assert_eq!(client.get(LIST).status(), 200);

    assert_eq!(docker.connections(), 2);
    assert_eq!(docker.wait_requests(2).len(), 2);
}

#[test]
fn change_that_was_sent_is_never_sent_twice() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        if exchange.target().ends_with("/start") {
            exchange.close();
        } else {
            exchange.send(&ok("[]"));
        }
    });

    let mut client = gate.client();
    assert_eq!(client.get(LIST).status(), 200);
    let answer = client.post("/containers/web/start", "");

    assert_eq!(answer.status(), 502);
    assert!(
        answer.message().contains("may have acted"),
        "{}",
        answer.text()
    );
    assert_eq!(docker.requests().len(), 2, "the start must not be repeated");
}

#[test]
fn pipelined_requests_are_judged_one_by_one_and_answered_in_order() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        let text = exchange.target().to_owned();
        exchange.send(&ok(&text));
    });
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n");

    let mut client = gate.client();
    client.send_raw(
        [
            request("/containers/json"),
            request("/info"),
            request("/version"),
        ]
        .concat(),
    );

    assert_eq!(client.read_response().text(), "/containers/json");
    assert_eq!(client.read_response().status(), 403);
    assert_eq!(client.read_response().text(), "/version");
    let targets: Vec<_> = docker
        .requests()
        .iter()
        .map(|request| request.target().to_owned())
        .collect();
    assert_eq!(targets, ["/containers/json", "/version"]);
}

#[test]
fn bytes_after_an_answer_never_become_the_next_answer() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL");
    });

    let mut client = gate.client();
    assert_eq!(client.get(LIST).text(), "[]");
    if client.try_send(format!("GET {LIST} HTTP/1.1\r\nHost: docker\r\n\r\n")) {
        let rest = client.read_to_eof_or_answer();
        assert!(
            !rest.contains("EVIL"),
            "an engine's stray bytes answered a request: {rest}"
        );
    }
}

// === bodies ===

#[test]
fn heads_and_chunks_are_passed_on_at_once() {
    let (head, first) = (Signal::new(), Signal::new());
    let (head_seen, first_seen) = (head.clone(), first.clone());
    let (_docker, gate) = workshop(move |exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        head_seen.wait();
        exchange.send(b"5\r\nfirst\r\n");
        first_seen.wait();
        exchange.send(b"6\r\nsecond\r\n0\r\n\r\n");
    });

    let mut client = gate.client();
    client.send("GET", "/events");
    assert_eq!(client.read_head().1.status(), 200);
    head.set();
    assert_eq!(client.read_exact(10), b"5\r\nfirst\r\n");
    first.set();
    assert_eq!(
        client.read_exact(16),
        b"6\r\nsecond\r\n0\r\n\r\n"[..].to_vec()
    );
}

#[test]
fn wait_answers_its_head_before_the_container_ends() {
    let head = Signal::new();
    let head_seen = head.clone();
    let (_docker, gate) = workshop(move |exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        head_seen.wait();
        exchange.send(&chunked(br#"{"StatusCode":3}"#));
    });

    let mut client = gate.client();
    client.send_raw(
        "POST /v1.41/containers/web/wait?condition=next-exit HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(client.read_head().1.status(), 200);
    head.set();
    assert!(client.read_exact(27).ends_with(b"0\r\n\r\n"));
}

#[test]
fn chunks_of_an_answer_pass_verbatim() {
    const WIRE: &[u8] = b"a\r\n0123456789\r\n01\r\nx\r\nFf\r\n";
    let mut body = WIRE.to_vec();
    body.extend_from_slice(&[b'y'; 255]);
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    let wanted = body.clone();
    let (_docker, gate) = workshop(move |exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        exchange.send(&body);
    });

    let mut client = gate.client();
    assert_eq!(client.get(LIST).raw_body, wanted);
    assert_eq!(
        client.get(LIST).raw_body,
        wanted,
        "and the connection goes on"
    );
}

#[test]
fn chunks_of_an_upload_pass_verbatim() {
    let (docker, gate) = workshop_answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let body = "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n";

    let answer = gate
        .client()
        .send_raw(format!(
            "POST /v1.41/images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\n\
             Transfer-Encoding: chunked\r\n\r\n{body}"
        ))
        .read_response();

    assert_eq!(answer.status(), 200);
    let request = &docker.wait_requests(1)[0];
    assert_eq!(request.payload(), b"abc0123456789");
    assert!(request.raw.ends_with(format!("\r\n\r\n{body}").as_bytes()));
    assert_eq!(
        request.head.all("transfer-encoding").collect::<Vec<_>>(),
        ["chunked"]
    );
    assert_eq!(request.head.get("content-length"), None);
}

#[test]
fn large_bodies_arrive_whole_in_both_directions() {
    const SIZE: usize = 3 << 20;
    let (docker, gate) = workshop(|exchange| {
        let body = exchange.read_body();
        exchange
            .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
        exchange.send(&body);
    });
    let body: Vec<u8> = (0..SIZE)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();

    let mut client = gate.client();
    client.send_raw(format!(
        "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: {SIZE}\r\n\r\n"
    ));
    client.send_raw(&body);
    let answer = client.read_response();

    assert!(
        answer.body == body,
        "{} of {SIZE} bytes came back alike",
        answer.body.len()
    );
    assert_eq!(docker.wait_requests(1)[0].payload().len(), SIZE);
}

#[test]
fn an_upload_that_docker_does_not_read_is_not_buffered() {
    let go = Signal::new();
    let waiting = go.clone();
    let (_docker, gate) = workshop(move |exchange| {
        waiting.wait();
        exchange.read_to_eof();
        exchange.close();
    });

    let mut client = gate.client();
    client.send_raw(
        "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: 1073741824\r\n\r\n",
    );
    let sent = push_until_blocked(&client.writer());
    go.set();

    assert!(
        sent < 8 << 20,
        "{sent} bytes went into a gate whose engine reads nothing"
    );
}

#[test]
fn a_download_that_the_client_does_not_read_is_not_buffered() {
    let (blocked, read) = (Signal::new(), Signal::new());
    let (pushed, done) = (blocked.clone(), read.clone());
    let (_docker, gate) = workshop(move |exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
        push_until_blocked(exchange.stream());
        pushed.set();
        done.wait();
        exchange.close();
    });

    let mut client = gate.client();
    client.send("GET", "/images/app/get");
    blocked.wait();
    read.set();
    let (_, head) = client.read_head();
    assert_eq!(head.status(), 200);
    let got = client.read_to_eof().len();

    assert!(
        got < 8 << 20,
        "{got} bytes were on their way to a client that reads nothing"
    );
}

/// Writes until nothing is taken for a while; how much was taken.
fn push_until_blocked(mut stream: &UnixStream) -> usize {
    let piece = vec![0; 64 * 1024];
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut sent = 0;
    while let Ok(count) = stream.write(&piece) {
        sent += count;
        if sent >= 64 << 20 {
            break;
        }
    }
    sent
}

#[test]
fn answers_without_a_body_have_none_whatever_their_length_says() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        let answer: &[u8] = match (exchange.method(), exchange.target()) {
            ("HEAD", _) => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            ("DELETE", _) => b"HTTP/1.1 204 No Content\r\n\r\n",
            (_, "/containers/web/start") => {
                b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"
            }
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast",
        };
        exchange.send(answer);
    });

    let mut client = gate.client();
    let head = client.ask("HEAD", "/_ping");
    assert_eq!((head.status(), head.body.len()), (200, 0));
    assert_eq!(
        head.head.get("content-length"),
        Some("5"),
        "the length of what GET would bring"
    );
    assert_eq!(client.ask("DELETE", "/containers/web").status(), 204);
    assert_eq!(client.post("/containers/web/start", "").status(), 304);
    assert_eq!(client.get("/version").text(), "last");
    assert_eq!(docker.connections(), 1);
}

#[test]
fn an_answer_without_framing_ends_with_the_connection() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange
            .send(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\nno such container");
        exchange.close();
    });

    let mut client = gate.client();
    let answer = client.get("/containers/web/json");

    assert_eq!(
        (answer.status(), answer.text().as_str()),
        (404, "no such container")
    );
    assert!(answer.head.connection("close"), "{:?}", answer.head);
    client.expect_closed();
}

#[test]
fn an_answer_that_was_cut_looks_cut() {
    let cases: [&[u8]; 3] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nonly this",
    ];
    for case in cases {
        let docker = FakeDocker::start(move |exchange| {
            exchange.read_body();
            exchange.send(case);
            exchange.close();
        });
        let gate = Gate::with_policy(&docker, WORKSHOP);

        let mut client = gate.client();
        let answer = client.get(LIST);

        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.ended,
            Ended::Truncated,
            "{:?}",
            String::from_utf8_lossy(case)
        );
    }
}

// === clients that stop sending, or go ===

#[test]
fn half_closed_client_still_gets_its_answer() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_to_eof();
        exchange.send(&ok("late"));
        exchange.close();
    });

    let mut client = gate.client();
    let answer = client.send("GET", LIST).half_close().read_response();

    assert_eq!(answer.text(), "late");
    docker.wait_half_closed(0);
}

#[test]
fn client_that_goes_away_is_hung_up_on_at_the_engine() {
    // Before the head; while the answer's body is idle.
    for case in ["waiting", "streaming"] {
        let (docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            if case == "streaming" {
                exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
            }
            exchange.wait_gone();
        });

        let mut client = gate.client();
        client.send("GET", "/events");
        docker.wait_requests(1);
        if case == "streaming" {
            client.read_head();
        }
        drop(client);

        docker.wait_gone(0);
    }
}

#[test]
fn client_that_goes_away_after_it_stopped_sending_is_hung_up_on_too() {
    let (docker, gate) = workshop(|exchange| {
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
        exchange.read_to_eof();
        exchange.wait_gone();
    });

    let mut client = gate.client();
    client.send("GET", "/events").half_close();
    client.read_head();
    docker.wait_half_closed(0);
    drop(client);

    docker.wait_gone(0);
}

#[test]
fn client_that_goes_away_is_noticed_while_bytes_are_stuck() {
    const DOWN: &str = "GET /images/app/get HTTP/1.1\r\nHost: docker\r\n\r\n";
    const UP: &str = "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: 1073741824\r\n\r\n";
    // The client does not read and leaves; the engine does not read and the client leaves. At once, or after so
    // much that the rest goes through a pipe.
    for (request, before) in [(DOWN, 0), (UP, 0), (DOWN, 3 << 20), (UP, 3 << 20)] {
        let blocked = Signal::new();
        let pushed = blocked.clone();
        let (docker, gate) = workshop(move |exchange| {
            if request == DOWN {
                exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
                push_until_blocked(exchange.stream());
                pushed.set();
            } else {
                take(exchange.stream(), before);
            }
            exchange.wait_gone();
        });

        let mut client = gate.client();
        client.send_raw(request);
        if request == UP {
            push_until_blocked(&client.writer());
        } else {
            take(&client.writer(), before);
            blocked.wait();
        }
        drop(client);

        docker.wait_gone(0);
    }
}

/// Reads so much, and no more.
fn take(mut stream: &UnixStream, bytes: usize) {
    stream.read_exact(&mut vec![0; bytes]).unwrap();
}

#[test]
fn client_that_goes_away_in_the_middle_of_its_upload_cuts_it_at_the_engine() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_some();
        exchange.read_to_eof();
        exchange.wait_gone();
    });

    let mut client = gate.client();
    client.send_raw(
        "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: 100\r\n\r\nhalf",
    );
    docker.wait_received(b"half");
    drop(client);

    docker.wait_gone(0);
    assert!(docker.received().ends_with(b"half"), "nothing was made up");
}

// === 1xx and Expect ===

#[test]
fn interim_answers_nobody_asked_for_are_dropped() {
    let (_docker, gate) = workshop_answering(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    );

    let answer = gate.client().get(LIST);

    assert_eq!((answer.status(), answer.text().as_str()), (200, "[]"));
    assert_eq!(answer.interim, [0; 0]);
}

#[test]
fn endless_interim_answers_are_an_engine_gone_wrong() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        for _ in 0..17 {
            exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n");
        }
        exchange.send(&ok("[]"));
    });

    assert_eq!(gate.client().get(LIST).status(), 502);
}

#[test]
fn switching_protocols_unasked_is_an_engine_gone_wrong() {
    const SWITCH: &str =
        "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nraw bytes";
    let (_docker, gate) = workshop_answering(SWITCH);

    let mut client = gate.client();
    let answer = client.get(LIST);
    assert_eq!(answer.status(), 502);
    assert!(!answer.text().contains("raw bytes"));
    client.expect_closed();

    // An upgrade where the operation has none was not asked for either: the header was dropped.
    let answer = gate
        .client()
        .send_raw(format!(
            "GET {LIST} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        ))
        .read_response();
    assert_eq!(answer.status(), 502);
}

#[test]
fn refused_upload_is_not_invited_to_continue() {
    let (docker, gate) = workshop_answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

    let mut client = gate.client();
    let answer = client
        .send_raw(
            "POST /images/create?fromSrc=- HTTP/1.1\r\nHost: docker\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
        )
        .read_response();

    assert_eq!((answer.status(), answer.interim.len()), (403, 0));
    client.expect_closed();
    assert!(docker.received().is_empty());
}

#[test]
fn upload_that_docker_invites_goes_on() {
    let (docker, gate) = workshop(|exchange| {
        if exchange.head.get("expect").is_some() {
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        exchange.read_body();
        exchange.send(&ok("{}"));
    });

    for target in ["/images/load", "/containers/create"] {
        let mut client = gate.client();
        client.send_raw(format!(
            "POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: {}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
            if target == "/images/load" { "application/x-tar" } else { "application/json" },
        ));
        assert_eq!(client.read_interim(), 100, "{target}");
        let answer = client.send_raw("{}").read_response();
        assert_eq!(answer.status(), 200, "{target}");
    }

    let requests = docker.wait_requests(2);
    assert!(requests.iter().all(|request| request.payload() == b"{}"));
    assert_eq!(
        requests[0].head.get("expect"),
        Some("100-continue"),
        "a stream's invitation is Docker's"
    );
}

#[test]
fn upload_that_docker_refuses_at_the_head_is_never_sent() {
    let (docker, gate) = workshop(|exchange| {
        exchange
            .send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\n");
        exchange.read_to_eof();
        exchange.close();
    });

    let mut client = gate.client();
    let answer = client
        .send_raw(
            "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        )
        .read_response();

    assert_eq!((answer.status(), answer.interim.len()), (413, 0));
    assert_eq!(answer.text(), "no\n");
    client.expect_closed();
    docker.wait_half_closed(0);
    assert!(
        docker.received().ends_with(b"\r\n\r\n"),
        "no byte of the body"
    );
}

#[test]
fn early_final_answer_during_an_upload_reaches_the_client() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_some();
        exchange.send(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"message\":\"no\"}");
        // Closing with unread bytes resets the connection: after an answer that is its end.
        exchange.close();
    });

    let mut client = gate.client();
    client.send_raw(
        "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let piece = chunked(&[0; 4096]);
    let piece = &piece[..piece.len() - 5];
    for _ in 0..64 {
        if !client.try_send(piece) {
            break;
        }
    }
    let answer = client.read_response();

    assert_eq!((answer.status(), answer.message().as_str()), (404, "no"));
    assert!(answer.head.connection("close"), "{:?}", answer.head);
    client.expect_closed();
}

// === upgrades that are asked for ===

#[test]
fn the_upgrade_is_the_operations_own() {
    let cases = [
        (
            "POST",
            "/containers/web/attach?stream=1",
            "tcp",
            Some("tcp"),
        ),
        ("POST", "/exec/abc/start", "tcp", Some("tcp")),
        (
            "GET",
            "/containers/web/attach/ws",
            "websocket",
            Some("websocket"),
        ),
        ("POST", "/session", "h2c", Some("h2c")),
        ("GET", "/containers/json", "tcp", None),
        ("POST", "/containers/web/start", "h2c", None),
    ];
    let (docker, gate) = workshop_answering("HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n");

    for (index, (method, target, asked, wanted)) in cases.into_iter().enumerate() {
        let exec = target.starts_with("/exec");
        let body = if exec {
            r#"{"Detach":false,"Tty":false}"#
        } else {
            ""
        };
        let framing = match method {
            "GET" => String::new(),
            _ if exec => format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ),
            _ => "Content-Length: 0\r\n".to_owned(),
        };
        let answer = gate
            .client()
            .send_raw(format!(
                "{method} {target} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: {asked}\r\n{framing}\r\n{body}"
            ))
            .read_response();
        assert_eq!(answer.status(), 409, "{target}");

        let head = &docker.wait_requests(index + 1)[index].head;
        assert_eq!(head.get("upgrade"), wanted, "{target}");
        assert_eq!(
            head.connection("upgrade"),
            wanted.is_some(),
            "{target}: {head:?}"
        );
    }
}

#[test]
fn detached_exec_is_an_ordinary_exchange() {
    let (docker, gate) = workshop_answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let body = r#"{"Detach":true,"Tty":false}"#;

    let mut client = gate.client();
    let answer = client
        .send_raw(format!(
            "POST /exec/abc/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .read_response();

    assert_eq!(answer.status(), 200);
    let head = &docker.wait_requests(1)[0].head;
    assert_eq!(head.get("upgrade"), None, "{head:?}");
    assert_eq!(
        client.get("/info").status(),
        403,
        "the next bytes are a request and judged"
    );
    assert_eq!(client.get("/version").status(), 200);
}

// === engines that are absent or talk nonsense ===

#[test]
fn absent_engine_is_said_at_once_and_found_when_it_comes() {
    let (dir, path) = FakeDocker::absent();
    let gate = Gate::start(&path, WORKSHOP, &[]);

    let answer = gate.client().get(LIST);
    assert_eq!(answer.status(), 503);
    assert!(
        answer.message().contains("docker.sock"),
        "says where it looked: {}",
        answer.text()
    );

    let docker = FakeDocker::appear(dir, |exchange| {
        exchange.read_body();
        exchange.send(&ok("[]"));
    });
    assert_eq!(gate.client().get(LIST).status(), 200);
    assert_eq!(docker.wait_requests(1).len(), 1);
}

#[test]
fn denials_do_not_need_an_engine() {
    let (_dir, path) = FakeDocker::absent();
    let gate = Gate::start(&path, WORKSHOP, &[]);

    assert_eq!(gate.client().get("/info").status(), 403);
}

#[test]
fn nonsense_from_the_engine_is_a_502_and_not_an_answer() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let cases: [&str; 9] = [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 4\n\nEVIL",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nEVIL",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nEVIL",
        "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nEVIL",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 4\r\n\r\nEVIL",
        "HTTP/1.1 20 OK\r\nContent-Length: 4\r\n\r\nEVIL",
        &long,
    ];
    for case in cases {
        let bytes = case.to_owned();
        let docker = FakeDocker::start(move |exchange| {
            exchange.read_body();
            exchange.send(bytes.as_bytes());
            exchange.close();
        });
        let gate = Gate::with_policy(&docker, WORKSHOP);

        let answer = gate.client().get(LIST);

        let shown: String = case.chars().take(60).collect();
        assert_eq!(answer.status(), 502, "{shown:?}");
        assert!(!answer.message().contains("EVIL"), "{shown:?}");
    }
}

#[test]
fn a_slow_head_is_still_a_head() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]" {
            exchange.send(&[*byte]);
            std::thread::yield_now();
        }
    });

    assert_eq!(gate.client().get(LIST).text(), "[]");
}

#[test]
fn the_gate_ends_when_it_is_asked_to() {
    let (docker, mut gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(&ok("[]"));
    });
    let mut idle = gate.client();
    assert_eq!(idle.get(LIST).status(), 200);

    gate.terminate();

    assert!(gate.wait_exit().success(), "{}", gate.log());
    idle.expect_closed();
    docker.wait_gone(0);
    wait_until("the socket is gone", || !gate.socket().exists());
}

#[test]
fn an_exchange_in_flight_outlives_the_request_to_end() {
    let go = Signal::new();
    let waiting = go.clone();
    let (docker, mut gate) = workshop(move |exchange| {
        exchange.read_body();
        waiting.wait();
        exchange.send(&ok("finished"));
    });
    let mut client = gate.client();
    client.send("GET", LIST);
    docker.wait_requests(1);

    gate.terminate();
    wait_until("no new connection is taken", || gate.try_client().is_none());
    go.set();

    assert_eq!(client.read_response().text(), "finished");
    assert!(gate.wait_exit().success(), "{}", gate.log());
}

#[test]
fn every_framing_of_a_request_arrives_as_one_reading() {
    let (docker, gate) = workshop_answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let json = "Content-Type: application/json\r\n";
    let cases = [
        (format!("{json}Content-Length: 2\r\n\r\n{{}}"), 2),
        (
            format!("{json}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
            2,
        ),
    ];
    for (index, (rest, size)) in cases.iter().enumerate() {
        let answer = gate
            .client()
            .send_raw(format!(
                "POST /containers/create HTTP/1.1\r\nHost: docker\r\n{rest}"
            ))
            .read_response();
        assert_eq!(answer.status(), 200);
        let request = &docker.wait_requests(index + 1)[index];
        assert_eq!(request.payload().len(), *size);
        assert!(matches!(
            request.head.request_body(),
            Body::Length(2) | Body::Chunked
        ));
    }
}
