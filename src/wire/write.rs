//! A head written from its parsed form: hop-by-hop headers stripped, framing and connection ours.

use super::framing::{RequestBody, ResponseBody};
use super::head::Headers;

/// What `Connection` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection<'a> {
    /// Nothing: HTTP/1.1 keeps it open.
    KeepAlive,
    /// `Connection: close`.
    Close,
    /// `Connection: Upgrade` and `Upgrade: token`.
    Upgrade(&'a str),
}

/// Appends a request head. `target` writes the canonical target. `expect` keeps `Expect: 100-continue`.
pub fn request(
    _out: &mut Vec<u8>,
    _method: &str,
    _target: impl FnOnce(&mut Vec<u8>),
    _headers: Headers<'_>,
    _body: RequestBody,
    _connection: Connection<'_>,
    _expect: bool,
) {
    todo!()
}

/// Appends a response head.
pub fn response(
    _out: &mut Vec<u8>,
    _status: u16,
    _reason: &[u8],
    _headers: Headers<'_>,
    _body: ResponseBody,
    _connection: Connection<'_>,
) {
    todo!()
}
