//! What the gate takes for a body, Go's `encoding/json` reads the same.
//!
//! 1. Whatever the strict reader (`docker::json`) accepts, a reader with Go's habits finds the same in:
//!    every key and value, no two keys that are one field, nothing behind it.
//! 2. Whatever a plain rule allows holds no danger, by a second writing of what is dangerous.
//! 3. That second reader is right: Go itself decodes each of these bodies – accepted or not – to the same
//!    values. This needs the `go` command.
//!
//! The bodies are recorded ones, bent in many ways, and others put together from dangerous pieces.

use std::collections::BTreeMap;

use quaygate::diag::Source;
use quaygate::docker::json;
use quaygate::docker::{ApiVersion, Call, Operation};
use quaygate::facts::Caller;
use quaygate::judge::Judge;
use quaygate::policy::Policy;

use super::go::{self, Pairs};
use super::mutate::Dice;
use crate::checks::body::{PLAIN, same};
use crate::checks::dangers::{CREATE, HOST_CONFIG, dangers};
use crate::checks::gojson;

/// How many bodies are made.
const BODIES: usize = 12_000;

#[test]
fn what_is_accepted_reads_the_same_with_gos_habits() {
    let (mut accepted, all) = (0, bodies());
    for (_, body) in &all {
        let Ok(ours) = json::parse(body) else {
            continue;
        };
        accepted += 1;
        let theirs = gojson::read(body).expect("Go reads what we read");
        assert!(
            same(&ours, &theirs),
            "{}\n{ours:?}\n{theirs:?}",
            body.escape_ascii()
        );
    }
    eprintln!("{} bodies, {accepted} accepted", all.len());
    assert!(accepted > all.len() / 5, "only {accepted} of {}", all.len());
}

#[test]
fn what_a_plain_rule_allows_holds_no_danger() {
    let source = Source::new("plain.toml", PLAIN);
    let policy = Policy::parse("plain", &source).expect("a policy").policy;
    let caller = Caller::default();
    let (mut allowed, mut dangerous) = (0, 0);
    for (operation, body) in bodies() {
        let path = operation.path().replace("{id}", "x").replace("{name}", "x");
        let call = Call::parse("POST", &path).expect("a call");
        let judge = Judge::new(&policy, &caller, &call, Some(ApiVersion::new(1, 41)));
        let found = dangers(operation.name(), &body);
        dangerous += usize::from(found.as_ref().is_some_and(|found| !found.is_empty()));
        if judge.body(&body).decide().allows() {
            allowed += 1;
            assert_eq!(
                found,
                Some(Vec::new()),
                "{} {}",
                operation.name(),
                body.escape_ascii()
            );
        }
    }
    eprintln!("{allowed} bodies allowed, {dangerous} dangerous");
    assert!(
        allowed > 500 && dangerous > 500,
        "{allowed} allowed, {dangerous} dangerous"
    );
}

#[test]
fn go_decodes_bodies_as_the_second_reader_does() {
    let Some(mut go) = super::go_or_say_so() else {
        return;
    };
    let creates: Vec<Vec<u8>> = bodies()
        .into_iter()
        .filter(|(operation, _)| *operation == Operation::ContainerCreate)
        .map(|(_, body)| body)
        .collect();
    let (mut right, mut wrong, mut broken) = (0, 0, 0);
    for (body, theirs) in creates.iter().zip(go.creates(&creates)) {
        let shown = || format!("{}\n{theirs:#?}", body.escape_ascii());
        let Some(node) = gojson::read(body) else {
            assert!(theirs.broken, "only Go reads {}", shown());
            broken += 1;
            continue;
        };
        assert!(!theirs.broken, "only Go does not read {}", shown());
        let (own, top) = (
            gojson::decode(&node, CREATE),
            gojson::decode(&node, HOST_CONFIG),
        );
        assert_eq!(own.wrong || top.wrong, theirs.wrong, "{}", shown());
        if theirs.wrong {
            wrong += 1;
            continue;
        }
        right += 1;
        assert_eq!(own.values, values(&theirs.own), "{}", shown());
        assert_eq!(top.values, values(&theirs.top), "{}", shown());
    }
    eprintln!("{right} bodies with values, {wrong} of a wrong type, {broken} broken");
    assert!(
        right > 1000 && wrong > 100 && broken > 100,
        "{right} {wrong} {broken}"
    );
}

