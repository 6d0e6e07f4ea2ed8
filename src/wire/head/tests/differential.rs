//! hyper as the second reader: whatever ours accepts, hyper reads as the same requests.
//!
//! After each head comes the body that it announces, and then one more request. That hyper finds
//! exactly these two, with these bodies, is what keeps a request from hiding in another.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{corpus, laws::changed_heads};
use crate::wire::framing::RequestBody;
use crate::wire::head::{RequestHead, read_request};

/// One request as one of the readers understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reading {
    method: String,
    target: String,
    /// Names in lower case, sorted with their order kept within a name, as hyper's map has them.
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: n\r\n\r\n";

fn text(name: &[u8]) -> String {
    String::from_utf8(name.to_vec()).unwrap()
}

impl Reading {
    fn ours(head: &RequestHead<'_>, body: &[u8]) -> Self {
        let fields = head
            .headers()
            .iter()
            .map(|(name, value)| (text(&name.to_ascii_lowercase()), value.to_vec()));
        Self::new(head.method(), head.target(), fields, body)
    }

    async fn hypers(request: Request<Incoming>) -> Result<Self, hyper::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let fields = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        let target = parts.uri.to_string();
        Ok(Self::new(parts.method.as_str(), &target, fields, &body))
    }

    fn new(
        method: &str,
        target: &str,
        fields: impl Iterator<Item = (String, Vec<u8>)>,
        body: &[u8],
    ) -> Self {
        let mut fields: Vec<_> = fields.collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            fields,
            body: body.to_vec(),
        }
    }
}

/// Everything that hyper's server reads from these bytes.
fn read_by_hyper(bytes: &[u8]) -> Vec<Reading> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request| {
        let seen = Arc::clone(&seen);
        async move {
            if let Ok(reading) = Reading::hypers(request).await {
                seen.lock().unwrap().push(reading);
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut near, far) = tokio::io::duplex(1 << 20);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let server = hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .serve_connection(TokioIo::new(far), service);
        let mut answers = Vec::new();
        let (_, read) = tokio::join!(server, near.read_to_end(&mut answers));
        read.unwrap();
    });
    let seen = seen.lock().unwrap();
    seen.clone()
}

/// The body that this head announces: its payload and its bytes on the wire.
fn body(framing: RequestBody) -> Option<(Vec<u8>, Vec<u8>)> {
    match framing {
        RequestBody::None => Some((Vec::new(), Vec::new())),
        RequestBody::Length(length) => {
            let length = usize::try_from(length)
                .ok()
                .filter(|length| *length < 65536)?;
            // A body that would be a request, if it were not a body.
            let payload: Vec<_> = NEXT.iter().copied().cycle().take(length).collect();
            Some((payload.clone(), payload))
        }
        RequestBody::Chunked => {
            let mut wire = format!("{:X}\r\n", NEXT.len()).into_bytes();
            wire.extend_from_slice(NEXT);
            wire.extend_from_slice(b"\r\n0\r\n\r\n");
            Some((NEXT.to_vec(), wire))
        }
    }
}

/// What hyper has to find for a head that our reader accepts; `None` where it cannot be compared.
fn assert_same_reading(bytes: &[u8]) {
    let Ok(Some((head, end))) = read_request(bytes) else {
        return;
    };
    let Some((payload, wire)) = body(head.body()) else {
        return;
    };
    // hyper's `Uri` takes fewer bytes than Go and curl do, and is choosy about authorities. Which
    // targets pass is decided where paths are read; here the origin form stands for all.
    let foreign = |byte: u8| {
        matches!(
            byte,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
    };
    if !head.target().starts_with('/') || head.target().bytes().any(foreign) {
        return;
    }
    let mut expected = vec![Reading::ours(&head, &payload)];
    let (next, _) = read_request(NEXT).unwrap().unwrap();
    if head.keep_alive() {
        expected.push(Reading::ours(&next, b""));
    }

    let stream = [&bytes[..end], &wire, NEXT].concat();
    let found = read_by_hyper(&stream);

    assert_eq!(found, expected, "{}", stream.escape_ascii());
}

#[test]
fn hyper_reads_recorded_heads_the_same() {
    for head in corpus::requests() {
        assert_same_reading(&head);
    }
}

#[test]
fn the_oracle_can_tell_a_hidden_request() {
    let stream = b"POST /a HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: n\r\n\r\n";
    let targets: Vec<_> = read_by_hyper(stream)
        .into_iter()
        .map(|read| read.target)
        .collect();
    assert_eq!(targets, ["/a", "/hidden"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hyper_reads_whatever_we_accept_the_same(bytes in changed_heads(corpus::requests())) {
        assert_same_reading(&bytes);
    }
}
