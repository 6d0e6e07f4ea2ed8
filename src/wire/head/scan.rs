//! Finding the end of a head while it arrives, and refusing what can be refused before that.
//!
//! A caller who sends one byte at a time must not make each byte cost a look at all before it, and
//! one who sends a bare LF must be told at once: its own parser thinks that the head is complete
//! and waits for an answer.

use super::{
    BadHead, MAX_HEAD, MAX_HEADERS, MAX_METHOD, MAX_TARGET, RequestHead, ResponseHead, fields,
};

/// How far a head has been looked at. One value serves one head; then a new one is due.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    /// Bytes looked at.
    seen: usize,
    /// Where the line being read starts.
    line_at: usize,
    /// Complete lines.
    lines: usize,
    /// Where the header lines start.
    fields_at: usize,
    /// Where the head ends.
    end: Option<usize>,
}

#[derive(Clone, Copy)]
enum Side {
    Request,
    Response,
}

impl Scan {
    /// As [`super::read_request`]: `bytes` are all bytes since the start of the head, those of
    /// earlier calls included.
    pub fn request<'h>(
        &mut self,
        bytes: &'h [u8],
    ) -> Result<Option<(RequestHead<'h>, usize)>, BadHead> {
        let Some(end) = self.find_end(bytes, Side::Request)? else {
            return Ok(None);
        };
        let head = bytes.get(..end).ok_or(BadHead::RequestLine)?;
        Ok(Some((RequestHead::parse(head, self.fields_at)?, end)))
    }

    /// As [`super::read_response`]: `bytes` are all bytes since the start of the head, those of
    /// earlier calls included.
    pub fn response<'h>(
        &mut self,
        bytes: &'h [u8],
        to_head: bool,
    ) -> Result<Option<(ResponseHead<'h>, usize)>, BadHead> {
        let Some(end) = self.find_end(bytes, Side::Response)? else {
            return Ok(None);
        };
        let head = bytes.get(..end).ok_or(BadHead::StatusLine)?;
        Ok(Some((
            ResponseHead::parse(head, self.fields_at, to_head)?,
            end,
        )))
    }

    fn find_end(&mut self, bytes: &[u8], side: Side) -> Result<Option<usize>, BadHead> {
        let window = bytes.get(..MAX_HEAD).unwrap_or(bytes);
        while self.end.is_none() {
            let unseen = window.get(self.seen..).unwrap_or_default();
            let Some(ahead) = memchr::memchr(b'\n', unseen) else {
                break;
            };
            let lf = self.seen + ahead;
            let line = window.get(self.line_at..lf).unwrap_or_default();
            self.seen = lf + 1;
            self.line_at = lf + 1;
            self.line(line, side)?;
        }
        if self.end.is_some() {
            return Ok(self.end);
        }
        self.seen = window.len();
        if self.lines == 0 {
            side.hopeless(window)?;
        }
        if bytes.len() >= MAX_HEAD {
            return Err(BadHead::TooLarge);
        }
        Ok(None)
    }

    /// Takes note of one line, given without its LF.
    fn line(&mut self, line: &[u8], side: Side) -> Result<(), BadHead> {
        let line = line.strip_suffix(b"\r").ok_or(BadHead::BareLf)?;
        match (self.lines, line.is_empty()) {
            (0, true) => return Err(BadHead::LeadingLine),
            (0, false) => {
                side.first_line(line)?;
                self.fields_at = self.line_at;
            }
            (_, true) => self.end = Some(self.line_at),
            (lines, false) if lines > MAX_HEADERS => return Err(BadHead::TooManyHeaders),
            (_, false) => {}
        }
        self.lines += 1;
        Ok(())
    }
}

/// The reason phrase of a response head whose first line ends at `fields_at`.
pub(super) fn reason(head: &[u8], fields_at: usize) -> &[u8] {
    let line = head.get(..fields_at).unwrap_or_default();
    let line = line.strip_suffix(b"\r\n").unwrap_or_default();
    // INVARIANT: `Side::first_line` saw `HTTP/1.1 DDD`, then nothing or a space.
    line.get(b"HTTP/1.1 200 ".len()..).unwrap_or_default()
}

// === impl Side ===

impl Side {
    fn first_line(self, line: &[u8]) -> Result<(), BadHead> {
        match self {
            Self::Request => request_line(line),
            Self::Response => status_line(line),
        }
    }

