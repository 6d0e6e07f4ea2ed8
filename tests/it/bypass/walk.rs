//! A random walk: requests that real clients sent, and the catalogue's own, bent in many small ways
//! and sent through the gate, sometimes with one field more in their bodies. Nothing is expected of the answers; what the engine hears must be what
//! the policy allows, as everywhere in this chapter.
//!
//! The walk is the same on every machine and in every run. `BYPASS_WALK=200000` makes it longer,
//! `BYPASS_SEED=7` takes another way.

use std::fs;
use std::path::Path;

use super::catalogue::{self, Case, Expect, Step};

/// Steps of the walk in an ordinary run.
const STEPS: usize = 3000;

/// Where the walk goes with what it has recorded: much is allowed there, and much is not.
const POLICY: &str = "most";

/// What attacks are made of.
const CRUMBS: [&[u8]; 44] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\0",
    b"/",
    b"//",
    b"/../",
    b"/./",
    b"..",
    b"%2f",
    b"%2e%2e",
    b"%00",
    b"%0d%0a",
    b"%25",
    b"%",
    b"?",
    b"&",
    b"=",
    b";",
    b"#",
    b":",
    b",",
    b"\xc2\xa0",
    b"\xff",
    b"v1.41",
    b"/v1.23",
    b"0",
    b"1",
    b"-1",
    b"ffffffff",
    b"chunked",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Upgrade: tcp\r\n",
    b"Host: x\r\n",
    b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"DELETE /containers/web?force=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"0\r\n\r\n",
];

/// Header lines that decide something for somebody.
const HEADERS: [&str; 30] = [
    "Content-Length: 0",
    "Content-Length: 1",
    "Content-Length: 57",
    "Content-Length:",
    "content-length: 5",
    "Content-Length: 05",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "transfer-encoding: CHUNKED",
    "Transfer-Encoding: identity",
    "Host: evil",
    "Connection: close",
    "Connection: Upgrade",
    "Connection: Content-Length",
    "Upgrade: tcp",
    "Upgrade: h2c",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: AAAA",
    "Expect: 100-continue",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: application/json",
    "Content-Type: multipart/form-data; boundary=x",
    "X-HTTP-Method-Override: DELETE",
    "TE: trailers",
    "Trailer: X",
    "X-Registry-Auth: e30=",
    "Content_Length: 5",
    " folded",
    "\tContent-Length: 5",
    "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Query pairs that some operation reads.
const PAIRS: [&str; 16] = [
    "signal=KILL",
    "signal=HUP",
    "follow=1",
    "all=1",
    "force=1",
    "v=1",
    "t=9999",
    "fromImage=evil",
    "fromSrc=-",
    "remote=http://x/",
    "networkmode=host",
    "checkpoint=x",
    "filters={}",
    "filters=%7B%22label%22%3A%5B%22env%3Dtest%22%5D%7D",
    "path=/data/../etc",
    "stdin=1",
];

/// Fields that ask for something, in spellings that some reader takes for the field.
const FIELDS: [&str; 14] = [
    "\"Privileged\":true",
    "\"privileged\":true",
    "\"HostConfig\":{\"Privileged\":true}",
    "\"hostconfig\":{\"Binds\":[\"/:/h\"]}",
    "\"Ho\u{17f}tConfig\":{\"Bind\u{17f}\":[\"/:/h\"]}",
    "\"Binds\":[\"/:/h\"]",
    "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/\",\"Target\":\"/h\"}]",
    "\"CapAdd\":\"ALL\"",
    "\"NetworkMode\":\"host\"",
    "\"Host\\u0043onfig\":{\"PidMode\":\"host\"}",
    "\"DriverOpts\":{\"device\":\"/\"}",
    "\"Detach\":true",
    "\"detach\":true",
    "\"HostConfig\":null",
];

/// Numbers that look random and are not (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % sides.max(1)
    }

    fn pick<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.roll(all.len())]
    }
}

/// The steps of the walk, as cases of which nothing is expected.
pub(crate) fn steps() -> Vec<Case> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let count = number("BYPASS_WALK").map_or(STEPS, |count| usize::try_from(count).unwrap());
    let seed = number("BYPASS_SEED")
        .unwrap_or(1)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        | 1;
    let mut dice = Dice(seed);
    let seeds = [recorded(), written()];
    (0..count)
        .map(|step| case(step, &mut dice, &seeds))
        .collect()
}

/// Something that a client sends, and a policy that might let it pass.
struct Seed {
    policy: String,
    bytes: Vec<u8>,
}

