//! Decisions, and the only door from a decision to the wire.

use crate::docker::Call;
use crate::docker::payload;

/// Which rule of the policy decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef(pub(super) u32);

/// Why a call is refused. Codes are stable and published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No rule grants the operation.
    NoRule,
    /// Docker has no operation at this method and path, and `[unlisted]` does not admit it.
    UnknownOperation,
    /// The operation is granted for other names only.
    Name,
    /// A condition on a query key does not hold.
    Query,
    /// The image that is pulled, made or sent is not among those that a rule names.
    Reference,
    /// A query key that is judged is written more than once.
    QueryRepeated,
    /// A condition on a filter does not hold.
    Filter,
    /// `filters` has no single reading.
    FilterMalformed,
    /// A prune call carries a filter that can widen what is deleted.
    FilterWidens,
    /// A query key that hands out a power is used and no condition admits it.
    Power(Power),
    /// The object is none that the rule is about.
    Target,
    /// The rule is about certain objects, and the engine has not been asked which one this is.
    TargetUnasked,
    /// Docker has no such object.
    TargetAbsent,
    /// Which object it is could not be found out.
    TargetUnclear,
    /// The object is the gate's own container.
    TargetGate,
    /// The rule is about certain containers in a connect's body, and the engine has not been asked
    /// which one this is.
    ConnectUnasked,
    /// The new name could be taken for another object's id.
    IdAsName,
    /// The exec was not created through this socket, as far as is remembered.
    ForeignExec,
    /// The object is none that the policy shows.
    Hidden,
    /// A filter of a list cannot be joined with what the policy shows.
    VisibleFilter,
    /// The policy shows what was created through the socket, which cannot be told of these objects.
    VisibleOwn,
    /// More was created through the socket than a list can be narrowed to.
    VisibleMany,
    /// A body uses a power that no rule admits.
    BodyPower(payload::Power),
    /// A condition on what a body makes does not hold.
    Body,
    /// A body lacks what a rule requires.
    Require,
    /// A body has a field that this version does not know.
    UnknownField,
    /// A body has a field that must be empty.
    ClosedField,
    /// A body is not called JSON.
    ContentType,
    /// A body has no single reading, or Docker would refuse it.
    MalformedBody,
    /// The operation reads a body that this version does not describe.
    BodyUndescribed,
    /// Everything but the body is allowed, and nobody has read that yet.
    BodyUnread,
    /// The call's API version is outside of the policy's range.
    ApiOutside,
    /// The call names no API version, the engine's own one is not known yet, and it matters.
    ApiUnknown,
    /// The caller is not among the users who may connect.
    Peer,
}

/// A power that is handed out by a query key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Power {
    /// `cgroupparent` of a build.
    CgroupParent,
    /// `checkpoint` of a start.
    Checkpoint,
    /// `checkpoint-dir` of a start.
    CheckpointDir,
    /// `dir` of checkpoint calls.
    Dir,
    /// `extrahosts` of a build.
    ExtraHosts,
    /// `fromSrc` of an image create.
    FromSrc,
    /// `networkmode` of a build.
    NetworkMode,
    /// `outputs` of a build.
    Outputs,
    /// `ps_args` of a top.
    PsArgs,
    /// `remote` of a build.
    Remote,
    /// `securityopt` of a build.
    SecurityOpt,
    /// A key that this table does not name.
    Other,
}

impl Power {
    /// Every power with its query key and its code.
    const TABLE: [(Self, &'static str, &'static str); 12] = [
        (Self::CgroupParent, "cgroupparent", "power-cgroupparent"),
        (Self::Checkpoint, "checkpoint", "power-checkpoint"),
        (
            Self::CheckpointDir,
            "checkpoint-dir",
            "power-checkpoint-dir",
        ),
        (Self::Dir, "dir", "power-dir"),
        (Self::ExtraHosts, "extrahosts", "power-extrahosts"),
        (Self::FromSrc, "fromSrc", "power-from-src"),
        (Self::NetworkMode, "networkmode", "power-networkmode"),
        (Self::Outputs, "outputs", "power-outputs"),
        (Self::PsArgs, "ps_args", "power-ps-args"),
        (Self::Remote, "remote", "power-remote"),
        (Self::SecurityOpt, "securityopt", "power-securityopt"),
        (Self::Other, "", "power-query"),
    ];

