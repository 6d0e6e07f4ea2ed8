//! The policy's own tests.
use super::Policy;
use super::parse::document::{Problems, Value};
use crate::diag::Diagnostic;

#[derive(Debug)]
pub(super) struct Case {}

pub(super) fn decode(_value: &Value<'_>, _problems: &mut Problems<'_>) -> Vec<Case> {
    Vec::new()
}
pub(super) fn run(_policy: &Policy, _cases: &[Case]) -> Vec<Diagnostic> {
    Vec::new()
}
