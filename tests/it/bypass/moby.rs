//! What dockerd makes of a request that its HTTP library has read: gorilla/mux's matching, moby's
//! routes in the order in which they are registered, and the form values as handlers see them.
//!
//! Written from moby's routers and not from the gate's table of operations: the two must come to
//! the same operation for everything that the gate lets through. Routes: moby 20.10
//! `api/server/router/*/*.go`, those of later engines added where they cannot change an older one's
//! meaning; order: `cmd/dockerd/daemon.go`, `initRouter`.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::bytes::Regex;
use serde_json::{Map, Value};

use super::godocker::GoRequest;
use super::routes::ROUTES;

/// What the engine would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// net/http refuses the target.
    Bad(&'static str),
    /// gorilla/mux sends the client somewhere else.
    Redirect,
    /// `page not found`.
    NotFound(Asked),
    /// A handler runs.
    Runs(&'static str, Asked),
}

/// Decoded keys with their values, in order.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Path and values as a handler sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `1.41`, from the path.
    pub(crate) version: Option<String>,
    /// Decoded, without version.
    pub(crate) path: Vec<u8>,
    /// Decoded pairs in the order of `r.Form`: a form body's before the query's.
    pub(crate) values: Pairs,
    /// Handlers that look at their form answer 400.
    pub(crate) bad_form: bool,
}

/// Reads `METHOD target` of the catalogue, for comparison.
pub(crate) fn read_line(line: &str) -> Reading {
    let (method, target) = line.split_once(' ').unwrap_or((line, ""));
    let request = GoRequest {
        method: method.to_owned(),
        target: target.as_bytes().to_vec(),
        headers: Vec::new(),
        framing: super::godocker::Framing::Length(0),
        close: false,
        raw: Vec::new(),
    };
    read(&request, b"")
}

/// Reads a request as dockerd does.
pub(crate) fn read(request: &GoRequest, body: &[u8]) -> Reading {
    let (path, query) = match target(&request.target) {
        Ok(parts) => parts,
        Err(why) => return Reading::Bad(why),
    };
    if clean(&path) != path {
        return Reading::Redirect;
    }
    let (mut values, bad_form) = form(request, &query, body);
    let (version, bare) = split_version(&path);
    let route = ROUTES.iter().find(|route| {
        (route.method == "*" || route.method == request.method) && route.path.is_match(&path)
    });
    let operation = route.map_or("", |route| route.operation);
    let version = effective(operation, version, &mut values);
    // Without a route there is no version either, only a path.
    let whole = route.is_none() || operation.starts_with("Debug");
    let (version, path) = if whole { (None, path) } else { (version, bare) };
    let asked = Asked {
        version,
        path,
        values,
        bad_form,
    };
    match route {
        Some(route) => Reading::Runs(route.operation, asked),
        None => Reading::NotFound(asked),
    }
}

/// net/http `ParseForm`: the values of a form body, then those of the query; and whether anything
/// was wrong with them.
pub(crate) fn form(request: &GoRequest, query: &[u8], body: &[u8]) -> (Pairs, bool) {
    let mut values = Vec::new();
    let mut bad = false;
    let posts = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
    if posts && request.get("Content-Type").is_some_and(is_form) {
        bad |= parse_query(body, &mut values);
    }
    bad |= parse_query(query, &mut values);
    (values, bad)
}

impl Asked {
    /// The target that says exactly this, in the one spelling that everybody reads alike.
    pub(crate) fn target(&self) -> String {
        let mut out = String::new();
        if let Some(version) = &self.version {
            let (major, minor) = number(version);
            write!(out, "/v{major}.{minor}").unwrap();
        }
        escape(&self.path, b"/", &mut out);
        for (at, (key, value)) in self.values.iter().enumerate() {
            out.push(if at == 0 { '?' } else { '&' });
            escape(key, b"", &mut out);
            out.push('=');
            escape(value, b"", &mut out);
        }
        out
    }
}

