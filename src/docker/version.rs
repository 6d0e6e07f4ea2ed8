//! An Engine API version such as `1.41`.

use std::fmt;

/// An Engine API version. Ordered by number, not by text: 1.9 < 1.41.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// The part before the dot.
    pub major: u16,
    /// The part after the dot.
    pub minor: u16,
}

impl ApiVersion {
    /// The oldest version that is ever let through; older ones have doors that bypass every policy.
    pub const OLDEST: Self = Self::new(1, 24);
    /// The newest version this crate knows the operations of.
    pub const NEWEST: Self = Self::new(1, 56);

    /// `ApiVersion::new(1, 41)` is 1.41.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Reads `1.41`: digits, a dot, digits, no leading zeros in the major part, nothing else.
    pub fn parse(_text: &str) -> Option<Self> {
        todo!()
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
