//! The engine's events: which objects are gone, or are called otherwise now.
//!
//! One stream for the whole gate, followed for as long as the gate runs and opened anew whenever it breaks.
//! It begins a little before it is asked for, on the engine's own clock, because dockerd sends the head of
//! its answer before it listens (moby `api/server/router/system/system_routes.go`, `getEvents`). What
//! happened while nobody listened is for the watcher to find out, by comparing.
//!
//! dockerd drops events that a slow reader does not take (moby `pkg/pubsub`), without a word. So nothing
//! is waited for between two of them.
//!
//! * INVARIANT: a line that cannot be read ends the stream. What it said would be missed.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt;
use hyper::Method;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};

use super::{AskError, DEADLINE, RETRY, question, request};
use crate::docker::operation::ObjectKind;
use crate::proxy::dial::{Address, dial};
use crate::wire::socket::Stream;

/// The longest line that is read. An event carries every label of its object.
const LONGEST_LINE: usize = 4 * 1024 * 1024;

/// How long a stream must last for the next one to be asked for without delay.
const LASTING: Duration = Duration::from_secs(10);

/// `{"type":["container","image","network","volume"]}`.
const KINDS: &str =
    "%7B%22type%22%3A%5B%22container%22%2C%22image%22%2C%22network%22%2C%22volume%22%5D%7D";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'l> {
    /// What kind of object it is about.
    pub kind: ObjectKind,
    /// What became of it.
    pub fate: Fate,
    /// Its full id; of a volume its name.
    pub id: &'l str,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is no more.
    Gone,
    /// It has another name.
    Renamed,
}

/// Whoever must know.
pub trait Watcher {
    /// Something happened.
    fn heard(&self, event: Event<'_>);
    /// Finds out what happened before the present stream began.
    fn compare(&self) -> impl Future<Output = Result<(), AskError>> + Send;
    /// From now on nothing is missed.
    fn caught_up(&self);
    /// The stream broke: from now on things happen unheard.
    fn lapsed(&self);
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Lapse {
    #[error("{0}")]
    Ask(#[from] AskError),
    #[error("the engine does not say what time it is")]
    Timeless,
    #[error("the engine ended the stream")]
    Ended,
    #[error("an event cannot be read")]
    Line,
}

/// Tells the watcher what happens, for as long as it is polled.
pub async fn follow(address: &Address, watcher: &(impl Watcher + Sync)) {
    let (mut retry, mut told) = (RETRY.0, false);
    loop {
        let began = Instant::now();
        let Err(lapse) = watch(address, watcher).await;
        watcher.lapsed();
        tracing::debug!(docker = %address, %lapse, "the engine's events are not heard");
        if began.elapsed() > LASTING {
            (retry, told) = (RETRY.0, false);
        } else if !told && !matches!(lapse, Lapse::Ask(AskError::Connect(_))) {
            // An engine that comes back says nothing worth knowing; one that never tells does.
            told = true;
            tracing::warn!(
                docker = %address, %lapse,
                "the engine's events are not heard: every object is asked about, and `own` of a volume cannot be told"
            );
        }
        sleep(retry).await;
        retry = (retry * 2).min(RETRY.1);
    }
}

async fn watch(address: &Address, watcher: &(impl Watcher + Sync)) -> Result<Infallible, Lapse> {
    let now = question(address, "/version").await?.date;
    let since = now.as_deref().and_then(seconds).ok_or(Lapse::Timeless)?;
    let target = format!("/events?since={since}&filters={KINDS}");
    match dial(address).await.map_err(AskError::Connect)? {
        Stream::Unix(stream) => listen(stream, &target, watcher).await,
        Stream::Tcp(stream) => listen(stream, &target, watcher).await,
    }
}

async fn listen(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &str,
    watcher: &(impl Watcher + Sync),
) -> Result<Infallible, Lapse> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(io))
        .await
        .map_err(AskError::Broken)?;
    let request = request(Method::GET, target)?;
    let stream = async move {
        let response = timeout(DEADLINE, sender.send_request(request)).await;
        let response = response.map_err(|_| AskError::Slow(DEADLINE))?;
        let response = response.map_err(AskError::Broken)?;
        if response.status() != 200 {
            return Err(AskError::Status(response.status().as_u16()).into());
        }
        let mut body = response.into_body();
        let mut lines = Lines::default();
        let mut compare = pin!(watcher.compare());
        let mut compared = false;
        loop {
            tokio::select! {
                frame = body.frame() => {
                    let frame = frame.ok_or(Lapse::Ended)?.map_err(AskError::Broken)?;
                    lines.take(frame.data_ref().map_or(&[], |data| &**data), watcher)?;
                }
                done = &mut compare, if !compared => {
                    done?;
                    compared = true;
                    watcher.caught_up();
                }
            }
        }
    };
    // The connection only moves while it is polled.
    tokio::select! {
        biased;
        ended = stream => ended,
        _broken = connection => Err(Lapse::Ended),
    }
}

/// The beginning of a line whose end has not come yet.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// Tells of every line that is complete now.
    fn take(&mut self, piece: &[u8], watcher: &(impl Watcher + Sync)) -> Result<(), Lapse> {
        let mut rest = piece;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (end, after) = rest.split_at_checked(at + 1).ok_or(Lapse::Line)?;
            rest = after;
            if self.0.is_empty() {
                tell(end, watcher)?;
            } else {
                self.0.extend_from_slice(end);
                tell(&std::mem::take(&mut self.0), watcher)?;
            }
        }
        if self.0.len() + rest.len() > LONGEST_LINE {
            return Err(Lapse::Line);
        }
        self.0.extend_from_slice(rest);
        Ok(())
    }
}

/// moby `api/types/events/events.go`, `Message`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'l> {
    #[serde(borrow, rename = "Type")]
    family: Cow<'l, str>,
    #[serde(borrow)]
    action: Cow<'l, str>,
    #[serde(borrow)]
    actor: Actor<'l>,
}

#[derive(Deserialize)]
struct Actor<'l> {
    #[serde(borrow, rename = "ID")]
    id: Cow<'l, str>,
}

fn tell(line: &[u8], watcher: &(impl Watcher + Sync)) -> Result<(), Lapse> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    let line: Line<'_> = serde_json::from_slice(line).map_err(|_| Lapse::Line)?;
    // Podman says `remove` where Docker says `destroy`.
    let (kind, fate) = match (&*line.family, &*line.action) {
        ("container", "destroy" | "remove") => (ObjectKind::Container, Fate::Gone),
        ("container", "rename") => (ObjectKind::Container, Fate::Renamed),
        ("network", "destroy" | "remove") => (ObjectKind::Network, Fate::Gone),
        ("volume", "destroy" | "remove") => (ObjectKind::Volume, Fate::Gone),
        ("image", "delete" | "remove") => (ObjectKind::Image, Fate::Gone),
        ("image", "tag" | "untag") => (ObjectKind::Image, Fate::Renamed),
        _ => return Ok(()),
    };
    let id = &*line.actor.id;
    watcher.heard(Event { kind, fate, id });
    Ok(())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7), in seconds since 1970.
fn seconds(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = date.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let month = 1 + MONTHS.iter().position(|name| *name == month)?;
    let date = humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()?;
    let since = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

#[cfg(test)]
mod tests;
