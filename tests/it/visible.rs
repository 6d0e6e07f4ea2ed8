//! `[visible]`: what Docker is asked for is no more than what the policy shows, and an object that is not
//! shown is not there.

use crate::support::{Exchange, FakeDocker, Gate, ok};

/// An engine with a container, a network and a volume of the blue team and of the red one.
fn engine() -> FakeDocker {
    FakeDocker::start(serve)
}

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// Name, id and team of all that there is.
fn objects() -> [(&'static str, String, &'static str); 2] {
    [("web", id('a'), "blue"), ("db", id('b'), "red")]
}

fn serve(exchange: &mut Exchange) {
    let body = exchange.read_body();
    let target = exchange.target().to_owned();
    let path = target.split('?').next().unwrap();
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && !part.starts_with("v1."))
        .collect();
    let find = |asked: &str| {
        let mut objects = objects().into_iter();
        objects.find(|(name, id, _)| *name == asked || (asked.len() > 1 && id.starts_with(asked)))
    };
    let answer = match (exchange.method(), &parts[..]) {
        ("GET", ["containers", name, "json"]) => match find(name) {
            Some((name, id, team)) => ok(&serde_json::json!({
                "Id": id, "Name": format!("/{name}"), "Config": {"Image": "app", "Labels": {"team": team}},
            })
            .to_string()),
            None => absent(&format!("No such container: {name}")),
        },
        ("GET", ["networks", name]) => match find(name) {
            Some((name, id, team)) => {
                ok(&serde_json::json!({"Id": id, "Name": name, "Labels": {"team": team}}).to_string())
            }
            None => absent(&format!("network {name} not found")),
        },
        ("GET", ["volumes", name]) => match find(name) {
            Some((name, _, team)) => {
                ok(&serde_json::json!({"Name": name, "Labels": {"team": team}}).to_string())
            }
            None => absent(&format!("get {name}: no such volume")),
        },
        ("GET", ["exec", exec, "json"]) => match *exec {
            "ours" => ok(&format!("{{\"ContainerID\":\"{}\"}}", id('a'))),
            "theirs" => ok(&format!("{{\"ContainerID\":\"{}\"}}", id('b'))),
            other => absent(&format!("No such exec instance: {other}")),
        },
        ("POST", ["containers", "create"]) => {
            let text = format!("{{\"Id\":\"{}\"}}", id(if body.len() > 2 { 'd' } else { 'c' }));
            let head = format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n", text.len());
            format!("{head}{text}").into_bytes()
        }
        _ => ok("[]"),
    };
    exchange.send(&answer);
}

