//! How dockerd's HTTP library reads bytes: a second reader, written from Go's sources and not from
//! ours, as lenient as Go is in its most lenient release that Docker was built with.
//!
//! What this reader takes that the gate's own reader does not is the whole point: if such bytes ever
//! reached the engine, it would show up here as a request that nobody judged. Sources are Go 1.19
//! (engine 20.10) unless said otherwise; tried against a real 20.10.24 where the text says so.

use std::io::Read;

/// The bytes of one connection, read as they are needed.
pub(crate) struct Wire<R> {
    source: R,
    held: Vec<u8>,
    at: usize,
}

/// Why a reader gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing more came, between two requests.
    End,
    /// Nothing more came, in the middle of one.
    Cut,
    /// Go answers this status by itself and closes.
    Bad(u16, &'static str),
}

/// How a request's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

/// A request head as Go reads it.
#[derive(Clone, Debug)]
pub(crate) struct GoRequest {
    pub(crate) method: String,
    pub(crate) target: Vec<u8>,
    /// Names in the form that Go compares, values as they are.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) framing: Framing,
    pub(crate) close: bool,
    /// The head as it came.
    pub(crate) raw: Vec<u8>,
}

/// net/http/server.go, `DefaultMaxHeaderBytes` and the slop of 4096.
const LONGEST_HEAD: usize = (1 << 20) + 4096;

/// net/http/internal/chunked.go, `maxLineLength`.
const LONGEST_CHUNK_LINE: usize = 4096;

