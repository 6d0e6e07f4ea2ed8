//! An engine that reads leniently, answers whatever it is told to, and notes what it was asked.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use super::reader::{self, Head, Read};

/// An answer when the input holds none.
const ORDINARY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// More than any input needs; an engine that reads no more would hide what it was sent.
const MOST: usize = 1024 * 1024;

/// Whether a policy allows what dockerd would do for a request with this body.
pub(super) type Oracle = fn(&Head, &[u8]) -> Result<(), &'static str>;

/// The engine's script, and its notes.
pub(super) struct Engine {
    oracle: Oracle,
    state: Mutex<State>,
    left: Notify,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Vec<u8>>,
    answers_first: bool,
    seen: Seen,
    open: usize,
}

/// What reached the engine.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The first lines of all requests.
    pub(super) lines: Vec<String>,
    /// Those that the policy does not allow, and why.
    pub(super) wrong: Vec<String>,
    /// All bytes of each connection.
    pub(super) raw: Vec<Vec<u8>>,
}

impl Engine {
    /// Listens; call it inside of the runtime.
    pub(super) fn listen(socket: &Path, oracle: Oracle) -> Arc<Self> {
        let listener = UnixListener::bind(socket).expect("a socket for the engine");
        let engine = Arc::new(Self {
            oracle,
            state: Mutex::default(),
            left: Notify::new(),
        });
        let accepting = Arc::clone(&engine);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.with(|state| state.open += 1);
                let engine = Arc::clone(&accepting);
                tokio::spawn(async move {
                    engine.serve(stream).await;
                    engine.with(|state| state.open -= 1);
                    engine.left.notify_one();
                });
            }
        });
        engine
    }

    /// The next answers; forgets what was seen.
    pub(super) fn play(&self, answers: VecDeque<Vec<u8>>, answers_first: bool) {
        self.with(|state| {
            state.answers = answers;
            state.answers_first = answers_first;
            state.seen = Seen::default();
        });
    }

    pub(super) fn seen(&self) -> Seen {
        self.with(|state| state.seen.clone())
    }

    /// Waits until nobody is connected.
    pub(super) async fn idle(&self) {
        // A connection that the gate opened and closed again may still wait to be accepted.
        tokio::task::yield_now().await;
        while self.with(|state| state.open > 0) {
            self.left.notified().await;
        }
    }

    fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Requests, one after the other, as a reader finds them who does not know where the gate
    /// thinks they are.
    async fn serve(&self, stream: UnixStream) {
        let number = self.with(|state| {
            state.seen.raw.push(Vec::new());
            state.seen.raw.len() - 1
        });
        let mut line = Line {
            engine: self,
            stream,
            number,
        };
        let mut inbox = Vec::new();
        loop {
            let (head, length) = loop {
                match reader::head(&inbox) {
                    Read::Whole(head, length) => break (head, length),
                    Read::Nonsense => return self.nonsense(&inbox),
                    Read::More => {}
                }
                if !line.fill(&mut inbox).await {
                    return;
                }
            };
            inbox.drain(..length);
            self.with(|state| {
                state
                    .seen
                    .lines
                    .push(format!("{} {}", head.method, head.target));
            });
            let first = self.with(|state| state.answers_first);
            let mut hijacked = false;
            if first {
                // Judged without its body, for the body may never come.
                self.judge(&head, &[]);
                hijacked = self.answer(&mut line.stream, &head).await;
            }
            let body = if hijacked {
                Some(Vec::new())
            } else {
                line.body(&mut inbox, &head).await
            };
            self.judge(&head, body.as_deref().unwrap_or(&inbox));
            if body.is_none() {
                // Cut: dockerd answers all the same.
                self.answer(&mut line.stream, &head).await;
                return;
            }
            if !first {
                hijacked = self.answer(&mut line.stream, &head).await;
            }
            if hijacked {
                while line.fill(&mut inbox).await {
                    inbox.clear();
                }
                return;
            }
        }
    }

    fn judge(&self, head: &Head, body: &[u8]) {
        if let Err(why) = (self.oracle)(head, body) {
            self.with(|state| {
                let Head { method, target, .. } = head;
                state.seen.wrong.push(format!("{method} {target}: {why}"));
            });
        }
    }

    fn nonsense(&self, inbox: &[u8]) {
        let text = String::from_utf8_lossy(inbox).into_owned();
        self.with(|state| state.seen.wrong.push(format!("no request: {text:?}")));
    }

    /// Sends the next answer; true when the connection is a tunnel from here on.
    async fn answer(&self, stream: &mut UnixStream, head: &Head) -> bool {
        let answer = self.with(|state| state.answers.pop_front());
        let answer = answer.filter(|answer| !answer.is_empty());
        let answer = answer.as_deref().unwrap_or(ORDINARY);
        if stream.write_all(answer).await.is_err() {
            return false;
        }
        // SECURITY: a tunnel exists only where Docker would open one; everything behind any other
        // answer is read as requests.
        let hijacks = head.method == "POST"
            && (head.target.contains("/attach") || head.target.contains("/exec/"));
        let agrees = |mark: &[u8]| {
            answer
                .windows(mark.len())
                .any(|part| part.eq_ignore_ascii_case(mark))
        };
        hijacks && (agrees(b"HTTP/1.1 101") || agrees(b"application/vnd.docker."))
    }
}

/// One connection.
struct Line<'e> {
    engine: &'e Engine,
    stream: UnixStream,
    number: usize,
}

impl Line<'_> {
    /// The whole body; `None` when it never comes.
    async fn body(&mut self, inbox: &mut Vec<u8>, head: &Head) -> Option<Vec<u8>> {
        loop {
            match head.body(inbox) {
                Read::Whole(body, length) => {
                    inbox.drain(..length);
                    return Some(body);
                }
                Read::Nonsense => return None,
                Read::More => {}
            }
            if !self.fill(inbox).await {
                return None;
            }
        }
    }

    /// Reads some more; false at the end.
    async fn fill(&mut self, inbox: &mut Vec<u8>) -> bool {
        let mut some = [0; 4096];
        match self.stream.read(&mut some).await {
            Ok(count) if count > 0 => {
                let some = &some[..count];
                inbox.extend_from_slice(some);
                self.engine.with(|state| {
                    if let Some(raw) = state.seen.raw.get_mut(self.number) {
                        raw.extend_from_slice(some);
                    }
                });
                inbox.len() < MOST
            }
            _ => false,
        }
    }
}
