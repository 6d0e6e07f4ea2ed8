//! The gate and Go's `net/http`, which dockerd stands on, find the same requests in the same bytes.
//!
//! Three questions are asked of recorded requests and of thousands that are slightly wrong:
//!
//! 1. Of the bytes as they came: are the requests that the gate accepts also the first ones that Go
//!    finds, with equal method, path, query, headers and body?
//! 2. Of each request as it is written anew: does Go find exactly this one, and nothing else?
//! 3. Of what a running gate really sends: is every request that Go finds in it one that the gate
//!    accepted, in this order, and does `r.Form` – where a form body would win – hold the query?
//!
//! Where Go refuses what the gate accepts, nothing can be smuggled; [`EXCUSES`] lists when it does, and why.
//! The reverse is the gate's purpose. Needs the `go` command (Debian: golang-go); without it these
//! tests say so and prove nothing.

mod bodies;
mod go;
mod mutate;
mod ours;

use std::collections::BTreeMap;
use std::time::Duration;

use quaygate::docker::Operation;
use quaygate::wire::framing::RequestBody;

use super::checks::exchange::{Limits, Rig};
use super::support::traces;
use go::Go;
use mutate::Dice;
use ours::Request;

/// How many requests are made of the recorded ones, and how many answers. `QUAYGATE_GODIFF=SEED:N`
/// makes `N` others of each.
const REQUESTS: usize = 24_000;
const ANSWERS: usize = 8_000;

/// One of so many requests goes through a running gate, which takes longer than reading.
const GATE_EVERY: usize = 3;

/// Requests per question to Go.
const BATCH: usize = 500;

/// A difference that is harmless, and the argument for it.
struct Excuse {
    /// What the difference says.
    says: &'static str,
    /// What the input has then.
    has: fn(&[u8]) -> bool,
    #[expect(dead_code, reason = "for people")]
    because: &'static str,
}

const EXCUSES: &[Excuse] = &[
    Excuse {
        says: "Go refuses: HTTP/1.1 400 Bad Request |",
        has: |input| has(input, b"trailer:"),
        because: "Go refuses a chunked request that announces a trailer named like a framing header; the gate drops the \
                  announcement, and refuses a body that ends in a trailer",
    },
    Excuse {
        says: "Go refuses: HTTP/1.1 400 Bad Request |",
        has: |input| has(input, b" http://"),
        because: "Go reads the authority of an absolute target (`http://[d/x`) more closely than the gate, which drops it",
    },
    Excuse {
        says: "a header cache-control: \"no-cache\"",
        has: |input| has(input, b"pragma:"),
        because: "Go adds `Cache-Control: no-cache` to whatever holds `Pragma: no-cache` without it \
                  (net/http, fixPragmaCacheControl); nothing here reads either",
    },
];

fn has(input: &[u8], name: &[u8]) -> bool {
    input
        .windows(name.len())
        .any(|part| part.eq_ignore_ascii_case(name))
}

#[test]
fn go_finds_the_same_requests_in_the_same_bytes() {
    let Some(mut go) = go_or_say_so() else { return };
    let mut differences = Differences::default();
    for inputs in requests().chunks(BATCH) {
        let read: Vec<_> = inputs.iter().map(|input| ours::requests(input)).collect();
        for ((input, ours), theirs) in inputs.iter().zip(&read).zip(go.requests(inputs)) {
            differences.cases += 1;
            differences.accepted += usize::from(!ours.is_empty());
            let problem = as_it_came(ours, &theirs);
            differences.note(input, problem);
        }
    }
    differences.judge();
}

#[test]
fn go_finds_one_request_where_one_was_written() {
    let Some(mut go) = go_or_say_so() else { return };
    let mut differences = Differences::default();
    let ours: Vec<Request> = requests()
        .iter()
        .flat_map(|input| ours::requests(input))
        .filter(|request| request.complete)
        .collect();
    for requests in ours.chunks(BATCH) {
        let written: Vec<_> = requests
            .iter()
            .map(|request| request.rewritten.clone())
            .collect();
        for (request, theirs) in requests.iter().zip(go.requests(&written)) {
            differences.cases += 1;
            differences.accepted += 1;
            let problem = match theirs.requests.as_slice() {
                [one] if theirs.end.is_empty() => as_written(request, one),
                _ => Err(format!(
                    "{} requests, then {:?}",
                    theirs.requests.len(),
                    theirs.end
                )),
            };
            differences.note(&request.rewritten, problem);
        }
    }
    differences.judge();
}

