use std::fmt::Write as _;

use crate::docker::{ApiVersion, Call};
use crate::facts::Caller;
use crate::judge::Judge;
use crate::policy::tests::policy;
use crate::policy::{Denial, Policy, Verdict};

fn denial(policy: &Policy, request: &str) -> Denial {
    let (method, target) = request.split_once(' ').unwrap();
    let call = Call::parse(method, target).unwrap();
    let caller = policy.presumed_caller();
    let engine = Some(ApiVersion::new(1, 45));
    let judge = Judge::new(policy, &caller, &call, engine).presumed();
    match judge.decide().verdict {
        Verdict::Allow(_) => panic!("{request} is allowed"),
        Verdict::Deny(reason) => judge.denial(reason),
    }
}

fn said(policy: &Policy, requests: &[&str]) -> String {
    let mut out = String::new();
    for request in requests {
        let denial = denial(policy, request);
        let hint = denial.hint.unwrap_or_else(|| "-".to_owned());
        write!(
            out,
            "{}: {}\n  | {}\n\n",
            denial.reason.code(),
            denial.message,
            { hint.replace('\n', "\n  | ") }
        )
        .unwrap();
    }
    out
}

const TRAEFIK: &str = r#"
allow = ["GET /containers/json", "POST /containers/web-*/start", "POST /containers/{id}/wait"]

[[rule]]
name = "restart-unhealthy"
allow = "POST /containers/{id}/restart"
query.t = ["", '~[0-9]{1,2}']

[[rule]]
allow = "POST /containers/web-*/kill"
query.signal = "HUP"

[[rule]]
name = "pull"
allow = "POST /images/create"
query.fromImage = "ghcr.io/acme/**:*"

[[rule]]
name = "labelled"
allow = "GET /events"
query.filters.label = "public"

[[rule]]
name = "prune"
allow = "POST /images/prune"
"#;

