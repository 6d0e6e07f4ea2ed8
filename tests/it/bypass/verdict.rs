//! What is asked of everything that the engine heard, whatever the case.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use quaygate::diag::Source;
use quaygate::docker::payload::Payload;
use quaygate::docker::{ApiVersion, Call};
use quaygate::facts::{Caller, Findings, Origin};
use quaygate::judge::Judge;
use quaygate::policy::Policy;

use super::catalogue::{Case, Expect, Step};
use super::moby::Reading;
use super::upstream::{Heard, Minutes, spelled};
use crate::checks::dangers::dangers;

/// The policies of the catalogue, as the library reads them.
pub(crate) struct Policies(HashMap<String, Policy>);

impl Policies {
    pub(crate) fn load(folder: &Path) -> Self {
        let read = |path: &Path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(path).unwrap();
            let source = Source::new(path.to_str().unwrap(), &text);
            let checked = Policy::parse(&name, &source)
                .unwrap_or_else(|problems| panic!("{}: {problems:#?}", path.display()));
            (name, checked.policy)
        };
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        Self(entries.map(|path| read(&path)).collect())
    }

    /// Whether a policy allows what the engine heard, in the engine's own reading of it.
    fn allow(&self, name: &str, heard: &Heard, execs: &HashSet<String>) -> Result<(), String> {
        let (operation, asked) = match &heard.reading {
            Reading::Runs(operation, asked) => (*operation, asked),
            // `[unlisted]` grants may name what dockerd does not have.
            Reading::NotFound(asked) => ("", asked),
            Reading::Redirect | Reading::Bad(_) => return Err("is no request".into()),
        };
        if asked.bad_form {
            return Err("has a form that Go refuses".into());
        }
        let target = asked.target();
        let call =
            Call::parse(&heard.method, &target).map_err(|bad| format!("is malformed: {bad}"))?;
        let judged = call
            .operation()
            .map_or("", quaygate::docker::Operation::name);
        if judged != operation {
            return Err(format!("is {operation} to Docker and {judged:?} to us"));
        }
        let policy = self.0.get(name).ok_or("has no policy")?;
        let somebody = Caller {
            uid: Some(rustix::process::getuid().as_raw()),
            ..Caller::default()
        };
        let exec = match call.subject() {
            Some(id) if execs.contains(id) => Origin::Here,
            _ => Origin::Elsewhere,
        };
        let engine = Some(ApiVersion::new(1, 51));
        let findings = Findings {
            exec,
            ..Findings::default()
        };
        let judge = Judge::new(policy, &somebody, &call, engine).findings(&findings);
        let judge = match &heard.body {
            Some(body) => judge.body(body),
            None => judge,
        };
        if !judge.decide().allows() {
            return Err("is denied by the policy".into());
        }
        if let Payload::Read(_) = judge.payload()
            && !is_unchecked(name)
        {
            harmless(name, operation, heard)?;
        }
        Ok(())
    }

    /// What the engine heard is what the policy allows, in canonical form, and what was expected.
    pub(crate) fn faults(&self, case: &Case, minutes: &Minutes) -> Vec<String> {
        let mut faults = Vec::new();
        for (status, why, bytes) in &minutes.unreadable {
            faults.push(format!(
                "Go would answer {status} ({why}) to {}",
                bytes.escape_ascii()
            ));
        }
        for heard in &minutes.heard {
            if let Err(fault) = self.allow(&case.policy, heard, &minutes.execs) {
                faults.push(format!(
                    "BYPASS: the engine heard {}, which {fault}",
                    heard.line()
                ));
            }
            if let Err(fault) = canonical(heard) {
                faults.push(format!("{fault}: {}", heard.raw.escape_ascii()));
            }
        }
        if !minutes.tunnel.is_empty() && !minutes.heard.iter().any(opens_tunnel) {
            faults.push(format!(
                "BYPASS: through no tunnel came {}",
                minutes.tunnel.escape_ascii()
            ));
        }
        altered(case, minutes, &mut faults);
        if !case.expect.anything {
            unexpected(&case.expect, minutes, &mut faults);
        }
        faults
    }
}

