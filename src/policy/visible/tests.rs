use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{MOST_OWN, NOBODY};
use crate::diag::Source;
use crate::docker::{ApiVersion, Call};
use crate::facts::{Caller, Findings, Found, Object, Origin};
use crate::judge::Judge;
use crate::policy::filters::Filters;
use crate::policy::tests::policy;
use crate::policy::{Policy, Verdict};

const GRANTS: &str = r#"
allow = [
  "GET /_ping", "GET /events", "GET /info",
  "GET /containers/json", "GET /containers/{id}/json", "POST /containers/{id}/start", "POST /containers/prune",
  "GET /networks", "GET /networks/{id}", "POST /networks/prune",
  "GET /volumes", "GET /volumes/{name}", "POST /volumes/prune",
  "GET /services", "GET /services/{id}",
  "GET /images/json", "GET /images/{name}/json", "GET /exec/{id}/json",
]
[[rule]]
allow = "POST /commit"
body  = "unchecked"
"#;

fn with(visible: &str) -> Policy {
    policy(&format!("{GRANTS}\n[visible]\n{visible}\n"))
}

/// The verdict, and the call as it goes on.
fn carried(policy: &Policy, request: &str, findings: &Findings) -> (&'static str, String) {
    let (method, target) = request.split_once(' ').unwrap();
    let call = Call::parse(method, target).unwrap();
    let caller = Caller::default();
    let engine = Some(ApiVersion::new(1, 45));
    let judge = Judge::new(policy, &caller, &call, engine).findings(findings);
    let decision = judge.decide();
    assert_eq!(judge.trace().decision, decision, "{request}");
    if let Verdict::Deny(reason) = decision.verdict {
        let words = judge.denial(reason).message;
        let is_ours = reason.code() != "no-rule";
        assert!(
            !is_ours || !words.contains("no rule grants it"),
            "{request}: {words}"
        );
        return (reason.code(), words);
    }
    let instead = policy.instead(&call, findings).unwrap();
    let call = match instead {
        Some((key, value)) => call.with_query(key, &value),
        None => call,
    };
    let mut target = Vec::new();
    call.write_target(&mut target);
    ("allow", String::from_utf8(target).unwrap())
}

/// The filters that go on, or why none do.
fn filters(policy: &Policy, operation: &str, given: &str) -> String {
    let findings = Findings {
        made: Some(Vec::new()),
        ..Findings::default()
    };
    let (verdict, target) = carried(policy, &format!("{operation}?filters={given}"), &findings);
    if verdict != "allow" {
        return verdict.to_owned();
    }
    let target = format!("GET {target}");
    let (_, target) = target.split_once(' ').unwrap();
    let call = Call::parse("GET", target).unwrap();
    assert_eq!(call.query().count("filters"), 1, "{target}");
    call.query().first("filters").unwrap().into_owned()
}

fn object(labels: &[&str], own: bool) -> Findings {
    let mut object = Object {
        id: "a".repeat(64).into(),
        own: if own { Origin::Here } else { Origin::Elsewhere },
        ..Object::default()
    };
    for label in labels {
        object.give(&format!("label={label}")).unwrap();
    }
    Findings {
        target: Found::Object(Box::new(object)),
        ..Findings::default()
    }
}

