//! The headers that decide framing and meaning, each with one value in one spelling.
//!
//! | header | rule |
//! |---|---|
//! | `Host` | exactly once in a request; the bytes of Go's `ValidHostHeader`, or none |
//! | `Content-Length` | at most once; 1-19 digits without sign or leading zero, below 2^63 as in Go |
//! | `Transfer-Encoding` | at most once, exactly `chunked`; never beside `Content-Length` |
//! | `Content-Type` | at most once in a request, ASCII; in a response none of several is believed |
//! | `Expect` | at most once, exactly `100-continue` |
//! | `Upgrade` | at most once, one protocol, in a request and in a 101 |
//! | `Connection` | any number of lines, up to 16 tokens in all, none of them a header of this table |
//!
//! Go reads the first of several `Content-Type`, `Expect` and `Upgrade` lines, other programs the
//! last, so two of them are refused even when they are equal.

use httparse::Header;

use super::super::framing::{RequestBody, ResponseBody};
use super::BadHead;

/// What the headers of one head say, as far as this crate interprets them.
#[derive(Debug, Default)]
pub(super) struct Fields<'h> {
    host: One<'h>,
    content_type: One<'h>,
    expect: One<'h>,
    upgrade: One<'h>,
    announced: Announced,
    close: bool,
    nominates: bool,
    options: usize,
}

/// A header that should occur once.
#[derive(Clone, Copy, Debug, Default)]
enum One<'h> {
    #[default]
    Absent,
    Present(&'h [u8]),
    Repeated,
}

/// The body that the framing headers announce: INVARIANT: never both ways at once.
#[derive(Clone, Copy, Debug, Default)]
enum Announced {
    #[default]
    Nothing,
    Length(u64),
    Chunked,
}

impl<'h> Fields<'h> {
    /// Picks the known headers out of all; refuses what is wrong in requests and responses alike.
    pub(super) fn read(headers: &[Header<'h>]) -> Result<Self, BadHead> {
        let mut fields = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            match header.name.len() {
                4 if is("Host") => fields.host.add(header.value),
                6 if is("Expect") => fields.expect.add(header.value),
                7 if is("Upgrade") => fields.upgrade.add(header.value),
                10 if is("Connection") => fields.add_options(header.value)?,
                12 if is("Content-Type") => fields.content_type.add(header.value),
                14 if is("Content-Length") => fields.add_length(header.value)?,
                17 if is("Transfer-Encoding") => fields.add_encoding(header.value)?,
                _ => {}
            }
        }
        Ok(fields)
    }

    /// Exactly one `Host` (RFC 9112 §3.2). Its value plays no part: ours replaces it.
    pub(super) fn check_host(&self) -> Result<(), BadHead> {
        match self.host {
            One::Absent => Err(BadHead::HostMissing),
            One::Repeated => Err(BadHead::HostRepeated),
            // Empty is what the docker CLI sends with `/grpc` and `/session`.
            One::Present(value) if value.iter().all(|byte| may_be_in_host(*byte)) => Ok(()),
            One::Present(_) => Err(BadHead::HostMalformed),
        }
    }

    pub(super) fn request_body(&self) -> RequestBody {
        match self.announced {
            Announced::Nothing => RequestBody::None,
            Announced::Length(length) => RequestBody::Length(length),
            Announced::Chunked => RequestBody::Chunked,
        }
    }

    /// RFC 9112 §6.3.
    pub(super) fn response_body(&self, status: u16, to_head: bool) -> ResponseBody {
        if status < 200 || status == 204 {
            return ResponseBody::Empty { declared: None };
        }
        let bodiless = to_head || status == 304;
        match self.announced {
            Announced::Length(length) if bodiless => ResponseBody::Empty {
                declared: Some(length),
            },
            Announced::Nothing | Announced::Chunked if bodiless => {
                ResponseBody::Empty { declared: None }
            }
            Announced::Nothing => ResponseBody::UntilEof,
            Announced::Length(length) => ResponseBody::Length(length),
            Announced::Chunked => ResponseBody::Chunked,
        }
    }

    /// Whether a length above zero or a transfer coding is announced.
    pub(super) fn announces_body(&self) -> bool {
        match self.announced {
            Announced::Nothing | Announced::Length(0) => false,
            Announced::Length(_) | Announced::Chunked => true,
        }
    }

