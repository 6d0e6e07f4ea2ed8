//! From bytes to a value, in one pass.

use std::borrow::Cow;
use std::ops::Range;

use super::{BadJson, DEEPEST, MOST_VALUES, Object, Problem, Value, folded, same_folded};

/// Reads a body.
pub fn parse(body: &[u8]) -> Result<Value<'_>, BadJson> {
    let bad = |problem, at| BadJson {
        problem,
        at,
        key: None,
    };
    if body.starts_with("\u{feff}".as_bytes()) {
        return Err(bad(Problem::ByteOrderMark, 0));
    }
    let text = std::str::from_utf8(body).map_err(|e| bad(Problem::NotUtf8, e.valid_up_to()))?;
    let mut reader = Reader {
        text,
        bytes: body,
        at: 0,
        values: 0,
        order: Vec::new(),
    };
    reader.skip_blanks();
    if reader.peek().is_none() {
        return Err(bad(Problem::Empty, 0));
    }
    let value = reader.value(0)?;
    reader.skip_blanks();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.bad(Problem::Trailing)),
    }
}

/// Where the value of a key stands, if the body is an object that has it: from its first byte to its
/// last, a text with its quotes. For a body that [`parse`] reads.
pub fn place(body: &[u8], key: &str) -> Option<Range<usize>> {
    let mut reader = Reader {
        text: std::str::from_utf8(body).ok()?,
        bytes: body,
        at: 0,
        values: 0,
        order: Vec::new(),
    };
    reader.skip_blanks();
    if reader.peek() != Some(b'{') {
        return None;
    }
    reader.open(1).ok()?;
    loop {
        reader.skip_blanks();
        let name = reader.key().ok()?;
        let start = reader.at;
        reader.value(1).ok()?;
        if name == key {
            return Some(start..reader.at);
        }
        if reader.ends(b'}').ok()? {
            return None;
        }
    }
}

struct Reader<'b> {
    text: &'b str,
    bytes: &'b [u8],
    at: usize,
    values: usize,
    /// Scratch for finding twins: the hash of each folded key with its place in the object.
    order: Vec<(u64, usize)>,
}

