//! JSON as dockerd reads it: Go's `encoding/json`, written down a second time, leniencies and all.
//!
//! It shares nothing with the gate's reader. A text becomes a [`Node`] in which every key stays as
//! often as it was written; what a field is worth is worked out afterwards, by its type, as Go does it:
//!
//! * a key means the field that it equals when folded (Unicode's simple folding: `ſ` is `s`, the Kelvin
//!   sign is `k`), and a field written again is decoded *into* what is there: structs merge, lists reuse
//!   their elements, maps keep their keys, `null` clears what can be nil and leaves the rest alone;
//! * the first value ends the reading; broken text is repaired with U+FFFD.
//!
//! Sources: Go `encoding/json` `stream.go` (`Decode`), `decode.go` (`object`, `array`, `literalStore`,
//! `unquote`), `fold.go`. `tests/it/godiff/bodies.rs` holds it against Go itself.

use std::collections::BTreeMap;

/// One value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// Text, repaired.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Every key with its value, in order, repeats and all.
    Object(Vec<(String, Node)>),
}

/// What Go decodes a value into.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// `bool`.
    Bool,
    /// `*bool`.
    BoolPointer,
    /// `int64`.
    Int,
    /// `string`.
    Text,
    /// `[]string`.
    Texts,
    /// moby's `strslice.StrSlice`: a list, or one text.
    TextOrTexts,
    /// `map[string]string`.
    TextMap,
    /// `map[string]struct{}`.
    Set,
    /// A struct.
    Struct(&'static [Field]),
    /// A pointer to a struct.
    Pointer(&'static [Field]),
    /// A list of structs.
    Structs(&'static [Field]),
    /// `map[string]*T`.
    PointerMap(&'static [Field]),
    /// `map[string][]T`.
    StructsMap(&'static [Field]),
}

/// A field of a struct.
pub type Field = (&'static str, Type);

/// What a text decodes to: every value that is not Go's zero, by its path (`HostConfig.Binds.0`). Of
/// what can be nil, that it is not. In a map's key `.` is written `%2E`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Path and value.
    pub values: BTreeMap<String, String>,
    /// A value is of another type: Go reports an error, and dockerd answers 400.
    pub wrong: bool,
}

/// Deeper than any body that means something, and not as deep as a test's stack. (Go: 10,000.)
const DEEPEST: usize = 512;

/// The first value of a text; `None` where Go reports a syntax error.
pub fn read(text: &[u8]) -> Option<Node> {
    Reader { text, at: 0 }.value(0)
}

/// Whether Go takes a key for a field: equal, whatever the case of letters.
pub fn names(key: &str, field: &str) -> bool {
    let fold = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(field.chars().map(fold))
}

/// What a node decodes to.
pub fn decode(node: &Node, fields: &'static [Field]) -> Decoded {
    let mut decoded = Decoded::default();
    decoded.fields("", &[node], fields);
    decoded
}

impl Type {
    fn can_be_nil(self) -> bool {
        !matches!(
            self,
            Self::Bool | Self::Int | Self::Text | Self::TextOrTexts | Self::Struct(_)
        )
    }
}

impl Decoded {
    /// The value at a path; empty: Go's zero.
    pub fn get(&self, path: &str) -> &str {
        self.values.get(path).map_or("", String::as_str)
    }

    /// Everything below a path, with the rest of its own path.
    pub fn below<'d>(&'d self, path: &'d str) -> impl Iterator<Item = (&'d str, &'d str)> {
        self.values.iter().filter_map(move |(key, value)| {
            let rest = key.strip_prefix(path)?.strip_prefix('.')?;
            Some((rest, value.as_str()))
        })
    }

    fn put(&mut self, path: &str, value: &str) {
        self.values.insert(path.to_owned(), value.to_owned());
    }

    /// A struct: all that was ever written for it.
    fn fields(&mut self, path: &str, written: &[&Node], fields: &'static [Field]) {
        let mut keys: Vec<(&str, &Node)> = Vec::new();
        for node in written {
            match node {
                Node::Object(entries) => {
                    keys.extend(entries.iter().map(|(key, value)| (key.as_str(), value)));
                }
                Node::Null => {}
                Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
                    self.wrong = true;
                }
            }
        }
        for (name, kind) in fields {
            let all: Vec<&Node> = keys
                .iter()
                .filter(|(key, _)| names(key, name))
                .map(|(_, value)| *value)
                .collect();
            let path = if path.is_empty() {
                (*name).to_owned()
            } else {
                format!("{path}.{name}")
            };
            if !all.is_empty() {
                self.field(&path, &all, *kind);
            }
        }
    }

    fn field(&mut self, path: &str, written: &[&Node], kind: Type) {
        let mut written = written;
        if kind.can_be_nil()
            && let Some(last) = written.iter().rposition(|node| **node == Node::Null)
        {
            // `null` clears what was there, but not what was wrong with it.
            let mut cleared = Self::default();
            cleared.field(path, &written[..last], kind);
            self.wrong |= cleared.wrong;
            written = &written[last + 1..];
        }
        match kind {
            Type::Bool | Type::Int | Type::Text => self.scalar(path, written, kind),
            Type::BoolPointer => self.scalar(path, written, Type::Bool),
            Type::Texts => {
                let lists = self.lists(path, written);
                for (index, elements) in lists.iter().enumerate() {
                    self.scalar(&format!("{path}.{index}"), elements, Type::Text);
                }
            }
            Type::TextOrTexts => {
                // It decodes itself, anew each time.
                let Some((last, before)) = written.split_last() else {
                    return;
                };
                self.wrong |= !before.iter().all(|node| is_text_or_texts(node));
                if let Node::Text(_) = last {
                    self.put(path, "[]");
                    self.scalar(&format!("{path}.0"), &[last], Type::Text);
                } else {
                    self.field(path, &[last], Type::Texts);
                }
            }
            Type::TextMap | Type::Set | Type::PointerMap(_) | Type::StructsMap(_) => {
                self.map(path, written, kind);
            }
            Type::Struct(fields) => self.fields(path, written, fields),
            Type::Pointer(fields) => {
                if !written.is_empty() {
                    self.put(path, "{}");
                    self.fields(path, written, fields);
                }
            }
            Type::Structs(fields) => {
                let lists = self.lists(path, written);
                for (index, elements) in lists.iter().enumerate() {
                    let path = format!("{path}.{index}");
                    self.put(&path, "{}");
                    self.fields(&path, elements, fields);
                }
            }
        }
    }

    /// The last one counts; `null` says nothing.
    fn scalar(&mut self, path: &str, written: &[&Node], kind: Type) {
        let mut value = String::new();
        for node in written.iter().filter(|node| ***node != Node::Null) {
            let read = match (kind, node) {
                (Type::Bool, Node::Bool(true)) => Some("true".to_owned()),
                (Type::Bool, Node::Bool(false)) => Some(String::new()),
                (Type::Text, Node::Text(text)) => Some(text.clone()),
                (Type::Int, Node::Number(digits)) => digits.parse::<i64>().ok().map(|number| {
                    if number == 0 {
                        String::new()
                    } else {
                        number.to_string()
                    }
                }),
                (_, _) => None,
            };
            match read {
                Some(read) => value = read,
                None => self.wrong = true,
            }
        }
        if value.is_empty() {
            self.values.remove(path);
        } else {
            self.put(path, &value);
        }
    }

    /// Every element with all that was decoded into it. A shorter list hides elements, a longer one
    /// that follows brings them back (`SetLen` within the capacity); an empty one starts anew.
    fn lists<'n>(&mut self, path: &str, written: &[&'n Node]) -> Vec<Vec<&'n Node>> {
        let mut kept: Vec<Vec<&Node>> = Vec::new();
        let mut length = 0;
        for node in written {
            let Node::List(elements) = node else {
                self.wrong = true;
                continue;
            };
            self.put(path, "[]");
            if elements.is_empty() {
                kept.clear();
            }
            for (index, element) in elements.iter().enumerate() {
                if index == kept.len() {
                    kept.push(Vec::new());
                }
                kept[index].push(element);
            }
            length = elements.len();
        }
        kept.truncate(length);
        kept
    }

    /// Keys are what they are, and a value is decoded anew.
    fn map(&mut self, path: &str, written: &[&Node], kind: Type) {
        for node in written {
            let Node::Object(entries) = node else {
                self.wrong = true;
                continue;
            };
            self.put(path, "{}");
            for (key, value) in entries {
                let key = key.replace('%', "%25").replace('.', "%2E");
                let path = format!("{path}.{key}");
                let below = format!("{path}.");
                self.values
                    .retain(|known, _| *known != path && !known.starts_with(&below));
                // A value of nothing is still a key.
                self.put(&path, "");
                if let Type::PointerMap(fields) = kind {
                    self.field(&path, &[value], Type::Pointer(fields));
                } else if let Type::StructsMap(fields) = kind {
                    self.field(&path, &[value], Type::Structs(fields));
                } else if let Type::Set = kind {
                    self.fields(&path, &[value], &[]);
                } else if let Node::Text(text) = value {
                    self.put(&path, text);
                } else {
                    self.wrong |= *value != Node::Null;
                }
            }
        }
    }
}

