//! Which containers rules connect to a network.

use super::*;

const CONNECT: &str = "POST /networks/front/connect";
const BODY: &str = r#"{"Container":"web"}"#;

/// A rule about both operations, with these lines below it.
fn rule(lines: &str) -> Policy {
    policy(&format!(
        "[[rule]]\nallow = [\"POST /networks/{{id}}/connect\", \"POST /networks/{{id}}/disconnect\"]\n{lines}\n"
    ))
}

fn judged(policy: &Policy, body: Option<&str>, findings: &Findings) -> &'static str {
    let (method, path) = CONNECT.split_once(' ').unwrap();
    let call = Call::parse(method, path).unwrap();
    let caller = Caller::default();
    let judge = Judge::new(policy, &caller, &call, None).findings(findings);
    let judge = match body {
        Some(body) => judge.body(body.as_bytes()),
        None => judge,
    };
    match judge.decide().verdict {
        Verdict::Allow(_) => "allow",
        Verdict::Deny(reason) => reason.code(),
    }
}

fn connected(found: Found) -> Findings {
    Findings {
        connected: found,
        ..Findings::default()
    }
}

#[test]
fn the_gates_own_container_is_connected_by_its_name_alone() {
    let plain = policy("allow = [\"POST /networks/{id}/connect\"]");
    for (policy, expected) in [
        (&plain, "target-gate"),
        (&rule(""), "target-gate"),
        (
            &rule("connect.container.label = \"autoheal\""),
            "target-gate",
        ),
        (&rule("connect.container.name = \"ga*\""), "target-gate"),
        (&rule("connect.container.name = \"gate\""), "allow"),
    ] {
        assert_eq!(judged(policy, Some(BODY), &connected(gate())), expected);
    }
    for (found, expected) in [
        (Found::Unasked, "connect-unasked"),
        (Found::Unclear, "target-unclear"),
        (Found::Absent, "target-absent"),
        (object(&["name=web"]), "allow"),
    ] {
        let findings = Findings {
            may_be_gate: true,
            ..connected(found)
        };
        assert_eq!(judged(&plain, Some(BODY), &findings), expected);
        assert_eq!(judged(&plain, None, &findings), "body-unread");
    }
}

