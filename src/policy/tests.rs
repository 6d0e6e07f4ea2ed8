//! What a policy decides and says. Mistakes in policy files are in `parse/tests.rs`.

use crate::diag::{Source, render};
use crate::docker::{ApiVersion, Call};
use crate::facts::Caller;
use crate::judge::Judge;

use super::*;

/// A policy without errors.
pub(super) fn policy(text: &str) -> Policy {
    let source = Source::new("test.toml", text);
    match Policy::parse("test", &source) {
        Ok(checked) => checked.policy,
        Err(problems) => panic!("{}", render::text(&source, &problems, false)),
    }
}

/// `allow`, or the reason code.
pub(super) fn verdict(policy: &Policy, request: &str) -> &'static str {
    verdict_at(policy, request, Some(ApiVersion::new(1, 45)))
}

fn verdict_at(policy: &Policy, request: &str, engine: Option<ApiVersion>) -> &'static str {
    let (method, target) = request.split_once(' ').unwrap();
    let call = match Call::parse(method, target) {
        Ok(call) => call,
        Err(malformed) => return malformed.code(),
    };
    match Judge::new(policy, &Caller::default(), &call, engine)
        .presumed()
        .decide()
        .verdict
    {
        Verdict::Allow(_) => "allow",
        Verdict::Deny(reason) => reason.code(),
    }
}

fn assert_verdicts(text: &str, cases: &[(&str, &str)]) {
    let policy = policy(text);
    for (request, expected) in cases {
        assert_eq!(verdict(&policy, request), *expected, "{request}\n{text}");
    }
}

#[test]
fn plain_grants_allow_their_operations_and_nothing_else() {
    assert_verdicts(
        r#"allow = ["GET /_ping", "GET /containers/{id}/json", "POST,DELETE /containers/{id}/start"]"#
            .replace("POST,DELETE /containers/{id}/start", "POST /containers/{id}/start")
            .as_str(),
        &[
            ("GET /_ping", "allow"),
            ("HEAD /_ping", "allow"),
            ("GET /v1.41/_ping", "allow"),
            ("GET /v1.41/containers/web/json?size=1", "allow"),
            ("POST /containers/web/start", "allow"),
            ("GET /containers/json", "no-rule"),
            ("POST /containers/web/stop", "no-rule"),
            ("DELETE /containers/web", "no-rule"),
            ("GET /nothing", "unknown-operation"),
            ("HEAD /containers/web/archive?path=/", "no-rule"),
        ],
    );
}

#[test]
fn get_on_archive_grants_its_head() {
    assert_verdicts(
        r#"allow = ["GET /containers/{id}/archive"]"#,
        &[
            ("HEAD /containers/web/archive?path=/", "allow"),
            ("GET /containers/web/archive?path=/", "allow"),
            ("PUT /containers/web/archive?path=/", "no-rule"),
        ],
    );
    assert_verdicts(
        r#"allow = ["HEAD /containers/{id}/archive"]"#,
        &[
            ("HEAD /containers/web/archive?path=/", "allow"),
            ("GET /containers/web/archive?path=/", "no-rule"),
        ],
    );
}

#[test]
fn names_narrow_an_operation() {
    assert_verdicts(
        r#"allow = [
            "POST /containers/nc_app_*/start",
            "POST /containers/{id:~web-[0-9]+}/start",
            "POST /containers/proxy/start",
            "GET /images/{name:ghcr.io/acme/**}/json",
            "GET /images/quay.io/*/json",
        ]"#,
        &[
            ("POST /containers/nc_app_x/start", "allow"),
            ("POST /containers/web-12/start", "allow"),
            ("POST /containers/proxy/start", "allow"),
            ("POST /containers/proxy2/start", "name"),
            ("POST /containers/web-x/start", "name"),
            ("POST /containers/web-1%0a/start", "path-decoded-character"),
            ("GET /images/ghcr.io/acme/a/b/json", "allow"),
            ("GET /images/ghcr.io/other/json", "name"),
            ("GET /images/quay.io/x/json", "allow"),
            ("GET /images/quay.io/x/y/json", "name"),
        ],
    );
}