fn escape(bytes: &[u8], also: &[u8], out: &mut String) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || also.contains(byte) {
            out.push(char::from(*byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
    }
}

/// net/url `ParseRequestURI`: path decoded once, and the raw query.
pub(crate) fn target(raw: &[u8]) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
    if raw.is_empty() || raw.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
        return Err("empty, or a control character");
    }
    if raw == b"*" {
        return Ok((raw.to_vec(), Vec::new()));
    }
    let (scheme, rest) = scheme(raw)?;
    let (rest, query) = match rest.iter().position(|byte| *byte == b'?') {
        Some(mark) => (&rest[..mark], &rest[mark + 1..]),
        None => (rest, &b""[..]),
    };
    let path = match rest {
        // A rootless path is opaque: the path is empty (tried: mux redirects to `/`).
        rest if scheme && !rest.starts_with(b"/") => b"",
        rest if !rest.starts_with(b"/") => return Err("invalid URI for request"),
        [b'/', b'/', rest @ ..] if scheme => {
            let slash = rest.iter().position(|byte| *byte == b'/');
            let (authority, path) = rest.split_at(slash.unwrap_or(rest.len()));
            authority_is_valid(authority)?;
            path
        }
        rest => rest,
    };
    let path = unescape(path, false).ok_or("invalid URL escape")?;
    Ok((path, query.to_vec()))
}

/// net/url `parseAuthority`, as far as the catalogue goes.
fn authority_is_valid(authority: &[u8]) -> Result<(), &'static str> {
    let at = authority.iter().rposition(|byte| *byte == b'@');
    let (user, host) = authority.split_at(at.map_or(0, |at| at + 1));
    let in_user = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
    let in_host = |byte: &u8| {
        byte.is_ascii_alphanumeric() || *byte >= 0x80 || b"-._~!$&'()*+,;=:[]<>\"".contains(byte)
    };
    let port = host
        .iter()
        .rposition(|byte| *byte == b':')
        .map(|colon| &host[colon + 1..]);
    let port = port.filter(|port| !port.contains(&b']'));
    // Only `%25` and bytes beyond ASCII may be escaped in a host.
    let plain: Vec<u8> = String::from_utf8_lossy(host)
        .replace("%25", "")
        .into_bytes();
    if !user.iter().all(in_user) {
        Err("invalid userinfo")
    } else if !plain.iter().all(in_host) {
        Err("invalid character in host name")
    } else if port.is_some_and(|port| !port.iter().all(u8::is_ascii_digit)) {
        Err("invalid port")
    } else {
        Ok(())
    }
}

/// net/url `getScheme`.
fn scheme(raw: &[u8]) -> Result<(bool, &[u8]), &'static str> {
    for (at, byte) in raw.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme"),
            b':' => return Ok((true, &raw[at + 1..])),
            _ => break,
        }
    }
    Ok((false, raw))
}

/// net/url `unescape`; `+` is a space in queries only.
fn unescape(text: &[u8], query: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            b'+' if query => b' ',
            byte => *byte,
        });
    }
    Some(out)
}

/// gorilla/mux `cleanPath` (on Go's `path.Clean`).
fn clean(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(out.pop()),
            segment => out.push(segment),
        }
    }
    let mut clean: Vec<u8> = Vec::new();
    for segment in &out {
        clean.push(b'/');
        clean.extend_from_slice(segment);
    }
    if path.ends_with(b"/") || clean.is_empty() {
        clean.push(b'/');
    }
    clean
}

/// net/url `ParseQuery`; true if something was wrong. What is right is kept all the same.
fn parse_query(raw: &[u8], values: &mut Pairs) -> bool {
    let mut bad = false;
    for pair in raw
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        if pair.contains(&b';') {
            bad = true;
            continue;
        }
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let key = unescape(parts.next().unwrap_or_default(), true);
        let value = unescape(parts.next().unwrap_or_default(), true);
        match (key, value) {
            (Some(key), Some(value)) => values.push((key, value)),
            _ => bad = true,
        }
    }
    bad
}

/// `mime.ParseMediaType`: up to `;`, lower-cased and trimmed by Unicode's rules.
fn is_form(media: &[u8]) -> bool {
    let text = String::from_utf8_lossy(media);
    let base = text.split(';').next().unwrap_or_default();
    // Go's `unicode.ToLower` maps U+0130 to `i` alone, Rust's adds a combining dot.
    let base: String = base
        .chars()
        .map(|c| if c == '\u{130}' { 'i' } else { c })
        .collect();
    base.to_lowercase().trim() == "application/x-www-form-urlencoded"
}

fn split_version(path: &[u8]) -> (Option<String>, Vec<u8>) {
    static VERSION: LazyLock<Regex> = LazyLock::new(|| Regex::new("^/v([0-9.]+)(/.*)?$").unwrap());
    match VERSION.captures(path) {
        Some(found) => {
            let rest = found.get(2).map_or(&b"/"[..], |rest| rest.as_bytes());
            (
                Some(String::from_utf8_lossy(&found[1]).into_owned()),
                rest.to_vec(),
            )
        }
        None => (None, path.to_vec()),
    }
}

