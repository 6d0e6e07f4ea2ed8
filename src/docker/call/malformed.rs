//! The ways in which a request line can have no single reading.

use crate::docker::operation::Unfit;

/// Why a request has no single reading. Answered 400 (or 414) and never forwarded.
///
/// The messages for names say "not supported" and those for images "invalid reference format", because
/// the docker CLI goes on to the next kind of object on exactly these words (docker/cli
/// `cli/command/inspect`, `isErrSkippable`): `docker inspect ghcr.io/a/b` asks for a container first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// An unknown method.
    #[error("the method is not one that Docker knows; methods are upper-case, such as GET or POST")]
    Method,
    /// Longer than is read.
    #[error("the request target is longer than 16 KiB; send a shorter query")]
    TargetTooLong,
    /// Neither origin-form nor absolute-form.
    #[error("the request target is not a path; it must start with `/`")]
    Target,
    /// A `#` in path or query.
    #[error("the request target holds a `#`; write it as `%23`")]
    Fragment,
    /// A byte that has to be escaped in a path.
    #[error("the path holds a character that must be percent-encoded")]
    PathByte,
    /// `%` without two hexadecimal digits in a path.
    #[error("the path holds a `%` that two hexadecimal digits do not follow")]
    PathEscape,
    /// An escape that hides what no path of Docker has.
    #[error(
        "the path holds an encoded control character, `%`, `\\` or a character beyond ASCII; \
         Docker has no such path"
    )]
    PathDecoded,
    /// `//`.
    #[error("the path holds `//`; write a single `/`, and a name between two of them")]
    EmptySegment,
    /// `.` or `..`.
    #[error("the path holds a `.` or `..` segment; write the path it leads to")]
    DotSegment,
    /// `/` at the end.
    #[error("the path ends in `/`; write it without")]
    TrailingSlash,
    /// Looks like a version but is not one that is let through.
    #[error(
        "the path begins with something like an API version that is not one from v1.24 to v1.56; \
         write it like `/v1.41/…` or leave it out"
    )]
    Version,
    /// A name that is not a name.
    #[error(
        "a name or id of this form is not supported here: it is letters, digits, `_`, `.` and `-`, \
         begins with a letter or digit, and holds no `/`"
    )]
    Name,
    /// Not an image reference.
    #[error("invalid reference format: an image is named like `alpine:3` or `ghcr.io/acme/app:1`")]
    Reference,
    /// A control character, space or byte beyond ASCII in a query.
    #[error("the query holds a character that must be percent-encoded")]
    QueryByte,
    /// `;`.
    #[error("the query holds a `;`; separate parameters with `&`, or write it as `%3B`")]
    QuerySemicolon,
    /// `%` without two hexadecimal digits in a query.
    #[error("the query holds a `%` that two hexadecimal digits do not follow; write it as `%25`")]
    QueryEscape,
    /// An escape that hides what is not text.
    #[error("the query holds an encoded control character or text that is not UTF-8")]
    QueryText,
}

impl Malformed {
    /// A stable code in kebab-case for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Method => "malformed-method",
            Self::TargetTooLong => "target-too-long",
            Self::Target => "malformed-target",
            Self::Fragment => "target-fragment",
            Self::PathByte => "path-character",
            Self::PathEscape => "path-escape",
            Self::PathDecoded => "path-decoded-character",
            Self::EmptySegment => "path-empty-segment",
            Self::DotSegment => "path-dot-segment",
            Self::TrailingSlash => "path-trailing-slash",
            Self::Version => "malformed-version",
            Self::Name => "malformed-name",
            Self::Reference => "malformed-reference",
            Self::QueryByte => "query-character",
            Self::QuerySemicolon => "query-semicolon",
            Self::QueryEscape => "query-escape",
            Self::QueryText => "query-text",
        }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        if *self == Self::TargetTooLong {
            414
        } else {
            400
        }
    }
}

impl From<Unfit> for Malformed {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Name => Self::Name,
            Unfit::Reference => Self::Reference,
        }
    }
}