    /// The power that a query key hands out.
    pub(super) fn of(key: &str) -> Self {
        let row = Self::TABLE.iter().find(|(_, name, _)| *name == key);
        row.map_or(Self::Other, |(power, _, _)| *power)
    }

    /// Its query key.
    pub fn key(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> &'static (Self, &'static str, &'static str) {
        let row = Self::TABLE.iter().find(|(power, _, _)| *power == self);
        row.unwrap_or(&(Self::Other, "", "power-query"))
    }
}

impl Reason {
    /// Every reason, for tables and documentation.
    pub const ALL: &'static [Self] = &[
        Self::NoRule,
        Self::UnknownOperation,
        Self::Name,
        Self::Query,
        Self::Reference,
        Self::QueryRepeated,
        Self::Filter,
        Self::FilterMalformed,
        Self::FilterWidens,
        Self::Power(Power::CgroupParent),
        Self::Power(Power::Checkpoint),
        Self::Power(Power::CheckpointDir),
        Self::Power(Power::Dir),
        Self::Power(Power::ExtraHosts),
        Self::Power(Power::FromSrc),
        Self::Power(Power::NetworkMode),
        Self::Power(Power::Outputs),
        Self::Power(Power::PsArgs),
        Self::Power(Power::Remote),
        Self::Power(Power::SecurityOpt),
        Self::Power(Power::Other),
        Self::Target,
        Self::TargetUnasked,
        Self::TargetAbsent,
        Self::TargetUnclear,
        Self::TargetGate,
        Self::ConnectUnasked,
        Self::IdAsName,
        Self::ForeignExec,
        Self::Hidden,
        Self::VisibleFilter,
        Self::VisibleOwn,
        Self::VisibleMany,
        Self::BodyPower(payload::Power::Privileged),
        Self::BodyPower(payload::Power::UnmaskPaths),
        Self::BodyPower(payload::Power::Oom),
        Self::BodyPower(payload::Power::Gpus),
        Self::BodyPower(payload::Power::Mounts),
        Self::BodyPower(payload::Power::Network),
        Self::BodyPower(payload::Power::Publish),
        Self::BodyPower(payload::Power::Capabilities),
        Self::BodyPower(payload::Power::Devices),
        Self::BodyPower(payload::Power::DeviceRules),
        Self::BodyPower(payload::Power::VolumesFrom),
        Self::BodyPower(payload::Power::Pid),
        Self::BodyPower(payload::Power::Ipc),
        Self::BodyPower(payload::Power::Uts),
        Self::BodyPower(payload::Power::Userns),
        Self::BodyPower(payload::Power::Cgroupns),
        Self::BodyPower(payload::Power::CgroupParent),
        Self::BodyPower(payload::Power::SecurityOpt),
        Self::BodyPower(payload::Power::Sysctls),
        Self::BodyPower(payload::Power::Runtime),
        Self::BodyPower(payload::Power::Groups),
        Self::BodyPower(payload::Power::Links),
        Self::BodyPower(payload::Power::LogDriver),
        Self::BodyPower(payload::Power::Storage),
        Self::BodyPower(payload::Power::Ulimits),
        Self::BodyPower(payload::Power::Resources),
        Self::BodyPower(payload::Power::Dns),
        Self::BodyPower(payload::Power::MacAddress),
        Self::BodyPower(payload::Power::Annotations),
        Self::BodyPower(payload::Power::User),
        Self::BodyPower(payload::Power::Env),
        Self::BodyPower(payload::Power::Workdir),
        Self::BodyPower(payload::Power::NetworkDriver),
        Self::BodyPower(payload::Power::NetworkOptions),
        Self::BodyPower(payload::Power::Subnets),
        Self::BodyPower(payload::Power::Config),
        Self::BodyPower(payload::Power::Scope),
        Self::BodyPower(payload::Power::Endpoint),
        Self::BodyPower(payload::Power::VolumeDriver),
        Self::BodyPower(payload::Power::VolumeOptions),
        Self::BodyPower(payload::Power::Mode),
        Self::BodyPower(payload::Power::Placement),
        Self::Body,
        Self::Require,
        Self::UnknownField,
        Self::ClosedField,
        Self::ContentType,
        Self::MalformedBody,
        Self::BodyUndescribed,
        Self::BodyUnread,
        Self::ApiOutside,
        Self::ApiUnknown,
        Self::Peer,
    ];

    /// `no-rule` and so on.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoRule => "no-rule",
            Self::UnknownOperation => "unknown-operation",
            Self::Name => "name",
            Self::Query => "query",
            Self::Reference => "reference",
            Self::QueryRepeated => "query-repeated",
            Self::Filter => "filter",
            Self::FilterMalformed => "filter-malformed",
            Self::FilterWidens => "filter-widens",
            Self::Power(power) => power.row().2,
            Self::Target => "target",
            Self::TargetUnasked => "target-unasked",
            Self::TargetAbsent => "target-absent",
            Self::TargetUnclear => "target-unclear",
            Self::TargetGate => "target-gate",
            Self::ConnectUnasked => "connect-unasked",
            Self::IdAsName => "id-as-name",
            Self::ForeignExec => "foreign-exec",
            Self::Hidden => "hidden",
            Self::VisibleFilter => "visible-filter",
            Self::VisibleOwn => "visible-own",
            Self::VisibleMany => "visible-many",
            Self::BodyPower(power) => power.code(),
            Self::Body => "body",
            Self::Require => "require",
            Self::UnknownField => "unknown-field",
            Self::ClosedField => "closed-field",
            Self::ContentType => "content-type",
            Self::MalformedBody => "malformed-body",
            Self::BodyUndescribed => "body-undescribed",
            Self::BodyUnread => "body-unread",
            Self::ApiOutside => "api-outside",
            Self::ApiUnknown => "api-unknown",
            Self::Peer => "peer",
        }
    }

    /// What it means, in one line of plain words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NoRule => "no rule grants the operation",
            Self::UnknownOperation => "Docker has no operation at this method and path",
            Self::Name => "the operation is granted for other names only",
            Self::Query => "a condition on the query does not hold",
            Self::Reference => "the image is not among those that are named",
            Self::QueryRepeated => "a query key that is judged is written more than once",
            Self::Filter => "a condition on the filters does not hold",
            Self::FilterMalformed => "the filters cannot be read in exactly one way",
            Self::FilterWidens => "a filter of this prune call can widen what is deleted",
            Self::Power(_) => "a query key that hands out a power is used and no rule admits it",
            Self::Target => "the object is none that the rule is about",
            Self::TargetUnasked => "it depends on the object, and the engine was not asked",
            Self::TargetAbsent => "Docker has no such object",
            Self::TargetUnclear => "which object it is could not be found out",
            Self::TargetGate => "it is the container of the gate itself",
            Self::ConnectUnasked => {
                "it depends on the container in the body, and the engine was not asked"
            }
            Self::IdAsName => "the new name could be taken for another object's id",
            Self::ForeignExec => "the exec was not created through this socket",
            Self::Hidden => "the object is none that the policy shows",
            Self::VisibleFilter => "a filter does not go together with what the policy shows",
            Self::VisibleOwn => {
                "which of these were created through this socket cannot be told to Docker"
            }
            Self::VisibleMany => {
                "more is remembered as created here than a list can be narrowed to"
            }
            Self::BodyPower(_) => "the body uses a power that no rule admits",
            Self::Body => "a condition on the body does not hold",
            Self::Require => "the body lacks what is required",
            Self::UnknownField => "the body has a field that this version does not know",
            Self::ClosedField => "the body has a field that must be empty",
            Self::ContentType => "the body's `Content-Type` is not `application/json`",
            Self::MalformedBody => "the body cannot be read in exactly one way",
            Self::BodyUndescribed => "this version does not describe the operation's body",
            Self::BodyUnread => "the body was not read",
            Self::ApiOutside => "the API version is outside of the policy's range",
            Self::ApiUnknown => "the API version of the call is not known yet",
            Self::Peer => "this user may not use the socket",
        }
    }

    /// How near a rule came to allowing, for choosing which miss to tell.
    pub(super) fn nearness(self) -> u8 {
        match self {
            Self::UnknownOperation | Self::NoRule => 0,
            Self::Name => 1,
            Self::Query | Self::Reference | Self::Filter | Self::Target => 2,
            Self::QueryRepeated
            | Self::FilterMalformed
            | Self::FilterWidens
            | Self::Power(_)
            | Self::ForeignExec
            | Self::TargetAbsent
            | Self::TargetUnclear
            | Self::TargetGate
            | Self::IdAsName
            | Self::Hidden
            | Self::VisibleFilter
            | Self::VisibleOwn
            | Self::VisibleMany => 3,
            Self::BodyPower(_)
            | Self::Body
            | Self::Require
            | Self::UnknownField
            | Self::ClosedField
            | Self::ContentType
            | Self::MalformedBody
            | Self::BodyUndescribed
            | Self::BodyUnread => 4,
            Self::ApiOutside | Self::ApiUnknown | Self::Peer => 5,
            // First of all: whoever hears it asks the engine, and judges again.
            Self::TargetUnasked | Self::ConnectUnasked => 6,
        }
    }
}

