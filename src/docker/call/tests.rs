use std::collections::HashSet;

use super::*;
use crate::docker::operation::{Segment, Template};

const RECORDED: &str = include_str!("../../../tests/data/targets.txt");

fn target(call: &Call<'_>) -> String {
    let mut out = Vec::new();
    call.write_target(&mut out);
    String::from_utf8(out).unwrap()
}

fn name_of(method: &str, target: &str) -> Result<&'static str, Malformed> {
    Ok(Call::parse(method, target)?
        .operation()
        .map_or("-", Operation::name))
}

#[test]
fn every_request_that_real_clients_sent_is_accepted() {
    let lines: Vec<_> = RECORDED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(lines.len() > 250, "the list is there");
    for line in lines {
        let mut words = line.split_whitespace();
        let (Some(operation), Some(method), Some(raw)) = (words.next(), words.next(), words.next())
        else {
            panic!("not a line of the list: {line}");
        };
        let call = Call::parse(method, raw).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(
            call.operation().map(Operation::name),
            Some(operation),
            "{line}"
        );
        let canonical = target(&call);
        let again = Call::parse(method, &canonical).unwrap();
        assert_eq!(again.path(), call.path(), "{line}");
        assert_eq!(
            again.query().pairs().collect::<Vec<_>>(),
            call.query().pairs().collect::<Vec<_>>(),
            "{line}"
        );
        assert_eq!(target(&again), canonical, "{line}");
    }
}

/// A path that fits the template, with one name at every placeholder.
fn example(template: &Template, name: &str) -> String {
    template
        .segments()
        .map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Name(_) | Segment::Reference(_) | Segment::Anything(_) => format!("/{name}"),
        })
        .collect()
}

