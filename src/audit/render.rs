//! A record as one line of JSON, schema v1. docs/audit.md describes every field.
//!
//! INVARIANT: a line is visible ASCII and its newline, whatever the client sent: everything else is
//! written as `\uXXXX`, so that a log on a terminal cannot be made to show something else.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize as _;
use serde_json::ser::Formatter;

use super::ledger::{Passed, Summed};
use super::{Client, Ending, Record, Target, redact};

/// Appends the opening record of a call.
pub(super) fn opening(record: &Record<&str>, out: &mut Vec<u8>) {
    let mut line = Line::begin(out, "open", record.time);
    line.call(record);
    line.hint(record);
    line.end();
}

/// Appends the final record of a call. Its time is when the call ended.
pub(super) fn ending(record: &Record<&str>, ending: &Ending, out: &mut Vec<u8>) {
    let time = record.time.checked_add(ending.duration);
    let mut line = Line::begin(out, "final", time.unwrap_or(record.time));
    line.call(record);
    line.word("outcome", ending.outcome.code());
    if let Some(status) = ending.status {
        line.number("status", status);
    }
    line.number("bytes_up", ending.bytes_up);
    line.number("bytes_down", ending.bytes_down);
    line.milliseconds("duration_ms", ending.duration);
    line.hint(record);
    line.end();
}

/// Appends the record of denials that were counted instead of written.
pub(super) fn summed(policy: &str, summed: &Summed, span: Span, out: &mut Vec<u8>) {
    let mut line = Line::counted(out, "summed", policy, span);
    line.word("decision", DENY);
    line.word("reason", summed.reason);
    if let Some(operation) = summed.operation {
        line.word("operation", operation.name());
    }
    if let Some(uid) = summed.uid {
        line.object("client", |client| client.number("uid", uid));
    }
    line.count(summed.count, span);
    line.end();
}

/// Appends the record of allowed calls that were counted instead of written.
pub(super) fn summary(policy: &str, passed: &Passed, span: Span, out: &mut Vec<u8>) {
    let mut line = Line::counted(out, "summary", policy, span);
    line.word("decision", ALLOW);
    line.number("bytes_up", passed.bytes_up);
    line.number("bytes_down", passed.bytes_down);
    line.count(passed.count(), span);
    // How many answers had a status of each class; classes without any are left out.
    line.object("statuses", |statuses| {
        for (class, count) in Passed::CLASSES.iter().zip(&passed.by_class) {
            if *count > 0 {
                statuses.number(class, *count);
            }
        }
    });
    line.end();
}

/// Appends the record of records that are missing because the queue was full.
pub(super) fn dropped(policy: &str, count: u64, span: Span, out: &mut Vec<u8>) {
    let mut line = Line::counted(out, "dropped", policy, span);
    line.count(count, span);
    line.end();
}

/// The time that a count is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) since: SystemTime,
    pub(super) until: SystemTime,
}

const ALLOW: &str = "allow";
const DENY: &str = "deny";

/// One line: an object whose members are written in the schema's order.
///
/// The road not taken is a struct that derives `Serialize`: it holds every field of every kind of record, and
/// looks at each of them and escapes each of their names for every line, which takes twice as long.
struct Line<'a> {
    out: &'a mut Vec<u8>,
}

