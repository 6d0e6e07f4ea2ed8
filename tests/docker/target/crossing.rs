//! Two sockets whose owners try every operation of the API on each other's objects.
//!
//! The operations are those of the table, so that none can be forgotten: each that names an object of a kind
//! that `own` can be said of is tried, by every name of the other's object, and then on an object of one's own.

use std::path::{Path, PathBuf};

use quaygate::diag::Source;
use quaygate::docker::Operation;
use quaygate::docker::operation::{BodyKind, Method, ObjectKind};
use quaygate::policy::Policy;
use serde_json::{Value, json};

use super::caller::Caller;
use super::image;
use crate::stage::{Gate, engine, name};

/// A rule about an operation on own objects.
fn rule(operation: Operation) -> String {
    let (method, path) = (operation.method().as_str(), operation.path());
    let mut rule = format!("[[rule]]\nallow = \"{method} {path}\"\ntarget.own = true\n");
    if operation.is_on_exec() {
        // Else the bond between an exec and its socket would refuse before the target does.
        rule.push_str("any_exec = true\n");
    }
    if operation.body() == BodyKind::Json && !quaygate::docker::payload::is_described(operation) {
        rule.push_str("body = \"unchecked\"\n");
    }
    rule
}

/// Every operation on an object of which it can be said whether it is one's own.
fn operations() -> impl Iterator<Item = (Operation, ObjectKind)> {
    // What Docker no longer has no rule can grant.
    let present = Operation::ALL
        .iter()
        .filter(|operation| operation.removed().is_none());
    let on_objects = present.filter_map(|operation| Some((*operation, operation.object()?)));
    on_objects.filter(|(operation, kind)| {
        let known = Policy::parse("one", &Source::new("one.toml", &rule(*operation)));
        match (known, kind) {
            (Ok(_), _) => true,
            (Err(_), ObjectKind::Image | ObjectKind::Service | ObjectKind::Volume) => false,
            (Err(problems), _) => panic!("{}: {problems:?}", operation.name()),
        }
    })
}

fn policy() -> String {
    let mut policy = String::from(
        "allow = [\"POST /containers/create\", \"POST /volumes/create\"]\n\
         [[rule]]\nallow = \"POST /networks/create\"\nnetwork.config = true\n",
    );
    policy.extend(operations().map(|(operation, _)| rule(operation)));
    policy
}

/// One object.
struct Thing {
    kind: ObjectKind,
    id: String,
    name: Option<String>,
}

/// Who has a socket, and the objects that the other tries to reach.
struct Owner {
    socket: PathBuf,
    things: Vec<Thing>,
    /// A container that runs, in which execs are prepared.
    bench: Thing,
}

impl Owner {
    fn at(socket: PathBuf) -> Self {
        let [first, bench] = [(); 2].map(|()| {
            let container = make(&socket, ObjectKind::Container, "");
            let start = format!("/containers/{}/start", container.id);
            let (status, text) = Caller::once(&socket, "POST", &start, "");
            assert_eq!(status, 204, "{text}");
            container
        });
        let others = [ObjectKind::Network, ObjectKind::Volume, ObjectKind::Exec];
        let others = others.map(|kind| make(&socket, kind, &bench.id));
        Self {
            things: [first].into_iter().chain(others).collect(),
            socket,
            bench,
        }
    }

    fn has(&self, kind: ObjectKind) -> &Thing {
        let mut things = self.things.iter();
        things.find(|thing| thing.kind == kind).unwrap()
    }

    /// Everything that the engine tells of the objects.
    fn state(&self) -> Vec<Value> {
        let mut engine = Caller::at(engine());
        let inspect = |thing: &Thing| engine.json("GET", &thing.inspected(), "");
        self.things.iter().map(inspect).collect()
    }

    /// Does an operation on what is spelled like this. Other containers that a body names are one's own.
    fn does(&self, operation: Operation, spelled: &str) -> (u16, String) {
        let mut parts = operation.path().split(['{', '}']);
        let mut path = parts.next().unwrap().to_owned() + spelled;
        parts.next();
        path.push_str(parts.next().unwrap_or_default());
        if parts.next().is_some() {
            path.push_str("other");
        }
        // What an operation needs to come to an end soon, or to get anywhere. A resize of an exec that
        // nobody starts would wait for ten seconds if it had a size.
        path.push_str(match operation {
            Operation::ContainerStats => "?stream=0",
            Operation::ContainerLogs => "?stdout=1",
            Operation::ContainerResize => "?h=20&w=80",
            Operation::ContainerRename => "?name=qg-crossing-renamed",
            Operation::ContainerArchive
            | Operation::ContainerArchiveInfo
            | Operation::PutContainerArchive => "?path=/tmp",
            _ => "",
        });
        let body = match operation {
            Operation::NetworkConnect | Operation::NetworkDisconnect => {
                json!({"Container": self.bench.id}).to_string()
            }
            Operation::ContainerExec => json!({"Cmd": ["true"]}).to_string(),
            Operation::ExecStart => json!({"Detach": true}).to_string(),
            _ if operation.body() == BodyKind::Json => "{}".to_owned(),
            _ => String::new(),
        };
        Caller::once(&self.socket, operation.method().as_str(), &path, &body)
    }
}

