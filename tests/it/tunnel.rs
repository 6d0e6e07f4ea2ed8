//! Attach and exec carry bytes both ways, half-closes included, and only after Docker agreed.

use std::io::Write;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::support::{Client, Exchange, FakeDocker, Gate, Signal, WORKSHOP, ok};

const UPGRADED: &[u8] = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const UNFRAMED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
const ATTACH: &str = "POST /v1.41/containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n";
const ATTACH_PLAIN: &str = "POST /v1.41/containers/web/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n";

fn workshop(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> (FakeDocker, Gate) {
    let docker = FakeDocker::start(script);
    let gate = Gate::with_policy(&docker, WORKSHOP);
    (docker, gate)
}

fn exec_start(upgrade: bool) -> String {
    let body = r#"{"Detach":false,"Tty":false}"#;
    let asks = if upgrade {
        "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    } else {
        ""
    };
    format!(
        "POST /v1.41/exec/abc/start HTTP/1.1\r\nHost: docker\r\n{asks}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends the request and reads the head of a tunnel.
fn open(client: &mut Client, request: &str, status: u16) {
    client.send_raw(request);
    let (_, head) = client.read_head();
    assert_eq!(head.status(), status, "{head:?}");
    assert_eq!(
        head.get("content-type"),
        Some("application/vnd.docker.raw-stream")
    );
    assert_eq!(head.get("content-length"), None);
    assert_eq!(head.get("transfer-encoding"), None);
}

/// Every way in which Docker opens a tunnel: request, answer, status.
fn ways() -> [(String, &'static [u8], u16); 4] {
    [
        (ATTACH.to_owned(), UPGRADED, 101),
        (ATTACH_PLAIN.to_owned(), UNFRAMED, 200),
        (exec_start(true), UPGRADED, 101),
        (exec_start(false), UNFRAMED, 200),
    ]
}

#[test]
fn bytes_pass_both_ways() {
    for (request, answer, status) in ways() {
        let (_docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            exchange.send(answer);
            exchange.send(b"prompt> ");
            exchange.echo();
            exchange.close();
        });

        let mut client = gate.client();
        open(&mut client, &request, status);
        assert_eq!(client.read_exact(8), b"prompt> ");
        assert_eq!(client.send_raw("one").read_exact(3), b"one");
        assert_eq!(client.send_raw("two").read_exact(3), b"two");
        client.half_close().expect_closed();
    }
}

#[test]
fn the_switch_names_its_protocol_to_the_client() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(UPGRADED);
        exchange.echo();
        exchange.close();
    });

    let (_, head) = gate.client().send_raw(ATTACH).read_head();

    assert_eq!(head.first, "HTTP/1.1 101 UPGRADED");
    assert_eq!(head.get("upgrade"), Some("tcp"));
    assert!(head.connection("upgrade"), "{head:?}");
}

#[test]
fn client_that_stops_sending_still_hears_everything() {
    for (request, answer, status) in ways() {
        let (docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            exchange.send(answer);
            let said = exchange.read_to_eof();
            exchange.send(b"you said ");
            exchange.send(&said);
            exchange.close();
        });

        // What every `docker run` without stdin does: half-close right after the answer.
        let mut client = gate.client();
        open(&mut client, &request, status);
        client.half_close();
        assert_eq!(client.read_to_eof(), b"you said ", "{request}");
        docker.wait_half_closed(0);

        let mut client = gate.client();
        open(&mut client, &request, status);
        client.send_raw("hi\n").half_close();
        assert_eq!(client.read_to_eof(), b"you said hi\n", "{request}");
    }
}

#[test]
fn engine_that_stops_sending_still_hears_everything() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(UPGRADED);
        exchange.send(b"bye");
        exchange.half_close();
        exchange.read_to_eof();
        exchange.close();
    });

    let mut client = gate.client();
    open(&mut client, ATTACH, 101);
    assert_eq!(client.read_to_eof(), b"bye");
    assert!(client.try_send("still here"));
    client.half_close();

    docker.wait_half_closed(0);
    assert!(docker.received().ends_with(b"still here"));
}

