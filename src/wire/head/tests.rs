//! What is read as a head, what is refused, and that no way of cutting the bytes changes it.

mod corpus;
mod differential;
mod laws;

use super::{BadHead, MAX_HEAD, MAX_TARGET, Scan, read_request, read_response};
use crate::wire::framing::{RequestBody, ResponseBody};

/// A request head with these lines after the request line.
fn post(lines: &str) -> String {
    format!("POST /containers/create HTTP/1.1\r\n{lines}\r\n")
}

fn refusal(head: &str) -> Option<&'static str> {
    read_request(head.as_bytes()).err().map(|bad| bad.code())
}

fn answer_refusal(head: &str) -> Option<&'static str> {
    read_response(head.as_bytes(), false)
        .err()
        .map(|bad| bad.code())
}

/// A twin is the same head without the sin: it must be read to its end.
fn assert_read(twin: &str) {
    match read_request(twin.as_bytes()) {
        Ok(Some((_, end))) => assert_eq!(end, twin.len(), "{twin:?}"),
        other => panic!("{twin:?} gives {other:?}"),
    }
}

#[test]
fn lines_that_two_readers_read_differently_are_refused() {
    for &(code, sin, twin) in AMBIGUOUS_LINES {
        assert_eq!(refusal(&post(sin)), Some(code), "{sin:?}");
        assert_read(&post(twin));
    }
}

/// Code, sin and twin.
const AMBIGUOUS_LINES: &[(&str, &str, &str)] = &[
    ("bare-lf", "Host: d\nA: b\r\n", "Host: d\r\nA: b\r\n"),
    ("bare-lf", "Host: d\r\nA: b\n", "Host: d\r\nA: b\r\n"),
    ("bare-lf", "Host: d\r\n\n", "Host: d\r\n"),
    (
        "header-value",
        "Host: d\r\nA: b\rc\r\n",
        "Host: d\r\nA: bc\r\n",
    ),
    (
        "header-value",
        "Host: d\r\nA: b\r\r\n",
        "Host: d\r\nA: b\r\n",
    ),
    (
        "header-value",
        "Host: d\r\nA: b\0\r\n",
        "Host: d\r\nA: b\r\n",
    ),
    (
        "header-value",
        "Host: d\r\nA: \x7f\r\n",
        "Host: d\r\nA: ~\r\n",
    ),
    (
        "header-value",
        "Host: d\r\nA: \x0b\r\n",
        "Host: d\r\nA: \t\r\n",
    ),
    (
        "folded-header",
        "Host: d\r\nA: b\r\n c\r\n",
        "Host: d\r\nA: b c\r\n",
    ),
    (
        "folded-header",
        "Host: d\r\nA: b\r\n\tc\r\n",
        "Host: d\r\nA: b\tc\r\n",
    ),
    (
        "folded-header",
        " A: b\r\nHost: d\r\n",
        "A: b\r\nHost: d\r\n",
    ),
    ("header-line", "Host : d\r\n", "Host: d\r\n"),
    (
        "header-line",
        "Host: d\r\nA\t: b\r\n",
        "Host: d\r\nA: b\r\n",
    ),
    ("header-line", "Host: d\r\n: b\r\n", "Host: d\r\nA: b\r\n"),
    ("header-line", "Host: d\r\nA\r\n", "Host: d\r\nA:\r\n"),
    (
        "header-line",
        "Host: d\r\nA(b): c\r\n",
        "Host: d\r\nA_b: c\r\n",
    ),
    ("header-line", "Host: d\r\nÄ: c\r\n", "Host: d\r\nA: Ä\r\n"),
];

#[test]
fn headers_with_two_meanings_are_refused() {
    for &(code, sin, twin) in AMBIGUOUS_HEADERS {
        assert_eq!(refusal(&post(sin)), Some(code), "{sin:?}");
        assert_read(&post(twin));
    }
}

