//! What may never be written, and how it is masked.
//!
//! An audit log is read by more people than the secrets of a build are meant for. Header values
//! (`X-Registry-Auth`, `X-Registry-Config`) and bodies never get this far: a record has no field for
//! them. What remains is the query, and there the list names what is *shown*: a key that is not
//! known to be harmless has its value masked, so that a key which Docker grows next year leaks
//! nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What stands in place of a masked value.
pub const MASK: &str = "***";

/// The query as it may be written: values masked, at most `limit` bytes (and the mark of the cut).
///
/// Keys are compared as Docker reads them, decoded: `%62uildargs` is `buildargs`. Applying it twice
/// changes nothing.
pub fn query(raw: &str, limit: usize) -> Cow<'_, str> {
    if raw.len() <= limit.saturating_add(CUT_MARK) && pairs(raw).all(|pair| mask(pair).is_none()) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len().min(limit.saturating_add(CUT_MARK)));
    for (at, pair) in pairs(raw).enumerate() {
        if at > 0 {
            out.push('&');
        }
        match mask(pair) {
            Some(masked) => out.push_str(&masked),
            None => out.push_str(pair),
        }
        if out.len() > limit.saturating_add(CUT_MARK) {
            break;
        }
    }
    if out.len() <= limit.saturating_add(CUT_MARK) {
        return Cow::Owned(out);
    }
    Cow::Owned(cut_as(&out, limit, raw.len()))
}

/// At most `limit` bytes of `text` and, where it was cut, how long it was: `...[of 3000 bytes]`.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit.saturating_add(CUT_MARK) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(cut_as(text, limit, text.len()))
}

/// Room for the mark of a cut, so that cutting twice changes nothing.
const CUT_MARK: usize = 40;

fn cut_as(text: &str, limit: usize, length: usize) -> String {
    let end = (0..=limit)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or_default();
    let mut out = text.get(..end).unwrap_or_default().to_owned();
    // Writing into a String cannot fail.
    write!(out, "...[of {length} bytes]").unwrap_or_default();
    out
}

fn pairs(raw: &str) -> impl Iterator<Item = &str> {
    raw.split('&')
}

/// The pair as it may be written; `None` when it may be written as it is.
fn mask(pair: &str) -> Option<String> {
    let (key, value) = pair.split_once('=')?;
    if value.is_empty() || value == MASK {
        return None;
    }
    match manner(key) {
        Manner::Shown => None,
        Manner::Address => address(value).map(|shown| format!("{key}={shown}")),
        Manner::Masked => Some(format!("{key}={MASK}")),
    }
}

/// How the values of a query key are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// As they came.
    Shown,
    /// An address: without user, password and query.
    Address,
    /// Not at all.
    Masked,
}

fn manner(key: &str) -> Manner {
    let Some(key) = decode(key) else {
        return Manner::Masked;
    };
    if SHOWN.binary_search(&&*key).is_ok() {
        Manner::Shown
    } else if ADDRESSES.contains(&&*key) {
        Manner::Address
    } else {
        Manner::Masked
    }
}

/// Keys whose values are addresses: a build context (`remote`), an import (`fromSrc`).
const ADDRESSES: &[&str] = &["fromSrc", "remote"];

