//! HTTP/1.1 as we speak it: what is read strictly, what is written.
//!
//! Docker's traffic is carried here and not by an HTTP library, because no library at hand can
//! carry Docker's unframed `200` hijack, shows the raw bytes of a head, or tells a half-closed
//! client from one that is gone. The price is that the framing is ours to prove.

pub mod buffer;
pub mod framing;
pub mod head;
pub mod pipe;
pub mod relay;
pub mod socket;
pub mod write;
