//! The path of a grant, taken apart and held against the templates of operations.

use crate::docker::operation::Segment;
use crate::policy::pattern::{BadPattern, Pattern};

/// One segment of a grant's path.
#[derive(Debug)]
pub(super) enum Piece {
    /// Plain text: a literal segment, or an exact name in a placeholder's place.
    Text(String, Pattern),
    /// `{name}`: the placeholder as it is.
    Placeholder,
    /// `{name:PATTERN}`, or a pattern that no literal segment can be.
    Pattern(Pattern),
    /// `*`: any one segment.
    One,
    /// `**`: any segments, at least one.
    Many,
}

impl Piece {
    /// Whether it chooses operations by wildcard.
    pub(super) fn is_wildcard(&self) -> bool {
        matches!(self, Self::One | Self::Many)
    }
}

/// Why a path cannot be taken apart.
#[derive(Debug)]
pub(super) enum BadPath {
    /// It has no form that a path of Docker has.
    Form(&'static str),
    /// A pattern in it cannot be read.
    Pattern(String, BadPattern),
}

/// Takes a path apart.
pub(super) fn pieces(path: &str) -> Result<Vec<Piece>, BadPath> {
    let mut pieces = Vec::new();
    let mut rest = path.strip_prefix('/');
    while let Some(text) = rest {
        let (segment, next) = match outside_braces(text, '/') {
            Some((segment, next)) => (segment, Some(next)),
            None => (text, None),
        };
        pieces.push(piece(segment)?);
        rest = next;
    }
    Ok(pieces)
}

/// Splits at the first `mark` that stands outside of braces.
pub(super) fn outside_braces(text: &str, mark: char) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if c == mark && depth == 0 => {
                let rest = text.get(at + c.len_utf8()..)?;
                return Some((text.get(..at)?, rest));
            }
            _ => {}
        }
    }
    None
}

fn piece(segment: &str) -> Result<Piece, BadPath> {
    match segment {
        "" => return Err(BadPath::Form("an empty segment")),
        "." | ".." => return Err(BadPath::Form("`.` and `..` are not names")),
        "*" => return Ok(Piece::One),
        "**" => return Ok(Piece::Many),
        _ => {}
    }
    let pattern =
        |text: &str| Pattern::parse(text).map_err(|error| BadPath::Pattern(text.to_owned(), error));
    let Some(inner) = segment.strip_prefix('{') else {
        if segment.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(BadPath::Form("a blank in the path"));
        }
        let read = pattern(segment)?;
        return Ok(match read.exact() {
            Some(text) => Piece::Text(text.to_owned(), read),
            None => Piece::Pattern(read),
        });
    };
    let Some(inner) = inner.strip_suffix('}') else {
        return Err(BadPath::Form(
            "a placeholder is written `{name}` or `{name:PATTERN}`",
        ));
    };
    let (name, narrowed) = match inner.split_once(':') {
        Some((name, narrowed)) => (name, Some(narrowed)),
        None => (inner, None),
    };
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(BadPath::Form(
            "a placeholder is written `{name}` or `{name:PATTERN}`",
        ));
    }
    match narrowed {
        None => Ok(Piece::Placeholder),
        Some("") => Err(BadPath::Form("the pattern after `:` is empty")),
        Some(narrowed) => pattern(narrowed).map(Piece::Pattern),
    }
}

/// Holds pieces against a template; gives what each placeholder is narrowed to.
pub(super) fn fit(
    segments: impl Iterator<Item = Segment>,
    pieces: &[Piece],
) -> Option<[Option<Pattern>; 2]> {
    let segments: Vec<Segment> = segments.collect();
    let mut names = Vec::new();
    walk(&segments, pieces, &mut names)?;
    let mut names = names.into_iter();
    Some([names.next().flatten(), names.next().flatten()])
}

fn walk(segments: &[Segment], pieces: &[Piece], names: &mut Vec<Option<Pattern>>) -> Option<()> {
    let (segment, later) = match (segments, pieces) {
        ([], []) => return Some(()),
        ([segment, later @ ..], [_, ..]) => (segment, later),
        _ => return None,
    };
    let (piece, rest) = pieces.split_first()?;
    if matches!(piece, Piece::Many) {
        // The first of: `**` ends here, `**` goes on.
        return many(segments, rest, names);
    }
    match (segment, piece) {
        (Segment::Literal(literal), Piece::Text(text, _)) if literal == text => {}
        (Segment::Literal(_), Piece::One) => {}
        (Segment::Literal(_), _) => return None,
        (Segment::Reference(_) | Segment::Anything(_), _) => {
            return reference(segment, later, pieces, names);
        }
        (Segment::Name(_), _) => names.push(narrowing(piece)),
    }
    walk(later, rest, names)
}

/// `**` takes one or more segments.
fn many(segments: &[Segment], rest: &[Piece], names: &mut Vec<Option<Pattern>>) -> Option<()> {
    for taken in 1..=segments.len() {
        let (covered, later) = segments.split_at_checked(taken)?;
        let mut tried = names.clone();
        let placeholders = covered.iter().filter(|s| !matches!(s, Segment::Literal(_)));
        tried.extend(placeholders.map(|_| None));
        if walk(later, rest, &mut tried).is_some() {
            *names = tried;
            return Some(());
        }
    }
    None
}

/// An image reference takes one or more pieces, as Docker takes slashes there.
fn reference(
    segment: &Segment,
    later: &[Segment],
    pieces: &[Piece],
    names: &mut Vec<Option<Pattern>>,
) -> Option<()> {
    for taken in 1..=pieces.len() {
        let (own, rest) = pieces.split_at_checked(taken)?;
        let name = match own {
            [one] => match (one, segment) {
                // `*` stops at a slash, and a reference may have one.
                (Piece::One, Segment::Reference(_)) => Some(Pattern::parse("*").ok()?),
                _ => narrowing(one),
            },
            several => Some(joined(several)?),
        };
        let mut tried = names.clone();
        tried.push(name);
        if walk(later, rest, &mut tried).is_some() {
            *names = tried;
            return Some(());
        }
    }
    None
}

/// Several segments in the place of one reference, as one pattern.
fn joined(pieces: &[Piece]) -> Option<Pattern> {
    let mut text = String::new();
    for piece in pieces {
        if !text.is_empty() {
            text.push('/');
        }
        text.push_str(match piece {
            Piece::Text(text, _) => text,
            Piece::Pattern(pattern) if !pattern.as_str().starts_with('~') => pattern.as_str(),
            Piece::One => "*",
            Piece::Many => "**",
            Piece::Placeholder | Piece::Pattern(_) => return None,
        });
    }
    Pattern::parse(&text).ok()
}

fn narrowing(piece: &Piece) -> Option<Pattern> {
    match piece {
        Piece::Text(_, pattern) | Piece::Pattern(pattern) => Some(pattern.clone()),
        Piece::Placeholder | Piece::One | Piece::Many => None,
    }
}