    /// Whether an incomplete first line is already past saving.
    fn hopeless(self, start: &[u8]) -> Result<(), BadHead> {
        match self {
            Self::Request => hopeless_request(start),
            Self::Response => match start.get(.."HTTP/1.1 ".len()) {
                Some(b"HTTP/1.1 ") | None => Ok(()),
                Some(_) => Err(unknown_status_line(start)),
            },
        }
    }
}

/// `method SP target SP HTTP/1.1` (RFC 9112 §3), with exactly these spaces.
fn request_line(line: &[u8]) -> Result<(), BadHead> {
    let Some(line) = line.strip_suffix(b" HTTP/1.1") else {
        return Err(unknown_request_line(line));
    };
    let space = memchr::memchr(b' ', line).ok_or(BadHead::RequestLine)?;
    let (method, target) = line.split_at_checked(space).ok_or(BadHead::RequestLine)?;
    let target = target.get(1..).unwrap_or_default();
    if method.is_empty() || method.len() > MAX_METHOD || !fields::is_token(method) {
        return Err(BadHead::Method);
    }
    // SECURITY: a CONNECT tunnel would carry whatever follows past the policy.
    if method.eq_ignore_ascii_case(b"CONNECT") {
        return Err(BadHead::Connect);
    }
    if target.is_empty() {
        return Err(BadHead::RequestLine);
    }
    if target.len() > MAX_TARGET {
        return Err(BadHead::TargetTooLong);
    }
    // SECURITY: Go keeps `#` as part of the query while other readers cut the target there.
    // Without an early exit the loop runs on many bytes at once.
    let allowed = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
    if !target.iter().fold(true, |all, byte| all & allowed(byte)) {
        return Err(BadHead::Target);
    }
    Ok(())
}

/// Why a request line does not end in ` HTTP/1.1`.
fn unknown_request_line(line: &[u8]) -> BadHead {
    if line.starts_with(H2_PREFACE) {
        return BadHead::Http2;
    }
    let last = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    match last.get(.."HTTP/".len()) {
        Some(protocol) if protocol.eq_ignore_ascii_case(b"HTTP/") => BadHead::Version,
        _ => BadHead::RequestLine,
    }
}

fn hopeless_request(start: &[u8]) -> Result<(), BadHead> {
    // Room for the longest line that would be read: two spaces, `HTTP/1.1` and CR.
    const LONGEST: usize = MAX_METHOD + MAX_TARGET + 11;
    match start.first() {
        None => return Ok(()),
        // A single CR may still become a blank line; with what follows it is one or worse.
        Some(b'\r') => return Err(BadHead::LeadingLine),
        // A TLS hello, for one.
        Some(first) if !fields::is_token(&[*first]) => return Err(BadHead::Method),
        Some(_) => {}
    }
    if start.starts_with(H2_PREFACE) {
        return Err(BadHead::Http2);
    }
    match start.get(..=MAX_METHOD) {
        Some(method) if !method.contains(&b' ') => return Err(BadHead::Method),
        Some(_) | None => {}
    }
    if start.len() > LONGEST {
        return Err(BadHead::TargetTooLong);
    }
    Ok(())
}

/// `HTTP/1.1 SP 3DIGIT [SP reason]` (RFC 9112 §4).
fn status_line(line: &[u8]) -> Result<(), BadHead> {
    let Some(rest) = line.strip_prefix(b"HTTP/1.1 ") else {
        return Err(unknown_status_line(line));
    };
    let [a, b, c, reason @ ..] = rest else {
        return Err(BadHead::StatusLine);
    };
    if ![a, b, c].iter().all(|byte| byte.is_ascii_digit()) {
        return Err(BadHead::StatusLine);
    }
    match reason.split_first() {
        None => Ok(()),
        Some((b' ', phrase)) if phrase.iter().all(|byte| fields::may_be_in_value(*byte)) => Ok(()),
        Some(_) => Err(BadHead::StatusLine),
    }
}

fn unknown_status_line(line: &[u8]) -> BadHead {
    if line.starts_with(b"HTTP/") {
        BadHead::Version
    } else {
        BadHead::StatusLine
    }
}

/// How an HTTP/2 connection with prior knowledge starts (RFC 9113 §3.4), up to the minor version.
const H2_PREFACE: &[u8] = b"PRI * HTTP/2";
