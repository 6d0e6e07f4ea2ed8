//! Rules about certain objects, before a real engine: no spelling and no change of names leads a call
//! to an object that the rule is not about.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::stage::{Gate, curl, docker, engine, name};

const POLICY: &str = r#"
allow = ["POST /containers/create"]

[[rule]]
name = "mine"
allow = [
  "GET /containers/{id}/json", "POST /containers/{id}/update", "POST /containers/{id}/rename",
  "DELETE /containers/{id}",
]
target.label = "mine=yes"

[[rule]]
name = "own"
allow = ["POST /containers/{id}/start", "POST /containers/{id}/kill"]
target.own = true
"#;

/// `QUAYGATE_TEST_ROUNDS` makes it more.
const ROUNDS: usize = 1000;

/// A container that is never started, made directly at the engine.
struct Still {
    name: String,
    id: String,
}

impl Still {
    fn make(name: String, labels: &[&str]) -> Self {
        let mut arguments = vec!["create", "--name", &name];
        arguments.extend(labels.iter().flat_map(|label| ["--label", label]));
        arguments.extend([crate::stage::IMAGE, "true"]);
        let id = docker(engine(), &arguments).ok().trim().to_owned();
        Self { name, id }
    }

    /// How many of its CPU shares were asked for.
    fn shares(&self) -> u64 {
        let format = "{{.HostConfig.CpuShares}}";
        let shares = docker(engine(), &["inspect", "--format", format, &self.id]).ok();
        shares.trim().parse().unwrap()
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        docker(engine(), &["rm", "-f", &self.id]);
    }
}

/// However a scene ends, its disturber does too.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Requests over one connection, each answered with a length or without a body.
struct Caller(UnixStream);

impl Caller {
    fn at(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        Self(stream)
    }

    fn call(&mut self, method: &str, target: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let mut read = |bytes: &mut Vec<u8>| {
            let mut piece = [0; 4096];
            let count = self.0.read(&mut piece).unwrap();
            assert!(count > 0, "{method} {target}: closed in the middle");
            bytes.extend_from_slice(piece.get(..count).unwrap());
        };
        let end = loop {
            let found = bytes.windows(4).position(|four| four == b"\r\n\r\n");
            match found {
                Some(at) => break at + 4,
                None => read(&mut bytes),
            }
        };
        let head = String::from_utf8(bytes.get(..end).unwrap().to_vec()).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().unwrap())
        });
        while bytes.len() < end + length.unwrap_or(0) {
            read(&mut bytes);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes.get(end..).unwrap().to_vec();
        (status, String::from_utf8(body).unwrap())
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn every_spelling_of_a_reference_reaches_the_object_itself_or_nothing() {
    let gate = Gate::before(engine(), POLICY);
    let mine = Still::make(name("mine"), &["mine=yes"]);
    let theirs = Still::make(name("theirs"), &["mine=no"]);
    let mut caller = Caller::at(&gate.socket());
    for (still, allowed) in [(&mine, true), (&theirs, false)] {
        let lengths = [64, 32, 12, 10];
        let mut spelled: Vec<&str> = lengths.map(|n| still.id.get(..n).unwrap()).to_vec();
        spelled.push(&still.name);
        for spelled in spelled {
            let (status, text) = caller.call("GET", &format!("/containers/{spelled}/json"), "");
            assert_eq!(status, if allowed { 200 } else { 403 }, "{spelled}: {text}");
        }
    }
    let slashed = format!("/containers/%2F{}/json", mine.name);
    assert_eq!(caller.call("GET", &slashed, "").0, 400);

    let (status, text) = Caller::at(&gate.socket()).call("GET", "/containers/nobody/json", "");
    assert_eq!(status, 404);
    assert!(text.contains("No such container: nobody"), "{text}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn names_that_change_hands_all_the_time_never_lead_to_another_container() {
    let rounds = std::env::var("QUAYGATE_TEST_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let gate = Gate::before(engine(), POLICY);
    let mine = Still::make(name("mine"), &["mine=yes"]);
    let theirs = Still::make(name("theirs"), &["mine=no"]);
    let (prize, aside) = (name("prize"), name("aside"));

    let stop = AtomicBool::new(false);
    let (mut hits, mut misses) = (0, 0);
    thread::scope(|scope| {
        let (mine, theirs, stop, prize, aside) = (&mine, &theirs, &stop, &prize, &aside);
        scope.spawn(move || {
            let mut engine = Caller::at(engine());
            let mut rename = |still: &Still, to: &str| {
                let target = format!("/containers/{}/rename?name={to}", still.id);
                let (status, text) = engine.call("POST", &target, "");
                assert_eq!(status, 204, "{text}");
            };
            let mut turn = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let (first, second) = if turn.is_multiple_of(2) {
                    (mine, theirs)
                } else {
                    (theirs, mine)
                };
                rename(second, &format!("{aside}-{turn}"));
                rename(first, &format!("{prize}-{turn}"));
                // For a moment the name is nobody's, then the other's.
                rename(first, &format!("{aside}-again-{turn}"));
                rename(second, prize);
                turn += 1;
            }
        });
        let _stopping = Stopping(stop);
        let mut caller = Caller::at(&gate.socket());
        for round in 0..rounds {
            let shares = 2 + round % 1000;
            let body = format!("{{\"CpuShares\":{shares}}}");
            let (status, text) = caller.call("POST", &format!("/containers/{prize}/update"), &body);
            match status {
                200 => hits += 1,
                403 | 404 => misses += 1,
                _ => panic!("{status}: {text}"),
            }
            if status != 200 {
                // A refusal of a request whose body was not read closes the connection.
                caller = Caller::at(&gate.socket());
            }
        }
    });
    eprintln!("{rounds} rounds: {hits} reached the container, {misses} were refused or found none");
    assert!(hits > 0 && misses > 0, "the names did change hands");
    assert_eq!(theirs.shares(), 0, "the other container was never touched");
    assert!(mine.shares() > 0);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn own_containers_are_reached_and_all_others_are_not() {
    let gate = Gate::before(engine(), POLICY);
    let foreign = Still::make(name("foreign"), &[]);
    let made = name("own");
    let body = format!(
        "{{\"Image\":\"{}\",\"Cmd\":[\"sleep\",\"60\"]}}",
        crate::stage::IMAGE
    );
    let target = format!("/containers/create?name={made}");
    let (status, text) = Caller::at(&gate.socket()).call("POST", &target, &body);
    assert_eq!(status, 201, "{text}");
    let gone = || docker(engine(), &["rm", "-f", &made]);

    let start = |name: &str| {
        let target = format!("/containers/{name}/start");
        Caller::at(&gate.socket()).call("POST", &target, "").0
    };
    let outcome = (start(&made), start(&foreign.name), start(&foreign.id));
    let other = Gate::before(engine(), POLICY);
    let kill = format!("http://docker/containers/{made}/kill");
    let elsewhere = curl(&other.socket(), &["-X", "POST", &kill]).out;
    gone();
    assert_eq!(outcome, (204, 403, 403));
    assert!(elsewhere.contains("target.own = true"), "{elsewhere}");
}
