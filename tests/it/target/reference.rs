//! Services and images, by every way to write them: what reaches Docker is about the object that was judged.

use crate::support::{Exchange, FakeDocker, Gate, ok};

use super::status;

/// Something that an engine has.
#[derive(Clone)]
struct Thing {
    id: String,
    names: Vec<String>,
    document: String,
}

impl Thing {
    fn service(id: &str, name: &str, tier: &str) -> Self {
        let document = serde_json::json!({
            "ID": id,
            "Spec": {
                "Name": name,
                "Labels": {"tier": tier},
                "TaskTemplate": {"ContainerSpec": {"Image": format!("acme/{name}:1")}},
            },
        });
        Self {
            id: id.to_owned(),
            names: vec![name.to_owned()],
            document: document.to_string(),
        }
    }

    fn image(digit: char, names: &[&str], tier: &str) -> Self {
        let id = format!("sha256:{}", digit.to_string().repeat(64));
        let (digests, tags): (Vec<&str>, Vec<&str>) = names.iter().partition(|n| n.contains('@'));
        let document = serde_json::json!({
            "Id": id, "RepoTags": tags, "RepoDigests": digests,
            "Config": {"Labels": {"tier": tier}},
        });
        let names = names.iter().map(|name| (*name).to_owned());
        Self {
            names: names.collect(),
            document: document.to_string(),
            id,
        }
    }
}

/// An engine that finds names and ids first, and then whatever id begins like that.
fn engine(things: Vec<Thing>) -> FakeDocker {
    FakeDocker::start(move |exchange: &mut Exchange| {
        exchange.read_body();
        let target = exchange.target().to_owned();
        let question = exchange.method() == "GET" && !target.contains('?');
        let name = ["/services/", "/images/"]
            .iter()
            .find_map(|head| target.strip_prefix(head))
            .map(|rest| rest.strip_suffix("/json").unwrap_or(rest));
        let (true, Some(name)) = (question, name) else {
            exchange.send(b"HTTP/1.1 204 No Content\r\n\r\n");
            return;
        };
        let exact = |thing: &&Thing| thing.id == name || thing.names.iter().any(|n| n == name);
        let begins = |thing: &&Thing| {
            let hex = thing.id.strip_prefix("sha256:").unwrap_or(&thing.id);
            hex.starts_with(name) || thing.id.starts_with(name)
        };
        let found: Vec<&Thing> = match things.iter().find(exact) {
            Some(thing) => vec![thing],
            None => things.iter().filter(begins).collect(),
        };
        let answer = match found[..] {
            [thing] => ok(&thing.document),
            [] => status("404 Not Found", &format!("{name} not found")),
            _ => status("400 Bad Request", "ambiguous"),
        };
        exchange.send(&answer);
    })
}

/// What callers' requests came to, the gate's own questions apart.
fn heard(docker: &FakeDocker) -> Vec<String> {
    let requests = docker.requests().into_iter();
    let calls = requests.filter(|request| request.head.get("x-call").is_some());
    calls
        .map(|request| format!("{} {}", request.head.word(0), request.target()))
        .collect()
}

/// Asks for something that ends in a query, so that the engine above tells it from a question.
fn call(gate: &Gate, method: &str, target: &str, body: &str) -> u16 {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: d\r\nX-Call: 1\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    gate.client().send_raw(request).read_response().status()
}

const WEB: &str = "ak7y2n0w1qv5m8d3x9z4c6b1t";
const TWIN: &str = "ak7ohh1w1qv5m8d3x9z4c6b1t";
const DB: &str = "q3m5s8n0w1qv5m8d3x9z4c6b1";

