//! HTTP/1.1 as we speak it: what is read strictly, what is written.

pub mod framing;
pub mod head;
pub mod write;
