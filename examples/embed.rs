//! Using quaygate as a library: judge one call against a policy, without any socket.
//!
//! Run it with `cargo run --example embed`.

use quaygate::diag::{Source, render};
use quaygate::docker::Call;
use quaygate::facts::Caller;
use quaygate::judge::Judge;
use quaygate::policy::{Policy, Verdict};

const POLICY: &str = r#"
description = "may look at containers, and restart those whose name starts with job-"

allow = ["GET /containers/json"]

[[rule]]
name  = "restart-jobs"
allow = "POST /containers/job-*/restart"
query.t = ["", '~[0-9]{1,2}']
"#;

fn main() {
    let source = Source::new("jobs.toml", POLICY);
    let policy = match Policy::parse("jobs", &source) {
        Ok(checked) => checked.policy,
        Err(diagnostics) => {
            // Every mistake of the file, drawn as rustc draws them.
            print(&render::text(&source, &diagnostics, false));
            return;
        }
    };
    let caller = Caller::default();
    for (method, target) in [
        ("GET", "/v1.41/containers/json?all=1"),
        ("POST", "/containers/job-7/restart?t=5"),
        ("POST", "/containers/job-7/restart?t=500"),
        ("POST", "/containers/create"),
        ("GET", "/containers/../images/json"),
    ] {
        // A request that could be read in two ways never becomes a call.
        let answer = match Call::parse(method, target) {
            Err(malformed) => format!("malformed: {malformed}"),
            Ok(call) => match Judge::new(&policy, &caller, &call, None).decide().verdict {
                Verdict::Allow(rule) => format!("allowed by {}", policy.rule(rule).0),
                Verdict::Deny(reason) => format!("refused: {}", reason.meaning()),
            },
        };
        print(&format!("{method} {target}\n    {answer}\n"));
    }
}

#[expect(clippy::print_stdout, reason = "an example has to show something")]
fn print(text: &str) {
    print!("{text}");
}
