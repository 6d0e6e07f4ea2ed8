//! Ways past the reader of bodies: `escapes.toml`, played against the gate, and where it can be shown,
//! against the engine, which does what the gate refuses.

use serde_json::Value;

use super::catalogue::{PLACES, Row, rows};
use super::play::{Played, is_refusal, must, unchanged};
use super::raw::{Answer, chunked, framed, send};
use super::scenery::Scenery;
use crate::stage::Gate;

/// What is asked if nothing is written.
const CREATE: &str = "POST /containers/create";

/// One attempt.
#[derive(Debug)]
pub(super) struct Escape {
    pub(super) id: String,
    /// The reason code; empty if it is refused before there is one.
    pub(super) code: String,
    status: u16,
    attempt: Attempt,
    twin: Attempt,
    /// A word of the engine's own refusal of the twin.
    engine: Option<String>,
    limit: u16,
    /// What the engine itself makes of it, up to an API version.
    see: Option<String>,
    is: String,
    until: u16,
}

/// One request.
#[derive(Debug)]
struct Attempt {
    request: String,
    line: String,
    headers: Vec<String>,
    body: String,
    chunked: bool,
}

/// Every attempt.
pub(super) fn all() -> Vec<Escape> {
    rows(include_str!("escapes.toml"))
        .iter()
        .map(|(_, row)| escape(row))
        .collect()
}

fn escape(row: &Row) -> Escape {
    row.only(&COLUMNS);
    let or = |number: u16, default: u16| if number == 0 { default } else { number };
    let body = row.must("body");
    let twin = row
        .text("twin")
        .unwrap_or_else(|| match row.number("twin_deep") {
            0 => r#"{"Image": "{IMAGE}"}"#.to_owned(),
            _ => body.clone(),
        });
    Escape {
        id: row.must("id"),
        code: row.text("code").unwrap_or_default(),
        status: or(row.number("status"), 403),
        attempt: attempt(row, "", &body),
        twin: attempt(row, "twin_", &twin),
        engine: row.text("engine"),
        limit: row.number("limit"),
        see: row.text("see"),
        is: row.text("is").unwrap_or_default(),
        until: or(row.number("until"), u16::MAX),
    }
}

/// One of the two requests; the twin is asked like the attempt where it has no column of its own, but
/// in the ordinary type.
fn attempt(row: &Row, prefix: &str, body: &str) -> Attempt {
    let text = |key: &str| {
        row.text(&format!("{prefix}{key}"))
            .or_else(|| row.text(key))
    };
    let number = |key: &str| row.number(&format!("{prefix}{key}"));
    let headers = row.list(&format!("{prefix}headers"));
    let deep = usize::from(number("deep"));
    let nested = format!("{}1{}", "[".repeat(deep), "]".repeat(deep));
    let mut body = body.replace("{DEEP}", &nested);
    // Padding comes last, when the body's length is known.
    if number("pad") > 0 {
        body = format!("{body}{{PAD:{}}}", number("pad"));
    }
    Attempt {
        request: text("request").unwrap_or_else(|| CREATE.to_owned()),
        line: text("line").unwrap_or_default(),
        headers: headers.unwrap_or_else(|| vec!["Content-Type: application/json".to_owned()]),
        body,
        chunked: row.flag("chunked"),
    }
}

/// README.md says what they mean.
#[rustfmt::skip]
const COLUMNS: [&str; 21] = [
    "id", "code", "status", "request", "line", "headers", "body", "chunked", "pad", "deep", "limit",
    "twin", "twin_request", "twin_line", "twin_headers", "twin_pad", "twin_deep", "engine", "see", "is", "until",
];

impl Escape {
    /// The policy that refuses, and the one that the twin passes.
    pub(super) fn policies(&self) -> [(String, String); 2] {
        let named = |suffix: &str, attempt: &Attempt| {
            let (method, target) = attempt.request.split_once(' ').unwrap();
            let path = target.split('?').next().unwrap();
            // A version is no part of a grant.
            let path = path.strip_prefix("/v1.").map_or(path, |rest| &rest[2..]);
            let limit = match self.limit {
                0 => String::new(),
                limit => format!("body = {limit}\n"),
            };
            let text = format!(
                "[[rule]]\nallow = \"{method} {path}\"\n{}\n{PLACES}{limit}",
                attempt.line
            );
            (format!("{}.{suffix}", self.id), text)
        };
        [named("escape", &self.attempt), named("twin", &self.twin)]
    }

    /// Refused, and the engine has nothing new; the twin passes.
    pub(super) fn play(&self, scenery: &Scenery, gate: &Gate) -> Played {
        let [escape, twin] = self.policies().map(|(name, _)| gate.socket_of(&name));
        let before = scenery.seen();
        let answer = send(
            &escape,
            &self.attempt.bytes(scenery, &format!("qg-{}", self.id)),
        );
        let after = scenery.seen();
        must(is_refusal(&answer) && answer.status == self.status, || {
            format!("not refused as it should be: {answer:?}")
        })?;
        must(!answer.message().is_empty(), || {
            format!("no message: {answer:?}")
        })?;
        unchanged(&before, &after)?;

        let name = format!("qg-{}-twin", self.id);
        let answer = send(&twin, &self.twin.bytes(scenery, &name));
        scenery.clear("container", &name);
        must(!is_refusal(&answer), || {
            format!("the twin is refused: {answer:?}")
        })?;
        match &self.engine {
            None => must(answer.status < 400, || {
                format!("the engine refuses the twin: {answer:?}")
            }),
            Some(word) => must(answer.body.contains(word), || {
                format!("nothing of {word}: {answer:?}")
            }),
        }?;
        self.is_real(scenery)
    }

    /// The engine does what the gate refuses.
    fn is_real(&self, scenery: &Scenery) -> Played {
        let Some(place) = self.see.as_ref().filter(|_| scenery.api <= self.until) else {
            return Ok(());
        };
        let name = format!("qg-{}-real", self.id);
        let answer = send(scenery.engine(), &self.attempt.bytes(scenery, &name));
        let found = found(scenery, place, &name, &answer);
        scenery.clear("container", &name);
        must(
            found
                .as_ref()
                .is_some_and(|found| found.starts_with(&self.is)),
            || format!("the engine does nothing of it: {found:?}, {answer:?}"),
        )
    }
}

fn found(scenery: &Scenery, place: &str, name: &str, answer: &Answer) -> Option<String> {
    if answer.status >= 300 {
        return None;
    }
    let made = scenery.inspect(&format!("/containers/{name}/json"));
    match made.pointer(&scenery.filled(place))? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl Attempt {
    fn bytes(&self, scenery: &Scenery, name: &str) -> Vec<u8> {
        let request = scenery.filled(&self.request);
        let (method, target) = request.split_once(' ').unwrap();
        let named = format!("{target}?name={name}");
        let target = if self.request == CREATE {
            &named
        } else {
            target
        };
        let headers: Vec<&str> = self.headers.iter().map(|header| &**header).collect();
        let mut body = scenery.filled(&self.body);
        if let Some((start, pad)) = body.clone().split_once("{PAD:") {
            let size: usize = pad.trim_end_matches('}').parse().unwrap();
            body = format!("{start:<size$}");
        }
        let write = if self.chunked { chunked } else { framed };
        write(method, target, &headers, body.as_bytes())
    }
}
