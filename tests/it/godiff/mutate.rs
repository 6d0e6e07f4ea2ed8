//! Requests and answers that are slightly wrong, the same ones in every run.

/// A small generator of numbers (Steele, Lea and Flood: SplitMix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is above 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One to three mistakes in a request, or none at all.
pub(super) fn request(seed: &[u8], others: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..dice.below(4) {
        match dice.below(12) {
            0..=2 => header(&mut bytes, LINES, dice),
            3..=6 => target(&mut bytes, dice),
            7 => body(&mut bytes, dice),
            8 => line_end(&mut bytes, dice),
            9 => {
                let other: &Vec<u8> = dice.pick(others);
                bytes.extend_from_slice(other);
            }
            10 => twice(&mut bytes, dice),
            _ => anywhere(&mut bytes, dice),
        }
    }
    bytes
}

/// One to three mistakes in an answer, or none at all.
pub(super) fn answer(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..dice.below(4) {
        match dice.below(6) {
            0 | 1 => header(&mut bytes, ANSWER_LINES, dice),
            2 => line_end(&mut bytes, dice),
            3 => twice(&mut bytes, dice),
            4 => status(&mut bytes, dice),
            _ => anywhere(&mut bytes, dice),
        }
    }
    bytes
}

/// Puts a line among the headers.
fn header(bytes: &mut Vec<u8>, lines: &[&str], dice: &mut Dice) {
    let ends = line_ends(bytes);
    if !ends.is_empty() {
        let at = *dice.pick(&ends);
        let line = dice.pick(lines).as_bytes().to_vec();
        bytes.splice(at..at, line);
    }
}

/// Where the lines of the (first) head end.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        let line = &bytes[at..=at + length];
        if line.trim_ascii().is_empty() {
            break;
        }
        at += length + 1;
        ends.push(at);
    }
    ends
}

/// Changes the request's target.
fn target(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let mut spaces = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b' ')
        .map(|(at, _)| at);
    let (Some(start), Some(end)) = (spaces.next(), spaces.next()) else {
        return;
    };
    let start = start + 1;
    if start >= end {
        return;
    }
    match dice.below(5) {
        // One character in an escaped spelling.
        0 | 1 => {
            let at = start + dice.below(end - start);
            let escaped = if dice.below(2) == 0 {
                format!("%{:02x}", bytes[at])
            } else {
                format!("%{:02X}", bytes[at])
            };
            bytes.splice(at..=at, escaped.into_bytes());
        }
        2 => {
            let at = start + dice.below(end - start + 1);
            let piece = dice.pick(PIECES).as_bytes().to_vec();
            bytes.splice(at..at, piece);
        }
        3 => {
            let mark = if bytes[start..end].contains(&b'?') {
                "&"
            } else {
                "?"
            };
            let pair = format!("{mark}{}", dice.pick(PAIRS));
            bytes.splice(end..end, pair.into_bytes());
        }
        _ => {
            let version = dice.pick(VERSIONS).as_bytes().to_vec();
            bytes.splice(start..start, version);
        }
    }
}

/// Gives the first head another body.
fn body(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return;
    };
    let (headers, body) = dice.pick(BODIES);
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let kept: Vec<&str> = head
        .split("\r\n")
        .filter(|line| {
            let line = line.to_ascii_lowercase();
            !line.starts_with("content-") && !line.starts_with("transfer-encoding:")
        })
        .collect();
    *bytes = format!("{}\r\n{headers}\r\n{body}", kept.join("\r\n")).into_bytes();
}

/// Ends one line otherwise.
fn line_end(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let ends: Vec<usize> = bytes
        .windows(2)
        .enumerate()
        .filter(|(_, two)| two == b"\r\n")
        .map(|(at, _)| at)
        .collect();
    if !ends.is_empty() {
        let at = *dice.pick(&ends);
        let other = dice.pick(&[
            "\n", "\r", "\r\r\n", "\r\n ", "\r\n\t", "\r\n\r\n", " \r\n", "\n\r\n", "",
        ]);
        bytes.splice(at..at + 2, other.bytes());
    }
}

/// Repeats one line.
fn twice(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let ends = line_ends(bytes);
    if ends.len() > 1 {
        let number = dice.below(ends.len() - 1);
        let line = bytes[ends[number]..ends[number + 1]].to_vec();
        let at = *dice.pick(&ends);
        bytes.splice(at..at, line);
    }
}

fn status(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.len() > 12 {
        let code = dice.pick(&[
            "100", "101", "103", "200", "204", "205", "304", "404", "099", "600", "20 ", "+20",
        ]);
        bytes.splice(9..12, code.bytes());
    }
}

/// Changes bytes without knowing what they are.
fn anywhere(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.below(bytes.len());
    match dice.below(5) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(
            at,
            *dice.pick(b"\0\t\n\r \"#%&+,-./:;=?@[\\]_{}\x0b\x7f\x80\xa0\xff"),
        ),
        _ => {
            let end = (at + 1 + dice.below(8)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = dice.below(bytes.len());
            bytes.splice(to..to, piece);
        }
    }
}