#[test]
fn the_container_in_the_body_is_met_by_all_of_the_keys() {
    let facts: &[&str] = &[
        "name=web",
        "label=tier=front",
        "image=ghcr.io/acme/app:1.2",
        "project=shop",
        "own=true",
    ];
    for (lines, expected) in [
        (r#"connect.container.name = "web""#, "allow"),
        (r#"connect.container.name = ["db", "w*"]"#, "allow"),
        (r#"connect.container.name = "db""#, "target"),
        (r#"connect.container.label = "tier=*""#, "allow"),
        (r#"connect.container.label = "tier=back""#, "target"),
        (r#"connect.container.image = "ghcr.io/acme/app:*""#, "allow"),
        (
            r#"connect.container.image = "ghcr.io/acme/app:1.3""#,
            "target",
        ),
        (r#"connect.container.project = "shop""#, "allow"),
        (r#"connect.container.project = "other""#, "target"),
        ("connect.container.own = true", "allow"),
        (
            "connect.container.own = true\nconnect.container.name = \"db\"",
            "target",
        ),
        ("connect.container.name = []", "target"),
    ] {
        let policy = rule(lines);
        let verdict = |found| judged(&policy, Some(BODY), &connected(found));
        assert_eq!(verdict(object(facts)), expected, "{lines}");
        assert_ne!(verdict(object(&[])), "allow", "{lines}");
        assert_eq!(verdict(Found::Unasked), "connect-unasked", "{lines}");
        assert_eq!(verdict(Found::Absent), "target-absent", "{lines}");
        assert_eq!(verdict(Found::Unclear), "target-unclear", "{lines}");
        // Before the body is read nobody knows which container it is.
        let unread = judged(&policy, None, &connected(object(facts)));
        assert_eq!(unread, "body-unread", "{lines}");
    }
}

#[test]
fn a_body_that_names_another_than_the_one_that_was_found_is_refused() {
    let policy = rule("connect.container.name = \"web\"");
    let id = "a".repeat(64);
    let found = || {
        let mut object = Object::default();
        object.give("name=web").unwrap();
        object.id = id.as_str().into();
        connected(Found::Object(Box::new(object)))
    };
    for (named, expected) in [
        (id.as_str(), "allow"),
        ("web", "target-unclear"),
        (id.get(..12).unwrap(), "target-unclear"),
        ("", "target-unclear"),
    ] {
        let body = format!("{{\"Container\":\"{named}\"}}");
        assert_eq!(judged(&policy, Some(&body), &found()), expected, "{named}");
    }
    for body in ["{}", r#"{"Container":null}"#] {
        assert_eq!(judged(&policy, Some(body), &found()), "target-unclear");
    }
}

#[test]
fn network_and_container_are_judged_each_by_its_own_keys() {
    let policy = rule("target.label = \"open\"\nconnect.container.label = \"tier=front\"");
    let open = || object(&["label=open"]);
    let front = || object(&["label=tier=front"]);
    for (target, connected, expected) in [
        (open(), front(), "allow"),
        (open(), open(), "target"),
        (front(), front(), "target"),
        (Found::Unasked, front(), "target-unasked"),
        (open(), Found::Unasked, "connect-unasked"),
    ] {
        let findings = Findings {
            target,
            connected,
            ..Findings::default()
        };
        assert_eq!(
            judged(&policy, Some(BODY), &findings),
            expected,
            "{findings:?}"
        );
    }
}

#[test]
fn nothing_is_asked_where_no_rule_looks_at_the_container() {
    let connect = Call::parse("POST", "/networks/x/connect")
        .unwrap()
        .operation();
    for (lines, asks, own) in [
        ("connect.endpoint = [\"a=*\"]", false, false),
        ("target.name = \"front\"", false, false),
        ("connect.container.own = false", false, false),
        ("connect.container.name = \"web\"", true, false),
        ("connect.container.own = true", true, true),
    ] {
        let policy = rule(lines);
        assert_eq!(policy.asks_connected(connect.unwrap()), asks, "{lines}");
        assert_eq!(policy.keeps_own(), own, "{lines}");
    }
    let plain = rule("");
    assert_eq!(judged(&plain, Some(BODY), &Findings::default()), "allow");
}

#[test]
fn a_refusal_says_which_of_the_two_it_was() {
    let policy = rule("connect.container.label = \"tier=front\"");
    let call = Call::parse("POST", "/networks/front/connect").unwrap();
    let findings = connected(object(&["name=secret-name", "label=tier=back"]));
    let caller = Caller::default();
    let judge = Judge::new(&policy, &caller, &call, None).findings(&findings);
    let judge = judge.body(BODY.as_bytes());
    let Verdict::Deny(reason) = judge.decide().verdict else {
        panic!("it is refused");
    };
    insta::assert_snapshot!(judge.denial(reason).message, @r#"NetworkConnect (POST /networks/front/connect) is refused by policy `test`: rule `POST /networks/{id}/connect` (line 1) would allow it, but the container that its body names does not meet `connect.container.label = "tier=front"`"#);
    assert_eq!(judge.denial(reason).hint, None);
}

#[test]
fn the_line_that_would_allow_more_keeps_what_is_said_of_the_container() {
    let policy = rule("connect.container.name = \"web\"");
    let call = Call::parse("POST", "/networks/front/connect").unwrap();
    let body = r#"{"Container":"web","EndpointConfig":{"New":1}}"#;
    let caller = Caller::default();
    let judge = Judge::new(&policy, &caller, &call, None).body(body.as_bytes());
    let Verdict::Deny(reason) = judge.decide().verdict else {
        panic!("it is refused");
    };
    assert_eq!(reason.code(), "unknown-field");
    insta::assert_snapshot!(judge.denial(reason).hint.unwrap(), @r#"
    [[rule]]
    allow = "POST /networks/{id}/connect"
    connect.fields = ["EndpointConfig.New"]
    connect.container.name = "web"
    "#);
}

#[test]
fn slips_are_told_where_they_are() {
    let wrong = |lines: &str| {
        let text = format!("[[rule]]\nallow = \"POST /networks/{{id}}/connect\"\n{lines}\n");
        let source = Source::new("ci.toml", &text);
        let problems = Policy::parse("ci", &source).unwrap_err();
        render::text(&source, &problems, false)
    };
    insta::assert_snapshot!(wrong("connect.container.nmae = \"web\""), @r#"
    error[unknown-key]: unknown key `connect.container.nmae` in `connect.container`
     --> ci.toml:3:19
      |
    3 | connect.container.nmae = "web"
      |                   ^^^^ not a key of `connect.container`
      |
      = help: the keys of `connect.container` are `name`, `label`, `image`, `project`, `own`
    "#);
    insta::assert_snapshot!(wrong("connect.container = \"web\""), @r#"
    error[wrong-type]: `connect.container` takes a table, not a string
     --> ci.toml:3:21
      |
    3 | connect.container = "web"
      |                     ^^^^^ expected a table
    "#);
    insta::assert_snapshot!(wrong("connect.contaner.name = \"web\""), @r#"
    error[unknown-key]: unknown key `connect.contaner` in `connect`
     --> ci.toml:3:9
      |
    3 | connect.contaner.name = "web"
      |         ^^^^^^^^ not a key of `connect`
      |
      = help: did you mean `connect.container`?
    "#);
    insta::assert_snapshot!(wrong("connect.container.own = \"yes\""), @r#"
    error[wrong-type]: `connect.container.own` takes true or false, not a string
     --> ci.toml:3:25
      |
    3 | connect.container.own = "yes"
      |                         ^^^^^ expected true or false
    "#);
    insta::assert_snapshot!(wrong("body = \"unchecked\"\nconnect.container.name = \"web\""), @r#"
    error[bad-value]: an unchecked body is not judged
     --> ci.toml:4:1
      |
    4 | connect.container.name = "web"
      | ^^^^^^^ this says how to judge it
      |
      = help: delete `body = "unchecked"`, or this
    "#);
}

#[test]
fn a_policys_tests_state_facts_about_the_container() {
    let policy = policy(
        r#"
[[rule]]
name = "join"
allow = "POST /networks/{id}/connect"
connect.container.label = "tier=front"

[[test]]
request = "POST /networks/front/connect"
body = '{"Container":"web"}'
connect.container.labels = ["tier=front"]
expect = "allow"

[[test]]
request = "POST /networks/front/connect"
body = '{"Container":"web"}'
connect.container.name = "web"
expect = "deny"
reason = "target"

[[test]]
request = "POST /networks/front/connect"
body = '{"Container":"web"}'
target.labels = ["tier=front"]
expect = "deny"
reason = "connect-unasked"
"#,
    );
    assert_eq!(policy.tests(), 3);
}
