//! What the strict reader takes and refuses, and that Go would read the same.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use proptest::prelude::*;

use super::*;

pub(in crate::docker) mod go;

fn problem(body: &[u8]) -> Option<Problem> {
    parse(body).err().map(|bad| bad.problem)
}

#[test]
fn values_are_read_as_they_are_written() {
    let body = br#" {"a":[1,-0,0.5,1e3,2E-1], "b" : {"c":null,"d":true,"e":false}, "f":"x\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}
    "#;
    let value = parse(body).unwrap();
    let object = value.object().unwrap();
    let numbers = object.get("a").unwrap().list().unwrap();
    assert_eq!(numbers[0].integer(), Some(1));
    assert_eq!(numbers[1].integer(), Some(0));
    assert_eq!(numbers[2].integer(), None);
    assert_eq!(numbers[3].integer(), None);
    let inner = object.get("b").unwrap().object().unwrap();
    assert!(inner.get("c").unwrap().is_null());
    assert_eq!(inner.get("d").unwrap().boolean(), Some(true));
    let text = object.get("f").unwrap().text().unwrap();
    assert_eq!(text, "x\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600}");
    assert!(matches!(text, Cow::Owned(_)));
}

#[test]
fn the_place_of_a_value_is_where_it_is_written() {
    for (body, expected) in [
        (r#"{"Container":"web"}"#, Some(r#""web""#)),
        (
            r#" { "Container" : "w\u0065b" , "Force" : true } "#,
            Some(r#""w\u0065b""#),
        ),
        (
            r#"{"a":{"Container":"db"},"b":["Container"],"Container":"web"}"#,
            Some(r#""web""#),
        ),
        (
            r#"{"a":"\"Container\":\"db\"","\u0043ontainer":"web"}"#,
            Some(r#""web""#),
        ),
        (r#"{"Container":{"a":[1, 2]}}"#, Some(r#"{"a":[1, 2]}"#)),
        (r#"{"container":"web"}"#, None),
        (r#"{"a":{"Container":"web"}}"#, None),
        ("{}", None),
        (r#"["Container"]"#, None),
        (r#""Container""#, None),
        ("", None),
    ] {
        let place = place(body.as_bytes(), "Container");
        let written = place.map(|place| body.get(place).unwrap());
        assert_eq!(written, expected, "{body}");
        if let Ok(value) = parse(body.as_bytes()) {
            let value = value
                .object()
                .and_then(|object| object.get("Container"))
                .cloned();
            let there = expected.map(|text| parse(text.as_bytes()).unwrap());
            assert_eq!(value, there, "{body}");
        }
    }
}

#[test]
fn unescaped_text_is_borrowed() {
    let value = parse(b"\"plain\"").unwrap();

    assert!(matches!(value, Value::Text(Cow::Borrowed("plain"))));
}

#[test]
fn what_has_more_than_one_reading_is_refused() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for (body, expected) in [
        ("", Some(Problem::Empty)),
        (" \n", Some(Problem::Empty)),
        ("\u{feff}{}", Some(Problem::ByteOrderMark)),
        ("{", Some(Problem::Cut)),
        ("{\"a\"", Some(Problem::Cut)),
        ("{\"a\":1,", Some(Problem::Cut)),
        ("[1", Some(Problem::Cut)),
        ("tru", Some(Problem::Cut)),
        ("\"a", Some(Problem::Cut)),
        ("\"\\", Some(Problem::Cut)),
        ("{}{}", Some(Problem::Trailing)),
        ("{} x", Some(Problem::Trailing)),
        ("{}\0", Some(Problem::Trailing)),
        ("{a:1}", Some(Problem::Syntax)),
        ("{'a':1}", Some(Problem::Syntax)),
        ("{\"a\":1,}", Some(Problem::Syntax)),
        ("[1,]", Some(Problem::Syntax)),
        ("[,1]", Some(Problem::Syntax)),
        ("[1 2]", Some(Problem::Syntax)),
        ("{\"a\" 1}", Some(Problem::Syntax)),
        ("// c\n{}", Some(Problem::Syntax)),
        ("\u{a0}{}", Some(Problem::Syntax)),
        ("\u{b}{}", Some(Problem::Syntax)),
        ("NaN", Some(Problem::Syntax)),
        ("+1", Some(Problem::Syntax)),
        ("01", Some(Problem::Trailing)),
        ("1.", Some(Problem::Cut)),
        (".5", Some(Problem::Syntax)),
        ("-", Some(Problem::Cut)),
        ("1e", Some(Problem::Cut)),
        ("[1e+]", Some(Problem::Syntax)),
        ("0x10", Some(Problem::Trailing)),
        ("True", Some(Problem::Syntax)),
        ("\"a\nb\"", Some(Problem::ControlCharacter)),
        ("\"\0\"", Some(Problem::ControlCharacter)),
        (r#""\x""#, Some(Problem::Escape)),
        (r#""\u12g4""#, Some(Problem::Escape)),
        (r#""\u12"#, Some(Problem::Escape)),
        (r#""\ud800""#, Some(Problem::Surrogate)),
        (r#""\udc00""#, Some(Problem::Surrogate)),
        (r#""\ud800\ud800""#, Some(Problem::Surrogate)),
        (r#""\udc00\ud800""#, Some(Problem::Surrogate)),
        (r#""\ud800x""#, Some(Problem::Surrogate)),
        (r#"{"a":1,"a":1}"#, Some(Problem::Twice)),
        (r#"{"a":1,"\u0061":1}"#, Some(Problem::Twice)),
        (r#"{"a":1,"b":2,"A":1}"#, Some(Problem::CaseTwin)),
        (
            r#"{"HostConfig":{},"HoſtConfig":{}}"#,
            Some(Problem::CaseTwin),
        ),
        (
            r#"{"HoſtConfig":{},"hostConfig":null}"#,
            Some(Problem::CaseTwin),
        ),
        (r#"{"Links":[],"Lin\u212as":[]}"#, Some(Problem::CaseTwin)),
        (r#"[{"x":{"a":1,"a":2}}]"#, Some(Problem::Twice)),
        (&deep(64), None),
        (&deep(65), Some(Problem::TooDeep)),
        (r#"{"a":{"a":{"A":1}}}"#, None),
        (r#"{"é":1,"É":2}"#, None),
        ("\r\n\t {\"a\":1}\r\n", None),
        (r#""\u0000""#, None),
    ] {
        assert_eq!(problem(body.as_bytes()), expected, "{body}");
    }
    assert_eq!(problem(b"\"\xff\""), Some(Problem::NotUtf8));
    assert_eq!(problem(b"\"\xed\xa0\x80\""), Some(Problem::NotUtf8));
    assert_eq!(problem(b"\"\xc0\x80\""), Some(Problem::NotUtf8));
    assert_eq!(problem(b"\xff\xfe{\x00}\x00"), Some(Problem::NotUtf8));
}

#[test]
fn memory_is_bounded_whatever_the_body_holds() {
    let list = |values: usize| format!("[{}0]", "0,".repeat(values - 2));

    assert_eq!(problem(list(MOST_VALUES).as_bytes()), None);
    assert_eq!(
        problem(list(MOST_VALUES + 1).as_bytes()),
        Some(Problem::TooMany)
    );
}

#[test]
fn twins_are_found_among_many_keys() {
    let mut keys: Vec<String> = (0..2000).map(|n| format!("\"k{n}\":0")).collect();
    let fine = format!("{{{}}}", keys.join(","));
    keys.push("\"\u{212a}1234\":0".to_owned());
    let twin = format!("{{{}}}", keys.join(","));

    assert_eq!(problem(fine.as_bytes()), None);
    assert_eq!(problem(twin.as_bytes()), Some(Problem::CaseTwin));
}

#[test]
fn the_problem_names_key_and_place() {
    let shown = |body: &str| parse(body.as_bytes()).unwrap_err().to_string();

    assert_eq!(
        shown(r#"{"x":{"Image":1,"Image":2}}"#),
        "a key is written twice (`Image`) at byte 5"
    );
    assert_eq!(
        shown("{\"a\u{1b}\":1}"),
        "a string holds a control character at byte 3"
    );
    assert_eq!(
        shown(r#"{"\u001b":1,"\u001b":2}"#),
        "a key is written twice at byte 0"
    );
}

#[test]
fn numbers_are_those_that_go_reads_into_an_int64() {
    for (text, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("1.0", None),
        ("1e3", None),
        ("1E0", None),
    ] {
        assert_eq!(
            parse(text.as_bytes()).unwrap().integer(),
            expected,
            "{text}"
        );
    }
}

// === laws ===

/// Texts that are nearly JSON: pieces of it in any order, with the traps of Go's reader among them.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"A\"",
        "\"k\"",
        "\"\u{212a}\"",
        "\"s\"",
        "\"ſ\"",
        "\"\\u0061\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "1",
        "-0",
        "0.5",
        "1e2",
        "01",
        "true",
        "null",
        "false",
        " ",
        "\n",
        "\"",
        "\\",
        "\u{feff}",
        "\"é\"",
        "\u{7f}",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// JSON with few keys, so that twins are common.
fn json_with_twins() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null", "true", "false", "0", "-1", "1.5", "\"\"", "\"x\"", "\"\\n\"", "[]", "{}",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop::sample::select(vec![
            "a",
            "A",
            "b",
            "k",
            "\u{212a}",
            "s",
            "ſ",
            "\\u0061",
            "Binds",
            "Bind\u{17f}",
            "é",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((key, inner), 0..4).prop_map(|entries| {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| format!("\"{key}\": {value}"))
                    .collect();
                format!("{{{}}}", entries.join(" , "))
            }),
        ]
    })
}

fn bodies() -> impl Strategy<Value = String> {
    prop_oneof![
        nearly_json(),
        json_with_twins(),
        (json_with_twins(), nearly_json()).prop_map(|(one, other)| one + &other),
    ]
}

fn as_serde(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(yes) => (*yes).into(),
        Value::Number(text) => serde_json::from_str(text).unwrap(),
        Value::Text(text) => text.as_ref().into(),
        Value::List(list) => list.iter().map(as_serde).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.to_string(), as_serde(value)))
            .collect(),
    }
}

proptest! {
    #[test]
    fn what_is_accepted_reads_the_same_in_serde_json(body in bodies()) {
        let theirs = serde_json::from_str::<serde_json::Value>(&body);
        match parse(body.as_bytes()) {
            Ok(ours) => prop_assert_eq!(as_serde(&ours), theirs.unwrap()),
            // Stricter only where serde_json picks one of several readings.
            Err(bad) if matches!(bad.problem, Problem::Twice | Problem::CaseTwin) => {}
            Err(bad) => prop_assert!(theirs.is_err(), "{} {bad:?}", body),
        }
    }

    #[test]
    fn what_is_accepted_reads_the_same_in_go(body in bodies()) {
        if let Ok(ours) = parse(body.as_bytes()) {
            prop_assert_eq!(Some(as_serde(&ours)), go::read(body.as_bytes()));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(ours) = parse(&body) {
            prop_assert_eq!(Some(as_serde(&ours)), go::read(&body));
        }
    }
}