#[test]
fn wildcards_cover_operations_but_never_the_dangerous_ones() {
    assert_verdicts(
        r#"allow = ["GET /**", "POST /containers/**", "GET /images/*/json"]"#,
        &[
            ("GET /version", "allow"),
            ("HEAD /_ping", "allow"),
            ("GET /containers/web/logs", "allow"),
            ("GET /containers/web/archive?path=/", "no-rule"),
            ("HEAD /containers/web/archive?path=/", "no-rule"),
            ("GET /containers/web/export", "no-rule"),
            ("GET /containers/web/attach/ws", "no-rule"),
            ("GET /images/get", "no-rule"),
            ("GET /images/alpine/get", "no-rule"),
            ("GET /debug/vars", "no-rule"),
            ("POST /containers/web/kill", "allow"),
            ("POST /containers/create", "no-rule"),
            ("POST /containers/web/exec", "no-rule"),
            ("POST /containers/web/attach", "no-rule"),
            ("POST /containers/web/copy", "no-rule"),
        ],
    );
}

#[test]
fn query_conditions_are_typed_and_know_docker_defaults() {
    let restart = r#"
        [[rule]]
        allow = "POST /containers/{id}/restart"
        query.t = ["", '~[0-9]{1,2}']
    "#;
    assert_verdicts(
        restart,
        &[
            ("POST /containers/a/restart", "allow"),
            ("POST /containers/a/restart?t=", "allow"),
            ("POST /containers/a/restart?t=10", "allow"),
            ("POST /containers/a/restart?t=100", "query"),
            ("POST /containers/a/restart?t=-1", "query"),
            ("POST /containers/a/restart?t=1&t=1", "query-repeated"),
            ("POST /containers/a/restart?T=100", "allow"),
        ],
    );
    let stats = "[[rule]]\nallow = \"GET /containers/{id}/stats\"\nquery.stream = false\n";
    assert_verdicts(
        stats,
        &[
            ("GET /containers/a/stats", "query"),
            ("GET /containers/a/stats?stream", "allow"),
            ("GET /containers/a/stats?stream=0", "allow"),
            ("GET /containers/a/stats?stream=False", "allow"),
            ("GET /containers/a/stats?stream=off", "query"),
        ],
    );
}

#[test]
fn signals_compare_by_meaning() {
    let kill = "[[rule]]\nallow = \"POST /containers/{id}/kill\"\nquery.signal = [\"HUP\", 10]\n";
    assert_verdicts(
        kill,
        &[
            ("POST /containers/a/kill?signal=HUP", "allow"),
            ("POST /containers/a/kill?signal=SIGHUP", "allow"),
            ("POST /containers/a/kill?signal=sighup", "allow"),
            ("POST /containers/a/kill?signal=1", "allow"),
            ("POST /containers/a/kill?signal=USR1", "allow"),
            ("POST /containers/a/kill", "query"),
            ("POST /containers/a/kill?signal=", "query"),
            ("POST /containers/a/kill?signal=9", "query"),
            ("POST /containers/a/kill?signal=HUPX", "query"),
        ],
    );
    assert_verdicts(
        "[[rule]]\nallow = \"POST /containers/{id}/kill\"\nquery.signal = \"KILL\"\n",
        &[
            ("POST /containers/a/kill", "allow"),
            ("POST /containers/a/kill?signal=15", "query"),
        ],
    );
}

#[test]
fn a_key_newer_than_the_call_counts_as_absent() {
    let policy =
        policy("[[rule]]\nallow = \"POST /containers/{id}/wait\"\nquery.condition = \"removed\"\n");
    let request = "POST /containers/a/wait?condition=removed";
    assert_eq!(verdict(&policy, request), "allow");
    // API 1.29 knows no `condition`: Docker would wait for the container to stop.
    assert_eq!(
        verdict_at(&policy, request, Some(ApiVersion::new(1, 29))),
        "query"
    );
    assert_eq!(
        verdict(&policy, "POST /v1.29/containers/a/wait?condition=removed"),
        "query"
    );
    assert_eq!(verdict_at(&policy, request, None), "query");
    assert_eq!(
        verdict_at(
            &policy,
            "POST /v1.45/containers/a/wait?condition=removed",
            None
        ),
        "allow"
    );
}

#[test]
fn keys_that_docker_reads_in_full_must_match_in_full() {
    assert_verdicts(
        "[[rule]]\nallow = \"POST /build\"\nquery.t = \"ci/*\"\n",
        &[
            ("POST /build?t=ci/a&t=ci/b", "allow"),
            ("POST /build?t=ci/a&t=prod", "query"),
            ("POST /build", "query"),
        ],
    );
}

