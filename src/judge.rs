//! The one walk from a request to a decision, shared by the gate, `explain` and `[[test]]`.
//!
//! Whoever wants to know what the policy says about a call comes here, so that there is one answer.
//! What the engine would have to be asked first ([`Findings`]) has its place in the walk; this
//! version asks nothing.

use crate::docker::payload::Payload;
use crate::docker::{ApiVersion, Call};
use crate::facts::{Caller, Facts, Findings};
use crate::policy::{Decision, Denial, Policy, Reason, Trace};

/// Judges one call whose body nobody has read. Pure, total, synchronous.
pub fn judge(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    engine: Option<ApiVersion>,
) -> Decision {
    judge_with(policy, caller, call, &Payload::Unread, engine)
}

/// Judges one call with its body.
pub fn judge_with(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    payload: &Payload<'_>,
    engine: Option<ApiVersion>,
) -> Decision {
    with_facts(caller, call, payload, engine, |facts| policy.decide(facts))
}

/// The judgement of a call whose body nobody has read, with everything that was seen on the way.
pub fn trace(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    engine: Option<ApiVersion>,
) -> Trace {
    trace_with(policy, caller, call, &Payload::Unread, engine)
}

/// The same judgement as `judge_with`, with everything that was seen on the way.
pub fn trace_with(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    payload: &Payload<'_>,
    engine: Option<ApiVersion>,
) -> Trace {
    with_facts(caller, call, payload, engine, |facts| policy.trace(facts))
}

/// Puts the refusal of a call whose body nobody has read into words.
pub fn denial(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    engine: Option<ApiVersion>,
    reason: Reason,
) -> Denial {
    denial_with(policy, caller, call, &Payload::Unread, engine, reason)
}

/// Puts a refusal into words.
pub fn denial_with(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    payload: &Payload<'_>,
    engine: Option<ApiVersion>,
    reason: Reason,
) -> Denial {
    with_facts(caller, call, payload, engine, |facts| {
        policy.denial(facts, reason)
    })
}

fn with_facts<R>(
    caller: &Caller,
    call: &Call<'_>,
    payload: &Payload<'_>,
    engine: Option<ApiVersion>,
    judge: impl FnOnce(&Facts<'_>) -> R,
) -> R {
    let findings = Findings::default();
    judge(&Facts {
        caller,
        call,
        payload,
        engine,
        findings: &findings,
    })
}
