//! The one pattern law of the language.
//!
//! Plain text is exact; `*` is any run of characters except `/`; `**` is any run at all; a leading
//! `~` makes the rest a regular expression that must match the whole text. Nothing else is special,
//! and the law is the same for names, query values and filters. Regular expressions run in linear
//! time and are bounded in size, so that a policy can be slow to write but never slow to judge.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes: nobody writes a longer one by hand.
const LONGEST: usize = 1024;

/// Compiled size of one regular expression, in bytes; Unicode classes need most of it.
const REGEX_SIZE: usize = 1 << 18;

/// A pattern over text.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Box<str>,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    /// Exactly the pattern's text.
    Exact,
    /// `**`: any text.
    Any,
    /// `prefix*` (without `/` after it) or `prefix**`, without further wildcards.
    Prefix { prefix: Box<str>, slashes: bool },
    /// Everything else, as one regular expression over the whole text.
    Regex(Box<Regex>),
}

/// Why a pattern cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Too long.
    #[error("a pattern may be at most {LONGEST} bytes long")]
    TooLong,
    /// A control character, most likely an escape that was not meant as one.
    #[error("a pattern holds no control characters; in double quotes a backslash makes some")]
    Control,
    /// Three or more stars in a row.
    #[error("`***` is not a wildcard; `*` stops at `/`, `**` does not")]
    Stars,
    /// A regular expression that would need too much memory.
    #[error("this regular expression becomes too large")]
    TooLarge,
    /// A regular expression that is none.
    #[error("this is not a regular expression: {0}")]
    Syntax(String),
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if text.len() > LONGEST {
            return Err(BadPattern::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(BadPattern::Control);
        }
        let shape = match text.strip_prefix('~') {
            Some(expression) => Shape::Regex(Box::new(anchored(expression)?)),
            None => glob(text)?,
        };
        Ok(Self {
            text: text.into(),
            shape,
        })
    }

    /// The pattern that matches everything.
    pub fn any() -> Self {
        Self {
            text: "**".into(),
            shape: Shape::Any,
        }
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match &self.shape {
            Shape::Exact => *self.text == *text,
            Shape::Any => true,
            Shape::Prefix { prefix, slashes } => text
                .strip_prefix(&**prefix)
                .is_some_and(|rest| *slashes || !rest.contains('/')),
            Shape::Regex(regex) => regex.is_match(text),
        }
    }

    /// The only text that matches, if there is only one and it is written out.
    pub fn exact(&self) -> Option<&str> {
        matches!(self.shape, Shape::Exact).then_some(&self.text)
    }

    /// Whether everything matches.
    pub fn is_any(&self) -> bool {
        matches!(self.shape, Shape::Any)
    }

    /// As written in the policy.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether some text of lower-case hexadecimal digits could match. When in doubt: yes.
    ///
    /// SECURITY: Docker takes any unambiguous prefix of an id in the place of a name, so a pattern
    /// for names that such a prefix can match reaches objects with other names.
    pub fn may_match_hex(&self) -> bool {
        match self.text.strip_prefix('~') {
            Some(expression) => !needs_other_than_hex(expression),
            None => self.text.chars().all(|c| c == '*' || is_hex(c)),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn glob(text: &str) -> Result<Shape, BadPattern> {
    if text == "**" {
        return Ok(Shape::Any);
    }
    if text.contains("***") {
        return Err(BadPattern::Stars);
    }
    let Some((prefix, rest)) = text.split_once('*') else {
        return Ok(Shape::Exact);
    };
    if matches!(rest, "" | "*") {
        return Ok(Shape::Prefix {
            prefix: prefix.into(),
            slashes: rest == "*",
        });
    }
    let mut expression = String::with_capacity(text.len() * 2);
    let mut stars = 0_usize;
    for part in text.split('*') {
        if stars > 0 && part.is_empty() {
            // Between the two stars of `**`, or after the last star.
            stars += 1;
            continue;
        }
        push_stars(&mut expression, stars);
        expression.push_str(&regex::escape(part));
        stars = 1;
    }
    push_stars(&mut expression, stars.saturating_sub(1));
    anchored(&expression).map(|regex| Shape::Regex(Box::new(regex)))
}

fn push_stars(expression: &mut String, stars: usize) {
    match stars {
        0 => {}
        1 => expression.push_str("[^/]*"),
        _ => expression.push_str("(?s:.*)"),
    }
}

/// SECURITY: the expression is compiled by itself first, or `a)|(?:b` would climb out of the group
/// that anchors it; `\A` and `\z` mean the ends of the text whatever flags it sets.
fn anchored(expression: &str) -> Result<Regex, BadPattern> {
    compile(expression)?;
    compile(&format!(r"\A(?:{expression})\z"))
}

fn compile(expression: &str) -> Result<Regex, BadPattern> {
    RegexBuilder::new(expression)
        .size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| {
            if matches!(error, regex::Error::CompiledTooBig(_)) {
                BadPattern::TooLarge
            } else {
                BadPattern::Syntax(last_line(&error.to_string()))
            }
        })
}

/// The regex crate draws the expression over several lines; the place is ours to draw, its last
/// line says what is wrong.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn is_hex(c: char) -> bool {
    matches!(c, '0'..='9' | 'a'..='f')
}