fn case(step: usize, dice: &mut Dice, seeds: &[Vec<Seed>]) -> Case {
    let seeds = dice.pick(seeds);
    let seed = dice.pick(seeds);
    let mut bytes = seed.bytes.clone();
    // Mostly one change: what is bent in many places is refused for the first of them.
    let mut more = true;
    while more {
        bytes = bend(dice, &bytes, seeds);
        more = dice.roll(3) == 0;
    }
    bytes.truncate(48 * 1024);
    let mut steps = Vec::new();
    // Some of them arrive in two pieces.
    if dice.roll(4) == 0 && bytes.len() > 1 {
        let rest = bytes.split_off(1 + dice.roll(bytes.len() - 1));
        steps.push(Step::Send(bytes));
        steps.push(Step::Send(rest));
    } else {
        steps.push(Step::Send(bytes));
    }
    Case {
        class: "walk".into(),
        id: format!("walk-{step}"),
        policy: seed.policy.clone(),
        steps,
        script: Vec::new(),
        expect: Expect {
            anything: true,
            ..Expect::default()
        },
        why: "whatever is sent, the engine hears only what the policy allows".into(),
        source: "a random walk".into(),
        generated: true,
        slow: false,
    }
}

/// Requests of real clients.
fn recorded() -> Vec<Seed> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let read = |name: &str| fs::read_to_string(data.join(name)).unwrap();
    let mut requests = Vec::new();
    for head in read("heads.txt").split("\n\n") {
        let lines: Vec<_> = head.lines().filter(|line| !line.starts_with('#')).collect();
        if !lines.is_empty() {
            requests.push(with_body(lines.join("\r\n") + "\r\n\r\n"));
        }
    }
    for line in read("targets.txt").lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if let [operation, method, target] = words[..]
            && !operation.starts_with('#')
        {
            let head = format!("{method} {target} HTTP/1.1\r\nHost: docker\r\n\r\n");
            requests.push(head.into_bytes());
        }
    }
    let seed = |bytes| Seed {
        policy: POLICY.to_owned(),
        bytes,
    };
    requests.into_iter().map(seed).collect()
}

/// What the catalogue sends. The tight policy has a limit that a walk would only run into.
fn written() -> Vec<Seed> {
    let cases = catalogue::all().into_iter();
    let fit = cases.filter(|case| !case.generated && !case.slow && case.policy != "tight");
    fit.map(|case| {
        let mut bytes = Vec::new();
        for step in &case.steps {
            if let Step::Send(sent) = step {
                bytes.extend_from_slice(sent);
            }
        }
        Seed {
            policy: case.policy,
            bytes,
        }
    })
    .collect()
}

/// A recorded head announces a body; here it gets one.
fn with_body(head: String) -> Vec<u8> {
    let lower = head.to_ascii_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    let mut bytes = head.into_bytes();
    if lower.contains("transfer-encoding: chunked") {
        bytes.extend_from_slice(b"2\r\n{}\r\n0\r\n\r\n");
    } else if length < 8192 {
        bytes.resize(bytes.len() + length, b' ');
    }
    bytes
}

/// One small change.
fn bend(dice: &mut Dice, bytes: &[u8], seeds: &[Seed]) -> Vec<u8> {
    match dice.roll(18) {
        16 | 17 => field(dice, bytes),
        0 => splice(
            bytes,
            dice,
            |dice| vec![u8::try_from(dice.roll(256)).unwrap()],
            1,
        ),
        1..=3 => splice(bytes, dice, |dice| dice.pick(&CRUMBS).to_vec(), 0),
        4 => splice(bytes, dice, |dice| dice.pick(&CRUMBS).to_vec(), 2),
        5 => splice(bytes, dice, |_| Vec::new(), 1),
        6 => {
            // A piece twice.
            let from = dice.roll(bytes.len());
            let piece = bytes[from..(from + dice.roll(40)).min(bytes.len())].to_vec();
            splice(bytes, dice, |_| piece.clone(), 0)
        }
        7 => bytes[..dice.roll(bytes.len() + 1)].to_vec(),
        8 => [bytes, &dice.pick(seeds).bytes].concat(),
        9 => {
            let other = &dice.pick(seeds).bytes;
            let cut = dice.roll(bytes.len() + 1);
            [&bytes[..cut], &other[dice.roll(other.len() + 1)..]].concat()
        }
        10 | 11 => lines(dice, bytes),
        12 => target(dice, bytes, escape),
        13 => target(dice, bytes, |dice, target| {
            let mark = if target.contains('?') { '&' } else { '?' };
            format!("{target}{mark}{}", dice.pick(&PAIRS))
        }),
        14 => target(dice, bytes, |dice, target| {
            let front = ["/v1.41", "/v1.23", "/v1.41.", "/..", "/", "http://x", "//x"];
            format!("{}{target}", dice.pick(&front))
        }),
        _ => {
            let methods = [
                "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get",
            ];
            let space = bytes.iter().position(|byte| *byte == b' ').unwrap_or(0);
            [dice.pick(&methods).as_bytes(), &bytes[space..]].concat()
        }
    }
}

