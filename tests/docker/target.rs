//! Rules about certain objects, before a real engine: no spelling and no change of names leads a call
//! to an object that the rule is not about.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    reason = "a scene that cannot go on says so by panicking"
)]

mod between;
mod caller;
mod connect;
mod crossing;
mod race;
mod spelling;

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::stage::{Gate, curl, engine, import_small_image, name};
use caller::Caller;

/// The image that these scenes use: next to nothing to copy for each container.
fn image() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let image = name("target");
        import_small_image(engine(), &image, &["true", "sleep"]);
        image
    })
}

/// A container that nobody starts but its scene, made directly at the engine and removed in the end.
struct Still {
    name: String,
    id: String,
}

impl Still {
    fn make(name: String, labels: &[(&str, &str)]) -> Self {
        Self::with(name, labels, &json!({}))
    }

    fn with(name: String, labels: &[(&str, &str)], host: &Value) -> Self {
        let labels: serde_json::Map<_, _> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let command = ["sleep", "600"];
        let body = json!({"Image": image(), "Cmd": command, "Labels": labels, "HostConfig": host});
        let target = format!("/containers/create?name={name}");
        let made = Caller::at(engine()).json("POST", &target, &body.to_string());
        let id = made["Id"].as_str().unwrap().to_owned();
        Self { name, id }
    }

    fn inspect(&self) -> Value {
        let target = format!("/containers/{}/json", self.id);
        Caller::at(engine()).json("GET", &target, "")
    }

    /// How many of its CPU shares were asked for.
    fn shares(&self) -> u64 {
        self.inspect()["HostConfig"]["CpuShares"].as_u64().unwrap()
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        let target = format!("/containers/{}?force=1", self.id);
        Caller::at(engine()).call("DELETE", &target, "");
    }
}

/// A network that is nothing but a configuration, unless it has a subnet; removed in the end.
struct Network {
    name: String,
    id: String,
}

impl Network {
    fn make(name: String, label: &str, subnet: Option<&str>) -> Self {
        let mut body = json!({"Name": name, "Labels": {"mine": label}});
        match subnet {
            Some(subnet) => body["IPAM"] = json!({"Config": [{"Subnet": subnet}]}),
            None => body["ConfigOnly"] = json!(true),
        }
        let made = Caller::at(engine()).json("POST", "/networks/create", &body.to_string());
        let id = made["Id"].as_str().unwrap().to_owned();
        Self { name, id }
    }

    fn inspect(&self) -> Value {
        Caller::at(engine()).json("GET", &format!("/networks/{}", self.id), "")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        Caller::at(engine()).call("DELETE", &format!("/networks/{}", self.id), "");
    }
}

/// An image with a label and two tags, removed in the end.
struct Image {
    repository: String,
    id: String,
}

impl Image {
    fn make(repository: String, label: &str) -> Self {
        let still = Still::make(name("base"), &[]);
        let mut direct = Caller::at(engine());
        let commit = format!(
            "/commit?container={}&repo={repository}&tag=v1&changes=LABEL%20mine%3D{label}",
            still.id
        );
        let id = direct.json("POST", &commit, "{}")["Id"].take();
        let id = id.as_str().unwrap().to_owned();
        let tag = format!("/images/{id}/tag?repo={repository}&tag=latest");
        assert_eq!(direct.call("POST", &tag, "").0, 201);
        Self { repository, id }
    }

    fn inspect(&self) -> Value {
        Caller::at(engine()).json("GET", &format!("/images/{}/json", self.id), "")
    }

    /// Whether it has a tag in this repository.
    fn has(&self, repository: &str) -> bool {
        let tags = self.inspect()["RepoTags"].take();
        let mut tags = tags.as_array().unwrap().iter();
        tags.any(|tag| tag.as_str().unwrap().starts_with(repository))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        Caller::at(engine()).call("DELETE", &format!("/images/{}?force=1", self.id), "");
    }
}

/// Every beginning of an id.
fn beginnings(id: &str) -> impl Iterator<Item = &str> {
    (1..=id.len()).map(|length| &id[..length])
}

/// The id (of a volume the name) that the engine itself means by the spelling in a path, or the status
/// with which it declines.
fn meant(engine: &mut Caller, target: &str) -> Result<String, u16> {
    let (status, text) = engine.call("GET", target, "");
    if status != 200 {
        return Err(status);
    }
    let document: Value = serde_json::from_str(&text).unwrap();
    let id = document.get("Id").unwrap_or(&document["Name"]);
    Ok(id.as_str().unwrap().to_owned())
}

/// Does something while the engine means one and the same by a spelling: other scenes' objects, which
/// share short beginnings of ids, come and go.
fn while_meaning<T>(target: &str, mut act: impl FnMut() -> T) -> (Result<String, u16>, T) {
    let mut engine = Caller::at(engine());
    for _ in 0..100 {
        let before = meant(&mut engine, target);
        let done = act();
        if meant(&mut engine, target) == before {
            return (before, done);
        }
    }
    panic!("{target}: it means something else all the time");
}

const OWN: &str = r#"
allow = ["POST /containers/create"]

[[rule]]
name = "own"
allow = ["POST /containers/{id}/start", "POST /containers/{id}/kill"]
target.own = true
"#;

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn own_containers_are_reached_and_all_others_are_not() {
    let gate = Gate::before(engine(), OWN);
    let foreign = Still::make(name("foreign"), &[]);
    let made = name("own");
    let body = json!({"Image": image(), "Cmd": ["sleep", "60"]}).to_string();
    let target = format!("/containers/create?name={made}");
    let id = Caller::at(&gate.socket()).json("POST", &target, &body)["Id"].take();
    let own = Still {
        name: made.clone(),
        id: id.as_str().unwrap().to_owned(),
    };

    let start = |name: &str| {
        let target = format!("/containers/{name}/start");
        Caller::at(&gate.socket()).call("POST", &target, "").0
    };
    let outcome = (start(&own.name), start(&foreign.name), start(&foreign.id));
    let other = Gate::before(engine(), OWN);
    let kill = format!("http://docker/containers/{made}/kill");
    let elsewhere = curl(&other.socket(), &["-X", "POST", &kill]).out;
    assert_eq!(outcome, (204, 403, 403));
    assert!(elsewhere.contains("target.own = true"), "{elsewhere}");
}