fn is_text_or_texts(node: &Node) -> bool {
    let text = |node: &Node| matches!(node, Node::Text(_) | Node::Null);
    matches!(node, Node::List(list) if list.iter().all(text)) || text(node)
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Steps over a byte, if it comes next.
    fn takes(&mut self, byte: u8) -> bool {
        let comes = self.next() == Some(byte);
        self.at += usize::from(comes);
        comes
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > DEEPEST {
            return None;
        }
        match self.next()? {
            b'{' => self.object(depth + 1),
            b'[' => self.list(depth + 1),
            b'"' => Some(Node::Text(self.text()?)),
            b'n' => self.word("null", Node::Null),
            b't' => self.word("true", Node::Bool(true)),
            b'f' => self.word("false", Node::Bool(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Node> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.takes(b'}') {
            return Some(Node::Object(entries));
        }
        loop {
            if self.next()? != b'"' {
                return None;
            }
            let key = self.text()?;
            if !self.takes(b':') {
                return None;
            }
            entries.push((key, self.value(depth)?));
            if !self.takes(b',') {
                return self.takes(b'}').then_some(Node::Object(entries));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Node> {
        self.at += 1;
        let mut elements = Vec::new();
        if self.takes(b']') {
            return Some(Node::List(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            if !self.takes(b',') {
                return self.takes(b']').then_some(Node::List(elements));
            }
        }
    }

    fn word(&mut self, word: &str, node: Node) -> Option<Node> {
        self.text[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            node
        })
    }

    fn number(&mut self) -> Option<Node> {
        let start = self.at;
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        if self.text.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        let written = &self.text[start..self.at];
        Some(Node::Number(String::from_utf8_lossy(written).into_owned()))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn text(&mut self) -> Option<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let stop = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
            let plain = rest.iter().position(stop)?;
            repair(&rest[..plain], &mut out);
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    self.at += 1;
                    return Some(out);
                }
                b'\\' => self.escape(&mut out)?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Option<()> {
        let letter = *self.text.get(self.at + 1)?;
        out.push(match letter {
            b'u' => {
                let first = self.unit(self.at)?;
                // A pair, or one that stands for itself; half of a pair is nothing.
                let pair = self
                    .unit(self.at + 6)
                    .map(|second| char::decode_utf16([first, second]).next());
                match (char::from_u32(first.into()), pair) {
                    (Some(whole), _) => {
                        self.at += 6;
                        out.push(whole);
                    }
                    (None, Some(Some(Ok(joined)))) => {
                        self.at += 12;
                        out.push(joined);
                    }
                    _ => {
                        self.at += 6;
                        out.push(char::REPLACEMENT_CHARACTER);
                    }
                }
                return Some(());
            }
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'"' | b'\\' | b'/' => char::from(letter),
            _ => return None,
        });
        self.at += 2;
        Some(())
    }

    /// `\uXXXX` at a place.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    }
}

/// Every byte that is no UTF-8 becomes U+FFFD.
fn repair(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for _ in chunk.invalid() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}
