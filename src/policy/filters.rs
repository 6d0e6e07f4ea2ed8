//! Docker's `filters` query parameter: a JSON object inside the query, in either of two shapes.
//!
//! Clients write `{"label":["a=b"]}` or `{"label":{"a=b":true}}`, and dockerd takes both
//! (moby `daemon/internal/filters/parse.go`, `FromJSON`). Go merges repeated keys and ignores what
//! it does not understand; we refuse whatever does not read the same for everybody.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Filters that were read in exactly one way: keys with their values, in the order written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filters {
    entries: Vec<(String, Vec<String>)>,
}

/// The text is not a `filters` object with a single reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`filters` is not a JSON object of lists with one reading")]
pub(super) struct Malformed;

impl Filters {
    /// Reads the decoded text of the `filters` parameter. Empty text is no filter.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text).map_err(|_| Malformed)
    }

    /// The values given for a key; none if it is absent.
    pub(super) fn values(&self, key: &str) -> &[String] {
        let entry = self.entries.iter().find(|(name, _)| name == key);
        entry.map_or(&[], |(_, values)| values)
    }

    /// Gives a key these values, and no others.
    pub(super) fn set(&mut self, key: &str, values: Vec<String>) {
        match self.entries.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = values,
            None => self.entries.push((key.to_owned(), values)),
        }
    }

    /// The same filters as JSON, in the shape that dockerd tries first.
    pub(super) fn write(&self) -> Result<String, Malformed> {
        serde_json::to_string(self).map_err(|_| Malformed)
    }

    /// The keys that have values.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let used = self.entries.iter().filter(|(_, values)| !values.is_empty());
        used.map(|(key, _)| key.as_str())
    }
}

impl<'de> Deserialize<'de> for Filters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Outer)
    }
}

impl Serialize for Filters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (key, values) in &self.entries {
            map.serialize_entry(key, &Keyed(values))?;
        }
        map.end()
    }
}

/// `{"a=b":true}`.
struct Keyed<'f>(&'f [String]);

impl Serialize for Keyed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self.0.iter().enumerate();
        let once = values.filter(|(at, value)| !self.0.iter().take(*at).any(|old| old == *value));
        serializer.collect_map(once.map(|(_, value)| (value, true)))
    }
}

struct Outer;

impl<'de> Visitor<'de> for Outer {
    type Value = Filters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of filters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Filters, A::Error> {
        let mut filters = Filters::default();
        let mut shape = None;
        while let Some((key, Values { values, keyed })) = map.next_entry::<String, Values>()? {
            // SECURITY: dockerd reads a mixture of the shapes as neither, and merges what is
            // written twice; judging one of the readings would judge something else.
            let same_shape = *shape.get_or_insert(keyed) == keyed;
            let new = filters.entries.iter().all(|(known, _)| *known != key);
            if !(same_shape && new) {
                return Err(A::Error::custom("ambiguous filters"));
            }
            filters.entries.push((key, values));
        }
        Ok(filters)
    }
}

struct Values {
    values: Vec<String>,
    keyed: bool,
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Inner)
    }
}

struct Inner;

impl<'de> Visitor<'de> for Inner {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values, or an object of values that are true")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element::<String>()? {
            values.push(value);
        }
        Ok(Values {
            values,
            keyed: false,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
        let mut values: Vec<String> = Vec::new();
        while let Some((value, yes)) = map.next_entry::<String, bool>()? {
            // A value that is `false` is there for some of dockerd's readers and not for others.
            if !yes || values.contains(&value) {
                return Err(A::Error::custom("ambiguous filters"));
            }
            values.push(value);
        }
        Ok(Values {
            values,
            keyed: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_read_the_same() {
        let list = Filters::parse(r#"{"label":["a=b","c"],"status":[]}"#).unwrap();
        let object = Filters::parse(r#" {"label":{"a=b":true,"c":true},"status":{}}"#).unwrap();
        for filters in [list, object] {
            assert_eq!(filters.values("label"), ["a=b", "c"]);
            assert!(filters.values("status").is_empty());
            assert_eq!(filters.keys().collect::<Vec<_>>(), ["label"]);
        }
        assert_eq!(Filters::parse("").unwrap(), Filters::default());
        assert_eq!(Filters::parse("{}").unwrap(), Filters::default());
    }

    #[test]
    fn what_could_be_read_twice_is_refused() {
        for text in [
            r#"{"label":["a"],"label":["b"]}"#,
            r#"{"label":{"a":true,"a":true}}"#,
            r#"{"label":{"a":false}}"#,
            r#"{"label":["a"],"name":{"b":true}}"#,
            r#"{"label":"a"}"#,
            r#"{"label":[1]}"#,
            r#"{"label":null}"#,
            r#"{"label":["a"]} x"#,
            r#"{"label":["\ud800"]}"#,
            "[]",
            "null",
            "{",
            " ",
        ] {
            assert_eq!(Filters::parse(text), Err(Malformed), "{text}");
        }
    }
}
