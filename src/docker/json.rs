//! A strict reader of JSON: one reading, or a refusal.
//!
//! Docker decodes bodies with Go's `encoding/json`, which matches keys without regard to case (even
//! `ſ` for `s` and the Kelvin sign for `k`), merges what is written twice, ignores what follows the
//! first value, and repairs broken text. None of that is imitated here. Whatever two readers could
//! read differently is refused, so that a body which passes means the same to us, to Go, and to
//! jsoniter (Podman). That is why this is not `serde_json`: it keeps the last of two equal keys and
//! knows nothing of keys that differ in case.
//!
//! What is accepted: UTF-8 without a byte order mark, one value with nothing but blanks around it,
//! at most [`DEEPEST`] levels, at most [`MOST_VALUES`] values, no two keys of one object that Go would
//! take for one field, no escape that is not a character. Numbers are kept as they are written.
//!
//! INVARIANT: a body accepted here reads the same in a reader that folds, merges and repairs. Held by
//! `what_is_accepted_reads_the_same_in_go`.

mod reader;

use std::borrow::Cow;
use std::fmt;

pub use reader::{parse, place};

/// The deepest nesting of lists and objects. Docker's own bodies need less than ten.
pub const DEEPEST: usize = 64;

/// The largest number of values and keys in one body: it bounds memory to a small multiple of the
/// body's own size, whatever is in it.
pub const MOST_VALUES: usize = 65_536;

/// One value. Text is borrowed unless it was written with escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'b> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written: `-1`, `0.5`, `1e3`.
    Number(&'b str),
    /// Text.
    Text(Cow<'b, str>),
    /// A list.
    List(Vec<Value<'b>>),
    /// An object.
    Object(Object<'b>),
}

/// Keys and values in the order they are written. No two keys are equal, not even when folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object<'b> {
    entries: Vec<(Cow<'b, str>, Value<'b>)>,
}

/// Why a body has no single reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadJson {
    /// What is wrong.
    pub problem: Problem,
    /// At which byte of the body, counted from zero.
    pub at: usize,
    /// The key it is about, if it is about a key that is fit to be shown.
    pub key: Option<Box<str>>,
}

/// What can be wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// No value at all.
    Empty,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// A byte order mark.
    ByteOrderMark,
    /// Something that is no JSON.
    Syntax,
    /// It ends in the middle.
    Cut,
    /// Something follows the value.
    Trailing,
    /// A control character inside of text.
    ControlCharacter,
    /// An escape that JSON does not have.
    Escape,
    /// Half of a surrogate pair.
    Surrogate,
    /// Too many levels.
    TooDeep,
    /// Too many values.
    TooMany,
    /// A key is written twice.
    Twice,
    /// Two keys differ in case only: to Docker they are one.
    CaseTwin,
}

/// Whether Go would take two keys for one field of a struct (`encoding/json`, `foldName`). Only ASCII
/// letters and the two characters that fold to one matter, because Docker's field names are ASCII.
pub fn same_folded(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one.chars().map(fold).eq(other.chars().map(fold))
}

// === impl Value ===

impl<'b> Value<'b> {
    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it says nothing: `null`, `false`, `0`, `""`, `[]` or `{}`.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(yes) => !yes,
            Self::Number(_) => self.integer() == Some(0),
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Object(object) => object.entries.is_empty(),
        }
    }

    /// The boolean.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Bool(yes) => Some(*yes),
            Self::Null | Self::Number(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The number, in the form that Go reads into an `int64`: digits, perhaps a minus, in range.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The text.
    pub fn text(&self) -> Option<&Cow<'b, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The elements.
    pub fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }

    /// The object.
    pub fn object(&self) -> Option<&Object<'b>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// What kind of value it is, in words: "a string".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

// === impl Object ===

impl<'b> Object<'b> {
    /// Keys and values, in the order they are written.
    pub fn iter(&self) -> impl Iterator<Item = (&Cow<'b, str>, &Value<'b>)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The value of a key in exactly this spelling.
    pub fn get(&self, key: &str) -> Option<&Value<'b>> {
        let mut entries = self.entries.iter();
        entries
            .find(|(name, _)| **name == *key)
            .map(|(_, value)| value)
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

// === impl BadJson ===

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem.meaning())?;
        if let Some(key) = &self.key {
            write!(f, " (`{key}`)")?;
        }
        write!(f, " at byte {}", self.at)
    }
}

impl std::error::Error for BadJson {}

impl Problem {
    /// What it means, in words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Empty => "there is no JSON value",
            Self::NotUtf8 => "the body is not UTF-8",
            Self::ByteOrderMark => "the body begins with a byte order mark",
            Self::Syntax => "this is not JSON",
            Self::Cut => "the JSON ends too early",
            Self::Trailing => "something follows the JSON value",
            Self::ControlCharacter => "a string holds a control character",
            Self::Escape => "a string holds an escape that JSON does not have",
            Self::Surrogate => "a string holds half of a surrogate pair",
            Self::TooDeep => "the JSON is nested too deeply",
            Self::TooMany => "the JSON has too many values",
            Self::Twice => "a key is written twice",
            Self::CaseTwin => "two keys are the same field to Docker, which ignores case",
        }
    }
}

/// One character as Go's simple case folding sees it, as far as ASCII letters are concerned.
fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(fold)
}

#[cfg(test)]
pub(super) mod tests;
