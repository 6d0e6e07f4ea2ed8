//! A very small engine for the demonstration, on hyper's server: enough of Docker's API for a
//! reverse proxy to find its containers and follow their events. It changes nothing, because it has
//! nothing to change.

use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, SERVER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::UnixListener;
use tokio::time::{Interval, interval};

/// What it calls itself.
const RELEASE: &str = "embedded";
const API: &str = "1.47";

/// How many events it tells, and how far apart.
const EVENTS: usize = 4;
const TICK: Duration = Duration::from_millis(150);

/// Its containers: id, name, image.
const CONTAINERS: [(&str, &str, &str); 2] = [
    ("6f1c0d7e2a9b4c58", "web", "nginx:1.27"),
    ("b2e84a610c3f7d95", "db", "postgres:17"),
];

/// Serves until it is dropped.
pub(super) async fn serve(listener: StdListener) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = http1::Builder::new().serve_connection(
            TokioIo::new(stream),
            service_fn(|request| async move { answer(&request) }),
        );
        // A client that breaks off is no concern of a demonstration.
        tokio::spawn(async { drop(connection.await) });
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

fn answer(request: &Request<Incoming>) -> Result<Answer, hyper::http::Error> {
    let path = unversioned(request.uri().path());
    let mut response = match (request.method(), path) {
        (&Method::GET | &Method::HEAD, "/_ping") => whole(StatusCode::OK, "text/plain", "OK"),
        (&Method::GET, "/version") => document(&json!({
            "Version": RELEASE, "ApiVersion": API, "MinAPIVersion": "1.24", "Os": "linux", "Arch": "none",
        })),
        (&Method::GET, "/containers/json") => document(&CONTAINERS.iter().map(listed).collect()),
        (&Method::GET, "/events") => Response::builder()
            .header(CONTENT_TYPE, "application/json")
            .body(Events::new().boxed()),
        (&Method::GET, _) => inspected(path),
        _ => whole(
            StatusCode::NOT_FOUND,
            "application/json",
            r#"{"message":"page not found"}"#,
        ),
    }?;
    let headers = response.headers_mut();
    headers.insert("Api-Version", HeaderValue::from_static(API));
    headers.insert("Ostype", HeaderValue::from_static("linux"));
    headers.insert(SERVER, HeaderValue::from_static("Docker/embedded (linux)"));
    Ok(response)
}

/// The path without `/v1.47`.
fn unversioned(path: &str) -> &str {
    let is_version = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match path
        .strip_prefix("/v")
        .and_then(|rest| rest.find('/').map(|slash| rest.split_at(slash)))
    {
        Some((version, rest)) if is_version(version) => rest,
        _ => path,
    }
}

fn listed((id, name, image): &(&str, &str, &str)) -> serde_json::Value {
    json!({
        "Id": id, "Names": [format!("/{name}")], "Image": image, "State": "running",
        "Labels": {"traefik.enable": "true"},
    })
}

fn inspected(path: &str) -> Result<Answer, hyper::http::Error> {
    let wanted = path
        .strip_prefix("/containers/")
        .and_then(|rest| rest.strip_suffix("/json"));
    let found = CONTAINERS.iter().find(|(id, name, _)| {
        wanted
            .is_some_and(|wanted| !wanted.is_empty() && (*name == wanted || id.starts_with(wanted)))
    });
    match found {
        Some((id, name, image)) => document(&json!({
            "Id": id, "Name": format!("/{name}"), "State": {"Status": "running", "Running": true},
            "Config": {"Image": image, "Labels": {"traefik.enable": "true"}},
        })),
        None => whole(
            StatusCode::NOT_FOUND,
            "application/json",
            r#"{"message":"No such container"}"#,
        ),
    }
}

fn document(value: &serde_json::Value) -> Result<Answer, hyper::http::Error> {
    whole(StatusCode::OK, "application/json", value.to_string())
}

fn whole(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Result<Answer, hyper::http::Error> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind)
        .body(Full::new(body.into()).boxed())
}

/// A stream of events, told one by one.
struct Events {
    clock: Interval,
    left: usize,
}

impl Events {
    fn new() -> Self {
        Self {
            clock: interval(TICK),
            left: EVENTS,
        }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        std::task::ready!(self.clock.poll_tick(cx));
        self.left -= 1;
        let action = if self.left % 2 == 1 {
            "start"
        } else {
            "health_status: healthy"
        };
        let event = json!({
            "Type": "container", "Action": action,
            "Actor": {"ID": CONTAINERS[0].0, "Attributes": {"name": CONTAINERS[0].1}},
        });
        Poll::Ready(Some(Ok(Frame::data(format!("{event}\n").into()))))
    }
}
