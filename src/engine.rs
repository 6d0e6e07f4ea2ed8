//! Our own questions to the engine: constant requests on hyper's client, never a client's bytes.
//!
//! What the gate must know is the engine's API version (a call without a version prefix counts as
//! it) and its operating system (both are headers of our denials, so that clients keep
//! negotiating). Both live in [`EngineState`], which is read without locks on every call and kept
//! fresh in the background: an engine may be absent at start, and come back upgraded.

pub mod cache;
pub mod events;
pub mod id;
pub mod latest;
pub mod leftover;
pub mod listing;
pub mod object;
pub mod own_container;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, DATE, HOST, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::docker::ApiVersion;
use crate::proxy::dial::{Address, dial};
use crate::proxy::listen::kernel_words;
use crate::wire::socket::Stream;
use own_container::OwnContainer;

/// How long one question may take, connecting apart.
const DEADLINE: Duration = Duration::from_secs(5);

/// More than any answer to our questions has: the inspection of a container with many labels, much
/// environment and a talkative health check.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// How often a known engine is asked again: it may have been replaced between two calls.
const KNOWN_FOR: Duration = Duration::from_secs(30);

/// How soon an absent engine is asked again, at first and at last.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// What an engine says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineVersion {
    /// The release: `28.5.2`.
    pub release: String,
    /// The newest API version that it serves.
    pub api: ApiVersion,
    /// The oldest one, where it says so.
    pub oldest_api: Option<ApiVersion>,
    /// `linux` or `windows`.
    pub os: String,
}

/// An answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
    /// When it was given, on the engine's clock and as it writes it.
    pub date: Option<Box<str>>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection.
    #[error("{}", kernel_words(.0))]
    Connect(#[source] io::Error),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// Not HTTP, or the connection broke.
    #[error("the answer is not HTTP, or broke off: {0}")]
    Broken(#[source] hyper::Error),
    /// More than is read.
    #[error("the answer broke off or is larger than {0} bytes")]
    Body(usize),
    /// Another status than 200.
    #[error("the answer is status {0}")]
    Status(u16),
    /// Not what Docker says.
    #[error("the answer is not what a Docker engine says")]
    Nonsense,
}

/// Dials the engine and asks for its version.
pub async fn version(address: &Address) -> Result<EngineVersion, AskError> {
    match dial(address).await.map_err(AskError::Connect)? {
        Stream::Unix(stream) => version_on(stream).await,
        Stream::Tcp(stream) => version_on(stream).await,
    }
}

/// Asks for the version over a connection that is open already.
pub async fn version_on(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<EngineVersion, AskError> {
    let answer = ask(io, Method::GET, "/version").await?;
    if answer.status != 200 {
        return Err(AskError::Status(answer.status));
    }
    read_version(&answer.body).ok_or(AskError::Nonsense)
}

/// One question without a body, one answer, then the connection is closed.
pub async fn ask(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: Method,
    target: &str,
) -> Result<Answer, AskError> {
    within(DEADLINE, converse(io, method, target, LARGEST_ANSWER)).await
}

/// Asks the engine over a connection of its own.
async fn question(address: &Address, target: &str) -> Result<Answer, AskError> {
    question_within(address, target, (DEADLINE, LARGEST_ANSWER)).await
}

/// The same with bounds of its own.
async fn question_within(
    address: &Address,
    target: &str,
    (deadline, most): (Duration, usize),
) -> Result<Answer, AskError> {
    let get = Method::GET;
    match dial(address).await.map_err(AskError::Connect)? {
        Stream::Unix(stream) => within(deadline, converse(stream, get, target, most)).await,
        Stream::Tcp(stream) => within(deadline, converse(stream, get, target, most)).await,
    }
}

async fn within<T>(
    deadline: Duration,
    answer: impl Future<Output = Result<T, AskError>>,
) -> Result<T, AskError> {
    timeout(deadline, answer)
        .await
        .unwrap_or(Err(AskError::Slow(deadline)))
}

async fn converse(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: Method,
    target: &str,
    most: usize,
) -> Result<Answer, AskError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(io))
        .await
        .map_err(AskError::Broken)?;
    let request = request(method, target)?;
    let exchange = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(AskError::Broken)?;
        let status = response.status().as_u16();
        let date = response.headers().get(DATE);
        let date = date.and_then(|date| date.to_str().ok()).map(Into::into);
        let body = Limited::new(response.into_body(), most);
        let body = body
            .collect()
            .await
            .map_err(|_| AskError::Body(most))?
            .to_bytes();
        Ok(Answer { status, body, date })
    };
    // The connection only moves while it is polled, and ends when the exchange lets go of it. Its
    // own error says nothing that the exchange does not say.
    let (answer, _connection) = tokio::join!(exchange, connection);
    answer
}

