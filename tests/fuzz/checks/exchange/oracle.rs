//! The policy of the exchange, and the same policy written down a second time, in Docker's terms.
//!
//! The second writing shares no code with the gate: it decodes, strips the version and reads forms
//! as dockerd does, so a gate that reads anything differently is found out.

use super::super::dangers::dangers;
use super::super::go::{query, unescape};
use super::reader::Head;

/// What the gate of the exchange enforces.
pub(super) const POLICY: &str = r#"
allow = [
  "GET /_ping",
  "GET /containers/json",
  "GET /containers/web-*/json",
  "GET /containers/web-*/logs",
  "POST /containers/web-*/start",
  "POST /containers/web-*/attach",
  "PUT /containers/web-*/archive",
  "POST /containers/create",
  "POST /containers/web-*/exec",
]

[[rule]]
name = "exec"
allow = "POST /exec/{id}/start"
any_exec = true

[[rule]]
name = "pull"
allow = "POST /images/create"
query.fromImage = "alpine:*"
"#;

/// Whether the policy allows what dockerd would do for this request.
pub(super) fn allows(head: &Head, body: &[u8]) -> Result<(), &'static str> {
    let (path, raw_query) = head.target.split_once('?').unwrap_or((&head.target, ""));
    let path = unescape(path.as_bytes(), false).ok_or("a bad escape in the path")?;
    let path = String::from_utf8(path).map_err(|_| "a path that is not text")?;
    let path = without_version(&path);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    // `*` takes the empty text, too.
    let web = |name: &str| name.starts_with("web-");
    match (head.method.as_str(), segments.as_slice()) {
        ("GET" | "HEAD", ["_ping"]) | ("GET", ["containers", "json"]) => Ok(()),
        ("GET", ["containers", name, "json" | "logs"])
        | ("POST", ["containers", name, "start" | "attach"])
        | ("PUT", ["containers", name, "archive"])
            if web(name) =>
        {
            powers(head, raw_query, body)
        }
        ("POST", ["containers", "create"]) => plain("ContainerCreate", head, body),
        ("POST", ["containers", name, "exec"]) if web(name) => plain("ContainerExec", head, body),
        ("POST", ["exec", id, "start"]) if !id.is_empty() => Ok(()),
        ("POST", ["images", "create"]) => pull(head, raw_query, body),
        _ => Err("no rule allows it"),
    }
}

/// `/v1.41/x` is `/x`: dockerd takes any digits and dots for a version.
fn without_version(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v") else {
        return path;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (version, rest) = rest.split_at(end);
    if !version.is_empty()
        && version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        rest
    } else {
        path
    }
}

fn powers(head: &Head, raw_query: &str, body: &[u8]) -> Result<(), &'static str> {
    let checkpoint = first(head, raw_query, body, "checkpoint")?;
    if head.target.contains("/start") && checkpoint.is_some_and(|name| !name.is_empty()) {
        return Err("a checkpoint that no rule admits");
    }
    Ok(())
}

/// A body that asks for nothing dangerous, as far as Docker could read it: what breaks off, or is no
/// JSON, is answered 400.
fn plain(operation: &str, head: &Head, body: &[u8]) -> Result<(), &'static str> {
    let encoded = head
        .headers
        .iter()
        .any(|(name, _)| name == "content-encoding");
    if encoded {
        return Err("a judged body in an encoding");
    }
    match dangers(operation, body) {
        Some(found) if !found.is_empty() => Err("a body with a danger in it"),
        _ => Ok(()),
    }
}

fn pull(head: &Head, raw_query: &str, body: &[u8]) -> Result<(), &'static str> {
    if first(head, raw_query, body, "fromSrc")?.is_some_and(|source| !source.is_empty()) {
        return Err("an import that no rule admits");
    }
    let image = first(head, raw_query, body, "fromImage")?.unwrap_or_default();
    let image = String::from_utf8(image).map_err(|_| "an image that is not text")?;
    let mut name = image.as_str();
    for prefix in ["index.docker.io/", "docker.io/", "library/"] {
        name = name.strip_prefix(prefix).unwrap_or(name);
    }
    let rest = name.strip_prefix("alpine").ok_or("another image")?;
    if rest.is_empty() || rest.starts_with([':', '@']) {
        Ok(())
    } else {
        Err("another image")
    }
}

/// `r.Form.Get`: values of a form body come before those of the query.
fn first(
    head: &Head,
    raw_query: &str,
    body: &[u8],
    key: &str,
) -> Result<Option<Vec<u8>>, &'static str> {
    let mut pairs = Vec::new();
    if head.method != "GET" && head.all("content-type").next().is_some_and(is_form) {
        pairs = query(body).unwrap_or_default();
    }
    pairs.extend(query(raw_query.as_bytes()).ok_or("a query that Go does not read")?);
    Ok(pairs
        .into_iter()
        .find(|(name, _)| name == key.as_bytes())
        .map(|(_, value)| value))
}

/// Go's `mime.ParseMediaType`: case is folded and blanks are trimmed by Unicode.
fn is_form(media: &[u8]) -> bool {
    let text = String::from_utf8_lossy(media);
    let essence = text.split(';').next().unwrap_or_default().trim();
    let folded: String = essence
        .chars()
        .map(|letter| match letter {
            '\u{130}' => 'i',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect();
    folded == "application/x-www-form-urlencoded"
}
