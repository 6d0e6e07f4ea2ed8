//! A head written anew from its parsed form: hop-by-hop headers stripped, framing and connection
//! ours.
//!
//! Nothing of the received head is copied but methods, reasons and the end-to-end header lines,
//! each of which was read as exactly that. So whatever a client put around them cannot reach the
//! engine, and the two sides of the gate cannot come to disagree about where a message ends.
//!
//! Order and case of the headers that pass stay as they came; blanks around values do not.
//!
//! Byte pushes only: a head is written for every call, and `format!` would be half of its price.

#[cfg(test)]
mod tests;

use super::framing::{RequestBody, ResponseBody};
use super::head::{Headers, options};

/// What `Connection` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection<'a> {
    /// Nothing: HTTP/1.1 keeps it open.
    KeepAlive,
    /// `Connection: close`.
    Close,
    /// `Connection: Upgrade` and `Upgrade: token`.
    Upgrade(&'a str),
}

/// Appends a request head. `target` writes the canonical target. `expect` keeps `Expect: 100-continue`.
pub fn request(
    out: &mut Vec<u8>,
    method: &str,
    target: impl FnOnce(&mut Vec<u8>),
    headers: Headers<'_>,
    body: RequestBody,
    connection: Connection<'_>,
    expect: bool,
) {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    target(out);
    // Docker ignores the host, Go insists on one.
    out.extend_from_slice(b" HTTP/1.1\r\nHost: docker\r\n");
    // SECURITY: `_` and `-` are one and the same to programs that keep headers in
    // environment variables, so `Content_Length` could pass for what it is not.
    end_to_end(out, headers, |name| !name.contains(&b'_'));
    match body {
        RequestBody::None => {}
        RequestBody::Length(length) => content_length(out, length),
        RequestBody::Chunked => out.extend_from_slice(CHUNKED),
    }
    if expect {
        out.extend_from_slice(b"Expect: 100-continue\r\n");
    }
    connection.write(out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a response head.
pub fn response(
    out: &mut Vec<u8>,
    status: u16,
    reason: &[u8],
    headers: Headers<'_>,
    body: ResponseBody,
    connection: Connection<'_>,
) {
    status_line(out, status, reason);
    end_to_end(out, headers, |_| true);
    match body {
        ResponseBody::Empty { declared: None } | ResponseBody::UntilEof => {}
        ResponseBody::Empty {
            declared: Some(length),
        }
        | ResponseBody::Length(length) => content_length(out, length),
        ResponseBody::Chunked => out.extend_from_slice(CHUNKED),
    }
    connection.write(out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a `100 Continue`.
pub fn continue_100(out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Appends an answer of our own, body included; `to_head` leaves the body out but tells its length.
pub fn simple(
    out: &mut Vec<u8>,
    status: u16,
    headers: &[(&str, &str)],
    content_type: &str,
    body: &[u8],
    connection: Connection<'_>,
    to_head: bool,
) {
    status_line(out, status, phrase(status).as_bytes());
    for (name, value) in headers {
        // SECURITY: a value may have been learned from somewhere; it must not end its line.
        if !value.bytes().any(|byte| byte.is_ascii_control()) {
            field(out, name.as_bytes(), value.as_bytes());
        }
    }
    field(out, b"Content-Type", content_type.as_bytes());
    content_length(out, u64::try_from(body.len()).unwrap_or(u64::MAX));
    connection.write(out);
    out.extend_from_slice(b"\r\n");
    if !to_head {
        out.extend_from_slice(body);
    }
}

/// The reason phrase of a status that we answer ourselves (RFC 9110 §15); else empty.
pub fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

// === impl Connection ===

impl Connection<'_> {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::KeepAlive => {}
            Self::Close => out.extend_from_slice(b"Connection: close\r\n"),
            Self::Upgrade(token) => {
                out.extend_from_slice(b"Connection: Upgrade\r\n");
                field(out, b"Upgrade", token.as_bytes());
            }
        }
    }
}

/// Appends the headers that go on to the other side, if `passes` has nothing against their names.
fn end_to_end(out: &mut Vec<u8>, headers: Headers<'_>, passes: impl Fn(&[u8]) -> bool) {
    for line in headers.lines() {
        if ends_here(line.name, headers) || !passes(line.name) {
            continue;
        }
        // As nearly every program writes it, a line is as we would write it.
        if line.is_plain() {
            out.extend_from_slice(line.bytes);
        } else {
            field(out, line.name, line.value);
        }
    }
}

/// Whether a header is meant for this hop alone (RFC 9110 §7.6.1), or is one that we write anew.
fn ends_here(name: &[u8], headers: Headers<'_>) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    let hop = match name.len() {
        2 => is("TE"),
        4 => is("Host"),
        6 => is("Expect"),
        7 => is("Upgrade") || is("Trailer"),
        10 => is("Connection") || is("Keep-Alive"),
        14 => is("Content-Length") || is("HTTP2-Settings"),
        17 => is("Transfer-Encoding"),
        _ => false,
    };
    hop || is_proxys(name) || (headers.nominates() && is_nominated(name, headers))
}

/// `Proxy-Authorization`, `Proxy-Connection` and their like.
fn is_proxys(name: &[u8]) -> bool {
    matches!(name, [b'P' | b'p', ..])
        && name
            .get(.."Proxy-".len())
            .is_some_and(|start| start.eq_ignore_ascii_case(b"Proxy-"))
}

/// Whether a `Connection` line names this header.
fn is_nominated(name: &[u8], headers: Headers<'_>) -> bool {
    headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(b"Connection"))
        .flat_map(|(_, value)| options(value))
        .any(|option| option.eq_ignore_ascii_case(name))
}

fn status_line(out: &mut Vec<u8>, status: u16, reason: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.get_mut(start..).unwrap_or_default().reverse();
}

const CHUNKED: &[u8] = b"Transfer-Encoding: chunked\r\n";
