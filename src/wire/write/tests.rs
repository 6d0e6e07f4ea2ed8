//! What is written, to the byte.

use super::{Connection, continue_100, request, response, simple};
use crate::wire::framing::{RequestBody, ResponseBody};
use crate::wire::head::{read_request, read_response};

/// The request as it leaves for the engine.
fn forwarded(head: &str, body: RequestBody, connection: Connection<'_>, expect: bool) -> String {
    let (read, _) = read_request(head.as_bytes()).unwrap().unwrap();
    let mut out = Vec::new();
    let target = |out: &mut Vec<u8>| out.extend_from_slice(b"/v1.51/canonical");
    request(
        &mut out,
        read.method(),
        target,
        read.headers(),
        body,
        connection,
        expect,
    );
    String::from_utf8(out).unwrap()
}

fn answered(head: &str, to_head: bool) -> String {
    let (read, _) = read_response(head.as_bytes(), to_head).unwrap().unwrap();
    let mut out = Vec::new();
    let connection = match read.upgrade() {
        Some(token) => Connection::Upgrade(token),
        None => Connection::KeepAlive,
    };
    response(
        &mut out,
        read.status(),
        read.reason(),
        read.headers(),
        read.body(),
        connection,
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn end_to_end_headers_pass_in_order_and_case() {
    let head = "POST /x HTTP/1.1\r\nx-B:  1\r\nHost: a\r\nX-a: 2\r\nX-b: \t\r\nX-Registry-Auth: e30=\r\n\r\n";
    assert_eq!(
        forwarded(head, RequestBody::Length(0), Connection::KeepAlive, false),
        "POST /v1.51/canonical HTTP/1.1\r\nHost: docker\r\nx-B: 1\r\nX-a: 2\r\nX-b: \r\n\
         X-Registry-Auth: e30=\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn headers_of_this_hop_end_here() {
    let head = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Own\r\nKeep-Alive: 5\r\nX-Own: 1\r\n\
        x-own: 2\r\nX-Owned: 3\r\nProxy-Connection: k\r\nproxy-authorization: p\r\nTE: trailers\r\nTrailer: T\r\n\
        Upgrade: tcp\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nHTTP2-Settings: A\r\n\
        Content_Length: 5\r\nX_Y: z\r\nProxied: yes\r\n\r\n";
    assert_eq!(
        forwarded(head, RequestBody::Chunked, Connection::KeepAlive, false),
        "POST /v1.51/canonical HTTP/1.1\r\nHost: docker\r\nX-Owned: 3\r\nProxied: yes\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
}

#[test]
fn framing_and_connection_are_ours() {
    let head = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    for (body, connection, expect, lines) in [
        (RequestBody::None, Connection::KeepAlive, false, ""),
        (
            RequestBody::None,
            Connection::Close,
            false,
            "Connection: close\r\n",
        ),
        (
            RequestBody::Length(u64::MAX),
            Connection::KeepAlive,
            false,
            "Content-Length: 18446744073709551615\r\n",
        ),
        (
            RequestBody::Length(10),
            Connection::KeepAlive,
            true,
            "Content-Length: 10\r\nExpect: 100-continue\r\n",
        ),
        (
            RequestBody::Chunked,
            Connection::Upgrade("h2c"),
            false,
            "Transfer-Encoding: chunked\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
        ),
    ] {
        assert_eq!(
            forwarded(head, body, connection, expect),
            format!("GET /v1.51/canonical HTTP/1.1\r\nHost: docker\r\n{lines}\r\n")
        );
    }
}

#[test]
fn answers_keep_their_status_reason_and_headers() {
    for (head, to_head, written) in [
        (
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: a/b\r\nconnection: upgrade\r\nUpgrade: tcp\r\n\r\n",
            false,
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: a/b\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nX_Y: z\r\nKeep-Alive: 5\r\nContent-Length: 3\r\nDate: now\r\n\r\n",
            false,
            "HTTP/1.1 200 OK\r\nX_Y: z\r\nDate: now\r\nContent-Length: 3\r\n\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
            true,
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
            false,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
        ),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            false,
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        (
            "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n",
            false,
            "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\n\r\n",
            false,
            "HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\n\r\n",
        ),
    ] {
        assert_eq!(answered(head, to_head), written);
    }
}

#[test]
fn our_own_answers_are_complete() {
    let mut out = Vec::new();
    let headers = [("Api-Version", "1.51"), ("X-Bad", "a\r\nInjected: b")];
    simple(
        &mut out,
        403,
        &headers,
        "application/json",
        b"{}",
        Connection::Close,
        false,
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 403 Forbidden\r\nApi-Version: 1.51\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    );
}

#[test]
fn our_own_answer_to_a_head_tells_the_length_and_sends_no_body() {
    let mut out = Vec::new();
    simple(
        &mut out,
        403,
        &[],
        "application/json",
        b"{}",
        Connection::KeepAlive,
        true,
    );
    assert!(out.ends_with(b"Content-Length: 2\r\n\r\n"));
    let (read, end) = read_response(&out, true).unwrap().unwrap();
    assert_eq!(
        (end, read.body()),
        (out.len(), ResponseBody::Empty { declared: Some(2) })
    );
}

#[test]
fn every_status_we_answer_with_has_a_phrase() {
    for status in [400, 403, 408, 413, 414, 417, 431, 500, 501, 502, 503, 505] {
        assert!(!super::phrase(status).is_empty(), "{status}");
    }
}

#[test]
fn a_hundred_is_a_head_by_itself() {
    let mut out = Vec::new();
    continue_100(&mut out);
    let (read, end) = read_response(&out, false).unwrap().unwrap();
    assert_eq!((read.status(), end), (100, out.len()));
}
