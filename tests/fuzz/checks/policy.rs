//! Any text is a policy or a list of problems, in bounded time; a policy always decides.

use std::time::{Duration, Instant};

use quaygate::diag::{Diagnostic, Source, render};
use quaygate::docker::Call;
use quaygate::judge::Judge;
use quaygate::policy::{Policy, Verdict};

/// How long reading 4 KiB of policy may take, on a slow machine and instrumented.
const LONGEST: Duration = Duration::from_secs(4);

const CALLS: [(&str, &str); 6] = [
    ("GET", "/_ping"),
    (
        "GET",
        "/v1.44/containers/json?all=1&filters={\"label\":[\"a=b\"]}",
    ),
    ("POST", "/containers/web/kill?signal=9"),
    ("POST", "/images/create?fromImage=alpine&tag=3"),
    ("GET", "/images/ghcr.io/acme/app:1/json"),
    ("GET", "/nothing/here"),
];

/// One input: the text of a policy file.
pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let begun = Instant::now();
    let source = Source::new("any.toml", text);
    match Policy::parse("any", &source) {
        Err(problems) => {
            assert!(problems.iter().any(Diagnostic::is_error));
            assert!(!render::text(&source, &problems, false).is_empty());
        }
        Ok(checked) => {
            let _drawn = render::text(&source, &checked.findings, false);
            assert!(!checked.findings.iter().any(Diagnostic::is_error));
            decides(&checked.policy);
        }
    }
    assert!(
        begun.elapsed() < LONGEST,
        "{:?} for {} bytes",
        begun.elapsed(),
        text.len()
    );
}

fn decides(policy: &Policy) {
    let caller = policy.presumed_caller();
    let engine = Some(policy.presumed_engine());
    for (method, target) in CALLS {
        let call = Call::parse(method, target).expect("a call");
        let judge = Judge::new(policy, &caller, &call, engine).presumed();
        let (decision, trace) = (judge.decide(), judge.trace());
        assert_eq!(decision.allows(), trace.decision.allows());
        if let Verdict::Deny(reason) = decision.verdict {
            let denial = judge.denial(reason);
            assert!(!denial.message.is_empty());
        }
    }
}