#[test]
fn filters_are_joined_and_what_the_client_asked_stays() {
    let blue = with("label = \"team=blue\"");
    for (given, expected) in [
        ("", r#"{"label":{"team=blue":true}}"#),
        ("{}", r#"{"label":{"team=blue":true}}"#),
        (r#"{"label":[]}"#, r#"{"label":{"team=blue":true}}"#),
        (r#"{"label":["team"]}"#, r#"{"label":{"team=blue":true}}"#),
        (
            r#"{"label":["team=blue"]}"#,
            r#"{"label":{"team=blue":true}}"#,
        ),
        (
            r#"{"label":{"app":true},"status":{"running":true}}"#,
            r#"{"label":{"app":true,"team=blue":true},"status":{"running":true}}"#,
        ),
        (
            r#"{"status":["a","a"],"label":["team=red"]}"#,
            r#"{"status":{"a":true},"label":{"team=red":true,"team=blue":true}}"#,
        ),
        (
            r#"{"id":["ab.*"]}"#,
            r#"{"id":{"ab.*":true},"label":{"team=blue":true}}"#,
        ),
        // What has no single reading, and what tells of other containers.
        (r#"{"label":{"x":false}}"#, "filter-malformed"),
        (r#"{"label":["x"],"label":[]}"#, "filter-malformed"),
        (r#"{"label":"x"}"#, "filter-malformed"),
        ("null", "filter-malformed"),
        ("{}&filters={}", "query-repeated"),
        ("{}&%66ilters={}", "query-repeated"),
        (r#"{"since":["db"]}"#, "visible-filter"),
        (r#"{"before":["db"]}"#, "visible-filter"),
    ] {
        assert_eq!(
            filters(&blue, "GET /containers/json", given),
            expected,
            "{given}"
        );
    }
    let some = with("label = [\"team\", \"tier=web\"]\nproject = \"shop\"");
    assert_eq!(
        filters(
            &some,
            "GET /volumes",
            r#"{"label":["team=red"],"name":["x"]}"#
        ),
        r#"{"label":{"team=red":true,"tier=web":true,"com.docker.compose.project=shop":true},"name":{"x":true}}"#
    );
}

#[test]
fn every_list_is_narrowed_and_keeps_the_rest_of_its_query() {
    let blue = with("label = \"team=blue\"");
    let joined = "filters=%7B%22label%22:%7B%22team%3Dblue%22:true%7D%7D";
    for (request, expected) in [
        (
            "GET /v1.41/containers/json?all=1&size=",
            format!("/v1.41/containers/json?all=1&size=&{joined}"),
        ),
        ("GET /networks", format!("/networks?{joined}")),
        ("GET /volumes?filters=", format!("/volumes?{joined}")),
        (
            "GET /services?status=1",
            format!("/services?status=1&{joined}"),
        ),
        (
            "GET /events?since=1&filters={}&until=2",
            format!("/events?since=1&{joined}&until=2"),
        ),
        (
            "POST /containers/prune",
            format!("/containers/prune?{joined}"),
        ),
        ("POST /networks/prune", format!("/networks/prune?{joined}")),
        ("POST /volumes/prune", format!("/volumes/prune?{joined}")),
        (
            "GET /images/json?filters={}",
            "/images/json?filters=%7B%7D".to_owned(),
        ),
        ("GET /info", "/info".to_owned()),
    ] {
        let (verdict, target) = carried(&blue, request, &Findings::default());
        assert_eq!((verdict, target), ("allow", expected), "{request}");
    }
}

#[test]
fn swarm_keeps_one_value_for_a_key_so_another_one_is_refused() {
    let blue = with("label = \"team=blue\"");
    let services = |given| filters(&blue, "GET /services", given);
    assert_eq!(services(r#"{"label":["team=red"]}"#), "visible-filter");
    assert_eq!(services(r#"{"label":["team="]}"#), "visible-filter");
    let narrowed = r#"{"label":{"app=x":true,"team=blue":true}}"#;
    assert_eq!(services(r#"{"label":["app=x","team"]}"#), narrowed);
    let any = with("label = \"team\"");
    let given = r#"{"label":["team=red"]}"#;
    assert_eq!(
        filters(&any, "GET /services", given),
        r#"{"label":{"team=red":true}}"#
    );
}

#[test]
fn own_is_told_by_ids_and_refused_where_docker_takes_none() {
    let own = with("own = true");
    let made = |count: usize| Findings {
        made: Some((0..count).map(|n| format!("{n:064x}").into()).collect()),
        ..Findings::default()
    };
    let ask = |request: &str, findings: &Findings| {
        let (verdict, target) = carried(&own, request, findings);
        let call = Call::parse("GET", &target);
        let text = call
            .ok()
            .and_then(|call| call.query().first("filters").map(String::from));
        match text {
            Some(text) if verdict == "allow" => {
                Filters::parse(&text).unwrap().values("id").to_vec()
            }
            _ => vec![verdict.to_owned()],
        }
    };
    let id = |n: usize| format!("{n:064x}");
    assert_eq!(ask("GET /containers/json", &made(0)), [NOBODY]);
    assert_eq!(ask("GET /networks", &made(2)), [id(0), id(1)]);
    let one = r#"GET /containers/json?filters={"id":["0000"]}"#;
    assert_eq!(ask(one, &made(2)), [id(0), id(1)]);
    let end = r#"?filters={"id":["01"]}"#;
    assert_eq!(ask(&format!("GET /networks{end}"), &made(2)), [id(1)]);
    assert_eq!(
        ask(&format!("GET /containers/json{end}"), &made(2)),
        [NOBODY]
    );
    for odd in ["", ".", "A", "0|.*", "^0"] {
        let request = format!(r#"GET /networks?filters={{"id":["0","{odd}"]}}"#);
        let request = request.replace('^', "%5E").replace('|', "%7C");
        assert_eq!(ask(&request, &made(2)), ["visible-filter"], "{odd}");
    }
    assert_eq!(ask("GET /networks", &made(MOST_OWN)).len(), MOST_OWN);
    assert_eq!(ask("GET /networks", &made(MOST_OWN + 1)), ["visible-many"]);
    assert_eq!(
        ask("GET /networks", &Findings::default()),
        ["target-unasked"]
    );
    for request in [
        "GET /volumes",
        "GET /services",
        "GET /events",
        "GET /volumes/x",
        "GET /services/x",
        "POST /containers/prune",
        "POST /networks/prune",
        "POST /volumes/prune",
    ] {
        assert_eq!(ask(request, &made(1)), ["visible-own"], "{request}");
    }
}

#[test]
fn a_label_beside_own_narrows_what_own_cannot_except_where_others_would_lose() {
    let made = Findings {
        made: Some(vec!["b".repeat(64).into()]),
        ..Findings::default()
    };
    let both = with("own = true\nlabel = \"team=blue\"");
    let (_, target) = carried(&both, "GET /networks", &made);
    assert!(
        target.contains("team%3Dblue") && target.contains("bbbb"),
        "{target}"
    );
    for (request, verdict) in [
        ("GET /events", "allow"),
        ("GET /volumes", "allow"),
        ("POST /volumes/prune", "allow"),
        ("POST /containers/prune", "visible-own"),
    ] {
        assert_eq!(carried(&both, request, &made).0, verdict, "{request}");
    }
}

#[test]
fn what_is_not_shown_is_not_there() {
    let blue = with("label = \"team=blue\"");
    let absent = Findings {
        target: Found::Absent,
        ..Findings::default()
    };
    for (path, words) in [
        ("GET /containers/db/json", "No such container: db"),
        ("POST /containers/db/start", "No such container: db"),
        ("POST /commit?container=db", "No such container: db"),
        ("GET /exec/e1/json", "No such exec instance: e1"),
        ("GET /networks/n", "network n not found"),
        ("GET /volumes/v", "get v: no such volume"),
        ("GET /services/s", "service s not found"),
    ] {
        for other in [
            &["team=red"][..],
            &["team"],
            &["Team=blue", "app=team=blue"],
            &[],
        ] {
            let hidden = carried(&blue, path, &object(other, true));
            assert_eq!(hidden, ("hidden", words.to_owned()), "{path} {other:?}");
        }
        assert_eq!(
            carried(&blue, path, &absent),
            ("target-absent", words.to_owned())
        );
        let unasked = carried(&blue, path, &Findings::default()).0;
        assert_eq!(unasked, "target-unasked", "{path}");
        let unclear = Findings {
            target: Found::Unclear,
            ..Findings::default()
        };
        assert_eq!(carried(&blue, path, &unclear).0, "target-unclear", "{path}");
        let shown = carried(&blue, path, &object(&["x", "team=blue"], false)).0;
        let expected = match path {
            "GET /exec/e1/json" => "foreign-exec",
            _ => "allow",
        };
        assert_eq!(shown, expected, "{path}");
    }
    assert_eq!(
        carried(&blue, "GET /images/x/json", &Findings::default()).0,
        "allow"
    );
    // What no rule grants is refused as ever, and nobody asks.
    let nothing = carried(&blue, "DELETE /containers/db", &Findings::default());
    assert_eq!(nothing.0, "no-rule");
}

#[test]
fn a_commit_names_one_container_by_a_name() {
    let blue = with("label = \"team=blue\"");
    let shown = object(&["team=blue"], false);
    assert_eq!(
        carried(&blue, "POST /commit?container=web", &shown).0,
        "allow"
    );
    for (query, code) in [
        ("container=a&container=b", "query-repeated"),
        ("container=../../images/x", "target-unclear"),
        ("container=a?b", "target-unclear"),
        ("repo=x", "target-unclear"),
    ] {
        assert_eq!(
            carried(&blue, &format!("POST /commit?{query}"), &shown).0,
            code,
            "{query}"
        );
    }
}

#[test]
fn a_connect_names_a_container_that_is_shown_even_where_its_body_is_unchecked() {
    let rule = |more: &str| {
        let allow = "\"POST /networks/{id}/connect\", \"POST /networks/{id}/disconnect\"";
        let text =
            format!("[[rule]]\nallow = [{allow}]\n{more}\n[visible]\nlabel = \"team=blue\"\n");
        policy(&text)
    };
    let ours = object(&["team=blue"], false).target;
    let theirs = object(&["team=red"], false).target;
    let id = "a".repeat(64);
    let full = format!("{{\"Container\":\"{id}\"}}");
    let other = format!("{{\"Container\":\"{id}\",\"EndpointConfig\":{{\"NetworkID\":\"x\"}}}}");
    for policy in [rule(""), rule("body = \"unchecked\"")] {
        let ask = |body: Option<&str>, connected: &Found| {
            let findings = Findings {
                target: ours.clone(),
                connected: connected.clone(),
                ..Findings::default()
            };
            let call = Call::parse("POST", "/networks/n/connect").unwrap();
            let caller = Caller::default();
            let judge = Judge::new(&policy, &caller, &call, None).findings(&findings);
            let judge = match body {
                Some(body) => judge.body(body.as_bytes()),
                None => judge,
            };
            match judge.decide().verdict {
                Verdict::Allow(_) => ("allow", String::new()),
                Verdict::Deny(reason) => (reason.code(), judge.denial(reason).message),
            }
        };
        assert_eq!(ask(Some(&full), &ours).0, "allow");
        assert_eq!(ask(None, &Found::Unasked).0, "body-unread");
        let by_name = Some("{\"Container\":\"db\"}");
        assert_eq!(ask(by_name, &Found::Unasked).0, "connect-unasked");
        assert_eq!(ask(by_name, &Found::Unclear).0, "target-unclear");
        assert_eq!(ask(by_name, &ours).0, "target-unclear", "not under its id");
        let words = "No such container: db".to_owned();
        assert_eq!(ask(by_name, &theirs), ("hidden", words.clone()));
        assert_eq!(ask(by_name, &Found::Absent), ("target-absent", words));
        assert_eq!(ask(Some(&other), &ours).0, "closed-field");
        assert_eq!(ask(Some("nothing"), &ours).0, "malformed-body");
    }
}

#[test]
fn keys_hold_together_and_own_counts_for_what_is_remembered() {
    let all = with("label = \"team=blue\"\nproject = \"shop\"\nown = true");
    let labels = &["team=blue", "com.docker.compose.project=shop"][..];
    for (path, labels, is_own, verdict) in [
        ("GET /containers/a/json", labels, true, "allow"),
        ("GET /containers/a/json", labels, false, "hidden"),
        ("GET /networks/a", labels, false, "hidden"),
        ("GET /volumes/a", labels, false, "allow"),
        ("GET /services/a", labels, false, "allow"),
        ("GET /containers/a/json", &labels[..1], true, "hidden"),
        ("GET /volumes/a", &labels[1..], true, "hidden"),
    ] {
        let found = object(labels, is_own);
        assert_eq!(
            carried(&all, path, &found).0,
            verdict,
            "{path} {labels:?} {is_own}"
        );
    }
}

#[test]
fn what_docker_would_read_otherwise_is_not_loaded() {
    for (visible, says) in [
        ("label = \"team=*\"", "exact text only"),
        ("label = \"~team=.*\"", "exact text only"),
        ("label = [\"a\", \"b*\"]", "exact text only"),
        ("project = \"ci-*\"", "exact text only"),
        ("label = \"team=\\u0001\"", "exact text only"),
        ("label = \"=x\"", "is not a label"),
        ("label = \"\"", "is not a label"),
        ("label = \"team=\"", "has no value"),
        ("label = \"name=web\"", "Docker's own events"),
        ("label = [\"a=1\", \"a=2\"]", "two values"),
        (
            "label = \"com.docker.compose.project=a\"\nproject = \"b\"",
            "two values",
        ),
        ("project = \"\"", "has a name"),
        ("label = []", "narrows nothing"),
        ("own = false", "narrows nothing"),
        ("", "narrows nothing"),
        ("own = 1", "true or false"),
        ("label = 1", "takes a string"),
        ("labels = \"a\"", "unknown key"),
        ("image = \"a\"", "unknown key"),
    ] {
        let text = format!("allow = [\"GET /_ping\"]\n[visible]\n{visible}\n");
        let problems = Policy::parse("x", &Source::new("x.toml", text.as_str())).unwrap_err();
        let said = format!("{problems:?}");
        assert!(said.contains(says), "{visible}: {said}");
    }
    let once = with("label = [\"a\", \"a=1\", \"a\", \"a=1\"]");
    assert_eq!(
        filters(&once, "GET /volumes", ""),
        r#"{"label":{"a=1":true}}"#
    );
}

// === laws ===

const LABELS: [&str; 7] = [
    "team=blue",
    "team=red",
    "team=",
    "tier=web",
    "tier=db",
    "x=team=blue",
    "y=",
];
const ASKED: [&str; 8] = [
    "team",
    "team=blue",
    "team=red",
    "team=",
    "tier",
    "tier=web",
    "z",
    "x=team=blue",
];

/// What Docker does with labels (moby `api/types/filters/parse.go`, `MatchKVList`).
fn docker_shows(filters: &Filters, labels: &BTreeMap<&str, &str>) -> bool {
    filters
        .values("label")
        .iter()
        .all(|value| match value.split_once('=') {
            Some((key, value)) => labels.get(key) == Some(&value),
            None => labels.contains_key(value.as_str()),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn docker_shows_what_both_ask_for_and_nothing_else(
        ours in subsequence(vec!["team=blue", "tier"], 1..=2),
        asked in subsequence(ASKED.to_vec(), 0..=ASKED.len()),
        has in subsequence(LABELS.to_vec(), 0..=LABELS.len()),
        list in select(vec!["GET /containers/json", "GET /networks", "GET /volumes", "GET /events", "POST /volumes/prune"]),
    ) {
        let policy = with(&format!("label = {ours:?}"));
        let asked = format!("{asked:?}").replace(' ', "");
        let given = format!("{{\"label\":{asked},\"until\":[\"1\"]}}");
        let joined = Filters::parse(&filters(&policy, list, &given)).unwrap();
        let given = Filters::parse(&given).unwrap();
        let labels: BTreeMap<&str, &str> = has.iter().map(|l| l.split_once('=').unwrap()).collect();
        let texts: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let shown = carried(&policy, "GET /containers/x/json", &object(&texts, false)).0 == "allow";
        prop_assert_eq!(docker_shows(&joined, &labels), docker_shows(&given, &labels) && shown);
        prop_assert_eq!(joined.values("until"), given.values("until"));
    }

    #[test]
    fn it_allows_nothing_that_the_rules_refuse(
        visible in select(vec!["label = \"team=blue\"", "own = true", "project = \"p\"\nown = true"]),
        request in select(vec![
            "GET /containers/json", "GET /events?filters={", "GET /volumes", "POST /networks/prune",
            "GET /containers/a/json", "POST /containers/a/stop", "GET /tasks", "GET /images/a/json",
            "POST /volumes/prune?filters={\"all\":[\"1\"]}", "GET /nothing",
        ]),
        labels in subsequence(vec!["team=blue", "com.docker.compose.project=p"], 0..=2),
        is_own in any::<bool>(),
    ) {
        let mut findings = object(&labels, is_own);
        findings.made = Some(vec!["b".repeat(64).into()]);
        let narrowed = verdict(&with(visible), request, &findings);
        let plain = verdict(&policy(GRANTS), request, &findings);
        prop_assert!(!narrowed || plain, "{}", request);
    }
}

fn verdict(policy: &Policy, request: &str, findings: &Findings) -> bool {
    let (method, target) = request.split_once(' ').unwrap();
    let call = Call::parse(method, target).unwrap();
    let caller = Caller::default();
    let judge = Judge::new(policy, &caller, &call, Some(ApiVersion::new(1, 45)));
    judge.findings(findings).decide().allows()
}
