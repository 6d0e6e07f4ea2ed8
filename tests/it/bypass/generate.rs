//! Cross products: the values that one row of the catalogue stands for.

use toml::de::{DeTable, DeValue};

use super::catalogue::{array, string};

/// Labels and values.
pub(crate) fn values(value: &DeValue<'_>) -> Vec<(String, String)> {
    if let DeValue::Table(table) = value {
        return generated(table);
    }
    array(value)
        .map(|item| (string(item), string(item)))
        .collect()
}

fn generated(table: &DeTable<'_>) -> Vec<(String, String)> {
    let get = |key: &str| {
        let found = table.iter().find(|(name, _)| name.get_ref() == key);
        found.map(|(_, value)| string(value.get_ref()))
    };
    if let Some(text) = get("escape") {
        return at_each(&text, |letter| Some(format!("%{:02X}", u32::from(letter))));
    }
    if let Some(text) = get("escape_lower") {
        return at_each(&text, |letter| Some(format!("%{:02x}", u32::from(letter))));
    }
    if let Some(text) = get("escape_twice") {
        return at_each(&text, |letter| {
            Some(format!("%25{:02x}", u32::from(letter)))
        });
    }
    if let Some(text) = get("flip") {
        return at_each(&text, |letter| {
            let flipped = if letter.is_ascii_lowercase() {
                letter.to_ascii_uppercase()
            } else {
                letter.to_ascii_lowercase()
            };
            (flipped != letter).then(|| flipped.to_string())
        });
    }
    if let Some(text) = get("drop") {
        return at_each(&text, |_| Some(String::new()));
    }
    if let Some(text) = get("twice") {
        return at_each(&text, |letter| Some(format!("{letter}{letter}")));
    }
    if let Some(insert) = get("insert") {
        let text = get("into").unwrap();
        let mut all = at_each(&text, |letter| Some(format!("{insert}{letter}")));
        for (label, _) in &mut all {
            label.insert_str(0, &insert);
        }
        return all;
    }
    let ranges = get("bytes").unwrap_or_else(|| panic!("what does {table:?} make?"));
    ranges.split(',').flat_map(range).collect()
}

/// The text with one character replaced, for each character.
fn at_each(text: &str, change: impl Fn(char) -> Option<String>) -> Vec<(String, String)> {
    let all = text.char_indices().filter_map(|(at, letter)| {
        let changed = change(letter)?;
        let rest = &text[at + letter.len_utf8()..];
        Some((at.to_string(), format!("{}{changed}{rest}", &text[..at])))
    });
    all.collect()
}

/// `00-1f`: these bytes.
fn range(text: &str) -> Vec<(String, String)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let hex = |digits: &str| u8::from_str_radix(digits, 16).unwrap();
    let one = |byte| (format!("{byte:02x}"), char::from(byte).to_string());
    (hex(from)..=hex(to)).map(one).collect()
}
