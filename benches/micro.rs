//! What the pure parts of a request cost: reading its head, resolving it, deciding, judging a body.
//!
//! `cargo bench --bench micro`. The figures are of one core and no input or output; what a call costs from end to
//! end is `scripts/bench`'s business.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on says so by panicking"
)]

use std::fmt::Write as _;

use divan::{Bencher, black_box};
use quaygate::diag::Source;
use quaygate::docker::{ApiVersion, Call, json};
use quaygate::facts::Caller;
use quaygate::judge::Judge;
use quaygate::policy::Policy;
use quaygate::wire::head::read_request;

fn main() {
    divan::main();
}

/// A list as the docker CLI asks for it.
const HEAD: &[u8] = b"GET /v1.45/containers/json?all=1 HTTP/1.1\r\nHost: api.moby.localhost\r\n\
    User-Agent: Docker-Client/28.2.2 (linux)\r\nAccept-Encoding: gzip\r\n\r\n";

/// `docker run` with two mounts, a capability and limits, as the docker CLI 28 writes it.
const CREATE: &[u8] = include_bytes!("create.json");

const ENGINE: Option<ApiVersion> = Some(ApiVersion::new(1, 45));

fn policy(text: &str) -> Policy {
    let source = Source::new("bench.toml", text);
    Policy::parse("bench", &source).unwrap().policy
}

/// As many grants for names, and one that the call below means.
fn grants(count: usize) -> Policy {
    let mut text = "allow = [\n  \"GET /containers/json\",\n".to_owned();
    for number in 1..count {
        writeln!(text, "  \"POST /containers/web-{number}/restart\",").unwrap();
    }
    text.push_str("]\n");
    policy(&text)
}

#[divan::bench]
fn head(bencher: Bencher<'_, '_>) {
    bencher.bench(|| read_request(black_box(HEAD)).unwrap().is_some());
}

#[divan::bench]
fn call() -> bool {
    Call::parse("GET", black_box("/v1.45/containers/json?all=1")).is_ok()
}

const GRANTS: [usize; 5] = [10, 20, 100, 1000, 10_000];

/// A decision about a name that a pattern without a variable means.
#[divan::bench(args = GRANTS)]
fn decide_list(bencher: Bencher<'_, '_>, count: usize) {
    decide(bencher, count, "GET", "/containers/json?all=1");
}

/// A decision about the one grant among as many of the same operation that is for this name.
#[divan::bench(args = GRANTS)]
fn decide_restart(bencher: Bencher<'_, '_>, count: usize) {
    let target = format!("/containers/web-{}/restart", count / 2);
    decide(bencher, count, "POST", &target);
}

fn decide(bencher: Bencher<'_, '_>, count: usize, method: &str, target: &str) {
    let (policy, caller) = (grants(count), Caller::default());
    let call = Call::parse(method, target).unwrap();
    bencher.bench(|| {
        let decision = Judge::new(&policy, &caller, black_box(&call), ENGINE).decide();
        assert!(decision.allows());
    });
}

/// The reader below the judgement of bodies.
#[divan::bench]
fn json() -> bool {
    json::parse(black_box(CREATE)).is_ok()
}

#[divan::bench]
fn judge_a_create_body(bencher: Bencher<'_, '_>) {
    let policy = policy(
        r#"
[[rule]]
allow = "POST /containers/create"
container.mounts = ["/srv/ci/**:ro", "volume:ci-*", "tmpfs"]
container.capabilities = ["NET_ADMIN"]
container.require = ["memory", "no-new-privileges", "read-only"]
"#,
    );
    let caller = Caller::default();
    let call = Call::parse("POST", "/v1.45/containers/create?name=job").unwrap();
    bencher.bench(|| {
        let judge = Judge::new(&policy, &caller, &call, ENGINE).body(black_box(CREATE));
        assert!(judge.decide().allows());
    });
}
