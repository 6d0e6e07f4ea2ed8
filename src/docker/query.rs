//! The query string, read as Go's `net/url` reads it.
//!
//! dockerd takes nearly every parameter from `r.Form`: pairs split at `&`, key and value at the first
//! `=`, `+` is a space, `%` escapes are decoded, empty pairs are skipped, the first value of a key wins
//! (Go `net/url.ParseQuery`, `Values.Get`; moby `daemon/server/httputils/form.go`). A `;` or a bad
//! escape makes Go drop a pair and some handlers fail, others go on: refused here. `#` is an ordinary
//! byte to Go and the end of the target to other readers: refused.
//!
//! Raw `{ } [ ] "` and the like are accepted, because curl sends them as typed. Decoded control
//! characters and text that is not UTF-8 are refused in keys and values: of 2454 recorded requests of
//! real clients none has them, a pattern of a policy could read them differently than Docker does
//! (line ends), and a record of them could be forged.

use std::borrow::Cow;

use super::Malformed;
use super::byte_set::ByteSet;
use super::path::{escape, unescape};

/// A query that has exactly one reading. Borrowed, checked once, decoded when asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<'h> {
    raw: &'h str,
}

impl<'h> Query<'h> {
    /// Checks the text after `?`: no `;`, no bad escape, no control byte, no `#`.
    ///
    /// ```
    /// # use quaygate::docker::Query;
    /// let query = Query::parse("all=1&filters=%7B%7D")?;
    /// assert_eq!(query.first("filters").as_deref(), Some("{}"));
    /// # Ok::<(), quaygate::docker::Malformed>(())
    /// ```
    pub fn parse(raw: &'h str) -> Result<Self, Malformed> {
        let mut escaped = false;
        for byte in raw.bytes() {
            match byte {
                b';' => return Err(Malformed::QuerySemicolon),
                b'#' => return Err(Malformed::Fragment),
                b'%' => escaped = true,
                b'!'..=b'~' => {}
                _ => return Err(Malformed::QueryByte),
            }
        }
        let query = Self { raw };
        if escaped {
            query.check()?;
        }
        Ok(query)
    }

    /// Decoded pairs in the order written. Borrowed where nothing is escaped.
    pub fn pairs(&self) -> impl Iterator<Item = (Cow<'h, str>, Cow<'h, str>)> + use<'h> {
        raw_pairs(self.raw).map(|(key, value)| (decode(key), decode(value)))
    }

    /// The values of `key` in the order written.
    pub fn all<'k>(&self, key: &'k str) -> impl Iterator<Item = Cow<'h, str>> + use<'h, 'k> {
        raw_pairs(self.raw)
            .filter(move |(name, _)| decode(name) == key)
            .map(|(_, value)| decode(value))
    }

    /// The first value of `key`: the one that Go's `Form.Get` returns.
    pub fn first(&self, key: &str) -> Option<Cow<'h, str>> {
        self.all(key).next()
    }

    /// How often `key` is written.
    pub fn count(&self, key: &str) -> usize {
        raw_pairs(self.raw)
            .filter(|(name, _)| decode(name) == key)
            .count()
    }

    /// True when it holds no pair.
    pub fn is_empty(&self) -> bool {
        self.raw.bytes().all(|byte| byte == b'&')
    }

    /// Appends the canonical spelling for the wire, without `?`.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (at, (key, value)) in self.pairs().enumerate() {
            if at > 0 {
                out.push(b'&');
            }
            encode(&key, out);
            out.push(b'=');
            encode(&value, out);
        }
    }

    /// The same with another value for `key`, wherever it is written.
    pub(super) fn write_with(&self, key: &str, value: &str, out: &mut Vec<u8>) {
        for (at, (name, written)) in self.pairs().enumerate() {
            if at > 0 {
                out.push(b'&');
            }
            encode(&name, out);
            out.push(b'=');
            encode(if name == key { value } else { &written }, out);
        }
    }

    /// The same with this value for `key`, which stands at the end if it is not written.
    pub(super) fn write_giving(&self, key: &str, value: &str, out: &mut Vec<u8>) {
        self.write_with(key, value, out);
        if self.count(key) == 0 {
            if !self.is_empty() {
                out.push(b'&');
            }
            encode(key, out);
            out.push(b'=');
            encode(value, out);
        }
    }

    /// Every escape is whole, and what it hides is text.
    fn check(&self) -> Result<(), Malformed> {
        for part in raw_pairs(self.raw).flat_map(|(key, value)| [key, value]) {
            let bytes = unescaped(part)
                .collect::<Option<Vec<u8>>>()
                .ok_or(Malformed::QueryEscape)?;
            let text = str::from_utf8(&bytes).map_err(|_not_utf8| Malformed::QueryText)?;
            if text.chars().any(char::is_control) {
                return Err(Malformed::QueryText);
            }
        }
        Ok(())
    }
}

/// A boolean as dockerd reads one (moby `daemon/server/httputils/form.go`, `BoolValue`): absent, empty,
/// `0`, `no`, `false` and `none`, trimmed, in any case, are false; everything else, `off` included, is true.
///
/// ```
/// # use quaygate::docker::query::truthy;
/// assert!(!truthy(" None "));
/// assert!(truthy("off"));
/// ```
pub fn truthy(value: &str) -> bool {
    let value = value.trim();
    !["", "0", "no", "false", "none"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word))
}

/// Bytes that every reader of a query takes for themselves.
static PLAIN: ByteSet = ByteSet::alphanumeric_and(b"-._~/:,@");

/// Pairs as they are written. Go skips empty ones.
fn raw_pairs(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Decodes a part that `check` has seen.
fn decode(part: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'%', b'+', part.as_bytes()).is_none() {
        return Cow::Borrowed(part);
    }
    let bytes: Vec<u8> = unescaped(part).map_while(|byte| byte).collect();
    // INVARIANT: `parse` has refused whatever is not UTF-8, so nothing is replaced here.
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The decoded bytes of a part; `None` at a bad escape.
fn unescaped(part: &str) -> impl Iterator<Item = Option<u8>> {
    let mut bytes = part.bytes();
    std::iter::from_fn(move || {
        Some(match bytes.next()? {
            b'%' => bytes
                .next()
                .zip(bytes.next())
                .and_then(|(high, low)| unescape(high, low)),
            b'+' => Some(b' '),
            byte => Some(byte),
        })
    })
}

/// Writes what every reader of a query decodes to the same text.
fn encode(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        if PLAIN.contains(byte) {
            out.push(byte);
        } else {
            escape(byte, out);
        }
    }
}

#[cfg(test)]
mod tests;
