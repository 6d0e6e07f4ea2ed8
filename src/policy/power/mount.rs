//! Patterns over mounts: `"/srv/ci/**:ro"`, `"volume:ci-*"`, `"tmpfs"`, `"image:alpine:*"`.

use crate::docker::payload::{Mount, Source};
use crate::policy::image::ImagePattern;
use crate::policy::pattern::{BadPattern, Pattern};

use super::path::PathPattern;

/// A pattern over mounts.
#[derive(Clone, Debug)]
pub(in crate::policy) struct MountPattern {
    source: Sources,
    read_only: bool,
    options: Vec<Box<str>>,
}

#[derive(Clone, Debug)]
enum Sources {
    Host(PathPattern),
    Volume(Pattern),
    Tmpfs { any: bool },
    Image(ImagePattern),
    Cluster(Pattern),
    Secret(Pattern),
    Config(Pattern),
}

/// Options that may follow a source.
const OPTIONS: [&str; 14] = [
    "z", "Z", "shared", "rshared", "slave", "rslave", "rbind", "bind", "U", "O", "exec", "suid",
    "dev", "idmap",
];

/// Why a text is no pattern over mounts.
#[derive(Debug)]
pub(in crate::policy) enum BadMount {
    /// It begins with nothing that is known.
    Form,
    /// Its pattern cannot be read.
    Pattern(BadPattern),
}

impl MountPattern {
    /// Reads a pattern.
    pub(in crate::policy) fn parse(text: &str) -> Result<Self, BadMount> {
        let mut rest = text;
        let mut read_only = false;
        let mut options = Vec::new();
        while let Some((before, last)) = rest.rsplit_once(':')
            && last
                .split(',')
                .all(|word| word == "ro" || OPTIONS.contains(&word))
        {
            for word in last.split(',') {
                if word == "ro" {
                    read_only = true;
                } else {
                    options.push(word.into());
                }
            }
            rest = before;
        }
        Ok(Self {
            source: source(rest)?,
            read_only,
            options,
        })
    }

    /// The path of the host as it is written, if it is one, and whether it must be mounted read-only.
    pub(in crate::policy) fn host(&self) -> Option<(&str, bool)> {
        let Sources::Host(path) = &self.source else {
            return None;
        };
        Some((path.as_str(), self.read_only))
    }

    /// Whether it names volumes that have a name.
    pub(in crate::policy) fn is_volume(&self) -> bool {
        matches!(self.source, Sources::Volume(_))
    }

    /// Whether it names nothing but memory of the container's own.
    pub(in crate::policy) fn is_plain_tmpfs(&self) -> bool {
        matches!(self.source, Sources::Tmpfs { any: false })
    }

    /// Whether a mount is named, with everything it asks for.
    pub(in crate::policy) fn matches(&self, mount: &Mount<'_>) -> bool {
        let listed = |option: &str| self.options.iter().any(|listed| **listed == *option);
        let source = match (&self.source, &mount.source) {
            (Sources::Tmpfs { any: true }, Source::Tmpfs) => return true,
            (Sources::Tmpfs { any: false }, Source::Tmpfs) => true,
            (Sources::Host(pattern), Source::Host(path)) => pattern.matches(path),
            (Sources::Image(pattern), Source::Image(image)) => pattern.matches(image),
            (Sources::Volume(pattern), Source::Volume(name))
            | (Sources::Cluster(pattern), Source::Cluster(name))
            | (Sources::Secret(pattern), Source::Secret(name))
            | (Sources::Config(pattern), Source::Config(name)) => pattern.matches(name),
            _ => false,
        };
        source
            && (mount.read_only || !self.read_only)
            && mount.options.iter().all(|option| listed(option))
    }
}

fn source(text: &str) -> Result<Sources, BadMount> {
    let pattern = |text| Pattern::parse(text).map_err(BadMount::Pattern);
    Ok(match text.split_once(':') {
        None if text == "tmpfs" => Sources::Tmpfs { any: false },
        Some(("tmpfs", "any")) => Sources::Tmpfs { any: true },
        Some(("volume", name)) => Sources::Volume(pattern(name)?),
        Some(("cluster", name)) => Sources::Cluster(pattern(name)?),
        Some(("secret", name)) => Sources::Secret(pattern(name)?),
        Some(("config", name)) => Sources::Config(pattern(name)?),
        Some(("image", name)) => {
            Sources::Image(ImagePattern::parse(name).map_err(BadMount::Pattern)?)
        }
        _ if text.starts_with('/') || text.starts_with("~/") => {
            Sources::Host(PathPattern::parse(text).map_err(BadMount::Pattern)?)
        }
        _ => return Err(BadMount::Form),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(source: Source<'static>, read_only: bool, options: &[&'static str]) -> Mount<'static> {
        Mount {
            source,
            read_only,
            options: options.iter().map(|option| (*option).into()).collect(),
        }
    }

    #[test]
    fn mounts_are_compared_by_what_they_are() {
        let host = |path: &'static str| Source::Host(path.into());
        let volume = |name: &'static str| Source::Volume(name.into());
        for (pattern, mount, expected) in [
            ("/srv/**", mount(host("/srv/a"), false, &[]), true),
            ("/srv/**", mount(host("/srv/a"), true, &[]), true),
            ("/srv/**:ro", mount(host("/srv/a"), true, &[]), true),
            ("/srv/**:ro", mount(host("/srv/a"), false, &[]), false),
            ("/srv/**", mount(host("/srv/a"), false, &["z"]), false),
            ("/srv/**:z", mount(host("/srv/a"), false, &["z"]), true),
            ("/srv/**:ro,z", mount(host("/srv/a"), false, &["z"]), false),
            (
                "/srv/**:ro:z,rshared",
                mount(host("/srv/a"), true, &["rshared", "z"]),
                true,
            ),
            ("/srv/**", mount(volume("srv"), false, &[]), false),
            ("volume:ci-*", mount(volume("ci-a"), false, &[]), true),
            ("volume:ci-*", mount(volume("x"), false, &[]), false),
            ("volume:**", mount(host("/x"), false, &[]), false),
            ("volume:ro", mount(volume("ro"), false, &[]), false),
            ("tmpfs", mount(Source::Tmpfs, false, &[]), true),
            ("tmpfs", mount(Source::Tmpfs, false, &["mpol"]), false),
            ("tmpfs:any", mount(Source::Tmpfs, false, &["mpol"]), true),
            (
                "image:alpine:*",
                mount(Source::Image("alpine:3".into()), false, &[]),
                true,
            ),
            (
                "image:alpine",
                mount(Source::Image("alpine:3".into()), false, &[]),
                false,
            ),
            (
                "secret:ci-*",
                mount(Source::Secret("ci-x".into()), true, &[]),
                true,
            ),
            (
                "config:ci-*",
                mount(Source::Secret("ci-x".into()), true, &[]),
                false,
            ),
        ] {
            let Ok(parsed) = MountPattern::parse(pattern) else {
                assert!(!expected, "{pattern}");
                continue;
            };
            assert_eq!(parsed.matches(&mount), expected, "{pattern} {mount:?}");
        }
        for text in ["srv", "volumes:x", "", "~x", "tmpfs:x"] {
            assert!(
                matches!(MountPattern::parse(text), Err(BadMount::Form)),
                "{text}"
            );
        }
    }
}
