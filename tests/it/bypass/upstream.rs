//! The recording engine: it hears what `godocker` and `moby` make of the bytes that the gate sends,
//! and answers as dockerd would, or as a case's script says.

use std::collections::HashSet;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::catalogue::Act;
use super::godocker::{GoRequest, Stop, Wire};
use super::moby::{self, Asked, Reading};
use crate::checks::gojson::{self, Field, Type};

/// A request as the engine heard it.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) reading: Reading,
    /// The head as it came.
    pub(crate) raw: Vec<u8>,
    /// The body, once it was complete.
    pub(crate) body: Option<Vec<u8>>,
}

/// What one case brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Minutes {
    pub(crate) heard: Vec<Heard>,
    /// What Go would refuse to read, and why.
    pub(crate) unreadable: Vec<(u16, &'static str, Vec<u8>)>,
    /// Bytes that came through tunnels.
    pub(crate) tunnel: Vec<u8>,
    /// Ids of execs that answers named, since this engine began.
    pub(crate) execs: HashSet<String>,
}

#[derive(Default)]
struct State {
    minutes: Minutes,
    execs: HashSet<String>,
    script: Vec<Vec<Act>>,
    answered: usize,
    open: usize,
    connections: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The engine.
pub(crate) struct Upstream {
    path: PathBuf,
    shared: Arc<Shared>,
}

/// What the gate itself asks, and nobody else can make it say: names in lower case.
const OWN: &[u8] = b"GET /version HTTP/1.1\r\nhost: docker\r\nconnection: close\r\n";

impl Upstream {
    pub(crate) fn start(folder: &Path) -> Self {
        let path = folder.join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        // It ends with the process: a lane lives as long as the test.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let connection = {
                    let mut state = accepting.state.lock().unwrap();
                    state.open += 1;
                    state.connections += 1;
                    state.connections
                };
                let shared = Arc::clone(&accepting);
                thread::spawn(move || {
                    Connection {
                        number: connection,
                        shared: &shared,
                        stream: &stream,
                    }
                    .serve();
                    drop(stream);
                    shared.change(|state| state.open -= 1);
                });
            }
        });
        Self { path, shared }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets the last case and learns its lines for the next.
    pub(crate) fn begin(&self, script: Vec<Vec<Act>>) {
        let mut state = self.shared.state.lock().unwrap();
        state.minutes = Minutes::default();
        state.script = script;
        state.answered = 0;
    }

    /// Waits until this many requests were heard, canaries apart.
    pub(crate) fn wait_heard(&self, count: usize, patience: Duration) -> bool {
        self.wait(patience, |state| {
            let heard = state.minutes.heard.iter();
            heard.filter(|heard| !heard.is_canary()).count() >= count
        })
    }

    /// Waits until the gate has let go of every connection, and tells what was heard.
    pub(crate) fn minutes(&self, patience: Duration) -> Result<Minutes, Minutes> {
        let settled = self.wait(patience, |state| state.open == 0);
        let state = self.lock();
        let minutes = Minutes {
            execs: state.execs.clone(),
            ..state.minutes.clone()
        };
        if settled { Ok(minutes) } else { Err(minutes) }
    }

    fn wait(&self, patience: Duration, fact: impl Fn(&State) -> bool) -> bool {
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.lock(), patience, |state| !fact(state));
        !waited.unwrap().1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let out = change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        out
    }
}

impl Heard {
    /// One of the runner's own questions.
    pub(crate) fn is_canary(&self) -> bool {
        self.canary().is_some()
    }

    fn canary(&self) -> Option<String> {
        let (Reading::Runs(_, asked) | Reading::NotFound(asked)) = &self.reading else {
            return None;
        };
        let found = asked.values.iter().find(|(key, _)| key == b"canary");
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// `GET /v1.41/containers/json?all=1`, in the one spelling.
    pub(crate) fn line(&self) -> String {
        line(&self.method, &self.reading)
    }
}

/// A request as the catalogue writes it, in the same spelling as [`Heard::line`].
pub(crate) fn spelled(line_of_case: &str) -> String {
    let method = line_of_case.split(' ').next().unwrap_or_default();
    line(method, &moby::read_line(line_of_case))
}

fn line(method: &str, reading: &Reading) -> String {
    match reading {
        Reading::Runs(_, asked) | Reading::NotFound(asked) => {
            format!("{method} {}", asked.target())
        }
        Reading::Redirect => format!("{method} (redirect)"),
        Reading::Bad(why) => format!("{method} (refused: {why})"),
    }
}

/// One connection of the gate.
struct Connection<'s> {
    number: usize,
    shared: &'s Shared,
    stream: &'s UnixStream,
}

