//! The laws of the language, as properties over generated policies and requests.

use proptest::prelude::*;
use proptest::sample::select;

use crate::docker::payload::Payload;
use crate::docker::{ApiVersion, Call};
use crate::facts::Caller;
use crate::judge::Judge;

use super::tests::policy;
use super::*;

/// Rules as they stand in a file, each on its own; none is covered by another.
const RULES: [&str; 23] = [
    "allow = \"GET /containers/json\"",
    "allow = \"GET /containers/{id}/json\"",
    "allow = [\"GET,POST /containers/web-*/**\", \"GET /_ping\"]",
    "allow = \"POST /containers/nc_app_*/start\"",
    "allow = \"POST /containers/proxy/start\"",
    "allow = \"POST /containers/{id:~x-.*}/stop\"\nquery.t = 5",
    "allow = \"POST /containers/{id}/restart\"\nquery.t = [\"\", 5]",
    "allow = \"POST /containers/{id}/kill\"\nquery.signal = \"HUP\"",
    "allow = \"POST /containers/{id}/start\"\nquery.checkpoint = \"**\"",
    "allow = \"POST /images/create\"\nquery.fromImage = \"alpine:*\"",
    "allow = \"GET /events\"\nquery.filters.type = \"container\"",
    "allow = \"POST /images/prune\"",
    "allow = \"POST /images/prune\"\nquery.filters.dangling = \"false\"",
    "allow = \"GET /images/{name:ghcr.io/**}/json\"",
    "allow = \"POST /containers/create\"\ncontainer.privileged = true",
    "allow = \"POST /containers/create\"\ncontainer.mounts = [\"/srv/**\", \"tmpfs\"]",
    "allow = \"POST /containers/create\"\ncontainer.network = [\"none\"]\ncontainer.privileged = true",
    "allow = \"POST /containers/create\"\ncontainer.image = \"alpine\"\ncontainer.fields = [\"New\"]",
    "allow = \"POST /containers/create\"\ncontainer.require = [\"memory\"]\ncontainer.pid = [\"host\"]",
    "allow = \"POST /volumes/create\"\nbody = \"unchecked\"",
    "allow = \"POST /volumes/create\"\nvolume.driver = [\"local\", \"nfs\"]",
    "allow = [\"POST /images/create\", \"POST /images/{name}/push\"]\nimage.reference = \"alpine:3\"",
    "allow = \"POST /images/create\"\nimage.import = [\"-\"]",
];

/// A body follows after a tab; without one, nobody has read it.
const REQUESTS: [&str; 38] = [
    "GET /_ping",
    "HEAD /_ping",
    "GET /containers/json?all=1",
    "GET /v1.41/containers/web/json",
    "GET /containers/web-1/json",
    "GET /containers/web-1/logs",
    "GET /containers/web-1/archive?path=/",
    "POST /containers/web-1/kill",
    "POST /containers/web/kill?signal=1",
    "POST /containers/web/kill",
    "POST /containers/nc_app_x/start",
    "POST /containers/proxy/start?checkpoint=",
    "POST /containers/proxy/start?checkpoint=c",
    "POST /containers/x-1/stop?t=5",
    "POST /containers/x-1/stop?t=5&t=6",
    "POST /containers/y/restart",
    "POST /containers/y/restart?t=7",
    "POST /images/create?fromImage=alpine&tag=3",
    "POST /images/create?fromImage=alpine&tag=3&fromSrc=-",
    "POST /images/create?fromSrc=-&repo=alpine&tag=3",
    "POST /images/alpine/push?tag=3",
    "GET /events?filters={\"type\":[\"container\"]}",
    "GET /events?filters={",
    "POST /images/prune?filters={\"dangling\":[\"false\"]}",
    "GET /images/ghcr.io/a/b/json",
    "GET /nothing/here",
    "POST /containers/create",
    "POST /containers/create\t{\"Image\":\"alpine\"}",
    "POST /containers/create\t{\"Image\":\"alpine\",\"New\":1}",
    "POST /containers/create\t{\"image\":\"alpine\"}",
    "POST /containers/create\t{\"HostConfig\":{\"Privileged\":true}}",
    "POST /containers/create\t{\"HostConfig\":{\"Privileged\":true,\"NetworkMode\":\"none\"}}",
    "POST /containers/create\t{\"HostConfig\":{\"Privileged\":true,\"Binds\":[\"/srv/x:/x\"]}}",
    "POST /containers/create\t{\"HostConfig\":{\"Memory\":5,\"PidMode\":\"host\"}}",
    "POST /containers/create\t{\"HostConfig\":{\"Tmpfs\":{\"/x\":\"\"},\"Binds\":[\"/etc:/x\"]}}",
    "POST /containers/create\tnothing",
    "POST /volumes/create\t{\"Driver\":\"nfs\"}",
    "POST /volumes/create\t{\"Driver\":\"ceph\"}",
];

fn file(rules: &[usize]) -> String {
    let rule = |number: &usize| format!("[[rule]]\nname = \"{number}\"\n{}\n", RULES[*number]);
    rules.iter().map(rule).collect()
}

