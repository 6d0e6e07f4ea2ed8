//! Rules about the container that the body of a connect names: the container that was judged is the one
//! that Docker hears of, by its full id.

use super::{Container, Engine};
use crate::support::{Client, Gate};

const FRONT: &str = r#"
[[rule]]
name = "join"
allow = ["POST /networks/{id}/connect", "POST /networks/{id}/disconnect"]
connect.container.label = "tier=front"
"#;

/// An engine with `web`, which rules are about, and `db`, which they are not.
fn engine() -> Engine {
    let engine = Engine::start();
    *engine.containers.lock().unwrap() = vec![
        Container::new('a', "web", &[("tier", "front")]),
        Container::new('b', "db", &[("tier", "data")]),
    ];
    engine
}

/// Sends a body as a client does.
fn send(gate: &Gate, target: &str, body: &str) -> (u16, String) {
    send_by(gate.client(), target, body)
}

pub(super) fn send_by(mut client: Client, target: &str, body: &str) -> (u16, String) {
    let answer = client
        .send_raw(format!(
            "POST {target} HTTP/1.1\r\nHost: d\r\nX-Call: 1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .read_response();
    let text = answer.text();
    (answer.status(), text)
}

pub(super) fn named(name: &str) -> String {
    format!("{{\"Container\":\"{name}\"}}")
}

/// What callers' requests came to: their targets and bodies.
fn heard(engine: &Engine) -> Vec<(String, String)> {
    let requests = engine.docker.requests().into_iter();
    let calls = requests.filter(|request| request.head.get("x-call").is_some());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    calls
        .map(|request| (request.target().to_owned(), text(request.payload())))
        .collect()
}

/// How often the gate asked which container somebody means.
fn questions(engine: &Engine) -> usize {
    let requests = engine.docker.requests().into_iter();
    let asked = requests.filter(|request| request.target().starts_with("/containers/"));
    asked.count()
}

#[test]
fn however_the_body_names_it_docker_hears_of_the_container_that_was_judged() {
    let engine = engine();
    let gate = Gate::with_policy(&engine.docker, FRONT);
    let (web, db) = ("a".repeat(64), "b".repeat(64));
    for verb in ["connect", "disconnect"] {
        let target = format!("/v1.41/networks/front/{verb}");
        for spelled in ["web", "/web", &web, &web[..12], "aa", "w\\u0065b", "\\/web"] {
            let before = heard(&engine).len();
            let (status, text) = send(&gate, &target, &named(spelled));
            assert_eq!(status, 204, "{spelled}: {text}");
            let heard = heard(&engine);
            assert_eq!(
                heard[before..],
                [(target.clone(), named(&web))],
                "{spelled}"
            );
        }
        let before = heard(&engine).len();
        for spelled in ["db", "/db", &db, &db[..12], "b", "d\\u0062"] {
            let (status, text) = send(&gate, &target, &named(spelled));
            assert_eq!(status, 403, "{spelled}");
            assert!(text.contains("the container that its body names"), "{text}");
        }
        assert_eq!(heard(&engine).len(), before, "nothing about another one");
    }
}

#[test]
fn nothing_else_of_the_body_changes() {
    let engine = engine();
    let gate = Gate::with_policy(&engine.docker, FRONT);
    let body = |name: &str| {
        format!(
            "{{ \"EndpointConfig\" : {{\"Aliases\":[\"web\", \"Container\"],\"GwPriority\":1}},\n\t\"Container\":\"{name}\" }}\n"
        )
    };
    assert_eq!(send(&gate, "/networks/front/connect", &body("web")).0, 204);
    let (_, heard) = heard(&engine).pop().unwrap();
    assert_eq!(heard, body(&"a".repeat(64)));
}

#[test]
fn a_text_that_is_no_name_is_refused_and_not_even_asked_about() {
    let engine = engine();
    let gate = Gate::with_policy(&engine.docker, FRONT);
    for body in [
        named("/web/db"),
        named("web/db"),
        named("//web"),
        named(""),
        named("/"),
        named("web/json?x="),
        named("../containers/web"),
        named("w%65b"),
        named("web "),
        named("w\\u0000eb"),
        named(&"w".repeat(20_000)),
        "{\"Container\":null}".to_owned(),
        "{}".to_owned(),
    ] {
        for verb in ["connect", "disconnect"] {
            let (status, text) = send(&gate, &format!("/networks/front/{verb}"), &body);
            assert_eq!(status, 403, "{body}");
            assert!(text.contains("could not be found out"), "{text}");
        }
    }
    assert_eq!((heard(&engine).len(), questions(&engine)), (0, 0));
}

#[test]
fn a_slash_before_it_makes_it_a_name_and_never_an_id() {
    let engine = engine();
    let gate = Gate::with_policy(&engine.docker, FRONT);
    for spelled in ["/aa".to_owned(), format!("/{}", "a".repeat(64))] {
        let (status, _) = send(&gate, "/networks/front/connect", &named(&spelled));
        assert_eq!(status, 403, "{spelled}");
    }
    assert!(heard(&engine).is_empty());
}

#[test]
fn a_name_that_changes_hands_leads_nowhere_else() {
    let engine = engine();
    let gate = Gate::with_policy(&engine.docker, FRONT);
    let join = |name: &str| send(&gate, "/networks/front/connect", &named(name)).0;
    assert_eq!(join("web"), 204);
    {
        let mut containers = engine.containers.lock().unwrap();
        containers[0].name = "old".to_owned();
        containers[1].name = "web".to_owned();
    }
    assert_eq!(join("web"), 403);
    assert_eq!(join("old"), 204);
    let bodies: Vec<_> = heard(&engine).into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, [named(&"a".repeat(64)), named(&"a".repeat(64))]);
}

#[test]
fn a_missing_container_is_dockers_own_answer_and_a_doubt_is_refused() {
    let engine = engine();
    let mut twin = Container::new('a', "twin", &[("tier", "front")]);
    twin.id = format!("aaab{}", "c".repeat(60));
    engine.containers.lock().unwrap().push(twin);
    let gate = Gate::with_policy(&engine.docker, FRONT);

    // With force, Docker would look for an endpoint of that name.
    let body = "{\"Container\":\"nobody\",\"Force\":true}";
    let (status, text) = send(&gate, "/networks/front/disconnect", body);
    assert_eq!(status, 404);
    assert!(text.contains("No such container: nobody"), "{text}");
    let (status, text) = send(&gate, "/networks/front/connect", &named("aaa"));
    assert_eq!(status, 403);
    assert!(text.contains("could not be found out"), "{text}");
    assert!(heard(&engine).is_empty());
    for reason in ["target-absent", "target-unclear"] {
        gate.wait_record(reason, |record| record["reason"] == reason);
    }
}

#[test]
fn nothing_is_asked_where_no_rule_looks_at_the_container_or_another_rule_allows() {
    let engine = engine();
    let others = "allow = [\"POST /networks/back/connect\"]\n";
    let gate = Gate::with_policy(&engine.docker, &format!("{others}{FRONT}"));
    assert_eq!(send(&gate, "/networks/back/connect", &named("db")).0, 204);
    assert_eq!(questions(&engine), 0);
    assert_eq!(send(&gate, "/networks/front/connect", &named("db")).0, 403);
    assert_eq!(questions(&engine), 1);
    let (target, body) = heard(&engine).pop().unwrap();
    assert_eq!((&*target, body), ("/networks/back/connect", named("db")));
}

#[test]
fn network_and_container_are_both_judged_and_both_recorded() {
    let engine = engine();
    let policy = |open: &str| format!("{FRONT}target.label = \"open={open}\"\n");
    for (open, name, status) in [("yes", "web", 204), ("yes", "db", 403), ("no", "web", 403)] {
        let gate = Gate::with_policy(&engine.docker, &policy(open));
        let before = heard(&engine).len();
        assert_eq!(
            send(&gate, "/networks/front/connect", &named(name)).0,
            status
        );
        let heard = &heard(&engine)[before..];
        let record = gate.wait_record("the call", |record| record["kind"] == "final");
        assert_eq!(record["target"]["name"], "front");
        if status == 204 {
            let target = format!("/networks/{}/connect", "e".repeat(64));
            assert_eq!(heard, [(target, named(&"a".repeat(64)))]);
        } else {
            assert_eq!(heard, []);
        }
        if open == "yes" {
            assert_eq!(record["connected"]["name"], name);
            assert_eq!(record["connected"]["id"].as_str().unwrap().len(), 64);
        }
    }
}

#[test]
fn own_containers_are_connected_and_others_are_not() {
    let engine = engine();
    let policy = r#"
allow = ["POST /containers/create"]
[[rule]]
allow = "POST /networks/{id}/connect"
connect.container.own = true
"#;
    let gate = Gate::with_policy(&engine.docker, policy);
    // Its length makes this the container 2…2, see `serve`.
    assert_eq!(send(&gate, "/containers/create", "{}").0, 201);
    let mine = Container::new('2', "mine", &[]);
    engine.containers.lock().unwrap().push(mine);
    assert_eq!(
        send(&gate, "/networks/front/connect", &named("mine")).0,
        204
    );
    assert_eq!(send(&gate, "/networks/front/connect", &named("web")).0, 403);
    let (_, body) = heard(&engine).pop().unwrap();
    assert_eq!(body, named(&"2".repeat(64)));
}