/// Code, sin and twin.
const AMBIGUOUS_HEADERS: &[(&str, &str, &str)] = &[
    ("host-missing", "A: b\r\n", "Host: b\r\n"),
    (
        "host-repeated",
        "Host: d\r\nhost: d\r\n",
        "Host: d\r\nhosts: d\r\n",
    ),
    ("host-malformed", "Host: a b\r\n", "Host:\r\n"),
    (
        "host-malformed",
        "Host: /var/run/docker.sock\r\n",
        "Host: %2Fvar%2Frun%2Fdocker.sock\r\n",
    ),
    ("host-malformed", "Host: ä\r\n", "Host: [::1]:2375\r\n"),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length:\r\n",
        "Host: d\r\nContent-Length: 0\r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: 003\r\n",
        "Host: d\r\nContent-Length: 3\r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: 00\r\n",
        "Host: d\r\nContent-Length: 0\r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: +3\r\n",
        "Host: d\r\nContent-Length:3\r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: -1\r\n",
        "Host: d\r\nContent-Length: 1 \r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: 3, 3\r\n",
        "Host: d\r\nContent-Length: 33\r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: 0x3\r\n",
        "Host: d\r\nContent-Length: 3\r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: 3:\r\n",
        "Host: d\r\nContent-Length: 3\r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: 9223372036854775808\r\n",
        "Host: d\r\nContent-Length: 9223372036854775807\r\n",
    ),
    (
        "content-length-malformed",
        "Host: d\r\nContent-Length: 18446744073709551616\r\n",
        "Host: d\r\nContent-Length: 1844674407370955161\r\n",
    ),
    (
        "content-length-repeated",
        "Host: d\r\nContent-Length: 3\r\ncontent-length: 3\r\n",
        "Host: d\r\nContent-Length: 3\r\ncontent_length: 3\r\n",
    ),
    (
        "length-and-encoding",
        "Host: d\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Host: d\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "length-and-encoding",
        "Host: d\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Host: d\r\nContent-Length: 0\r\n",
    ),
    (
        "transfer-encoding-repeated",
        "Host: d\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Host: d\r\nTRANSFER-ENCODING:\tCHUNKED\r\n",
    ),
    (
        "transfer-encoding-unknown",
        "Host: d\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Host: d\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "content-type-repeated",
        "Host: d\r\nContent-Type: a/b\r\nContent-type: a/b\r\n",
        "Host: d\r\nContent-Type: a/b\r\n",
    ),
    (
        "content-type-malformed",
        "Host: d\r\nContent-Type: appl\u{130}cation/x-www-form-urlencoded\r\n",
        "Host: d\r\nContent-Type: application/x-www-form-urlencoded\r\n",
    ),
    (
        "content-type-malformed",
        "Host: d\r\nContent-Type: \u{a0}application/x-www-form-urlencoded\r\n",
        "Host: d\r\nContent-Type: application/x-www-form-urlencoded\r\n",
    ),
    (
        "expectation-unknown",
        "Host: d\r\nExpect: 200-ok\r\n",
        "Host: d\r\nExpect: 100-Continue\r\n",
    ),
    (
        "expectation-unknown",
        "Host: d\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n",
        "Host: d\r\nExpect: 100-continue\r\n",
    ),
    (
        "upgrade-malformed",
        "Host: d\r\nUpgrade: tcp, h2c\r\n",
        "Host: d\r\nUpgrade: h2c\r\n",
    ),
    (
        "upgrade-malformed",
        "Host: d\r\nUpgrade: tcp\r\nUpgrade: tcp\r\n",
        "Host: d\r\nUpgrade: tcp\r\n",
    ),
    (
        "upgrade-malformed",
        "Host: d\r\nUpgrade:\r\n",
        "Host: d\r\nUpgrade: HTTP/2.0\r\n",
    ),
    (
        "upgrade-malformed",
        "Host: d\r\nUpgrade: a/b/c\r\n",
        "Host: d\r\nUpgrade: a/b\r\n",
    ),
    (
        "connection-malformed",
        "Host: d\r\nConnection: a b\r\n",
        "Host: d\r\nConnection: a,, b ,\r\n",
    ),
    (
        "connection-malformed",
        "Host: d\r\nConnection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n",
        "Host: d\r\nConnection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n",
    ),
    (
        "connection-nominates",
        "Host: d\r\nConnection: close, content-TYPE\r\n",
        "Host: d\r\nConnection: close, x-type\r\n",
    ),
    (
        "connection-nominates",
        "Host: d\r\nConnection: Transfer-Encoding\r\n",
        "Host: d\r\nConnection: TE\r\n",
    ),
    (
        "connection-nominates",
        "Host: d\r\nConnection: Content-Length\r\n",
        "Host: d\r\nConnection: keep-alive\r\n",
    ),
];

