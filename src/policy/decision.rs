//! Decisions, and the only door from a decision to the wire.

use crate::docker::Call;

/// Which rule of the policy decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef(pub(super) u32);

/// Why a call is refused. Codes are stable and published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No rule grants the operation.
    NoRule,
}

impl Reason {
    /// Every reason, for tables and documentation.
    pub const ALL: &'static [Self] = &[Self::NoRule];
    /// `no-rule` and so on.
    pub fn code(self) -> &'static str {
        todo!()
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
    /// Turns the decision and the call it was made for into a permit, or gives the reason why not.
    pub fn settle<'h>(self, call: Call<'h>) -> Result<Permit<'h>, (Call<'h>, Reason)> {
        match self.verdict {
            Verdict::Allow(rule) => Ok(Permit { call, rule }),
            Verdict::Deny(reason) => Err((call, reason)),
        }
    }
}

/// Proof that this call may go to Docker. There is no other way to make one, and nothing else can
/// be written to Docker's socket.
#[must_use]
#[derive(Debug)]
pub struct Permit<'h> {
    call: Call<'h>,
    rule: RuleRef,
}

impl<'h> Permit<'h> {
    /// The call that was judged.
    pub fn call(&self) -> &Call<'h> {
        &self.call
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
