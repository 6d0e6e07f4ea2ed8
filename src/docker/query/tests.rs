use proptest::prelude::*;

use super::*;

fn written(query: Query<'_>) -> String {
    let mut out = Vec::new();
    query.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_query_is_read_as_go_reads_it() {
    // raw, pairs, canonical
    type Pairs = &'static [(&'static str, &'static str)];
    let cases: &[(&str, Pairs, &str)] = &[
        ("", &[], ""),
        ("&&", &[], ""),
        ("a=1", &[("a", "1")], "a=1"),
        ("a", &[("a", "")], "a="),
        ("a=", &[("a", "")], "a="),
        ("=b", &[("", "b")], "=b"),
        ("=", &[("", "")], "="),
        ("a=1&&b=2&", &[("a", "1"), ("b", "2")], "a=1&b=2"),
        ("a=b=c", &[("a", "b=c")], "a=b%3Dc"),
        ("a=1&a=2", &[("a", "1"), ("a", "2")], "a=1&a=2"),
        ("A=1&a=2", &[("A", "1"), ("a", "2")], "A=1&a=2"),
        ("a+b=c+d", &[("a b", "c d")], "a%20b=c%20d"),
        ("a=%2B", &[("a", "+")], "a=%2B"),
        ("%61ll=1", &[("all", "1")], "all=1"),
        ("a=%26b%3D1", &[("a", "&b=1")], "a=%26b%3D1"),
        ("a=%3B", &[("a", ";")], "a=%3B"),
        ("a=%25", &[("a", "%")], "a=%25"),
        ("a=caf%C3%A9", &[("a", "café")], "a=caf%C3%A9"),
        (
            r#"f={"a":["b"]}"#,
            &[("f", r#"{"a":["b"]}"#)],
            "f=%7B%22a%22:%5B%22b%22%5D%7D",
        ),
        ("a=?/x", &[("a", "?/x")], "a=%3F/x"),
        (r"a=\^`|<>", &[("a", r"\^`|<>")], "a=%5C%5E%60%7C%3C%3E"),
    ];
    for (raw, pairs, canonical) in cases {
        let query = Query::parse(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        let got: Vec<_> = query.pairs().collect();
        let expected: Vec<_> = pairs
            .iter()
            .map(|&(key, value)| (Cow::from(key), Cow::from(value)))
            .collect();
        assert_eq!(got, expected, "{raw}");
        assert_eq!(query.is_empty(), pairs.is_empty(), "{raw}");
        assert_eq!(written(query), *canonical, "{raw}");
    }
}

#[test]
fn a_query_with_two_readings_is_refused() {
    use Malformed::*;
    let cases = [
        ("a=1;b=2", QuerySemicolon),
        (";", QuerySemicolon),
        ("a=1#b", Fragment),
        ("stdout=1#&follow=1", Fragment),
        ("a=%", QueryEscape),
        ("a=%2", QueryEscape),
        ("a=%zz", QueryEscape),
        ("%=1", QueryEscape),
        ("a=%2&b=0", QueryEscape),
        ("a b=1", QueryByte),
        ("a=\r\n", QueryByte),
        ("a=\0", QueryByte),
        ("a=\x7f", QueryByte),
        ("a=é", QueryByte),
        ("a=%00", QueryText),
        ("a=%0a", QueryText),
        ("%0d=1", QueryText),
        ("a=%7F", QueryText),
        ("a=%C2%85", QueryText),
        ("a=%ff", QueryText),
        ("a=%C3", QueryText),
        ("a=%ED%A0%80", QueryText),
        ("a=%C0%AF", QueryText),
    ];
    for (raw, expected) in cases {
        assert_eq!(Query::parse(raw), Err(expected), "{raw:?}");
    }
}

#[test]
fn the_first_value_wins_and_repeats_are_counted() {
    let query = Query::parse("signal=TERM&x=1&%73ignal=KILL&signal").unwrap();
    assert_eq!(query.first("signal").as_deref(), Some("TERM"));
    assert_eq!(query.count("signal"), 3);
    assert_eq!(
        query.all("signal").collect::<Vec<_>>(),
        ["TERM", "KILL", ""]
    );
    assert_eq!(query.first("Signal"), None);
    assert_eq!(query.count("Signal"), 0);
}

#[test]
fn booleans_are_dockerds() {
    for value in [
        "",
        " ",
        "0",
        "no",
        "No",
        "FALSE",
        "false",
        "none",
        "None",
        "\u{a0}none\u{2003}",
    ] {
        assert!(!truthy(value), "{value:?}");
    }
    for value in [
        "1",
        "true",
        "True",
        "off",
        "n",
        "f",
        "null",
        "00",
        "-1",
        "nein",
        "fal\u{17f}e",
    ] {
        assert!(truthy(value), "{value:?}");
    }
}

#[test]
fn nothing_is_copied_when_nothing_is_escaped() {
    let query = Query::parse("all=1").unwrap();
    assert!(matches!(
        query.pairs().next(),
        Some((Cow::Borrowed("all"), Cow::Borrowed("1")))
    ));
}

proptest! {
    /// The written query holds the same pairs in the same order.
    #[test]
    fn the_canonical_spelling_reads_back(raw in "[a-c=&+%;#0-3A-C{}\" é]{0,24}") {
        if let Ok(query) = Query::parse(&raw) {
            let canonical = written(query);
            let again = Query::parse(&canonical);
            prop_assert!(again.is_ok(), "{} became {}", raw, canonical);
            let again = again.unwrap();
            prop_assert_eq!(again.pairs().collect::<Vec<_>>(), query.pairs().collect::<Vec<_>>());
            prop_assert_eq!(written(again), canonical);
        }
    }

    /// Any text survives as key and as value.
    #[test]
    fn any_text_can_be_carried(key in "\\PC{0,8}", value in "\\PC{0,8}") {
        let mut raw = Vec::new();
        encode(&key, &mut raw);
        raw.push(b'=');
        encode(&value, &mut raw);
        let raw = String::from_utf8(raw).unwrap();
        let query = Query::parse(&raw).unwrap();
        let first = query.first(&key);
        prop_assert_eq!(first.as_deref(), Some(value.as_str()));
    }

    #[test]
    fn reading_never_fails_on_any_text(raw in "\\PC{0,40}") {
        if let Ok(query) = Query::parse(&raw) {
            prop_assert_eq!(query.pairs().count() == 0, query.is_empty());
        }
    }
}