impl<R: Read> Wire<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            held: Vec::new(),
            at: 0,
        }
    }

    /// The next request head. `after_post`: the last request on this connection was a POST.
    pub(crate) fn head(&mut self, after_post: bool) -> Result<GoRequest, Stop> {
        self.held.drain(..self.at);
        self.at = 0;
        if after_post {
            self.skip_line_breaks();
        }
        let line = match self.line(LONGEST_HEAD) {
            Ok(line) => line,
            Err(Stop::Cut) if self.held.is_empty() => return Err(Stop::End),
            Err(stop) => return Err(stop),
        };
        let (method, target, minor) = request_line(&line)?;
        let mut headers = self.headers()?;
        let raw = self.held[..self.at].to_vec();
        // The framing is read, and its headers dropped, before the others are looked at: a
        // Content-Length beside a coding may hold anything at all.
        let coded = headers.iter().any(|(name, _)| name == "Transfer-Encoding");
        let bare = coded || headers.is_empty();
        let framing = framing(&mut headers, minor)?;
        // net/http `isH2Upgrade`: a length alone stays a header.
        let preface = method == "PRI" && bare && headers.is_empty();
        check_headers(&headers, minor > 0 && method != "CONNECT" && !preface)?;
        Ok(GoRequest {
            close: closes(&headers, minor),
            method,
            target,
            headers,
            framing,
            raw,
        })
    }

    /// The whole body.
    pub(crate) fn body(&mut self, framing: Framing) -> Result<Vec<u8>, Stop> {
        match framing {
            Framing::Length(length) => {
                let length = usize::try_from(length).map_err(|_| Stop::Bad(400, "length"))?;
                self.exact(length)
            }
            Framing::Chunked => self.chunks(),
        }
    }

    /// Whatever has come or comes next; empty at the end.
    pub(crate) fn some(&mut self) -> Vec<u8> {
        if self.at == self.held.len() && !self.fill() {
            return Vec::new();
        }
        self.held.drain(..std::mem::take(&mut self.at));
        std::mem::take(&mut self.held)
    }

    /// net/http/server.go, `readRequest`: after a POST up to four CR or LF are skipped, for old
    /// clients that send a line break after their body.
    fn skip_line_breaks(&mut self) {
        for _ in 0..4 {
            if self.peek(1) && matches!(self.held[self.at], b'\r' | b'\n') {
                self.at += 1;
            }
        }
        self.held.drain(..std::mem::take(&mut self.at));
    }

    /// bufio `ReadLine`: up to LF; one CR before it is dropped.
    fn line(&mut self, longest: usize) -> Result<Vec<u8>, Stop> {
        let start = self.at;
        loop {
            if let Some(end) = self.held[self.at..].iter().position(|byte| *byte == b'\n') {
                let line = &self.held[start..self.at + end];
                self.at += end + 1;
                return Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
            }
            self.at = self.held.len();
            if self.at - start > longest {
                return Err(Stop::Bad(431, "a line is too long"));
            }
            if !self.fill() {
                return Err(Stop::Cut);
            }
        }
    }

    /// net/textproto/reader.go, `ReadMIMEHeader`.
    fn headers(&mut self) -> Result<Vec<(String, Vec<u8>)>, Stop> {
        let mut headers = Vec::new();
        if self.peek(1) && is_blank(self.held[self.at]) {
            return Err(Stop::Bad(400, "a header starts with a blank"));
        }
        loop {
            if self.at > LONGEST_HEAD {
                return Err(Stop::Bad(431, "the head is too large"));
            }
            let mut line = trim(&self.line(LONGEST_HEAD)?).to_vec();
            if line.is_empty() {
                return Ok(headers);
            }
            if !line.contains(&b':') {
                return Err(Stop::Bad(400, "a header line without a colon"));
            }
            // `readContinuedLineSlice`: folded lines are joined by one space.
            while self.peek(1) && is_blank(self.held[self.at]) {
                line.push(b' ');
                line.extend_from_slice(trim(&self.line(LONGEST_HEAD)?));
            }
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            let value = trim_start(&line[colon + 1..]).to_vec();
            // An empty name is skipped, not refused: `: value` is no header.
            if colon > 0 {
                headers.push((canonical_name(&line[..colon]), value));
            }
        }
    }

    /// net/http/internal/chunked.go, `chunkedReader`, and net/http/transfer.go, `readTrailer`.
    fn chunks(&mut self) -> Result<Vec<u8>, Stop> {
        let mut body = Vec::new();
        loop {
            let line = self.line(LONGEST_CHUNK_LINE)?;
            if line.len() >= LONGEST_CHUNK_LINE {
                return Err(Stop::Bad(400, "a chunk line is too long"));
            }
            let size = chunk_size(&line)?;
            if size == 0 {
                break;
            }
            body.extend(self.exact(size)?);
            if self.exact(2)? != b"\r\n" {
                return Err(Stop::Bad(400, "malformed chunked encoding"));
            }
        }
        self.trailer()?;
        Ok(body)
    }

    /// net/http/transfer.go, `readTrailer`: CRLF, or header lines, bare line feeds and all, provided
    /// that CRLF CRLF comes somewhere in the next 4096 bytes (so that `0\n\n` is an end when
    /// another request follows).
    fn trailer(&mut self) -> Result<(), Stop> {
        if !self.peek(2) {
            return Err(Stop::Cut);
        }
        if self.held[self.at..].starts_with(b"\r\n") {
            self.at += 2;
            return Ok(());
        }
        let mut size = 4;
        while !(self.peek(size) && self.held[..self.at + size].ends_with(b"\r\n\r\n")) {
            size += 1;
            if size > 4096 || !self.peek(size) {
                return Err(Stop::Bad(400, "suspiciously long trailer"));
            }
        }
        self.headers().map(drop)
    }

    fn exact(&mut self, count: usize) -> Result<Vec<u8>, Stop> {
        while self.held.len() - self.at < count {
            if !self.fill() {
                return Err(Stop::Cut);
            }
        }
        let bytes = self.held[self.at..self.at + count].to_vec();
        self.at += count;
        Ok(bytes)
    }

    fn peek(&mut self, count: usize) -> bool {
        while self.held.len() - self.at < count {
            if !self.fill() {
                return false;
            }
        }
        true
    }

    fn fill(&mut self) -> bool {
        let mut room = [0; 16 * 1024];
        let count = self.source.read(&mut room).unwrap_or(0);
        self.held.extend_from_slice(&room[..count]);
        count > 0
    }
}

impl GoRequest {
    /// The first value: what `Header.Get` returns.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }
}