fn absent(message: &str) -> Vec<u8> {
    let body = format!("{{\"message\":\"{message}\"}}");
    format!(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const BLUE: &str = r#"
allow = [
  "GET /events", "GET /containers/json", "GET /networks", "GET /volumes", "POST /containers/prune",
  "GET /containers/{id}/json", "GET /containers/{id}/logs", "POST /containers/{id}/kill", "HEAD /containers/{id}/archive",
  "GET /networks/{id}", "DELETE /networks/{id}", "GET /volumes/{name}", "DELETE /volumes/{name}",
]

[[rule]]
allow = ["GET /exec/{id}/json"]
any_exec = true

[[rule]]
allow = "POST /commit"
body = "unchecked"

[visible]
label = "team=blue"
"#;

/// What the engine heard of callers, the gate's own questions apart.
fn calls(engine: &FakeDocker) -> Vec<String> {
    let requests = engine.requests().into_iter();
    let calls = requests.filter(|request| request.head.get("x-call").is_some());
    calls
        .map(|request| format!("{} {}", request.head.word(0), request.target()))
        .collect()
}

/// Status line, headers and body of an answer.
fn ask(gate: &Gate, method: &str, target: &str) -> (u16, String) {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: d\r\nX-Call: 1\r\n");
    let answer = gate
        .client()
        .send_raw(format!(
            "{head}Connection: close\r\nContent-Length: 0\r\n\r\n"
        ))
        .read_to_eof();
    let text = String::from_utf8(answer).unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

#[test]
fn docker_hears_the_clients_filters_and_the_policys() {
    let engine = engine();
    let gate = Gate::with_policy(&engine, BLUE);
    let ours = "%22label%22:%7B%22team%3Dblue%22:true%7D";
    for (asked, heard) in [
        (
            "/v1.41/containers/json?all=1&filters={%22label%22:[]}".to_owned(),
            format!("/v1.41/containers/json?all=1&filters=%7B{ours}%7D"),
        ),
        (
            "/events?until=1".to_owned(),
            format!("/events?until=1&filters=%7B{ours}%7D"),
        ),
        (
            "/networks".to_owned(),
            format!("/networks?filters=%7B{ours}%7D"),
        ),
        (
            "/volumes?filters={%22name%22:{%22d%22:true}}".to_owned(),
            format!("/volumes?filters=%7B%22name%22:%7B%22d%22:true%7D,{ours}%7D"),
        ),
    ] {
        let before = calls(&engine).len();
        assert_eq!(ask(&gate, "GET", &asked).0, 200, "{asked}");
        assert_eq!(
            calls(&engine)[before..],
            [format!("GET {heard}")],
            "{asked}"
        );
    }
    assert_eq!(ask(&gate, "POST", "/containers/prune").0, 200);
    let pruned = format!("POST /containers/prune?filters=%7B{ours}%7D");
    assert_eq!(calls(&engine).last(), Some(&pruned));
    let record = gate.wait_record("prune", |record| record["operation"] == "ContainerPrune");
    assert!(
        record.to_string().contains("team"),
        "the log tells what went on: {record}"
    );

    let before = calls(&engine).len();
    for asked in [
        "/containers/json?filters={%22label%22:{%22team=blue%22:false}}",
        "/containers/json?filters={}&filters={}",
        "/containers/json?filters={}&%66ilters={}",
        "/containers/json?filters={%22label%22:[%22a%22],%22label%22:[]}",
        "/containers/json?filters=null",
        "/containers/json?filters={%22since%22:[%22db%22]}",
        "/events?filters=[]",
    ] {
        assert_eq!(ask(&gate, "GET", asked).0, 403, "{asked}");
    }
    assert_eq!(calls(&engine).len(), before, "nothing that could show more");
}

#[test]
fn what_is_not_shown_is_answered_as_what_is_not_there() {
    let engine = engine();
    let gate = Gate::with_policy(&engine, BLUE);
    for (method, before, after) in [
        ("GET", "/containers/", "/json"),
        ("GET", "/v1.41/containers/", "/logs?stdout=1"),
        ("POST", "/containers/", "/kill"),
        ("HEAD", "/containers/", "/archive?path=/"),
        ("GET", "/networks/", ""),
        ("DELETE", "/networks/", ""),
        ("GET", "/volumes/", ""),
        ("DELETE", "/volumes/", ""),
        ("POST", "/commit?container=", "&repo=x"),
    ] {
        let at = |name: &str| format!("{before}{name}{after}");
        let questions = engine.requests().len();
        let hidden = ask(&gate, method, &at("db"));
        let missing = ask(&gate, method, &at("no"));
        assert_eq!(hidden.0, 404, "{method} {}", hidden.1);
        assert_eq!(hidden.1.replace("db", "no"), missing.1, "{method} {before}");
        if method != "HEAD" {
            assert!(hidden.1.contains("db"), "{}", hidden.1);
        }
        assert_eq!(engine.requests().len(), questions + 2, "a question each");
        assert!(calls(&engine).is_empty(), "{method} {before}");
    }
    let theirs = ask(&gate, "GET", "/exec/theirs/json");
    let nobodys = ask(&gate, "GET", "/exec/nobody/json");
    assert_eq!(theirs.1.replace("theirs", "nobody"), nobodys.1);
    assert_eq!(theirs.0, 404);
    let prefix = ask(
        &gate,
        "GET",
        &format!("/containers/{}/json", &id('b')[..12]),
    );
    assert_eq!(prefix.0, 404);
    assert!(calls(&engine).is_empty());
    let record = gate.wait_record("hidden", |record| record["reason"] == "hidden");
    assert_eq!(record["decision"], "deny");
    assert_eq!(record["status"], 404);
    gate.wait_record("absent", |record| record["reason"] == "target-absent");
}

#[test]
fn what_is_shown_is_reached_under_its_id() {
    let engine = engine();
    let gate = Gate::with_policy(&engine, BLUE);
    let (web, named) = (id('a'), "GET /volumes/web".to_owned());
    for (method, asked, heard) in [
        (
            "GET",
            "/containers/web/json",
            format!("GET /containers/{web}/json"),
        ),
        (
            "POST",
            "/v1.41/containers/aaa/kill",
            format!("POST /v1.41/containers/{web}/kill"),
        ),
        (
            "HEAD",
            "/containers/web/archive?path=/",
            format!("HEAD /containers/{web}/archive?path=/"),
        ),
        ("DELETE", "/networks/web", format!("DELETE /networks/{web}")),
        ("GET", "/volumes/web", named),
        ("GET", "/exec/ours/json", "GET /exec/ours/json".to_owned()),
        (
            "POST",
            "/commit?container=web&repo=x",
            format!("POST /commit?container={web}&repo=x"),
        ),
    ] {
        let before = calls(&engine).len();
        assert_eq!(ask(&gate, method, asked).0, 200, "{asked}");
        assert_eq!(calls(&engine)[before..], [heard], "{asked}");
    }
}

#[test]
fn a_connect_names_a_container_that_is_shown_or_none() {
    let engine = engine();
    let connect = "allow = \"POST /networks/{id}/connect\"";
    for more in [
        "",
        "body = \"unchecked\"",
        "connect.container.label = \"team\"",
    ] {
        let policy = format!("[[rule]]\n{connect}\n{more}\n[visible]\nlabel = \"team=blue\"\n");
        let gate = Gate::with_policy(&engine, &policy);
        let ask = |network: &str, container: &str| {
            let body = format!("{{\"Container\": \"{container}\"}}");
            let head =
                format!("POST /networks/{network}/connect HTTP/1.1\r\nHost: d\r\nX-Call: 1\r\n");
            let head = format!("{head}Connection: close\r\nContent-Type: application/json\r\n");
            let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            let answer = gate.client().send_raw(request).read_to_eof();
            String::from_utf8(answer).unwrap()
        };
        let before = calls(&engine).len();
        let hidden = ask("web", "db");
        assert!(hidden.starts_with("HTTP/1.1 404"), "{more}: {hidden}");
        assert!(hidden.contains("No such container: db"), "{hidden}");
        assert_eq!(hidden.replace("db", "no"), ask("web", "no"), "{more}");
        let hidden = ask("db", "web");
        assert!(hidden.contains("network db not found"), "{hidden}");
        assert_eq!(calls(&engine).len(), before, "{more}");

        assert!(ask("web", "web").starts_with("HTTP/1.1 200"), "{more}");
        let heard = engine.requests().pop().unwrap();
        assert_eq!(heard.target(), format!("/networks/{}/connect", id('a')));
        let body = format!("{{\"Container\": \"{}\"}}", id('a'));
        assert_eq!(String::from_utf8_lossy(heard.payload()), body);
    }
}

#[test]
fn own_is_what_was_created_through_the_socket() {
    let engine = engine();
    let policy = r#"
allow = [
  "POST /containers/create", "GET /containers/json", "GET /containers/{id}/json", "GET /networks",
  "GET /volumes", "GET /events",
]
[visible]
own = true
"#;
    let state = tempfile::tempdir().unwrap();
    let state = ["--state-dir", state.path().to_str().unwrap()];
    let heard = |gate: &Gate, path: &str| {
        let before = calls(&engine).len();
        assert_eq!(ask(gate, "GET", path).0, 200, "{path}");
        calls(&engine)[before].clone()
    };
    let shown = |id: String| format!("%7B%22id%22:%7B%22{id}%22:true%7D%7D");
    let gate = Gate::start(engine.path(), policy, &state);
    let nothing = format!("GET /containers/json?filters={}", shown(id('0')));
    assert_eq!(heard(&gate, "/containers/json"), nothing);
    assert_eq!(gate.client().post("/containers/create", "{}").status(), 201);
    let own = format!("GET /containers/json?filters={}", shown(id('c')));
    assert_eq!(heard(&gate, "/containers/json"), own);
    drop(gate);

    let gate = Gate::start(engine.path(), policy, &state);
    assert_eq!(heard(&gate, "/containers/json"), own, "it survives");
    let networks = format!("GET /networks?filters={}", shown(id('0')));
    assert_eq!(heard(&gate, "/networks"), networks);
    assert_eq!(ask(&gate, "GET", "/containers/web/json").0, 404);
    let before = calls(&engine).len();
    for path in ["/volumes", "/events"] {
        let (status, text) = ask(&gate, "GET", path);
        assert_eq!(status, 403, "{path}");
        assert!(text.contains("`[visible] own`"), "{text}");
    }
    assert_eq!(calls(&engine).len(), before);
}