#[test]
fn the_second_reader_has_gos_habits() {
    for (body, path, value) in [
        (
            r#"{"HoſtConfig":{"Bindſ":["/:/h"]}}"#,
            "HostConfig.Binds.0",
            "/:/h",
        ),
        (
            r#"{"HostConfig":{"Lin\u212as":["a"]}}"#,
            "HostConfig.Links.0",
            "a",
        ),
        (
            r#"{"HostConfig":{"Privileged":true},"hostconfig":{}}"#,
            "HostConfig.Privileged",
            "true",
        ),
        (
            r#"{"HostConfig":{"Privileged":true,"Privileged":null}}"#,
            "HostConfig.Privileged",
            "true",
        ),
        (
            r#"{"HostConfig":{"Privileged":true},"HostConfig":null}"#,
            "HostConfig.Privileged",
            "",
        ),
        (
            r#"{"HostConfig":{"CapAdd":"ALL"}}"#,
            "HostConfig.CapAdd.0",
            "ALL",
        ),
        (
            r#"{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/"}],"Mounts":[{"Target":"/h"}]}}"#,
            "HostConfig.Mounts.0.Source",
            "/",
        ),
        (
            r#"{"HostConfig":{"Binds":["a","/:/h"],"Binds":["b"],"Binds":["c",null]}}"#,
            "HostConfig.Binds.1",
            "/:/h",
        ),
        (r#"{"Image":"a"}{"Image":"b"}"#, "Image", "a"),
    ] {
        let node = gojson::read(body.as_bytes()).unwrap();
        assert_eq!(gojson::decode(&node, CREATE).get(path), value, "{body}");
    }
}

fn values(pairs: &Pairs) -> BTreeMap<String, String> {
    let text = |hex: &go::Hex| String::from_utf8(hex.0.clone()).expect("Go's texts are UTF-8");
    pairs
        .iter()
        .map(|(path, value)| (text(path), text(value)))
        .collect()
}

/// Recorded bodies, and what is made of them.
fn bodies() -> Vec<(Operation, Vec<u8>)> {
    let judged = [
        Operation::ContainerCreate,
        Operation::ContainerUpdate,
        Operation::ContainerExec,
        Operation::VolumeCreate,
        Operation::NetworkCreate,
        Operation::NetworkConnect,
        Operation::ServiceCreate,
    ];
    let mut seeds: Vec<(Operation, Vec<u8>)> = Vec::new();
    for line in include_str!("../../data/bodies.jsonl").lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of bodies");
        let name = line["operation"].as_str().unwrap_or_default();
        if let Some(operation) = judged.iter().find(|operation| operation.name() == name) {
            let body = serde_json::to_vec(&line["body"]).expect("a body");
            if body.len() < 4096 {
                seeds.push((*operation, body));
            }
        }
    }
    let mut dice = Dice(11);
    let mut all = seeds.clone();
    for number in 0..BODIES {
        // Creates are what Go is asked about, and what most can be hidden in.
        let (operation, body) = if number % 2 == 0 {
            (Operation::ContainerCreate, pieces(&mut dice))
        } else {
            dice.pick(&seeds).clone()
        };
        let mut body = body;
        for _ in 0..dice.below(3) {
            bend(&mut body, &mut dice);
        }
        all.push((operation, body));
    }
    all
}

const KEYS: &[&str] = &[
    "HostConfig",
    "hostconfig",
    "Ho\u{17f}tConfig",
    "HostConfi\\u0067",
    "HOSTCONFIG",
    "NetworkingConfig",
    "EndpointsConfig",
    "Privileged",
    "privileged",
    "PRIVILEGED",
    "Binds",
    "Bind\u{17f}",
    "binds",
    "CapAdd",
    "capadd",
    "PidMode",
    "NetworkMode",
    "Networ\u{212a}Mode",
    "IpcMode",
    "UsernsMode",
    "Links",
    "Lin\\u212as",
    "Mounts",
    "mount\u{17f}",
    "Tmpfs",
    "Devices",
    "SecurityOpt",
    "SecurityOpt ",
    "Runtime",
    "CgroupParent",
    "VolumesFrom",
    "VolumeDriver",
    "Volumes",
    "Sysctls",
    "MaskedPaths",
    "Memory",
    "OomKillDisable",
    "Image",
    "Cmd",
    "Labels",
    "Type",
    "Source",
    "Target",
    "VolumeOptions",
    "DriverConfig",
    "Options",
    "Name",
    "NetworkID",
    "PathOnHost",
    "RestartPolicy",
    "PortBindings",
    "80/tcp",
    "web",
    "bridge",
    "",
    "Neu",
    "DeviceRequests",
    "Env",
    "Healthcheck",
    "TaskTemplate",
    "ContainerSpec",
    "CapabilityAdd",
    "Networks",
    "Test",
    "ReadOnly",
    "BindOptions",
    "Propagation",
];

