//! Requests written byte by byte, one to a connection.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What a person reads.
    pub(super) fn message(&self) -> String {
        let message = self.json()["message"].clone();
        message.as_str().unwrap_or_default().to_owned()
    }
}

/// `POST` with a JSON body.
pub(super) fn post(socket: &Path, target: &str, body: &str) -> Answer {
    send(
        socket,
        &framed(
            "POST",
            target,
            &["Content-Type: application/json"],
            body.as_bytes(),
        ),
    )
}

/// A request without a body.
pub(super) fn ask(socket: &Path, method: &str, target: &str) -> Answer {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    send(socket, head.as_bytes())
}

/// A request with these headers, and a body of announced length.
pub(super) fn framed(method: &str, target: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    let mut request = head(method, target, &[headers, &[&length]].concat());
    request.extend_from_slice(body);
    request
}

/// A request with these headers, and a body in chunks of a few bytes.
pub(super) fn chunked(method: &str, target: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let coding = "Transfer-Encoding: chunked";
    let mut request = head(method, target, &[headers, &[coding]].concat());
    for chunk in body.chunks(7) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

fn head(method: &str, target: &str, headers: &[&str]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: docker\r\n");
    if !headers
        .iter()
        .any(|header| header.starts_with("Connection:"))
    {
        head.push_str("Connection: close\r\n");
    }
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Sends it all and reads until the other side closes.
pub(super) fn send(socket: &Path, request: &[u8]) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).unwrap();
    stream.set_write_timeout(patience).unwrap();
    // Who refuses early need not read to the end.
    let sent = stream.write_all(request);
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    assert!(!bytes.is_empty(), "no answer: sent {sent:?}, read {read:?}");
    parse(&bytes)
}

/// The last answer, after interim ones.
fn parse(bytes: &[u8]) -> Answer {
    let end = bytes
        .windows(4)
        .position(|at| at == b"\r\n\r\n")
        .unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(end);
    let rest = rest.get(4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let status: u16 = status.unwrap_or_else(|| panic!("not an answer: {head}"));
    if status == 100 {
        return parse(rest);
    }
    let chunks = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if chunks { joined(rest) } else { rest.to_vec() };
    let body = String::from_utf8_lossy(&body).into_owned();
    Answer { status, head, body }
}

fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|at| at == b"\r\n") {
        let size = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
        let size = usize::from_str_radix(&size, 16).unwrap_or(0);
        let Some(chunk) = rest.get(end + 2..end + 2 + size).filter(|_| size > 0) else {
            break;
        };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    body
}