/// Every query key of the Engine API whose value bears no secret, sorted by bytes.
///
/// What the API reads and is *not* here: `buildargs` and `changes` (ENV lines) carry secrets by
/// habit; `labels` of a build carry basic-auth hashes; `cachefrom` and `outputs` may hold the keys
/// of an object store; `session` names a live build session that hands out its secrets; `message`,
/// `comment` and `author` are free text. `filters` is here: a filter says what its writer already
/// knew, and policies judge it. So is `ps_args`: it is an option string, and an attack when odd.
const SHOWN: &[&str] = &[
    "all",
    "before",
    "buildid",
    "cgroupparent",
    "checkpoint",
    "checkpoint-dir",
    "condition",
    "container",
    "copyUIDGID",
    "cpuperiod",
    "cpuquota",
    "cpusetcpus",
    "cpusetmems",
    "cpushares",
    "debug",
    "detachKeys",
    "details",
    "digests",
    "dir",
    "dockerfile",
    "extrahosts",
    "filter",
    "filters",
    "follow",
    "force",
    "forcerm",
    "format",
    "fromImage",
    "h",
    "id",
    "identity",
    "insertDefaults",
    "isolation",
    "keep-storage",
    "limit",
    "link",
    "logs",
    "manifests",
    "max-used-space",
    "memory",
    "memswap",
    "min-free-space",
    "name",
    "names",
    "networkmode",
    "noOverwriteDirNonDir",
    "nocache",
    "noprune",
    "one-shot",
    "path",
    "pause",
    "platform",
    "platforms",
    "ps_args",
    "pull",
    "q",
    "quiet",
    "registryAuthFrom",
    "repo",
    "reserved-space",
    "rm",
    "rollback",
    "rotateManagerToken",
    "rotateManagerUnlockKey",
    "rotateWorkerToken",
    "scope",
    "seconds",
    "securityopt",
    "shared-size",
    "shmsize",
    "signal",
    "since",
    "size",
    "squash",
    "statement",
    "status",
    "stderr",
    "stdin",
    "stdout",
    "stream",
    "t",
    "tag",
    "tail",
    "target",
    "term",
    "timeout",
    "timestamps",
    "type",
    "ulimits",
    "until",
    "v",
    "verbose",
    "version",
    "w",
];

/// An address without what may identify or admit its user; `None` when there is nothing to hide.
///
/// SECURITY: everything up to the *last* `@` goes, wherever it stands. Which part of an odd address
/// is the authority differs between readers (`https:\\user:pass@host`), and a reader that finds one
/// `@` fewer than git does writes a token into the log.
fn address(raw: &str) -> Option<String> {
    let Some(value) = decode(raw) else {
        return Some(MASK.to_owned());
    };
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('@') => (Some(scheme), rest),
        Some(_) | None => (None, &*value),
    };
    let after = rest.rsplit_once('@').map(|(_, after)| after);
    let shown = after.unwrap_or(rest);
    let (place, has_query) = match shown.split_once('?') {
        Some((place, query)) => (place, query != MASK),
        None => (shown, false),
    };
    let hides_user = rest.rsplit_once('@').is_some_and(|(user, _)| user != MASK);
    if !hides_user && !has_query {
        return None;
    }
    let mut out = String::with_capacity(raw.len());
    if let Some(scheme) = scheme {
        encode(scheme, &mut out);
        out.push_str("://");
    }
    if after.is_some() {
        out.push_str(MASK);
        out.push('@');
    }
    encode(place, &mut out);
    if shown.contains('?') {
        out.push('?');
        out.push_str(MASK);
    }
    Some(out)
}

