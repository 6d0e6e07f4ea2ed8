//! Which objects rules are about.

use crate::diag::{Source, render};
use crate::docker::operation::ObjectKind;
use crate::docker::{Call, Operation};
use crate::facts::{Caller, Findings, Found, Object, Origin};
use crate::judge::Judge;
use crate::policy::tests::policy;
use crate::policy::{Policy, Reason, Verdict};

mod connected;

fn verdict(policy: &Policy, request: &str, target: Found) -> &'static str {
    let findings = Findings {
        target,
        ..Findings::default()
    };
    judged(policy, request, &findings)
}

fn judged(policy: &Policy, request: &str, findings: &Findings) -> &'static str {
    let (method, path) = request.split_once(' ').unwrap();
    let call = Call::parse(method, path).unwrap();
    let caller = Caller::default();
    let judge = Judge::new(policy, &caller, &call, None).findings(findings);
    match judge.decide().verdict {
        Verdict::Allow(_) => "allow",
        Verdict::Deny(reason) => reason.code(),
    }
}

fn object(facts: &[&str]) -> Found {
    let mut object = Object::default();
    for fact in facts {
        object.give(fact).unwrap();
    }
    Found::Object(Box::new(object))
}

#[test]
fn a_target_is_met_by_all_of_its_keys_and_any_of_their_values() {
    let facts: &[&str] = &[
        "name=web-1",
        "label=tier=front",
        "label=autoheal=true",
        "image=ghcr.io/acme/app:1.2",
        "project=shop",
        "own=true",
    ];
    for (lines, expected) in [
        (r#"target.name = "web-1""#, "allow"),
        (r#"target.name = ["db", "web-*"]"#, "allow"),
        (r#"target.name = "web""#, "target"),
        (r#"target.label = "autoheal=true""#, "allow"),
        (r#"target.label = "autoheal""#, "allow"),
        (r#"target.label = "autoheal=false""#, "target"),
        (r#"target.label = "heal""#, "target"),
        (r#"target.label = ["x=y", "tier=*"]"#, "allow"),
        (r#"target.image = "ghcr.io/acme/**:*""#, "allow"),
        (r#"target.image = "ghcr.io/acme/app:1.3""#, "target"),
        (r#"target.project = "shop""#, "allow"),
        (r#"target.project = "shop-2""#, "target"),
        ("target.own = true", "allow"),
        ("target.own = false\ntarget.name = \"web-1\"", "allow"),
        ("target.own = true\ntarget.name = \"web-*\"", "allow"),
        ("target.own = true\ntarget.name = \"db\"", "target"),
        ("target.name = []", "target"),
    ] {
        let policy = policy(&format!(
            "[[rule]]\nallow = \"POST /containers/{{id}}/restart\"\n{lines}\n"
        ));
        let request = "POST /containers/x/restart";
        assert_eq!(
            verdict(&policy, request, object(facts)),
            expected,
            "{lines}"
        );
        assert_ne!(verdict(&policy, request, object(&[])), "allow", "{lines}");
        for (found, code) in [
            (Found::Unasked, "target-unasked"),
            (Found::Absent, "target-absent"),
            (Found::Unclear, "target-unclear"),
        ] {
            assert_eq!(verdict(&policy, request, found), code, "{lines}");
        }
    }
}

#[test]
fn an_image_is_named_by_its_references() {
    let policy =
        policy("[[rule]]\nallow = \"DELETE /images/{name}\"\ntarget.name = \"alpine:*\"\n");
    let request = "DELETE /images/0a1b";
    assert_eq!(
        verdict(&policy, request, object(&["name=alpine:3"])),
        "allow"
    );
    assert_eq!(
        verdict(
            &policy,
            request,
            object(&["name=debian:12", "name=docker.io/library/alpine:3"])
        ),
        "allow"
    );
    assert_eq!(
        verdict(&policy, request, object(&["name=debian:12"])),
        "target"
    );
}

/// The gate's own container.
fn gate() -> Found {
    let mut object = Object::default();
    object.give("name=gate").unwrap();
    object.give("label=autoheal=true").unwrap();
    object.is_gate = true;
    Found::Object(Box::new(object))
}

#[test]
fn the_gates_own_container_is_reached_by_its_name_alone() {
    for (lines, expected) in [
        ("", "target-gate"),
        ("target.label = \"autoheal\"", "target-gate"),
        ("target.name = \"*\"", "target-gate"),
        ("target.name = '~ga.e'", "target-gate"),
        ("target.name = [\"ga*\", \"gat\"]", "target-gate"),
        ("target.name = \"gate\"", "allow"),
        ("target.name = [\"web-*\", \"gate\"]", "allow"),
        (
            "target.name = \"gate\"\ntarget.label = \"autoheal\"",
            "allow",
        ),
    ] {
        let policy = policy(&format!(
            "[[rule]]\nallow = \"POST /containers/{{id}}/restart\"\n{lines}\n"
        ));
        let request = "POST /containers/x/restart";
        assert_eq!(verdict(&policy, request, gate()), expected, "{lines}");
    }
}

#[test]
fn what_may_be_the_gate_hangs_on_the_object_under_a_plain_rule_too() {
    let policy = policy("allow = [\"POST /containers/**\", \"POST /exec/**\"]\n");
    let request = "POST /containers/x/stop";
    for (target, expected) in [
        (Found::Unasked, "target-unasked"),
        (Found::Unclear, "target-unclear"),
        (Found::Absent, "target-absent"),
        (gate(), "target-gate"),
        (object(&["name=web"]), "allow"),
    ] {
        let findings = Findings {
            target,
            may_be_gate: true,
            ..Findings::default()
        };
        assert_eq!(judged(&policy, request, &findings), expected);
    }
    assert_eq!(verdict(&policy, request, Found::Unasked), "allow");
}

#[test]
fn a_plain_rule_lets_callers_look_at_the_gate_and_do_nothing_else_to_it() {
    const LOOKS: [Operation; 6] = [
        Operation::ContainerInspect,
        Operation::ContainerLogs,
        Operation::ContainerStats,
        Operation::ContainerTop,
        Operation::ContainerChanges,
        Operation::ExecInspect,
    ];
    for &operation in Operation::ALL {
        let named = matches!(
            operation.object(),
            Some(ObjectKind::Container | ObjectKind::Exec)
        );
        let gone = operation == Operation::ContainerCopy;
        if gone || !(named || operation == Operation::ImageCommit) {
            continue;
        }
        let (method, path) = (operation.method().as_str(), operation.path());
        let policy = policy(&format!("allow = [\"{method} {path}\"]"));
        let path = path.replace("{id}", "x").replace("{checkpoint}", "c");
        let findings = Findings {
            exec: Origin::Here,
            target: gate(),
            may_be_gate: true,
            ..Findings::default()
        };
        let expected = if LOOKS.contains(&operation) {
            "allow"
        } else {
            "target-gate"
        };
        let request = format!("{method} {path}?container=x");
        assert_eq!(judged(&policy, &request, &findings), expected, "{request}");
    }
}

#[test]
fn what_is_remembered_answers_for_all_but_names() {
    let remembered = |facts: &[&str]| {
        let Found::Object(object) = object(facts) else {
            unreachable!()
        };
        Found::Remembered(object)
    };
    let facts: &[&str] = &["name=web", "label=heal=yes", "image=app:1", "own=true"];
    for (lines, expected) in [
        ("target.label = \"heal=yes\"", "allow"),
        ("target.label = \"heal=no\"", "target"),
        ("target.image = \"app:1\"\ntarget.own = true", "allow"),
        ("target.name = \"web\"", "target-unasked"),
        ("target.name = \"db\"", "target-unasked"),
        (
            "target.name = \"**\"\ntarget.label = \"heal=yes\"",
            "target-unasked",
        ),
    ] {
        let policy = policy(&format!(
            "[[rule]]\nallow = \"POST /containers/{{id}}/restart\"\n{lines}\n"
        ));
        let request = "POST /containers/x/restart";
        assert_eq!(
            verdict(&policy, request, remembered(facts)),
            expected,
            "{lines}"
        );
    }
    let policy =
        policy("[[rule]]\nallow = \"DELETE /images/{name}\"\ntarget.name = \"alpine:*\"\n");
    let asked = verdict(&policy, "DELETE /images/x", remembered(&["name=alpine:3"]));
    assert_eq!(asked, "target-unasked", "a tag is a name");
}

#[test]
fn a_volume_may_be_own_and_a_doubt_about_it_meets_nothing() {
    let policy = policy(
        "[[rule]]\nallow = \"DELETE /volumes/{name}\"\ntarget.label = \"x=y\"\ntarget.own = true\n",
    );
    assert!(policy.keeps_own() && policy.keeps_volumes());
    for (own, expected) in [
        (Origin::Here, "allow"),
        (Origin::Elsewhere, "target"),
        (Origin::Unclear, "target-unclear"),
    ] {
        let mut object = Object::default();
        object.give("label=x=y").unwrap();
        object.own = own;
        let found = Found::Object(Box::new(object));
        assert_eq!(verdict(&policy, "DELETE /volumes/v", found), expected);
    }
}

#[test]
fn nothing_is_named_like_an_id() {
    let policy = policy(
        r#"
allow = ["POST /containers/create", "POST /containers/{id}/rename"]

[[rule]]
allow = "POST /networks/create"
network.labels = "**"
"#,
    );
    let (id, other) = ("0a".repeat(32), "0g".repeat(32));
    let verdict = |target: &str, body: &str| {
        let call = Call::parse("POST", target).unwrap();
        let caller = Caller::default();
        let judge = Judge::new(&policy, &caller, &call, None);
        match judge.body(body.as_bytes()).decide().verdict {
            Verdict::Allow(_) => "allow",
            Verdict::Deny(reason) => reason.code(),
        }
    };
    for (name, expected) in [
        (&*id, "id-as-name"),
        (&format!("/{id}"), "id-as-name"),
        (&format!("x&name={id}"), "id-as-name"),
        (&other, "allow"),
        (id.split_at(1).1, "allow"),
        (&id.to_uppercase(), "allow"),
    ] {
        let create = format!("/containers/create?name={name}");
        assert_eq!(verdict(&create, "{}"), expected, "{name}");
        let rename = format!("/containers/web/rename?name={name}");
        assert_eq!(verdict(&rename, ""), expected, "{name}");
    }
    for (name, expected) in [(&id, "id-as-name"), (&other, "allow")] {
        let body = format!("{{\"Name\":\"{name}\"}}");
        assert_eq!(verdict("/networks/create", &body), expected, "{name}");
    }
}

#[test]
fn a_rule_without_a_target_asks_nothing() {
    let policy = policy("allow = [\"POST /containers/{id}/restart\"]\n");
    assert_eq!(
        verdict(&policy, "POST /containers/x/restart", Found::Unasked),
        "allow"
    );
    let operation = Call::parse("POST", "/containers/x/restart")
        .unwrap()
        .operation();
    assert!(!policy.asks_target(operation.unwrap()));
    assert!(!policy.keeps_own());
}

#[test]
fn slips_are_told_where_they_are() {
    let wrong = |text: &str| {
        let source = Source::new("ci.toml", text);
        let problems = Policy::parse("ci", &source).unwrap_err();
        render::text(&source, &problems, false)
    };
    insta::assert_snapshot!(wrong("[[rule]]\nallow = [\"POST /containers/create\", \"GET /containers/json\"]\ntarget.name = \"web\"\n"), @r#"
    error[condition-fits-not]: `target` does not fit every grant of its rule
     --> ci.toml:3:1
      |
    2 | allow = ["POST /containers/create", "GET /containers/json"]
      |          -------------------------  ---------------------- names no object
      |          |
      |          names no object
    3 | target.name = "web"
      | ^^^^^^ this does not fit
      |
      = help: move `POST /containers/create`, `GET /containers/json` to a rule of its own
    "#);
    insta::assert_snapshot!(wrong("[[rule]]\nallow = \"DELETE /images/{name}\"\ntarget.own = true\ntarget.nmae = \"x\"\n"), @r#"
    error[unknown-key]: which images were created through a socket is not remembered
     --> ci.toml:3:8
      |
    3 | target.own = true
      |        ^^^ cannot be judged by this

    error[unknown-key]: unknown key `target.nmae` in `target`
     --> ci.toml:4:8
      |
    4 | target.nmae = "x"
      |        ^^^^ not a key of `target`
      |
      = help: the keys of `target` are `name`, `label`, `image`, `project`, `own`
    "#);
    insta::assert_snapshot!(wrong("[[rule]]\nallow = [\"DELETE /images/{name}\", \"DELETE /volumes/{name}\"]\ntarget.name = \"x\"\n"), @r#"
    error[condition-fits-not]: `target.name` of an image is a reference, of anything else a name
     --> ci.toml:3:8
      |
    3 | target.name = "x"
      |        ^^^^ this rule is about both
      |
      = help: write a rule for each
    "#);
}

#[test]
fn a_policys_tests_state_facts_about_the_object() {
    let policy = policy(
        r#"
[[rule]]
name = "heal"
allow = "POST /containers/{id}/restart"
target.label = "autoheal=true"

[[test]]
request = "POST /containers/web/restart"
target.labels = ["autoheal=true"]
expect = "allow"

[[test]]
request = "POST /containers/web/restart"
target.name = "web"
expect = "deny"
reason = "target"

[[test]]
request = "POST /containers/web/restart"
expect = "deny"
reason = "target-unasked"
"#,
    );
    assert_eq!(policy.tests(), 3);
}

#[test]
fn whoever_reaches_for_the_gate_hears_which_line_would_let_them() {
    let rules = r#"
allow = ["POST /containers/**"]

[[rule]]
name = "tidy"
allow = "DELETE /containers/{id}"
query.force = true
target.name = "ga*"
"#;
    let policy = policy(rules);
    let findings = Findings {
        target: gate(),
        may_be_gate: true,
        ..Findings::default()
    };
    let mut said = String::new();
    for (method, path) in [
        ("POST", "/containers/5e/stop"),
        ("DELETE", "/containers/gate?force=1"),
    ] {
        let call = Call::parse(method, path).unwrap();
        let caller = Caller::default();
        let judge = Judge::new(&policy, &caller, &call, None).findings(&findings);
        let denial = judge.denial(Reason::TargetGate);
        said.push_str(&denial.message);
        said.push_str("\n\n");
        let hint = denial.hint.unwrap();
        assert_eq!(
            judged(&self::policy(&hint), &format!("{method} {path}"), &findings),
            "allow"
        );
        said.push_str(&hint);
        said.push_str("\n\n");
    }
    insta::assert_snapshot!(said, @r#"
    ContainerStop (POST /containers/5e/stop) is refused by policy `test`: rule `POST /containers/**` (line 2) would allow it, but it is about quaygate's own container, which only a rule that names it in `target.name` reaches. To allow it too, add a rule with `target.name = "gate"`

    [[rule]]
    allow = "POST /containers/{id}/stop"
    target.name = "gate"

    ContainerDelete (DELETE /containers/gate) is refused by policy `test`: rule `tidy` (line 4) would allow it, but it is about quaygate's own container, which only a rule that names it in `target.name` reaches. To allow it too, add a rule with `target.name = "gate"`

    [[rule]]
    allow = "DELETE /containers/{id}"
    target.name = "gate"
    query.force = true
    "#);
}
