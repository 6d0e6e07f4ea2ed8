//! stub
use crate::{audit, facts::Caller};
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted;
impl Accepted {
    pub(crate) fn now() -> Self {
        Self
    }
}
pub(crate) fn identify(_caller: &Caller, _accepted: Accepted) -> audit::Client {
    audit::Client::default()
}
