//! One lane of the runner: a gate with every policy of the catalogue, the recording engine behind
//! it, and one case after the other.
//!
//! A case fails with words, not with a panic, so that all failures are seen at once.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::catalogue::{Case, Step, Then};
use super::client::Client;
use super::upstream::{Minutes, Upstream};
use super::verdict::Policies;

/// How long anything may take that waits for no deadline of the gate.
const PATIENCE: Duration = Duration::from_secs(30);
/// And what waits for one.
const LONG_PATIENCE: Duration = Duration::from_secs(90);

/// A gate and its engine.
pub(crate) struct Lane {
    folder: TempDir,
    gate: Child,
    upstream: Upstream,
}

impl Lane {
    pub(crate) fn start(policies: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("qgb").tempdir().unwrap();
        let upstream = Upstream::start(folder.path());
        let output = |name: &str| Stdio::from(File::create(folder.path().join(name)).unwrap());
        let gate = Command::new(env!("CARGO_BIN_EXE_quaygate"))
            .env_clear()
            .arg("run")
            .arg(policies)
            .arg("--docker")
            .arg(upstream.path())
            .arg("--runtime-dir")
            .arg(folder.path().join("run"))
            .arg("--audit")
            .arg(folder.path().join("audit"))
            .stdin(Stdio::null())
            .stdout(output("out"))
            .stderr(output("err"))
            .spawn()
            .unwrap();
        let mut lane = Self {
            folder,
            gate,
            upstream,
        };
        let end = Instant::now() + LONG_PATIENCE;
        for entry in fs::read_dir(policies).unwrap() {
            let policy = entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            while lane.connect(&policy).is_err() {
                assert!(
                    lane.gate.try_wait().unwrap().is_none(),
                    "the gate ended: {}",
                    lane.said()
                );
                assert!(
                    Instant::now() < end,
                    "the gate does not listen: {}",
                    lane.said()
                );
                std::thread::park_timeout(Duration::from_millis(2));
            }
        }
        // Its questions to the engine are asked in the background; a case must not be counted as one.
        assert!(lane.upstream.minutes(PATIENCE).is_ok());
        lane
    }

    /// Plays a case: how many requests the engine heard, or everything that is wrong, in words.
    pub(crate) fn play(&self, case: &Case, policies: &Policies) -> Result<usize, String> {
        let patience = if case.slow { LONG_PATIENCE } else { PATIENCE };
        self.upstream.begin(case.script.clone());
        let mut faults = Vec::new();
        let mut play = Play {
            lane: self,
            case,
            patience,
            callers: Vec::new(),
            crowd: Vec::new(),
            on: 0,
        };
        let transcript = match play.run() {
            Ok(()) => String::new(),
            Err(fault) => {
                faults.push(fault);
                play.transcript()
            }
        };
        drop(play);
        self.canary(case).unwrap_or_else(|fault| faults.push(fault));
        let minutes = self.upstream.minutes(patience).unwrap_or_else(|minutes| {
            faults.push("the gate keeps a connection to the engine".into());
            minutes
        });
        faults.extend(policies.faults(case, &minutes));
        if faults.is_empty() {
            let real = minutes.heard.iter().filter(|heard| !heard.is_canary());
            return Ok(real.count());
        }
        Err(report(case, &faults, &minutes, &transcript))
    }

    /// A new connection gets the answer to its own question, whatever happened on others.
    fn canary(&self, case: &Case) -> Result<(), String> {
        let mark: String = case
            .id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let mut caller = Client::new(self.connect(&case.policy)?, PATIENCE);
        caller.send(format!("GET /_ping?canary={mark} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())?;
        let answer = caller
            .answer(false)
            .map_err(|fault| format!("the canary: {fault}"))?;
        let own = format!("\"{mark}\"");
        if answer.status == 200 && answer.body == own.as_bytes() {
            Ok(())
        } else {
            Err(format!("the canary got somebody else's answer: {answer:?}"))
        }
    }

    fn connect(&self, policy: &str) -> Result<UnixStream, String> {
        let socket = self
            .folder
            .path()
            .join("run")
            .join(policy)
            .join("docker.sock");
        UnixStream::connect(&socket).map_err(|error| format!("{policy}: {error}"))
    }

    /// What the gate holds, in MiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.gate.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("err")).unwrap_or_default()
    }

    /// Whether the gate still runs and has not panicked.
    pub(crate) fn check(&mut self) {
        assert!(
            self.gate.try_wait().unwrap().is_none(),
            "the gate ended: {}",
            self.said()
        );
        let said = self.said();
        assert!(!said.contains("panicked"), "the gate panicked: {said}");
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        drop(self.gate.kill());
        drop(self.gate.wait());
    }
}

/// A case being played.
struct Play<'p> {
    lane: &'p Lane,
    case: &'p Case,
    patience: Duration,
    callers: Vec<Option<Client>>,
    crowd: Vec<UnixStream>,
    on: usize,
}