#[test]
fn only_one_word_is_a_transfer_encoding() {
    for value in [
        "",
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,",
        "identity",
        "xchunked",
        "\"chunked\"",
        "chunked;q=1",
        "chunked chunked",
    ] {
        let head = post(&format!("Host: d\r\nTransfer-Encoding: {value}\r\n"));
        assert_eq!(
            refusal(&head),
            Some("transfer-encoding-unknown"),
            "{value:?}"
        );
    }
    assert_eq!(BadHead::EncodingUnknown.status(), 501);
    assert_read(&post("Host: d\r\nTransfer-Encoding: chunked\r\n"));
}

#[test]
fn request_lines_have_one_form() {
    for (code, line) in [
        ("leading-line", "\r\nGET / HTTP/1.1"),
        ("bare-lf", "\nGET / HTTP/1.1"),
        ("method-malformed", " GET / HTTP/1.1"),
        ("method-malformed", "G(T / HTTP/1.1"),
        ("method-malformed", "ABCDEFGHIJKLMNOPQ / HTTP/1.1"),
        ("method-malformed", "\x16\x03\x01\x02 / HTTP/1.1"),
        ("connect-method", "CONNECT docker:2375 HTTP/1.1"),
        ("connect-method", "connect / HTTP/1.1"),
        ("request-line", "GET /"),
        ("request-line", "GET  HTTP/1.1"),
        ("request-line", "GET"),
        ("request-line", "GET / HTTP/1.1 "),
        ("http-version", "GET / HTTP/1.0"),
        ("http-version", "GET / HTTP/1.2"),
        ("http-version", "GET / HTTP/2.0"),
        ("http-version", "GET / http/1.1"),
        ("http-version", "GET / HTTP/01.1"),
        ("http-version", "GET / HTTP/1.1\x0b"),
        ("http2-preface", "PRI * HTTP/2.0"),
        ("target-malformed", "GET  / HTTP/1.1"),
        ("target-malformed", "GET /  HTTP/1.1"),
        ("target-malformed", "GET /a b HTTP/1.1"),
        ("target-malformed", "GET /#a HTTP/1.1"),
        ("target-malformed", "GET /a?b#c HTTP/1.1"),
        ("target-malformed", "GET /\t HTTP/1.1"),
        ("target-malformed", "GET /\x7f HTTP/1.1"),
        ("target-malformed", "GET /\0 HTTP/1.1"),
        ("target-malformed", "GET /ä HTTP/1.1"),
        ("target-malformed", "GET /\r HTTP/1.1"),
    ] {
        let head = format!("{line}\r\nHost: d\r\n\r\n");
        assert_eq!(refusal(&head), Some(code), "{line:?}");
    }
    for line in [
        "GET / HTTP/1.1",
        "get / HTTP/1.1",
        "ABCDEFGHIJKLMNOP / HTTP/1.1",
        "PRI / HTTP/1.1",
        "PRINT * HTTP/1.1",
        "GET http://docker/_ping HTTP/1.1",
        "GET /containers/json?filters={\"a\":[\"b\"]} HTTP/1.1",
    ] {
        assert_read(&format!("{line}\r\nHost: d\r\n\r\n"));
    }
}

