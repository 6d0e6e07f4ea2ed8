//! Every way to write which object is meant: it is the object itself, or nothing.
//!
//! What a spelling means is asked from the engine itself. What it means to the gate is that very object if
//! the rule is about it, Docker's own 404 if there is none, and a refusal otherwise.

#![expect(
    clippy::too_many_lines,
    reason = "each scene is one way from a spelling to its object"
)]

use serde_json::{Value, json};

use super::caller::Caller;
use super::{Image, Network, Still, beginnings, while_meaning};
use crate::stage::{Gate, engine, name};

/// What the gate must answer to a reference that means this to the engine.
fn expected(meant: &Result<String, u16>, mine: &str) -> u16 {
    match meant {
        Ok(id) if id == mine => 200,
        Err(404) => 404,
        Ok(_) | Err(_) => 403,
    }
}

fn id_of(text: &str) -> String {
    let document: Value = serde_json::from_str(text).unwrap();
    document["Id"].as_str().unwrap().to_owned()
}

/// Makes more of them until one has an id that begins like this one's.
fn crowd<T>(like: &str, make: impl Fn() -> T, id: impl Fn(&T) -> &str) -> Vec<T> {
    let mut all = Vec::new();
    while all.last().is_none_or(|last| id(last)[..1] != like[..1]) {
        assert!(all.len() < 300, "one in sixteen begins like it");
        all.push(make());
    }
    all
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn containers() {
    let policy = r#"
[[rule]]
name = "mine"
allow = ["GET /containers/{id}/json", "POST /containers/{id}/update"]
target.label = "mine=yes"
"#;
    let gate = Gate::before(engine(), policy);
    let mine = Still::make(name("mine"), &[("mine", "yes")]);
    let theirs = Still::make(name("theirs"), &[("mine", "no")]);
    let others = crowd(
        &mine.id,
        || Still::make(name("crowd"), &[]),
        |still| &still.id,
    );
    let links = json!({"Links": [format!("{}:alias", mine.name)]});
    let linked = Still::with(name("linked"), &[], &links);

    let mut caller = Caller::at(&gate.socket());
    let (mut reached, mut ambiguous, mut shares) = (0, 0, 1);
    for still in [&mine, &theirs] {
        let spelled = [still.name.as_str()].into_iter();
        for spelled in spelled.chain(beginnings(&still.id)) {
            shares += 1;
            let inspect = format!("/containers/{spelled}/json");
            let update = format!("/containers/{spelled}/update");
            let body = json!({"CpuShares": shares}).to_string();
            let (meant, (read, written)) = while_meaning(&inspect, || {
                let read = caller.call("GET", &inspect, "");
                (read, caller.call("POST", &update, &body).0)
            });
            let expected = expected(&meant, &mine.id);
            assert_eq!(
                (read.0, written),
                (expected, expected),
                "{spelled}: {}",
                read.1
            );
            if expected == 200 {
                assert_eq!(id_of(&read.1), mine.id, "{spelled}");
                assert_eq!(mine.shares(), shares, "{spelled}");
                reached += 1;
            }
            ambiguous += usize::from(matches!(meant, Err(status) if status != 404));
        }
    }
    assert!(reached > 40, "it was reached {reached} times");
    assert!(ambiguous > 0, "one of them begins like it");
    for still in others.iter().chain([&theirs]) {
        assert_eq!(still.shares(), 0, "{} was never touched", still.name);
    }
    // What Docker takes, too, and no name is.
    for spelled in [
        format!("%2F{}", mine.name),
        format!("/{}", mine.name),
        format!("{}/alias", linked.name),
        format!("{}%2Falias", linked.name),
    ] {
        let (status, _) = caller.call("GET", &format!("/containers/{spelled}/json"), "");
        assert!([400, 403].contains(&status), "{spelled}: {status}");
    }
    let (status, text) = caller.call("GET", "/containers/nobody/json", "");
    assert_eq!(status, 404);
    assert!(text.contains("No such container: nobody"), "{text}");
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn networks() {
    let policy = r#"
[[rule]]
name = "mine"
allow = ["GET,DELETE /networks/{id}"]
target.label = "mine=yes"
"#;
    let gate = Gate::before(engine(), policy);
    let mine = Network::make(name("mine"), "yes", None);
    let theirs = Network::make(name("theirs"), "no", None);
    let others = crowd(
        &mine.id,
        || Network::make(name("crowd"), "no", None),
        |network| &network.id,
    );
    let before = theirs.inspect();
    let mut caller = Caller::at(&gate.socket());
    let (mut reached, mut ambiguous) = (0, 0);
    for network in [&mine, &theirs] {
        let spelled = [network.name.as_str()].into_iter();
        for spelled in spelled.chain(beginnings(&network.id)) {
            let target = format!("/networks/{spelled}");
            let (meant, (status, text)) =
                while_meaning(&target, || caller.call("GET", &target, ""));
            let expected = expected(&meant, &mine.id);
            assert_eq!(status, expected, "{spelled}: {text}");
            if expected == 200 {
                assert_eq!(id_of(&text), mine.id, "{spelled}");
                reached += 1;
            } else {
                assert_eq!(caller.call("DELETE", &target, "").0, expected, "{spelled}");
            }
            ambiguous += usize::from(matches!(meant, Err(status) if status != 404));
        }
    }
    assert!(reached > 40, "it was reached {reached} times");
    assert!(ambiguous > 0, "one of them begins like it");
    assert_eq!(theirs.inspect(), before);
    let target = format!("/networks/{}", &mine.id[..20]);
    assert_eq!(caller.call("DELETE", &target, "").0, 204);
    let gone = Caller::at(engine()).call("GET", &format!("/networks/{}", mine.id), "");
    assert_eq!(gone.0, 404);
    for network in others.iter().chain([&theirs]) {
        network.inspect();
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn networks_of_one_name_are_told_apart_by_nothing_but_their_ids() {
    let gate = Gate::before(
        engine(),
        "[[rule]]\nallow = \"GET /networks/{id}\"\ntarget.label = \"mine=yes\"\n",
    );
    let mine = Network::make(name("twin"), "yes", None);
    let body = json!({"Name": mine.name, "ConfigOnly": true, "CheckDuplicate": false});
    let (status, text) = Caller::at(engine()).call("POST", "/networks/create", &body.to_string());
    if status == 409 {
        eprintln!("this engine has no two networks of one name");
        return;
    }
    let theirs = Network {
        name: mine.name.clone(),
        id: id_of(&text),
    };
    let get = |spelled: &str| {
        let target = format!("/networks/{spelled}");
        Caller::at(&gate.socket()).call("GET", &target, "").0
    };
    assert_eq!(get(&mine.name), 403);
    assert_eq!((get(&mine.id), get(&theirs.id)), (200, 403));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn volumes() {
    let policy = r#"
[[rule]]
name = "mine"
allow = ["GET,DELETE /volumes/{name}"]
target.label = "mine=yes"
"#;
    let gate = Gate::before(engine(), policy);
    let mut direct = Caller::at(engine());
    let mut make = |label: &str| {
        let body = json!({"Name": name("volume"), "Labels": {"mine": label}});
        let made = direct.json("POST", "/volumes/create", &body.to_string());
        made["Name"].as_str().unwrap().to_owned()
    };
    let (mine, theirs) = (make("yes"), make("no"));
    let mut caller = Caller::at(&gate.socket());
    for volume in [&mine, &theirs] {
        for spelled in beginnings(volume) {
            let target = format!("/volumes/{spelled}");
            let (meant, (status, text)) =
                while_meaning(&target, || caller.call("GET", &target, ""));
            let expected = expected(&meant, &mine);
            assert_eq!(status, expected, "{spelled}: {text}");
            if expected != 200 {
                assert_eq!(caller.call("DELETE", &target, "").0, expected, "{spelled}");
            }
        }
    }
    let target = |volume: &str| format!("/volumes/{volume}");
    assert_eq!(caller.call("GET", &target(&mine), "").0, 200);
    assert_eq!(caller.call("DELETE", &target(&mine), "").0, 204);
    assert_eq!(direct.call("GET", &target(&mine), "").0, 404);
    assert_eq!(
        direct.call("DELETE", &target(&theirs), "").0,
        204,
        "it is there"
    );
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn images() {
    let policy = r#"
[[rule]]
name = "mine"
allow = ["GET /images/{name}/json", "POST /images/{name}/tag", "DELETE /images/{name}"]
target.label = "mine=yes"
"#;
    let gate = Gate::before(engine(), policy);
    let mine = Image::make(format!("{}/part-b", name("a")), "yes");
    let theirs = Image::make(format!("localhost:5000/{}/part-b", name("a")), "no");
    let before = theirs.inspect();
    let mut caller = Caller::at(&gate.socket());
    let (mut reached, mut refused) = (0, 0);
    let caught = name("caught");
    for (number, image) in [&mine, &theirs].into_iter().enumerate() {
        let hex = image.id.strip_prefix("sha256:").unwrap();
        let repository = &image.repository;
        let mut spelled: Vec<String> = beginnings(hex).map(str::to_owned).collect();
        spelled.extend(beginnings(hex).map(|hex| format!("sha256:{hex}")));
        spelled.extend([
            repository.clone(),
            format!("{repository}:latest"),
            format!("{repository}:v1"),
            format!("docker.io/{repository}:v1"),
            format!("index.docker.io/{repository}"),
            format!("{repository}@{}", image.id),
            format!("{repository}:v2"),
        ]);
        for (nth, spelled) in spelled.iter().enumerate() {
            let target = format!("/images/{spelled}/json");
            let tag = format!("/images/{spelled}/tag?repo={caught}&tag={number}-{nth}");
            let (meant, (read, tagged)) = while_meaning(&target, || {
                let read = caller.call("GET", &target, "");
                (read, caller.call("POST", &tag, "").0)
            });
            let expected = expected(&meant, &mine.id);
            if read.0 == 400 {
                // What has no single reading is no reference to the gate.
                assert_eq!(tagged, 400, "{spelled}");
                assert_ne!(expected, 200, "{spelled}: {}", read.1);
                continue;
            }
            assert_eq!(read.0, expected, "{spelled}: {}", read.1);
            let caught = format!("/images/{caught}:{number}-{nth}/json");
            let caught = Caller::at(engine()).call("GET", &caught, "");
            if expected == 200 {
                assert_eq!(id_of(&read.1), mine.id, "{spelled}");
                assert_eq!(
                    (tagged, id_of(&caught.1)),
                    (201, mine.id.clone()),
                    "{spelled}"
                );
                reached += 1;
            } else {
                assert_eq!((tagged, caught.0), (expected, 404), "{spelled}");
                let gone = caller.call("DELETE", &format!("/images/{spelled}"), "");
                assert_eq!(gone.0, expected, "{spelled}");
                refused += 1;
            }
        }
    }
    assert!(
        reached > 80 && refused > 80,
        "{reached} reached, {refused} refused"
    );
    assert_eq!(theirs.inspect(), before);
    let untag = format!("/images/{}:v1", mine.repository);
    assert_eq!(caller.call("DELETE", &untag, "").0, 200);
}
