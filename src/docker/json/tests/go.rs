//! A reader with the habits of Go's `encoding/json`, to be disagreed with.
//!
//! Every object is read as Docker reads its structs: keys that fold to the same are one field, a field
//! that comes again is decoded *into* what is there (objects merge, lists reuse their elements, `null`
//! leaves a value alone), the first value ends the reading, broken text is repaired. Source: Go
//! `encoding/json/decode.go` (`object`, `array`, `literalStore`, `unquote`), `fold.go`.

use serde_json::{Map, Value};

/// Reads the first value of a body; `None` where Go reports an error.
pub(in crate::docker) fn read(body: &[u8]) -> Option<Value> {
    let mut reader = Reader { body, at: 0 };
    let mut value = Value::Null;
    reader.value(&mut value)?;
    Some(value)
}

struct Reader<'b> {
    body: &'b [u8],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        while matches!(self.body.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.body.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, into: &mut Value) -> Option<()> {
        match self.next()? {
            b'{' => self.object(into),
            b'[' => self.list(into),
            b'"' => {
                *into = Value::String(self.string()?);
                Some(())
            }
            _ => self.word(into),
        }
    }

    fn object(&mut self, into: &mut Value) -> Option<()> {
        self.take(b'{')?;
        if !into.is_object() {
            *into = Value::Object(Map::new());
        }
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            (self.next()? == b'"').then_some(())?;
            let key = self.string()?;
            self.take(b':')?;
            let fields = into.as_object_mut()?;
            let known = fields.keys().find(|known| fold(known) == fold(&key));
            let name = known.cloned().unwrap_or(key);
            self.value(fields.entry(name).or_insert(Value::Null))?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
        }
    }

    fn list(&mut self, into: &mut Value) -> Option<()> {
        self.take(b'[')?;
        if !into.is_array() {
            *into = Value::Array(Vec::new());
        }
        let elements = into.as_array_mut()?;
        if self.take(b']').is_some() {
            elements.clear();
            return Some(());
        }
        let mut count = 0;
        loop {
            if elements.len() == count {
                elements.push(Value::Null);
            }
            self.value(&mut elements[count])?;
            count += 1;
            if self.take(b',').is_none() {
                elements.truncate(count);
                return self.take(b']');
            }
        }
    }

    fn word(&mut self, into: &mut Value) -> Option<()> {
        let rest = &self.body[self.at..];
        let end = rest
            .iter()
            .position(|b| !b.is_ascii_alphanumeric() && !b"+-.".contains(b));
        let word = std::str::from_utf8(&rest[..end.unwrap_or(rest.len())]).ok()?;
        self.at += word.len();
        let value: Value = serde_json::from_str(word).ok()?;
        // `null` has no effect on what is not a pointer.
        if !value.is_null() || into.is_null() {
            *into = value;
        }
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        self.take(b'"')?;
        let mut units: Vec<u16> = Vec::new();
        let mut text = String::new();
        let flush = |units: &mut Vec<u16>, text: &mut String| {
            text.push_str(&String::from_utf16_lossy(units));
            units.clear();
        };
        loop {
            match *self.body.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    flush(&mut units, &mut text);
                    return Some(text);
                }
                b'\\' => {
                    let letter = *self.body.get(self.at + 1)?;
                    self.at += 2;
                    if letter == b'u' {
                        let digits = self.body.get(self.at..self.at + 4)?;
                        let digits = std::str::from_utf8(digits).ok()?;
                        units.push(u16::from_str_radix(digits, 16).ok()?);
                        self.at += 4;
                        continue;
                    }
                    flush(&mut units, &mut text);
                    text.push(match letter {
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'"' | b'\\' | b'/' => char::from(letter),
                        _ => return None,
                    });
                }
                0..0x20 => return None,
                _ => {
                    flush(&mut units, &mut text);
                    let rest = &self.body[self.at..];
                    let end = rest
                        .iter()
                        .position(|b| *b < 0x20 || *b == b'"' || *b == b'\\');
                    let plain = &rest[..end.unwrap_or(rest.len())];
                    text.push_str(&String::from_utf8_lossy(plain));
                    self.at += plain.len();
                }
            }
        }
    }
}

/// Go's `foldName`: the smallest character of each folding orbit.
pub(in crate::docker) fn fold(key: &str) -> String {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_lowercase().next().unwrap_or(c),
    };
    key.chars().map(fold).collect()
}

#[test]
fn it_has_gos_habits() {
    for (body, expected) in [
        (r#"{"a":1,"A":2}"#, r#"{"a":2}"#),
        (
            r#"{"HostConfig":{"Privileged":true},"hoſtconfig":{}}"#,
            r#"{"HostConfig":{"Privileged":true}}"#,
        ),
        (r#"{"Links":["x"],"lin\u212aS":null}"#, r#"{"Links":["x"]}"#),
        (
            r#"{"m":[{"t":"bind","s":"/"}],"m":[{"d":"/h"}]}"#,
            r#"{"m":[{"t":"bind","s":"/","d":"/h"}]}"#,
        ),
        (r#"{"a":1} trailing"#, r#"{"a":1}"#),
        (r#""\ud800""#, "\"\u{fffd}\""),
    ] {
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(read(body.as_bytes()), Some(expected), "{body}");
    }
}