#[test]
fn powers_in_the_query_need_a_condition() {
    assert_verdicts(
        r#"
        allow = ["POST /containers/{id}/start", "POST /build", "GET /containers/{id}/top"]
        [[rule]]
        allow = "POST /images/create"
        query.fromImage = "alpine:*"
        [[rule]]
        name = "host-build"
        allow = "POST /build"
        query.networkmode = "host"
        "#,
        &[
            ("POST /containers/a/start", "allow"),
            ("POST /containers/a/start?checkpoint=", "allow"),
            (
                "POST /containers/a/start?checkpoint=&checkpoint=x",
                "query-repeated",
            ),
            ("POST /containers/a/start?checkpoint=x", "power-checkpoint"),
            (
                "POST /containers/a/start?checkpoint-dir=/x",
                "power-checkpoint-dir",
            ),
            (
                "POST /containers/a/start?%63heckpoint=x",
                "power-checkpoint",
            ),
            ("GET /containers/a/top?ps_args=aux", "allow"),
            ("GET /containers/a/top?ps_args=eww", "power-ps-args"),
            ("POST /build?networkmode=none", "allow"),
            ("POST /build?networkmode=host", "allow"),
            ("POST /build?networkmode=container:x", "power-networkmode"),
            (
                "POST /build?networkmode=host&remote=http://x",
                "power-remote",
            ),
            ("POST /build?remote=", "allow"),
            ("POST /images/create?fromImage=alpine&tag=3", "allow"),
            (
                "POST /images/create?fromImage=alpine&tag=3&fromSrc=-",
                "power-from-src",
            ),
            ("POST /images/create?fromImage=evil/x&tag=3", "query"),
        ],
    );
}

#[test]
fn a_plain_build_uses_none_of_its_powers_and_each_has_a_condition() {
    for (key, harmless, power, code) in [
        ("remote", "", "https://evil.example/x.git", "power-remote"),
        ("remote", "", "client-session", "power-remote"),
        ("networkmode", "default", "host", "power-networkmode"),
        ("networkmode", "none", "bridge", "power-networkmode"),
        ("networkmode", "", "container:x", "power-networkmode"),
        ("securityopt", "", "seccomp=unconfined", "power-securityopt"),
        ("extrahosts", "", "a:1.2.3.4", "power-extrahosts"),
        ("cgroupparent", "", "/x", "power-cgroupparent"),
        ("outputs", "", "[{}]", "power-outputs"),
    ] {
        let plain = format!("POST /build?t=app&{key}={harmless}");
        let asks = format!("POST /build?t=app&{key}={power}");
        assert_verdicts(
            "allow = [\"POST /build\"]",
            &[
                ("POST /build?t=app", "allow"),
                (&plain, "allow"),
                (&asks, code),
            ],
        );
        let condition = format!("query.{key} = [\"\", \"default\", '{power}']");
        assert_verdicts(
            &format!("[[rule]]\nallow = \"POST /build\"\n{condition}\n"),
            &[("POST /build?t=app", "allow"), (&asks, "allow")],
        );
    }
}

#[test]
fn images_are_narrowed_by_what_they_are_called_whichever_key_names_them() {
    assert_verdicts(
        r#"
        [[rule]]
        allow = ["POST /images/create", "POST /images/{name}/tag", "POST /images/{name}/push"]
        image.reference = ["ghcr.io/acme/**:*", "alpine:3"]
        "#,
        &[
            ("POST /images/create?fromImage=alpine&tag=3", "allow"),
            ("POST /images/create?fromImage=ghcr.io/acme/a/b", "allow"),
            ("POST /images/create?fromImage=alpine", "reference"),
            ("POST /images/create?fromImage=alpine&tag=2", "reference"),
            (
                "POST /images/create?fromImage=alpine&tag=3&tag=2",
                "query-repeated",
            ),
            (
                "POST /images/create?fromImage=alpine:3&fromImage=x",
                "query-repeated",
            ),
            ("POST /images/create", "reference"),
            (
                "POST /images/create?fromImage=alpine&tag=3&fromSrc=-",
                "power-from-src",
            ),
            (
                "POST /images/create?fromSrc=-&repo=alpine&tag=3",
                "power-from-src",
            ),
            ("POST /images/evil/tag?repo=alpine&tag=3", "allow"),
            ("POST /images/alpine:3/tag?repo=alpine&tag=2", "reference"),
            ("POST /images/alpine:3/tag", "reference"),
            ("POST /images/ghcr.io/acme/a/push?tag=1", "allow"),
            ("POST /images/ghcr.io/acme/a/push", "allow"),
            ("POST /images/alpine/push?tag=3", "allow"),
            ("POST /images/alpine/push", "reference"),
            ("POST /images/evil/push?tag=3", "reference"),
        ],
    );
}