/// moby `api/types/versions/compare.go`: numbers between dots, what is missing or no number is 0.
fn number(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Replaces values by what the handlers act on, and the version by the one they act as.
fn effective(operation: &str, version: Option<String>, values: &mut Pairs) -> Option<String> {
    for (key, value) in values.iter_mut() {
        match key.as_slice() {
            // moby httputils/form.go, `BoolValue`.
            b"all" | b"size" | b"follow" | b"stdout" | b"stderr" | b"timestamps" | b"details"
            | b"logs" | b"force" | b"v" | b"link" | b"noprune" | b"nocache" | b"digests" => {
                *value = vec![if bool_value(value) { b'1' } else { b'0' }];
            }
            b"signal" => signal(value),
            // moby daemon/archive.go: the path is made absolute and cleaned inside the container.
            b"path" if operation.contains("Archive") => {
                *value = clean(&[b"/", value.as_slice()].concat());
                if value.len() > 1 && value.ends_with(b"/") {
                    value.pop();
                }
            }
            b"filters" => {
                if let Some(read) = filters(operation, value) {
                    *value = read;
                }
            }
            _ => {}
        }
    }
    let legacy = version
        .as_deref()
        .is_some_and(|version| number(version) < (1, 41));
    match operation {
        "ImageList" if legacy => legacy_filter(values),
        "ContainerList" => all_containers(values),
        // moby container_routes.go, `getContainersLogs`: `until` is read in every version.
        "ContainerLogs" if get(values, b"until").is_some() => return None,
        _ => {}
    }
    version
}

fn get(values: &Pairs, wanted: &[u8]) -> Option<Vec<u8>> {
    let found = values.iter().find(|(key, _)| key == wanted);
    found.map(|(_, value)| value.clone())
}

/// moby pkg/signal `ParseSignal`: upper-cased by Unicode's rules.
fn signal(value: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(value).to_uppercase();
    let name = text.strip_prefix("SIG").unwrap_or(&text);
    let known = [
        ("HUP", "1"),
        ("INT", "2"),
        ("KILL", "9"),
        ("TERM", "15"),
        ("STOP", "19"),
    ];
    if let Some((_, number)) = known.iter().find(|(known, _)| *known == name) {
        *value = number.as_bytes().to_vec();
    }
}

/// moby router/image/image_routes.go, `getImagesJSON`: below 1.41 `filter` is one more reference.
fn legacy_filter(values: &mut Pairs) {
    let Some(one) = get(values, b"filter").filter(|one| !one.is_empty()) else {
        return;
    };
    let text = get(values, b"filters").unwrap_or_else(|| b"{}".to_vec());
    let mut all: Map<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    let list = all
        .entry("reference")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.push(Value::String(String::from_utf8_lossy(&one).into_owned()));
    }
    values.retain(|(key, _)| key != b"filters" && key != b"filter");
    values.push((b"filters".to_vec(), serde_json::to_vec(&all).unwrap()));
}

/// moby daemon/list.go, `foldFilter` and `includeContainerInList`: a status or a limit lists
/// containers that are stopped, as `all` does.
fn all_containers(values: &mut Pairs) {
    let limit = get(values, b"limit").unwrap_or_default();
    let limited = String::from_utf8_lossy(&limit)
        .parse::<i64>()
        .is_ok_and(|limit| limit > 0);
    let filters = get(values, b"filters").unwrap_or_default();
    let filters: Map<String, Value> = serde_json::from_slice(&filters).unwrap_or_default();
    let by_status = filters.get("status").and_then(Value::as_array);
    if limited || by_status.is_some_and(|list| !list.is_empty()) {
        values.retain(|(key, _)| key != b"all");
        values.push((b"all".to_vec(), b"1".to_vec()));
    }
}

fn bool_value(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value).trim().to_lowercase();
    !matches!(text.as_str(), "" | "0" | "no" | "false" | "none")
}

