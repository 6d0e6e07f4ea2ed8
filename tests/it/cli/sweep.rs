//! `quaygate sweep`: what it says and what it asks of an engine that is a script.

use std::fs;

use serde_json::json;

use super::{Desk, Ended, PING};
use crate::support::{Exchange, FakeDocker, ok};

const OWN: &str = "[[rule]]\nallow = \"DELETE /containers/{id}\"\ntarget.own = true\n";

fn id(digit: &str) -> String {
    digit.repeat(64)
}

/// A desk with a policy that remembers, and what its gate wrote down.
fn desk(made: &str) -> Desk {
    Desk::new().with("ci.toml", OWN).with("state/ci/made", made)
}

fn sweep(desk: &Desk, docker: &FakeDocker, arguments: &[&str]) -> Ended {
    let address = format!("unix://{}", docker.path().display());
    let all = [
        "sweep",
        "./ci.toml",
        "--state-dir",
        "state",
        "--docker",
        &address,
    ];
    desk.quaygate(&[&all, arguments].concat())
}

/// Two containers, one of them gone, a network that somebody is on, and a volume that was made anew since.
fn made() -> String {
    let (a, b, c, n) = (id("a"), id("b"), id("c"), id("d"));
    format!(
        "container {a}\ncontainer {b}\ncontainer {c}\nnetwork {n}\n\
         volume cache 2026-01-02T03:04:05Z\nvolume other 2026-01-02T03:04:05Z\n"
    )
}

/// An engine on which they are, and others of which nobody asked. A network goes once `free`.
fn engine(free: bool) -> FakeDocker {
    FakeDocker::start(move |exchange| serve(exchange, free))
}

fn serve(exchange: &mut Exchange, free: bool) {
    exchange.read_body();
    let (method, target) = (exchange.method().to_owned(), exchange.target().to_owned());
    let path = target.split('?').next().unwrap();
    let volume = |name: &str, created: &str| {
        ok(&json!({"Name": name, "Driver": "local", "CreatedAt": created}).to_string())
    };
    let network = json!({
        "Id": id("d"), "Name": "ci-net", "Driver": "bridge",
        "Containers": if free { json!({}) } else { json!({ id("e"): {"Name": "web"} }) },
    });
    let answer = match (method.as_str(), path) {
        ("GET", "/containers/json") => ok(&json!([
            container("a", "job-1", "running", "Up 2 hours"),
            container("b", "job-2", "exited", "Exited (0) 3 days ago"),
            container("f", "web", "running", "Up 5 days"),
        ])
        .to_string()),
        ("GET", "/networks") => ok(&json!([network, {"Id": id("1")}]).to_string()),
        ("GET", _) if path.starts_with("/networks/") => ok(&network.to_string()),
        ("GET", "/volumes/cache") => volume("cache", "2026-01-02T03:04:05Z"),
        ("GET", "/volumes/other") => volume("other", "2026-06-07T08:09:10Z"),
        ("DELETE", _) if path.starts_with("/networks/") && !free => {
            let text = json!({"message": "error while removing network: it has active endpoints"});
            let text = text.to_string();
            let length = text.len();
            format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\n\r\n{text}").into_bytes()
        }
        _ => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    };
    exchange.send(&answer);
}

fn container(digit: &str, name: &str, state: &str, status: &str) -> serde_json::Value {
    json!({
        "Id": id(digit), "Names": [format!("/web/{name}"), format!("/{name}")],
        "Image": "alpine:3", "State": state, "Status": status,
    })
}

/// What the engine was asked to change.
fn changes(docker: &FakeDocker) -> Vec<String> {
    let requests = docker.requests().into_iter();
    let changes = requests.filter(|request| request.head.word(0) != "GET");
    changes
        .map(|request| format!("{} {}", request.head.word(0), request.target()))
        .collect()
}