    pub(super) fn one_content_type(&self) -> Result<Option<&'h [u8]>, BadHead> {
        let media = self.content_type.once(BadHead::ContentTypeRepeated)?;
        // SECURITY: Go folds case and trims blanks by Unicode (`mime.ParseMediaType`): with U+0130
        // for its first `i`, or behind a U+00A0, `application/x-www-form-urlencoded` is still a
        // form there, whose values win over the query that was judged.
        if media.is_some_and(|media| !media.is_ascii()) {
            return Err(BadHead::ContentTypeMalformed);
        }
        Ok(media)
    }

    pub(super) fn only_content_type(&self) -> Option<&'h [u8]> {
        self.one_content_type().unwrap_or_default()
    }

    pub(super) fn expects_continue(&self) -> Result<bool, BadHead> {
        match self.expect.once(BadHead::Expectation)? {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
            Some(_) => Err(BadHead::Expectation),
        }
    }

    /// The protocol, `token` or `token/token` (RFC 9110 §7.8); Docker's are `tcp`, `h2c` and
    /// `websocket`. A list would leave open which of them the other side takes.
    pub(super) fn upgrade(&self) -> Result<Option<&'h str>, BadHead> {
        let Some(value) = self.upgrade.once(BadHead::Upgrade)? else {
            return Ok(None);
        };
        let mut parts = value.splitn(2, |byte| *byte == b'/');
        if !parts.all(|part| !part.is_empty() && is_token(part)) {
            return Err(BadHead::Upgrade);
        }
        std::str::from_utf8(value)
            .map(Some)
            .map_err(|_| BadHead::Upgrade)
    }

    pub(super) fn keep_alive(&self) -> bool {
        !self.close
    }

    /// Whether `Connection` names anything that is not hop-by-hop by itself.
    pub(super) fn nominates(&self) -> bool {
        self.nominates
    }

    fn add_length(&mut self, value: &[u8]) -> Result<(), BadHead> {
        self.announced = match self.announced {
            Announced::Nothing => Announced::Length(length(value).ok_or(BadHead::LengthMalformed)?),
            Announced::Length(_) => return Err(BadHead::LengthRepeated),
            // SECURITY: RFC 9112 §6.1 lets the coding win, other readers believe the length: the
            // oldest way to smuggle a request.
            Announced::Chunked => return Err(BadHead::LengthAndEncoding),
        };
        Ok(())
    }

    fn add_encoding(&mut self, value: &[u8]) -> Result<(), BadHead> {
        // SECURITY: hyper takes any list that ends in `chunked`, Go only this one word; whoever
        // read it differently would see other requests in the same bytes.
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(BadHead::EncodingUnknown);
        }
        self.announced = match self.announced {
            Announced::Nothing => Announced::Chunked,
            Announced::Length(_) => return Err(BadHead::LengthAndEncoding),
            Announced::Chunked => return Err(BadHead::EncodingRepeated),
        };
        Ok(())
    }

    fn add_options(&mut self, value: &[u8]) -> Result<(), BadHead> {
        for option in options(value) {
            if !is_token(option) {
                return Err(BadHead::Connection);
            }
            self.options += 1;
            // Each of them is compared with each header when the head is written anew.
            if self.options > MAX_OPTIONS {
                return Err(BadHead::Connection);
            }
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            // SECURITY: a header must not be judged here and then kept from the engine.
            if END_TO_END.iter().any(|name| is(name)) {
                return Err(BadHead::ConnectionNominates);
            }
            if is("close") {
                self.close = true;
            } else if !is("keep-alive") && !is("upgrade") && !is("te") {
                self.nominates = true;
            }
        }
        Ok(())
    }
}

// === impl One ===

impl<'h> One<'h> {
    fn add(&mut self, value: &'h [u8]) {
        *self = match self {
            Self::Absent => Self::Present(value),
            Self::Present(_) | Self::Repeated => Self::Repeated,
        };
    }

    fn once(self, repeated: BadHead) -> Result<Option<&'h [u8]>, BadHead> {
        match self {
            Self::Absent => Ok(None),
            Self::Present(value) => Ok(Some(value)),
            Self::Repeated => Err(repeated),
        }
    }
}

/// The elements of a `Connection` value; empty ones don't count (RFC 9110 §5.6.1).
pub(in crate::wire) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(super::blanks_off)
        .filter(|option| !option.is_empty())
}

/// Whether all bytes may stand in a header name or method (RFC 9110 §5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    let mark = |byte| b"!#$%&'*+-.^_`|~".contains(byte);
    bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

/// Whether the byte may stand in a header value or reason phrase.
pub(super) fn may_be_in_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The set of Go's `httpguts.ValidHostHeader`, so that what the engine would refuse ends here.
fn may_be_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte)
}

/// Digits and nothing else: Go reads an empty value as 0, hyper reads `007` as 7.
fn length(value: &[u8]) -> Option<u64> {
    match value {
        [b'0'] => return Some(0),
        [b'1'..=b'9', ..] if value.len() <= 19 => {}
        _ => return None,
    }
    let mut length: u64 = 0;
    for byte in value {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        length = length.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    i64::try_from(length).is_ok().then_some(length)
}

/// More options than any client sends; real ones send one or two.
const MAX_OPTIONS: usize = 16;

/// Headers that `Connection` may not end here (RFC 9110 §7.6.1 forbids senders to name them).
const END_TO_END: [&str; 6] = [
    "Host",
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Transfer-Encoding",
    "Expect",
];
