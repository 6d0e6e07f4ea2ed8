//! Laws: for whatever bytes are read as a head, and whatever way they arrive.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::corpus;
use crate::wire::framing::RequestBody;
use crate::wire::head::{RequestHead, ResponseHead, Scan, read_request, read_response};
use crate::wire::write::{self, Connection};

/// One change to the bytes of a head.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Insert(Index, u8),
    Remove(Index),
    Replace(Index, u8),
    /// Puts a line in after some line.
    Line(Index, &'static str),
    /// Repeats some line after another.
    Repeat(Index, Index),
}

pub(super) fn changed_heads(heads: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = prop_oneof![
        3 => (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        2 => any::<Index>().prop_map(Change::Remove),
        3 => (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        5 => (any::<Index>(), select(LINES)).prop_map(|(at, line)| Change::Line(at, line)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ];
    (select(heads), prop::collection::vec(change, 0..4)).prop_map(|(head, changes)| {
        changes
            .into_iter()
            .fold(head, |head, change| change.apply(head))
    })
}

/// Bytes that mean something to some reader, and any other.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        select(&b"\r\n\t :,;=/?#%_-\0\x0b\x7f\x80\xff01+\"{}"[..]),
        any::<u8>(),
    ]
}

const LINES: &[&str] = &[
    "Content-Length: 5",
    "Content-Length: 0",
    "content-length: 05",
    "Content-Length: 5, 5",
    "Content-Length:",
    "Transfer-Encoding: chunked",
    "transfer-encoding:\tChunked ",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity",
    "TE: trailers",
    "Trailer: X-Sum",
    "Expect: 100-continue",
    "Expect: more",
    "Host: other",
    "Connection: close",
    "Connection: keep-alive, X-A",
    "Connection: Content-Length",
    "Connection: Upgrade",
    "Upgrade: tcp",
    "Upgrade: h2c, tcp",
    "HTTP2-Settings: AAMAAABk",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Content-Type: application/json",
    "X-A: b",
    "X-A : b",
    "X_A: b",
    "X-A:",
    " folded",
    "X-Name: \u{e4}",
    ": nameless",
    "no colon",
];

impl Change {
    fn apply(&self, mut head: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Insert(at, byte) => head.insert(at.index(head.len() + 1), *byte),
            Self::Remove(at) if !head.is_empty() => {
                head.remove(at.index(head.len()));
            }
            Self::Replace(at, byte) if !head.is_empty() => {
                let at = at.index(head.len());
                head[at] = *byte;
            }
            Self::Line(at, line) => {
                let at = ends(&head, *at);
                head.splice(at..at, format!("{line}\r\n").into_bytes());
            }
            Self::Repeat(from, to) => {
                let to = ends(&head, *to);
                let lines: Vec<_> = head.split_inclusive(|byte| *byte == b'\n').collect();
                if !lines.is_empty() {
                    let line = lines[from.index(lines.len())].to_vec();
                    head.splice(to..to, line);
                }
            }
            Self::Remove(_) | Self::Replace(..) => {}
        }
        head
    }
}

/// The place after some line but the last, blank one.
fn ends(head: &[u8], at: Index) -> usize {
    let ends: Vec<_> = memchr::memchr_iter(b'\n', head).map(|lf| lf + 1).collect();
    match ends.split_last() {
        Some((_, inner)) if !inner.is_empty() => inner[at.index(inner.len())],
        _ => 0,
    }
}

/// What of a request has to survive writing.
fn end_to_end(head: &RequestHead<'_>) -> (String, String, RequestBody, Vec<(String, Vec<u8>)>) {
    let fields = head
        .headers()
        .iter()
        .filter(|(name, _)| {
            !OURS
                .iter()
                .any(|ours| ours.as_bytes().eq_ignore_ascii_case(name))
        })
        .map(|(name, value)| (String::from_utf8(name.to_vec()).unwrap(), value.to_vec()))
        .collect();
    (
        head.method().to_owned(),
        head.target().to_owned(),
        head.body(),
        fields,
    )
}

const OURS: &[&str] = &[
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "Upgrade",
];

fn rewrite(head: &RequestHead<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let connection = match (head.upgrade(), head.keep_alive()) {
        (Some(token), _) => Connection::Upgrade(token),
        (None, true) => Connection::KeepAlive,
        (None, false) => Connection::Close,
    };
    write::request(
        &mut out,
        head.method(),
        |out| out.extend_from_slice(head.target().as_bytes()),
        head.headers(),
        head.body(),
        connection,
        head.expects_continue(),
    );
    out
}

fn rewrite_response(head: &ResponseHead<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let connection = if head.keep_alive() {
        Connection::KeepAlive
    } else {
        Connection::Close
    };
    write::response(
        &mut out,
        head.status(),
        head.reason(),
        head.headers(),
        head.body(),
        connection,
    );
    out
}