/// Creates something through a socket; an exec is one of this container.
fn make(socket: &Path, kind: ObjectKind, container: &str) -> Thing {
    let called = name("crossing");
    let (target, body) = match kind {
        ObjectKind::Container => (
            format!("/containers/create?name={called}"),
            json!({"Image": image(), "Cmd": ["sleep", "600"]}),
        ),
        ObjectKind::Network => (
            "/networks/create".to_owned(),
            json!({"Name": called, "ConfigOnly": true}),
        ),
        ObjectKind::Volume => ("/volumes/create".to_owned(), json!({"Name": called})),
        ObjectKind::Exec => (
            format!("/containers/{container}/exec"),
            json!({"Cmd": ["true"]}),
        ),
        ObjectKind::Image | ObjectKind::Service => panic!("nobody owns them"),
    };
    let made = Caller::at(socket).json("POST", &target, &body.to_string());
    let id = made.get("Id").unwrap_or(&made["Name"]).as_str().unwrap();
    let named = matches!(kind, ObjectKind::Container | ObjectKind::Network);
    Thing {
        kind,
        id: id.to_owned(),
        name: named.then_some(called),
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.things
            .iter()
            .chain([&self.bench])
            .for_each(Thing::remove);
    }
}

impl Thing {
    fn inspected(&self) -> String {
        let Self { kind, id, .. } = self;
        match kind {
            ObjectKind::Container => format!("/containers/{id}/json"),
            ObjectKind::Exec => format!("/exec/{id}/json"),
            ObjectKind::Network => format!("/networks/{id}"),
            ObjectKind::Volume => format!("/volumes/{id}"),
            ObjectKind::Image | ObjectKind::Service => panic!("nobody owns them"),
        }
    }

    /// Every way to write it that Docker knows.
    fn spellings(&self) -> Vec<&str> {
        let mut all = vec![self.id.as_str()];
        if let Some(name) = &self.name {
            all.extend([name, &self.id[..40], &self.id[..12]]);
        }
        all
    }

    fn remove(&self) {
        let target = self.inspected();
        let target = target.trim_end_matches("/json");
        let force = if self.name.is_some() { "?force=1" } else { "" };
        Caller::once(engine(), "DELETE", &format!("{target}{force}"), "");
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn no_operation_of_one_owner_reaches_an_object_of_the_other() {
    let policies = ["first", "second"].map(|owner| (owner.to_owned(), policy()));
    let gate = Gate::serving(engine(), &policies);
    let owners = ["first", "second"].map(|owner| Owner::at(gate.socket_of(owner)));
    let mut tried = 0;
    for (owner, other) in [(&owners[0], &owners[1]), (&owners[1], &owners[0])] {
        let before = other.state();
        for (operation, kind) in operations() {
            let what = operation.name();
            for spelled in other.has(kind).spellings() {
                let (status, text) = owner.does(operation, spelled);
                assert_eq!(status, 403, "{what} {spelled}: {text}");
                // An answer to HEAD says nothing else.
                let said = text.contains("target.own = true");
                assert!(said || operation.method() == Method::Head, "{what}: {text}");
                tried += 1;
            }
            assert_eq!(other.state(), before, "{what}");

            let own = make(&owner.socket, kind, &owner.bench.id);
            let (status, text) = owner.does(operation, &own.id);
            own.remove();
            let refused = text.contains("quaygate") || text.contains("is refused by policy");
            assert!(!refused, "{what} on its own object: {text}");
            assert!(
                status != 403 || kind == ObjectKind::Network,
                "{what}: {text}"
            );
        }
    }
    assert!(tried > 200, "only {tried} calls were tried");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn nobody_connects_the_others_container_to_a_network_of_his_own() {
    let connect = "[[rule]]\nname = \"join\"\n\
         allow = [\"POST /networks/{id}/connect\", \"POST /networks/{id}/disconnect\"]\n\
         target.own = true\nconnect.container.own = true\n";
    let create = "allow = [\"POST /containers/create\", \"POST /networks/create\"]\n";
    let policy = format!("{create}{connect}");
    let policies = ["first", "second"].map(|owner| (owner.to_owned(), policy.clone()));
    let gate = Gate::serving(engine(), &policies);
    let make = |owner: &str, target: &str, body: Value| {
        let socket = gate.socket_of(owner);
        let made = Caller::at(&socket).json("POST", target, &body.to_string());
        made["Id"].as_str().unwrap().to_owned()
    };
    let container = |owner| {
        let called = name(owner);
        let target = format!("/containers/create?name={called}");
        let id = make(owner, &target, json!({"Image": image()}));
        super::Still { name: called, id }
    };
    let (mine, theirs) = (container("first"), container("second"));
    let called = name("own");
    let network = super::Network {
        id: make("first", "/networks/create", json!({"Name": called})),
        name: called,
    };
    let post = |verb: &str, named: &str| {
        let target = format!("/networks/{}/{verb}", network.name);
        let body = json!({"Container": named}).to_string();
        Caller::once(&gate.socket_of("first"), "POST", &target, &body)
    };
    let before = theirs.inspect();
    for verb in ["connect", "disconnect"] {
        for named in [&theirs.name, &theirs.id, &theirs.id[..12]] {
            let (status, text) = post(verb, named);
            assert_eq!(status, 403, "{verb} {named}: {text}");
            assert!(text.contains("connect.container.own = true"), "{text}");
        }
        assert_eq!(theirs.inspect(), before);
        let (status, text) = post(verb, &mine.name);
        assert_eq!(status, 200, "{verb}: {text}");
    }
}