#[test]
fn services() {
    let docker = engine(vec![
        Thing::service(WEB, "web", "front"),
        Thing::service(TWIN, "twin", "front"),
        Thing::service(DB, "db", "data"),
    ]);
    let calls = [
        ("GET", "?insertDefaults=true", ""),
        (
            "POST",
            "/update?version=7",
            r#"{"Name":"web","TaskTemplate":{"ContainerSpec":{"Image":"acme/web:2"}}}"#,
        ),
        ("GET", "/logs?stdout=1", ""),
        ("DELETE", "?x=", ""),
    ];
    for line in [
        "target.label = \"tier=front\"",
        "target.name = [\"web\", \"twin\"]",
        "target.image = [\"acme/web:*\", \"acme/twin:1\"]",
    ] {
        let policy = format!(
            "[[rule]]\nallow = [\"GET,DELETE /services/{{id}}\", \"POST /services/{{id}}/update\", \
             \"GET /services/{{id}}/logs\"]\n{line}\n"
        );
        let gate = Gate::with_policy(&docker, &policy);
        for (method, rest, body) in calls {
            // Of both others' ids only more than three letters are this one's alone.
            let allowed = (4..=WEB.len()).map(|length| &WEB[..length]).chain(["web"]);
            for spelled in allowed {
                let before = heard(&docker).len();
                let target = format!("/services/{spelled}{rest}");
                assert_eq!(call(&gate, method, &target, body), 204, "{line} {target}");
                let about = format!("{method} /services/{WEB}{rest}");
                assert_eq!(heard(&docker)[before..], [about], "{line} {target}");
            }
            let before = heard(&docker).len();
            let foreign = (1..=DB.len()).map(|length| &DB[..length]);
            let doubtful = (1..=3).map(|length| &WEB[..length]);
            for spelled in foreign.chain(doubtful).chain(["db"]) {
                let target = format!("/services/{spelled}{rest}");
                assert_eq!(call(&gate, method, &target, body), 403, "{line} {target}");
            }
            let nobody = format!("/services/nobody{rest}");
            assert_eq!(call(&gate, method, &nobody, body), 404);
            assert_eq!(heard(&docker).len(), before, "{line} {method} {rest}");
        }
    }
}

#[test]
fn images_by_tag_digest_and_id() {
    let digest = |digit: &str| format!("ghcr.io/acme/app@sha256:{}", digit.repeat(64));
    let (ours, theirs) = (digest("5"), digest("6"));
    let docker = engine(vec![
        Thing::image('a', &["ghcr.io/acme/app:1", &ours], "front"),
        Thing::image('b', &["ghcr.io/acme/app:2", "db:latest", &theirs], "data"),
    ]);
    for line in [
        "target.label = \"tier=front\"",
        "target.name = \"ghcr.io/acme/app:1\"",
    ] {
        let policy = format!("[[rule]]\nallow = \"POST /images/{{name}}/tag\"\n{line}\n");
        let gate = Gate::with_policy(&docker, &policy);
        let tag = |name: &str| call(&gate, "POST", &format!("/images/{name}/tag?repo=x"), "");
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let ids = |id: &str| {
            let hex = (1..=64).map(|length| id[..length].to_owned());
            let hex: Vec<String> = hex.collect();
            let full = format!("sha256:{id}");
            [hex, vec![full]].concat()
        };
        let allowed = ids(&a).into_iter();
        for name in allowed.chain(["ghcr.io/acme/app:1".to_owned(), ours.clone()]) {
            let before = heard(&docker).len();
            assert_eq!(tag(&name), 204, "{line} {name}");
            let about = format!("POST /images/sha256:{a}/tag?repo=x");
            assert_eq!(heard(&docker)[before..], [about], "{line} {name}");
        }
        let before = heard(&docker).len();
        let foreign = ids(&b).into_iter();
        let named = ["ghcr.io/acme/app:2", "db:latest", &theirs].map(str::to_owned);
        for name in foreign.chain(named) {
            assert_eq!(tag(&name), 403, "{line} {name}");
        }
        assert_eq!(tag("nobody:1"), 404);
        assert_eq!(heard(&docker).len(), before, "{line}");
    }
}