#[test]
fn a_refusal_says_what_was_asked_why_and_what_to_add() {
    let policy = policy(TRAEFIK);
    insta::assert_snapshot!(said(&policy, &[
        "POST /v1.41/containers/web/kill",
        "POST /containers/create?name=secret",
        "GET /info",
        "POST /containers/api/start",
        "POST /containers/4f1e2d/start",
        "HEAD /containers/web/archive?path=/",
        "HEAD /_ping",
    ]), @r#"
    name: ContainerKill (POST /containers/web/kill) is refused by policy `test`: it is granted for other names only. To allow it, add to allow: "POST /containers/web/kill"
      | allow = ["POST /containers/web/kill"]

    no-rule: ContainerCreate (POST /containers/create) is refused by policy `test`: no rule grants it. To allow it, add to allow: "POST /containers/create"
      | allow = ["POST /containers/create"]

    no-rule: SystemInfo (GET /info) is refused by policy `test`: no rule grants it. To allow it, add to allow: "GET /info"
      | allow = ["GET /info"]

    name: ContainerStart (POST /containers/api/start) is refused by policy `test`: it is granted for other names only. To allow it, add to allow: "POST /containers/api/start"
      | allow = ["POST /containers/api/start"]

    name: ContainerStart (POST /containers/4f1e2d/start) is refused by policy `test`: it is granted for other names only. To allow it, add to allow: "POST /containers/{id}/start"
      | allow = ["POST /containers/{id}/start"]

    no-rule: ContainerArchiveInfo (HEAD /containers/web/archive) is refused by policy `test`: no rule grants it. To allow it, add to allow: "HEAD /containers/{id}/archive"
      | allow = ["HEAD /containers/{id}/archive"]

    no-rule: SystemPingHead (HEAD /_ping) is refused by policy `test`: no rule grants it. To allow it, add to allow: "GET /_ping"
      | allow = ["GET /_ping"]
    "#);
}

#[test]
fn the_nearest_rule_is_told_first() {
    let policy = policy(TRAEFIK);
    insta::assert_snapshot!(said(&policy, &[
        "POST /containers/web/restart?t=100",
        "POST /containers/web/restart?t=1&t=2",
        "POST /containers/web-1/kill?signal=9",
        "POST /containers/web-1/kill",
        "POST /images/create?fromImage=evil.example/x&tag=1",
        "POST /images/create?fromImage=ghcr.io/acme/a&tag=1&fromSrc=http://user:password@x/",
        "GET /events",
        "GET /events?filters={",
        r#"POST /images/prune?filters={"dangling":["false"]}"#,
    ]), @r#"
    query: ContainerRestart (POST /containers/web/restart) is refused by policy `test`: rule `restart-unhealthy` (line 4) would allow it, but the request does not meet `query.t = ["", '~[0-9]{1,2}']`. To allow it too, add a rule with `query.t = 100`
      | [[rule]]
      | allow = "POST /containers/{id}/restart"
      | query.t = 100

    query-repeated: ContainerRestart (POST /containers/web/restart) is refused by policy `test`: rule `restart-unhealthy` (line 4) would allow it, but a query key that is judged is written more than once
      | -

    query: ContainerKill (POST /containers/web-1/kill) is refused by policy `test`: rule `POST /containers/web-*/kill` (line 9) would allow it, but the request does not meet `query.signal = "HUP"`. To allow it too, add a rule with `query.signal = "KILL"`
      | [[rule]]
      | allow = "POST /containers/web-*/kill"
      | query.signal = "KILL"

    query: ContainerKill (POST /containers/web-1/kill) is refused by policy `test`: rule `POST /containers/web-*/kill` (line 9) would allow it, but the request does not meet `query.signal = "HUP"`. To allow it too, add a rule with `query.signal = "KILL"`
      | [[rule]]
      | allow = "POST /containers/web-*/kill"
      | query.signal = "KILL"

    query: ImageCreate (POST /images/create) is refused by policy `test`: rule `pull` (line 13) would allow it, but the request does not meet `query.fromImage = "ghcr.io/acme/**:*"`
      | [[rule]]
      | allow = "POST /images/create"
      | query.fromImage = "…"

    power-from-src: ImageCreate (POST /images/create) is refused by policy `test`: rule `pull` (line 13) would allow it, but it uses the query key `fromSrc`, which hands out more than the operation. To allow it too, add a rule with `image.import = true`
      | [[rule]]
      | allow = "POST /images/create"
      | image.import = true
      | query.fromImage = "ghcr.io/acme/**:*"

    filter: SystemEvents (GET /events) is refused by policy `test`: rule `labelled` (line 18) would allow it, but the request does not meet `query.filters.label = "public"`
      | -

    filter-malformed: SystemEvents (GET /events) is refused by policy `test`: rule `labelled` (line 18) would allow it, but its filters cannot be read in exactly one way
      | -

    filter-widens: ImagePrune (POST /images/prune) is refused by policy `test`: rule `prune` (line 23) would allow it, but this prune call carries a filter that can widen what is deleted; a condition `query.filters.KEY` would admit it
      | -
    "#);
}

#[test]
fn what_is_outside_of_every_rule_says_so() {
    let bounded = policy("api = \">=1.41, <=1.44\"\nallow = [\"GET /info\"]\n");
    insta::assert_snapshot!(said(&bounded, &["GET /v1.40/info", "GET /info"]), @r#"
    api-outside: SystemInfo (GET /info) is refused by policy `test`: API version 1.40 is outside of its range, `api = ">=1.41, <=1.44"`
      | -

    api-outside: SystemInfo (GET /info) is refused by policy `test`: API version 1.45 is outside of its range, `api = ">=1.41, <=1.44"`
      | -
    "#);
    let plain = policy("allow = [\"GET /info\"]\n");
    insta::assert_snapshot!(said(&plain, &[
        "GET /v4.0.0/libpod/containers/json",
        "POST /v1.45/something/new?token=x",
        "DELETE /a%22b",
    ]), @r#"
    unknown-operation: GET /v4.0.0/libpod/containers/json is refused by policy `test`: Docker has no such operation. To pass it on all the same, add to the policy: [unlisted] allow = ["GET /v4.0.0/libpod/containers/json"]
      | [unlisted]
      | allow = ["GET /v4.0.0/libpod/containers/json"]

    unknown-operation: POST /v1.45/something/new is refused by policy `test`: Docker has no such operation. To pass it on all the same, add to the policy: [unlisted] allow = ["POST /v1.45/something/new"]
      | [unlisted]
      | allow = ["POST /v1.45/something/new"]

    unknown-operation: DELETE /a"b is refused by policy `test`: Docker has no such operation
      | -
    "#);
    let call = Call::parse("GET", "/info").unwrap();
    let nobody = Caller::default();
    let listed = policy("allow = [\"GET /info\"]\n[socket]\npeers.uid = 0\n");
    let judge = Judge::new(&listed, &nobody, &call, None);
    let Verdict::Deny(reason) = judge.decide().verdict else {
        panic!("an unknown user is served");
    };
    let denial = judge.denial(reason);
    insta::assert_snapshot!(denial.message, @"SystemInfo (GET /info) is refused by policy `test`: this user may not use the socket; `[socket] peers.uid` lists who may");
}

#[test]
fn the_hint_loads_and_allows_what_was_refused() {
    let text = TRAEFIK;
    let refusing = policy(text);
    for request in [
        "POST /containers/web/kill",
        "POST /containers/create?name=x",
        "POST /containers/api/start",
        "POST /containers/web/restart?t=100",
        "POST /containers/web-1/kill?signal=9",
        "POST /containers/web-1/kill",
        "POST /images/create?fromImage=ghcr.io/acme/a&tag=1&fromSrc=x",
        "GET /v4.0.0/libpod/containers/json",
        "HEAD /containers/web/archive?path=/",
    ] {
        let hint = denial(&refusing, request).hint.expect(request);
        let (method, target) = request.split_once(' ').unwrap();
        let call = Call::parse(method, target).unwrap();
        let allowing = policy(&hint);
        let engine = Some(ApiVersion::new(1, 45));
        let decision = Judge::new(&allowing, &Caller::default(), &call, engine)
            .presumed()
            .decide();
        assert!(decision.allows(), "{request}\n{hint}");
    }
}

#[test]
fn nothing_secret_and_nothing_unbounded_is_repeated() {
    let policy = policy(TRAEFIK);
    let long = format!("POST /containers/{}/kill", "x".repeat(5000));
    let lengthy = denial(&policy, &long);
    assert!(lengthy.message.len() < 1000, "{}", lengthy.message.len());
    assert!(lengthy.hint.unwrap().len() < 1000);
    for request in [
        "POST /images/create?fromImage=ghcr.io/acme/a&tag=1&fromSrc=http://user:password@x/",
        "POST /containers/create?name=password",
        "POST /containers/a/restart?t=password",
        "POST /containers/web-1/kill?signal=password",
        "GET /containers/a/top?ps_args=password",
        "POST /build?remote=http://user:password@x/",
        r#"POST /build?buildargs={"TOKEN":"password"}"#,
    ] {
        let denial = denial(&policy, request);
        assert!(!denial.message.contains("password"), "{}", denial.message);
        assert!(
            !denial.hint.unwrap_or_default().contains("password"),
            "{request}"
        );
    }
}
