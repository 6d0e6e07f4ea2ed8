//! The one walk from a request to a decision, shared by the gate, `explain` and `[[test]]`.
//!
//! Whoever wants to know what the policy says about a call comes here, so that there is one answer.
//! What the engine would have to be asked first ([`Findings`]) has its place in the walk; this
//! version asks nothing.

use crate::docker::ApiVersion;
use crate::docker::Call;
use crate::facts::{Caller, Facts, Findings};
use crate::policy::{Decision, Denial, Policy, Reason, Trace};

/// Judges one call. Pure, total, synchronous.
pub fn judge(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    engine: Option<ApiVersion>,
) -> Decision {
    with_facts(caller, call, engine, |facts| policy.decide(facts))
}

/// The same judgement with everything that was seen on the way.
pub fn trace(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    engine: Option<ApiVersion>,
) -> Trace {
    with_facts(caller, call, engine, |facts| policy.trace(facts))
}

/// Puts a refusal into words.
pub fn denial(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    engine: Option<ApiVersion>,
    reason: Reason,
) -> Denial {
    with_facts(caller, call, engine, |facts| policy.denial(facts, reason))
}

fn with_facts<R>(
    caller: &Caller,
    call: &Call<'_>,
    engine: Option<ApiVersion>,
    judge: impl FnOnce(&Facts<'_>) -> R,
) -> R {
    let findings = Findings::default();
    judge(&Facts {
        caller,
        call,
        engine,
        findings: &findings,
    })
}
