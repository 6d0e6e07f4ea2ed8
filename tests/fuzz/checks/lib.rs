//! What must hold for any bytes at all, one function per fuzz target.
//!
//! Fuzzing calls them with what libFuzzer makes up (docs/fuzzing.md), the ordinary tests with the
//! inputs kept in `tests/fuzz/seeds` (`tests/it/corpus.rs`). Each panics when its promise breaks.

pub mod body;
pub mod dangers;
pub mod decide;
pub mod exchange;
pub mod framing;
pub mod gojson;
pub mod head;
pub mod path;
pub mod policy;
pub mod query;
pub mod target;

/// How Go reads percent-escapes (`net/url`, `unescape`), written down a second time.
mod go {
    /// Decodes every `%XX` once; `None` at a bad escape.
    pub(crate) fn unescape(text: &[u8], plus_is_space: bool) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            out.push(match first {
                b'%' => {
                    let (digits, after) = rest.split_at_checked(2)?;
                    rest = after;
                    let high = char::from(digits[0]).to_digit(16)?;
                    let low = char::from(digits[1]).to_digit(16)?;
                    u8::try_from(high * 16 + low).ok()?
                }
                b'+' if plus_is_space => b' ',
                byte => *byte,
            });
        }
        Some(out)
    }

    /// A query as pairs (`url.ParseQuery`); `None` where Go reports an error.
    pub(crate) fn query(raw: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut pairs = Vec::new();
        for part in raw.split(|byte| *byte == b'&') {
            if part.contains(&b';') {
                return None;
            }
            if part.is_empty() {
                continue;
            }
            let cut = part.iter().position(|byte| *byte == b'=');
            let (key, value) = match cut {
                Some(at) => (&part[..at], &part[at + 1..]),
                None => (part, &[][..]),
            };
            pairs.push((unescape(key, true)?, unescape(value, true)?));
        }
        Some(pairs)
    }
}