#[test]
fn go_finds_in_what_the_gate_sends_only_what_the_gate_accepted() {
    let Some(mut go) = go_or_say_so() else { return };
    let rig = Rig::with_policy(&everything(), limits());
    let mut differences = Differences::default();
    for input in requests().into_iter().step_by(GATE_EVERY) {
        let ours = ours::requests(&input);
        let complete = ours.iter().filter(|request| request.complete).count();
        let sent = rig.relay(&input, complete);
        differences.cases += 1;
        differences.accepted += usize::from(!sent.is_empty());
        let mut expected = ours.iter();
        for theirs in go.requests(&sent) {
            let problem = as_sent(&mut expected, &theirs);
            differences.note(&input, problem);
        }
    }
    differences.judge();
}

#[test]
fn go_finds_the_same_answer_in_the_same_bytes() {
    let Some(mut go) = go_or_say_so() else { return };
    let mut differences = Differences::default();
    for inputs in answers().chunks(BATCH) {
        let read: Vec<_> = inputs
            .iter()
            .map(|(to_head, input)| ours::answer(input, *to_head))
            .collect();
        let as_they_came = go.answers(inputs);
        let written: Vec<_> = inputs
            .iter()
            .zip(&read)
            .map(|((to_head, _), ours)| {
                (
                    *to_head,
                    ours.as_ref()
                        .map_or(Vec::new(), |ours| ours.rewritten.clone()),
                )
            })
            .collect();
        let anew = go.answers(&written);
        for ((((_, input), ours), theirs), anew) in
            inputs.iter().zip(&read).zip(as_they_came).zip(anew)
        {
            differences.cases += 1;
            let Some(ours) = ours else { continue };
            differences.accepted += 1;
            differences.note(input, same_answer(ours, &theirs, ours.taken));
            differences.note(input, same_answer(ours, &anew, ours.rewritten.len()));
        }
    }
    differences.judge();
}

/// Our requests are Go's first ones.
fn as_it_came(ours: &[Request], theirs: &go::Reading) -> Result<(), String> {
    for (number, request) in ours.iter().enumerate() {
        let Some(found) = theirs.requests.get(number) else {
            if theirs.end.is_empty() {
                return Err(format!(
                    "Go stopped before {} {:?}",
                    request.method, request.path
                ));
            }
            return Err(format!("Go refuses: {}", theirs.end));
        };
        same_request(request, found)?;
        let headers = &request.headers;
        for (name, value) in &found.headers {
            let name = String::from_utf8_lossy(&name.0).to_ascii_lowercase();
            let same = |line: &(String, Vec<u8>)| line.0 == name && line.1 == value.0;
            if !headers.iter().any(same) {
                return Err(format!("Go has a header {name}: {value:?}"));
            }
        }
    }
    Ok(())
}

/// What was written is what Go reads, and each header that Go sees is one that came, or ours.
fn as_written(ours: &Request, theirs: &go::Request) -> Result<(), String> {
    same_request(ours, theirs)?;
    if theirs.host.0 != b"docker" {
        return Err(format!("host {:?}", theirs.host));
    }
    let ends_here = |name: &str| {
        ["connection", "te", "trailer", "keep-alive", "upgrade"].contains(&name)
            || name.starts_with("proxy-")
    };
    for (name, value) in &theirs.headers {
        let name = String::from_utf8_lossy(&name.0).to_ascii_lowercase();
        if name.contains('_')
            || (ends_here(&name) && !matches!(name.as_str(), "connection" | "upgrade"))
        {
            return Err(format!("{name} passed"));
        }
        let same =
            |line: &(String, Vec<u8>)| line.0 == name && line.1.eq_ignore_ascii_case(&value.0);
        if name != "connection" && !ours.headers.iter().any(same) {
            return Err(format!("a new header {name}: {value:?}"));
        }
    }
    Ok(())
}