/// Allow or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A rule allows it.
    Allow(RuleRef),
    /// No rule does; the nearest miss.
    Deny(Reason),
}

/// The outcome of judging one call.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Allow or deny.
    pub verdict: Verdict,
}

impl Decision {
    pub(super) fn allow(rule: RuleRef) -> Self {
        Self {
            verdict: Verdict::Allow(rule),
        }
    }

    pub(super) fn deny(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Deny(reason),
        }
    }

    /// Whether some rule allows the call.
    pub fn allows(self) -> bool {
        matches!(self.verdict, Verdict::Allow(_))
    }

    /// No, where there is a reason for it after all.
    pub fn unless(self, reason: Option<Reason>) -> Self {
        match reason {
            Some(reason) if self.allows() => Self::deny(reason),
            _ => self,
        }
    }

    /// Turns the decision and what it was made for, the call and the body if that was read, into a
    /// permit, or gives both back with the reason why not.
    pub fn settle(self, call: Call<'_>, body: Option<Vec<u8>>) -> Result<Permit<'_>, Refused<'_>> {
        match self.verdict {
            Verdict::Allow(rule) => Ok(Permit { call, body, rule }),
            Verdict::Deny(reason) => Err(Refused { call, body, reason }),
        }
    }
}

/// A call that may not go to Docker.
#[derive(Debug)]
pub struct Refused<'h> {
    /// The call.
    pub call: Call<'h>,
    /// Its body, if that was read.
    pub body: Option<Vec<u8>>,
    /// Why.
    pub reason: Reason,
}

