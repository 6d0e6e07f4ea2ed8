//! An engine that is a script: it records every byte that reaches it, connection by connection, and
//! answers whatever the test tells it to.
//!
//! The gate has questions of its own (which version is the engine?). They are answered here and kept
//! out of the record, so that *Docker received nothing* can be said of what a caller sent.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;

use super::DEADLINE;
use super::http::{Head, head_end, whole_body};

type Script = dyn Fn(&mut Exchange) + Send + Sync;

/// The engine.
pub(crate) struct FakeDocker {
    _dir: TempDir,
    path: PathBuf,
    shared: Arc<Shared>,
}

/// A request as it reached the engine.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Which connection it came on, in order of arrival.
    pub(crate) connection: usize,
    pub(crate) head: Head,
    /// The payload, once the script (or the end of it) has read it.
    pub(crate) body: Option<Vec<u8>>,
    /// Head and body as they came.
    pub(crate) raw: Vec<u8>,
}

impl Request {
    pub(crate) fn target(&self) -> &str {
        self.head.word(1)
    }
    pub(crate) fn payload(&self) -> &[u8] {
        self.body
            .as_deref()
            .unwrap_or_else(|| panic!("the body was never complete: {:?}", self.head))
    }
}

#[derive(Default)]
struct Seen {
    /// Every byte of every connection that a caller's request came on.
    received: Vec<Vec<u8>>,
    requests: Vec<Request>,
    /// The gate sent EOF on the connection / is gone altogether.
    half_closed: Vec<bool>,
    gone: Vec<bool>,
    streams: HashMap<usize, UnixStream>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    stopping: AtomicBool,
    /// Answers say when they were given.
    tells_time: AtomicBool,
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let out = change(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
        out
    }
}

impl FakeDocker {
    /// An engine that runs `script` for each request of a caller. A connection is kept open after
    /// the script unless it closed it.
    pub(crate) fn start(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        let dir = tempfile::Builder::new().prefix("qgd").tempdir().unwrap();
        Self::bind(dir, Arc::new(script))
    }

    /// An engine that tells the time, too: without it the gate does not ask for events.
    pub(crate) fn with_clock(script: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        let docker = Self::start(script);
        docker.shared.tells_time.store(true, Ordering::SeqCst);
        docker
    }

    /// An engine that gives every caller this answer, byte for byte, after reading the request.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |exchange| {
            exchange.read_body();
            exchange.send(&answer);
        })
    }

    /// An engine whose every answer is `200` with this text, and the connection stays open.
    pub(crate) fn saying(text: &str) -> Self {
        Self::answering(ok(text))
    }

    /// A path where no engine is listening, and the engine that can be started there later.
    pub(crate) fn absent() -> (TempDir, PathBuf) {
        let dir = tempfile::Builder::new().prefix("qgd").tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        (dir, path)
    }

    /// Starts an engine at a place that [`FakeDocker::absent`] gave.
    pub(crate) fn appear(
        dir: TempDir,
        script: impl Fn(&mut Exchange) + Send + Sync + 'static,
    ) -> Self {
        Self::bind(dir, Arc::new(script))
    }

    fn bind(dir: TempDir, script: Arc<Script>) -> Self {
        let path = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if accepting.stopping.load(Ordering::SeqCst) {
                    break;
                }
                let (shared, script) = (Arc::clone(&accepting), Arc::clone(&script));
                thread::spawn(move || serve(stream, &shared, &*script));
            }
        });
        Self {
            _dir: dir,
            path,
            shared,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything callers' requests brought, in order of the connections.
    pub(crate) fn received(&self) -> Vec<u8> {
        self.shared.seen.lock().unwrap().received.concat()
    }

    /// How many connections brought a caller's request.
    pub(crate) fn connections(&self) -> usize {
        self.shared.seen.lock().unwrap().received.len()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().requests.clone()
    }

    /// Waits for this many requests whose bodies are complete.
    pub(crate) fn wait_requests(&self, count: usize) -> Vec<Request> {
        self.wait(
            &format!("{count} complete requests at the engine"),
            |seen| seen.requests.iter().filter(|r| r.body.is_some()).count() >= count,
        );
        self.requests()
    }

    /// Waits until the engine has received at least this on some connection of a caller.
    pub(crate) fn wait_received(&self, needle: &[u8]) {
        self.wait(
            &format!("{:?} at the engine", String::from_utf8_lossy(needle)),
            |seen| {
                seen.received
                    .iter()
                    .any(|bytes| bytes.windows(needle.len()).any(|w| w == needle))
            },
        );
    }

    /// Waits until the gate has sent its end of file on this connection.
    pub(crate) fn wait_half_closed(&self, connection: usize) {
        self.wait("end of file at the engine", |seen| {
            seen.half_closed.get(connection).copied().unwrap_or(false)
        });
    }

    /// Waits until the gate has given up this connection altogether.
    pub(crate) fn wait_gone(&self, connection: usize) {
        self.wait("the gate closes its connection to the engine", |seen| {
            seen.gone.get(connection).copied().unwrap_or(false)
        });
    }

    fn wait(&self, what: &str, fact: impl Fn(&Seen) -> bool) {
        let seen = self.shared.seen.lock().unwrap();
        let (seen, late) = self
            .shared
            .changed
            .wait_timeout_while(seen, DEADLINE, |seen| !fact(seen))
            .unwrap();
        let received = String::from_utf8_lossy(&seen.received.concat()).into_owned();
        let (requests, connections) = (seen.requests.len(), seen.received.len());
        // A panic with the lock held would poison it for the scripts, and for our own end.
        drop(seen);
        assert!(
            !late.timed_out(),
            "waited {DEADLINE:?} in vain: {what}; the engine received {requests} requests on \
             {connections} connections:\n{received:.2000}",
        );
    }
}

