//! Patterns over image references, compared in full form.

use crate::docker::Query;
use crate::docker::reference::Reference;

use super::pattern::{BadPattern, Pattern};

/// A pattern such as `alpine:*` or `ghcr.io/acme/**`.
///
/// The name is completed as Docker completes it (`alpine` is `docker.io/library/alpine`), and
/// without a tag the pattern means `:latest`. `**` alone is any image.
#[derive(Clone, Debug)]
pub(super) enum ImagePattern {
    /// Over the full form with tag or digest: `docker.io/library/alpine:3`.
    Full(Pattern),
    /// Over the name only, `docker.io/library/alpine`; tag and digest may be anything at all.
    EveryTag(Pattern),
    /// Over ids: `sha256:…`.
    Id(Pattern),
}

impl ImagePattern {
    /// Reads a pattern.
    pub(super) fn parse(text: &str) -> Result<Self, BadPattern> {
        if text == "**" {
            return Ok(Self::EveryTag(Pattern::any()));
        }
        if text.starts_with('~') {
            return Pattern::parse(text).map(Self::Full);
        }
        if text.starts_with("sha256:") {
            return Pattern::parse(text).map(Self::Id);
        }
        let (name, version) = split_version(text);
        let name = complete(name);
        match version {
            None => Pattern::parse(&format!("{name}:latest")).map(Self::Full),
            Some(":*") => Pattern::parse(&name).map(Self::EveryTag),
            Some(version) => Pattern::parse(&format!("{name}{version}")).map(Self::Full),
        }
    }

    /// Whether the image that a pull asks for by `fromImage` and `tag` matches.
    ///
    /// Source: moby `daemon/server/router/image/image_routes.go`, `postImagesCreate`: the tag is
    /// taken from `tag`, which may also hold a digest; without any, **every** tag is pulled.
    pub(super) fn matches_pull(&self, image: &str, query: &Query<'_>) -> bool {
        let mut tags = query.all("tag");
        let tag = tags.next().unwrap_or_default();
        if tags.next().is_some() {
            return false;
        }
        let Some(reference) = Reference::parse(image).filter(|reference| !reference.is_id()) else {
            return false;
        };
        let name = format!("{}/{}", reference.domain(), reference.path());
        let written = reference.tag().is_some() || reference.digest().is_some();
        match (written, tag.is_empty()) {
            // Two versions of one image: which one wins is nobody's business to guess.
            (true, false) => false,
            (true, true) => self.matches_full(&name, &reference.full()),
            (false, true) => matches!(self, Self::EveryTag(pattern) if pattern.matches(&name)),
            (false, false) => {
                let mark = if tag.contains(':') { '@' } else { ':' };
                let full = format!("{name}{mark}{tag}");
                Reference::parse(&full).is_some() && self.matches_full(&name, &full)
            }
        }
    }

    /// Whether the image that a body names matches.
    ///
    /// SECURITY: a bare run of hexadecimal digits may be the beginning of an id and matches nothing; an
    /// id is reached only by a pattern that begins with `sha256:`.
    pub(super) fn matches(&self, image: &str) -> bool {
        let Some(reference) = Reference::parse(image) else {
            return false;
        };
        if reference.is_id() {
            return match self {
                Self::Id(pattern) => image.starts_with("sha256:") && pattern.matches(image),
                Self::Full(_) | Self::EveryTag(_) => false,
            };
        }
        let name = format!("{}/{}", reference.domain(), reference.path());
        self.matches_full(&name, &reference.full())
    }

    fn matches_full(&self, name: &str, full: &str) -> bool {
        match self {
            Self::Full(pattern) => pattern.matches(full),
            Self::EveryTag(pattern) => pattern.matches(name),
            Self::Id(_) => false,
        }
    }
}

/// Splits `name:tag` or `name@digest` before the mark. A colon before the last slash is a port.
fn split_version(text: &str) -> (&str, Option<&str>) {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let mark = text.get(last..).and_then(|rest| rest.find([':', '@']));
    match mark.and_then(|mark| text.split_at_checked(last + mark)) {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    }
}

/// The registry is the first component if it looks like a host, else Docker's own.
fn complete(name: &str) -> String {
    match name.split_once('/') {
        Some((first, _)) if first == "localhost" || first.contains(['.', ':']) || first == "**" => {
            name.to_owned()
        }
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fromimage_and_tag_are_judged_together_in_full_form() {
        for (pattern, query, expected) in [
            ("alpine", "fromImage=alpine&tag=latest", true),
            (
                "alpine",
                "fromImage=docker.io/library/alpine&tag=latest",
                true,
            ),
            ("alpine", "fromImage=alpine:latest", true),
            ("alpine", "fromImage=alpine&tag=3", false),
            // Without a tag Docker pulls every tag.
            ("alpine", "fromImage=alpine", false),
            ("alpine:*", "fromImage=alpine", true),
            ("alpine:*", "fromImage=alpine&tag=3", true),
            ("alpine:*", "fromImage=alpine-evil&tag=3", false),
            ("alpine:3*", "fromImage=alpine&tag=3.20", true),
            ("alpine:3*", "fromImage=alpine&tag=2", false),
            ("alpine:*", "fromImage=evil.example/alpine&tag=3", false),
            (
                "ghcr.io/acme/**",
                "fromImage=ghcr.io/acme/a/b&tag=latest",
                true,
            ),
            ("ghcr.io/acme/**", "fromImage=ghcr.io/acme/a&tag=1", false),
            (
                "ghcr.io/acme/**:*",
                "fromImage=ghcr.io/acme/a/b&tag=1",
                true,
            ),
            (
                "ghcr.io/acme/**:*",
                "fromImage=ghcr.io/acmex/a&tag=1",
                false,
            ),
            (
                "localhost:5000/a:1",
                "fromImage=localhost:5000/a&tag=1",
                true,
            ),
            ("alpine:3", "fromImage=alpine:3&tag=4", false),
            ("alpine:3", "fromImage=alpine&tag=3&tag=4", false),
            ("**", "fromImage=quay.io/x/y", true),
            ("**", "fromImage=cafe", false),
            ("**", "fromImage=../x", false),
            ("~docker[.]io/library/(x|y):1", "fromImage=x&tag=1", true),
            (
                "alpine:*",
                &format!("fromImage=alpine&tag=sha256:{}", "a".repeat(64)),
                true,
            ),
            (
                "alpine:3",
                &format!("fromImage=alpine&tag=sha256:{}", "a".repeat(64)),
                false,
            ),
        ] {
            let query = Query::parse(query).unwrap();
            let image = query.first("fromImage").unwrap();
            let pattern = ImagePattern::parse(pattern).unwrap();
            let matches = pattern.matches_pull(&image, &query);
            assert_eq!(matches, expected, "{query:?} {pattern:?}");
        }
    }
}