/// A request without a body, and the last one of its connection.
fn request(method: Method, target: &str) -> Result<Request<Empty<Bytes>>, AskError> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method;
    *request.uri_mut() = target.parse().map_err(|_| AskError::Nonsense)?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("docker"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// The fields of `GET /version` that are used (moby api/types/system/version_response.go).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersionDocument {
    version: String,
    api_version: String,
    #[serde(rename = "MinAPIVersion", default)]
    min_api_version: String,
    #[serde(default)]
    os: String,
}

fn read_version(body: &[u8]) -> Option<EngineVersion> {
    let document: VersionDocument = serde_json::from_slice(body).ok()?;
    Some(EngineVersion {
        api: ApiVersion::parse(&document.api_version)?,
        oldest_api: ApiVersion::parse(&document.min_api_version),
        release: document.version,
        os: document.os,
    })
}

/// What is known about the engine right now; cheap to clone, read without locks.
#[derive(Clone, Debug, Default)]
pub struct EngineState {
    known: Arc<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Major and minor of the API version, 16 bits each; 0 is unknown. `ApiVersion` 0.0 does not
    /// exist.
    api: AtomicU32,
    /// Index into [`OSTYPES`].
    ostype: AtomicU32,
    /// Rung when a call found the engine absent, or what is known of it wrong.
    doubt: Notify,
    /// The container that the gate runs in, if it is in one that can be told.
    own_container: Option<OwnContainer>,
}

/// What Docker says in its `Ostype` header (moby daemon/server/middleware/version.go: `GOOS`).
const OSTYPES: [Option<&str>; 3] = [None, Some("linux"), Some("windows")];

impl EngineState {
    /// Of a gate that runs in the container of this full id, if in any.
    pub fn seen_from(container: Option<&str>) -> Self {
        let known = Known {
            own_container: container.map(OwnContainer::new),
            ..Known::default()
        };
        Self {
            known: Arc::new(known),
        }
    }

    /// The container that the gate runs in, if it is in one that can be told.
    pub fn own_container(&self) -> Option<&OwnContainer> {
        self.known.own_container.as_ref()
    }

    /// The engine's newest API version, once it has answered.
    pub fn api(&self) -> Option<ApiVersion> {
        let packed = self.known.api.load(Ordering::Acquire);
        let [a, b, c, d] = packed.to_be_bytes();
        let version = ApiVersion::new(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        (packed != 0).then_some(version)
    }

    /// `linux` or `windows`, once it has answered.
    pub fn ostype(&self) -> Option<&'static str> {
        let index = self.known.ostype.load(Ordering::Acquire);
        OSTYPES.get(usize::try_from(index).ok()?).copied().flatten()
    }

    /// Takes note of what an engine said about itself.
    pub fn learn(&self, version: &EngineVersion) {
        let index = OSTYPES
            .iter()
            .position(|os| *os == Some(version.os.as_str()))
            .unwrap_or(0);
        self.known
            .ostype
            .store(u32::try_from(index).unwrap_or(0), Ordering::Release);
        let packed = (u32::from(version.api.major) << 16) | u32::from(version.api.minor);
        self.known.api.store(packed, Ordering::Release);
    }

    /// Says that a call found the engine absent, or what is known of it wrong: ask soon.
    pub fn doubt(&self) {
        self.known.doubt.notify_one();
    }

    /// Keeps the state fresh for as long as it is polled. What is known stays known while the
    /// engine is away: a denial is worth the same.
    pub async fn follow(self, address: Address) {
        let mut retry = RETRY.0;
        loop {
            match version(&address).await {
                Ok(version) => {
                    if self.api() != Some(version.api) {
                        tracing::info!(release = %version.release, api = %version.api, "the engine answers");
                    }
                    self.learn(&version);
                    if let Some(container) = self.own_container() {
                        container.ask(&address).await;
                    }
                    retry = RETRY.0;
                    let _asked_or_due = timeout(KNOWN_FOR, self.known.doubt.notified()).await;
                    // However many calls fail at once, it is asked once per interval.
                    sleep(RETRY.0).await;
                }
                Err(error) => {
                    tracing::debug!(docker = %address, %error, "the engine does not answer");
                    sleep(retry).await;
                    retry = (retry * 2).min(RETRY.1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