/// Whether a regular expression certainly requires a character that is no hexadecimal digit: one
/// that stands outside of every group, class and alternation and is not optional.
fn needs_other_than_hex(expression: &str) -> bool {
    if expression.replace("(?:", "(").contains("(?") {
        // Flags may turn any letter into something else.
        return false;
    }
    let mut found = false;
    let mut depth = 0_usize;
    let mut chars = expression.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => skip_escape(&mut chars),
            '[' => skip_class(&mut chars),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return false,
            c if depth == 0 && is_plain(c) => {
                let optional = matches!(chars.peek(), Some('?' | '*' | '{'));
                found |= !optional;
            }
            _ => {}
        }
    }
    found
}

/// A character that means itself in a regular expression and is no hexadecimal digit.
fn is_plain(c: char) -> bool {
    matches!(c, 'g'..='z' | 'G'..='Z' | '_' | '-' | '/')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_escape(chars: &mut Chars<'_>) {
    let letter = chars.next();
    if chars.peek() == Some(&'{') {
        chars.by_ref().find(|&c| c == '}');
    } else if matches!(letter, Some('p' | 'P')) {
        chars.next();
    }
}

fn skip_class(chars: &mut Chars<'_>) {
    let mut depth = 1_usize;
    // `[]a]` and `[^]a]` start with a literal bracket.
    if chars.peek() == Some(&'^') {
        chars.next();
    }
    if chars.peek() == Some(&']') {
        chars.next();
    }
    while depth > 0 {
        match chars.next() {
            Some('\\') => skip_escape(chars),
            Some('[') => depth += 1,
            Some(']') => depth -= 1,
            Some(_) => {}
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn the_pattern_law() {
        for (text, yes, no) in [
            (
                "web",
                &["web"][..],
                &["", "we", "webs", "WEB", "web\n", "x/web"][..],
            ),
            ("", &[""], &["a"]),
            ("*", &["", "web", "a.b-c"], &["a/b", "/"]),
            ("**", &["", "web", "a/b", "a\nb"], &[]),
            (
                "nc_app_*",
                &["nc_app_", "nc_app_x"],
                &["nc_app", "nc_app_x/y", "xnc_app_"],
            ),
            (
                "ghcr.io/acme/**",
                &["ghcr.io/acme/a", "ghcr.io/acme/a/b:1"],
                &["ghcr.io/acme"],
            ),
            ("*-db", &["a-db", "-db"], &["a/b-db", "a-dbx", "a-db\n"]),
            ("a*b*c", &["abc", "axxbyyc"], &["ac", "a/bc", "abcx"]),
            ("a**c", &["ac", "a/b/c", "a\n/c"], &["a", "bc"]),
            ("**c", &["c", "a/b/c"], &["cd"]),
            ("a**b*", &["ab", "a/x/b", "abz"], &["ab/z"]),
            ("a.c", &["a.c"], &["abc"]),
            ("a?[b]", &["a?[b]"], &["ab"]),
            ("~a|b", &["a", "b"], &["ab", "xa", "bx", "a\n"]),
            ("~[0-9]{1,2}", &["1", "12"], &["", "123", "1\n"]),
            ("~(?m)a$", &["a"], &["a\nb", "a\n"]),
            (
                "~/_ping|/version",
                &["/_ping", "/version"],
                &["/_pingXYZ", "/x/version"],
            ),
        ] {
            let pattern = pattern(text);
            for yes in yes {
                assert!(pattern.matches(yes), "{text} should match {yes:?}");
            }
            for no in no {
                assert!(!pattern.matches(no), "{text} should not match {no:?}");
            }
        }
    }

    #[test]
    fn a_regular_expression_cannot_climb_out_of_its_anchors() {
        assert!(matches!(
            Pattern::parse("~a)|(?:b"),
            Err(BadPattern::Syntax(_))
        ));
        assert!(matches!(
            Pattern::parse("~(?x)a #"),
            Err(BadPattern::Syntax(_))
        ));
    }

    #[test]
    fn patterns_are_bounded() {
        assert_eq!(
            Pattern::parse(&"a".repeat(1025)).unwrap_err(),
            BadPattern::TooLong
        );
        assert_eq!(
            Pattern::parse(r"~(\w{90}){90}").unwrap_err(),
            BadPattern::TooLarge
        );
        assert_eq!(Pattern::parse("a***").unwrap_err(), BadPattern::Stars);
        assert_eq!(
            Pattern::parse("~\u{8}web").unwrap_err(),
            BadPattern::Control
        );
    }

    #[test]
    fn a_pattern_that_could_match_an_id_prefix_is_recognised() {
        for (text, expected) in [
            ("web", false),
            ("cafe", true),
            ("db", true),
            ("DB", false),
            ("db-1", false),
            ("*", true),
            ("a*", true),
            ("nc_app_*", false),
            ("~web|cafe", true),
            ("~web-[0-9]+", false),
            ("~[0-9a-f]+", true),
            ("~x?a", true),
            ("~x{0}a", true),
            ("~x{0,}a", true),
            ("~x*a", true),
            ("~x+a", false),
            (r"~\x67", true),
            (r"~\p{Greek}a?", true),
            (r"~\pLa?", true),
            ("~(?:web|x)-[ab]", false),
            ("~(web|cafe)", true),
            ("~(?i)k", true),
            ("~[]x]a", true),
            ("~[a[x]z]", true),
            (r"~[\]x]a", true),
        ] {
            assert_eq!(pattern(text).may_match_hex(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_not_said_to_match_hex_never_does(
            text in "~?[a-h*?|()\\[\\]_0-9-]{0,8}", hex in "[0-9a-f]{1,12}"
        ) {
            if let Ok(pattern) = Pattern::parse(&text)
                && !pattern.may_match_hex()
            {
                prop_assert!(!pattern.matches(&hex), "{text} {hex}");
            }
        }

        #[test]
        fn text_without_stars_or_tilde_matches_itself_only(
            text in "[^~*\\pC][^*\\pC]{0,20}", other in ".{0,20}"
        ) {
            let pattern = pattern(&text);
            prop_assert!(pattern.matches(&text));
            prop_assert_eq!(pattern.matches(&other), text == other);
        }

        #[test]
        fn a_glob_agrees_with_the_obvious_slow_matcher(
            text in "[ab/*]{0,8}", candidate in "[ab/]{0,8}"
        ) {
            if let Ok(pattern) = Pattern::parse(&text) {
                let expected = slow(text.as_bytes(), candidate.as_bytes());
                prop_assert_eq!(pattern.matches(&candidate), expected);
            }
        }
    }

    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| slow(rest, &text[at..])),
            [b'*', rest @ ..] => (0..=text.len())
                .take_while(|&at| !text[..at].contains(&b'/'))
                .any(|at| slow(rest, &text[at..])),
            [first, rest @ ..] => text.first() == Some(first) && slow(rest, &text[1..]),
        }
    }
}
