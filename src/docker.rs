//! What the Docker Engine API *is*: paths, versions, operations, calls. Knows no policy.

mod byte_set;
pub mod call;
pub mod json;
pub mod media;
pub mod operation;
pub mod path;
pub mod payload;
pub mod query;
pub mod reference;
pub mod version;

pub use call::{Call, Malformed};
pub use operation::{Method, Operation};
pub use path::ApiPath;
pub use query::Query;
pub use version::ApiVersion;
