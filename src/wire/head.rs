//! Strict reading of request and response heads: one reading or a refusal (rules R5, R6, R13-R16).

use super::framing::{RequestBody, ResponseBody};

/// The largest head that is read, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;
/// The most headers in a head.
pub const MAX_HEADERS: usize = 100;
/// The longest request target, in bytes.
pub const MAX_TARGET: usize = 16 * 1024;

/// The header lines of a head that was read: every line ends in CRLF and holds `name: value`.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h> {
    lines: &'h [u8],
}

impl<'h> Headers<'h> {
    /// Name and value of each line in order; the value without surrounding blanks.
    pub fn iter(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> + use<'h> {
        let _ = self.lines;
        std::iter::empty()
    }
}

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

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// Larger than [`MAX_HEAD`] or more than [`MAX_HEADERS`].
    #[error("the head is larger than quaygate reads")]
    TooLarge,
}

impl BadHead {
    /// A stable code in kebab-case.
    pub fn code(&self) -> &'static str {
        todo!()
    }
    /// The HTTP status of the answer: 400, 414, 431, 501 or 505.
    pub fn status(&self) -> u16 {
        todo!()
    }
}

/// Reads a request head at the start of `bytes`. `Ok(None)`: more bytes are needed. `Ok(Some((head,
/// n)))`: the head takes the first `n` bytes. Refuses as early as it can (a bare LF, an h2 preface).
pub fn read_request(_bytes: &[u8]) -> Result<Option<(RequestHead<'_>, usize)>, BadHead> {
    todo!()
}

impl<'h> RequestHead<'h> {
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
    /// The `Upgrade` token, if `Connection` or Docker's clients name one.
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

/// Reads a response head; `to_head` says that the request was a HEAD.
pub fn read_response(
    _bytes: &[u8],
    _to_head: bool,
) -> Result<Option<(ResponseHead<'_>, usize)>, BadHead> {
    todo!()
}

impl<'h> ResponseHead<'h> {
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
    /// The `Content-Type`, if one is there.
    pub fn content_type(&self) -> Option<&'h [u8]> {
        self.content_type
    }
    /// Whether the engine keeps the connection open.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }
}