/// Decodes as Go's `url.QueryUnescape` does; `None` where it would fail or is not UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = hex(bytes.next()?)?;
                let low = hex(bytes.next()?)?;
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Appends `text` so that it stays one value of a query.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'%' | b'&' | b'+' | b'#' | b'?' | 0..=b' ' | 0x7f.. => {
                write!(out, "%{byte:02X}").unwrap_or_default();
            }
            _ => out.push(char::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::Operation;

    const LIMIT: usize = 2048;

    #[test]
    fn values_that_may_bear_secrets_are_masked() {
        for (raw, shown) in [
            ("all=1&limit=5", "all=1&limit=5"),
            ("", ""),
            ("all", "all"),
            (
                "t=app&buildargs=%7B%22TOKEN%22%3A%22x%22%7D",
                "t=app&buildargs=***",
            ),
            ("%62uildargs=x&q=1", "%62uildargs=***&q=1"),
            ("build%61rgs=x", "build%61rgs=***"),
            ("changes=ENV%20A%3Db&changes=CMD", "changes=***&changes=***"),
            ("labels=%7B%7D", "labels=***"),
            ("session=abc", "session=***"),
            ("comment=hello", "comment=***"),
            ("unheardof=1", "unheardof=***"),
            ("Buildargs=1", "Buildargs=***"),
            ("buildargs=", "buildargs="),
            ("%zz=secret", "%zz=***"),
            ("a=b=c", "a=***"),
            (
                "filters={\"label\":[\"a=b\"]}",
                "filters={\"label\":[\"a=b\"]}",
            ),
            ("ps_args=-eo+pid,args", "ps_args=-eo+pid,args"),
        ] {
            assert_eq!(query(raw, LIMIT), shown, "{raw}");
        }
    }

    #[test]
    fn addresses_lose_user_password_and_query() {
        for (raw, shown) in [
            (
                "remote=https://github.com/acme/app.git%23main",
                "remote=https://github.com/acme/app.git%23main",
            ),
            (
                "remote=https://user:token@github.com/acme/app.git%23main:dir",
                "remote=https://***@github.com/acme/app.git%23main:dir",
            ),
            (
                "remote=https%3A%2F%2Fuser%3Atoken%40github.com%2Fapp",
                "remote=https://***@github.com/app",
            ),
            (
                "remote=https://host/x?sig=abc&q=1",
                "remote=https://host/x?***&q=1",
            ),
            (
                "remote=https://host/x%3Fsig=abc",
                "remote=https://host/x?***",
            ),
            ("fromSrc=-", "fromSrc=-"),
            (
                "remote=git@github.com:acme/app",
                "remote=***@github.com:acme/app",
            ),
            ("remote=https:%5C%5Cu:p@host/x", "remote=***@host/x"),
            (
                "remote=https://a@b:secret@host/x",
                "remote=https://***@host/x",
            ),
            ("remote=u:p@host/a://b", "remote=***@host/a://b"),
            ("remote=%zz", "remote=***"),
        ] {
            assert_eq!(query(raw, LIMIT), shown, "{raw}");
        }
    }

    #[test]
    fn masking_twice_changes_nothing() {
        let long = format!("filters={}&buildargs=x", "a".repeat(5000));
        for raw in [
            "t=a&buildargs=x&remote=https://u:p@h/x?y",
            "remote=https%3A%2F%2Fu%3Ap%40h%2F%3Fy",
            "unheardof=***",
            &long,
        ] {
            let once = query(raw, LIMIT).into_owned();
            assert_eq!(query(&once, LIMIT), once, "{raw}");
        }
    }

    #[test]
    fn a_long_query_is_cut_and_says_so() {
        let raw = format!("filters={}&all=1", "a".repeat(5000));

        let shown = query(&raw, LIMIT);

        assert_eq!(
            shown,
            format!("filters={}...[of 5014 bytes]", "a".repeat(LIMIT - 8))
        );
    }

    #[test]
    fn cutting_never_uncovers_what_masking_hides() {
        let secret = "s3cret".repeat(1000);
        for raw in [
            format!("remote=https://{secret}@host/x"),
            format!("buildargs={secret}"),
            format!(
                "all=1&{}&remote=https://user:{secret}@h",
                "q=1&".repeat(500)
            ),
        ] {
            assert!(!query(&raw, LIMIT).contains("s3cret"), "{raw}");
        }
    }

    #[test]
    fn cutting_respects_characters() {
        let text = "é".repeat(1000);

        assert_eq!(
            cut(&text, 101),
            format!("{}...[of 2000 bytes]", "é".repeat(50))
        );
        assert_eq!(cut("short", 10), "short");
    }

    #[test]
    fn the_list_is_sorted_for_the_search() {
        assert!(SHOWN.is_sorted());
    }

    #[test]
    fn every_key_of_the_operations_table_was_decided_on() {
        let masked = [
            "author",
            "buildargs",
            "cachefrom",
            "changes",
            "comment",
            "labels",
            "message",
            "outputs",
            "session",
        ];
        let document = include_str!("../../docs/audit.md");
        for key in masked {
            assert_eq!(manner(key), Manner::Masked, "{key}");
            assert!(
                document.contains(&format!("`{key}`")),
                "docs/audit.md lacks `{key}`"
            );
        }
        for key in Operation::ALL
            .iter()
            .flat_map(|operation| operation.query())
        {
            let shown = manner(key.name()) != Manner::Masked;
            assert_ne!(
                shown,
                masked.contains(&key.name()),
                "decide on `{}`",
                key.name()
            );
        }
    }
}