/// Header lines on which readers disagree, or which mean something to somebody.
const LINES: &[&str] = &[
    "Content-Length: 0\r\n",
    "Content-Length: 2\r\n",
    "Content-Length: 02\r\n",
    "Content-Length: +2\r\n",
    "Content-Length:\r\n",
    "Content-Length: 2, 2\r\n",
    "Content-Length : 2\r\n",
    "Content_Length: 2\r\n",
    "content-length:2\r\n",
    "Content-Length: 9223372036854775807\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: Chunked\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding:\x0bchunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer_Encoding: chunked\r\n",
    "Host: other\r\n",
    "Host: a b\r\n",
    "Host: [::1]:80\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, X-Nominated\r\n",
    "Connection: Content-Length\r\n",
    "Connection: Upgrade\r\nUpgrade: tcp\r\n",
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "Upgrade: websocket\r\n",
    "X-Nominated: 1\r\n",
    "Expect: 100-continue\r\n",
    "Expect: 200-ok\r\n",
    "TE: trailers\r\n",
    "Trailer: Content-Length\r\n",
    "Proxy-Connection: keep-alive\r\n",
    "X-HTTP-Method-Override: DELETE\r\n",
    "Content-Type: application/x-www-form-urlencoded\r\n",
    "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n",
    "Content-Type: APPLICATION/X-WWW-FORM-URLENCODED\r\n",
    "Content-Type: application/x-www-form-urlencoded;=\r\n",
    "Content-Type:\tapplication/x-www-form-urlencoded\t\r\n",
    "Content-Type: appl\u{130}cation/x-www-form-urlencoded\r\n",
    "Content-Type: \u{a0}application/x-www-form-urlencoded\r\n",
    "Content-Type: application/x-www-form-urlencoded\u{85}\r\n",
    "Content-Type: multipart/form-data; boundary=x\r\n",
    "Content-Type: application/json\r\n",
    ": empty\r\n",
    "X Y: blank\r\n",
    "X-Control: a\x01b\r\n",
    "X-Latin: \u{e9}\r\n",
    " folded\r\n",
    "\r\n",
];

const ANSWER_LINES: &[&str] = &[
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 05\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length:\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: close\r\n",
    "Connection: Upgrade\r\nUpgrade: tcp\r\n",
    "Trailer: X\r\n",
    "Content-Type: text/plain\r\n",
    " folded\r\n",
    ": empty\r\n",
    "X Y: blank\r\n",
    "\r\n",
];

const PIECES: &[&str] = &[
    "/", "//", "/./", "/../", "%2f", "%2F", "%5c", "\\", "%25", "%2525", "%00", "%0a", "%", "%zz",
    "#", "?", ";", "+", "%20", "%c3%a9", "%7f", "[", "]", "{", "}", "|", "^", "\"", "<", "~", "!",
    "$", "'", "(", ")", "*", ",", "@", ":", "http://a", "//a",
];

const PAIRS: &[&str] = &[
    "a=1",
    "a=2&a=3",
    "fromImage=evil",
    "fromSrc=-",
    "signal=9",
    "=",
    "=x",
    "a",
    "a=b=c",
    "a+b=c+d",
    "a=%2B",
    "a=%26b%3d1",
    "a;b=1",
    "a=%zz",
    "a=%",
    "a=%c3%a9",
    "a=%ff",
    "a=%00",
    "filters={\"label\":[\"a=b\"]}",
    "filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%7D",
    "A=1",
    "%61=1",
    "&&",
    "a=\\",
    "a=|^`<>",
    "?a=1",
    "/a=1",
];

const VERSIONS: &[&str] = &[
    "/v1.41",
    "/v1.24",
    "/v1.56",
    "/v1.23",
    "/v1.57",
    "/v1.041",
    "/v01.41",
    "/v1.41.",
    "/v1.41.0",
    "/V1.41",
    "/v1",
    "/v",
    "/v...",
    "/%761.41",
    "/v1%2e41",
    "/v1.4%31",
    "/v1.41/v1.41",
    "http://d",
    "http://d/v1.41",
    "HTTP://d",
    "https://d",
    "http://",
    "http:",
    "//d",
];

/// Framing headers and what follows them.
const BODIES: &[(&str, &str)] = &[
    ("", ""),
    ("Content-Length: 0\r\n", ""),
    (
        "Content-Length: 2\r\nContent-Type: application/json\r\n",
        "{}",
    ),
    (
        "Content-Length: 2\r\nContent-Type: application/json\r\n",
        "{}GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n",
    ),
    ("Content-Length: 5\r\n", "{}"),
    ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    (
        "Transfer-Encoding: chunked\r\n",
        "2\r\n{}\r\n0\r\n\r\nGET /_ping HTTP/1.1\r\nHost: d\r\n\r\n",
    ),
    (
        "Transfer-Encoding: chunked\r\n",
        "1\r\n{\r\n001\r\n}\r\n000\r\n\r\n",
    ),
    (
        "Transfer-Encoding: chunked\r\n",
        "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
    ),
    ("Transfer-Encoding: chunked\r\n", "2;x=y\r\n{}\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "2 \r\n{}\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n"),
    ("Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "2\r\n{}0\r\n\r\n"),
    (
        "Transfer-Encoding: chunked\r\n",
        "0\r\nContent-Length: 3\r\n\r\n",
    ),
    ("Transfer-Encoding: chunked\r\n", "fffffffffffffff\r\n{}"),
    (
        "Transfer-Encoding: chunked\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "0\r\n\r\n",
    ),
    (
        "Content-Length: 14\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        "fromImage=evil",
    ),
    (
        "Content-Length: 14\r\nContent-Type: appl\u{130}cation/x-www-form-urlencoded\r\n",
        "fromImage=evil",
    ),
    (
        "Content-Length: 14\r\nContent-Type: \u{2003}application/x-www-form-urlencoded\r\n",
        "fromImage=evil",
    ),
];