impl Play<'_> {
    fn run(&mut self) -> Result<(), String> {
        self.on(1)?;
        for step in &self.case.steps {
            self.step(step)?;
        }
        self.on(1)?;
        let expect = &self.case.expect;
        let caller = self.caller();
        if let Some(statuses) = &expect.answers {
            let mut last = None;
            for wanted in statuses {
                let answer = caller.answer(expect.to_head)?;
                if !wanted.contains(&answer.status) {
                    return Err(format!("expected {wanted:?}, got {answer:?}"));
                }
                last = Some(answer);
            }
            if let Some(last) = last {
                if last.cut != expect.cut {
                    return Err(format!(
                        "should end {}: {last:?}",
                        if expect.cut { "cut" } else { "whole" }
                    ));
                }
                let says = expect.says.as_deref().unwrap_or_default();
                if !String::from_utf8_lossy(&last.body).contains(says) {
                    return Err(format!("does not say {says:?}: {last:?}"));
                }
            }
        }
        self.end()
    }

    fn end(&mut self) -> Result<(), String> {
        let expect = &self.case.expect;
        let caller = self.caller();
        match expect.then {
            Then::Whatever => {}
            Then::Closed => caller.closed()?,
            Then::Open => {
                caller.send(b"GET /_ping?canary=same HTTP/1.1\r\nHost: x\r\n\r\n")?;
                let answer = caller.answer(false)?;
                if answer.body != b"\"same\"" {
                    return Err(format!("the connection is not usable any more: {answer:?}"));
                }
            }
        }
        // Whatever was sent is dealt with before the gate closes.
        for caller in self.callers.iter_mut().flatten() {
            caller.half_close();
            let rest = caller.rest();
            if expect.answers.is_some() && !rest.is_empty() {
                return Err(format!("one answer too many: {}", rest.escape_ascii()));
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let (case, patience) = (self.case, self.patience);
        let caller = self.caller();
        match step {
            // The gate may refuse and close while more is being sent.
            Step::Send(bytes) => drop(caller.send(bytes)),
            // In pieces, because whoever sends crumbs is looked after ever more rarely.
            Step::Times(count, bytes) => {
                for piece in bytes.repeat(*count).chunks(4096) {
                    if caller.send(piece).is_err() {
                        break;
                    }
                }
            }
            Step::HalfClose => caller.half_close(),
            Step::Answer(status) => {
                let answer = caller.answer(case.expect.to_head)?;
                if answer.status != *status {
                    return Err(format!("a step expected {status}, got {answer:?}"));
                }
            }
            Step::Interim(status) => caller.interim(*status)?,
            Step::Read(bytes) => caller.exactly(bytes)?,
            Step::Closed => caller.closed()?,
            Step::On(number) => self.on(*number)?,
            Step::At(policy) => {
                let stream = self.lane.connect(policy)?;
                self.on = self.callers.len();
                self.callers.push(Some(Client::new(stream, patience)));
            }
            Step::Flood(count, bytes) => {
                for _ in 0..*count {
                    let mut stream = self.lane.connect(&case.policy)?;
                    stream
                        .write_all(bytes)
                        .map_err(|error| format!("flooding: {error}"))?;
                    self.crowd.push(stream);
                }
            }
            Step::Memory(most) => {
                let now = self.lane.memory();
                if now > *most {
                    return Err(format!("the gate holds {now} MiB"));
                }
            }
            Step::Gone(number) => {
                self.callers[*number] = None;
                self.on(1)?;
            }
            Step::HungUp => {
                if self.lane.upstream.minutes(patience).is_err() {
                    return Err("the engine never hung up".to_owned());
                }
            }
            Step::Heard(count) => {
                if !self.lane.upstream.wait_heard(*count, patience) {
                    return Err(format!("the engine never heard {count} requests"));
                }
            }
        }
        Ok(())
    }

    fn on(&mut self, number: usize) -> Result<(), String> {
        while self.callers.len() <= number {
            self.callers.push(None);
        }
        if self.callers[number].is_none() {
            let stream = self.lane.connect(&self.case.policy)?;
            self.callers[number] = Some(Client::new(stream, self.patience));
        }
        self.on = number;
        Ok(())
    }

    fn caller(&mut self) -> &mut Client {
        self.callers[self.on].as_mut().unwrap()
    }

    fn transcript(&self) -> String {
        let mut out = String::new();
        for (number, caller) in self.callers.iter().enumerate() {
            if let Some(caller) = caller {
                let bytes = &caller.seen[..caller.seen.len().min(2000)];
                writeln!(out, "    client {number} read: {}", bytes.escape_ascii()).unwrap();
            }
        }
        out
    }
}

fn report(case: &Case, faults: &[String], minutes: &Minutes, transcript: &str) -> String {
    let mut out = format!(
        "{} ({}, policy {})\n    because: {}\n",
        case.id, case.class, case.policy, case.why
    );
    for fault in faults {
        let fault: String = fault.chars().take(1000).collect();
        writeln!(out, "    FAULT: {fault}").unwrap();
    }
    for step in &case.steps {
        if let Step::Send(bytes) = step {
            let bytes = &bytes[..bytes.len().min(1500)];
            writeln!(out, "    sent: {}", bytes.escape_ascii()).unwrap();
        }
    }
    for heard in &minutes.heard {
        writeln!(
            out,
            "    heard on {}: {}",
            heard.connection,
            heard.raw.escape_ascii()
        )
        .unwrap();
    }
    out.push_str(transcript);
    out
}
