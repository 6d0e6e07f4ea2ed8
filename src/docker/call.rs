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

use std::borrow::Cow;

use super::operation::{Fit, Names, Place, Template};
use super::{ApiPath, ApiVersion, Method, Operation, Query};

mod malformed;

pub use malformed::Malformed;

/// The query key by which a commit names its container.
const CONTAINER: &str = "container";

/// The longest request target that is read. dockerd has no limit of its own but its 1 MiB head.
pub const LONGEST_TARGET: usize = 16 * 1024;

/// A request line with exactly one reading, resolved as dockerd's router would resolve it.
#[derive(Clone, Debug)]
pub struct Call<'h> {
    method: Method,
    path: ApiPath<'h>,
    query: Query<'h>,
    operation: Option<Operation>,
    /// Where the operation's placeholders are in the path.
    names: Names,
    /// What stands at the first placeholder on the wire, or for the container in the query, instead of what
    /// the client wrote.
    subject: Option<Box<str>>,
    /// A query key that has another value on the wire than what the client wrote.
    replaced: Option<Box<Replaced>>,
}

/// A query key and its value on the wire.
type Replaced = (&'static str, Box<str>);

impl<'h> Call<'h> {
    /// Reads method and target (origin-form, or absolute-form reduced to it) as they came.
    pub fn parse(method: &str, target: &'h str) -> Result<Self, Malformed> {
        let method = Method::parse(method).ok_or(Malformed::Method)?;
        if target.len() > LONGEST_TARGET {
            return Err(Malformed::TargetTooLong);
        }
        let target = origin_form(target)?;
        let (path, query) = split_at(b'?', target).unwrap_or((target, ""));
        let path = ApiPath::parse(path)?;
        let query = Query::parse(query)?;
        let (operation, names) = resolve(method, path.as_str())?.unzip();
        Ok(Self {
            method,
            path,
            query,
            operation,
            names: names.unwrap_or_default(),
            subject: None,
            replaced: None,
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

    /// The query as the client wrote it.
    pub fn query(&self) -> &Query<'h> {
        &self.query
    }

    /// The operation; `None` when Docker has none at this method and path.
    pub fn operation(&self) -> Option<Operation> {
        self.operation
    }

    /// The operation's placeholders with the text that stands there, decoded: `("id", "web")`.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let template = self.operation.map(Operation::template);
        let placeholders = template.into_iter().flat_map(Template::placeholders);
        placeholders.zip(self.texts().into_iter().flatten())
    }

    /// What stands at the operation's placeholders, decoded.
    pub fn texts(&self) -> [Option<&str>; 2] {
        let path = self.path.as_str();
        self.names.map(|place| {
            let [_, text, _] = place?.split(path)?;
            Some(text)
        })
    }

    /// The text at the operation's first placeholder (`{id}`, `{name}`), decoded.
    pub fn subject(&self) -> Option<&str> {
        let [subject, _] = self.texts();
        subject
    }

    /// The container or exec that the call does more to than look, as the client wrote it.
    pub fn acts_on(&self) -> Option<Cow<'_, str>> {
        let operation = self.operation?;
        if operation.names_container_in_query() {
            return self.query.first(CONTAINER);
        }
        let subject = self.subject().filter(|_| operation.acts_on_container());
        subject.map(Cow::Borrowed)
    }

    /// What the engine hears in its place.
    pub fn addressed(&self) -> Option<&str> {
        self.subject.as_deref().or_else(|| self.subject())
    }

    /// The same call about the object of this id, whatever name the client gave it.
    #[must_use]
    pub fn about(self, id: &str) -> Self {
        Self {
            subject: Some(id.into()),
            ..self
        }
    }

    /// The same call with this value for one key of its query, whatever the client wrote for it.
    #[must_use]
    pub fn with_query(self, key: &'static str, value: &str) -> Self {
        Self {
            replaced: Some(Box::new((key, value.into()))),
            ..self
        }
    }

    /// Appends the canonical spelling of the query for the wire, without `?`.
    pub fn write_query(&self, out: &mut Vec<u8>) {
        let in_query = self.operation.filter(|o| o.names_container_in_query());
        match (self.replaced.as_deref(), &self.subject, in_query) {
            (Some((key, value)), _, _) => self.query.write_giving(key, value, out),
            (None, Some(id), Some(_)) => self.query.write_with(CONTAINER, id, out),
            (None, _, _) => self.query.write(out),
        }
    }

    /// Appends `/v1.41/containers/json?all=1`, canonical, for the wire.
    pub fn write_target(&self, out: &mut Vec<u8>) {
        let [place, _] = self.names;
        let parts = place.and_then(|place| place.split(self.path.as_str()));
        match (&self.subject, parts) {
            (Some(id), Some([before, _, after])) => {
                self.path.write_as(&format!("{before}{id}{after}"), out);
            }
            _ => self.path.write(out),
        }
        if !self.query.is_empty() || self.replaced.is_some() {
            out.push(b'?');
            self.write_query(out);
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

/// Splits at the first of these bytes, which is in neither part.
fn split_at(byte: u8, text: &str) -> Option<(&str, &str)> {
    let at = memchr::memchr(byte, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Finds the operation of a canonical path.
fn resolve(method: Method, path: &str) -> Result<Option<(Operation, Names)>, Malformed> {
    // moby `daemon/server/router/system/system.go`: `/{anyroute:.*}`.
    if method == Method::Options {
        return Ok(Some((
            Operation::Options,
            [path.get(1..).and_then(|any| Place::of(1, any)), None],
        )));
    }
    let Some(segments) = path.strip_prefix('/') else {
        return Ok(None);
    };
    let first = split_at(b'/', segments).map_or(segments, |(first, _)| first);
    let mut found = None;
    let mut unfit = None;
    for &operation in Operation::family(first) {
        if operation.method() != method {
            continue;
        }
        let template = operation.template();
        match template.fit(path) {
            Fit::No => {}
            Fit::Yes(names) if template.is_literal() => return Ok(Some((operation, names))),
            Fit::Yes(names) => found = Some((operation, names)),
            Fit::Unfit(what) => unfit = Some(what),
        }
    }
    match (found, unfit) {
        (Some(found), _) => Ok(Some(found)),
        (None, Some(what)) => Err(what.into()),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
