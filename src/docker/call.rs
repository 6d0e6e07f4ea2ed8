//! What the client asks Docker to do.

use super::{ApiPath, Method, Operation, Query};

/// A request line with exactly one reading, resolved as dockerd's router would resolve it.
#[derive(Clone, Debug)]
pub struct Call<'h> {
    method: Method,
    path: ApiPath<'h>,
    query: Query<'h>,
    operation: Option<Operation>,
}

impl<'h> Call<'h> {
    /// Reads method and target (origin-form, or absolute-form reduced to it) as they came.
    pub fn parse(_method: &str, _target: &'h str) -> Result<Self, Malformed> {
        todo!()
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }
    /// The canonical path without version.
    pub fn path(&self) -> &ApiPath<'h> {
        &self.path
    }
    /// The query.
    pub fn query(&self) -> &Query<'h> {
        &self.query
    }
    /// The operation; `None` when Docker has none at this method and path.
    pub fn operation(&self) -> Option<Operation> {
        self.operation
    }
    /// The text at the operation's first placeholder (`{id}`, `{name}`), decoded.
    pub fn subject(&self) -> Option<&str> {
        todo!()
    }
    /// Appends `/v1.41/containers/json?all=1`, canonical, for the wire.
    pub fn write_target(&self, _out: &mut Vec<u8>) {
        todo!()
    }
}

/// Why a request has no single reading. Answered 400 (or 414) and never forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// An unknown method.
    #[error("the method is not one that Docker knows")]
    Method,
}

impl Malformed {
    /// A stable code in kebab-case for logs and tests.
    pub fn code(&self) -> &'static str {
        todo!()
    }
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        todo!()
    }
}
