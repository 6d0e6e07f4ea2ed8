//! What passes as plain holds no power in a reader with Go's habits either.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::docker::json::tests::go;

/// Looks a field up as Go would: whatever its case.
fn get<'v>(value: &'v Value, key: &str) -> &'v Value {
    let mut fields = value.as_object().into_iter().flatten();
    let found = fields.find(|(name, _)| go::fold(name) == go::fold(key));
    found.map_or(&Value::Null, |(_, value)| value)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    }
}

/// The powers of a create body as an engine up to 26 would see them: `HostConfig`, else the same
/// fields at the top level.
fn powers_in_go(body: &Value) -> Vec<&'static str> {
    let mut found = Vec::new();
    let inner = get(body, "HostConfig");
    for host in [inner, body] {
        for key in [
            "Binds",
            "Mounts",
            "Tmpfs",
            "VolumesFrom",
            "CapAdd",
            "Devices",
            "DeviceRequests",
            "PidMode",
            "UTSMode",
            "UsernsMode",
            "SecurityOpt",
            "Sysctls",
            "GroupAdd",
            "Links",
            "CgroupParent",
            "PortBindings",
        ] {
            if !is_empty(get(host, key)) {
                found.push(key);
            }
        }
        for key in ["Privileged", "PublishAllPorts", "OomKillDisable"] {
            if get(host, key) == &Value::Bool(true) {
                found.push(key);
            }
        }
        if matches!(get(host, "NetworkMode"), Value::String(mode) if mode == "host") {
            found.push("NetworkMode");
        }
    }
    found
}

fn field() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "HostConfig",
        "hostconfig",
        "Ho\u{17f}tConfig",
        "HOSTCONFIG",
        "Privileged",
        "privileged",
        "Binds",
        "Bind\u{17f}",
        "BINDS",
        "Image",
        "PidMode",
        "NetworkMode",
        "CapAdd",
        "Lin\u{212a}s",
        "Links",
        "Mounts",
        "Tmpfs",
        "Memory",
        "VolumesFrom",
        "\\u0042inds",
        "Labels",
    ]);
    let value = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "\"\"",
        "\"host\"",
        "[]",
        "{}",
        "[\"/:/h\"]",
        "[\"ALL\"]",
        "\"ALL\"",
        "[\"web\"]",
        "{\"/t\":\"\"}",
        "[{\"Type\":\"bind\",\"Source\":\"/\"}]",
    ]);
    (key, value).prop_map(|(key, value)| format!("\"{key}\":{value}"))
}

fn body() -> impl Strategy<Value = String> {
    let host = prop::collection::vec(field(), 0..3);
    let host = host.prop_map(|fields| format!("\"HostConfig\":{{{}}}", fields.join(",")));
    let top = prop::collection::vec(prop_oneof![2 => field(), 1 => host], 0..4);
    (top, prop::sample::select(vec!["", " ", "{}", "x"]))
        .prop_map(|(fields, tail)| format!("{{{}}}{tail}", fields.join(",")))
}

proptest! {
    #[test]
    fn a_plain_body_holds_no_power_in_go(body in body()) {
        if let Ok(Payload::Read(read)) = Payload::parse(ContainerCreate, body.as_bytes())
            && read.strays.is_empty()
            && read.uses.iter().all(|one| one.rests)
        {
            let in_go = go::read(body.as_bytes()).unwrap();
            prop_assert_eq!(powers_in_go(&in_go), Vec::<&str>::new());
        }
    }

    #[test]
    fn any_json_is_read_or_refused(body in "[{}\\[\\]\":,a-zA-Z0-9 ]{0,60}") {
        for operation in Operation::ALL {
            let _read_or_refused = Payload::parse(*operation, body.as_bytes());
        }
    }
}
