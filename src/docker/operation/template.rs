//! The path of an operation with its placeholders, taken apart once, at compile time.
//!
//! Every path of the Engine API is `head {placeholder} tail`, so a match is two comparisons and a look
//! at what lies between; no regular expression, no allocation. One operation has two placeholders
//! (`/containers/{id}/checkpoints/{checkpoint}`): its `middle` is the text between them.

use crate::docker::byte_set::ByteSet;
use crate::docker::reference::Reference;

/// A path such as `/containers/{id}/json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    path: &'static str,
    kind: Kind,
    head: &'static str,
    middle: &'static str,
    tail: &'static str,
}

/// One segment of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Stands for itself.
    Literal(&'static str),
    /// A placeholder for one segment, a name or an id. Holds the placeholder's name: `id`.
    Name(&'static str),
    /// A placeholder for an image reference, which may have several segments.
    Reference(&'static str),
    /// A placeholder for any path at all (`OPTIONS` only).
    Anything(&'static str),
}

/// How a path fits a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::docker) enum Fit {
    /// Not this one.
    No,
    /// It is this one.
    Yes(Names),
    /// dockerd would take it for this one, but the name is not a name (or not a reference).
    Unfit(Unfit),
}

/// Where the texts at the placeholders are in a path.
pub(in crate::docker) type Names = [Option<Place>; 2];

/// A part of a path. Small, because it is part of every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::docker) struct Place {
    start: u16,
    end: u16,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::docker) enum Unfit {
    Name,
    Reference,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Literal,
    Name,
    /// A name that dockerd's own route keeps to one segment (`{id}`, not `{id:.*}`).
    Segment,
    Reference,
    Anything,
}

impl Template {
    /// As it is written: `/containers/{id}/json`.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Its segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + Clone + use<> {
        let kind = self.kind;
        self.path.split('/').skip(1).map(move |text| {
            match text
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'))
            {
                None => Segment::Literal(text),
                Some(name) => match kind {
                    Kind::Reference => Segment::Reference(name),
                    Kind::Anything => Segment::Anything(name),
                    Kind::Literal | Kind::Name | Kind::Segment => Segment::Name(name),
                },
            }
        })
    }

    /// The names of its placeholders, in order: `id`, `checkpoint`.
    pub fn placeholders(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.segments().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Name(name) | Segment::Reference(name) | Segment::Anything(name) => Some(name),
        })
    }

    /// True when it has no placeholder. Such routes win over those with one.
    pub(in crate::docker) fn is_literal(&self) -> bool {
        self.kind == Kind::Literal
    }

    /// Holds a decoded, canonical path against the template.
    pub(in crate::docker) fn fit(&self, path: &str) -> Fit {
        if self.kind == Kind::Literal {
            return if path == self.path {
                Fit::Yes([None, None])
            } else {
                Fit::No
            };
        }
        let Some(rest) = path.strip_suffix(self.tail) else {
            return Fit::No;
        };
        let Some(name) = rest.strip_prefix(self.head) else {
            return Fit::No;
        };
        let start = self.head.len();
        let at = Place::of;
        match self.kind {
            Kind::Literal | Kind::Anything => Fit::Yes([at(start, name), None]),
            Kind::Reference if Reference::parse(name).is_some() => {
                Fit::Yes([at(start, name), None])
            }
            Kind::Reference => Fit::Unfit(Unfit::Reference),
            Kind::Name | Kind::Segment if !self.middle.is_empty() => {
                let Some((name, second)) = name.split_once(self.middle) else {
                    return Fit::No;
                };
                if name.contains('/') || second.contains('/') {
                    Fit::No
                } else if is_name(name) && is_name(second) {
                    let beyond = start + name.len() + self.middle.len();
                    Fit::Yes([at(start, name), at(beyond, second)])
                } else {
                    Fit::Unfit(Unfit::Name)
                }
            }
            Kind::Name | Kind::Segment if is_name(name) => Fit::Yes([at(start, name), None]),
            Kind::Segment if name.contains('/') => Fit::No,
            Kind::Name | Kind::Segment => Fit::Unfit(Unfit::Name),
        }
    }

    /// Takes a path of the table apart.
    #[expect(
        clippy::indexing_slicing,
        reason = "runs at compile time, where a slip stops the build"
    )]
    pub(super) const fn new(path: &'static str) -> Self {
        let bytes = path.as_bytes();
        let (mut open, mut close) = (0, 0);
        while open < bytes.len() && bytes[open] != b'{' {
            open += 1;
        }
        if open == bytes.len() {
            return Self {
                path,
                kind: Kind::Literal,
                head: path,
                middle: "",
                tail: "",
            };
        }
        while bytes[close] != b'}' {
            close += 1;
        }
        let (head, _) = path.split_at(open);
        let (_, rest) = path.split_at(close + 1);
        let (middle, tail) = Self::second(rest);
        Self {
            path,
            kind: kind(head),
            head,
            middle,
            tail,
        }
    }

    /// Splits what follows the first placeholder at the second one, if there is one.
    #[expect(
        clippy::indexing_slicing,
        reason = "runs at compile time, where a slip stops the build"
    )]
    const fn second(rest: &'static str) -> (&'static str, &'static str) {
        let bytes = rest.as_bytes();
        let mut open = 0;
        while open < bytes.len() {
            if bytes[open] == b'{' {
                assert!(
                    bytes[bytes.len() - 1] == b'}',
                    "text after a second placeholder"
                );
                let (middle, _) = rest.split_at(open);
                return (middle, "");
            }
            open += 1;
        }
        ("", rest)
    }
}

impl Place {
    /// The place of a text that begins there. `None` beyond what a target may hold.
    pub(in crate::docker) fn of(start: usize, text: &str) -> Option<Self> {
        Some(Self {
            start: start.try_into().ok()?,
            end: (start + text.len()).try_into().ok()?,
        })
    }

    /// What is before it, in it and after it.
    pub(in crate::docker) fn split(self, path: &str) -> Option<[&str; 3]> {
        let (before, rest) = path.split_at_checked(self.start.into())?;
        let (text, after) = rest.split_at_checked((self.end - self.start).into())?;
        Some([before, text, after])
    }
}

/// `[a-zA-Z0-9][a-zA-Z0-9_.-]*`: names and ids of everything but images and plugins
/// (moby `daemon/names/names.go`).
///
/// SECURITY: dockerd's own routes take `{name:.*}`, slashes included, and legacy links make
/// `web/start` a container: one segment only, or `…/start` and `…/start/exec` can be confused.
pub fn is_name(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && NAME.covers(text)
}

static NAME: ByteSet = ByteSet::alphanumeric_and(b"_.-");

/// What stands at the placeholder, by the family of paths (moby `daemon/server/router/*/*.go`).
const fn kind(head: &str) -> Kind {
    match head.as_bytes() {
        b"/" => Kind::Anything,
        b"/images/" | b"/plugins/" | b"/distribution/" => Kind::Reference,
        b"/containers/" | b"/exec/" | b"/networks/" | b"/volumes/" => Kind::Name,
        _ => Kind::Segment,
    }
}