#[test]
fn what_a_request_head_says_is_what_was_written() {
    let bytes = b"POST /exec/x/start?a=b HTTP/1.1\r\nHost: d\r\nConnection: close, Upgrade\r\nUpgrade: tcp\r\n\
        X-Two: \t a\tb \t\r\ncontent-type:application/json\r\nExpect: 100-continue\r\nx-two:\r\n\
        Content-Length: 12\r\n\r\nrest";
    let (head, end) = read_request(bytes).unwrap().unwrap();

    assert_eq!(&bytes[end..], b"rest");
    assert_eq!(
        (head.method(), head.target()),
        ("POST", "/exec/x/start?a=b")
    );
    assert_eq!(head.body(), RequestBody::Length(12));
    assert_eq!(head.upgrade(), Some("tcp"));
    assert_eq!(head.content_type(), Some(&b"application/json"[..]));
    assert!(head.expects_continue());
    assert!(!head.keep_alive());
    assert_eq!(head.headers().iter().count(), 8);
    assert_eq!(head.headers().find("x-TWO"), Some(&b"a\tb"[..]));
    assert_eq!(
        head.headers().iter().nth(6),
        Some((&b"x-two"[..], &b""[..]))
    );
}

#[test]
fn upgrade_needs_no_connection_header() {
    let head = post("Host: d\r\nUpgrade: tcp\r\n");
    let (head, _) = read_request(head.as_bytes()).unwrap().unwrap();
    assert_eq!(head.upgrade(), Some("tcp"));
    assert!(head.keep_alive());
}

#[test]
fn limits_hold_to_the_byte() {
    let target = |length: usize| {
        format!(
            "GET /{} HTTP/1.1\r\nHost: d\r\n\r\n",
            "a".repeat(length - 1)
        )
    };
    assert_read(&target(MAX_TARGET));
    assert_eq!(refusal(&target(MAX_TARGET + 1)), Some("target-too-long"));
    assert_eq!(
        refusal(&"GET /".repeat(4 * MAX_TARGET)),
        Some("target-too-long")
    );

    let headers = |count: usize| post(&format!("Host: d\r\n{}", "A: b\r\n".repeat(count - 1)));
    assert_read(&headers(100));
    assert_eq!(refusal(&headers(101)), Some("too-many-headers"));

    let head = |length: usize| {
        let rest = length - post("Host: d\r\nA: \r\n").len();
        post(&format!("Host: d\r\nA: {}\r\n", "b".repeat(rest)))
    };
    assert_read(&head(MAX_HEAD));
    assert_eq!(refusal(&head(MAX_HEAD + 1)), Some("head-too-large"));
}

#[test]
fn hopeless_starts_are_refused_before_the_head_is_complete() {
    for (code, start) in [
        ("bare-lf", "GET / HTTP/1.1\n"),
        ("bare-lf", "GET / HTTP/1.1\r\nHost: d\n"),
        ("bare-lf", "\n"),
        ("leading-line", "\r"),
        ("leading-line", "\r\n"),
        ("method-malformed", "\x16"),
        ("method-malformed", "ABCDEFGHIJKLMNOPQ"),
        ("http2-preface", "PRI * HTTP/2"),
        ("http-version", "GET / HTTP/1.0\r\n"),
        ("request-line", "GET /\r\n"),
        ("connect-method", "CONNECT a:1 HTTP/1.1\r\n"),
        ("target-malformed", "GET /# HTTP/1.1\r\n"),
    ] {
        assert_eq!(refusal(start), Some(code), "{start:?}");
    }
    for start in [
        "",
        "G",
        "PRI * HTTP/1",
        "ABCDEFGHIJKLMNOP",
        "GET / HTTP/1.1\r",
        "GET / HTTP/1.1\r\nHo",
    ] {
        assert_eq!(
            read_request(start.as_bytes()).map(|head| head.is_some()),
            Ok(false),
            "{start:?}"
        );
    }
    for (code, start) in [
        ("http-version", "HTTP/1.0 "),
        ("http-version", "HTTP/1.0 200 OK\r\n"),
        ("http-version", "HTTP/2.0 200 OK\r\n"),
        ("status-line", "SSH-2.0-x"),
        ("status-line", "HTTP/1.1 2x0 OK\r\n"),
        ("leading-line", "\r\n"),
        ("bare-lf", "HTTP/1.1 200 OK\n"),
    ] {
        assert_eq!(answer_refusal(start), Some(code), "{start:?}");
    }
}