fn rules() -> impl Strategy<Value = Vec<usize>> {
    proptest::sample::subsequence((0..RULES.len()).collect::<Vec<_>>(), 0..=RULES.len())
        .prop_shuffle()
}

/// The decision, which the trace must repeat.
fn decide(policy: &Policy, request: &str) -> Decision {
    let (head, body) = match request.split_once('\t') {
        Some((head, body)) => (head, Some(body)),
        None => (request, None),
    };
    let (method, target) = head.split_once(' ').unwrap();
    let call = Call::parse(method, target).unwrap();
    let engine = Some(ApiVersion::new(1, 45));
    let caller = Caller::default();
    let judge = Judge::new(policy, &caller, &call, engine).presumed();
    let judge = match body {
        Some(body) => judge.body(body.as_bytes()),
        None => judge,
    };
    let (decision, trace) = (judge.decide(), judge.trace());
    if let Verdict::Deny(reason) = decision.verdict {
        let _in_words = judge.denial(reason);
    }
    assert_eq!(trace.decision.allows(), decision.allows(), "{request}");
    if let (Verdict::Allow(rule), Verdict::Allow(traced)) =
        (decision.verdict, trace.decision.verdict)
    {
        assert_eq!(rule, traced);
    }
    let applied = trace.steps.iter().any(|step| step.result.is_ok());
    assert_eq!(applied, decision.allows(), "{request}: {:?}", trace.steps);
    decision
}

#[test]
fn the_empty_policy_denies_everything() {
    let empty = policy("");
    for request in REQUESTS {
        assert!(!decide(&empty, request).allows(), "{request}");
    }
}

#[test]
fn every_operation_is_denied_unless_granted_and_allowed_when_written_out() {
    let empty = policy("");
    for operation in Operation::ALL {
        if operation.removed().is_some() {
            continue;
        }
        let path = operation
            .path()
            .replace("{any}", "x")
            .replace("{checkpoint}", "c");
        let path = path.replace("{id}", "web").replace("{name}", "web");
        let request = format!("{} {path}", operation.method().as_str());
        assert!(!decide(&empty, &request).allows(), "{request}");
        let grant = format!("{} {}", operation.method().as_str(), operation.path());
        let granted = if Payload::to_come(Some(*operation)) == Payload::Opaque {
            policy(&format!(
                "[[rule]]\nallow = {grant:?}\nbody = \"unchecked\"\n"
            ))
        } else {
            policy(&format!("allow = [{grant:?}]\n"))
        };
        assert!(decide(&granted, &request).allows(), "{request}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn adding_a_rule_removes_nothing_and_order_means_nothing(
        rules in rules(), cut in any::<proptest::sample::Index>(), request in select(&REQUESTS[..])
    ) {
        let whole = policy(&file(&rules));
        let fewer = policy(&file(&rules[..cut.index(rules.len() + 1)]));
        let mut sorted = rules.clone();
        sorted.sort_unstable();
        let sorted = policy(&file(&sorted));
        let allowed = decide(&whole, request).allows();
        prop_assert!(allowed || !decide(&fewer, request).allows());
        prop_assert_eq!(allowed, decide(&sorted, request).allows());
    }

    #[test]
    fn a_policy_allows_what_one_of_its_rules_allows_alone(
        rules in rules(), request in select(&REQUESTS[..])
    ) {
        let whole = decide(&policy(&file(&rules)), request).allows();
        let alone = rules.iter().any(|rule| decide(&policy(&file(&[*rule])), request).allows());
        prop_assert_eq!(whole, alone);
    }

    #[test]
    fn any_text_is_a_policy_or_a_list_of_problems(text in "(\\PC|\n){0,200}") {
        let source = Source::new("any.toml", &text);
        match Policy::parse("any", &source) {
            Ok(_) => {}
            Err(problems) => {
                prop_assert!(problems.iter().any(Diagnostic::is_error));
                let _drawn = crate::diag::render::text(&source, &problems, false);
            }
        }
    }

    #[test]
    fn any_text_in_the_place_of_a_grant_is_read_or_refused(
        text in "(GET|POST|,| |/|\\*|\\{|\\}|:|~|id|containers|json|web|[a-z.(|)]){0,12}"
    ) {
        let source = Source::new("any.toml", &format!("allow = ['{text}']\n"));
        if let Err(problems) = Policy::parse("any", &source) {
            let _drawn = crate::diag::render::text(&source, &problems, false);
        }
    }

    #[test]
    fn any_query_is_judged(query in "[a-z=&%0-9{}\\[\\]\":,]{0,60}", rules in rules()) {
        let policy = policy(&file(&rules));
        for path in ["GET /events", "POST /images/prune", "POST /images/create", "POST /build"] {
            let (method, path) = path.split_once(' ').unwrap();
            let target = format!("{path}?{query}");
            if let Ok(call) = Call::parse(method, &target) {
                let _decision = Judge::new(&policy, &Caller::default(), &call, None).decide();
            }
        }
    }
}
