//! What a policy amounts to.
