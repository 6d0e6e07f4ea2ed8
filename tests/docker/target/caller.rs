//! Requests over one connection, which is made anew when the other side closes it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

pub(super) struct Caller {
    socket: PathBuf,
    stream: UnixStream,
}

impl Caller {
    pub(super) fn at(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        Self {
            socket: socket.to_owned(),
            stream,
        }
    }

    /// Sends a request with this JSON body, and reads the whole answer.
    pub(super) fn call(&mut self, method: &str, target: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more(&mut bytes, target);
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let value = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        let body = if value("transfer-encoding").is_some() {
            self.chunks(&mut bytes, end, target)
        } else {
            let length = value("content-length").map_or(0, |length| length.parse().unwrap());
            while bytes.len() < end + length {
                self.more(&mut bytes, target);
            }
            bytes[end..].to_vec()
        };
        if value("connection").is_some_and(|value| value == "close") {
            *self = Self::at(&self.socket);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    /// The document of an answer that must be a good one.
    pub(super) fn json(&mut self, method: &str, target: &str, body: &str) -> Value {
        let (status, text) = self.call(method, target, body);
        assert!(
            (200..300).contains(&status),
            "{method} {target}: {status} {text}"
        );
        serde_json::from_str(&text).unwrap()
    }

    /// Sends one request over a connection of its own, and reads what is said of a failure; what an
    /// answer brings, which may be a stream, is left alone.
    pub(super) fn once(socket: &Path, method: &str, target: &str, body: &str) -> (u16, String) {
        let mut caller = Self::at(socket);
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        caller.stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            caller.more(&mut bytes, target);
        }
        let head = String::from_utf8_lossy(&bytes);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status >= 400 {
            caller.stream.read_to_end(&mut bytes).unwrap();
        }
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    fn chunks(&mut self, bytes: &mut Vec<u8>, start: usize, target: &str) -> Vec<u8> {
        let (mut at, mut body) = (start, Vec::new());
        loop {
            let line = loop {
                let rest = &bytes[at..];
                if let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
                    break line;
                }
                self.more(bytes, target);
            };
            let size = std::str::from_utf8(&bytes[at..at + line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            at += line + 2;
            while bytes.len() < at + size + 2 {
                self.more(bytes, target);
            }
            body.extend_from_slice(&bytes[at..at + size]);
            at += size + 2;
            if size == 0 {
                return body;
            }
        }
    }

    fn more(&mut self, bytes: &mut Vec<u8>, target: &str) {
        let mut piece = [0; 4096];
        let count = self.stream.read(&mut piece).unwrap();
        assert!(count > 0, "{target}: closed in the middle");
        bytes.extend_from_slice(&piece[..count]);
    }
}