/// moby api/types/filters/parse.go, `FromJSON`: objects of booleans, or lists; the keys of an
/// object count, whatever their value; of a key written twice the last one counts (Go's maps).
fn filters(operation: &str, text: &[u8]) -> Option<Vec<u8>> {
    // Only the first document is read.
    let mut documents =
        serde_json::Deserializer::from_slice(text).into_iter::<Map<String, Value>>();
    let read = documents.next()?.ok()?;
    let mut out = Map::new();
    for (key, value) in read {
        let mut list: Vec<String> = match value {
            Value::Object(map) => map.into_iter().map(|(key, _)| key).collect(),
            Value::Array(list) => list
                .into_iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
        if key == "label" && operation.ends_with("List") && is_swarms(operation) {
            list = one_label_each(list);
        }
        // `Args.Match`: a regular expression, which need not begin as the text does.
        if matches!(key.as_str(), "name" | "id" | "status") {
            for value in &mut list {
                if value.contains(['|', '*', '+', '?', '(', ')', '[', ']', '{', '}', '\\']) {
                    "(a regular expression)".clone_into(value);
                }
            }
        }
        out.insert(key, list.into());
    }
    serde_json::to_vec(&out).ok()
}

fn is_swarms(operation: &str) -> bool {
    ["Service", "Node", "Task", "Secret", "Config"]
        .iter()
        .any(|kind| operation.starts_with(kind))
}

/// moby daemon/cluster/filters.go, `convertKVStringsToMap`: one value for each key. Which of them
/// Go's unordered maps leave is chance; here it is the last.
fn one_label_each(list: Vec<String>) -> Vec<String> {
    let key = |label: &str| label.split('=').next().unwrap_or_default().to_owned();
    let mut kept: Vec<String> = Vec::new();
    for label in list {
        kept.retain(|known| key(known) != key(&label));
        kept.push(label);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::godocker::Wire;
    use super::*;

    fn reading(request: &str, headers: &str, body: &str) -> Reading {
        let bytes = format!(
            "{request} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut wire = Wire::new(bytes.as_bytes());
        let head = wire.head(false).unwrap();
        let body = wire.body(head.framing).unwrap();
        read(&head, &body)
    }

    #[test]
    fn the_second_router_routes_as_moby_does() {
        for (request, operation) in [
            ("GET /containers%2fjson", "ContainerList"),
            ("GET /%63ontainers/json", "ContainerList"),
            ("GET /v1.41./containers/json", "ContainerList"),
            ("GET /%761.41/containers/json", "ContainerList"),
            ("GET http:/containers/json", "ContainerList"),
            ("GET http://evil/containers/json", "ContainerList"),
            ("GET /containers/web/start/json", "ContainerInspect"),
            ("POST /containers/web/start/exec", "ContainerExec"),
            ("GET /networks/", "NetworkListSlash"),
            ("GET /volumes/", "VolumeInspect"),
            ("DELETE /containers/json", "ContainerDelete"),
            ("OPTIONS /any/thing", "Options"),
            ("GET /images/get/json", "ImageInspect"),
            ("PATCH /debug/vars", "DebugVars"),
        ] {
            assert!(
                matches!(reading(request, "", ""), Reading::Runs(found, _) if found == operation),
                "{request}: {:?}",
                reading(request, "", "")
            );
        }
        for request in [
            "GET //containers/json",
            "GET /a/../containers/json",
            "GET /./info",
        ] {
            assert_eq!(reading(request, "", ""), Reading::Redirect, "{request}");
        }
        for request in [
            "GET /V1.41/info",
            "HEAD /info",
            "get /info",
            "GET /v1.41/v1.41/info",
        ] {
            assert!(
                matches!(reading(request, "", ""), Reading::NotFound(_)),
                "{request}"
            );
        }
        for request in ["GET containers/json", "GET /%zz", "GET info"] {
            assert!(
                matches!(reading(request, "", ""), Reading::Bad(_)),
                "{request}"
            );
        }
    }

    #[test]
    fn a_form_comes_before_the_query() {
        for media in [
            "application/x-www-form-urlencoded",
            "APPLICATION/X-WWW-FORM-URLENCODED;a",
            "\u{a0}application/x-www-form-urlencoded\u{2003}",
            "appl\u{130}cation/x-www-form-urlencoded",
        ] {
            let headers = format!("Content-Type: {media}\r\n");
            let read = reading("POST /containers/x/rename?name=good", &headers, "name=evil");
            let Reading::Runs("ContainerRename", asked) = read else {
                panic!("{read:?}")
            };
            assert_eq!(asked.target(), "/containers/x/rename?name=evil&name=good");
        }
    }

    #[test]
    fn values_are_what_handlers_act_on() {
        for (request, target) in [
            (
                "GET /containers/json?all=off&size=None",
                "/containers/json?all=1&size=0",
            ),
            (
                "POST /containers/x/kill?signal=sighup",
                "/containers/x/kill?signal=1",
            ),
            (
                "GET /containers/x/archive?path=a/../../b/",
                "/containers/x/archive?path=%2Fb",
            ),
            (
                "GET /v1.40/images/json?filter=x",
                "/v1.40/images/json?filters=%7B%22reference%22%3A%5B%22x%22%5D%7D",
            ),
        ] {
            let Reading::Runs(_, asked) = reading(request, "", "") else {
                panic!("{request}")
            };
            assert_eq!(asked.target(), target);
        }
    }
}
