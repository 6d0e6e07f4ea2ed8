//! A path with exactly one reading (rules R2-R4).

use std::borrow::Cow;

use super::{ApiVersion, Malformed};

/// The decoded path without its version prefix, and that prefix. One reading or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPath<'h> {
    version: Option<ApiVersion>,
    text: Cow<'h, str>,
}

impl<'h> ApiPath<'h> {
    /// Reads the path part of a request target (no `?`), raw as it came.
    pub fn parse(_raw: &'h str) -> Result<Self, Malformed> {
        todo!()
    }

    /// The version prefix, if one was written.
    pub fn version(&self) -> Option<ApiVersion> {
        self.version
    }

    /// Decoded, canonical, starting with `/`, without the version prefix: `/containers/web/json`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends the canonical spelling for the wire, version prefix included.
    pub fn write(&self, _out: &mut Vec<u8>) {
        todo!()
    }
}