#[test]
fn what_was_made_and_is_left_is_told_and_removed_and_nothing_else() {
    let (desk, docker) = (desk(&made()), engine(true));
    let tried = sweep(&desk, &docker, &["--dry-run"]);
    assert_eq!((tried.code, changes(&docker)), (0, vec![]));
    insta::assert_snapshot!(tried.out, @r#"
    created through the socket of `ci`, still there, and to be removed without --dry-run:

      container  aaaaaaaaaaaa  job-1   alpine:3  Up 2 hours
      container  bbbbbbbbbbbb  job-2   alpine:3  Exited (0) 3 days ago
      network    dddddddddddd  ci-net  bridge
      volume     -             cache   local

    2 containers, 1 network, 1 volume would go; nothing was removed
    "#);
    let swept = sweep(&desk, &docker, &[]);
    assert_eq!((swept.code, swept.err.as_str()), (0, ""));
    insta::assert_snapshot!(swept.out, @r#"
    created through the socket of `ci`, still there, and about to be removed:

      container  aaaaaaaaaaaa  job-1   alpine:3  Up 2 hours
      container  bbbbbbbbbbbb  job-2   alpine:3  Exited (0) 3 days ago
      network    dddddddddddd  ci-net  bridge
      volume     -             cache   local

    removed 2 containers, 1 network, 1 volume
    "#);
    let container = |digit| format!("DELETE /containers/{}?force=1&v=1", id(digit));
    assert_eq!(
        changes(&docker),
        [
            container("a"),
            container("b"),
            format!("DELETE /networks/{}", id("d")),
            "DELETE /volumes/cache".to_owned(),
        ]
    );
    let file = fs::read_to_string(desk.path("state/ci/made")).unwrap();
    assert_eq!(file, made(), "it belongs to the gate");
}

#[test]
fn what_cannot_be_removed_is_named_with_the_engines_words() {
    let (desk, docker) = (desk(&made()), engine(false));
    let swept = sweep(&desk, &docker, &[]);
    assert_eq!(swept.code, 1);
    insta::assert_snapshot!(swept.out, @r#"
    created through the socket of `ci`, still there, and about to be removed:

      container  aaaaaaaaaaaa  job-1   alpine:3  Up 2 hours
      container  bbbbbbbbbbbb  job-2   alpine:3  Exited (0) 3 days ago
      network    dddddddddddd  ci-net  bridge    on it: web
      volume     -             cache   local

    failed: network ci-net (dddddddddddd) is still there: error while removing network: it has active endpoints
    removed 2 containers, 1 volume
    "#);
    assert_eq!(changes(&docker).last().unwrap(), "DELETE /volumes/cache");
}

#[test]
fn programs_read_the_same() {
    let (desk, docker) = (desk(&made()), engine(false));
    let document = sweep(&desk, &docker, &["--format", "json"]).json();
    let told = &document["objects"][2];
    assert_eq!(document["schema"], "quaygate/sweep/1");
    assert_eq!(
        (&document["removed"], &document["failed"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(document["remembered"], 6);
    assert_eq!(
        (&told["kind"], &told["name"]),
        (&json!("network"), &json!("ci-net"))
    );
    assert_eq!(told["removed"], false);
    assert!(
        told["problem"]
            .as_str()
            .unwrap()
            .contains("active endpoints")
    );
    assert_eq!(document["objects"][0]["state"], "running");

    let tried = sweep(&desk, &docker, &["--format", "json", "--dry-run"]).json();
    assert_eq!(
        (&tried["removed"], &tried["failed"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn nothing_to_sweep_says_why() {
    let docker = engine(true);
    let mut said = String::new();
    for desk in [
        Desk::new().with("ci.toml", PING),
        Desk::new().with("ci.toml", OWN),
        desk(""),
        desk(&format!("container {}\n", id("0"))),
    ] {
        let swept = sweep(&desk, &docker, &[]);
        assert_eq!((swept.code, swept.err.as_str()), (0, ""));
        said.push_str(&swept.out);
    }
    assert!(changes(&docker).is_empty());
    insta::assert_snapshot!(said, @r#"
    nothing to sweep: no rule of `ci` says `target.own`, so its gate does not remember what is created
      write `target.own = true` into a rule, for example into the one that removes containers: from the gate's
      next start on it remembers; what was created before is nobody's
    nothing to sweep: no gate has remembered anything for `ci` in @@DIR@@/state/ci/made
      if yours was started with --state-dir, say the same here; if it runs in a container, sweep in there
    nothing to sweep: @@DIR@@/state/ci/made remembers nothing
    nothing to sweep: of 1 object created through the socket of `ci` none is left
    "#);
}

#[test]
fn what_keeps_it_from_sweeping_is_told_with_its_exit_code() {
    let desk = desk(&made());
    let missing = "unix:///nonexistent/docker.sock";
    let all = [
        "sweep",
        "./ci.toml",
        "--state-dir",
        "state",
        "--docker",
        missing,
    ];
    let unreachable = desk.quaygate(&all).refusal();
    assert!(unreachable.starts_with(
        "warning: cannot reach Docker at unix:///nonexistent/docker.sock: there is no such file\n"
    ));
    assert!(
        unreachable.ends_with("error: nothing was removed\nexit 3"),
        "{unreachable}"
    );
    let docker = engine(true);
    fs::remove_file(desk.path("state/ci/made")).unwrap();
    fs::create_dir(desk.path("state/ci/made")).unwrap();
    insta::assert_snapshot!(sweep(&desk, &docker, &[]).refusal(), @r#"
    error: cannot read @@DIR@@/state/ci/made: is a directory
    exit 2
    "#);
    insta::assert_snapshot!(desk.quaygate(&["sweep", "read-onyl"]).refusal(), @r#"
    error: there is no built-in policy `read-onyl`; did you mean `read-only`?
    exit 2
    "#);
    let two = desk.with("p/a.toml", OWN).with("p/b.toml", OWN);
    insta::assert_snapshot!(two.quaygate(&["sweep", "./p"]).refusal(), @r#"
    error: `./p` holds several policies: name one file of it
    exit 2
    "#);
}