/// net/http/request.go, `parseRequestLine`: three words at the first two spaces.
fn request_line(line: &[u8]) -> Result<(String, Vec<u8>, u8), Stop> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next())
    else {
        return Err(Stop::Bad(400, "the request line is not three words"));
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Stop::Bad(400, "the method is no token"));
    }
    // `ParseHTTPVersion`: one digit each; `http1ServerSupportsRequest`: HTTP/1 of any minor version
    // (tried: HTTP/1.9 is served).
    // `isH2Upgrade`: the preface of HTTP/2 reaches a handler (tried: 20.10 redirects it).
    if (method, target, version) == (b"PRI", b"*", b"HTTP/2.0") {
        return Ok(("PRI".to_owned(), target.to_vec(), 1));
    }
    let minor = match version {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            minor @ b'0'..=b'9',
        ] => minor - b'0',
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Stop::Bad(505, "another version of HTTP"));
        }
        _ => return Err(Stop::Bad(400, "malformed HTTP version")),
    };
    let method = String::from_utf8_lossy(method).into_owned();
    Ok((method, target.to_vec(), minor))
}

/// net/http/server.go, `readRequest`.
fn check_headers(headers: &[(String, Vec<u8>)], needs_host: bool) -> Result<(), Stop> {
    let mut hosts = headers.iter().filter(|(name, _)| name == "Host");
    match (hosts.next(), hosts.next()) {
        (None, _) if needs_host => return Err(Stop::Bad(400, "missing required Host header")),
        (Some(_), Some(_)) => return Err(Stop::Bad(400, "too many Host headers")),
        // httpguts `ValidHostHeader`.
        (Some((_, host)), None) if !host.iter().copied().all(may_be_in_host) => {
            return Err(Stop::Bad(400, "malformed Host header"));
        }
        _ => {}
    }
    for (name, value) in headers {
        if !name.bytes().all(is_token) {
            return Err(Stop::Bad(400, "invalid header name"));
        }
        // httpguts `ValidHeaderFieldValue`: control bytes but TAB are refused, 0x80 and up pass.
        if value
            .iter()
            .any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
        {
            return Err(Stop::Bad(400, "invalid header value"));
        }
    }
    Ok(())
}

/// net/http/transfer.go, `parseTransferEncoding` and `fixLength`.
fn framing(headers: &mut Vec<(String, Vec<u8>)>, minor: u8) -> Result<Framing, Stop> {
    let codings = take(headers, "Transfer-Encoding");
    // HTTP/1.0: the coding is ignored, and its chunks become the next request (tried).
    if !codings.is_empty() && minor > 0 {
        return match codings.as_slice() {
            [coding] if coding.eq_ignore_ascii_case(b"chunked") => {
                // The coding wins.
                take(headers, "Content-Length");
                Ok(Framing::Chunked)
            }
            _ => Err(Stop::Bad(501, "unsupported transfer encoding")),
        };
    }
    let lengths = take(headers, "Content-Length");
    let lengths: Vec<_> = lengths.iter().map(|length| trim(length)).collect();
    let Some(length) = lengths.first() else {
        return Ok(Framing::Length(0));
    };
    if lengths.iter().any(|other| other != length) {
        return Err(Stop::Bad(400, "lengths that differ"));
    }
    if length.is_empty() {
        return Ok(Framing::Length(0));
    }
    let digits = length.iter().all(u8::is_ascii_digit);
    let text = String::from_utf8_lossy(length);
    let value = text
        .parse::<u64>()
        .ok()
        .filter(|value| digits && *value < 1 << 63);
    value
        .map(Framing::Length)
        .ok_or(Stop::Bad(400, "bad Content-Length"))
}

/// Takes every header of a name away.
fn take(headers: &mut Vec<(String, Vec<u8>)>, wanted: &str) -> Vec<Vec<u8>> {
    let (taken, rest) = headers.drain(..).partition(|(name, _)| name == wanted);
    *headers = rest;
    let taken: Vec<(String, Vec<u8>)> = taken;
    taken.into_iter().map(|(_, value)| value).collect()
}

/// net/http/transfer.go, `shouldClose`, and server.go, `wants10KeepAlive`.
fn closes(headers: &[(String, Vec<u8>)], minor: u8) -> bool {
    let lines = || headers.iter().filter(|(name, _)| name == "Connection");
    let says = |line: &[u8], word: &str| {
        let mut tokens = line.split(|byte| *byte == b',');
        tokens.any(|token| trim(token).eq_ignore_ascii_case(word.as_bytes()))
    };
    if minor == 0 {
        return !lines()
            .next()
            .is_some_and(|(_, line)| says(line, "keep-alive"));
    }
    lines().any(|(_, line)| says(line, "close"))
}

