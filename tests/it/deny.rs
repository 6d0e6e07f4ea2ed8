//! What is not allowed never reaches Docker, and the caller learns why.

use crate::support::{Client, FakeDocker, Gate, WORKSHOP, ok, wait_for};

fn workshop() -> (FakeDocker, Gate) {
    with_policy(WORKSHOP)
}

fn with_policy(policy: &str) -> (FakeDocker, Gate) {
    let docker = FakeDocker::saying("{}");
    let gate = Gate::with_policy(&docker, policy);
    (docker, gate)
}

fn assert_nothing_received(docker: &FakeDocker, case: &str) {
    let received = docker.received();
    assert!(
        received.is_empty(),
        "{case}: Docker received {:?}",
        String::from_utf8_lossy(&received)
    );
}

// === refused by the policy ===

#[test]
fn denied_call_never_reaches_docker_and_its_twin_does() {
    // (refused, its twin that is allowed)
    let cases = [
        (("GET", "/info"), ("GET", "/version")),
        (("GET", "/v1.41/info"), ("GET", "/v1.41/version")),
        (
            ("GET", "/containers/web/top"),
            ("GET", "/containers/web/json"),
        ),
        (
            ("GET", "/containers/web/export"),
            ("GET", "/containers/web/logs"),
        ),
        (("DELETE", "/images/app"), ("DELETE", "/containers/web")),
        (("GET", "/containers/create"), ("GET", "/containers/json")),
        (("GET", "/nosuch"), ("GET", "/_ping")),
        (("HEAD", "/containers/json"), ("HEAD", "/_ping")),
        (("PUT", "/containers/json"), ("GET", "/containers/json")),
    ];
    for (refused, twin) in cases {
        let (docker, gate) = workshop();

        assert_eq!(
            gate.client().ask(refused.0, refused.1).status(),
            403,
            "{refused:?}"
        );
        assert_nothing_received(&docker, &format!("{refused:?}"));

        assert_eq!(gate.client().ask(twin.0, twin.1).status(), 200, "{twin:?}");
        assert_eq!(docker.requests().len(), 1, "{twin:?}");
    }
}

