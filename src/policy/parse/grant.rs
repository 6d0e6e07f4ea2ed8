//! `METHOD[,METHOD…] PATH`: from the text of a grant to operations.

use crate::diag::{Diagnostic, Span, escape, suggest};
use crate::docker::operation::Segment;
use crate::docker::{Method, Operation};
use crate::policy::pattern::Pattern;
use crate::policy::rule::{Grant, Target};

use super::condition::bad_pattern;
use super::document::{Problems, Value};

mod path;

use path::Piece;

/// Decodes one grant.
pub(super) fn grant(value: &Value<'_>, problems: &mut Problems<'_>) -> Option<Grant> {
    let text = value.text(problems)?;
    let reader = Reader {
        text,
        span: value.span.clone(),
    };
    match reader.grant() {
        Ok(grant) => Some(grant),
        Err(diagnostics) => {
            for diagnostic in diagnostics {
                problems.report(diagnostic);
            }
            None
        }
    }
}

/// The text of a grant and its place.
struct Reader<'t> {
    text: &'t str,
    span: Span,
}

impl Reader<'_> {
    fn grant(&self) -> Result<Grant, Vec<Diagnostic>> {
        let (methods, path) = self.split().map_err(|error| vec![error])?;
        let pieces = self.pieces(path).map_err(|error| vec![error])?;
        let mut targets = Vec::new();
        let mut problems = Vec::new();
        for method in methods {
            match self.resolve(method, path, &pieces) {
                Ok(found) => targets.extend(found),
                Err(error) => problems.push(error),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Grant {
            text: self.text.into(),
            span: self.span.clone(),
            targets,
            wildcard: pieces.iter().any(Piece::is_wildcard),
        })
    }

    fn error(&self, id: &'static str, message: String, label: &str) -> Diagnostic {
        Diagnostic::error(id, message).at(self.span.clone(), label)
    }

    /// Methods and path.
    fn split(&self) -> Result<(Vec<Method>, &str), Diagnostic> {
        let shown = escape(self.text);
        let form = |label: &str| {
            self.error("grant-form", format!("`{shown}` is not a grant"), label)
                .help("write `METHOD /path`, for example `\"GET /containers/json\"`")
        };
        let Some((methods, path)) = self.text.split_once(' ') else {
            return Err(form(if self.text.starts_with('/') {
                "the method is missing"
            } else {
                "the path is missing"
            }));
        };
        let mut known = Vec::new();
        for method in methods.split(',') {
            let method = Method::parse(method).ok_or_else(|| self.bad_method(method))?;
            if known.contains(&method) {
                return Err(form("a method is written twice"));
            }
            known.push(method);
        }
        if !path.starts_with('/') {
            return Err(form("the path starts with `/`, one blank after the method"));
        }
        if path.len() > 1 && path.ends_with('/') {
            return Err(form("a path does not end with `/`"));
        }
        Ok((known, path))
    }

    fn bad_method(&self, method: &str) -> Diagnostic {
        let message = format!("`{}` is not a method", escape(method));
        let upper = method.trim().to_ascii_uppercase();
        let help = if Method::parse(&upper).is_some() {
            format!("write `{upper}`")
        } else if method.contains('*') {
            "methods have no wildcards: list them, `GET,POST /…`".to_owned()
        } else {
            "Docker knows GET, HEAD, POST, PUT, DELETE and OPTIONS".to_owned()
        };
        self.error(
            "bad-method",
            message,
            "upper-case, comma-separated, no blanks",
        )
        .help(help)
    }

    /// The path taken apart, with the slips that cannot be a path of Docker.
    fn pieces(&self, path: &str) -> Result<Vec<Piece>, Diagnostic> {
        if let Some((before, _)) = path::outside_braces(path, '?') {
            let message = format!("`{}` has a query", escape(self.text));
            return Err(self
                .error("grant-form", message, "a grant names method and path only")
                .help(format!(
                    "write `allow = \"… {}\"` in a `[[rule]]` with `query.KEY = …` below it",
                    escape(before)
                )));
        }
        let version = path
            .strip_prefix("/v")
            .and_then(|rest| rest.split('/').next());
        let digits =
            |v: &str| v.contains('.') && v.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if version.is_some_and(digits) {
            let message = format!("`{}` has an API version", escape(self.text));
            return Err(self
                .error("grant-form", message, "paths are written without a version")
                .help("leave it out: both forms are one path; `api = \"…\"` limits versions"));
        }
        path::pieces(path).map_err(|problem| match problem {
            path::BadPath::Form(label) => {
                let message = format!("`{}` is not a path of Docker's API", escape(self.text));
                self.error("grant-form", message, label)
            }
            path::BadPath::Pattern(text, error) => bad_pattern(self.span.clone(), &text, &error),
        })
    }

    /// The operations that the path names for one method.
    fn resolve(
        &self,
        method: Method,
        path: &str,
        pieces: &[Piece],
    ) -> Result<Vec<Target>, Diagnostic> {
        let serves = |operation: &Operation| {
            let head = method == Method::Get && operation.method() == Method::Head;
            operation.method() == method || head
        };
        let operations = Operation::ALL.iter().copied().filter(serves);
        let matching = operations.filter_map(|operation| {
            let names = path::fit(operation.template().segments(), pieces)?;
            Some(Target { operation, names })
        });
        let mut targets: Vec<Target> = matching.collect();
        let literal = |target: &Target| target.operation.path() == path;
        if targets.iter().any(literal) {
            // Docker's router gives paths without placeholders precedence; so does the language.
            targets.retain(literal);
        }
        let own = |target: &Target| target.operation.method() == method;
        if !targets.iter().any(own) {
            return Err(self.unknown(method, path));
        }
        if pieces.iter().any(Piece::is_wildcard) {
            targets = self.covered(method, targets)?;
        }
        for target in &targets {
            self.check(target, pieces)?;
        }
        Ok(targets)
    }

    /// Of what a wildcard matches, what wildcards may cover.
    fn covered(&self, method: Method, targets: Vec<Target>) -> Result<Vec<Target>, Diagnostic> {
        let (covered, left): (Vec<Target>, Vec<Target>) = targets
            .into_iter()
            .partition(|target| wildcard_covers(target.operation));
        if covered.is_empty() {
            let message = format!("`{}` covers nothing", escape(self.text));
            let written: Vec<_> = left
                .iter()
                .filter(|target| target.operation.method() == method)
                .map(|target| spelled(target.operation))
                .collect();
            return Err(self
                .error(
                    "wildcard-covers-not",
                    message,
                    "wildcards never reach these operations",
                )
                .help(format!(
                    "write out what is meant: {}; names are narrowed by `{{id:PATTERN}}`",
                    written.join(", ")
                ))
                .note(
                    "`*` and `**` never cover what tunnels, moves file content, creates, builds, \
                     commits or debugs",
                ));
        }
        Ok(covered)
    }

    fn check(&self, target: &Target, pieces: &[Piece]) -> Result<(), Diagnostic> {
        let operation = target.operation;
        if let Some(removed) = operation.removed() {
            let message = format!("{} was removed in API {removed}", operation.name());
            let label = "no call that is let through can reach it";
            return Err(self.error("unknown-operation", message, label));
        }
        let wildcard = pieces.iter().any(Piece::is_wildcard);
        let names = target.names.iter();
        for pattern in names.flatten() {
            // Whoever writes a bare `*` means every object.
            let every = wildcard && pattern.as_str() == "*";
            if !every && takes_id_prefix(operation) && pattern.may_match_hex() {
                return Err(self.use_target(operation, pattern));
            }
        }
        Ok(())
    }

    fn use_target(&self, operation: Operation, pattern: &Pattern) -> Diagnostic {
        let message = format!(
            "`{}` could match the ids of other objects",
            escape(pattern.as_str())
        );
        let label = "Docker takes the beginning of an id here, too";
        let help = if pattern.is_any() || pattern.as_str() == "*" {
            format!("for every object write `{}`", spelled(operation))
        } else {
            format!(
                "in a rule of its own: allow = \"{}\" and target.name = \"{}\", which means the \
                 object itself, however it is addressed",
                spelled(operation),
                escape(pattern.as_str()),
            )
        };
        self.error("use-target", message, label).help(help)
    }

    fn unknown(&self, method: Method, path: &str) -> Diagnostic {
        let message = format!("Docker has no `{} {}`", method.as_str(), escape(path));
        let same = Operation::ALL
            .iter()
            .find(|o| o.path() == path && o.method() != method);
        let nearest = || {
            let same_method = Operation::ALL.iter().filter(|o| o.method() == method);
            let paths = same_method.map(|operation| operation.path());
            let near = suggest::nearest(path, paths)?;
            Some(format!("{} {near}", method.as_str()))
        };
        let elsewhere = || {
            let near = suggest::nearest(path, Operation::ALL.iter().map(|o| o.path()))?;
            let operation = Operation::ALL.iter().find(|o| o.path() == near)?;
            Some(spelled(*operation))
        };
        let help = same
            .map(|o| spelled(*o))
            .or_else(nearest)
            .or_else(elsewhere);
        self.error(
            "unknown-operation",
            message,
            "no operation of the Docker API",
        )
        .help_opt(help.map(|near| format!("did you mean `{near}`?")))
        .note("paths beyond Docker's table belong into `[unlisted]`")
    }
}