#[test]
fn an_import_is_a_power_and_is_named_with_where_it_comes_from() {
    for import in ["\"-\"", "[\"-\"]", "true", "[\"x\", \"-\"]"] {
        let text = format!("[[rule]]\nallow = \"POST /images/create\"\nimage.import = {import}\n");
        let other = if import == "true" {
            "allow"
        } else {
            "power-from-src"
        };
        assert_verdicts(
            &text,
            &[
                ("POST /images/create?fromImage=alpine&tag=3", "allow"),
                ("POST /images/create?fromSrc=-&repo=x", "allow"),
                (
                    "POST /images/create?fromSrc=https://evil.example/x.tar",
                    other,
                ),
                (
                    "POST /images/create?fromSrc=-&fromSrc=http://x",
                    "query-repeated",
                ),
            ],
        );
    }
    for import in ["false", "[]"] {
        assert_verdicts(
            &format!("[[rule]]\nallow = \"POST /images/create\"\nimage.import = {import}\n"),
            &[("POST /images/create?fromSrc=-", "power-from-src")],
        );
    }
    assert_verdicts(
        r#"
        [[rule]]
        allow = "POST /images/create"
        image.import    = ["-"]
        image.reference = "ci/**:*"
        "#,
        &[
            ("POST /images/create?fromSrc=-&repo=ci/a", "allow"),
            ("POST /images/create?fromSrc=-&repo=alpine", "reference"),
            ("POST /images/create?fromSrc=-", "reference"),
        ],
    );
}

