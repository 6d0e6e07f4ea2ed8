//! Strict reading of request and response heads: one reading or a refusal.
//!
//! Bytes go in, a [`RequestHead`] or [`ResponseHead`] comes out, or a [`BadHead`] that says what to
//! mend. Nothing is allocated and nothing is kept but borrowed slices, so a head costs well under a
//! microsecond.
//!
//! Why so strict: the gate forwards what it judged, so a head that two programs could read in two
//! ways must not be read at all. Go's reader (the engine's) and hyper's both take bare line feeds,
//! folded lines or lists of transfer codings; this one takes none of them. `httparse` splits the
//! head into tokens; everything below is checked here, on the same bytes:
//!
//! - every line ends in CRLF; a bare LF is refused as soon as it is seen;
//! - no line before the first one, no folded line, no control byte (TAB in values excepted);
//! - HTTP/1.1 only; an HTTP/2 preface and CONNECT have refusals of their own;
//! - the headers that decide framing or meaning occur at most once and in one spelling
//!   (see `fields.rs`).
//!
//! Bytes from 0x80 pass in values: docker build names its session after the context directory
//! (`X-Docker-Expose-Session-Name`), and people's directories have names in every language. No
//! header that is interpreted here may hold them.
//!
//! What follows the head is the matter of [`super::framing`].

mod fields;
mod refusal;
mod scan;

#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use fields::Fields;
pub(super) use fields::options;
pub use refusal::BadHead;
pub use scan::Scan;

use super::framing::{RequestBody, ResponseBody};

/// The largest head that is read, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;
/// The most headers in a head.
pub const MAX_HEADERS: usize = 100;
/// The longest request target, in bytes.
pub const MAX_TARGET: usize = 16 * 1024;
/// The longest method, in bytes; Docker's own end at `OPTIONS`.
pub const MAX_METHOD: usize = 16;

/// A request head with exactly one reading.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'h> {
    method: &'h str,
    target: &'h str,
    headers: Headers<'h>,
    body: RequestBody,
    upgrade: Option<&'h str>,
    content_type: Option<&'h [u8]>,
    expects_continue: bool,
    keep_alive: bool,
}

/// A response head with exactly one reading.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'h> {
    status: u16,
    reason: &'h [u8],
    headers: Headers<'h>,
    body: ResponseBody,
    upgrade: Option<&'h str>,
    content_type: Option<&'h [u8]>,
    keep_alive: bool,
}

/// The header lines of a head that was read: every line ends in CRLF and holds `name: value`.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h> {
    lines: &'h [u8],
    nominates: bool,
}

/// One header line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'h> {
    /// All of it, with its line end.
    pub(super) bytes: &'h [u8],
    /// Before the colon.
    pub(super) name: &'h [u8],
    /// After it, without surrounding blanks.
    pub(super) value: &'h [u8],
}

/// Reads a request head at the start of `bytes`. `Ok(None)`: more bytes are needed. `Ok(Some((head,
/// n)))`: the head takes the first `n` bytes. Refuses as early as it can (a bare LF, an h2 preface).
///
/// A head that arrives in many pieces is read by one [`Scan`], which looks at each byte once.
pub fn read_request(bytes: &[u8]) -> Result<Option<(RequestHead<'_>, usize)>, BadHead> {
    Scan::default().request(bytes)
}

/// Reads a response head; `to_head` says that the request was a HEAD.
pub fn read_response(
    bytes: &[u8],
    to_head: bool,
) -> Result<Option<(ResponseHead<'_>, usize)>, BadHead> {
    Scan::default().response(bytes, to_head)
}

// === impl RequestHead ===

impl<'h> RequestHead<'h> {
    /// `head` is exactly one head; its header lines start at `fields_at`.
    fn parse(head: &'h [u8], fields_at: usize) -> Result<Self, BadHead> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed.parse_with_uninit_headers(head, &mut room);
        whole(status, head)?;
        let fields = Fields::read(parsed.headers)?;
        fields.check_host()?;
        Ok(Self {
            method: parsed.method.ok_or(BadHead::RequestLine)?,
            target: parsed.path.ok_or(BadHead::RequestLine)?,
            headers: Headers::new(head, fields_at, fields.nominates()),
            body: fields.request_body(),
            upgrade: fields.upgrade()?,
            content_type: fields.one_content_type()?,
            expects_continue: fields.expects_continue()?,
            keep_alive: fields.keep_alive(),
        })
    }

    /// The method, as written.
    pub fn method(&self) -> &'h str {
        self.method
    }
    /// The target, as written: visible ASCII.
    pub fn target(&self) -> &'h str {
        self.target
    }
    /// All header lines.
    pub fn headers(&self) -> Headers<'h> {
        self.headers
    }
    /// The body that follows.
    pub fn body(&self) -> RequestBody {
        self.body
    }
    /// The one protocol that `Upgrade` names. `Connection: Upgrade` is not asked for, because
    /// Docker does not ask for it either: any `Upgrade` makes it hijack the connection
    /// (moby `daemon/server/router/container/container_routes.go`).
    pub fn upgrade(&self) -> Option<&'h str> {
        self.upgrade
    }
    /// The `Content-Type`, if one is there.
    pub fn content_type(&self) -> Option<&'h [u8]> {
        self.content_type
    }
    /// `Expect: 100-continue`.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }
    /// Whether the client keeps the connection open.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }
}