#[test]
fn every_operation_is_reached_by_its_own_path() {
    for &operation in Operation::ALL {
        // Names that are words of routes too, as far as no fixed route has the same path.
        for name in [
            "web", "json", "start", "attach", "get", "create", "prune", "exec", "a.b_c-1",
        ] {
            let path = example(operation.template(), name);
            let fixed = Operation::ALL.iter().any(|other| {
                other.method() == operation.method() && other.path() == path && *other != operation
            });
            for path in [path.clone(), format!("/v1.41{path}")] {
                let got = Call::parse(operation.method().as_str(), &path).unwrap();
                assert_eq!(
                    got.operation() == Some(operation),
                    !fixed,
                    "{operation:?} {path}"
                );
            }
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn requests_are_routed_as_dockerd_routes_them() {
    let cases = [
        ("GET", "/containers/json", "ContainerList"),
        ("GET", "/v1.41/containers/json", "ContainerList"),
        ("GET", "/containers%2fjson", "ContainerList"),
        ("GET", "/%63ontainers/json?all=1", "ContainerList"),
        ("GET", "/v1.41%2fcontainers/json", "ContainerList"),
        ("DELETE", "/containers/json", "ContainerDelete"),
        ("GET", "/containers/json/json", "ContainerInspect"),
        ("GET", "/containers/create/json", "ContainerInspect"),
        ("POST", "/containers/create", "ContainerCreate"),
        ("POST", "/containers/prune", "ContainerPrune"),
        ("POST", "/containers/create/start", "ContainerStart"),
        ("POST", "/containers/start/exec", "ContainerExec"),
        ("POST", "/containers/exec/start", "ContainerStart"),
        (
            "GET",
            "/containers/attach/attach/ws",
            "ContainerAttachWebsocket",
        ),
        ("GET", "/containers/attach/ws", "-"),
        ("GET", "/containers/create", "-"),
        ("GET", "/containers", "-"),
        ("POST", "/containers/json", "-"),
        ("PUT", "/containers/web/archive", "PutContainerArchive"),
        ("HEAD", "/containers/web/archive", "ContainerArchiveInfo"),
        ("HEAD", "/containers/web/json", "-"),
        ("HEAD", "/_ping", "SystemPingHead"),
        ("GET", "/_ping", "SystemPing"),
        ("POST", "/_ping", "-"),
        (
            "DELETE",
            "/containers/web/checkpoints/one",
            "CheckpointDelete",
        ),
        (
            "DELETE",
            "/containers/checkpoints/checkpoints/checkpoints",
            "CheckpointDelete",
        ),
        ("GET", "/images/json", "ImageList"),
        ("GET", "/images/get", "ImageGetAll"),
        ("GET", "/images/search", "ImageSearch"),
        ("GET", "/images/get/get", "ImageGet"),
        ("GET", "/images/ghcr.io/acme/app/json", "ImageInspect"),
        (
            "GET",
            "/images/ghcr.io%2Facme%2Fapp%3A1/json",
            "ImageInspect",
        ),
        ("GET", "/images/acme/get/json", "ImageInspect"),
        ("GET", "/images/acme/json/get", "ImageGet"),
        ("GET", "/images/sha256:cafe/history", "ImageHistory"),
        ("DELETE", "/images/json", "ImageDelete"),
        ("DELETE", "/images/acme/app/json", "ImageDelete"),
        ("POST", "/images/load", "ImageLoad"),
        ("POST", "/images/load/push", "ImagePush"),
        ("POST", "/images/localhost:5000/x/push", "ImagePush"),
        (
            "GET",
            "/distribution/127.0.0.1:1/x:y/json",
            "DistributionInspect",
        ),
        ("GET", "/networks", "NetworkList"),
        ("GET", "/networks/create", "NetworkInspect"),
        ("POST", "/networks/create", "NetworkCreate"),
        ("POST", "/networks/create/connect", "NetworkConnect"),
        ("GET", "/volumes/create", "VolumeInspect"),
        ("GET", "/plugins/privileges", "GetPluginPrivileges"),
        ("GET", "/plugins/vieux/sshfs:latest/json", "PluginInspect"),
        ("GET", "/services/x", "ServiceInspect"),
        ("GET", "/services/x/logs", "ServiceLogs"),
        ("GET", "/services/x/y", "-"),
        ("GET", "/swarm/unlockkey", "SwarmUnlockkey"),
        ("GET", "/debug/pprof/cmdline", "DebugPprofCmdline"),
        ("GET", "/debug/pprof/heap", "DebugPprofName"),
        ("GET", "/debug/pprof", "-"),
        ("OPTIONS", "/", "Options"),
        ("OPTIONS", "/any/thing/at/all", "Options"),
        ("OPTIONS", "/containers/json", "Options"),
        ("GET", "/", "-"),
        ("GET", "/v1.41", "-"),
        ("GET", "/metrics", "-"),
        ("GET", "/libpod/containers/json", "-"),
        ("GET", "/v4.0.0/libpod/containers/json", "-"),
        ("GET", "/Containers/json", "-"),
        ("GET", "/containers/JSON", "-"),
        ("GET", "/containersx/json", "-"),
    ];
    for (method, target, operation) in cases {
        assert_eq!(name_of(method, target), Ok(operation), "{method} {target}");
    }
}

#[test]
fn a_path_with_a_name_that_is_none_belongs_to_no_operation() {
    use Malformed::{EmptySegment, Name, Reference, TrailingSlash};
    let cases = [
        ("GET", "/containers/web/alias/json", Name),
        ("POST", "/containers/web/start/exec", Name),
        ("POST", "/containers/web/alias/start", Name),
        ("GET", "/containers/web/alias/export", Name),
        ("GET", "/containers/v/attach/attach/ws", Name),
        ("GET", "/containers/web%2falias/archive", Name),
        ("DELETE", "/containers/web/json", Name),
        ("DELETE", "/containers/web/checkpoints/.one", Name),
        ("DELETE", "/containers/a/b/checkpoints/one", Name),
        ("GET", "/containers/-web/json", Name),
        ("GET", "/containers/_web/json", Name),
        ("GET", "/containers/.web/json", Name),
        ("GET", "/containers/we:b/json", Name),
        ("GET", "/containers/we%20b/json", Name),
        ("GET", "/containers/*/json", Name),
        ("GET", "/containers/we@b/json", Name),
        ("GET", "/networks/a/b", Name),
        ("GET", "/volumes/a/b", Name),
        ("PUT", "/volumes/a/b", Name),
        ("GET", "/exec/a/b/json", Name),
        ("GET", "/services/a:b", Name),
        ("GET", "/images/Alpine/json", Reference),
        ("GET", "/images/a:b:c/json", Reference),
        ("GET", "/images/-a/json", Reference),
        ("GET", "/images/a%20b/json", Reference),
        ("DELETE", "/images/UPPER", Reference),
        ("GET", "/distribution/a@b/json", Reference),
        ("GET", "/containers//web/json", EmptySegment),
        ("GET", "/containers//json", EmptySegment),
        ("GET", "/containers/%2fweb/json", EmptySegment),
        ("GET", "/volumes/", TrailingSlash),
        ("GET", "/debug/pprof/", TrailingSlash),
    ];
    for (method, target, expected) in cases {
        assert_eq!(name_of(method, target), Err(expected), "{method} {target}");
    }
}

#[test]
fn targets_are_reduced_to_a_path() {
    for (raw, canonical) in [
        ("/info", "/info"),
        ("http://docker/info", "/info"),
        ("HTTP://localhost:2375/v1.41/info", "/v1.41/info"),
        ("http://[::1]/info?", "/info"),
        ("http://x/info?a=http://y/", "/info?a=http://y/"),
        ("/info?", "/info"),
        ("/info?&", "/info"),
        ("/info?a", "/info?a="),
        ("/info?a=?", "/info?a=%3F"),
    ] {
        let call = Call::parse("GET", raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!(target(&call), canonical, "{raw}");
    }
    for raw in [
        "",
        "*",
        "info",
        "docker:80",
        "http:/info",
        "http:info",
        "http://",
        "http:///info",
        "http://x",
        "http://x?a=/",
        "http://u@x/info",
        "http://x y/info",
        "https://x/info",
        "ftp://x/info",
        " /info",
        "http://x#/info",
    ] {
        for method in ["GET", "OPTIONS"] {
            assert_eq!(
                name_of(method, raw),
                Err(Malformed::Target),
                "{method} {raw:?}"
            );
        }
    }
}

#[test]
fn a_fragment_is_refused_wherever_it_stands() {
    for raw in [
        "/info#",
        "/info#?a=1",
        "/info?a=1#b",
        "/info?stdout=1#&follow=1",
    ] {
        assert_eq!(name_of("GET", raw), Err(Malformed::Fragment), "{raw}");
    }
    assert_eq!(name_of("GET", "/info?a=%23b"), Ok("SystemInfo"));
}

#[test]
fn an_unknown_method_is_refused() {
    for method in ["get", "PATCH", "CONNECT", "TRACE", "PRI", ""] {
        assert_eq!(name_of(method, "/info"), Err(Malformed::Method), "{method}");
    }
}

#[test]
fn a_target_longer_than_the_limit_is_refused() {
    let fits = format!("/info?a={}", "x".repeat(LONGEST_TARGET - 8));
    assert_eq!(name_of("GET", &fits), Ok("SystemInfo"));
    let too_long = Call::parse("GET", &format!("{fits}x")).unwrap_err();
    assert_eq!(
        (too_long, too_long.status()),
        (Malformed::TargetTooLong, 414)
    );
}

#[test]
fn names_are_told_with_their_placeholders() {
    type Names = &'static [(&'static str, &'static str)];
    let cases: &[(&str, &str, Names)] = &[
        ("GET", "/containers/json", &[]),
        ("GET", "/v1.41/containers/w%65b/json", &[("id", "web")]),
        (
            "GET",
            "/images/ghcr.io/acme/app:1/json",
            &[("name", "ghcr.io/acme/app:1")],
        ),
        ("DELETE", "/volumes/data", &[("name", "data")]),
        (
            "DELETE",
            "/containers/web/checkpoints/one",
            &[("id", "web"), ("checkpoint", "one")],
        ),
        ("OPTIONS", "/any/thing", &[("any", "any/thing")]),
        ("GET", "/nothing/here", &[]),
    ];
    for (method, target, expected) in cases {
        let call = Call::parse(method, target).unwrap();
        assert_eq!(call.names().collect::<Vec<_>>(), *expected, "{target}");
        assert_eq!(
            call.subject(),
            expected.first().map(|(_, text)| *text),
            "{target}"
        );
    }
}

#[test]
fn the_version_is_told() {
    let call = Call::parse("GET", "/v1.41/info").unwrap();
    assert_eq!(call.version(), Some(ApiVersion::new(1, 41)));
    assert_eq!(Call::parse("GET", "/info").unwrap().version(), None);
}

#[test]
fn every_refusal_has_a_code_of_its_own_and_a_message() {
    use Malformed::*;
    let all = [
        Method,
        TargetTooLong,
        Target,
        Fragment,
        PathByte,
        PathEscape,
        PathDecoded,
        EmptySegment,
        DotSegment,
        TrailingSlash,
        Version,
        Name,
        Reference,
        QueryByte,
        QuerySemicolon,
        QueryEscape,
        QueryText,
    ];
    let codes: HashSet<_> = all.iter().map(Malformed::code).collect();
    assert_eq!(codes.len(), all.len());
    for refusal in all {
        let message = refusal.to_string();
        assert!(!message.is_empty() && !message.ends_with('.'), "{message}");
        assert!(message.starts_with(char::is_lowercase), "{message}");
        let status = if refusal == TargetTooLong { 414 } else { 400 };
        assert_eq!(refusal.status(), status);
    }
}

/// The docker CLI asks for a container first, then for an image, and goes on only on these words.
#[test]
fn docker_inspect_goes_on_to_the_next_kind_of_object() {
    let container = Call::parse("GET", "/containers/ghcr.io/acme/app/json").unwrap_err();
    assert!(container.to_string().contains("not supported"));
    let image = Call::parse("GET", "/images/MyContainer/json").unwrap_err();
    assert!(image.to_string().contains("invalid reference format"));
}

proptest::proptest! {
    /// Whatever is accepted is written in a form that is read as the same call.
    #[test]
    fn what_is_forwarded_is_what_was_judged(
        method in "(GET|HEAD|POST|PUT|DELETE|OPTIONS)",
        path in "(/v1\\.[0-9]{1,2})?(/(containers|images|json|web|start|a%62|[a-z.%2f]{1,4})){1,5}",
        query in "(\\?[a-c=&+%20]{0,10})?",
    ) {
        let raw = format!("{path}{query}");
        if let Ok(call) = Call::parse(&method, &raw) {
            let canonical = target(&call);
            let again = Call::parse(&method, &canonical).unwrap();
            proptest::prop_assert_eq!(again.path(), call.path());
            proptest::prop_assert_eq!(again.operation(), call.operation());
            proptest::prop_assert_eq!(target(&again), canonical);
        }
    }
}

#[test]
fn a_call_goes_on_about_the_object_of_an_id_wherever_it_names_it() {
    let id = "5".repeat(64);
    for (method, written, acts_on, goes_on) in [
        (
            "POST",
            "/v1.41/containers/web/kill?signal=HUP",
            Some("web"),
            "/v1.41/containers/ID/kill?signal=HUP",
        ),
        ("GET", "/containers/web/json", None, "/containers/ID/json"),
        (
            "POST",
            "/commit?repo=x&container=%2Fweb&container=db",
            Some("/web"),
            "/commit?repo=x&container=ID&container=ID",
        ),
        ("POST", "/commit?repo=x", None, "/commit?repo=x"),
        ("POST", "/exec/e/start", Some("e"), "/exec/ID/start"),
        (
            "POST",
            "/networks/web/connect",
            None,
            "/networks/ID/connect",
        ),
    ] {
        let call = Call::parse(method, written).unwrap();
        assert_eq!(call.acts_on().as_deref(), acts_on, "{written}");
        let about = target(&call.about(&id));
        assert_eq!(about, goes_on.replace("ID", &id));
    }
}
