//! A request line that is read is the same call after it was written anew, and its names are names.

use quaygate::docker::operation::{Segment, Template};
use quaygate::docker::reference::Reference;
use quaygate::docker::{Call, Operation};

use super::go;

/// One input: `METHOD target`.
pub fn check(input: &[u8]) {
    let Some((method, target)) = str::from_utf8(input)
        .ok()
        .and_then(|line| line.split_once(' '))
    else {
        return;
    };
    let Ok(call) = Call::parse(method, target) else {
        return;
    };
    assert_eq!(call.method().as_str(), method);
    let mut written = Vec::new();
    call.write_target(&mut written);
    let written = String::from_utf8(written).expect("ASCII");
    assert!(written.starts_with('/') && written.bytes().all(|byte| byte.is_ascii_graphic()));
    let again = Call::parse(method, &written).expect("our own spelling");
    assert_eq!(again.path(), call.path());
    assert!(again.query().pairs().eq(call.query().pairs()));
    assert_eq!(again.operation(), call.operation());
    assert!(again.names().eq(call.names()));
    let mut twice = Vec::new();
    again.write_target(&mut twice);
    assert_eq!(twice, written.as_bytes());

    as_go_splits_it(&call, &written);
    if let Some(operation) = call.operation() {
        names(&call, operation);
    }
    as_docker_routes_it(&call);
}

/// What is sent has the path and the query that were judged, in Go's reading.
fn as_go_splits_it(call: &Call<'_>, written: &str) {
    let (path, query) = written.split_once('?').unwrap_or((written, ""));
    let path = go::unescape(path.as_bytes(), false).expect("whole escapes");
    assert!(path.ends_with(call.path().as_str().as_bytes()) || call.path().as_str() == "/");
    let pairs = go::query(query.as_bytes()).expect("a query that Go reads");
    let ours = call.query().pairs();
    assert!(
        ours.map(|(key, value)| (
            key.into_owned().into_bytes(),
            value.into_owned().into_bytes()
        ))
        .eq(pairs)
    );
}

fn names(call: &Call<'_>, operation: Operation) {
    let segments = operation.template().segments();
    let placeholders: Vec<Segment> = segments
        .filter(|segment| !matches!(segment, Segment::Literal(_)))
        .collect();
    assert_eq!(call.names().count(), placeholders.len());
    for ((name, text), segment) in call.names().zip(placeholders) {
        match segment {
            Segment::Literal(_) => unreachable!(),
            Segment::Name(placeholder) => {
                assert_eq!(name, placeholder);
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
                assert!(
                    text.starts_with(|first: char| first.is_ascii_alphanumeric()),
                    "{text:?}"
                );
                assert!(text.bytes().all(fits), "{text:?}");
            }
            Segment::Reference(_) => assert!(Reference::parse(text).is_some(), "{text:?}"),
            Segment::Anything(_) => {}
        }
    }
}

/// dockerd's own templates are laxer: `{name:.*}` takes slashes. Whichever of them takes this path,
/// it is the operation that was found, or one that stands behind it in the router.
fn as_docker_routes_it(call: &Call<'_>) {
    let path = call.path().as_str();
    let lax: Vec<Operation> = Operation::ALL
        .iter()
        .copied()
        .filter(|operation| operation.method() == call.method())
        .filter(|operation| laxly(operation.template(), path))
        .collect();
    match call.operation() {
        None => assert!(lax.is_empty(), "dockerd knows {path:?} as {lax:?}"),
        Some(found) => {
            assert!(lax.contains(&found), "{path:?}");
            let literal = |operation: &Operation| operation.path() == path;
            if let Some(first) = lax.iter().find(|operation| literal(operation)) {
                assert_eq!(*first, found, "{path:?}");
            } else {
                let tail = |operation: &Operation| operation.path().split('/').count();
                assert!(
                    lax.iter().all(|other| tail(other) <= tail(&found)),
                    "{path:?}: {lax:?}"
                );
            }
        }
    }
}

/// Whether a path fits `head {name:.*} tail`.
fn laxly(template: &Template, path: &str) -> bool {
    let Some((head, rest)) = template.path().split_once('{') else {
        return path == template.path();
    };
    let (_, tail) = rest.split_once('}').expect("a closed placeholder");
    let Some(name) = path.strip_prefix(head) else {
        return false;
    };
    match tail.split_once('{') {
        // Both segments of the one template with two are single in dockerd, too.
        Some((middle, _)) => name.split_once(middle).is_some_and(|(first, second)| {
            !first.is_empty() && !first.contains('/') && !second.is_empty() && !second.contains('/')
        }),
        // Names of swarm objects are single segments in dockerd's own routes.
        None if single(head) => name
            .strip_suffix(tail)
            .is_some_and(|name| !name.is_empty() && !name.contains('/')),
        None => name.ends_with(tail),
    }
}

fn single(head: &str) -> bool {
    !matches!(
        head,
        "/" | "/images/"
            | "/plugins/"
            | "/distribution/"
            | "/containers/"
            | "/exec/"
            | "/networks/"
            | "/volumes/"
    )
}