// === impl ResponseHead ===

impl<'h> ResponseHead<'h> {
    /// `head` is exactly one head; its header lines start at `fields_at`.
    fn parse(head: &'h [u8], fields_at: usize, to_head: bool) -> Result<Self, BadHead> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut []);
        let result = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut parsed,
            head,
            &mut room,
        );
        whole(result, head)?;
        let status = parsed.code.ok_or(BadHead::StatusLine)?;
        if !(100..=599).contains(&status) {
            return Err(BadHead::StatusLine);
        }
        let fields = Fields::read(parsed.headers)?;
        let body = fields.response_body(status, to_head);
        Ok(Self {
            status,
            reason: scan::reason(head, fields_at),
            headers: Headers::new(head, fields_at, fields.nominates()),
            body,
            // Only a 101 switches; elsewhere `Upgrade` merely advertises and may be a list.
            upgrade: if status == 101 {
                fields.upgrade()?
            } else {
                None
            },
            content_type: fields.only_content_type(),
            // SECURITY: a 204 that announces a body leaves doubt about where the next answer
            // starts; such a connection is not used again.
            keep_alive: fields.keep_alive()
                && body != ResponseBody::UntilEof
                && !(status == 204 && fields.announces_body()),
        })
    }

    /// The status code, 100-599.
    pub fn status(&self) -> u16 {
        self.status
    }
    /// The reason phrase, possibly empty.
    pub fn reason(&self) -> &'h [u8] {
        self.reason
    }
    /// All header lines.
    pub fn headers(&self) -> Headers<'h> {
        self.headers
    }
    /// The body that follows.
    pub fn body(&self) -> ResponseBody {
        self.body
    }
    /// The `Upgrade` token of a 101.
    pub fn upgrade(&self) -> Option<&'h str> {
        self.upgrade
    }
    /// The `Content-Type`, if exactly one is there.
    pub fn content_type(&self) -> Option<&'h [u8]> {
        self.content_type
    }
    /// Whether the engine keeps the connection open.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }
}

// === impl Headers ===

impl<'h> Headers<'h> {
    fn new(head: &'h [u8], fields_at: usize, nominates: bool) -> Self {
        let lines = head.get(fields_at..).unwrap_or_default();
        let lines = lines.strip_suffix(b"\r\n").unwrap_or_default();
        Self { lines, nominates }
    }

    /// Name and value of each line in order; the value without surrounding blanks.
    pub fn iter(&self) -> impl Iterator<Item = (&'h [u8], &'h [u8])> + use<'h> {
        self.lines().map(|line| (line.name, line.value))
    }

    /// Each line in order.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'h>> + use<'h> {
        let mut rest = self.lines;
        std::iter::from_fn(move || {
            let (bytes, after) = rest.split_at_checked(memchr::memchr(b'\n', rest)? + 1)?;
            rest = after;
            // Names are short: a plain loop has found the colon before a search would have begun.
            let colon = bytes.iter().position(|&byte| byte == b':')?;
            let (name, value) = bytes.split_at_checked(colon)?;
            Some(Line {
                bytes,
                name,
                value: blanks_off(value.get(1..)?),
            })
        })
    }

    /// The value of the first line with this name.
    pub fn find(&self, name: &str) -> Option<&'h [u8]> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Whether `Connection` names headers beyond the hop-by-hop ones, which then end here too.
    pub(super) fn nominates(&self) -> bool {
        self.nominates
    }
}

// === impl Line ===

impl Line<'_> {
    /// Whether it is `name: value CRLF`, with one space and no other blank around the value.
    pub(super) fn is_plain(&self) -> bool {
        let around = self.bytes.len() - self.name.len() - self.value.len();
        around == 4 && self.bytes.get(self.name.len() + 1) == Some(&b' ')
    }
}

/// httparse's result, which must be: complete, and to the last byte.
fn whole(result: httparse::Result<usize>, head: &[u8]) -> Result<(), BadHead> {
    match result {
        Ok(httparse::Status::Complete(end)) if end == head.len() => Ok(()),
        Ok(_) => Err(BadHead::HeaderLine),
        Err(error) => Err(refusal::of(error, head)),
    }
}

/// A value without the blanks (RFC 9110 §5.5) and the line end around it.
fn blanks_off(value: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = value.iter().take_while(|byte| blank(byte)).count();
    let value = value.get(start..).unwrap_or_default();
    let end = value.iter().rev().take_while(|byte| blank(byte)).count();
    value.get(..value.len() - end).unwrap_or_default()
}