#[test]
fn responses_are_read_as_strictly() {
    for (code, head) in [
        ("status-line", "HTTP/1.1 099 No\r\n\r\n"),
        ("status-line", "HTTP/1.1 600 No\r\n\r\n"),
        ("status-line", "HTTP/1.1 20 No\r\n\r\n"),
        ("status-line", "HTTP/1.1 2000 No\r\n\r\n"),
        ("status-line", "HTTP/1.1  200 OK\r\n\r\n"),
        ("status-line", "HTTP/1.1 200 O\0K\r\n\r\n"),
        ("status-line", "HTTP/1.1 200 O\rK\r\n\r\n"),
        ("folded-header", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
        ("header-line", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
        ("header-line", "HTTP/1.1 200 OK\r\nA\r\n\r\n"),
        ("header-value", "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n"),
        ("bare-lf", "HTTP/1.1 200 OK\r\nA: b\n\r\n"),
        (
            "content-length-repeated",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        ),
        (
            "content-length-malformed",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        ),
        (
            "length-and-encoding",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "transfer-encoding-unknown",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ),
        (
            "upgrade-malformed",
            "HTTP/1.1 101 UPGRADED\r\nUpgrade: a, b\r\n\r\n",
        ),
    ] {
        assert_eq!(answer_refusal(head), Some(code), "{head:?}");
    }
    for head in [
        "HTTP/1.1 599 Odd\r\n\r\n",
        "HTTP/1.1 100\r\n\r\n",
        "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 Gut gemacht, ä\r\nUpgrade: h2, h2c\r\n\r\n",
    ] {
        let read = read_response(head.as_bytes(), false).unwrap().unwrap();
        assert_eq!(read.1, head.len(), "{head:?}");
    }
}

#[test]
fn reasons_are_kept_as_they_came() {
    for (head, reason) in [
        ("HTTP/1.1 101 UPGRADED\r\n\r\n", "UPGRADED"),
        ("HTTP/1.1 299 Odd  Reason \r\n\r\n", "Odd  Reason "),
        ("HTTP/1.1 200 \r\n\r\n", ""),
        ("HTTP/1.1 200\r\n\r\n", ""),
        ("HTTP/1.1 200 ä\r\n\r\n", "ä"),
    ] {
        let (read, _) = read_response(head.as_bytes(), false).unwrap().unwrap();
        assert_eq!(read.reason(), reason.as_bytes(), "{head:?}");
    }
}

#[test]
fn the_body_of_a_response_follows_from_status_and_request() {
    const LENGTH: &str = "Content-Length: 5\r\n";
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    let empty = |declared| ResponseBody::Empty { declared };
    for (status, fields, to_head, body, keep_alive) in [
        (200, LENGTH, false, ResponseBody::Length(5), true),
        (200, CHUNKED, false, ResponseBody::Chunked, true),
        (200, "", false, ResponseBody::UntilEof, false),
        (404, "", false, ResponseBody::UntilEof, false),
        (200, LENGTH, true, empty(Some(5)), true),
        (200, CHUNKED, true, empty(None), true),
        (200, "", true, empty(None), true),
        (304, LENGTH, false, empty(Some(5)), true),
        (304, "", false, empty(None), true),
        (204, "", false, empty(None), true),
        (204, "Content-Length: 0\r\n", false, empty(None), true),
        (204, LENGTH, false, empty(None), false),
        (204, CHUNKED, false, empty(None), false),
        (100, "", false, empty(None), true),
        (101, "", false, empty(None), true),
        (103, LENGTH, false, empty(None), true),
        (
            200,
            "Connection: Close\r\nContent-Length: 5\r\n",
            false,
            ResponseBody::Length(5),
            false,
        ),
    ] {
        let head = format!("HTTP/1.1 {status} X\r\n{fields}\r\n");
        let (read, _) = read_response(head.as_bytes(), to_head).unwrap().unwrap();
        assert_eq!(
            (read.body(), read.keep_alive()),
            (body, keep_alive),
            "{head:?} {to_head}"
        );
    }
}

#[test]
fn only_a_101_switches() {
    for (status, upgrade) in [(101, Some("tcp")), (200, None), (426, None)] {
        let head = format!("HTTP/1.1 {status} X\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        let (read, _) = read_response(head.as_bytes(), false).unwrap().unwrap();
        assert_eq!(read.upgrade(), upgrade);
    }
}

#[test]
fn of_two_content_types_in_a_response_none_is_believed() {
    let head = |fields| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    let one = head("Content-Type: a/b\r\n");
    let two = head("Content-Type: a/b\r\nContent-Type: a/b\r\n");
    let content_type = |head: &str| {
        let (read, _) = read_response(head.as_bytes(), false).unwrap().unwrap();
        read.content_type().map(<[u8]>::to_vec)
    };
    assert_eq!(content_type(&one), Some(b"a/b".to_vec()));
    assert_eq!(content_type(&two), None);
}

#[test]
fn recorded_clients_are_all_read() {
    let heads = corpus::requests();
    assert!(heads.len() > 100);
    for head in &heads {
        let text = String::from_utf8_lossy(head);
        let (read, end) = read_request(head).expect(&text).expect(&text);
        assert_eq!(end, head.len(), "{text}");
        assert_eq!(
            read.headers().iter().count(),
            text.lines().count() - 2,
            "{text}"
        );
        assert!(read.keep_alive(), "{text}");
    }
}

#[test]
fn recorded_engines_are_all_read_with_the_body_that_followed() {
    let answers = corpus::answers();
    assert!(answers.len() > 40);
    for (framing, to_head, head) in &answers {
        let text = String::from_utf8_lossy(head);
        let (read, end) = read_response(head, *to_head).expect(&text).expect(&text);
        assert_eq!(end, head.len(), "{text}");
        match (framing.as_str(), read.body()) {
            ("none", ResponseBody::Empty { .. })
            | ("length", ResponseBody::Length(_))
            | ("chunked", ResponseBody::Chunked)
            | ("raw", ResponseBody::UntilEof) => {}
            ("raw", ResponseBody::Empty { .. }) if read.status() == 101 => {
                assert!(read.upgrade().is_some(), "{text}");
            }
            (framing, body) => panic!("{framing} was {body:?}: {text}"),
        }
    }
}

#[test]
fn a_head_in_pieces_is_the_same_head() {
    for head in corpus::requests() {
        let whole = format!("{:?}", read_request(&head).unwrap().unwrap());
        let mut scan = Scan::default();
        for cut in 0..head.len() {
            assert!(read_request(&head[..cut]).unwrap().is_none());
            assert!(scan.request(&head[..cut]).unwrap().is_none());
        }
        assert_eq!(
            format!("{:?}", scan.request(&head).unwrap().unwrap()),
            whole
        );
    }
    for (_, to_head, head) in corpus::answers() {
        let whole = format!("{:?}", read_response(&head, to_head).unwrap().unwrap());
        let mut scan = Scan::default();
        for cut in 0..head.len() {
            assert!(scan.response(&head[..cut], to_head).unwrap().is_none());
        }
        assert_eq!(
            format!("{:?}", scan.response(&head, to_head).unwrap().unwrap()),
            whole
        );
    }
}

#[test]
fn codes_are_distinct_and_kebab_case() {
    let mut codes: Vec<_> = corpus::EVERY_REFUSAL.iter().map(BadHead::code).collect();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    for bad in corpus::EVERY_REFUSAL {
        assert!(
            bad.code()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        );
        assert!((400..=505).contains(&bad.status()));
        let message = bad.to_string();
        assert!(!message.ends_with('.') && !message.is_empty(), "{message}");
    }
}
