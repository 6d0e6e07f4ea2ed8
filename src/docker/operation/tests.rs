use std::collections::HashSet;

use super::*;

#[test]
fn every_operation_is_found_by_its_own_name() {
    for &operation in Operation::ALL {
        assert_eq!(Operation::find(operation.name()), Some(operation));
        assert_eq!(format!("{operation:?}"), operation.name());
    }
    assert_eq!(Operation::ALL.len(), 121);
    for missing in ["", "containerlist", "ContainerLis", "ContainerListX"] {
        assert_eq!(Operation::find(missing), None);
    }
}

#[test]
fn no_two_operations_share_method_and_path() {
    let mut seen = HashSet::new();
    for &operation in Operation::ALL {
        let shape: Vec<_> = operation
            .template()
            .segments()
            .map(|segment| match segment {
                Segment::Literal(text) => text,
                Segment::Name(_) | Segment::Reference(_) | Segment::Anything(_) => "{}",
            })
            .collect();
        assert!(seen.insert((operation.method(), shape)), "{operation:?}");
    }
}

#[test]
fn every_operation_stands_in_the_family_of_its_path() {
    for &operation in Operation::ALL {
        if operation == Operation::Options {
            continue;
        }
        let first = operation.path().split('/').nth(1).unwrap();
        assert!(
            Operation::family(first).contains(&operation),
            "{operation:?}"
        );
    }
}

#[test]
fn templates_are_taken_apart() {
    use Segment::*;
    let segments = |operation: Operation| operation.template().segments().collect::<Vec<_>>();
    assert_eq!(segments(Operation::SystemPing), [Literal("_ping")]);
    assert_eq!(
        segments(Operation::ContainerAttachWebsocket),
        [
            Literal("containers"),
            Name("id"),
            Literal("attach"),
            Literal("ws")
        ]
    );
    assert_eq!(
        segments(Operation::ImageInspect),
        [Literal("images"), Reference("name"), Literal("json")]
    );
    assert_eq!(
        segments(Operation::CheckpointDelete),
        [
            Literal("containers"),
            Name("id"),
            Literal("checkpoints"),
            Name("checkpoint")
        ]
    );
    assert_eq!(
        segments(Operation::ServiceInspect),
        [Literal("services"), Name("id")]
    );
    assert_eq!(segments(Operation::Options), [Anything("any")]);
}

#[test]
fn only_these_operations_become_tunnels() {
    let tunnels: Vec<_> = Operation::ALL
        .iter()
        .filter(|operation| operation.opens_tunnel())
        .map(|operation| (operation.name(), operation.stream()))
        .collect();
    assert_eq!(
        tunnels,
        [
            ("ContainerAttach", Stream::Tunnel("tcp")),
            ("ContainerAttachWebsocket", Stream::Tunnel("websocket")),
            ("ExecStart", Stream::Tunnel("tcp")),
            ("Session", Stream::Tunnel("h2c")),
            ("Grpc", Stream::Tunnel("h2c")),
        ]
    );
}

#[test]
fn only_these_operations_read_a_stream() {
    let streams: Vec<_> = Operation::ALL
        .iter()
        .filter(|operation| operation.body() == BodyKind::Stream)
        .map(|operation| (operation.name(), operation.stream()))
        .collect();
    assert_eq!(
        streams,
        [
            ("PutContainerArchive", Stream::Up),
            ("ImageCreate", Stream::Both),
            ("ImageLoad", Stream::Up),
            ("ImageBuild", Stream::Both),
            ("PluginCreate", Stream::Up),
        ]
    );
}

#[test]
fn a_method_without_body_reads_none() {
    for &operation in Operation::ALL {
        if matches!(
            operation.method(),
            Method::Get | Method::Head | Method::Delete | Method::Options
        ) {
            assert_eq!(operation.body(), BodyKind::None, "{operation:?}");
        }
    }
}

#[test]
fn what_is_called_a_safe_read_reads() {
    for &operation in Operation::ALL {
        let (risk, reason) = operation.risk();
        assert!(
            !reason.is_empty() && !reason.ends_with('.'),
            "{operation:?}"
        );
        match operation.effect() {
            Effect::Read => assert!(risk < Risk::ChangesState, "{operation:?}"),
            Effect::Change => assert!(risk > Risk::SafeRead, "{operation:?}"),
        }
    }
}

#[test]
fn only_the_copy_of_old_engines_is_gone() {
    let removed: Vec<_> = Operation::ALL
        .iter()
        .filter_map(|operation| operation.removed().zip(Some(operation)))
        .collect();
    assert_eq!(
        removed,
        [(ApiVersion::new(1, 24), &Operation::ContainerCopy)]
    );
    for &operation in Operation::ALL {
        assert!(operation.since() <= ApiVersion::NEWEST, "{operation:?}");
    }
}

