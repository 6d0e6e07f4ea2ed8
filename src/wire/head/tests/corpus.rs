//! Heads of real clients and engines, as recorded.

use crate::wire::head::BadHead;

/// Every recorded request head, with the line ends of the wire.
pub(super) fn requests() -> Vec<Vec<u8>> {
    blocks(include_str!("../../../../tests/data/heads.txt"))
        .map(|(_, head)| head)
        .collect()
}

/// Every recorded response head: the framing that followed, whether it answered a HEAD, the head.
pub(super) fn answers() -> Vec<(String, bool, Vec<u8>)> {
    blocks(include_str!("../../../../tests/data/answers.txt"))
        .map(|(note, head)| {
            let (rest, framing) = note.rsplit_once(' ').expect("a framing in the note");
            (framing.to_owned(), rest.ends_with("HEAD"), head)
        })
        .collect()
}

/// Blocks of a note and a head, separated by blank lines; blocks of notes only are prose.
fn blocks(text: &'static str) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    text.split("\n\n").filter_map(|block| {
        let (note, head) = block.split_once('\n')?;
        let head = head.trim_end_matches('\n');
        (!head.is_empty() && !head.starts_with('#'))
            .then(|| (note, (head.replace('\n', "\r\n") + "\r\n\r\n").into_bytes()))
    })
}

/// All variants; `BadHead::status` fails to compile when one is new, so add it here too.
pub(super) const EVERY_REFUSAL: &[BadHead] = &[
    BadHead::TooLarge,
    BadHead::TooManyHeaders,
    BadHead::TargetTooLong,
    BadHead::BareLf,
    BadHead::LeadingLine,
    BadHead::Http2,
    BadHead::Version,
    BadHead::Connect,
    BadHead::RequestLine,
    BadHead::Method,
    BadHead::Target,
    BadHead::StatusLine,
    BadHead::HeaderLine,
    BadHead::FoldedLine,
    BadHead::HeaderValue,
    BadHead::HostMissing,
    BadHead::HostRepeated,
    BadHead::HostMalformed,
    BadHead::LengthRepeated,
    BadHead::LengthMalformed,
    BadHead::LengthAndEncoding,
    BadHead::EncodingRepeated,
    BadHead::EncodingUnknown,
    BadHead::ContentTypeRepeated,
    BadHead::ContentTypeMalformed,
    BadHead::Expectation,
    BadHead::Upgrade,
    BadHead::Connection,
    BadHead::ConnectionNominates,
];
