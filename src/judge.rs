//! The one walk from a request line to a decision, shared by the gate, `explain` and `[[test]]`.

use crate::docker::ApiVersion;
use crate::docker::Call;
use crate::facts::{Caller, Facts, Findings};
use crate::policy::{Decision, Policy};

/// Judges one call. Pure, total, synchronous.
pub fn judge(
    policy: &Policy,
    caller: &Caller,
    call: &Call<'_>,
    engine: Option<ApiVersion>,
) -> Decision {
    let findings = Findings::default();
    policy.decide(&Facts {
        caller,
        call,
        engine,
        findings: &findings,
    })
}
