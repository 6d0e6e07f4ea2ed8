//! An Engine API version such as `1.41`.
//!
//! dockerd routes whatever matches `/v[0-9.]+` and reads it leniently: `/v1.41./`, `/v01.041/` and
//! `/v1.41.0.0.0/` all mean 1.41 (moby `daemon/server/server.go`, tried on 20.10). A reader that knows
//! fewer spellings than dockerd can be walked around, so here there is one spelling per version and the
//! rest is refused.

use std::fmt;

/// An Engine API version. Ordered by number, not by text: 1.9 < 1.41.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// The part before the dot.
    pub major: u16,
    /// The part after the dot.
    pub minor: u16,
}

impl ApiVersion {
    /// The oldest version that is ever let through; older ones have doors that bypass every policy.
    ///
    /// SECURITY: below 1.24 `POST /containers/{id}/start` takes a whole HostConfig from its body, and
    /// `POST /containers/{id}/copy` reads any file of a container.
    pub const OLDEST: Self = Self::new(1, 24);
    /// The newest version this crate knows the operations of.
    pub const NEWEST: Self = Self::new(1, 56);

    /// `ApiVersion::new(1, 41)` is 1.41.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Reads `1.41`: `[1-9][0-9]*\.[0-9]{1,3}` and nothing else.
    ///
    /// ```
    /// # use quaygate::docker::ApiVersion;
    /// assert_eq!(ApiVersion::parse("1.41"), Some(ApiVersion::new(1, 41)));
    /// assert_eq!(ApiVersion::parse("1.41."), None);
    /// ```
    pub const fn parse(text: &str) -> Option<Self> {
        let Some((major, rest)) = number(text.as_bytes()) else {
            return None;
        };
        let [b'.', rest @ ..] = rest else { return None };
        let Some((minor, [])) = number(rest) else {
            return None;
        };
        if rest.len() > 3 || major == 0 || matches!(text.as_bytes(), [b'0', ..]) {
            return None;
        }
        // INVARIANT: one spelling per version, or two policies could disagree about one request:
        // `1.041` would be a second spelling of `1.41`.
        if matches!(rest, [b'0', _, ..]) {
            return None;
        }
        Some(Self::new(major, minor))
    }

    /// Appends `1.41`.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        decimal(self.major, out);
        out.push(b'.');
        decimal(self.minor, out);
    }

    /// True when the version is one that this crate lets through.
    pub fn is_known(self) -> bool {
        (Self::OLDEST..=Self::NEWEST).contains(&self)
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Appends a number. `format!` would be the dearest part of a path.
fn decimal(number: u16, out: &mut Vec<u8>) {
    if number >= 10 {
        decimal(number / 10, out);
    }
    out.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
}

/// The decimal number at the front, and what follows it. `const`, because the table of operations is
/// read at compile time.
const fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let mut value: u16 = 0;
    let mut rest = bytes;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        let Some(shifted) = value.checked_mul(10) else {
            return None;
        };
        #[expect(
            clippy::as_conversions,
            reason = "`From` is not const; u8 to u16 loses nothing"
        )]
        let Some(sum) = shifted.checked_add((*digit - b'0') as u16) else {
            return None;
        };
        value = sum;
        rest = tail;
    }
    if rest.len() == bytes.len() {
        None
    } else {
        Some((value, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_one_spelling() {
        let cases = [
            ("1.24", Some((1, 24))),
            ("1.41", Some((1, 41))),
            ("1.0", Some((1, 0))),
            ("1.9", Some((1, 9))),
            ("1.999", Some((1, 999))),
            ("12.3", Some((12, 3))),
            ("", None),
            ("1", None),
            ("1.", None),
            (".", None),
            (".41", None),
            ("0.41", None),
            ("01.41", None),
            ("1.041", None),
            ("1.41.", None),
            ("1.41.0", None),
            ("1.41.0.0.0", None),
            ("1..41", None),
            ("1.1000", None),
            ("99999.1", None),
            ("+1.41", None),
            ("1.+41", None),
            (" 1.41", None),
            ("1.41 ", None),
            ("1,41", None),
            ("1.4a", None),
            ("١.٤١", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(major, minor)| ApiVersion::new(major, minor));
            assert_eq!(ApiVersion::parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number() {
        assert!(ApiVersion::new(1, 9) < ApiVersion::new(1, 41));
        assert!(ApiVersion::new(1, 41) < ApiVersion::new(2, 0));
    }

    #[test]
    fn only_versions_with_known_operations_are_known() {
        for (minor, known) in [(23, false), (24, true), (56, true), (57, false)] {
            assert_eq!(ApiVersion::new(1, minor).is_known(), known, "1.{minor}");
        }
        assert!(!ApiVersion::new(2, 0).is_known());
    }

    #[test]
    fn what_is_written_reads_back() {
        for version in [ApiVersion::OLDEST, ApiVersion::NEWEST] {
            assert_eq!(ApiVersion::parse(&version.to_string()), Some(version));
        }
    }
}
