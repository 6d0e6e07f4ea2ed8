//! Policies that come with the program.
//!
//! They are the files of `policies/`, embedded: what a person reads there is what runs. Each opens
//! with who it is for and carries tests of what it allows and what it must refuse.

use crate::diag::Source;

/// A policy that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// What it is called: the stem of its file.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// One row per file of `policies/`.
macro_rules! ready {
    ($($name:literal,)*) => {
        &[$(Builtin {
            name: $name,
            text: include_str!(concat!("../../policies/", $name, ".toml")),
        },)*]
    };
}

/// All of them, in the order in which they are shown: what only looks, for people first, then by
/// service; what enters labelled containers; then what makes containers.
pub const ALL: &[Builtin] = ready![
    "read-only",
    "docker-cli-viewer",
    "autoheal",
    "beszel",
    "diun",
    "dozzle",
    "dozzle-actions",
    "glances",
    "homepage",
    "kafka",
    "netdata",
    "portainer-viewer",
    "prometheus",
    "telegraf",
    "traefik",
    "uptime-kuma",
    "vector",
    "ofelia",
    "volume-backup",
    "ai-agent-sandbox",
    "ci-runner",
    "compose-deploy",
    "docker-run",
    "gitlab-runner",
    "nextcloud-aio-appapi",
    "testcontainers",
    "watchtower",
    "docker-cli-full",
];

/// The policy of this name, ready to be read.
pub fn builtin(name: &str) -> Option<Source> {
    text(name).map(|text| Source::new(&format!("<built-in>/{name}.toml"), text))
}

/// The text of the policy of this name.
pub fn text(name: &str) -> Option<&'static str> {
    ALL.iter()
        .find(|builtin| builtin.name == name)
        .map(|builtin| builtin.text)
}

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|builtin| builtin.name)
}

impl Builtin {
    /// What it says about itself, in one line.
    pub fn description(&self) -> &'static str {
        let line = self
            .text
            .lines()
            .find(|line| line.starts_with("description"));
        let quoted = line.and_then(|line| line.split_once('"'));
        quoted.map_or("", |(_, rest)| rest.trim_end().trim_end_matches('"'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Severity, render};
    use crate::policy::Policy;

    #[test]
    fn every_policy_loads_passes_its_tests_and_has_both_kinds() {
        for builtin in ALL {
            let source = super::builtin(builtin.name).unwrap();
            let checked = Policy::parse(builtin.name, &source)
                .unwrap_or_else(|problems| panic!("{}", render::text(&source, &problems, false)));
            assert!(checked.policy.tests() >= 8, "{}", builtin.name);
            for answer in ["\"allow\"", "\"deny\""] {
                assert!(
                    builtin.text.contains(answer),
                    "{} lacks {answer}",
                    builtin.name
                );
            }
            let is_root = builtin.name == "docker-cli-full";
            let warnings: Vec<_> = checked
                .findings
                .iter()
                .filter(|d| d.severity > Severity::Note && !(is_root && d.id == "host-root"))
                .collect();
            assert!(warnings.is_empty(), "{}: {warnings:#?}", builtin.name);
            assert_eq!(checked.policy.description(), Some(builtin.description()));
            assert!(
                builtin.text.starts_with("# For "),
                "{} does not say for whom",
                builtin.name
            );
        }
    }

    #[test]
    fn what_has_a_name_is_found_and_nothing_else_is() {
        assert!(builtin("nothing").is_none());
        assert!(names().all(|name| builtin(name).is_some()));
    }
}
