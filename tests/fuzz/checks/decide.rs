//! The laws of the policy language, for any request against many policies.
//!
//! More rules never deny, order means nothing, a policy allows what one of its rules allows, the
//! trace reports the decision, and the spelling that goes to Docker is judged like the one that came.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use quaygate::diag::Source;
use quaygate::docker::{ApiVersion, Call};
use quaygate::facts::Caller;
use quaygate::judge::Judge;
use quaygate::policy::{Policy, Verdict};

/// Rules as they stand in a file, each on its own.
const RULES: [&str; 16] = [
    "allow = \"GET /containers/json\"",
    "allow = \"GET /containers/{id}/json\"",
    "allow = [\"GET,POST /containers/web-*/**\", \"GET /_ping\"]",
    "allow = \"POST /containers/nc_app_*/start\"",
    "allow = \"POST /containers/{id:~x-.*}/stop\"\nquery.t = 5",
    "allow = \"POST /containers/{id}/restart\"\nquery.t = [\"\", 5]",
    "allow = \"POST /containers/{id}/kill\"\nquery.signal = \"HUP\"",
    "allow = \"POST /containers/{id}/start\"\nquery.checkpoint = \"**\"",
    "allow = \"POST /images/create\"\nquery.fromImage = \"alpine:*\"",
    "allow = \"GET /events\"\nquery.filters.type = \"container\"",
    "allow = \"POST /images/prune\"\nquery.filters.dangling = \"false\"",
    "allow = \"GET /images/{name:ghcr.io/**}/json\"",
    "allow = \"GET /containers/{id}/logs\"\nquery.follow = false",
    "allow = \"DELETE /containers/{id:tmp-*}\"\nquery.v = true",
    "allow = \"GET /images/json\"\nquery.filters.reference = \"alpine:*\"",
    "allow = \"GET /volumes\"\nquery.filters.label = \"a=*\"",
];

thread_local! {
    static POLICIES: RefCell<HashMap<(u16, bool), Rc<Policy>>> = RefCell::new(HashMap::new());
}

/// Which rules make a policy. Few, because making one costs more than judging a thousand calls.
const SETS: [u16; 8] = [
    0xffff, 0x0000, 0x5555, 0xaaaa, 0x0ff0, 0xf00f, 0x1248, 0x7edb,
];

/// One input: which rules, which one of them to take away, and `METHOD target`.
pub fn check(input: &[u8]) {
    let [set, gone, line @ ..] = input else {
        return;
    };
    let Some((method, target)) = str::from_utf8(line)
        .ok()
        .and_then(|line| line.split_once(' '))
    else {
        return;
    };
    if Call::parse(method, target).is_err() {
        return;
    }
    let rules = SETS[usize::from(set % 8)];
    let allowed = decide(&policy(rules, false), method, target);
    assert_eq!(
        decide(&policy(rules, true), method, target),
        allowed,
        "order"
    );
    let fewer = rules & !(1 << (gone % 16));
    assert!(
        allowed || !decide(&policy(fewer, false), method, target),
        "more rules deny"
    );
    let alone = (0..16)
        .filter(|number| rules & (1 << number) != 0)
        .any(|number| decide(&policy(1 << number, false), method, target));
    assert_eq!(
        allowed, alone,
        "no rule allows alone what all of them allow"
    );
    assert!(
        !decide(&policy(0, false), method, target),
        "the empty policy allows"
    );
}

/// The decision, which the trace and the spelling on the wire must repeat.
fn decide(policy: &Policy, method: &str, target: &str) -> bool {
    let caller = Caller::default();
    let engine = Some(ApiVersion::new(1, 45));
    let call = Call::parse(method, target).expect("read before");
    let judge = Judge::new(policy, &caller, &call, engine).presumed();
    let (decision, trace) = (judge.decide(), judge.trace());
    match (decision.verdict, trace.decision.verdict) {
        (Verdict::Allow(rule), Verdict::Allow(traced)) => assert_eq!(rule, traced),
        (Verdict::Deny(_), Verdict::Deny(_)) => {}
        (_, _) => panic!("the trace says otherwise"),
    }
    assert_eq!(
        trace.steps.iter().any(|step| step.result.is_ok()),
        decision.allows()
    );

    let mut written = Vec::new();
    call.write_target(&mut written);
    let written = String::from_utf8(written).expect("ASCII");
    let anew = Call::parse(method, &written).expect("our own spelling");
    assert_eq!(
        Judge::new(policy, &caller, &anew, engine)
            .presumed()
            .decide()
            .allows(),
        decision.allows()
    );

    let allows = decision.allows();
    if let Verdict::Deny(reason) = decision.verdict {
        let denial = judge.denial(reason);
        assert!(
            !denial
                .message
                .bytes()
                .any(|byte| byte.is_ascii_control() && byte != b'\n')
        );
    }
    allows
}

/// The policy of these rules, forwards or backwards.
fn policy(rules: u16, backwards: bool) -> Rc<Policy> {
    POLICIES.with_borrow_mut(|policies| {
        if policies.len() > 2048 {
            policies.clear();
        }
        let made = policies.entry((rules, backwards)).or_insert_with(|| {
            let mut texts: Vec<String> = (0..16)
                .filter(|number| rules & (1 << number) != 0)
                .map(|number| format!("[[rule]]\nname = \"{number}\"\n{}\n", RULES[number]))
                .collect();
            if backwards {
                texts.reverse();
            }
            let source = Source::new("laws.toml", &texts.concat());
            let checked = Policy::parse("laws", &source);
            Rc::new(checked.expect("a policy of good rules").policy)
        });
        Rc::clone(made)
    })
}
