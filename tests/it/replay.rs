//! Every request that real clients were seen to send passes the gate, and so does its answer.
//!
//! One policy grants every operation by name and the few query powers that the clients used, and
//! judges no body; the other, which comes with the program, judges them all and allows what they ask
//! for. What is tested is the carrying: the engine must be asked the same thing, byte for byte where bytes
//! matter and in meaning where they do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use quaygate::docker::operation::BodyKind;
use quaygate::docker::{Call, Method, Operation};

use crate::support::traces::{self, Trace};
use crate::support::{Exchange, FakeDocker, Gate, Head};

/// Everything, by name; and the powers in queries that the recorded clients did use.
fn everything() -> String {
    let grants = |wanted: fn(&Operation) -> bool| -> String {
        Operation::ALL
            .iter()
            .filter(|operation| {
                !matches!(operation.method(), Method::Head | Method::Options)
                    && operation.removed().is_none()
            })
            .filter(|operation| wanted(operation))
            .map(|operation| format!("\"{} {}\"", operation.method().as_str(), operation.path()))
            .collect::<Vec<_>>()
            .join(",\n  ")
    };
    let plain = grants(|operation| operation.body() != BodyKind::Json && !operation.is_on_exec());
    let bodies = grants(|operation| operation.body() == BodyKind::Json && !operation.is_on_exec());
    format!(
        r#"
allow = [
  {plain}
]

[[rule]]
name = "bodies"
allow = [
  {bodies}
]
body = "unchecked"

[[rule]]
name = "exec"
allow = "POST /exec/{{id}}/start"
body = "unchecked"
any_exec = true

[[rule]]
name = "execs"
allow = ["POST /exec/{{id}}/resize", "GET /exec/{{id}}/json"]
any_exec = true

[[rule]]
name = "import"
allow = "POST /images/create"
query.fromSrc = "-"

[[rule]]
name = "prune-unused-images"
allow = "POST /images/prune"
query.filters.dangling = "true"

[[rule]]
name = "build-by-session"
allow = "POST /build"
query.remote = "client-session"
"#
    )
}

/// What the gate refuses although a client sent it, and why that is right. `(method, target)`
/// without its version.
const REFUSED: &[(&str, &str)] = &[];

#[test]
fn every_recorded_request_reaches_docker_unchanged_in_meaning() {
    let judging = include_str!("../../policies/docker-cli-full.toml");
    for policy in [&*everything(), judging] {
        reaches_docker_unchanged_in_meaning(policy);
    }
}