#[test]
fn filters_are_read_in_both_shapes_and_only_in_one_way() {
    let list = r#"
        [[rule]]
        allow = "GET /containers/json"
        query.filters.label = ["com.acme.public=*", "public"]
        [[rule]]
        allow = "GET /events"
        query.filters.type = "container"
    "#;
    assert_verdicts(
        list,
        &[
            (
                r#"GET /containers/json?filters={"label":["public"]}"#,
                "allow",
            ),
            (
                r#"GET /containers/json?filters={"label":{"public":true}}"#,
                "allow",
            ),
            (
                r#"GET /containers/json?filters={"label":["other","com.acme.public=1"]}"#,
                "allow",
            ),
            (
                r#"GET /containers/json?filters={"label":["public"],"status":["exited"]}"#,
                "allow",
            ),
            (
                r#"GET /containers/json?filters={"label":["other"]}"#,
                "filter",
            ),
            (
                r#"GET /containers/json?filters={"Label":["public"]}"#,
                "filter",
            ),
            ("GET /containers/json", "filter"),
            ("GET /containers/json?filters=", "filter"),
            (
                r#"GET /containers/json?filters={"label":["public"]"#,
                "filter-malformed",
            ),
            (
                r#"GET /containers/json?filters={"label":["public"],"label":["x"]}"#,
                "filter-malformed",
            ),
            (
                r#"GET /containers/json?filters={}&filters={"label":["public"]}"#,
                "query-repeated",
            ),
            (r#"GET /events?filters={"type":["container"]}"#, "allow"),
            (
                r#"GET /events?filters={"type":["container","image"]}"#,
                "filter",
            ),
            ("GET /events", "filter"),
        ],
    );
}

#[test]
fn prune_takes_only_filters_that_narrow() {
    assert_verdicts(
        r#"
        allow = ["POST /images/prune", "POST /volumes/prune"]
        [[rule]]
        name = "old-images"
        allow = "POST /images/prune"
        query.filters.dangling = "false"
        query.filters.until = "*h"
        "#,
        &[
            ("POST /images/prune", "allow"),
            (
                r#"POST /images/prune?filters={"until":["24h"],"label":["a"]}"#,
                "allow",
            ),
            (r#"POST /images/prune?filters={"label!":["a"]}"#, "allow"),
            (
                r#"POST /images/prune?filters={"dangling":["false"]}"#,
                "filter-widens",
            ),
            (
                r#"POST /images/prune?filters={"dangling":["false"],"until":["24h"]}"#,
                "allow",
            ),
            (
                r#"POST /volumes/prune?filters={"all":["1"]}"#,
                "filter-widens",
            ),
            (r"POST /volumes/prune?filters={", "filter-malformed"),
            (r"POST /volumes/prune?filters={}", "allow"),
        ],
    );
}

#[test]
fn the_api_range_bounds_every_rule() {
    let policy = policy("api = \">=1.41, <=1.51\"\nallow = [\"GET /version\"]\n");
    let v = |minor| Some(ApiVersion::new(1, minor));
    for (request, engine, expected) in [
        ("GET /v1.41/version", None, "allow"),
        ("GET /v1.52/version", v(45), "api-outside"),
        ("GET /v1.40/version", None, "api-outside"),
        ("GET /version", v(45), "allow"),
        ("GET /version", v(52), "api-outside"),
        ("GET /version", None, "api-unknown"),
    ] {
        assert_eq!(
            verdict_at(&policy, request, engine),
            expected,
            "{request} {engine:?}"
        );
    }
}

#[test]
fn only_listed_users_are_served() {
    let policy = policy("allow = [\"GET /version\"]\n[socket]\npeers.uid = [0, 1000]\n");
    let call = Call::parse("GET", "/version").unwrap();
    for (uid, expected) in [
        (Some(0), true),
        (Some(1000), true),
        (Some(1), false),
        (None, false),
    ] {
        let caller = Caller {
            uid,
            ..Caller::default()
        };
        assert_eq!(
            Judge::new(&policy, &caller, &call, None).decide().allows(),
            expected,
            "{uid:?}"
        );
    }
    assert!(
        Judge::new(&policy, &policy.presumed_caller(), &call, None)
            .decide()
            .allows()
    );
}

#[test]
fn unlisted_paths_are_admitted_byte_for_byte() {
    assert_verdicts(
        r#"
        allow = ["GET /version"]
        [unlisted]
        allow = ["GET /v4.0.0/libpod/containers/json", "POST /custom/thing", "GET /v1.45/new"]
        "#,
        &[
            ("GET /v4.0.0/libpod/containers/json?all=1", "allow"),
            ("GET /v4.0.0/libpod/containers/jso%6e", "allow"),
            ("GET /v4.0.1/libpod/containers/json", "unknown-operation"),
            ("POST /v4.0.0/libpod/containers/json", "unknown-operation"),
            ("POST /custom/thing", "allow"),
            ("POST /v1.41/custom/thing", "unknown-operation"),
            ("POST /custom/things", "unknown-operation"),
            ("GET /v1.45/new", "allow"),
            ("GET /v1.44/new", "unknown-operation"),
            ("GET /new", "unknown-operation"),
        ],
    );
}

#[test]
fn a_rule_is_known_by_name_and_line() {
    let policy = policy(
        "allow = [\n  \"GET /version\",\n]\n\n[[rule]]\nname = \"mine\"\nallow = \"GET /info\"\n",
    );
    let rules: Vec<_> = policy.rules().map(|rule| policy.rule(rule)).collect();
    assert_eq!(rules, [("GET /version", 2), ("mine", 5)]);
}

#[test]
fn a_thousand_names_and_rules_about_other_operations_are_one_lookup() {
    let mut grants: Vec<String> = (0..1000)
        .map(|number| format!("\"POST /containers/web-{number}/start\""))
        .collect();
    grants.extend((0..100).map(|number| format!("\"POST /containers/x-{number}-*/stop\"")));
    let policy = policy(&format!("allow = [{}]\n", grants.join(",\n")));
    let call = Call::parse("POST", "/containers/web-999/start").unwrap();
    let trace = Judge::new(&policy, &Caller::default(), &call, None).trace();
    assert!(trace.decision.allows());
    // The walk looked at the one rule that can matter.
    assert_eq!(trace.steps.len(), 1);
    assert_eq!(
        policy.rule(trace.steps[0].rule),
        ("POST /containers/web-999/start", 1000)
    );
    assert_eq!(verdict(&policy, "POST /containers/web-1000/start"), "name");
}