/// Puts something in the place of `gone` bytes, anywhere.
fn splice(
    bytes: &[u8],
    dice: &mut Dice,
    mut with: impl FnMut(&mut Dice) -> Vec<u8>,
    gone: usize,
) -> Vec<u8> {
    // Heads are where it hurts.
    let reach = if dice.roll(3) > 0 {
        bytes.len().min(200)
    } else {
        bytes.len()
    };
    let at = dice.roll(reach + 1);
    let with = with(dice);
    [&bytes[..at], &with, &bytes[(at + gone).min(bytes.len())..]].concat()
}

/// One field more in an object of the body, and a length that says so.
fn field(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let marks = |mark: &[u8]| {
        let windows = bytes.windows(mark.len()).enumerate();
        windows
            .filter(|(_, window)| window.eq_ignore_ascii_case(mark))
            .map(|(at, _)| at + mark.len())
            .collect::<Vec<_>>()
    };
    let (lengths, objects) = (marks(b"content-length: "), marks(b"{"));
    let (Some(length), false) = (lengths.first().copied(), objects.is_empty()) else {
        return bytes.to_vec();
    };
    let at = *dice.pick(&objects);
    let last = bytes.get(at) == Some(&b'}');
    let field = format!("{}{}", dice.pick(&FIELDS), if last { "" } else { "," });
    let digits = bytes[length..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let number = String::from_utf8_lossy(&bytes[length..length + digits]).parse::<usize>();
    let (Ok(number), true) = (number, at > length + digits) else {
        return bytes.to_vec();
    };
    let number = (number + field.len()).to_string();
    let head = [
        &bytes[..length],
        number.as_bytes(),
        &bytes[length + digits..at],
    ]
    .concat();
    [&head, field.as_bytes(), &bytes[at..]].concat()
}

/// Changes the header lines: one more, one less, one twice, two in another order.
fn lines(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return bytes.to_vec();
    };
    let text: String = bytes[..end].iter().copied().map(char::from).collect();
    let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    let place = 1 + dice.roll(lines.len());
    match dice.roll(5) {
        0 if lines.len() > 2 => drop(lines.remove(place.min(lines.len() - 1))),
        1 if lines.len() > 1 => {
            let again = lines[place.min(lines.len() - 1)].clone();
            lines.push(again);
        }
        2 if lines.len() > 2 => {
            let last = lines.len() - 1;
            lines.swap(1, last);
        }
        _ => lines.insert(place.min(lines.len()), (*dice.pick(&HEADERS)).to_owned()),
    }
    let mut out: Vec<u8> = catalogue::bytes(&lines.join("\r\n"));
    out.extend_from_slice(&bytes[end..]);
    out
}

/// Changes the target of the first request line.
fn target(dice: &mut Dice, bytes: &[u8], change: impl Fn(&mut Dice, &str) -> String) -> Vec<u8> {
    let mut spaces = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b' ')
        .map(|(at, _)| at);
    let (Some(start), Some(end)) = (spaces.next(), spaces.next()) else {
        return bytes.to_vec();
    };
    let target: String = bytes[start + 1..end]
        .iter()
        .copied()
        .map(char::from)
        .collect();
    let changed = catalogue::bytes(&change(dice, &target));
    [&bytes[..=start], &changed, &bytes[end..]].concat()
}

/// One byte of the target percent-encoded, once or twice.
fn escape(dice: &mut Dice, target: &str) -> String {
    let letters: Vec<char> = target.chars().collect();
    let at = dice.roll(letters.len());
    let percent = if dice.roll(4) == 0 { "%25" } else { "%" };
    let escaped = |(place, letter): (usize, &char)| {
        if place == at {
            format!("{percent}{:02x}", u32::from(*letter))
        } else {
            letter.to_string()
        }
    };
    letters.iter().enumerate().map(escaped).collect()
}