#[test]
fn bytes_sent_too_early_wait_for_docker() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        assert!(
            is_silent(exchange),
            "client bytes arrived before the answer"
        );
        exchange.send(UPGRADED);
        let early = exchange.read_exact(5);
        exchange.send(&early);
        exchange.echo();
        exchange.close();
    });

    let mut client = gate.client();
    client.send_raw(format!("{ATTACH}EARLY"));
    assert_eq!(client.read_head().1.status(), 101);
    assert_eq!(client.read_exact(5), b"EARLY");
    assert_eq!(client.send_raw("LATE").read_exact(4), b"LATE");
    drop(docker);
}

/// Nothing comes for a while.
fn is_silent(exchange: &Exchange) -> bool {
    let mut fds = [PollFd::new(exchange.stream(), PollFlags::IN)];
    let while_long = Timespec {
        tv_sec: 0,
        tv_nsec: 200_000_000,
    };
    exchange.is_drained() && poll(&mut fds, Some(&while_long)).unwrap() == 0
}

#[test]
fn early_bytes_after_a_refusal_of_docker_are_judged_as_a_request() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"message\":\"no\"}");
    });
    let next = "GET /info HTTP/1.1\r\nHost: docker\r\n\r\n";

    let mut client = gate.client();
    client.send_raw([exec_start(true).as_str(), next].concat());

    assert_eq!(client.read_response().status(), 409);
    let rest = client.read_to_eof_or_answer();
    assert!(rest.is_empty() || rest.contains("403"), "{rest}");
    assert_eq!(docker.requests().len(), 1);
    assert!(!String::from_utf8_lossy(&docker.received()).contains("/info"));
}

#[test]
fn error_that_ends_with_the_connection_is_no_tunnel() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nNo such container: web\r\n");
        exchange.half_close();
        exchange.read_to_eof();
        exchange.close();
    });

    let mut client = gate.client();
    client.send_raw(format!(
        "{ATTACH}GET /info HTTP/1.1\r\nHost: docker\r\n\r\n"
    ));
    let answer = client.read_response();

    assert_eq!(
        (answer.status(), answer.text().as_str()),
        (404, "No such container: web\r\n")
    );
    assert!(!String::from_utf8_lossy(&docker.received()).contains("/info"));
}

#[test]
fn unframed_answer_of_any_other_operation_is_a_one_way_body() {
    let go = Signal::new();
    let sent = go.clone();
    let (docker, gate) = workshop(move |exchange| {
        exchange.read_body();
        exchange.send(UNFRAMED);
        exchange.send(b"log line\n");
        sent.wait();
        exchange.send(b"last line\n");
        exchange.half_close();
        exchange.read_to_eof();
        exchange.close();
    });

    let mut client = gate.client();
    client.send("GET", "/containers/web/logs?follow=1&stdout=1");
    let (_, head) = client.read_head();
    assert_eq!(head.status(), 200);
    assert_eq!(client.read_exact(9), b"log line\n");
    client.try_send("GET /info HTTP/1.1\r\nHost: docker\r\n\r\n");
    go.set();

    assert_eq!(client.read_to_eof(), b"last line\n");
    assert!(!String::from_utf8_lossy(&docker.received()).contains("/info"));
}

#[test]
fn framed_answer_to_attach_is_an_ordinary_answer() {
    let (docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nContent-Length: 2\r\n\r\nok");
    });

    let mut client = gate.client();
    assert_eq!(client.send_raw(ATTACH_PLAIN).read_response().text(), "ok");
    assert_eq!(
        client.get("/info").status(),
        403,
        "the next bytes are a request and judged"
    );
    assert_eq!(docker.requests().len(), 1);
}

#[test]
fn a_switch_to_something_else_is_an_engine_gone_wrong() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        exchange.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nraw",
        );
        exchange.read_to_eof();
        exchange.close();
    });

    assert_eq!(gate.client().send_raw(ATTACH).read_response().status(), 502);
    assert_eq!(
        gate.client()
            .send_raw(ATTACH_PLAIN)
            .read_response()
            .status(),
        502
    );
}