/// `GET /containers/json`.
fn spelled(operation: Operation) -> String {
    format!("{} {}", operation.method().as_str(), operation.path())
}

/// Whether `*` and `**` may cover an operation.
///
/// SECURITY: what tunnels, what moves file content and what creates is never handed out by a
/// character that was meant for something else.
fn wildcard_covers(operation: Operation) -> bool {
    use crate::docker::operation::Stream;
    let path = operation.path();
    let moves_files = path.ends_with("/archive")
        || path.ends_with("/export")
        || path.ends_with("/copy")
        || (path.starts_with("/images/") && path.ends_with("/get"))
        || path == "/images/load";
    let creates = path.ends_with("/create")
        || matches!(
            path,
            "/build" | "/commit" | "/plugins/pull" | "/containers/{id}/exec"
        );
    let debugs = path.starts_with("/debug");
    // Beyond the letter: whatever streams a body up moves content, whatever its name.
    let uploads = matches!(operation.stream(), Stream::Up | Stream::Both);
    let removed = operation.removed().is_some() || operation == Operation::Options;
    !(operation.opens_tunnel() || moves_files || creates || debugs || uploads || removed)
}

/// Whether Docker takes the beginning of a hexadecimal id in the place of a name.
fn takes_id_prefix(operation: Operation) -> bool {
    let family = operation.path().split('/').nth(1).unwrap_or_default();
    let by_id = matches!(
        family,
        "containers" | "networks" | "exec" | "images" | "plugins"
    );
    by_id
        && operation
            .template()
            .segments()
            .any(|s| !matches!(s, Segment::Literal(_)))
}