impl<'b> Reader<'b> {
    fn bad(&self, problem: Problem) -> BadJson {
        // What is missing at the end is missing, not wrong.
        let cut = problem == Problem::Syntax && self.at >= self.bytes.len();
        BadJson {
            problem: if cut { Problem::Cut } else { problem },
            at: self.at,
            key: None,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'b>, BadJson> {
        self.count()?;
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.bad(Problem::Syntax)),
        }
    }

    fn count(&mut self) -> Result<(), BadJson> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(self.bad(Problem::TooMany));
        }
        Ok(())
    }

    fn word(&mut self, word: &str, value: Value<'b>) -> Result<Value<'b>, BadJson> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.bad(Problem::Syntax));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Value<'b>, BadJson> {
        self.open(depth)?;
        let mut elements = Vec::new();
        if self.closes(b']') {
            return Ok(Value::List(elements));
        }
        loop {
            self.skip_blanks();
            elements.push(self.value(depth)?);
            if self.ends(b']')? {
                return Ok(Value::List(elements));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'b>, BadJson> {
        let start = self.at;
        self.open(depth)?;
        let mut entries = Vec::new();
        if self.closes(b'}') {
            return Ok(Value::Object(Object { entries }));
        }
        loop {
            self.skip_blanks();
            let key = self.key()?;
            let value = self.value(depth)?;
            entries.push((key, value));
            if self.ends(b'}')? {
                break;
            }
        }
        self.refuse_twins(&entries, start)?;
        Ok(Value::Object(Object { entries }))
    }

    /// Steps over a key and what stands between it and its value.
    fn key(&mut self) -> Result<Cow<'b, str>, BadJson> {
        if self.peek() != Some(b'"') {
            return Err(self.bad(Problem::Syntax));
        }
        self.count()?;
        let key = self.string()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.bad(Problem::Syntax));
        }
        self.at += 1;
        self.skip_blanks();
        Ok(key)
    }

    /// Steps over an opening bracket.
    fn open(&mut self, depth: usize) -> Result<(), BadJson> {
        if depth > DEEPEST {
            return Err(self.bad(Problem::TooDeep));
        }
        self.at += 1;
        Ok(())
    }

    /// Steps over a closing bracket, if it comes at once.
    fn closes(&mut self, bracket: u8) -> bool {
        self.skip_blanks();
        let closes = self.peek() == Some(bracket);
        if closes {
            self.at += 1;
        }
        closes
    }

    /// Steps over a closing bracket (true) or a comma (false).
    fn ends(&mut self, bracket: u8) -> Result<bool, BadJson> {
        if self.closes(bracket) {
            return Ok(true);
        }
        if self.peek() != Some(b',') {
            return Err(self.bad(Problem::Syntax));
        }
        self.at += 1;
        Ok(false)
    }

    /// SECURITY: Go merges what it takes for one field: `{"HostConfig":{"Privileged":true},
    /// "hostconfig":{}}` is privileged. In objects that Docker reads as maps such keys would be two, but
    /// nobody needs labels that differ in case only, and the reader need not know which is which.
    ///
    /// Sorted by hash first and by text second, so that neither many keys nor keys made to collide
    /// cost more than sorting.
    fn refuse_twins(
        &mut self,
        entries: &[(Cow<'b, str>, Value<'b>)],
        start: usize,
    ) -> Result<(), BadJson> {
        if entries.len() < 2 {
            return Ok(());
        }
        let key = |at: usize| entries.get(at).map_or("", |(key, _)| &**key);
        self.order.clear();
        let hashed = entries.iter().enumerate();
        self.order
            .extend(hashed.map(|(at, (key, _))| (hash(key), at)));
        self.order.sort_unstable_by(|(h1, one), (h2, other)| {
            h1.cmp(h2)
                .then_with(|| folded(key(*one)).cmp(folded(key(*other))))
        });
        for pair in self.order.windows(2) {
            let [(h1, one), (h2, other)] = *pair else {
                continue;
            };
            let (one, other) = (key(one), key(other));
            if h1 == h2 && same_folded(one, other) {
                let problem = if one == other {
                    Problem::Twice
                } else {
                    Problem::CaseTwin
                };
                return Err(BadJson {
                    problem,
                    at: start,
                    key: presentable(one).then(|| one.into()),
                });
            }
        }
        Ok(())
    }

    /// RFC 8259 §6: no leading zeros, no plus, digits on both sides of a point.
    fn number(&mut self) -> Result<Value<'b>, BadJson> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at);
        text.map(Value::Number)
            .ok_or_else(|| self.bad(Problem::Syntax))
    }

    fn digits(&mut self) -> Result<(), BadJson> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.bad(Problem::Syntax));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'b, str>, BadJson> {
        self.at += 1;
        let plain = self.plain()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = String::with_capacity(plain.len() + 16);
        text.push_str(plain);
        while self.peek() == Some(b'\\') {
            self.at += 1;
            text.push(self.escape()?);
            text.push_str(self.plain()?);
        }
        self.at += 1;
        Ok(Cow::Owned(text))
    }

    /// The text up to the next quote or backslash, at which it stops.
    fn plain(&mut self) -> Result<&'b str, BadJson> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let stop = rest
            .iter()
            .position(|&b| b == b'"' || b == b'\\' || b < 0x20);
        let Some(stop) = stop else {
            self.at = self.bytes.len();
            return Err(self.bad(Problem::Cut));
        };
        self.at = start + stop;
        if self.peek().is_some_and(|b| b < 0x20) {
            return Err(self.bad(Problem::ControlCharacter));
        }
        let text = self.text.get(start..self.at);
        text.ok_or_else(|| self.bad(Problem::NotUtf8))
    }

    fn escape(&mut self) -> Result<char, BadJson> {
        let Some(letter) = self.peek() else {
            return Err(self.bad(Problem::Cut));
        };
        let character = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.bad(Problem::Escape)),
        };
        self.at += 1;
        Ok(character)
    }

    /// `uXXXX`, or two of them that are one character.
    fn unicode(&mut self) -> Result<char, BadJson> {
        let first = self.hex()?;
        if !(0xd800..=0xdfff).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.bad(Problem::Surrogate));
        }
        if self.peek() != Some(b'\\') || self.bytes.get(self.at + 1) != Some(&b'u') {
            return Err(self.bad(Problem::Surrogate));
        }
        self.at += 1;
        let second = self.hex()?;
        if first > 0xdbff || !(0xdc00..=0xdfff).contains(&second) {
            return Err(self.bad(Problem::Surrogate));
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or_else(|| self.bad(Problem::Surrogate))
    }

    fn hex(&mut self) -> Result<u32, BadJson> {
        let digits = self.bytes.get(self.at + 1..self.at + 5);
        let mut code = 0;
        for &digit in digits.ok_or_else(|| self.bad(Problem::Escape))? {
            let digit = char::from(digit).to_digit(16);
            code = code * 16 + digit.ok_or_else(|| self.bad(Problem::Escape))?;
        }
        self.at += 5;
        Ok(code)
    }
}

/// Equal for texts that fold to the same (FNV-1a).
fn hash(text: &str) -> u64 {
    let step = |hash: u64, unit: u32| (hash ^ u64::from(unit)).wrapping_mul(0x0100_0000_01b3);
    let start = 0xcbf2_9ce4_8422_2325;
    if text.is_ascii() {
        let bytes = text.bytes().map(|b| u32::from(b.to_ascii_lowercase()));
        return bytes.fold(start, step);
    }
    folded(text).map(u32::from).fold(start, step)
}

/// Whether a key can be shown as it is.
fn presentable(key: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/');
    !key.is_empty() && key.len() <= 64 && key.bytes().all(fine)
}
