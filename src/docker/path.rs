//! A path with exactly one reading.
//!
//! dockerd routes on the path *decoded once*: `/containers%2fjson` and `/%63ontainers/json` are
//! `/containers/json` there, and an unclean path (`//`, `.`, `..`) is answered by a redirect that
//! clients follow and other daemons resolve (gorilla/mux without `UseEncodedPath`; tried on 20.10 to
//! 28.5). So a path is decoded here exactly once, what is left unclean or odd after that is refused,
//! and what goes to the engine is written anew from the decoded text: two spellings of one path that
//! are accepted give equal values, and the engine sees only one of them.

use std::borrow::Cow;

use super::byte_set::ByteSet;
use super::{ApiVersion, Malformed};

/// The decoded path without its version prefix, and that prefix. One reading or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPath<'h> {
    version: Option<ApiVersion>,
    text: Cow<'h, str>,
}

/// Bytes that may stand in a path as it comes: printable ASCII without ``# " < > ? \ ^ ` { | }``.
static RAW: ByteSet = ByteSet::alphanumeric_and(b"%/-._~!$&'()*+,;=:@[]");

/// Bytes that are written as they are: `pchar` of RFC 3986 section 3.3, and `/`.
static PLAIN: ByteSet = ByteSet::alphanumeric_and(b"/-._~!$&'()*+,;=:@");

impl<'h> ApiPath<'h> {
    /// Reads the path part of a request target (no `?`), raw as it came.
    ///
    /// ```
    /// # use quaygate::docker::{ApiPath, ApiVersion};
    /// let path = ApiPath::parse("/v1.41/%63ontainers/json")?;
    /// assert_eq!(path.version(), Some(ApiVersion::new(1, 41)));
    /// assert_eq!(path.as_str(), "/containers/json");
    /// # Ok::<(), quaygate::docker::Malformed>(())
    /// ```
    pub fn parse(raw: &'h str) -> Result<Self, Malformed> {
        let text = decode(raw)?;
        clean(&text)?;
        let (version, end) = version(&text)?;
        Ok(Self {
            version,
            text: after(text, end),
        })
    }

    /// The version prefix, if one was written.
    pub fn version(&self) -> Option<ApiVersion> {
        self.version
    }

    /// Decoded, canonical, starting with `/`, without the version prefix: `/containers/web/json`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends the canonical spelling for the wire, version prefix included.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_as(&self.text, out);
    }

    /// The same for another text under the same version.
    pub(super) fn write_as(&self, text: &str, out: &mut Vec<u8>) {
        if let Some(version) = self.version {
            out.extend_from_slice(b"/v");
            version.write(out);
            if text == "/" {
                return;
            }
        }
        if PLAIN.covers(text) {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        for &byte in text.as_bytes() {
            if PLAIN.contains(byte) {
                out.push(byte);
            } else {
                escape(byte, out);
            }
        }
    }
}

/// Appends `%2F` for `/`.
pub(super) fn escape(byte: u8, out: &mut Vec<u8>) {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'A' + nibble - 10
        }
    };
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0x0f)]);
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn unescape(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?)
}

/// Decodes once. Borrows when nothing is escaped.
fn decode(raw: &str) -> Result<Cow<'_, str>, Malformed> {
    let mut escaped = false;
    for byte in raw.bytes() {
        match byte {
            b'#' => return Err(Malformed::Fragment),
            _ if !RAW.contains(byte) => return Err(Malformed::PathByte),
            _ => escaped |= byte == b'%',
        }
    }
    if !escaped {
        return Ok(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else {
                return Err(Malformed::PathEscape);
            };
            unescape(high, low).ok_or(Malformed::PathEscape)?
        } else {
            byte
        };
        // SECURITY: a decoded `%` would be decoded again by whoever decodes twice, a backslash is a
        // separator elsewhere, and a control byte ends a line.
        if !matches!(byte, b' '..=b'~') || matches!(byte, b'%' | b'\\') {
            return Err(Malformed::PathDecoded);
        }
        text.push(char::from(byte));
    }
    Ok(Cow::Owned(text))
}

/// Refuses what dockerd answers with a redirect to somewhere else, and trailing slashes: `/networks/`
/// lists, `/volumes/` inspects the volume without a name.
fn clean(text: &str) -> Result<(), Malformed> {
    let Some(mut rest) = text.as_bytes().strip_prefix(b"/") else {
        return Err(Malformed::Target);
    };
    if rest.is_empty() {
        return Ok(());
    }
    while let Some(end) = rest.iter().position(|&byte| byte == b'/') {
        let (segment, after) = rest.split_at_checked(end).unwrap_or_default();
        clean_segment(segment)?;
        rest = after.get(1..).unwrap_or_default();
    }
    if rest.is_empty() {
        return Err(Malformed::TrailingSlash);
    }
    clean_segment(rest)
}

fn clean_segment(segment: &[u8]) -> Result<(), Malformed> {
    match segment {
        b"" => Err(Malformed::EmptySegment),
        b"." | b".." => Err(Malformed::DotSegment),
        _ => Ok(()),
    }
}

/// The version prefix of a clean path, and where the rest begins.
fn version(text: &str) -> Result<(Option<ApiVersion>, usize), Malformed> {
    let Some((first, rest)) = first_segment(text) else {
        return Ok((None, 0));
    };
    if !looks_like_version(first) {
        return Ok((None, 0));
    }
    let version = first.strip_prefix('v').and_then(ApiVersion::parse);
    let next = first_segment(rest).map_or("", |(next, _)| next);
    match version {
        Some(version) if version.is_known() && !looks_like_version(next) => {
            Ok((Some(version), text.len() - rest.len()))
        }
        // podman numbers its own API by its own releases: `/v4.0.0/libpod/containers/json`. dockerd
        // has nothing of that name in any version, so such a path is no operation whoever reads it.
        None if next == "libpod" => Ok((None, 0)),
        _ => Err(Malformed::Version),
    }
}

/// Splits `/first/rest` into `first` and `/rest`.
fn first_segment(text: &str) -> Option<(&str, &str)> {
    let segments = text.strip_prefix('/')?;
    let end = memchr::memchr(b'/', segments.as_bytes()).unwrap_or(segments.len());
    segments.split_at_checked(end)
}

/// SECURITY: what dockerd could route as a version (`/v{version:[0-9.]+}`) is one in the strict
/// grammar or is refused; "not a version, hence another path" is how `/v1.41./containers/create`
/// walks past a rule. Upper case is 404 at dockerd and refused for the same reason.
fn looks_like_version(segment: &str) -> bool {
    matches!(segment.as_bytes(), [b'v' | b'V', b'0'..=b'9' | b'.', ..])
}

/// The text from `start` on, `/` if nothing is left.
fn after(text: Cow<'_, str>, start: usize) -> Cow<'_, str> {
    let rest = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(start..).unwrap_or_default()),
        Cow::Owned(mut text) => Cow::Owned(text.split_off(start)),
    };
    if rest.is_empty() {
        Cow::Borrowed("/")
    } else {
        rest
    }
}

#[cfg(test)]
mod tests;
