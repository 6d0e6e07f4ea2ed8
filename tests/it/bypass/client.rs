//! A client that never panics and never waits for ever: whatever goes wrong is a fault of the case,
//! told with all the others.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connection to the gate.
pub(crate) struct Client {
    stream: UnixStream,
    held: Vec<u8>,
    /// Everything that was read, for a report.
    pub(crate) seen: Vec<u8>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
    /// It ended before its end.
    pub(crate) cut: bool,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cut = if self.cut { " (cut)" } else { "" };
        let body = &self.body[..self.body.len().min(400)];
        write!(f, "{:?}{}{cut}", self.head, body.escape_ascii())
    }
}

impl Client {
    pub(crate) fn new(stream: UnixStream, patience: Duration) -> Self {
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.set_write_timeout(Some(patience)).unwrap();
        Self {
            stream,
            held: Vec::new(),
            seen: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream
            .write_all(bytes)
            .map_err(|error| format!("sending: {error}"))
    }

    pub(crate) fn half_close(&mut self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    fn head(&mut self) -> Result<(u16, String), String> {
        let end = loop {
            if let Some(at) = self.held.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill()? {
                return Err(format!(
                    "no answer, but: {:?}",
                    self.held.escape_ascii().to_string()
                ));
            }
        };
        let head: Vec<u8> = self.held.drain(..end).collect();
        let head: String = head.into_iter().map(char::from).collect();
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        let status = status.and_then(|digits| digits.parse().ok());
        status
            .map(|status| (status, head.clone()))
            .ok_or(format!("not a status line: {head:?}"))
    }

    pub(crate) fn interim(&mut self, wanted: u16) -> Result<(), String> {
        let (status, head) = self.head()?;
        if status == wanted {
            Ok(())
        } else {
            Err(format!("expected {wanted}, got {head:?}"))
        }
    }

    pub(crate) fn answer(&mut self, to_head: bool) -> Result<Answer, String> {
        let (mut status, mut head) = self.head()?;
        while (100..200).contains(&status) && status != 101 {
            (status, head) = self.head()?;
        }
        let field = |name: &str| {
            let lines = head
                .split("\r\n")
                .skip(1)
                .filter_map(|line| line.split_once(": "));
            let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_owned())
        };
        let (length, coding) = (field("content-length"), field("transfer-encoding"));
        if length.is_some() && coding.is_some() {
            return Err(format!("both framings: {head:?}"));
        }
        let mut cut = false;
        let body = if to_head || matches!(status, 101 | 204 | 304) {
            Vec::new()
        } else if coding.is_some() {
            self.chunks().unwrap_or_else(|_| {
                cut = true;
                std::mem::take(&mut self.held)
            })
        } else if let Some(length) = length {
            let length: usize = length.parse().map_err(|_| format!("a length? {head:?}"))?;
            while self.held.len() < length && !cut {
                cut = !self.fill()?;
            }
            let length = length.min(self.held.len());
            self.held.drain(..length).collect()
        } else if is_stream(&head) {
            Vec::new()
        } else {
            self.rest()
        };
        Ok(Answer {
            status,
            head,
            body,
            cut,
        })
    }

    fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = self.held.windows(2).position(|two| two == b"\r\n") {
                    break at;
                }
                if !self.fill()? {
                    return Err("cut".into());
                }
            };
            let size = String::from_utf8_lossy(&self.held[..end]).into_owned();
            let size = usize::from_str_radix(&size, 16).map_err(|_| format!("a size? {size:?}"))?;
            while self.held.len() < end + 2 + size + 2 {
                if !self.fill()? {
                    return Err("cut".into());
                }
            }
            let chunk: Vec<u8> = self.held.drain(..end + 2 + size + 2).collect();
            body.extend_from_slice(&chunk[end + 2..end + 2 + size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    pub(crate) fn exactly(&mut self, wanted: &[u8]) -> Result<(), String> {
        while self.held.len() < wanted.len() && self.fill()? {}
        let got: Vec<u8> = self
            .held
            .drain(..wanted.len().min(self.held.len()))
            .collect();
        if got == wanted {
            Ok(())
        } else {
            Err(format!(
                "expected {}, got {}",
                wanted.escape_ascii(),
                got.escape_ascii()
            ))
        }
    }

    pub(crate) fn closed(&mut self) -> Result<(), String> {
        while self.held.is_empty() {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(_) => return Err("the gate does not close".into()),
            }
        }
        Err(format!(
            "more instead of the end: {}",
            self.held.escape_ascii()
        ))
    }

    /// Everything up to the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill().unwrap_or(false) {}
        std::mem::take(&mut self.held)
    }

    fn fill(&mut self) -> Result<bool, String> {
        let mut room = [0; 16 * 1024];
        match self.stream.read(&mut room) {
            Ok(count) => {
                self.held.extend_from_slice(&room[..count]);
                self.seen.extend_from_slice(&room[..count.min(4000)]);
                Ok(count > 0)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err("waited in vain for the gate".into())
            }
            Err(_) => Ok(false),
        }
    }
}

/// Docker's hijack without an upgrade: what follows the head is the stream.
fn is_stream(head: &str) -> bool {
    let fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
    let mut types = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let only = (types.next(), types.next());
    matches!(only, (Some((_, "application/vnd.docker.raw-stream")), None))
}