fn reaches_docker_unchanged_in_meaning(policy: &str) {
    let traces = Arc::new(traces::all());
    assert!(traces.len() > 1000, "the data is there");
    let docker = {
        let traces = Arc::clone(&traces);
        FakeDocker::start(move |exchange| play(exchange, &traces))
    };
    let gate = Gate::with_policy(&docker, policy);
    let problems = Mutex::new(Vec::new());

    thread::scope(|scope| {
        for worker in 0..4 {
            let (gate, traces, problems) = (&gate, &traces, &problems);
            scope.spawn(move || {
                for (number, trace) in traces.iter().enumerate().skip(worker).step_by(4) {
                    if let Err(problem) = replay(gate, number, trace) {
                        let mut problems = problems.lock().unwrap();
                        problems.push(format!(
                            "{} {} ({}): {problem}",
                            trace.method, trace.target, trace.src
                        ));
                    }
                }
            });
        }
    });

    let received: BTreeMap<usize, _> = docker
        .requests()
        .into_iter()
        .map(|request| (case_of(&request.head), request))
        .collect();
    let mut problems = problems.into_inner().unwrap();
    for (number, trace) in traces.iter().enumerate() {
        if is_refused(trace) {
            assert!(
                !received.contains_key(&number),
                "{} {}",
                trace.method,
                trace.target
            );
            continue;
        }
        let verdict = received
            .get(&number)
            .ok_or_else(|| "never reached Docker".to_owned())
            .and_then(|request| same_meaning(trace, &request.head, request.body.as_deref()));
        if let Err(problem) = verdict {
            problems.push(format!(
                "{} {} ({}): {problem}",
                trace.method, trace.target, trace.src
            ));
        }
    }
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

fn is_refused(trace: &Trace) -> bool {
    REFUSED.contains(&(trace.method.as_str(), trace.bare_target()))
}

fn case_of(head: &Head) -> usize {
    head.get("x-case").unwrap().parse().unwrap()
}

/// The engine's side: the recorded answer; a tunnel sends everything back.
fn play(exchange: &mut Exchange, traces: &[Trace]) {
    let trace = &traces[case_of(&exchange.head)];
    exchange.read_body();
    exchange.send(&trace.answer());
    match trace.via {
        Some(_) => {
            exchange.echo();
            exchange.close();
        }
        None if ends_with_connection(trace) => exchange.close(),
        None => {}
    }
}

fn ends_with_connection(trace: &Trace) -> bool {
    trace.resp.framing == "until-close"
        || (trace.via.is_none() && trace.resp.framing == "raw")
        || Head::read(&trace.answer()).connection("close")
}

/// The client's side.
fn replay(gate: &Gate, number: usize, trace: &Trace) -> Result<(), String> {
    let mut request = trace.request();
    let first = request.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
    request.splice(first..first, format!("X-Case: {number}\r\n").into_bytes());
    let mut client = gate.client();
    client.send_raw(&request);
    let wanted = Head::read(&trace.answer());

    let head = if trace.via.is_some() {
        let (_, head) = client.read_head();
        if head.status() == trace.status {
            client.send_raw("through the tunnel").half_close();
            let back = client.read_to_eof();
            if back != b"through the tunnel" {
                return Err(format!(
                    "the tunnel brought {:?}",
                    String::from_utf8_lossy(&back)
                ));
            }
        }
        head
    } else {
        let answer = client.read_response();
        if is_refused(trace) {
            return match answer.status() {
                400 | 403 => Ok(()),
                other => Err(format!("listed as refused, answered {other}")),
            };
        }
        let size = trace.resp.size.min(16 * 1024);
        if answer.status() == trace.status && trace.method != "HEAD" && answer.body.len() != size {
            return Err(format!("{} bytes of {size} came back", answer.body.len()));
        }
        if answer.status() != trace.status {
            return Err(format!("answered {} {}", answer.status(), answer.text()));
        }
        answer.head
    };
    if head.first.trim_end() != wanted.first.trim_end() {
        return Err(format!(
            "answered {:?} instead of {:?}",
            head.first, wanted.first
        ));
    }
    for (name, value) in end_to_end(&wanted) {
        if head.get(name) != Some(value) {
            return Err(format!(
                "the answer's {name}: {value} became {:?}",
                head.get(name)
            ));
        }
    }
    Ok(())
}

/// The engine was asked what the client asked.
fn same_meaning(trace: &Trace, head: &Head, body: Option<&[u8]>) -> Result<(), String> {
    if head.word(0) != trace.method {
        return Err(format!("sent as {}", head.first));
    }
    if meaning(head.word(1)) != meaning(&trace.target) {
        return Err(format!("sent as {}", head.first));
    }
    let sent = Head {
        first: String::new(),
        headers: trace.headers.clone(),
    };
    for (name, value) in end_to_end(&sent) {
        if head.get(name) != Some(value) {
            return Err(format!("{name}: {value} became {:?}", head.get(name)));
        }
    }
    let body = body.ok_or("its body never ended")?;
    let call = Call::parse(&trace.method, &trace.target).map_err(|why| why.to_string())?;
    let reads_none = call
        .operation()
        .is_some_and(|operation| operation.body() == BodyKind::None);
    let wanted = if reads_none {
        Vec::new()
    } else {
        trace.payload()
    };
    if body != wanted {
        return Err(format!(
            "the body became {:?}",
            String::from_utf8_lossy(&body[..body.len().min(200)])
        ));
    }
    Ok(())
}

/// The headers that are not between two neighbours alone, nor describe the framing.
fn end_to_end(head: &Head) -> impl Iterator<Item = (&str, &str)> {
    const NEIGHBOURS: &[&str] = &[
        "host",
        "connection",
        "keep-alive",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
    ];
    head.headers
        .iter()
        .filter(|(name, _)| !NEIGHBOURS.contains(&name.to_ascii_lowercase().as_str()))
        // A name with several lines is compared by its first.
        .filter(|(name, value)| head.get(name) == Some(value.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Path, and query pairs in order, decoded.
fn meaning(target: &str) -> (String, Vec<(String, String)>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decoded(&key.replace('+', " ")),
                decoded(&value.replace('+', " ")),
            )
        })
        .collect();
    (decoded(path), pairs)
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escape =
            (bytes[at] == b'%').then(|| u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
        out.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap()
}