/// `readChunkLine` and `parseHexUint`: blanks after the size and everything after `;` go; an empty
/// size is 0 (until Go 1.22).
fn chunk_size(line: &[u8]) -> Result<usize, Stop> {
    let line = trim_end(line);
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    if digits.len() > 16 {
        return Err(Stop::Bad(400, "chunk length too large"));
    }
    let bad = Stop::Bad(400, "invalid byte in chunk length");
    let mut size: u64 = 0;
    for digit in digits {
        let value = char::from(*digit).to_digit(16).ok_or(bad.clone())?;
        size = size << 4 | u64::from(value);
    }
    usize::try_from(size).map_err(|_| bad)
}

/// net/textproto, `CanonicalMIMEHeaderKey`: names that are no tokens stay as they are.
fn canonical_name(name: &[u8]) -> String {
    if !name.iter().all(|byte| is_token(*byte)) {
        return name.iter().copied().map(char::from).collect();
    }
    let mut upper = true;
    let letter = |byte: &u8| {
        let letter = if upper {
            byte.to_ascii_uppercase()
        } else {
            byte.to_ascii_lowercase()
        };
        upper = *byte == b'-';
        char::from(letter)
    };
    name.iter().map(letter).collect()
}

fn first<'h>(headers: &'h [(String, Vec<u8>)], wanted: &str) -> Option<&'h [u8]> {
    let found = headers.iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.as_slice())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn may_be_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().take_while(|byte| is_blank(**byte)).count();
    &text[start..]
}

/// textproto `trim`.
fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    let end = text
        .iter()
        .rev()
        .take_while(|byte| is_blank(**byte))
        .count();
    &text[..text.len() - end]
}

/// `trimTrailingWhitespace` of the chunk reader, CR included.
fn trim_end(text: &[u8]) -> &[u8] {
    let is_space = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\r' | b'\n');
    let end = text.iter().rev().take_while(is_space).count();
    &text[..text.len() - end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8]) -> Vec<(String, String, usize)> {
        let mut wire = Wire::new(bytes);
        let mut requests = Vec::new();
        let mut after_post = false;
        while let Ok(head) = wire.head(after_post) {
            after_post = head.method == "POST";
            let target = String::from_utf8_lossy(&head.target).into_owned();
            let Ok(body) = wire.body(head.framing) else {
                requests.push((head.method, target, usize::MAX));
                break;
            };
            requests.push((head.method, target, body.len()));
        }
        requests
    }

    #[test]
    fn the_second_reader_is_as_lenient_as_go() {
        let two = [("GET", "/a", 0), ("GET", "/b", 0)];
        let one = [("POST", "/a", 3)];
        #[expect(clippy::type_complexity, reason = "a table of its own")]
        let cases: &[(&[u8], &[(&str, &str, usize)])] = &[
            (b"GET /a HTTP/1.1\nHost: x\n\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", &two),
            (b"GET /a HTTP/1.9\r\nHost: x\r\n: v\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", &two),
            (b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", &two),
            (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 3\r\n\r\nabc", &one),
            (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: CHUNKED\r\n\r\n3 ;e=\r\r\nabc\r\n0\r\n\r\n", &[("POST", "/a", usize::MAX)]),
            (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n3;e=\n\nabc\r\n0\n\n", &[("POST", "/a", usize::MAX)]),
            (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n3;e\nabc\r\n0\n\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", &[("POST", "/a", 3), ("GET", "/b", 0)]),
            (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 003\r\nContent-Length: 003\r\n\r\nabc", &one),
            (b"POST /a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", &[("POST", "/a", 0), ("GET", "/b", 0)]),
            (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", &[("POST", "/a", 3), ("GET", "/b", 0)]),
            (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", &[]),
            (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", &[]),
            (b"GET /a HTTP/1.1\r\nHost : x\r\n\r\n", &[]),
            (b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", &[]),
            (b"GET /a HTTP/1.1\r\n\r\n", &[]),
            (b"PRI * HTTP/2.0\r\nContent-Length: 0\r\n\r\n", &[]),
            (b"\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", &[]),
        ];
        for (bytes, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(method, target, length)| {
                    ((*method).to_owned(), (*target).to_owned(), *length)
                })
                .collect();
            assert_eq!(heard(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
