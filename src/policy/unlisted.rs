//! `[unlisted]`: paths that the operations table does not know, admitted byte for byte.
//!
//! There is no pattern here and no version magic: what is not known cannot be narrowed, so it is
//! written out.

use crate::docker::{Call, Method};

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
    pub(super) path: Box<str>,
}

impl Unlisted {
    /// Judges a call of no known operation.
    pub(super) fn judge(&self, call: &Call<'_>, observer: &mut impl Observer) -> Decision {
        // SECURITY: with a version prefix a path is another text, and "no version magic" means
        // that nobody strips it.
        let unprefixed = call.path().version().is_none();
        let grant = self.grants.iter().find(|grant| {
            unprefixed && grant.method == call.method() && *grant.path == *call.path().as_str()
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