#[test]
fn query_keys_are_listed_once_and_fit_together() {
    for &operation in Operation::ALL {
        let mut seen = HashSet::new();
        for key in operation.query() {
            let place = format!("{} {}", operation.name(), key.name());
            assert!(seen.insert(key.name()), "{place}");
            assert_eq!(operation.query_key(key.name()), Some(key), "{place}");
            assert_eq!(
                key.kind() == QueryKind::Filters,
                key.name() == "filters",
                "{place}"
            );
            if key.kind() == QueryKind::Bool {
                assert!(matches!(key.default_value(), "true" | "false"), "{place}");
            }
            if let Some(power) = key.is_power() {
                assert!(power.harmless.contains(&""), "{place}");
                assert!(
                    key.default_value().is_empty() || power.harmless.contains(&key.default_value()),
                    "{place}"
                );
                assert!(!power.reason.is_empty(), "{place}");
            }
        }
    }
}

#[test]
fn the_defaults_are_dockers() {
    let cases = [
        (Operation::ContainerStats, "stream", "true", Blank::False),
        (Operation::ContainerKill, "signal", "KILL", Blank::Absent),
        (Operation::ContainerStop, "signal", "", Blank::Absent),
        (Operation::ContainerStop, "t", "", Blank::Absent),
        (Operation::ContainerDelete, "force", "false", Blank::False),
        (Operation::ImageCommit, "pause", "true", Blank::Disputed),
        (Operation::ImageBuild, "rm", "true", Blank::Absent),
        (
            Operation::ImageBuild,
            "networkmode",
            "default",
            Blank::Absent,
        ),
        (Operation::ImageLoad, "quiet", "true", Blank::False),
        (Operation::ContainerPrune, "filters", "", Blank::Absent),
        (
            Operation::ContainerWait,
            "condition",
            "not-running",
            Blank::Absent,
        ),
    ];
    for (operation, name, default, blank) in cases {
        let key = operation.query_key(name).unwrap();
        assert_eq!(
            (key.default_value(), key.when_blank()),
            (default, blank),
            "{operation:?} {name}"
        );
    }
}

#[test]
fn these_query_keys_are_powers_and_no_others() {
    let powers: Vec<_> = Operation::ALL
        .iter()
        .flat_map(|operation| {
            operation
                .query()
                .iter()
                .map(move |key| (operation.name(), key))
        })
        .filter_map(|(name, key)| {
            key.is_power()
                .map(|power| (name, key.name(), power.harmless))
        })
        .collect();
    let expected: &[(&str, &str, &[&str])] = &[
        ("ContainerTop", "ps_args", &["", "-ef", "aux"]),
        ("ContainerStart", "checkpoint", &[""]),
        ("ContainerStart", "checkpoint-dir", &[""]),
        ("CheckpointList", "dir", &[""]),
        ("CheckpointDelete", "dir", &[""]),
        ("ImageCreate", "fromSrc", &[""]),
        ("ImageBuild", "remote", &[""]),
        ("ImageBuild", "networkmode", &["", "default", "none"]),
        ("ImageBuild", "securityopt", &[""]),
        ("ImageBuild", "extrahosts", &[""]),
        ("ImageBuild", "cgroupparent", &[""]),
        ("ImageBuild", "outputs", &[""]),
    ];
    assert_eq!(powers, expected);
}

#[test]
fn keys_of_which_docker_reads_every_value_are_marked() {
    for (operation, name, every) in [
        (Operation::ImageBuild, "t", true),
        (Operation::ImageBuild, "extrahosts", true),
        (Operation::ImageGetAll, "names", true),
        (Operation::ImageCommit, "changes", true),
        (Operation::SystemDataUsage, "type", true),
        (Operation::ContainerKill, "signal", false),
        (Operation::ImageBuild, "remote", false),
    ] {
        assert_eq!(
            operation.query_key(name).unwrap().reads_every(),
            every,
            "{operation:?} {name}"
        );
    }
}

#[test]
fn methods_are_case_sensitive() {
    for method in [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Options,
    ] {
        assert_eq!(Method::parse(method.as_str()), Some(method));
        assert_eq!(Method::parse(&method.as_str().to_lowercase()), None);
    }
    for odd in ["", "PATCH", "CONNECT", "TRACE", "PRI", "GET ", "Get"] {
        assert_eq!(Method::parse(odd), None, "{odd:?}");
    }
}
