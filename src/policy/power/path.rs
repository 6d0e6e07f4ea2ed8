//! Patterns over paths of the host.
//!
//! A path is compared only when it has one reading: absolute, without empty, `.` or `..` parts.
//! `/srv/ci/**` is the directory and everything below it. `/` is reached by `/` alone.
//!
//! SECURITY: text cannot see symbolic links. A directory that a pattern names must be one that those who
//! use the socket cannot write to from elsewhere.

use crate::policy::pattern::{BadPattern, Pattern};

/// A pattern over paths.
#[derive(Clone, Debug)]
pub(in crate::policy) struct PathPattern {
    pattern: Pattern,
    /// For `DIR/**`: the directory.
    directory: Option<Box<str>>,
}

impl PathPattern {
    /// Reads a pattern; its text begins with `/` or `~`.
    pub(in crate::policy) fn parse(text: &str) -> Result<Self, BadPattern> {
        let directory = text.strip_suffix("/**").filter(|dir| !dir.contains('*'));
        Ok(Self {
            pattern: Pattern::parse(text)?,
            directory: directory.filter(|dir| !dir.is_empty()).map(Into::into),
        })
    }

    /// As written.
    pub(in crate::policy) fn as_str(&self) -> &str {
        self.pattern.as_str()
    }

    /// Whether a path is named.
    pub(in crate::policy) fn matches(&self, path: &str) -> bool {
        if path == "/" {
            return self.pattern.exact() == Some("/");
        }
        is_clean(path) && (self.directory.as_deref() == Some(path) || self.pattern.matches(path))
    }
}

/// Whether a path has one reading.
pub(in crate::policy) fn is_clean(path: &str) -> bool {
    let fine = |part: &str| !matches!(part, "" | "." | "..");
    let parts = path.strip_prefix('/');
    parts.is_some_and(|parts| parts.split('/').all(fine)) && !path.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_pattern_names_a_path_or_a_tree() {
        for (pattern, path, expected) in [
            ("/srv/ci/**", "/srv/ci", true),
            ("/srv/ci/**", "/srv/ci/a/b", true),
            ("/srv/ci/**", "/srv/cix", false),
            ("/srv/ci/**", "/srv", false),
            ("/srv/ci/**", "/srv/ci/../../etc", false),
            ("/srv/ci/**", "/srv/ci/.", false),
            ("/srv/ci/**", "/srv/ci//x", false),
            ("/srv/ci/**", "/srv/ci/", false),
            ("/srv/ci/**", "srv/ci", false),
            ("/srv/ci/**", "/srv/ci/x\0", false),
            ("/etc/hosts", "/etc/hosts", true),
            ("/etc/hosts", "/etc/hosts2", false),
            ("/srv/*", "/srv/a", true),
            ("/srv/*", "/srv/a/b", false),
            ("/srv/*", "/srv", false),
            ("/**", "/etc", true),
            ("/**", "/", false),
            ("/", "/", true),
            ("/", "/etc", false),
            ("~/.*", "/", false),
            ("~/srv/[a-z]+", "/srv/ab", true),
        ] {
            let parsed = PathPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(path), expected, "{pattern} {path:?}");
        }
    }
}