/// What becomes of it after an answer.
#[derive(PartialEq, Eq)]
enum After {
    Next,
    Tunnel,
    Close,
}

impl Connection<'_> {
    fn serve(&self) {
        let mut wire = Wire::new(self.stream);
        let mut after_post = false;
        loop {
            let head = match wire.head(after_post) {
                Ok(head) => head,
                Err(Stop::End) => break,
                Err(stop) => return self.unreadable(&stop, wire.some()),
            };
            after_post = head.method == "POST";
            if head.raw.starts_with(OWN) {
                self.send(&json(200, VERSION, ""));
                break;
            }
            match self.exchange(&mut wire, &head) {
                Ok(After::Next) if !head.close => {}
                Ok(After::Next | After::Close) => break,
                Ok(After::Tunnel) => {
                    self.tunnel(&mut wire);
                    break;
                }
                Err(stop) => return self.unreadable(&stop, head.raw),
            }
        }
        drop(self.stream.shutdown(Shutdown::Both));
    }

    fn unreadable(&self, stop: &Stop, bytes: Vec<u8>) {
        // A request that is cut short was heard as far as it went.
        let (status, why) = match stop {
            Stop::Bad(status, why) => (*status, *why),
            Stop::Cut | Stop::End => (0, "cut"),
        };
        if status > 0 {
            self.shared
                .change(|state| state.minutes.unreadable.push((status, why, bytes)));
            self.send(&format!("HTTP/1.1 {status} No\r\nConnection: close\r\n\r\n").into_bytes());
        }
        drop(self.stream.shutdown(Shutdown::Both));
    }

    /// Hears one request and answers it.
    fn exchange(&self, wire: &mut Wire<&UnixStream>, request: &GoRequest) -> Result<After, Stop> {
        let reading = moby::read(request, b"");
        let mut heard = Heard {
            connection: self.number,
            method: request.method.clone(),
            reading,
            raw: request.raw.clone(),
            body: None,
        };
        let canary = heard.canary();
        let (place, acts) = self.shared.change(|state| {
            state.minutes.heard.push(heard.clone());
            let mut acts = None;
            if canary.is_none() {
                acts = state.script.get(state.answered).cloned();
                state.answered += 1;
            }
            (state.minutes.heard.len() - 1, acts)
        });
        let early = acts.as_ref().is_some_and(|acts| acts.contains(&Act::Early));
        if !early {
            if request
                .get("Expect")
                .is_some_and(|e| e.eq_ignore_ascii_case(b"100-continue"))
                && acts.is_none()
            {
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            let body = wire.body(request.framing)?;
            heard.reading = moby::read(request, &body);
            heard.body = Some(body);
            self.shared.change(|state| {
                // Another case may have begun when this one was cut off.
                if let Some(slot) = state.minutes.heard.get_mut(place) {
                    slot.clone_from(&heard);
                }
            });
        }
        Ok(match acts {
            Some(acts) => {
                if matches!(heard.reading, Reading::Runs("ContainerExec", _)) {
                    self.hand_out(&acts);
                }
                self.play(wire, &acts)
            }
            None => self.answer(&heard, request),
        })
    }

    /// Remembers which execs an answer names, whatever else is wrong with it.
    fn hand_out(&self, acts: &[Act]) {
        for act in acts {
            if let Act::Send(bytes) = act {
                let text = String::from_utf8_lossy(bytes);
                let named = text.split("\"Id\":\"").skip(1);
                let ids = named.filter_map(|rest| rest.get(..64)).map(str::to_owned);
                self.shared.change(|state| state.execs.extend(ids));
            }
        }
    }

    fn play(&self, wire: &mut Wire<&UnixStream>, acts: &[Act]) -> After {
        let mut after = After::Next;
        for act in acts {
            match act {
                Act::Send(bytes) if bytes.starts_with(b"HTTP/1.1 101") => {
                    self.send(bytes);
                    after = After::Tunnel;
                }
                Act::Send(bytes) => drop(self.send(bytes)),
                Act::Times(count, bytes) => {
                    for _ in 0..*count {
                        if !self.send(bytes) {
                            return After::Close;
                        }
                    }
                }
                Act::Early => {}
                Act::Close => return After::Close,
                Act::Hold => {
                    while !wire.some().is_empty() {}
                    return After::Close;
                }
            }
        }
        after
    }

    /// As dockerd answers.
    fn answer(&self, heard: &Heard, request: &GoRequest) -> After {
        let (operation, asked) = match &heard.reading {
            Reading::Bad(_) => return self.say(&json(400, "{}", "")),
            Reading::Redirect => return self.say(&json(301, "{}", "Location: /x\r\n")),
            Reading::NotFound(_) => {
                return self.say(&json(404, r#"{"message":"page not found"}"#, ""));
            }
            Reading::Runs(operation, asked) => (*operation, asked),
        };
        let upgrade = request.get("Upgrade").is_some();
        match operation {
            _ if is_missing(asked) => {
                self.say(&json(404, r#"{"message":"No such container"}"#, ""))
            }
            // moby router/container/exec.go: a detached exec is no hijack, whatever was asked.
            "ExecStart" if detaches(heard.body.as_deref()) => self.say(&json(200, "", "")),
            "ContainerAttach" | "ExecStart" if upgrade => self.hijack("tcp"),
            "ContainerAttach" | "ExecStart" => {
                self.send(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
                );
                After::Tunnel
            }
            "Session" | "Grpc" if upgrade => self.hijack("h2c"),
            // golang.org/x/net/websocket: a handshake without a key is answered as HTTP.
            "ContainerAttachWebsocket" if upgrade && request.get("Sec-Websocket-Key").is_some() => {
                self.hijack("websocket")
            }
            "ContainerAttachWebsocket" => self.say(&json(400, "{}", "")),
            _ if heard.method == "HEAD" => self.say(&json(200, "", "")),
            _ => {
                let body = heard.canary().unwrap_or_else(|| "done".to_owned());
                self.say(&json(200, &format!("\"{body}\""), ""))
            }
        }
    }

    fn hijack(&self, token: &str) -> After {
        let head = format!(
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
             Connection: Upgrade\r\nUpgrade: {token}\r\n\r\n"
        );
        self.send(head.as_bytes());
        After::Tunnel
    }

    /// Sends back what comes, in upper case, so that it is not mistaken for an echo of the gate.
    fn tunnel(&self, wire: &mut Wire<&UnixStream>) {
        loop {
            let bytes = wire.some();
            if bytes.is_empty() {
                return;
            }
            self.shared
                .change(|state| state.minutes.tunnel.extend_from_slice(&bytes));
            if !self.send(&bytes.to_ascii_uppercase()) {
                return;
            }
        }
    }

    fn say(&self, answer: &[u8]) -> After {
        if self.send(answer) {
            After::Next
        } else {
            After::Close
        }
    }

    fn send(&self, bytes: &[u8]) -> bool {
        let mut stream = self.stream;
        stream.write_all(bytes).is_ok()
    }
}

const VERSION: &str =
    r#"{"Version":"28.5.2","ApiVersion":"1.51","MinAPIVersion":"1.24","Os":"linux"}"#;

fn json(status: u16, body: &str, headers: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Said\r\nApi-Version: 1.51\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Names that stand for objects that do not exist.
fn is_missing(asked: &Asked) -> bool {
    asked
        .path
        .split(|byte| *byte == b'/')
        .any(|segment| segment == b"missing")
}

/// encoding/json folds the case of keys, and of two the last one counts.
fn detaches(body: Option<&[u8]>) -> bool {
    let node = gojson::read(body.unwrap_or_default());
    node.is_some_and(|node| gojson::decode(&node, START).get("Detach") == "true")
}

const START: &[Field] = &[("Detach", Type::Bool)];
