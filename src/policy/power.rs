//! What a rule allows a body: `container.mounts = […]` and its like.
//!
//! A rule that says nothing about a body allows a *plain* one, which uses no power. Every key names one
//! power and what of it is allowed, or narrows what is made, or requires something.
//!
//! * INVARIANT: a power that is not named allows Docker's default and nothing else.
//! * INVARIANT: a power that is named replaces that: every use of it, the default included, must be
//!   among what is named.
//! * INVARIANT: a body that was not read, cannot be read, or has an unknown field is never allowed by a
//!   rule that judges it.

pub(super) mod mount;
pub(super) mod path;
pub(super) mod port;
pub(super) mod want;

use crate::diag::Span;
use crate::docker::Query;
use crate::docker::payload::{self, BadBody, Body, Payload, Stray, Use, Why};

use super::decision::Reason;
use super::image::ImagePattern;
use super::pattern::Pattern;
use super::target;
use want::Want;

/// What a rule says about bodies.
#[derive(Debug, Default)]
pub(super) struct BodyRule {
    /// What the keys of its tables say, in the order of the file.
    pub(super) clauses: Vec<Clause>,
    /// What the container must be that a connect names.
    ///
    /// INVARIANT: empty if bodies are left unchecked.
    pub(super) connected: Vec<target::Clause>,
    /// `body = "unchecked"`.
    pub(super) unchecked: bool,
}

/// One key.
#[derive(Debug)]
pub(super) struct Clause {
    /// What it says.
    pub(super) says: Says,
    /// As written, `container.network = ["none"]`, on one line.
    pub(super) text: Box<str>,
    /// Where its key stands.
    pub(super) span: Span,
}

/// What a key says.
#[derive(Debug)]
pub(super) enum Says {
    /// A power, and what of it is allowed.
    Power(payload::Power, Vec<Want>),
    /// The name must match.
    Name(Vec<Pattern>),
    /// The image must match.
    Image(Vec<ImagePattern>),
    /// The command must match one of these, argument by argument.
    Command(Vec<Argv>),
    /// Every label, as `key=value`, must match.
    Labels(Vec<Pattern>),
    /// The user must match.
    User(Vec<Pattern>),
    /// These must be present.
    Require(Vec<Requirement>),
    /// Fields that this version does not know, or that must be empty, are let through.
    Fields(Vec<Pattern>),
}

/// A command, argument by argument.
#[derive(Debug)]
pub(super) struct Argv {
    /// One pattern for each argument.
    pub(super) arguments: Vec<Pattern>,
    /// Whether any further arguments may follow.
    pub(super) open: bool,
}

/// One word of `require`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requirement {
    /// A limit on memory.
    Memory,
    /// A limit on processes.
    Pids,
    /// A limit on processor time.
    Cpus,
    /// A read-only root file system.
    ReadOnly,
    /// No new privileges.
    NoNewPrivileges,
    /// Every capability dropped.
    DropAll,
    /// An init process.
    Init,
    /// A numeric user other than 0.
    User,
}

/// Why a body is not allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Obstacle<'f> {
    /// The reason.
    pub(super) reason: Reason,
    /// Which clause, counted from zero, if it was one.
    pub(super) clause: Option<usize>,
    /// What stood in the way.
    pub(super) what: Hindrance<'f>,
}

/// What stood in the way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hindrance<'f> {
    /// The clause says it all.
    Clause,
    /// A use of a power.
    Use(&'f Use<'f>),
    /// A field.
    Stray(&'f Stray),
    /// A body that cannot be read.
    Bad(&'f BadBody),
    /// Something required.
    Lacks(Requirement),
}

/// The rule of whoever says nothing.
pub(super) static PLAIN: BodyRule = BodyRule {
    clauses: Vec::new(),
    connected: Vec::new(),
    unchecked: false,
};

impl BodyRule {
    /// What stands in the way of a body, if anything does.
    pub(super) fn obstacle<'f>(
        &self,
        payload: &'f Payload<'f>,
        query: &Query<'_>,
    ) -> Option<Obstacle<'f>> {
        let simple = |reason, what| {
            Some(Obstacle {
                reason,
                clause: None,
                what,
            })
        };
        match payload {
            _ if self.unchecked => None,
            Payload::None => None,
            Payload::Unread => simple(Reason::BodyUnread, Hindrance::Clause),
            Payload::Opaque => simple(Reason::BodyUndescribed, Hindrance::Clause),
            Payload::Bad(bad @ BadBody::Media) => simple(Reason::ContentType, Hindrance::Bad(bad)),
            Payload::Bad(bad) => simple(Reason::MalformedBody, Hindrance::Bad(bad)),
            Payload::Read(body) => self
                .stray(body)
                .or_else(|| self.misused(body))
                .or_else(|| self.missed(body, query)),
        }
    }

    /// Whether it names a power or a field, and so allows what a plain rule does not.
    pub(super) fn admits_more(&self) -> bool {
        let more = |clause: &Clause| matches!(clause.says, Says::Power(..) | Says::Fields(_));
        self.unchecked || self.clauses.iter().any(more)
    }

    /// Whether it lets volumes be mounted that were there before.
    pub(super) fn mounts_volumes(&self) -> bool {
        let named = self.named(payload::Power::Mounts);
        let volume = |want: &Want| matches!(want, Want::Mount(mount) if mount.is_volume());
        named.is_some_and(|(_, wants)| wants.iter().any(volume))
    }

    fn stray<'f>(&self, body: &'f Body<'f>) -> Option<Obstacle<'f>> {
        let admitted = |stray: &Stray| {
            // SECURITY: a known field in another spelling, or at the top level where old engines read
            // it, is never let through by its name: it would be a power that nobody judged.
            matches!(stray.why, Why::Unknown | Why::Closed)
                && self.clauses.iter().any(|clause| {
                    matches!(&clause.says, Says::Fields(patterns)
                        if patterns.iter().any(|p| p.matches(&stray.place)))
                })
        };
        let stray = body.strays.iter().find(|stray| !admitted(stray))?;
        let reason = match stray.why {
            Why::Closed => Reason::ClosedField,
            Why::Unknown | Why::Spelling(_) | Why::TopLevel => Reason::UnknownField,
        };
        Some(Obstacle {
            reason,
            clause: None,
            what: Hindrance::Stray(stray),
        })
    }

    fn misused<'f>(&self, body: &'f Body<'f>) -> Option<Obstacle<'f>> {
        body.uses.iter().find_map(|one| {
            let named = self.named(one.power);
            let fits = match named {
                Some((_, wants)) => wants.iter().any(|want| want.matches(one)),
                None => one.rests,
            };
            (!fits).then(|| Obstacle {
                reason: Reason::BodyPower(one.power),
                clause: named.map(|(number, _)| number),
                what: Hindrance::Use(one),
            })
        })
    }

    fn named(&self, power: payload::Power) -> Option<(usize, &[Want])> {
        let mut clauses = self.clauses.iter().enumerate();
        clauses.find_map(|(number, clause)| {
            let Says::Power(named, wants) = &clause.says else {
                return None;
            };
            (*named == power).then_some((number, &**wants))
        })
    }

    fn missed<'f>(&self, body: &'f Body<'f>, query: &Query<'_>) -> Option<Obstacle<'f>> {
        self.clauses
            .iter()
            .enumerate()
            .find_map(|(number, clause)| {
                if let Says::Require(words) = &clause.says {
                    let lacks = words.iter().find(|word| !word.is_met(body))?;
                    return Some(Obstacle {
                        reason: Reason::Require,
                        clause: Some(number),
                        what: Hindrance::Lacks(*lacks),
                    });
                }
                (!clause.says.holds(body, query)).then_some(Obstacle {
                    reason: Reason::Body,
                    clause: Some(number),
                    what: Hindrance::Clause,
                })
            })
    }
}

