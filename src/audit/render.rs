//! A record as one line of JSON, schema v1. docs/audit.md describes every field.
//!
//! INVARIANT: a line is visible ASCII and its newline, whatever the client sent: everything else is
//! written as `\uXXXX`, so that a log on a terminal cannot be made to show something else.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use super::ledger::{Passed, Summed};
use super::{Client, Ending, Record, Target, redact};
use crate::docker::Operation;

/// Appends the opening record of a call.
pub(super) fn opening(record: &Record, out: &mut Vec<u8>) {
    let mut line = Line::new("open", record.time, &record.policy);
    line.describe(record);
    line.append(out);
}

/// Appends the final record of a call. Its time is when the call ended.
pub(super) fn ending(record: &Record, ending: &Ending, out: &mut Vec<u8>) {
    let time = record.time.checked_add(ending.duration);
    let mut line = Line::new("final", time.unwrap_or(record.time), &record.policy);
    line.describe(record);
    line.outcome = Some(ending.outcome.code());
    line.status = ending.status;
    line.bytes_up = Some(ending.bytes_up);
    line.bytes_down = Some(ending.bytes_down);
    line.duration_ms = Some(milliseconds(ending.duration));
    line.append(out);
}

/// Appends the record of denials that were counted instead of written.
pub(super) fn summed(policy: &Arc<str>, summed: &Summed, span: Span, out: &mut Vec<u8>) {
    let client = Client {
        uid: summed.uid,
        ..Client::default()
    };
    let mut line = Line::new("summed", span.until, policy);
    line.decision = Some(DENY);
    line.reason = Some(summed.reason);
    line.operation = summed.operation.map(Operation::name);
    line.client = summed.uid.map(|_| Caller(&client));
    line.count(summed.count, span);
    line.append(out);
}

/// Appends the record of allowed calls that were counted instead of written.
pub(super) fn summary(policy: &Arc<str>, passed: &Passed, span: Span, out: &mut Vec<u8>) {
    let mut line = Line::new("summary", span.until, policy);
    line.decision = Some(ALLOW);
    line.statuses = Some(Statuses(passed));
    line.bytes_up = Some(passed.bytes_up);
    line.bytes_down = Some(passed.bytes_down);
    line.count(passed.count(), span);
    line.append(out);
}

/// Appends the record of records that are missing because the queue was full.
pub(super) fn dropped(policy: &Arc<str>, count: u64, span: Span, out: &mut Vec<u8>) {
    let mut line = Line::new("dropped", span.until, policy);
    line.count(count, span);
    line.append(out);
}

/// The time that a count is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) since: SystemTime,
    pub(super) until: SystemTime,
}

/// The version of this schema. It changes when a field changes its meaning or goes; a new field
/// does not change it.
const SCHEMA: u8 = 1;

const ALLOW: &str = "allow";
const DENY: &str = "deny";

/// The fields in the order they are written.
#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    kind: &'static str,
    time: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    policy: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: &'static str,
    #[serde(skip_serializing_if = "Text::is_empty")]
    path: Text<'a>,
    #[serde(skip_serializing_if = "Query::is_empty")]
    query: Query<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<Object<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<Shown<crate::docker::ApiVersion>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Caller<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_up: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_down: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statuses: Option<Statuses<'a>>,
}

#[derive(Serialize)]
struct Rule<'a> {
    name: Text<'a>,
    line: usize,
}

#[derive(Serialize)]
struct Object<'a> {
    id: Text<'a>,
    #[serde(skip_serializing_if = "Text::is_empty")]
    name: Text<'a>,
}

impl<'a> Line<'a> {
    fn new(kind: &'static str, time: SystemTime, policy: &'a str) -> Self {
        Self {
            v: SCHEMA,
            kind,
            time: Moment(time),
            id: None,
            policy,
            decision: None,
            rule: None,
            reason: None,
            operation: None,
            method: "",
            path: Text("", 0),
            query: Query(""),
            target: None,
            connected: None,
            api_version: None,
            client: None,
            outcome: None,
            status: None,
            bytes_up: None,
            bytes_down: None,
            duration_ms: None,
            hint: None,
            count: None,
            since: None,
            statuses: None,
        }
    }

