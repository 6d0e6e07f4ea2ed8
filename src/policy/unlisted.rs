//! `[unlisted]`: paths that the operations table does not know, admitted byte for byte.
//!
//! There is no pattern here and no version magic: what is not known cannot be narrowed, so it is
//! written out, and a version prefix is part of it.

use crate::docker::{ApiVersion, Call, Method};

use super::decision::{Decision, Reason, RuleRef};
use super::trace::Observer;

/// All grants of `[unlisted]`.
#[derive(Debug, Default)]
pub(super) struct Unlisted {
    pub(super) grants: Vec<UnlistedGrant>,
}

/// One method and one exact path.
#[derive(Debug)]
pub(super) struct UnlistedGrant {
    pub(super) rule: RuleRef,
    pub(super) method: Method,
    pub(super) version: Option<ApiVersion>,
    pub(super) path: Box<str>,
}

impl Unlisted {
    /// Judges a call of no known operation.
    pub(super) fn judge(&self, call: &Call<'_>, observer: &mut impl Observer) -> Decision {
        let grant = self.grants.iter().find(|grant| {
            grant.method == call.method()
                && grant.version == call.path().version()
                && *grant.path == *call.path().as_str()
        });
        match grant {
            Some(grant) => {
                observer.saw(grant.rule, Ok(()));
                Decision::allow(grant.rule)
            }
            None => Decision::deny(Reason::UnknownOperation),
        }
    }
}
