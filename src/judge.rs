//! The one walk from a request to a decision, shared by the gate, `explain` and `[[test]]`.
//!
//! Whoever wants to know what the policy says about a call comes here, so that there is one answer.
//! A call is judged twice if its body matters: first without it, so that nobody's body is read for
//! nothing, then with it. What the first judgement says to a call that hangs on its body is *no*, for
//! the reason [`Reason::BodyUnread`]; so whoever forgets the second one opens nothing.

use std::borrow::Cow;

use crate::docker::payload::{BadBody, Payload};
use crate::docker::{ApiVersion, Call};
use crate::facts::{Caller, Facts, Findings, Origin};
use crate::policy::{Decision, Denial, Policy, Reason, Trace};

/// One call before its policy.
#[derive(Debug)]
pub struct Judge<'a> {
    policy: &'a Policy,
    caller: &'a Caller,
    call: &'a Call<'a>,
    payload: Payload<'a>,
    engine: Option<ApiVersion>,
    findings: Cow<'a, Findings>,
}

impl<'a> Judge<'a> {
    /// A call whose body nobody has read, and of whose object nothing is known.
    pub fn new(
        policy: &'a Policy,
        caller: &'a Caller,
        call: &'a Call<'a>,
        engine: Option<ApiVersion>,
    ) -> Self {
        Self {
            policy,
            caller,
            call,
            payload: Payload::to_come(call.operation()),
            engine,
            findings: Cow::Owned(Findings::default()),
        }
    }

    /// With its body.
    #[must_use]
    pub fn body(mut self, body: &'a [u8]) -> Self {
        if let Some(operation) = self.call.operation() {
            self.payload = Payload::read(operation, body);
        }
        self
    }

    /// With a body that cannot be judged.
    #[must_use]
    pub fn bad_body(mut self, bad: BadBody) -> Self {
        self.payload = Payload::Bad(bad);
        self
    }

    /// As far as it can be judged by whoever has nothing but the request: a body that is not told
    /// asks for nothing, an exec was created here, and nothing else was.
    #[must_use]
    pub fn presumed(mut self) -> Self {
        let findings = self.findings.to_mut();
        findings.exec = Origin::Here;
        findings.made.get_or_insert_default();
        if self.payload == Payload::Unread {
            self.body(b"{}")
        } else {
            self
        }
    }

    /// With what was found out about its object.
    #[must_use]
    pub fn findings(mut self, findings: &'a Findings) -> Self {
        self.findings = Cow::Borrowed(findings);
        self
    }

    /// What the body asks for.
    pub fn payload(&self) -> &Payload<'a> {
        &self.payload
    }

    /// The decision. Pure, total, synchronous.
    pub fn decide(&self) -> Decision {
        self.policy.decide(&self.facts())
    }

    /// The same decision, with everything that was seen on the way.
    pub fn trace(&self) -> Trace {
        self.policy.trace(&self.facts())
    }

    /// A refusal in words.
    pub fn denial(&self, reason: Reason) -> Denial {
        self.policy.denial(&self.facts(), reason)
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            caller: self.caller,
            call: self.call,
            payload: &self.payload,
            engine: self.engine,
            findings: &self.findings,
        }
    }
}