impl Drop for FakeDocker {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        let seen = self.shared.seen.lock();
        for stream in seen
            .unwrap_or_else(PoisonError::into_inner)
            .streams
            .values()
        {
            drop(stream.shutdown(Shutdown::Both));
        }
        // Wakes the accept loop.
        drop(UnixStream::connect(&self.path));
    }
}

/// `200` with a text body and a length.
pub(crate) fn ok(text: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .into_bytes()
}

/// One request and the connection it came on, in the hands of a script.
pub(crate) struct Exchange {
    pub(crate) head: Head,
    connection: Option<usize>,
    request: usize,
    stream: UnixStream,
    /// Bytes read and not yet used.
    carry: Vec<u8>,
    shared: Arc<Shared>,
    closed: bool,
    body_read: bool,
}

impl Exchange {
    pub(crate) fn method(&self) -> &str {
        self.head.word(0)
    }
    pub(crate) fn target(&self) -> &str {
        self.head.word(1)
    }

    /// Which connection of the engine this is.
    pub(crate) fn connection(&self) -> usize {
        self.connection.unwrap()
    }

    /// Sends bytes. A gate that hung up is not the engine's problem.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Reads the request's body to its end, once.
    pub(crate) fn read_body(&mut self) -> Vec<u8> {
        assert!(!self.body_read, "the body was read already");
        self.body_read = true;
        let framing = self.head.request_body();
        let (payload, used) = loop {
            if let Some(whole) = whole_body(framing, &self.carry) {
                break whole;
            }
            if !self.fill() {
                return Vec::new();
            }
        };
        let raw: Vec<u8> = self.carry.drain(..used).collect();
        if self.connection.is_some() {
            let request = self.request;
            self.shared.change(|seen| {
                seen.requests[request].body = Some(payload.clone());
                seen.requests[request].raw.extend_from_slice(&raw);
            });
        }
        payload
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Nothing was read that no one has used.
    pub(crate) fn is_drained(&self) -> bool {
        self.carry.is_empty()
    }

    /// The next bytes, whatever they are; `None` at the gate's end of file.
    pub(crate) fn read_some(&mut self) -> Option<Vec<u8>> {
        self.body_read = true;
        (!self.carry.is_empty() || self.fill()).then(|| std::mem::take(&mut self.carry))
    }

    /// Reads exactly this much, whatever it is.
    pub(crate) fn read_exact(&mut self, count: usize) -> Vec<u8> {
        self.body_read = true;
        while self.carry.len() < count {
            assert!(
                self.fill(),
                "end of file after {} of {count} bytes",
                self.carry.len()
            );
        }
        self.carry.drain(..count).collect()
    }

    /// Everything up to the gate's end of file.
    pub(crate) fn read_to_eof(&mut self) -> Vec<u8> {
        self.body_read = true;
        while self.fill() {}
        std::mem::take(&mut self.carry)
    }

    /// Sends everything back that comes, until the gate's end of file.
    pub(crate) fn echo(&mut self) {
        while let Some(bytes) = self.read_some() {
            if !self.send(&bytes) {
                return;
            }
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&mut self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Waits until the gate has closed this connection, not only its sending half.
    pub(crate) fn wait_gone(&mut self) {
        self.closed = true;
        // No flag asked for: what is reported anyway is the hang-up of both directions.
        let mut fds = [PollFd::new(&self.stream, PollFlags::empty())];
        let patience = Timespec::try_from(DEADLINE).unwrap();
        if poll(&mut fds, Some(&patience)).unwrap_or(0) > 0
            && let Some(connection) = self.connection
        {
            self.shared.change(|seen| {
                seen.gone[connection] = true;
                seen.half_closed[connection] = true;
            });
        }
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        drop(self.stream.shutdown(Shutdown::Both));
    }

    fn fill(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let count = self.stream.read(&mut buffer).unwrap_or(0);
        self.carry.extend_from_slice(&buffer[..count]);
        if let Some(connection) = self.connection {
            self.shared.change(|seen| {
                seen.received[connection].extend_from_slice(&buffer[..count]);
                seen.half_closed[connection] |= count == 0;
            });
        }
        count > 0
    }
}

/// A question of the gate's own, which no test counts. Nothing that the gate passes on asks the
/// engine to close.
fn is_own(head: &Head) -> bool {
    head.first == "GET /version HTTP/1.1" && head.connection("close")
}

fn serve(stream: UnixStream, shared: &Arc<Shared>, script: &Script) {
    let mut exchange = Exchange {
        head: Head::default(),
        connection: None,
        request: 0,
        stream,
        carry: Vec::new(),
        shared: Arc::clone(shared),
        closed: false,
        body_read: false,
    };
    while !exchange.closed {
        let end = loop {
            if let Some(end) = head_end(&exchange.carry) {
                break end;
            }
            if !exchange.fill() {
                if exchange.connection.is_some() || !exchange.carry.is_empty() {
                    unfinished(&mut exchange);
                    exchange.wait_gone();
                }
                return;
            }
        };
        let raw: Vec<u8> = exchange.carry.drain(..end).collect();
        exchange.head = Head::read(&raw);
        exchange.body_read = false;
        if is_own(&exchange.head) {
            answer_own(&mut exchange);
            continue;
        }
        open(&mut exchange, raw);
        script(&mut exchange);
        if !exchange.closed && !exchange.body_read {
            exchange.read_body();
        }
    }
}

/// Bytes that never became a request are recorded too: half a request is one too many.
fn unfinished(exchange: &mut Exchange) {
    if exchange.connection.is_none() {
        let carry = exchange.carry.clone();
        exchange.connection = Some(enter(exchange, carry));
    }
}

fn open(exchange: &mut Exchange, raw: Vec<u8>) {
    if exchange.connection.is_none() {
        let mut bytes = raw.clone();
        bytes.extend_from_slice(&exchange.carry);
        exchange.connection = Some(enter(exchange, bytes));
    }
    let request = Request {
        connection: exchange.connection(),
        head: exchange.head.clone(),
        body: None,
        raw,
    };
    exchange.request = exchange.shared.change(|seen| {
        seen.requests.push(request);
        seen.requests.len() - 1
    });
}

fn enter(exchange: &Exchange, bytes: Vec<u8>) -> usize {
    let stream = exchange.stream.try_clone().unwrap();
    exchange.shared.change(|seen| {
        seen.received.push(bytes);
        seen.half_closed.push(false);
        seen.gone.push(false);
        seen.streams.insert(seen.received.len() - 1, stream);
        seen.received.len() - 1
    })
}

fn answer_own(exchange: &mut Exchange) {
    exchange.read_body();
    let answer = ok(
        r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#,
    );
    if exchange.shared.tells_time.load(Ordering::SeqCst) {
        let answer = String::from_utf8(answer).unwrap();
        let date = "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        exchange.send(answer.replacen("\r\n\r\n", date, 1).as_bytes());
    } else {
        exchange.send(&answer);
    }
    exchange.close();
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.head.fmt(f)
    }
}