// What the fields are.
impl<'a> Line<'a> {
    /// The version of this schema comes first. It changes when a field changes its meaning or goes; a new
    /// field does not change it.
    fn begin(out: &'a mut Vec<u8>, kind: &'static str, time: SystemTime) -> Self {
        out.extend_from_slice(br#"{"v":1"#);
        let mut line = Self { out };
        line.word("kind", kind);
        line.moment("time", time);
        line
    }

    /// The beginning of a record of what was counted.
    fn counted(out: &'a mut Vec<u8>, kind: &'static str, policy: &str, span: Span) -> Self {
        let mut line = Self::begin(out, kind, span.until);
        line.text("policy", policy, Record::MAX_TEXT);
        line
    }

    fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    /// What was asked, what was decided, and who asked.
    fn call(&mut self, record: &Record<&str>) {
        self.number("id", record.id);
        self.text("policy", &record.policy, Record::MAX_TEXT);
        // What a rule allowed stays allowed when something later goes wrong; the outcome says so.
        self.word("decision", if record.rule.is_some() { ALLOW } else { DENY });
        if let Some((name, line)) = &record.rule {
            self.object("rule", |rule| {
                rule.text("name", name, Record::MAX_TEXT);
                rule.number("line", u64::try_from(*line).unwrap_or(u64::MAX));
            });
        }
        if let Some(reason) = record.reason {
            self.word("reason", reason);
        }
        if let Some(operation) = record.operation {
            self.word("operation", operation.name());
        }
        if !record.method.is_empty() {
            self.word("method", record.method);
        }
        self.some_text("path", record.path, Record::MAX_PATH);
        if !record.query.is_empty() {
            let query = redact::query(record.query, Record::MAX_QUERY);
            self.member("query");
            self.string(&query);
        }
        self.target("target", record.target.as_ref());
        self.target("connected", record.connected.as_ref());
        if let Some(api) = record.api {
            self.shown("api_version", api);
        }
        self.client(&record.client);
    }

    fn target(&mut self, name: &'static str, target: Option<&Target<&str>>) {
        if let Some(target) = target {
            self.object(name, |object| {
                object.text("id", target.id, Record::MAX_TEXT);
                object.some_text("name", target.name, Record::MAX_TEXT);
            });
        }
    }

    /// The client's fields that are known.
    fn client(&mut self, client: &Client) {
        let known = client.written.get_or_init(|| {
            let mut members = Vec::new();
            Line { out: &mut members }.caller(client);
            // Visible ASCII, like every line.
            String::from_utf8(members).unwrap_or_default().into()
        });
        if !known.is_empty() {
            self.object("client", |object| {
                object.out.extend_from_slice(known.as_bytes());
            });
        }
    }

    fn caller(&mut self, client: &Client) {
        if let Some(pid) = client.pid.and_then(|pid| u32::try_from(pid).ok()) {
            self.number("pid", pid);
        }
        if let Some(uid) = client.uid {
            self.number("uid", uid);
        }
        if let Some(gid) = client.gid {
            self.number("gid", gid);
        }
        if let Some(exe) = &client.exe {
            self.text("exe", exe, Record::MAX_TEXT);
        }
        if let Some(container) = &client.container {
            self.text("container", container, Record::MAX_TEXT);
        }
    }

    fn hint(&mut self, record: &Record<&str>) {
        if let Some(hint) = &record.hint {
            self.text("hint", hint, Record::MAX_TEXT);
        }
    }

    fn count(&mut self, count: u64, span: Span) {
        self.number("count", count);
        self.moment("since", span.since);
    }
}

// How they are written.
impl Line<'_> {
    /// The name of the next member, which is one of ours and needs no escapes.
    #[inline]
    fn member(&mut self, name: &'static str) {
        if self.out.last().is_some_and(|last| *last != b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn object(&mut self, name: &'static str, members: impl FnOnce(&mut Self)) {
        self.member(name);
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    /// A word of ours, which needs no escapes.
    #[inline]
    fn word(&mut self, name: &'static str, word: &'static str) {
        self.member(name);
        self.quoted(word.as_bytes());
    }

    /// A text of bounded length.
    #[inline]
    fn text(&mut self, name: &'static str, text: &str, limit: usize) {
        self.member(name);
        self.string(&redact::cut(text, limit));
    }

    /// The same, left out where there is none.
    fn some_text(&mut self, name: &'static str, text: &str, limit: usize) {
        if !text.is_empty() {
            self.text(name, text, limit);
        }
    }

    #[inline]
    fn number(&mut self, name: &'static str, number: impl Into<u64>) {
        self.member(name);
        self.digits(number.into());
    }

    /// With microseconds.
    fn milliseconds(&mut self, name: &'static str, duration: Duration) {
        self.member(name);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.digits(micros / 1000);
        // 1000 to 1999, of which the first digit becomes the point.
        let point = self.out.len();
        self.digits(1000 + micros % 1000);
        if let Some(first) = self.out.get_mut(point) {
            *first = b'.';
        }
    }

    /// RFC 3339 with milliseconds, UTC.
    fn moment(&mut self, name: &'static str, time: SystemTime) {
        // A clock that was never set, or is centuries off, must not cost the record.
        let since_epoch = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .min(END_OF_RFC3339);
        MOMENT.with_borrow_mut(|(millis, text)| {
            if *millis != since_epoch.as_millis() {
                *millis = since_epoch.as_millis();
                text.clear();
                let time = humantime::format_rfc3339_millis(UNIX_EPOCH + since_epoch);
                // Writing into a Vec cannot fail.
                write!(text, "{time}").unwrap_or_default();
            }
            self.member(name);
            self.quoted(text);
        });
    }

    /// A value of ours as it displays itself, which needs no escapes.
    fn shown(&mut self, name: &'static str, value: impl Display) {
        self.member(name);
        // Writing into a Vec cannot fail.
        write!(self.out, "\"{value}\"").unwrap_or_default();
    }

    #[inline]
    fn digits(&mut self, number: u64) {
        let mut digits = itoa::Buffer::new();
        self.out.extend_from_slice(digits.format(number).as_bytes());
    }

    #[inline]
    fn quoted(&mut self, plain: &[u8]) {
        self.out.push(b'"');
        self.out.extend_from_slice(plain);
        self.out.push(b'"');
    }

    fn string(&mut self, text: &str) {
        // All of them are looked at, so that the compiler can look at many at once.
        let plain = text
            .bytes()
            .fold(true, |plain, byte| plain & is_plain(byte));
        if plain {
            return self.quoted(text.as_bytes());
        }
        let start = self.out.len();
        let mut serializer = serde_json::Serializer::with_formatter(&mut *self.out, Ascii);
        if text.serialize(&mut serializer).is_err() {
            // Writing into a Vec does not fail; should it ever, the line is JSON all the same.
            self.out.truncate(start);
            self.quoted(b"");
        }
    }
}

/// Whether a byte stands for itself in a JSON string, and is visible ASCII or a blank.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

thread_local! {
    /// The millisecond that was written last, and how: a busy gate ends many calls in one.
    static MOMENT: RefCell<(u128, Vec<u8>)> = const { RefCell::new((u128::MAX, Vec::new())) };
}

/// The last second of the year 9999, the last that RFC 3339 can write (RFC 3339, section 5.6).
const END_OF_RFC3339: Duration = Duration::from_secs(253_402_300_799);

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
