//! Patterns over image references, compared in full form.

use std::borrow::Cow;

use crate::docker::reference::Reference;
use crate::docker::{Operation, Query};

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
    pub(super) fn matches_pull(&self, image: &str, query: &Query<'_>) -> bool {
        pulled(image, query).is_some_and(|named| self.covers(&named))
    }

    /// Whether an image that a call names matches, with every tag that it means.
    pub(super) fn covers(&self, named: &Named) -> bool {
        match (self, &named.version) {
            (Self::EveryTag(pattern), None) => pattern.matches(&named.name),
            (Self::Full(_) | Self::Id(_), None) => false,
            (_, Some(_)) => self.matches_full(&named.name, &named.full()),
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

/// The image that a call pulls, makes or sends: what `image.reference` judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Registry and repository: `docker.io/library/alpine`.
    name: String,
    /// `:tag` or `@digest`; `None`: every tag there is.
    version: Option<String>,
}

impl Named {
    /// The image of a call of this operation, whose path names `subject`; `None` when there is none, or
    /// when it could be read in two ways.
    pub(super) fn of(
        operation: Operation,
        subject: Option<&str>,
        query: &Query<'_>,
    ) -> Option<Self> {
        if operation == Operation::ImagePush {
            // As a pull: without `tag`, every tag is sent (moby `image_routes.go`, `postImagesPush`).
            return pulled(subject?, query);
        }
        let image = query.first("fromImage").unwrap_or_default();
        // Whoever writes no `fromImage` imports (`postImagesCreate`).
        if operation == Operation::ImageCreate && !image.is_empty() {
            return pulled(&image, query);
        }
        matches!(operation, Operation::ImageCreate | Operation::ImageTag)
            .then(|| made(query))
            .flatten()
    }

    /// `docker.io/library/alpine:3`, or `docker.io/library/alpine:*` for every tag.
    pub(super) fn full(&self) -> String {
        format!("{}{}", self.name, self.version.as_deref().unwrap_or(":*"))
    }
}

/// What a name and the key `tag` mean together.
///
/// Source: moby `daemon/server/router/image/image_routes.go`, `postImagesCreate`: the tag is taken from
/// `tag`, which may also hold a digest; without any, **every** tag is pulled.
fn pulled(image: &str, query: &Query<'_>) -> Option<Named> {
    let (reference, tag) = parts(image, query)?;
    let name = format!("{}/{}", reference.domain(), reference.path());
    let written = reference.tag().is_some() || reference.digest().is_some();
    let full = match (written, tag.is_empty()) {
        // Two versions of one image: which one wins is nobody's business to guess.
        (true, false) => return None,
        (true, true) => reference.full(),
        (false, true) => {
            return Some(Named {
                name,
                version: None,
            });
        }
        (false, false) => {
            let mark = if tag.contains(':') { '@' } else { ':' };
            let full = format!("{name}{mark}{tag}");
            Reference::parse(&full)?;
            full
        }
    };
    version_of(name, &full)
}

/// The name that an import or a tag makes, of the keys `repo` and `tag`.
///
/// Source: moby `daemon/server/httputils/httputils.go`, `RepoTagReference`: without a tag it is
/// `latest`; a digest is refused.
fn made(query: &Query<'_>) -> Option<Named> {
    if query.count("repo") != 1 {
        return None;
    }
    let repo = query.first("repo")?;
    let (reference, tag) = parts(&repo, query)?;
    if reference.digest().is_some() || (reference.tag().is_some() && !tag.is_empty()) {
        return None;
    }
    let name = format!("{}/{}", reference.domain(), reference.path());
    let full = match &*tag {
        "" => reference.full(),
        tag => format!("{name}:{tag}"),
    };
    Reference::parse(&full)?;
    version_of(name, &full)
}

/// A name that cannot be an id, and the key `tag`, written at most once.
fn parts<'t>(image: &'t str, query: &'t Query<'_>) -> Option<(Reference<'t>, Cow<'t, str>)> {
    let mut tags = query.all("tag");
    let tag = tags.next().unwrap_or_default();
    if tags.next().is_some() {
        return None;
    }
    let reference = Reference::parse(image).filter(|reference| !reference.is_id())?;
    Some((reference, tag))
}

fn version_of(name: String, full: &str) -> Option<Named> {
    let version = Some(full.strip_prefix(&*name)?.to_owned());
    Some(Named { name, version })
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

    #[test]
    fn what_an_import_a_tag_or_a_push_names_is_judged_with_its_tag() {
        use Operation::{ImageCreate, ImagePush, ImageTag};
        let digest = format!("repo=ci/app@sha256:{}", "a".repeat(64));
        for (operation, subject, query, expected) in [
            (ImageTag, "x", "repo=ci/app&tag=1", "docker.io/ci/app:1"),
            (ImageTag, "x", "repo=ci/app:1", "docker.io/ci/app:1"),
            (ImageTag, "x", "repo=app", "docker.io/library/app:latest"),
            (ImageTag, "x", "repo=ci/app:1&tag=2", ""),
            (ImageTag, "x", "repo=ci/app&repo=ci/b", ""),
            (ImageTag, "x", "repo=ci/app&tag=1&tag=2", ""),
            (ImageTag, "x", &digest, ""),
            (ImageTag, "x", "tag=1", ""),
            (ImageTag, "x", "repo=cafe&tag=1", ""),
            (ImageTag, "x", "repo=../app", ""),
            (
                ImageCreate,
                "",
                "fromSrc=-&repo=ci/app",
                "docker.io/ci/app:latest",
            ),
            (ImageCreate, "", "fromSrc=-", ""),
            (
                ImageCreate,
                "",
                "fromImage=alpine&repo=ci/app",
                "docker.io/library/alpine:*",
            ),
            (ImagePush, "ghcr.io/acme/a", "tag=1", "ghcr.io/acme/a:1"),
            (ImagePush, "ghcr.io/acme/a:2", "", "ghcr.io/acme/a:2"),
            (ImagePush, "ghcr.io/acme/a", "", "ghcr.io/acme/a:*"),
            (ImagePush, "ghcr.io/acme/a:2", "tag=1", ""),
            (ImagePush, "cafe", "tag=1", ""),
        ] {
            let query = Query::parse(query).unwrap();
            let named = Named::of(operation, Some(subject), &query);
            let full = named.map(|named| named.full()).unwrap_or_default();
            assert_eq!(full, expected, "{operation:?} {subject} {query:?}");
        }
    }
}
