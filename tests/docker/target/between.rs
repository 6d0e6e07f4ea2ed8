//! Names that change hands exactly between question and call: not by luck as in a race, but every time.
//!
//! The gate stands before a relay, which lets every byte through to the engine and does something else first
//! when a call arrives that the gate has already judged.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use super::caller::Caller;
use super::race::Bound;
use super::{Network, Still};
use crate::stage::{Gate, engine, name};

type Surprise = Box<dyn FnOnce() + Send>;

struct Relay {
    dir: TempDir,
    armed: Arc<Mutex<Option<Surprise>>>,
}

impl Relay {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("qgb").tempdir().unwrap();
        let armed = Arc::<Mutex<Option<Surprise>>>::default();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let theirs = Arc::clone(&armed);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, armed) = (client.unwrap(), Arc::clone(&theirs));
                thread::spawn(move || carry(client, &armed));
            }
        });
        Self { dir, armed }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// Does this before the next change reaches the engine.
    fn before_the_next_change(&self, surprise: impl FnOnce() + Send + 'static) {
        *self.armed.lock().unwrap() = Some(Box::new(surprise));
    }

    fn has_surprised(&self) -> bool {
        self.armed.lock().unwrap().is_none()
    }
}

fn carry(mut client: UnixStream, armed: &Mutex<Option<Surprise>>) {
    let mut engine = UnixStream::connect(engine()).unwrap();
    let (mut from, mut to) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    let back = thread::spawn(move || {
        drop(std::io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Both));
    });
    let mut bytes = [0; 8 * 1024];
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        let piece = &bytes[..count];
        if piece.starts_with(b"POST /") || piece.starts_with(b"DELETE /") {
            let surprise = armed.lock().unwrap().take();
            if let Some(surprise) = surprise {
                surprise();
            }
        }
        engine.write_all(piece).unwrap();
    }
    drop(engine.shutdown(Shutdown::Both));
    back.join().unwrap();
}

fn remove(id: &str) {
    let target = format!("/containers/{id}?force=1");
    let (status, text) = Caller::at(engine()).call("DELETE", &target, "");
    assert_eq!(status, 204, "{text}");
}

fn rename(id: &str, to: &str) {
    let target = format!("/containers/{id}/rename?name={to}");
    let (status, text) = Caller::at(engine()).call("POST", &target, "");
    assert_eq!(status, 204, "{text}");
}

