//! Making text that came from elsewhere safe to show.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with everything that could steer a terminal or break a log line spelled out.
///
/// SECURITY: request text ends up on terminals, in logs and in messages that other tools print;
/// a raw escape sequence there could hide or forge lines.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            push_escaped(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Appends `text` escaped, at most `limit` bytes of it, with `…` where it was cut.
pub fn push(out: &mut String, text: &str, limit: usize) {
    let start = out.len();
    for c in text.chars() {
        if out.len() - start + c.len_utf8() > limit {
            out.push('…');
            return;
        }
        if is_unsafe(c) {
            push_escaped(out, c);
        } else {
            out.push(c);
        }
    }
}

/// Control characters, and the invisible marks that turn the reading direction.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push_escaped(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _infallible = match u8::try_from(c) {
        Ok(byte) => write!(out, "\\x{byte:02x}"),
        Err(_) => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_marks_are_spelled_out() {
        assert_eq!(
            escape("a\x1b[2J\n\u{9b}\u{202e}z"),
            "a\\x1b[2J\\x0a\\x9b\\u{202e}z"
        );
        assert!(matches!(escape("wéb"), Cow::Borrowed("wéb")));
    }

    #[test]
    fn a_long_text_is_cut_on_a_character() {
        let mut out = String::new();
        push(&mut out, "ééééé", 5);
        assert_eq!(out, "éé…");
    }
}
