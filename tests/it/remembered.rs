//! What the gate remembers of the engine's objects, and for how long.

mod cache;
mod made;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::support::{Exchange, FakeDocker, Gate, ok, wait_until};

/// An engine with objects, which says when they are gone.
struct Engine {
    docker: FakeDocker,
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    /// Names and labels by full id.
    containers: BTreeMap<String, (String, Value)>,
    networks: BTreeSet<String>,
    /// When each was created.
    volumes: BTreeMap<String, String>,
    /// How many were made.
    made: u8,
    /// Who follows the events.
    listeners: Vec<UnixStream>,
    /// Nobody may.
    mute: bool,
    /// What becomes of a question about an object.
    mood: Mood,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Answers,
    Hangs,
    HangsUp,
}

impl World {
    fn next_id(&mut self) -> String {
        self.made += 1;
        format!("{:064x}", self.made)
    }

    fn create(&mut self, kind: &str, body: &[u8]) -> Vec<u8> {
        let body: Value = serde_json::from_slice(body).unwrap();
        let id = self.next_id();
        let made = match kind {
            "containers" => {
                let named = (format!("c{id}"), json!({}));
                self.containers.insert(id.clone(), named);
                json!({"Id": id})
            }
            "networks" => {
                self.networks.insert(id.clone());
                json!({"Id": id})
            }
            "volumes" => {
                let name = body["Name"].as_str().unwrap_or(&id).to_owned();
                let now = format!("2026-01-01T00:00:{:02}Z", self.made);
                let at = self.volumes.entry(name.clone()).or_insert(now);
                volume(&name, at)
            }
            other => panic!("POST {other}"),
        };
        answer("201 Created", &made)
    }
}

impl Engine {
    /// It has `web`, which is healed, and `db`, which is not.
    fn start() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let theirs = Arc::clone(&world);
        let docker = FakeDocker::with_clock(move |exchange| serve(exchange, &theirs));
        let engine = Self { docker, world };
        engine.make('a', "web", json!({"heal": "yes"}));
        engine.make('b', "db", json!({}));
        engine
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn make(&self, digit: char, name: &str, labels: Value) {
        let named = (name.to_owned(), labels);
        self.world().containers.insert(id(digit), named);
    }

    /// Says something to everybody who listens.
    fn say(&self, line: &str) {
        let chunk = format!("{:x}\r\n{line}\n\r\n", line.len() + 1);
        let mut world = self.world();
        world
            .listeners
            .retain_mut(|stream| stream.write_all(chunk.as_bytes()).is_ok());
    }

    fn event(&self, kind: &str, action: &str, id: &str) {
        let actor = json!({"ID": id, "Attributes": {}});
        let event = json!({"Type": kind, "Action": action, "Actor": actor});
        self.say(&event.to_string());
    }

    /// Breaks every stream of events off.
    fn hang_up(&self) {
        for stream in self.world().listeners.drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// The gate's own questions about objects.
    fn questions(&self) -> Vec<String> {
        let requests = self.docker.requests().into_iter();
        let own = requests.filter(|request| request.head.connection("close"));
        let targets = own.map(|request| request.target().to_owned());
        targets
            .filter(|target| !target.starts_with("/events"))
            .collect()
    }

    /// What callers' requests came to.
    fn heard(&self) -> Vec<String> {
        let requests = self.docker.requests().into_iter();
        let calls = requests.filter(|request| !request.head.connection("close"));
        calls
            .map(|request| format!("{} {}", request.head.word(0), request.target()))
            .collect()
    }

    /// How many questions it takes.
    fn count(&self, calls: impl FnOnce()) -> usize {
        let before = self.questions().len();
        calls();
        self.questions().len() - before
    }
}

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn serve(exchange: &mut Exchange, world: &Mutex<World>) {
    let body = exchange.read_body();
    let target = exchange.target().to_owned();
    let parts: Vec<&str> = target.trim_start_matches('/').split(['/', '?']).collect();
    if let ["events", ..] = parts[..] {
        return tell_events(exchange, world);
    }
    let mut world = world.lock().unwrap();
    let about_one = matches!(parts[..], ["containers", _, "json"] | ["volumes", _]);
    if exchange.method() == "GET" && about_one && world.mood != Mood::Answers {
        let hangs = world.mood == Mood::Hangs;
        drop(world);
        return if hangs {
            exchange.wait_gone();
        } else {
            exchange.close();
        };
    }
    let answer = match (exchange.method(), &parts[..]) {
        ("GET", parts) => look(&world, parts),
        ("POST", [kind, "create"]) => world.create(kind, &body),
        _ => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    };
    drop(world);
    exchange.send(&answer);
}

fn look(world: &World, parts: &[&str]) -> Vec<u8> {
    let found = match parts {
        ["containers", "json", "all=1"] => Some(ids(world.containers.keys())),
        ["networks"] => Some(ids(world.networks.iter())),
        ["volumes"] => {
            let all = world.volumes.iter();
            let all: Value = all.map(|(name, at)| volume(name, at)).collect();
            Some(json!({"Volumes": all}).to_string())
        }
        ["volumes", name] => {
            let found = world.volumes.get(*name);
            found.map(|at| volume(name, at).to_string())
        }
        ["containers", name, "json"] => {
            let mut all = world.containers.iter();
            let found = all.find(|(id, (own, _))| id == name || own == name);
            found.map(|(id, (name, labels))| {
                let config = json!({"Image": "app:1", "Labels": labels});
                json!({"Id": id, "Name": format!("/{name}"), "Config": config}).to_string()
            })
        }
        other => panic!("GET {other:?}"),
    };
    match found {
        Some(text) => ok(&text),
        None => answer("404 Not Found", &json!({"message": "no such object"})),
    }
}

fn tell_events(exchange: &mut Exchange, world: &Mutex<World>) {
    let mut world = world.lock().unwrap();
    if world.mute {
        drop(world);
        exchange.send(&answer(
            "503 Service Unavailable",
            &json!({"message": "no"}),
        ));
        return exchange.close();
    }
    exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let stream = exchange.stream().try_clone().unwrap();
    world.listeners.push(stream);
    drop(world);
    exchange.wait_gone();
}

fn volume(name: &str, created: &str) -> Value {
    json!({"Name": name, "CreatedAt": created, "Labels": {"l": ""}})
}

fn ids<'w>(objects: impl Iterator<Item = &'w String>) -> String {
    let all = objects.map(|id| json!({"Id": id}));
    all.collect::<Value>().to_string()
}

fn answer(status: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn ask(gate: &Gate, method: &str, target: &str) -> (u16, String) {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n");
    let answer = gate.client().send_raw(request).read_response();
    (answer.status(), answer.text())
}