/// What the rules for a request head come to, written as plainly as possible and without httparse.
fn obeys_the_rules(head: &[u8]) -> bool {
    let lines: Vec<_> = head.split_inclusive(|byte| *byte == b'\n').collect();
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return false;
    };
    let named = |name: &str| {
        lines
            .iter()
            .filter_map(|line| line.split_first_chunk_at(b':'))
            .filter(|known| known.eq_ignore_ascii_case(name.as_bytes()))
            .count()
    };
    lines.iter().all(|line| line.ends_with(b"\r\n"))
        && first.ends_with(b" HTTP/1.1\r\n")
        && *last == b"\r\n"
        && lines.iter().filter(|line| **line == b"\r\n").count() == 1
        && head
            .iter()
            .all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\r' | b'\n'))
        && memchr::memchr_iter(b'\r', head).count() == lines.len()
        && named("Host") == 1
        && named("Content-Length") + named("Transfer-Encoding") <= 1
        && named("Content-Type") <= 1
        && named("Upgrade") <= 1
        && named("Expect") <= 1
        && lines[1..lines.len() - 1].iter().all(|line| {
            line.split_first_chunk_at(b':')
                .is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
        })
}

trait SplitAt {
    /// What stands before the first such byte.
    fn split_first_chunk_at(&self, byte: u8) -> Option<&[u8]>;
}

impl SplitAt for [u8] {
    fn split_first_chunk_at(&self, byte: u8) -> Option<&[u8]> {
        self.split_at_checked(memchr::memchr(byte, self)?)
            .map(|(before, _)| before)
    }
}

#[test]
fn changed_heads_are_good_and_bad_in_turn() {
    let mut runner = TestRunner::deterministic();
    let heads = changed_heads(corpus::requests());
    let good = (0..1000)
        .map(|_| heads.new_tree(&mut runner).unwrap().current())
        .filter(|head| matches!(read_request(head), Ok(Some(_))))
        .count();
    assert!((200..800).contains(&good), "{good} of 1000 are read");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_read_obeys_the_rules(bytes in changed_heads(corpus::requests())) {
        if let Ok(Some((_, end))) = read_request(&bytes) {
            prop_assert!(obeys_the_rules(&bytes[..end]), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_rewritten_request_reads_as_the_same(bytes in changed_heads(corpus::requests())) {
        let Ok(Some((head, _))) = read_request(&bytes) else { return Ok(()) };
        let written = rewrite(&head);
        let (again, end) = read_request(&written).unwrap().unwrap();
        prop_assert_eq!(end, written.len());
        prop_assert_eq!(again.upgrade(), head.upgrade());
        prop_assert_eq!(again.content_type(), head.content_type());
        prop_assert_eq!(again.expects_continue(), head.expects_continue());
        prop_assert_eq!(rewrite(&again), rewrite(&head));
        let (method, target, body, fields) = end_to_end(&again);
        prop_assert_eq!((method.as_str(), target.as_str(), body), (head.method(), head.target(), head.body()));
        // What passed is a part of what came, in its order.
        let (_, _, _, before) = end_to_end(&head);
        let mut before = before.iter();
        prop_assert!(fields.iter().all(|field| before.any(|known| known == field)));
    }

    #[test]
    fn a_rewritten_response_reads_as_the_same(
        bytes in changed_heads(corpus::answers().into_iter().map(|(_, _, head)| head).collect()),
        to_head in any::<bool>(),
    ) {
        let Ok(Some((head, _))) = read_response(&bytes, to_head) else { return Ok(()) };
        let written = rewrite_response(&head);
        let (again, end) = read_response(&written, to_head).unwrap().unwrap();
        prop_assert_eq!(end, written.len());
        prop_assert_eq!(again.status(), head.status());
        prop_assert_eq!(again.reason(), head.reason());
        prop_assert_eq!(again.body(), head.body());
        prop_assert_eq!(again.keep_alive(), head.keep_alive());
        prop_assert_eq!(rewrite_response(&again), written);
    }

    #[test]
    fn pieces_never_change_the_reading(
        bytes in changed_heads(corpus::requests()),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        let whole = read_request(&bytes).map(|read| read.map(|(head, end)| (format!("{head:?}"), end)));
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut scan = Scan::default();
        let mut pieces = Ok(None);
        for cut in cuts {
            pieces = scan.request(&bytes[..cut]).map(|read| read.map(|(head, end)| (format!("{head:?}"), end)));
            if pieces != Ok(None) {
                break;
            }
        }
        // A refusal may come for another reason when more bytes are there, but it comes.
        match (whole, pieces) {
            (Err(_), Err(_)) => {}
            (whole, pieces) => prop_assert_eq!(whole, pieces),
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(byte(), 0..300)) {
        if let Ok(Some((_, end))) = read_request(&bytes) {
            prop_assert!(end <= bytes.len());
        }
        if let Ok(Some((_, end))) = read_response(&bytes, false) {
            prop_assert!(end <= bytes.len());
        }
    }
}
