//! An image reference, by the grammar that Docker uses (`distribution/reference`).
//!
//! `alpine` is short for `docker.io/library/alpine:latest`, and a run of hexadecimal digits may be an
//! id, or the beginning of one. Both matter wherever an image is compared with a pattern: compared are
//! full forms, and what may be an id is never taken for a name.

use std::borrow::Cow;

/// A parsed reference. Borrows from the text it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'t> {
    text: &'t str,
    domain: &'t str,
    path: &'t str,
    tag: Option<&'t str>,
    digest: Option<&'t str>,
    id: bool,
}

const HUB: &str = "docker.io";

impl<'t> Reference<'t> {
    /// Reads a name with optional tag and digest, or an id; `None` for anything else.
    ///
    /// ```
    /// # use quaygate::docker::reference::Reference;
    /// let image = Reference::parse("alpine").unwrap();
    /// assert_eq!(image.full(), "docker.io/library/alpine:latest");
    /// assert!(Reference::parse("../alpine").is_none());
    /// ```
    pub fn parse(text: &'t str) -> Option<Self> {
        if may_be_id(text) {
            let (domain, path) = ("", "");
            return Some(Self {
                text,
                domain,
                path,
                tag: None,
                digest: None,
                id: true,
            });
        }
        // Docker refuses to make an image of this name, because it would read like an id.
        if text.starts_with("sha256:") {
            return None;
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            // A colon before the last slash belongs to a port.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (domain, path) = split_domain(name);
        let valid = name.len() <= 255
            && is_domain(domain)
            && path.split('/').all(is_path_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest);
        let domain = if domain == "index.docker.io" {
            HUB
        } else {
            domain
        };
        valid.then_some(Self {
            text,
            domain,
            path,
            tag,
            digest,
            id: false,
        })
    }

    /// The registry: `docker.io` when none is written. Empty for an id.
    pub fn domain(&self) -> &'t str {
        self.domain
    }

    /// The repository inside the registry: `library/alpine`. Empty for an id.
    pub fn path(&self) -> Cow<'t, str> {
        if self.domain == HUB && !self.path.contains('/') {
            Cow::Owned(format!("library/{}", self.path))
        } else {
            Cow::Borrowed(self.path)
        }
    }

    /// The tag, if one is written.
    pub fn tag(&self) -> Option<&'t str> {
        self.tag
    }

    /// The digest with its algorithm, if one is written.
    pub fn digest(&self) -> Option<&'t str> {
        self.digest
    }

    /// True when Docker could take the text for an id or the beginning of one. Up to 63 bare digits
    /// (`cafe`) could be a name as well; such a text has two readings and is not offered as a name.
    pub fn is_id(&self) -> bool {
        self.id
    }

    /// The full form: registry, repository, tag (`latest` if there is neither tag nor digest) and
    /// digest. An id stays as it is written.
    pub fn full(&self) -> String {
        if self.id {
            return self.text.to_owned();
        }
        let mut full = format!("{}/{}", self.domain, self.path());
        let tag = self.tag.or(if self.digest.is_none() {
            Some("latest")
        } else {
            None
        });
        for (mark, part) in [(':', tag), ('@', self.digest)] {
            if let Some(part) = part {
                full.push(mark);
                full.push_str(part);
            }
        }
        full
    }
}

/// `sha256:` or nothing, then 1 to 64 hexadecimal digits (moby `image/store.go` looks up prefixes).
fn may_be_id(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    (1..=64).contains(&digits.len()) && is_lower_hex(digits)
}

/// The registry is the first component if it looks like a host (`splitDockerDomain`).
fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => (first, rest),
        _ => (HUB, name),
    }
}

/// A host name, IPv4 address or bracketed IPv6 address, with an optional port.
fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let port_fits = port.is_none_or(|port| is_all(port, |byte| byte.is_ascii_digit()));
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_fits = match inner {
        Some(address) => is_all(address, |byte| byte.is_ascii_hexdigit() || byte == b':'),
        None => host.split('.').all(|label| {
            is_all(label, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        }),
    };
    port_fits && host_fits
}

/// `[a-z0-9]+` parts joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let edge = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    edge(component.bytes().next())
        && edge(component.bytes().next_back())
        && component
            .split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|b| b == b'-'))
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
fn is_tag(tag: &str) -> bool {
    tag.len() <= 128
        && !tag.starts_with(['.', '-'])
        && is_all(tag, |byte| {
            byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
        })
}

/// A digest of an algorithm that Docker knows, in full (`opencontainers/go-digest`).
fn is_digest(digest: &str) -> bool {
    [("sha256:", 64), ("sha384:", 96), ("sha512:", 128)]
        .iter()
        .any(|(algorithm, length)| {
            digest
                .strip_prefix(algorithm)
                .is_some_and(|digits| digits.len() == *length && is_lower_hex(digits))
        })
}

fn is_lower_hex(text: &str) -> bool {
    is_all(text, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// At least one byte, and every one of that kind.
fn is_all(text: &str, kind: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(kind)
}

#[cfg(test)]
mod tests;