/// Policies of the catalogue under which nobody looks at a body.
fn is_unchecked(policy: &str) -> bool {
    matches!(policy, "unchecked" | "raw-shell")
}

/// A body that was judged: to an engine it holds nothing that the policy does not hand out, and it comes
/// under a length of the gate's own.
fn harmless(policy: &str, operation: &str, heard: &Heard) -> Result<(), String> {
    let body = heard.body.as_deref().unwrap_or_default();
    let found = dangers(operation, body).ok_or("holds a body that Docker would refuse")?;
    if let Some((kind, what)) = found
        .iter()
        .find(|(kind, what)| !grants(policy, kind, what))
    {
        return Err(format!("asks for {kind} {what:?}"));
    }
    let lines = String::from_utf8_lossy(&heard.raw).to_ascii_lowercase();
    if !lines.contains(&format!("\r\ncontent-length: {}\r\n", body.len())) {
        return Err("has a judged body without its length".into());
    }
    if lines.contains("\r\ncontent-encoding:") {
        return Err("has a judged body in an encoding".into());
    }
    Ok(())
}

/// What the policies of the catalogue hand out, written down a second time.
fn grants(policy: &str, kind: &str, what: &str) -> bool {
    match (policy, kind) {
        ("jobs", "host path") => what.strip_prefix("/srv/ci/").is_some_and(|rest| {
            rest.ends_with(":ro") && !rest.contains("..") && !rest.starts_with(':')
        }),
        ("jobs", "volume" | "network") => what.starts_with("ci-"),
        ("jobs", "tmpfs") => true,
        ("jobs", "capability") => {
            let name = what.to_ascii_uppercase();
            name.strip_prefix("CAP_").unwrap_or(&name) == "NET_BIND_SERVICE"
        }
        _ => false,
    }
}

/// Whether a request that the engine heard is one that may become a tunnel.
fn opens_tunnel(heard: &Heard) -> bool {
    let tunnels = [
        "ContainerAttach",
        "ContainerAttachWebsocket",
        "ExecStart",
        "Session",
        "Grpc",
    ];
    matches!(&heard.reading, Reading::Runs(operation, _) if tunnels.contains(operation))
}

/// What was judged is what is sent: every body stands in what the client sent, byte for byte.
fn altered(case: &Case, minutes: &Minutes, faults: &mut Vec<String>) {
    let mut sent = Vec::new();
    for step in &case.steps {
        if let Step::Send(bytes) = step {
            sent.extend_from_slice(bytes);
        } else if let Step::Times(count, bytes) = step {
            sent.extend(bytes.repeat(*count));
        }
    }
    if String::from_utf8_lossy(&sent)
        .to_ascii_lowercase()
        .contains("chunked")
    {
        return;
    }
    for body in minutes
        .heard
        .iter()
        .filter_map(|heard| heard.body.as_deref())
    {
        if !body.is_empty() && !sent.windows(body.len()).any(|part| part == body) {
            faults.push(format!(
                "the engine heard another body: {}",
                body.escape_ascii()
            ));
        }
    }
}