#[test]
fn denial_says_what_was_asked_which_policy_refused_and_the_line_that_would_allow_it() {
    let (_docker, gate) = with_policy(r#"allow = ["GET /_ping"]"#);
    let cases = [
        (
            "GET",
            "/v1.41/info",
            "SystemInfo",
            "/info",
            r#""GET /info""#,
        ),
        (
            "GET",
            "/containers/web/logs?follow=1",
            "ContainerLogs",
            "/containers/web/logs",
            r#""GET /containers/{id}/logs""#,
        ),
        (
            "POST",
            "/containers/web/exec",
            "ContainerExec",
            "/containers/web/exec",
            r#""POST /containers/{id}/exec""#,
        ),
        (
            "DELETE",
            "/volumes/data",
            "VolumeDelete",
            "/volumes/data",
            r#""DELETE /volumes/{name}""#,
        ),
    ];
    for (method, target, operation, path, line) in cases {
        let answer = gate.client().ask(method, target);
        assert_eq!(answer.status(), 403, "{target}");
        let message = answer.message();
        for needle in [operation, path, "`test`", line] {
            assert!(
                message.contains(needle),
                "{target}: `{needle}` is missing in: {message}"
            );
        }
    }
}

#[test]
fn denial_names_the_condition_that_failed() {
    let (docker, gate) = with_policy(
        r#"
[[rule]]
name = "restart-soon"
allow = "POST /containers/{id}/restart"
query.t = ["", '~[0-9]{1,2}']
"#,
    );

    let answer = gate.client().post("/containers/web/restart?t=600", "");
    assert_eq!(answer.status(), 403);
    let message = answer.message();
    assert!(message.contains("restart-soon"), "{message}");
    assert!(message.contains("query.t"), "{message}");
    assert_nothing_received(&docker, "t=600");

    for twin in [
        "/containers/web/restart",
        "/containers/web/restart?t=",
        "/containers/web/restart?t=60",
    ] {
        assert_eq!(gate.client().post(twin, "").status(), 200, "{twin}");
    }
}

#[test]
fn query_that_hands_out_a_power_is_refused_and_its_twin_passes() {
    let policy = r#"allow = ["POST /containers/{id}/start", "POST /images/create", "POST /build"]"#;
    let cases = [
        (
            "/containers/web/start?checkpoint=c1",
            "/containers/web/start",
        ),
        (
            "/images/create?fromSrc=http%3A%2F%2Fx",
            "/images/create?fromImage=alpine",
        ),
        ("/build?networkmode=host", "/build?networkmode=none"),
        ("/build?remote=http%3A%2F%2Fx", "/build?t=app"),
    ];
    for (refused, twin) in cases {
        let (docker, gate) = with_policy(policy);
        let post = |target: &str| {
            gate.client()
                .send_raw(format!(
                    "POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"
                ))
                .read_response()
        };
        assert_eq!(post(refused).status(), 403, "{refused}");
        assert_nothing_received(&docker, refused);
        assert_eq!(post(twin).status(), 200, "{twin}");
    }
}

#[test]
fn denial_has_the_headers_that_clients_negotiate_by() {
    let (docker, gate) = workshop();

    // They are known once the engine was asked, which the gate does on its own.
    let answer = wait_for("a denial with Api-Version", || {
        let answer = gate.client().get("/info");
        answer.head.get("api-version").is_some().then_some(answer)
    });

    assert_eq!(answer.head.get("api-version"), Some("1.41"));
    assert_eq!(answer.head.get("ostype"), Some("linux"));
    assert_nothing_received(&docker, "/info");
}

#[test]
fn denied_head_request_has_no_body() {
    let (_docker, gate) = workshop();

    let mut client = gate.client();
    assert_eq!(
        client
            .ask("HEAD", "/containers/web/archive?path=/etc")
            .status(),
        403
    );
    assert_eq!(
        client.get("/version").status(),
        200,
        "nothing was left on the connection"
    );
}

#[test]
fn denial_without_a_body_keeps_the_connection() {
    let (docker, gate) = workshop();

    let mut client = gate.client();
    assert_eq!(client.get("/info").status(), 403);
    assert_eq!(client.get("/version").status(), 200);
    assert_eq!(client.get("/info").status(), 403);
    assert_eq!(client.get("/_ping").status(), 200);
    assert_eq!(docker.requests().len(), 2);
}

#[test]
fn denied_body_is_answered_drained_and_closed() {
    let (docker, gate) = workshop();
    let smuggled = "GET /containers/json HTTP/1.1\r\nHost: docker\r\n\r\n";

    let mut client = gate.client();
    let answer = client
        .send_raw(format!(
            "POST /networks/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{smuggled}",
            smuggled.len()
        ))
        .read_response();

    assert_eq!(answer.status(), 403);
    assert!(answer.head.connection("close"), "{:?}", answer.head);
    client.expect_closed();
    assert_nothing_received(&docker, "a body that looks like a request");
}

#[test]
fn client_in_the_middle_of_a_denied_upload_can_read_the_answer() {
    let (docker, gate) = workshop();
    let size = 768 * 1024;

    let mut client = gate.client();
    client.send_raw(format!(
        "POST /images/create?fromSrc=- HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: {size}\r\n\r\n"
    ));
    client.send_raw(vec![0; size]);

    assert_eq!(client.read_response().status(), 403);
    client.expect_closed();
    assert_nothing_received(&docker, "a denied upload");
}

#[test]
fn denied_upgrade_leaves_the_next_bytes_judged() {
    let (docker, gate) = with_policy(r#"allow = ["GET /_ping"]"#);
    let upgrade = "POST /containers/web/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n";
    let create = "POST /containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

    let mut client = gate.client();
    client.send_raw([upgrade, create].concat());

    assert_eq!(client.read_response().status(), 403);
    let rest = client.read_to_eof_or_answer();
    assert!(rest.is_empty() || rest.contains("403"), "{rest}");
    assert_nothing_received(&docker, "an upgrade and what follows");
}

#[test]
fn denials_echo_no_secret_anywhere() {
    let (_docker, gate) = workshop();
    let body = r#"{"Env":["PASSWORD=hunter2"]}"#;

    let answer = gate
        .client()
        .send_raw(format!(
            "POST /volumes/create HTTP/1.1\r\nHost: docker\r\nX-Registry-Auth: hunter2\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .read_response();
    assert_eq!(answer.status(), 403);
    let record = gate.wait_record("the denial", |record| record["operation"] == "VolumeCreate");

    assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    assert!(!record.to_string().contains("hunter2"), "{record}");
    assert!(!gate.log().contains("hunter2"), "{}", gate.log());
}

#[test]
fn what_a_request_brings_is_escaped_in_words() {
    let (docker, gate) = workshop();

    // What would clear a terminal or turn a line around, were it decoded and printed.
    for (target, status) in [
        ("/images/search?term=%1b%5b2J%07", 400),
        ("/images/search?term=%0d%0aX-Evil:%201", 400),
        ("/images/search?term=%c2%9b2J", 400),
        ("/images/search?term=%e2%80%ae", 403),
    ] {
        let answer = gate.client().get(target);
        assert_eq!(answer.status(), status, "{target}");
        let unsafe_in_print = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(
            !answer.message().chars().any(unsafe_in_print),
            "{target}: {:?}",
            answer.text()
        );
        assert_eq!(answer.head.get("x-evil"), None);
        assert_nothing_received(&docker, target);
    }
}

#[test]
fn empty_policy_allows_nothing() {
    let (docker, gate) = with_policy("allow = []");

    for target in ["/_ping", "/version", "/containers/json"] {
        assert_eq!(gate.client().get(target).status(), 403, "{target}");
    }
    assert_nothing_received(&docker, "an empty policy");
}

// === refused because it has no single reading ===

/// Each of these is answered with its status, the connection is closed, Docker hears nothing.
const MALFORMED: &[(&str, u16, &str)] = &[
    (
        "bare line feeds",
        400,
        "GET /version HTTP/1.1\nHost: docker\n\n",
    ),
    (
        "one bare line feed",
        400,
        "GET /version HTTP/1.1\r\nHost: docker\nX: y\r\n\r\n",
    ),
    ("no Host", 400, "GET /version HTTP/1.1\r\nX: y\r\n\r\n"),
    (
        "two Hosts",
        400,
        "GET /version HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ),
    (
        "folded header",
        400,
        "GET /version HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
    ),
    (
        "space before the colon",
        400,
        "GET /version HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    ),
    (
        "NUL in a value",
        400,
        "GET /version HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n",
    ),
    (
        "both framings",
        400,
        "POST /images/load HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "two equal lengths",
        400,
        "POST /images/load HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "signed length",
        400,
        "POST /images/load HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
    ),
    (
        "empty length",
        400,
        "POST /images/load HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
    ),
    (
        "two codings",
        501,
        "POST /images/load HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked twice",
        501,
        "POST /images/load HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "doubled slash",
        400,
        "GET //version HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "dot-dot",
        400,
        "GET /info/../version HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "encoded dot-dot",
        400,
        "GET /info/%2e%2e/version HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "trailing slash",
        400,
        "GET /version/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "bad escape",
        400,
        "GET /version%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "encoded NUL",
        400,
        "GET /version%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "fragment",
        400,
        "GET /version#x HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "semicolon in the query",
        400,
        "GET /version?a=1;b=2 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "bad escape in the query",
        400,
        "GET /version?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "no leading slash",
        400,
        "GET version HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "asterisk form",
        400,
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "odd version prefix",
        400,
        "GET /v1.41./version HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "version before 1.24",
        400,
        "GET /v1.23/version HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "unknown method",
        400,
        "BREW /version HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "lower-case method",
        400,
        "get /version HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "CONNECT",
        400,
        "CONNECT docker:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    ("HTTP/2 preface", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("HTTP/0.9", 400, "GET /version\r\n\r\n"),
    ("not HTTP at all", 400, "\x16\x03\x01\x02\x00\x01\r\n\r\n"),
];

#[test]
fn what_can_be_read_two_ways_is_refused_and_the_connection_closed() {
    let (docker, gate) = workshop();
    let follow = "GET /containers/json HTTP/1.1\r\nHost: docker\r\n\r\n";

    for (name, status, bytes) in MALFORMED {
        let mut client = gate.client();
        client.send_raw(bytes).try_send(follow);
        let answer = client.read_response();
        // Codings and versions have a status of their own; either way nothing passes.
        let found = answer.status();
        assert!(
            found == *status || [400, 501, 505].contains(&found),
            "{name}: {found}"
        );
        assert!(!answer.message().is_empty(), "{name}");
        client.expect_closed();
        assert_nothing_received(&docker, name);
    }

    let twin = gate
        .client()
        .send_raw("GET /version HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n")
        .read_response();
    assert_eq!(twin.status(), 200);
}

#[test]
fn body_that_breaks_its_own_framing_is_cut_off_not_guessed_at() {
    let cases = [
        "5;ext=1\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
        "fffffffffffffffff\r\nhello",
    ];
    for case in cases {
        let docker = FakeDocker::start(|exchange| {
            // Whatever came of it: no end of a body, hence no answer.
            exchange.read_to_eof();
            exchange.close();
        });
        let gate = Gate::with_policy(&docker, WORKSHOP);

        let mut client = gate.client();
        client.send_raw(format!(
            "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n{case}"
        ));
        let rest = client.read_to_eof_or_answer();

        assert!(
            rest.is_empty() || rest.contains("HTTP/1.1 400"),
            "{case:?}: {rest}"
        );
        let received = String::from_utf8_lossy(&docker.received()).into_owned();
        assert!(
            !received.ends_with("0\r\n\r\n"),
            "{case:?} ended as a whole body: {received:?}"
        );
        assert!(
            !received.contains("ext") && !received.contains("X-Trailer"),
            "{case:?}: {received:?}"
        );
    }
}

#[test]
fn one_byte_at_a_time_is_judged_like_one_piece() {
    let docker = FakeDocker::answering(ok("{}"));
    let gate = Gate::with_policy(&docker, WORKSHOP);
    let dribble = |client: &mut Client, text: &str| {
        for byte in text.bytes() {
            client.send_raw([byte]);
        }
    };

    let mut client = gate.client();
    dribble(&mut client, "GET /info HTTP/1.1\r\nHost: docker\r\n\r\n");
    assert_eq!(client.read_response().status(), 403);
    assert_nothing_received(&docker, "a dribbled request");
    dribble(&mut client, "GET /version HTTP/1.1\r\nHost: docker\r\n\r\n");
    assert_eq!(client.read_response().status(), 200);
}
