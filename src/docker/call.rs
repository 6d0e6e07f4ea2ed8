//! What the client asks Docker to do.
//!
//! A request line becomes a [`Call`] if it has exactly one reading, else it is [`Malformed`]. The
//! operation is found as dockerd's router would find it, after a grammar that is stricter: routes
//! without a placeholder win over those with one (`GET /containers/json` lists; `DELETE
//! /containers/json` deletes the container of that name), names are one segment, image references
//! follow their own grammar, and the action is the last segment (moby `daemon/server/router`).
//!
//! SECURITY: dockerd's routes take `{name:.*}`, slashes included. A path that dockerd would take for an
//! operation with a name that is no name is refused outright, not "another path": else a rule for one
//! operation could be met by a request that dockerd gives to another.

use super::operation::Fit;
use super::{ApiPath, ApiVersion, Method, Operation, Query};

mod malformed;

pub use malformed::Malformed;

/// The longest request target that is read. dockerd has no limit of its own but its 1 MiB head.
pub const LONGEST_TARGET: usize = 16 * 1024;

/// A request line with exactly one reading, resolved as dockerd's router would resolve it.
#[derive(Clone, Debug)]
pub struct Call<'h> {
    method: Method,
    path: ApiPath<'h>,
    query: Query<'h>,
    operation: Option<Operation>,
    /// What stands at the first placeholder on the wire, instead of what the client wrote.
    subject: Option<Box<str>>,
}

impl<'h> Call<'h> {
    /// Reads method and target (origin-form, or absolute-form reduced to it) as they came.
    pub fn parse(method: &str, target: &'h str) -> Result<Self, Malformed> {
        let method = Method::parse(method).ok_or(Malformed::Method)?;
        if target.len() > LONGEST_TARGET {
            return Err(Malformed::TargetTooLong);
        }
        let target = origin_form(target)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = ApiPath::parse(path)?;
        let query = Query::parse(query)?;
        let operation = resolve(method, path.as_str())?;
        Ok(Self {
            method,
            path,
            query,
            operation,
            subject: None,
        })
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The canonical path without version.
    pub fn path(&self) -> &ApiPath<'h> {
        &self.path
    }

    /// The API version that was asked for, if one was.
    pub fn version(&self) -> Option<ApiVersion> {
        self.path.version()
    }

    /// The query.
    pub fn query(&self) -> &Query<'h> {
        &self.query
    }

    /// The operation; `None` when Docker has none at this method and path.
    pub fn operation(&self) -> Option<Operation> {
        self.operation
    }

    /// The operation's placeholders with the text that stands there, decoded: `("id", "web")`.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.operation.into_iter().flat_map(|operation| {
            let template = operation.template();
            let (first, second) = match template.fit(self.path.as_str()) {
                Fit::Yes(first, second) => (first, second),
                Fit::No | Fit::Unfit(_) => (None, None),
            };
            template.placeholders().zip(first.into_iter().chain(second))
        })
    }

    /// The text at the operation's first placeholder (`{id}`, `{name}`), decoded.
    pub fn subject(&self) -> Option<&str> {
        self.names().next().map(|(_, text)| text)
    }

    /// The same call about the object of this id, whatever name the client gave it.
    #[must_use]
    pub fn about(self, id: &str) -> Self {
        Self {
            subject: Some(id.into()),
            ..self
        }
    }

    /// Appends `/v1.41/containers/json?all=1`, canonical, for the wire.
    pub fn write_target(&self, out: &mut Vec<u8>) {
        let template = self.operation.map(Operation::template);
        match (&self.subject, template, self.subject()) {
            (Some(id), Some(template), Some(written)) => {
                let text = template.with(self.path.as_str(), written, id);
                self.path.write_as(&text, out);
            }
            _ => self.path.write(out),
        }
        if !self.query.is_empty() {
            out.push(b'?');
            self.query.write(out);
        }
    }
}

/// Reduces `http://any/path` to `/path`, which is what dockerd does with it (RFC 9112 section 3.2.2).
/// curl never sends that form; `curl http:/v1.41/info` is `GET /info` for the host `v1.41`.
fn origin_form(target: &str) -> Result<&str, Malformed> {
    if target.starts_with('/') {
        return Ok(target);
    }
    let rest = target
        .split_at_checked("http://".len())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("http://"))
        .map(|(_, rest)| rest)
        .ok_or(Malformed::Target)?;
    let (authority, path) = rest
        .find('/')
        .and_then(|slash| rest.split_at_checked(slash))
        .ok_or(Malformed::Target)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if authority.is_empty() || !authority.bytes().all(plain) {
        return Err(Malformed::Target);
    }
    Ok(path)
}

/// Finds the operation of a canonical path.
fn resolve(method: Method, path: &str) -> Result<Option<Operation>, Malformed> {
    // moby `daemon/server/router/system/system.go`: `/{anyroute:.*}`.
    if method == Method::Options {
        return Ok(Some(Operation::Options));
    }
    let Some(segments) = path.strip_prefix('/') else {
        return Ok(None);
    };
    let first = segments
        .split_once('/')
        .map_or(segments, |(first, _)| first);
    let mut found = None;
    let mut unfit = None;
    for &operation in Operation::family(first) {
        if operation.method() != method {
            continue;
        }
        let template = operation.template();
        match template.fit(path) {
            Fit::No => {}
            Fit::Yes(..) if template.is_literal() => return Ok(Some(operation)),
            Fit::Yes(..) => found = Some(operation),
            Fit::Unfit(what) => unfit = Some(what),
        }
    }
    match (found, unfit) {
        (Some(operation), _) => Ok(Some(operation)),
        (None, Some(what)) => Err(what.into()),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