    fn describe(&mut self, record: &'a Record) {
        self.id = Some(record.id);
        // What a rule allowed stays allowed when something later goes wrong; the outcome says so.
        self.decision = Some(if record.rule.is_some() { ALLOW } else { DENY });
        self.rule = record.rule.as_ref().map(|(name, line)| Rule {
            name: Text(name, Record::MAX_TEXT),
            line: *line,
        });
        self.reason = record.reason;
        self.operation = record.operation.map(Operation::name);
        self.method = record.method;
        self.path = Text(&record.path, Record::MAX_PATH);
        self.query = Query(&record.query);
        let object = |target: &'a Target| Object {
            id: Text(&target.id, Record::MAX_TEXT),
            name: Text(&target.name, Record::MAX_TEXT),
        };
        self.target = record.target.as_deref().map(object);
        self.connected = record.connected.as_deref().map(object);
        self.api_version = record.api.map(Shown);
        self.client = (*record.client != Client::default()).then_some(Caller(&record.client));
        self.hint = record
            .hint
            .as_deref()
            .map(|hint| Text(hint, Record::MAX_TEXT));
    }

    fn count(&mut self, count: u64, span: Span) {
        self.count = Some(count);
        self.since = Some(Moment(span.since));
    }

    fn append(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Ascii);
        if self.serialize(&mut serializer).is_err() {
            // No value above can fail to be written; should one ever, the record is still counted.
            out.truncate(start);
            out.extend_from_slice(br#"{"v":1,"kind":"dropped","count":1}"#);
        }
        out.push(b'\n');
    }
}

/// A text of bounded length.
struct Text<'a>(&'a str, usize);

impl Text<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redact::cut(self.0, self.1))
    }
}

/// A query, masked and of bounded length.
struct Query<'a>(&'a str);

impl Query<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Query<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redact::query(self.0, Record::MAX_QUERY))
    }
}

/// What is written as it displays itself.
struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A point in time, RFC 3339 with milliseconds, UTC.
struct Moment(SystemTime);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A clock that was never set, or is centuries off, must not cost the record.
        let since_epoch = self
            .0
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .min(END_OF_RFC3339);
        serializer.collect_str(&humantime::format_rfc3339_millis(UNIX_EPOCH + since_epoch))
    }
}

/// The last second of the year 9999, the last that RFC 3339 can write (RFC 3339, section 5.6).
const END_OF_RFC3339: Duration = Duration::from_secs(253_402_300_799);

/// The client's fields that are known.
struct Caller<'a>(&'a Client);

impl Serialize for Caller<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Client {
            pid,
            uid,
            gid,
            exe,
            container,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        if let Some(pid) = pid {
            map.serialize_entry("pid", pid)?;
        }
        if let Some(uid) = uid {
            map.serialize_entry("uid", uid)?;
        }
        if let Some(gid) = gid {
            map.serialize_entry("gid", gid)?;
        }
        if let Some(exe) = exe {
            map.serialize_entry("exe", &Text(exe, Record::MAX_TEXT))?;
        }
        if let Some(container) = container {
            map.serialize_entry("container", &Text(container, Record::MAX_TEXT))?;
        }
        map.end()
    }
}

/// How many answers had a status of each class; classes without any are left out.
struct Statuses<'a>(&'a Passed);

impl Serialize for Statuses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (class, count) in Passed::CLASSES.iter().zip(&self.0.by_class) {
            if *count > 0 {
                map.serialize_entry(class, count)?;
            }
        }
        map.end()
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// JSON in which every character outside visible ASCII is escaped.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        // `"`, `\` and the controls below the blank are escaped before a fragment gets here.
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut units = [0_u16; 2];
        for character in fragment.chars() {
            if character < '\x7f' {
                write!(writer, "{character}")?;
                continue;
            }
            for unit in character.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