/// What the engine heard is not what was expected.
fn unexpected(expect: &Expect, minutes: &Minutes, faults: &mut Vec<String>) {
    let real: Vec<_> = minutes
        .heard
        .iter()
        .filter(|heard| !heard.is_canary())
        .collect();
    let lines: Vec<_> = real.iter().map(|heard| heard.line()).collect();
    let engine: Vec<_> = expect.engine.iter().map(|line| spelled(line)).collect();
    if expect.within {
        if let Some(line) = lines.iter().find(|line| !engine.contains(line)) {
            faults.push(format!("the engine heard {line}"));
        }
    } else if !alike(&lines, &engine) {
        faults.push(format!("the engine heard {lines:?} instead of {engine:?}"));
    }
    if let Some(bodies) = &expect.bodies {
        let heard: Vec<_> = real
            .iter()
            .map(|heard| heard.body.clone().unwrap_or_default())
            .collect();
        if heard != *bodies {
            faults.push(format!(
                "the engine heard the bodies {:?}",
                heard
                    .iter()
                    .map(|b| b.escape_ascii().to_string())
                    .collect::<Vec<_>>()
            ));
        }
    }
    let tunnel = expect.tunnel.as_deref().unwrap_or_default();
    if minutes.tunnel != tunnel {
        faults.push(format!(
            "through the tunnel came {}",
            minutes.tunnel.escape_ascii()
        ));
    }
    for name in &expect.lacks {
        let name = format!("\n{}:", name.to_ascii_lowercase());
        for heard in &real {
            if String::from_utf8_lossy(&heard.raw)
                .to_ascii_lowercase()
                .contains(&name)
            {
                faults.push(format!(
                    "a header went through: {}",
                    heard.raw.escape_ascii()
                ));
            }
        }
    }
}

/// What was heard is what was expected; an expected line may end in `…`.
fn alike(heard: &[String], expected: &[String]) -> bool {
    let same = |(heard, expected): (&String, &String)| match expected.strip_suffix("%E2%80%A6") {
        Some(start) => heard.starts_with(start),
        None => heard == expected,
    };
    heard.len() == expected.len() && heard.iter().zip(expected).all(same)
}

/// A head as the gate writes it: no reader could take it for anything else.
fn canonical(heard: &Heard) -> Result<(), String> {
    let text = heard
        .raw
        .strip_suffix(b"\r\n\r\n")
        .ok_or("a head without its end")?;
    let lines = split_crlf(text)?;
    let words: Vec<_> = lines[0].split(|byte| *byte == b' ').collect();
    let [_, target, b"HTTP/1.1"] = words[..] else {
        return Err("a request line that is not three words".into());
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%?".contains(byte);
    if !target.starts_with(b"/") || !target.iter().all(plain) {
        return Err("a target that is not canonical".into());
    }
    let fields = lines[1..].iter().map(|line| field(line));
    canonical_fields(&fields.collect::<Result<Vec<_>, _>>()?)
}

/// Name in lower case, and value.
fn field(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let colon = line.iter().position(|byte| *byte == b':');
    let colon = colon.ok_or("a line without a colon")?;
    let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
    let ours = |byte: u8| byte.is_ascii_alphanumeric() || b"-!#$%&'*+.^`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(ours) {
        return Err(format!("a header called {name:?}"));
    }
    Ok((name, line[colon + 1..].to_vec()))
}

fn canonical_fields(fields: &[(String, Vec<u8>)]) -> Result<(), String> {
    let count = |name: &str| fields.iter().filter(|(known, _)| known == name).count();
    for hop in [
        "te",
        "trailer",
        "keep-alive",
        "proxy-connection",
        "http2-settings",
    ] {
        if count(hop) > 0 {
            return Err(format!("the header {hop}"));
        }
    }
    for once in ["content-type", "expect", "upgrade", "connection"] {
        if count(once) > 1 {
            return Err(format!("{once} twice"));
        }
    }
    let host = fields.iter().find(|(name, _)| name == "host");
    if count("host") != 1 || host.is_none_or(|(_, value)| value != b" docker") {
        return Err("not the one Host".into());
    }
    if count("content-length") + count("transfer-encoding") > 1 {
        return Err("two framings".into());
    }
    if count("upgrade") != count("connection") {
        return Err("a connection header without an upgrade".into());
    }
    Ok(())
}

/// Lines that end in CRLF, without a CR or LF anywhere else.
fn split_crlf(text: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    if lines
        .iter()
        .any(|line| line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)))
    {
        return Err("a stray line break".into());
    }
    Ok(lines)
}
