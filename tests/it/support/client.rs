//! A client that sends any bytes at all and reads answers to their end, never for ever.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::DEADLINE;
use super::http::{Body, Head, head_end, whole_body};

/// A connection to the gate.
#[derive(Debug)]
pub(crate) struct Client {
    stream: UnixStream,
    carry: Vec<u8>,
    /// The next answer is to a HEAD request.
    to_head: bool,
}

/// How an answer's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As its head said.
    Complete,
    /// The connection ended first.
    Truncated,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// The 1xx that came first.
    pub(crate) interim: Vec<u16>,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    /// The body as it was on the wire, chunk heads included.
    pub(crate) raw_body: Vec<u8>,
    pub(crate) ended: Ended,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.head.status()
    }
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// The `message` of Docker's error shape.
    pub(crate) fn message(&self) -> String {
        let value: serde_json::Value = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()));
        assert_eq!(
            self.head.get("content-type"),
            Some("application/json"),
            "{:?}",
            self.head
        );
        value["message"]
            .as_str()
            .unwrap_or_else(|| panic!("no message: {value}"))
            .to_owned()
    }
}

impl Client {
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self {
            stream,
            carry: Vec::new(),
            to_head: false,
        }
    }

    /// Sends these very bytes.
    pub(crate) fn send_raw(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.to_head = bytes.starts_with(b"HEAD ");
        self.stream.write_all(bytes).unwrap();
        self
    }

    /// Sends bytes that may be refused half-way; says whether all were taken.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends a request without a body.
    pub(crate) fn send(&mut self, method: &str, target: &str) -> &mut Self {
        self.send_raw(format!(
            "{method} {target} HTTP/1.1\r\nHost: docker\r\nUser-Agent: test\r\n\r\n"
        ))
    }

    /// A request without a body and its answer.
    pub(crate) fn ask(&mut self, method: &str, target: &str) -> Response {
        self.send(method, target).read_response()
    }

    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.ask("GET", target)
    }

    /// A request with a JSON body and its answer.
    pub(crate) fn post(&mut self, target: &str, json: &str) -> Response {
        let length = json.len();
        self.send_raw(format!(
            "POST {target} HTTP/1.1\r\nHost: docker\r\nUser-Agent: test\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
        ))
        .read_response()
    }

    /// Reads one answer, body and all.
    pub(crate) fn read_response(&mut self) -> Response {
        let (interim, head) = self.read_head();
        let framing = head.response_body(self.to_head);
        self.to_head = false;
        loop {
            if let Some((body, used)) = whole_body(framing, &self.carry) {
                let raw_body = self.carry.drain(..used).collect();
                return Response {
                    interim,
                    head,
                    body,
                    raw_body,
                    ended: Ended::Complete,
                };
            }
            if !self.fill() {
                let raw_body = std::mem::take(&mut self.carry);
                let whole = framing == Body::UntilEof;
                let ended = if whole {
                    Ended::Complete
                } else {
                    Ended::Truncated
                };
                return Response {
                    interim,
                    head,
                    body: raw_body.clone(),
                    raw_body,
                    ended,
                };
            }
        }
    }

    /// Reads one head and leaves its body unread. The 1xx before it come along, a 101 is final.
    pub(crate) fn read_head(&mut self) -> (Vec<u16>, Head) {
        let mut interim = Vec::new();
        loop {
            let Some(end) = head_end(&self.carry) else {
                assert!(
                    self.fill(),
                    "the gate closed without an answer; it sent {:?}",
                    self.text()
                );
                continue;
            };
            let raw: Vec<u8> = self.carry.drain(..end).collect();
            let head = Head::read(&raw);
            match head.status() {
                101 | 200.. => return (interim, head),
                early => interim.push(early),
            }
        }
    }

    /// Reads one 1xx that is not a 101, which must be the next thing to come.
    pub(crate) fn read_interim(&mut self) -> u16 {
        loop {
            if let Some(end) = head_end(&self.carry) {
                let raw: Vec<u8> = self.carry.drain(..end).collect();
                let status = Head::read(&raw).status();
                assert!(
                    (100..200).contains(&status) && status != 101,
                    "not a 1xx: {status}"
                );
                return status;
            }
            assert!(self.fill(), "the gate closed without a 1xx");
        }
    }

    /// Exactly this much of what comes next.
    pub(crate) fn read_exact(&mut self, count: usize) -> Vec<u8> {
        while self.carry.len() < count {
            assert!(
                self.fill(),
                "the gate closed after {} of {count} bytes",
                self.carry.len()
            );
        }
        self.carry.drain(..count).collect()
    }

    /// Everything up to the gate's end of file.
    pub(crate) fn read_to_eof(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.carry)
    }

    /// Whatever comes next: an answer as text, or the rest of a connection that is closing.
    pub(crate) fn read_to_eof_or_answer(&mut self) -> String {
        while head_end(&self.carry).is_none() {
            if !self.fill() {
                return self.text();
            }
        }
        let answer = self.read_response();
        format!("{:?}{}", answer.head, answer.text())
    }

    /// The status of the next answer, whose body is left unread; `None` when the gate closed first.
    pub(crate) fn status_or_end(&mut self) -> Option<u16> {
        while head_end(&self.carry).is_none() {
            if !self.fill() {
                return None;
            }
        }
        Some(self.read_head().1.status())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// The gate closes, without another byte.
    pub(crate) fn expect_closed(&mut self) {
        let rest = self.read_to_eof();
        assert!(
            rest.is_empty(),
            "expected the end, got {:?}",
            String::from_utf8_lossy(&rest)
        );
    }

    /// Right now nothing is there to be read and the gate has not closed.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut fds = [PollFd::new(&self.stream, PollFlags::IN | PollFlags::RDHUP)];
        let none = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        self.carry.is_empty() && poll(&mut fds, Some(&none)).unwrap() == 0
    }

    /// Two handles on one connection, for full duplex.
    pub(crate) fn writer(&self) -> UnixStream {
        self.stream.try_clone().unwrap()
    }

    fn fill(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.carry.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!(
                    "waited {DEADLINE:?} for the gate; it sent {:?}",
                    self.text()
                )
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset) => false,
            Err(error) => panic!("reading from the gate: {error}"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.carry).into_owned()
    }
}