#[test]
fn sessions_and_websockets_pass_under_their_own_tokens() {
    let cases = [
        (
            "POST /session HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: u1\r\n\r\n",
            "h2c",
        ),
        (
            "GET /containers/web/attach/ws?stream=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            "websocket",
        ),
    ];
    for (request, token) in cases {
        let (docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            exchange.send(
                format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {token}\r\nSec-WebSocket-Accept: x\r\n\r\n").as_bytes(),
            );
            exchange.echo();
            exchange.close();
        });

        let mut client = gate.client();
        client.send_raw(request);
        let (_, head) = client.read_head();
        assert_eq!((head.status(), head.get("upgrade")), (101, Some(token)));
        assert_eq!(
            client.send_raw("PRI * HTTP/2.0").read_exact(14),
            b"PRI * HTTP/2.0"
        );
        let head = &docker.requests()[0].head;
        assert!(
            head.get("sec-websocket-key").is_some()
                || head.get("x-docker-expose-session-uuid").is_some()
        );
    }
}

#[test]
fn three_megabytes_pass_each_way_at_once() {
    const SIZE: usize = 3 << 20;
    for (request, answer, status) in ways() {
        let (_docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            exchange.send(answer);
            exchange.echo();
            exchange.close();
        });
        let bytes: Vec<u8> = (0..SIZE)
            .map(|at| u8::try_from(at % 253).unwrap())
            .collect();

        let mut client = gate.client();
        open(&mut client, &request, status);
        let mut writer = client.writer();
        let sent = bytes.clone();
        let sending = thread::spawn(move || {
            writer.write_all(&sent).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let back = client.read_to_eof();
        sending.join().unwrap();

        assert!(
            back == bytes,
            "{} of {SIZE} bytes came back alike",
            back.len()
        );
    }
}

#[test]
fn client_that_goes_away_closes_the_tunnel_at_the_engine() {
    for (request, answer, status) in ways() {
        let (docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            exchange.send(answer);
            exchange.wait_gone();
        });

        let mut client = gate.client();
        open(&mut client, &request, status);
        drop(client);

        docker.wait_gone(0);
    }
}

#[test]
fn client_that_goes_away_after_it_stopped_sending_closes_the_tunnel_too() {
    for (request, answer, status) in ways() {
        let (docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            exchange.send(answer);
            exchange.read_to_eof();
            exchange.wait_gone();
        });

        let mut client = gate.client();
        open(&mut client, &request, status);
        client.half_close();
        docker.wait_half_closed(0);
        drop(client);

        docker.wait_gone(0);
    }
}

#[test]
fn engine_that_goes_away_closes_the_client_after_its_bytes() {
    for (request, answer, status) in ways() {
        let (_docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            exchange.send(answer);
            exchange.send(&vec![b'z'; 100_000]);
            exchange.close();
        });

        let mut client = gate.client();
        open(&mut client, &request, status);
        assert_eq!(client.read_to_eof().len(), 100_000);
    }
}

#[test]
fn bytes_glued_to_the_answer_belong_to_the_tunnel() {
    for (request, answer, status) in ways() {
        let (_docker, gate) = workshop(move |exchange| {
            exchange.read_body();
            exchange.send(&[answer, b"glued"].concat());
            exchange.echo();
            exchange.close();
        });

        let mut client = gate.client();
        open(&mut client, &request, status);
        assert_eq!(client.read_exact(5), b"glued");
        assert_eq!(client.send_raw("and on").read_exact(6), b"and on");
    }
}

#[test]
fn a_tunnel_starves_nobody() {
    let (_docker, gate) = workshop(|exchange| {
        exchange.read_body();
        if exchange.method() == "POST" {
            exchange.send(UPGRADED);
            // An endless talker whose listener does not read.
            let talk = vec![b'.'; 65536];
            while exchange.send(&talk) {}
            exchange.close();
        } else {
            exchange.send(&ok("[]"));
        }
    });

    let mut deaf = gate.client();
    open(&mut deaf, ATTACH, 101);
    for _ in 0..10 {
        assert_eq!(gate.client().get("/containers/json").status(), 200);
    }
}