/// Every request in what was sent is the next, or a later one, of those accepted.
fn as_sent<'r>(
    expected: &mut impl Iterator<Item = &'r Request>,
    theirs: &go::Reading,
) -> Result<(), String> {
    for found in &theirs.requests {
        let Some(ours) =
            expected.find(|ours| ours.method == found.method && ours.path == found.path)
        else {
            return Err(format!(
                "Go finds {} {:?}, which was not accepted",
                found.method, found.path
            ));
        };
        if found.form != first_wins(ours) {
            return Err(format!("r.Form is {:?}", found.form));
        }
        let dropped = ours.bodiless && found.body.0.is_empty();
        if !ours.body.starts_with(&found.body.0)
            || (ours.complete && !dropped && found.body.0 != ours.body)
        {
            return Err(format!("the body is {:?}", found.body));
        }
        if ours.complete && !found.broken.is_empty() {
            return Err(format!("the body is broken: {}", found.broken));
        }
    }
    let unfinished = theirs
        .requests
        .last()
        .is_some_and(|last| !last.broken.is_empty());
    if theirs.end.is_empty() || unfinished {
        Ok(())
    } else {
        Err(format!("Go refuses what the gate sent: {}", theirs.end))
    }
}

fn same_request(ours: &Request, theirs: &go::Request) -> Result<(), String> {
    let different = |what: &str| Err(format!("{what}: {ours:?} is for Go {theirs:?}"));
    if ours.method != theirs.method {
        return different("method");
    }
    if ours.path != theirs.path {
        return different("path");
    }
    if ours.query != theirs.query {
        return different("query");
    }
    let (length, chunked) = match ours.framing {
        RequestBody::None => (0, false),
        RequestBody::Length(length) => (i64::try_from(length).unwrap(), false),
        RequestBody::Chunked => (-1, true),
    };
    if (length, chunked) != (theirs.length, theirs.chunked) {
        return different("framing");
    }
    if ours.complete && (ours.body != theirs.body.0 || !theirs.broken.is_empty()) {
        return different("body");
    }
    Ok(())
}

fn same_answer(ours: &ours::Answer, theirs: &go::Answer, taken: usize) -> Result<(), String> {
    if ours.status != theirs.status || ours.body != theirs.body.0 || taken != theirs.taken {
        return Err(format!("{ours:?} is for Go {theirs:?}"));
    }
    if !theirs.broken.is_empty() {
        return Err(format!("Go refuses: {}", theirs.broken));
    }
    for (name, value) in &theirs.headers {
        let name = String::from_utf8_lossy(&name.0).to_ascii_lowercase();
        let same =
            |line: &(String, Vec<u8>)| line.0 == name && line.1.eq_ignore_ascii_case(&value.0);
        if name != "connection" && !ours.headers.iter().any(same) {
            return Err(format!("a header {name}: {value:?}"));
        }
    }
    Ok(())
}

fn first_wins(ours: &Request) -> go::Pairs {
    let mut pairs = ours.query.clone();
    pairs.dedup_by(|later, first| later.0 == first.0);
    pairs
}

/// Recorded requests, and what `mutate` makes of them.
fn requests() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = heads(include_str!("../data/heads.txt"));
    for line in include_str!("../data/targets.txt").lines() {
        if let Some((method, target)) = line
            .split_once(' ')
            .and_then(|(_, line)| line.trim_start().split_once(' '))
            .filter(|_| !line.starts_with('#'))
        {
            let target = target.trim_start();
            seeds.push(format!("{method} {target} HTTP/1.1\r\nHost: d\r\n\r\n").into_bytes());
        }
    }
    let traces = traces::all();
    seeds.extend(
        traces
            .iter()
            .map(traces::Trace::request)
            .filter(|bytes| bytes.len() < 4096),
    );
    let (seed, count) = asked_for().unwrap_or((1, REQUESTS));
    let mut dice = Dice(seed);
    let made: Vec<_> = (0..count)
        .map(|_| mutate::request(dice.pick(&seeds).as_slice(), &seeds, &mut dice))
        .collect();
    seeds.extend(made);
    seeds
}