impl Says {
    /// Whether what is made is among what is named.
    fn holds(&self, body: &Body<'_>, query: &Query<'_>) -> bool {
        let profile = &body.profile;
        let any = |patterns: &[Pattern], text: &str| patterns.iter().any(|p| p.matches(text));
        match self {
            // A container's name stands in the query, everything else's in the body. What is written
            // twice has two readings.
            Self::Name(patterns) => match (&profile.name, query.count("name")) {
                (Some(name), 0) => any(patterns, name),
                (None, 1) => any(patterns, &query.first("name").unwrap_or_default()),
                (None, 0) => any(patterns, ""),
                _ => false,
            },
            Self::Image(patterns) => {
                let image = profile.image.as_deref().unwrap_or_default();
                patterns.iter().any(|pattern| pattern.matches(image))
            }
            Self::Command(commands) => {
                let written: Vec<&str> = profile.command().map(|part| &**part).collect();
                // SECURITY: a health check would run what the list does not name.
                !profile.second_command && commands.iter().any(|argv| argv.matches(&written))
            }
            Self::Labels(patterns) => profile
                .labels
                .iter()
                .all(|(key, value)| any(patterns, &format!("{key}={value}"))),
            Self::User(patterns) => any(patterns, profile.user.as_deref().unwrap_or_default()),
            // Judged elsewhere.
            Self::Power(..) | Self::Require(_) | Self::Fields(_) => true,
        }
    }
}

impl Argv {
    fn matches(&self, written: &[&str]) -> bool {
        let counts = if self.open {
            written.len() >= self.arguments.len()
        } else {
            written.len() == self.arguments.len()
        };
        let mut pairs = self.arguments.iter().zip(written);
        counts && pairs.all(|(pattern, text)| pattern.matches(text))
    }
}

impl Requirement {
    /// Every word.
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("memory", Self::Memory),
        ("pids", Self::Pids),
        ("cpus", Self::Cpus),
        ("read-only", Self::ReadOnly),
        ("no-new-privileges", Self::NoNewPrivileges),
        ("drop-all", Self::DropAll),
        ("init", Self::Init),
        ("user", Self::User),
    ];

    /// What a body must say.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Memory => "it sets no limit on memory (`HostConfig.Memory`)",
            Self::Pids => "it sets no limit on processes (`HostConfig.PidsLimit`)",
            Self::Cpus => "it sets no limit on processor time (`HostConfig.NanoCpus`)",
            Self::ReadOnly => "its root file system is writable (`HostConfig.ReadonlyRootfs`)",
            Self::NoNewPrivileges => {
                "its processes may gain privileges (`HostConfig.SecurityOpt`: `no-new-privileges`)"
            }
            Self::DropAll => "it keeps capabilities (`HostConfig.CapDrop`: `ALL`)",
            Self::Init => "it has no init process (`HostConfig.Init`)",
            Self::User => "its user is not a number other than 0 (`User`)",
        }
    }

    fn is_met(self, body: &Body<'_>) -> bool {
        let profile = &body.profile;
        match self {
            Self::Memory => profile.limits_memory,
            Self::Pids => profile.limits_pids,
            Self::Cpus => profile.limits_cpus,
            Self::ReadOnly => profile.read_only,
            Self::NoNewPrivileges => profile.no_new_privileges,
            Self::DropAll => profile.drops_all,
            Self::Init => profile.init,
            Self::User => {
                let user = profile.user.as_deref().unwrap_or_default();
                let uid = user.split(':').next().unwrap_or_default();
                let digits = uid.bytes().all(|b| b.is_ascii_digit());
                digits && uid.parse::<u32>().is_ok_and(|uid| uid != 0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
