//! What is worth saying about a policy beyond errors.
use super::Policy;
use crate::diag::Diagnostic;

/// Everything worth saying.
pub(super) fn lint(_policy: &Policy) -> Vec<Diagnostic> {
    Vec::new()
}
