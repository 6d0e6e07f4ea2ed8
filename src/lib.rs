//! quaygate: the gate between untrusted containers and Docker.
//!
//! Bytes become facts, facts become a decision, a decision becomes either a permit (without which
//! nothing can reach Docker) or a denial, and every call is closed by exactly one audit record.

pub mod audit;
pub mod cli;
pub mod diag;
pub mod docker;
pub mod engine;
pub mod facts;
pub mod fleet;
pub mod judge;
pub mod policy;
pub mod proxy;
pub mod settings;
pub mod wire;
