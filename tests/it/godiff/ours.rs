//! Our side: what the gate's readers find in the bytes of a connection, and what it would send.

use quaygate::docker::operation::{BodyKind, Stream};
use quaygate::docker::{Call, Operation};
use quaygate::wire::framing::{Meter, RequestBody, collect};
use quaygate::wire::head::{RequestHead, read_request, read_response};
use quaygate::wire::write::{self, Connection};

use super::go::{Hex, Pairs};

/// One request that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: Hex,
    pub(super) query: Pairs,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) framing: RequestBody,
    pub(super) body: Vec<u8>,
    /// All of the body is there.
    pub(super) complete: bool,
    /// The operation reads no body, so the gate drops it.
    pub(super) bodiless: bool,
    /// Head as it would be sent, and the body as it came.
    pub(super) rewritten: Vec<u8>,
}

/// One answer that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    pub(super) taken: usize,
    pub(super) rewritten: Vec<u8>,
}

/// The requests on a connection, one after the other, until one is refused or is the last.
pub(super) fn requests(mut bytes: &[u8]) -> Vec<Request> {
    let mut found = Vec::new();
    while let Ok(Some((head, end))) = read_request(bytes) {
        bytes = &bytes[end..];
        let Ok(call) = Call::parse(head.method(), head.target()) else {
            break;
        };
        let mut meter = Meter::request(head.body());
        let mut body = Vec::new();
        let Ok(taken) = collect(&mut meter, bytes, &mut body) else {
            // Its head was accepted and would be sent before the mistake is seen.
            found.push(request(&head, &call, body, false, &[]));
            break;
        };
        let (raw, rest) = bytes.split_at(taken);
        bytes = rest;
        let complete = meter.is_done();
        found.push(request(&head, &call, body, complete, raw));
        if !complete || !head.keep_alive() {
            break;
        }
    }
    found
}

fn request(
    head: &RequestHead<'_>,
    call: &Call<'_>,
    body: Vec<u8>,
    complete: bool,
    raw: &[u8],
) -> Request {
    let mut path = Vec::new();
    if let Some(version) = call.version() {
        path.extend(format!("/v{version}").into_bytes());
    }
    if call.version().is_none() || call.path().as_str() != "/" {
        path.extend(call.path().as_str().bytes());
    }
    let mut query: Pairs = call
        .query()
        .pairs()
        .map(|(key, value)| (Hex(key.as_bytes().to_vec()), Hex(value.as_bytes().to_vec())))
        .collect();
    query.sort_by(|(a, _), (b, _)| a.cmp(b));
    let tunnels = matches!(
        call.operation().map(Operation::stream),
        Some(Stream::Tunnel(_))
    );
    let connection = match head.upgrade().filter(|_| tunnels) {
        Some(token) => Connection::Upgrade(token),
        None => Connection::KeepAlive,
    };
    let mut rewritten = Vec::new();
    write::request(
        &mut rewritten,
        call.method().as_str(),
        |out| call.write_target(out),
        head.headers(),
        head.body(),
        connection,
        head.expects_continue(),
    );
    rewritten.extend_from_slice(raw);
    Request {
        method: call.method().as_str(),
        path: Hex(path),
        query,
        headers: lines(head.headers().iter()),
        framing: head.body(),
        body,
        complete,
        bodiless: call
            .operation()
            .is_some_and(|operation| operation.body() == BodyKind::None),
        rewritten,
    }
}

/// The answer at the start of these bytes, if it is complete.
pub(super) fn answer(bytes: &[u8], to_head: bool) -> Option<Answer> {
    let (head, end) = read_response(bytes, to_head).ok()??;
    let mut meter = Meter::response(head.body());
    let mut body = Vec::new();
    let taken = collect(&mut meter, &bytes[end..], &mut body).ok()?;
    if !meter.may_end() {
        return None;
    }
    let mut rewritten = Vec::new();
    let connection = match head.upgrade() {
        Some(protocol) => Connection::Upgrade(protocol),
        None => Connection::KeepAlive,
    };
    write::response(
        &mut rewritten,
        head.status(),
        head.reason(),
        head.headers(),
        head.body(),
        connection,
    );
    rewritten.extend_from_slice(&bytes[end..end + taken]);
    Some(Answer {
        status: head.status(),
        headers: lines(head.headers().iter()),
        body,
        taken: end + taken,
        rewritten,
    })
}

fn lines<'h>(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>) -> Vec<(String, Vec<u8>)> {
    let text = |name: &[u8]| String::from_utf8(name.to_ascii_lowercase()).unwrap();
    headers
        .map(|(name, value)| (text(name), value.to_vec()))
        .collect()
}