/// Every kind of call that a change of hands must not divert.
const CALLS: [(&str, &str, &str); 5] = [
    ("POST", "/update", r#"{"CpuShares":7}"#),
    ("POST", "/rename?name={new}", ""),
    ("POST", "/start", ""),
    ("POST", "/wait", ""),
    ("DELETE", "", ""),
];

/// What gives one container's name to another: the first is removed, or called otherwise.
fn succession(
    removed: bool,
    first: &Still,
    second: &Still,
    taken: &str,
) -> impl FnOnce() + Send + use<> {
    let (first, second) = (first.id.clone(), second.id.clone());
    let (taken, aside) = (taken.to_owned(), name("aside"));
    move || {
        if removed {
            remove(&first);
        } else {
            rename(&first, &aside);
        }
        rename(&second, &taken);
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_container_that_takes_the_name_between_question_and_call_is_not_touched() {
    for bound in Bound::ALL {
        let relay = Relay::start();
        let gate = Gate::before(&relay.socket(), &bound.policy());
        for (method, rest, body) in CALLS {
            for removed in [false, true] {
                let prize = name("prize");
                let mine = bound.make(&gate, prize.clone());
                let theirs = Still::make(name("theirs"), &[("mine", "no")]);
                relay.before_the_next_change(succession(removed, &mine, &theirs, &prize));
                let rest = rest.replace("{new}", &name("new"));
                let target = format!("/containers/{prize}{rest}");
                let (status, text) = Caller::at(&gate.socket()).call(method, &target, body);
                let what = format!("{bound:?} {method} {rest}");
                assert!(relay.has_surprised(), "{what}: {status} {text}");
                let reached = if removed { 404..=404 } else { 200..=204 };
                assert!(reached.contains(&status), "{what}: {status} {text}");
                let document = theirs.inspect();
                assert_eq!(document["Name"], format!("/{prize}"), "{what}");
                assert_eq!(document["State"]["Status"], "created", "{what}");
                assert_eq!(theirs.shares(), 0, "{what}");
            }
        }
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_network_that_takes_the_name_between_question_and_call_is_not_removed() {
    let relay = Relay::start();
    let policy = "[[rule]]\nallow = \"DELETE /networks/{id}\"\ntarget.label = \"mine=yes\"\n";
    let gate = Gate::before(&relay.socket(), policy);
    let prize = name("prize");
    let mine = Network::make(prize.clone(), "yes", None);
    let theirs = Arc::new(Mutex::new(None));
    let (id, taken, found) = (mine.id.clone(), prize.clone(), Arc::clone(&theirs));
    relay.before_the_next_change(move || {
        let target = format!("/networks/{id}");
        assert_eq!(Caller::at(engine()).call("DELETE", &target, "").0, 204);
        *found.lock().unwrap() = Some(Network::make(taken, "no", None));
    });
    let target = format!("/networks/{prize}");
    let (status, text) = Caller::at(&gate.socket()).call("DELETE", &target, "");
    assert_eq!(status, 404, "{text}");
    let theirs = theirs.lock().unwrap().take().unwrap();
    assert_eq!(theirs.inspect()["Name"], prize);
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_container_that_takes_the_name_between_question_and_call_is_not_connected() {
    let relay = Relay::start();
    let policy = "[[rule]]\nallow = \"POST /networks/{id}/connect\"\nconnect.container.label = \"mine=yes\"\n";
    let gate = Gate::before(&relay.socket(), policy);
    let network = Network::make(name("net"), "no", Some("10.231.3.0/24"));
    for removed in [false, true] {
        let prize = name("prize");
        let mine = Still::make(prize.clone(), &[("mine", "yes")]);
        let theirs = Still::make(name("theirs"), &[("mine", "no")]);
        relay.before_the_next_change(succession(removed, &mine, &theirs, &prize));
        let target = format!("/networks/{}/connect", network.name);
        let body = json!({"Container": prize}).to_string();
        let (status, text) = Caller::at(&gate.socket()).call("POST", &target, &body);
        assert!(relay.has_surprised(), "{status} {text}");
        assert_eq!(status, if removed { 404 } else { 200 }, "{text}");
        assert!(!theirs.is_in(&network));
        assert!(removed || mine.is_in(&network));
    }
}

/// With `Force`, Docker looks for an endpoint of the name where there is no such container (moby
/// `daemon/network.go`, `DisconnectContainerFromNetwork`).
#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_container_that_takes_the_name_between_question_and_call_is_not_disconnected_by_force() {
    let relay = Relay::start();
    let policy = "[[rule]]\nallow = \"POST /networks/{id}/disconnect\"\nconnect.container.label = \"mine=yes\"\n";
    let gate = Gate::before(&relay.socket(), policy);
    let network = Network::make(name("net"), "no", Some("10.231.4.0/24"));
    let prize = name("prize");
    let inside = json!({"NetworkMode": network.name});
    let mine = Still::with(prize.clone(), &[("mine", "yes")], &inside);
    let theirs = Still::with(name("theirs"), &[("mine", "no")], &inside);
    let target = format!("/containers/{}/start", theirs.id);
    assert_eq!(Caller::at(engine()).call("POST", &target, "").0, 204);
    // Its other members tell the name, too, in newer engines.
    let endpoint = || {
        let mut networks = theirs.inspect()["NetworkSettings"]["Networks"].take();
        networks[&network.name]["EndpointID"].take()
    };
    let before = endpoint();
    assert_ne!(before, "");
    let ids = (mine.id.clone(), theirs.id.clone());
    let taken = prize.clone();
    relay.before_the_next_change(move || {
        remove(&ids.0);
        rename(&ids.1, &taken);
    });
    let target = format!("/networks/{}/disconnect", network.name);
    let body = json!({"Container": prize, "Force": true}).to_string();
    let (status, text) = Caller::at(&gate.socket()).call("POST", &target, &body);
    assert!(relay.has_surprised() && status >= 400, "{status} {text}");
    assert_eq!(endpoint(), before);
}