/// Proof that this call may go to Docker. There is no other way to make one, and nothing else can
/// be written to Docker's socket.
#[must_use]
#[derive(Debug)]
pub struct Permit<'h> {
    call: Call<'h>,
    body: Option<Vec<u8>>,
    rule: RuleRef,
}

impl<'h> Permit<'h> {
    /// The call that was judged.
    pub fn call(&self) -> &Call<'h> {
        &self.call
    }

    /// The body that was judged, byte for byte; `None` when none had to be.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// The rule that allows it.
    pub fn rule(&self) -> RuleRef {
        self.rule
    }
}

/// A refusal in words, rendered apart for the client and for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why, as a code.
    pub reason: Reason,
    /// What the client reads (Docker's `message`): one paragraph, no secrets, no control bytes.
    pub message: String,
    /// The TOML line(s) that would allow it, if any could.
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::Operation;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        for code in &codes {
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{code}"
            );
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn every_power_of_a_body_is_a_reason() {
        for power in payload::Power::all() {
            assert!(Reason::ALL.contains(&Reason::BodyPower(power)), "{power:?}");
        }
    }

    #[test]
    fn every_power_of_the_operations_table_has_a_code_of_its_own() {
        for operation in Operation::ALL {
            for key in operation
                .query()
                .iter()
                .filter(|key| key.is_power().is_some())
            {
                let power = Power::of(key.name());
                assert_ne!(power, Power::Other, "{} {}", operation.name(), key.name());
                assert_eq!(power.key(), key.name());
                assert!(Reason::ALL.contains(&Reason::Power(power)));
            }
        }
    }
}
