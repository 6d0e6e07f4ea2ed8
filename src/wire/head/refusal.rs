//! Why a head is refused: a code for programs, a status for the client, a sentence for people.

use super::{MAX_HEADERS, MAX_METHOD};

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadHead {
    /// Larger than [`super::MAX_HEAD`].
    #[error("the head is larger than 64 KiB; send fewer or shorter headers")]
    TooLarge,
    /// More than [`MAX_HEADERS`].
    #[error("the head has more than {MAX_HEADERS} headers; send fewer")]
    TooManyHeaders,
    /// A target beyond [`super::MAX_TARGET`].
    #[error("the request target is longer than 16 KiB; shorten the query")]
    TargetTooLong,
    /// A line feed without a carriage return.
    #[error("a line ends in LF alone; end every line of the head in CRLF")]
    BareLf,
    /// A line break or other blank line where the first line should be.
    #[error("the head starts with a line break; start with the request or status line")]
    LeadingLine,
    /// The HTTP/2 connection preface.
    #[error(
        "this socket speaks HTTP/1.1 and the client opened with HTTP/2; turn prior-knowledge HTTP/2 off"
    )]
    Http2,
    /// Another version of HTTP.
    #[error("only HTTP/1.1 is spoken here; set the version to HTTP/1.1")]
    Version,
    /// The CONNECT method.
    #[error("CONNECT is not carried; Docker's API has no use for it")]
    Connect,
    /// Not three words.
    #[error("the request line is not `METHOD target HTTP/1.1`, separated by single spaces")]
    RequestLine,
    /// Not a method.
    #[error("the method is not a word of 1 to {MAX_METHOD} letters")]
    Method,
    /// A byte that cannot be in a target.
    #[error(
        "the request target holds `#`, a blank, a control byte or a byte outside ASCII; percent-encode it"
    )]
    Target,
    /// Not a status line.
    #[error("the status line is not `HTTP/1.1 code reason` with a code of 100 to 599")]
    StatusLine,
    /// Not `name: value`.
    #[error("a header line is not `name: value` with the colon right after the name")]
    HeaderLine,
    /// A header that goes on in the next line.
    #[error("a header is continued on a second line; send it on one line")]
    FoldedLine,
    /// A control byte in a value, a bare CR among them.
    #[error("a header value holds a control byte; leave out CR, NUL and the like")]
    HeaderValue,
    /// No `Host`.
    #[error("the `Host` header is missing; HTTP/1.1 wants exactly one, any value will do")]
    HostMissing,
    /// Several `Host`.
    #[error("there is more than one `Host` header; send one")]
    HostRepeated,
    /// A `Host` that holds odd bytes.
    #[error("the `Host` header is not a host name; any name will do, `docker` for one")]
    HostMalformed,
    /// Several lengths.
    #[error("there is more than one `Content-Length` header; send one")]
    LengthRepeated,
    /// Not a plain number.
    #[error("`Content-Length` is not a plain decimal number; no sign, no list, no leading zero")]
    LengthMalformed,
    /// Both framings at once.
    #[error("`Content-Length` and `Transfer-Encoding` are both there; send one of them")]
    LengthAndEncoding,
    /// Several transfer codings.
    #[error("there is more than one `Transfer-Encoding` header; send `chunked` once")]
    EncodingRepeated,
    /// A coding other than `chunked`.
    #[error("`Transfer-Encoding` may only be `chunked`")]
    EncodingUnknown,
    /// Several types.
    #[error("there is more than one `Content-Type` header; send one")]
    ContentTypeRepeated,
    /// A type that holds bytes beyond ASCII.
    #[error("`Content-Type` holds a byte outside ASCII; media types are plain ASCII")]
    ContentTypeMalformed,
    /// An expectation other than `100-continue`.
    #[error("`Expect` may only be `100-continue`, once")]
    Expectation,
    /// Several protocols, or none.
    #[error(
        "`Upgrade` does not name exactly one protocol; Docker's are `tcp`, `h2c` and `websocket`"
    )]
    Upgrade,
    /// Not a short list of tokens.
    #[error("`Connection` is not a list of at most 16 words")]
    Connection,
    /// A header for the engine is named as one for this hop.
    #[error("`Connection` names a header that is meant for Docker; take it off the list")]
    ConnectionNominates,
}

impl BadHead {
    /// A stable code in kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "head-too-large",
            Self::TooManyHeaders => "too-many-headers",
            Self::TargetTooLong => "target-too-long",
            Self::BareLf => "bare-lf",
            Self::LeadingLine => "leading-line",
            Self::Http2 => "http2-preface",
            Self::Version => "http-version",
            Self::Connect => "connect-method",
            Self::RequestLine => "request-line",
            Self::Method => "method-malformed",
            Self::Target => "target-malformed",
            Self::StatusLine => "status-line",
            Self::HeaderLine => "header-line",
            Self::FoldedLine => "folded-header",
            Self::HeaderValue => "header-value",
            Self::HostMissing => "host-missing",
            Self::HostRepeated => "host-repeated",
            Self::HostMalformed => "host-malformed",
            Self::LengthRepeated => "content-length-repeated",
            Self::LengthMalformed => "content-length-malformed",
            Self::LengthAndEncoding => "length-and-encoding",
            Self::EncodingRepeated => "transfer-encoding-repeated",
            Self::EncodingUnknown => "transfer-encoding-unknown",
            Self::ContentTypeRepeated => "content-type-repeated",
            Self::ContentTypeMalformed => "content-type-malformed",
            Self::Expectation => "expectation-unknown",
            Self::Upgrade => "upgrade-malformed",
            Self::Connection => "connection-malformed",
            Self::ConnectionNominates => "connection-nominates",
        }
    }

    /// The HTTP status of the answer: 400, 414, 417, 431, 501 or 505. (For a response head the
    /// answer is a 502 whatever the reason.)
    pub fn status(&self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::TooLarge | Self::TooManyHeaders => 431,
            Self::Connect | Self::EncodingUnknown => 501,
            Self::Http2 | Self::Version => 505,
            Self::BareLf
            | Self::LeadingLine
            | Self::RequestLine
            | Self::Method
            | Self::Target
            | Self::StatusLine
            | Self::HeaderLine
            | Self::FoldedLine
            | Self::HeaderValue
            | Self::HostMissing
            | Self::HostRepeated
            | Self::HostMalformed
            | Self::LengthRepeated
            | Self::LengthMalformed
            | Self::LengthAndEncoding
            | Self::EncodingRepeated
            | Self::ContentTypeRepeated
            | Self::ContentTypeMalformed
            | Self::Upgrade
            | Self::Connection
            | Self::ConnectionNominates => 400,
        }
    }
}

/// What httparse's refusal of a head means here. The first line was already found good, so what is
/// left lies in the header lines.
pub(super) fn of(error: httparse::Error, head: &[u8]) -> BadHead {
    match error {
        httparse::Error::TooManyHeaders => BadHead::TooManyHeaders,
        httparse::Error::HeaderValue => BadHead::HeaderValue,
        httparse::Error::HeaderName | httparse::Error::NewLine => {
            let folded = |line: &[u8]| matches!(line.first(), Some(b' ' | b'\t'));
            if head.split(|byte| *byte == b'\n').any(folded) {
                BadHead::FoldedLine
            } else {
                BadHead::HeaderLine
            }
        }
        httparse::Error::Status => BadHead::StatusLine,
        httparse::Error::Token => BadHead::RequestLine,
        httparse::Error::Version => BadHead::Version,
    }
}