const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "1e3",
    "1.0",
    "9223372036854775807",
    "9223372036854775808",
    "\"\"",
    "\"host\"",
    "\"bind\"",
    "\"/\"",
    "\"ALL\"",
    "\"alpine\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\\u0041\"",
    "\"private\"",
    "[]",
    "{}",
    "[\"/:/h\"]",
    "[\"ALL\"]",
    "[null]",
    "[null,\"x\"]",
    "[\"a\",\"b\"]",
    "{\"a\":\"b\"}",
    "{\"a\":null}",
    "[{}]",
    "[{},{}]",
    "{\"/data\":{}}",
    "{\"a.b\":{}}",
    "[{\"HostPort\":\"80\"}]",
    "\"\u{e9}\"",
];

/// What is no JSON.
const BROKEN: &[&str] = &[
    "NaN",
    "+1",
    "01",
    "'x'",
    "[1,]",
    "",
    "[\"/:/h\"",
    "\"a\nb\"",
];

/// An object of dangerous pieces, some of them twice and some inside of each other.
fn pieces(dice: &mut Dice) -> Vec<u8> {
    fn object(dice: &mut Dice, depth: usize) -> String {
        let fields: Vec<String> = (0..=dice.below(4)).map(|_| field(dice, depth)).collect();
        format!("{{{}}}", fields.join(","))
    }
    fn field(dice: &mut Dice, depth: usize) -> String {
        let key = *dice.pick(KEYS);
        let value = match dice.below(4) {
            0 | 1 if depth < 4 => object(dice, depth + 1),
            2 if depth < 4 => format!("[{}]", object(dice, depth + 1)),
            _ if dice.below(40) == 0 => (*dice.pick(BROKEN)).to_owned(),
            _ => (*dice.pick(VALUES)).to_owned(),
        };
        format!("\"{key}\":{value}")
    }
    let host: Vec<String> = (0..dice.below(4)).map(|_| field(dice, 1)).collect();
    let mut text = object(dice, 0);
    if dice.below(2) == 0 {
        text = format!("{{\"Image\":\"a\",\"HostConfig\":{{{}}}}}", host.join(","));
    }
    if dice.below(8) == 0 {
        text.push_str(dice.pick::<&str>(&["{}", " ", "x", "\n", "\0", "{\"HostConfig\":{}}"]));
    }
    text.into_bytes()
}

/// One small change to a text.
fn bend(body: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(body.len() + 1);
    match dice.below(7) {
        // A key in another spelling.
        0 | 1 => {
            let letters: Vec<usize> = (0..body.len())
                .filter(|at| b"sSkK".contains(&body[*at]))
                .collect();
            if let Some(at) = letters.get(dice.below(letters.len().max(1))).copied() {
                let letter = body[at].to_ascii_lowercase();
                let twin = match (dice.below(3), letter) {
                    (0, b's') => "\u{17f}".as_bytes(),
                    (0, _) => "\u{212a}".as_bytes(),
                    (1, b's') => b"\\u0053",
                    (1, _) => b"\\u004B",
                    (_, b's') => b"S",
                    _ => b"K",
                };
                body.splice(at..=at, twin.iter().copied());
            }
        }
        2 => drop(body.splice(at..at, dice.pick(VALUES).bytes())),
        3 => {
            // A piece somewhere else.
            let end = (at + dice.below(40)).min(body.len());
            let piece = body[at..end].to_vec();
            let to = dice.below(body.len() + 1);
            body.splice(to..to, piece);
        }
        4 if at < body.len() => drop(body.remove(at)),
        5 => {
            // One field more, at the front.
            let field = format!("{{\"{}\":{},", dice.pick(KEYS), dice.pick(VALUES));
            if body.first() == Some(&b'{') && body.len() > 2 {
                body.splice(..1, field.bytes());
            }
        }
        _ => {
            let byte = u8::try_from(dice.below(256)).expect("a byte");
            body.insert(at, byte);
        }
    }
}