/// `SEED:N`, for a run that looks further than the ordinary one.
fn asked_for() -> Option<(u64, usize)> {
    let text = std::env::var("QUAYGATE_GODIFF").ok()?;
    let (seed, count) = text.split_once(':').expect("QUAYGATE_GODIFF is SEED:N");
    Some((
        seed.parse().expect("a seed"),
        count.parse().expect("a count"),
    ))
}

/// Recorded answers with a body behind each, and what `mutate` makes of them.
fn answers() -> Vec<(bool, Vec<u8>)> {
    let mut seeds = Vec::new();
    for head in heads(include_str!("../data/answers.txt")) {
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        let body = if text.contains("chunked") {
            b"5\r\nhello\r\n0\r\n\r\n".to_vec()
        } else {
            vec![b'x'; length]
        };
        seeds.push([head, body, b"HTTP/1.1 200 OK\r\n\r\n".to_vec()].concat());
    }
    seeds.retain(|seed| seed.len() < 8192);
    let (seed, count) = asked_for().unwrap_or((2, ANSWERS));
    let mut dice = Dice(seed);
    let made: Vec<_> = (0..count)
        .map(|_| mutate::answer(dice.pick(&seeds).as_slice(), &mut dice))
        .collect();
    seeds.extend(made);
    seeds
        .into_iter()
        .map(|seed| (dice.below(4) == 0, seed))
        .collect()
}

/// Heads separated by blank lines, comments left out, with a body of the length they promise.
fn heads(text: &str) -> Vec<Vec<u8>> {
    text.split("\n\n")
        .map(|block| {
            block
                .lines()
                .filter(|line| !line.starts_with('#'))
                .collect::<Vec<_>>()
        })
        .filter(|lines| !lines.is_empty())
        .map(|lines| (lines.join("\r\n") + "\r\n\r\n").into_bytes())
        .collect()
}

/// Everything, by name.
fn everything() -> String {
    let grants: Vec<String> = Operation::ALL
        .iter()
        .filter(|operation| !matches!(operation.method().as_str(), "HEAD" | "OPTIONS"))
        .filter(|operation| operation.removed().is_none())
        .map(|operation| {
            format!(
                "\"{} {}\",\n",
                operation.method().as_str(),
                operation.path()
            )
        })
        .collect();
    format!("allow = [\n{}]\n", grants.concat())
}

/// A hang is found within seconds.
fn limits() -> Limits {
    Limits {
        head_deadline: Duration::from_secs(5),
        body_deadline: Duration::from_secs(5),
        linger: Duration::from_millis(100),
        ..Limits::default()
    }
}

fn go_or_say_so() -> Option<Go> {
    let go = go::start();
    if go.is_none() {
        eprintln!(
            "\nNOT TESTED: the `go` command is missing, so nothing was compared with net/http (Debian: golang-go)\n"
        );
    }
    go
}

/// What came out, by kind.
#[derive(Default)]
struct Differences {
    cases: usize,
    accepted: usize,
    excused: usize,
    found: BTreeMap<String, (usize, String)>,
}

impl Differences {
    fn note(&mut self, input: &[u8], problem: Result<(), String>) {
        if let Err(problem) = problem {
            let excused = |excuse: &&Excuse| problem.contains(excuse.says) && (excuse.has)(input);
            if EXCUSES.iter().any(|excuse| excused(&excuse)) {
                self.excused += 1;
                return;
            }
            let kind: String = problem.chars().take(120).collect();
            let shown = || format!("{}\n    {problem}", input.escape_ascii());
            self.found.entry(kind).or_insert_with(|| (0, shown())).0 += 1;
        }
    }

    fn judge(self) {
        let Self {
            cases,
            accepted,
            excused,
            found,
        } = self;
        eprintln!(
            "{cases} cases, {accepted} accepted, {excused} excused, {} kinds of differences",
            found.len()
        );
        assert!(
            accepted > cases / 5,
            "the gate accepts too few for this to mean much"
        );
        let shown: Vec<String> = found
            .values()
            .take(20)
            .map(|(count, text)| format!("{count} × {text}"))
            .collect();
        assert!(shown.is_empty(), "{}", shown.join("\n"));
    }
}
