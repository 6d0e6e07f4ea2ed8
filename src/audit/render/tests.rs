use std::sync::Arc;

use super::*;
use crate::audit::Outcome;
use crate::audit::page::Page;
use crate::docker::{ApiVersion, Operation};

/// 2026-11-22T00:12:00.125Z
fn moment() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_795_306_320_125)
}

fn record() -> Record {
    Record {
        id: 7,
        time: moment(),
        policy: "ci".into(),
        rule: Some(("create-job".into(), 12)),
        reason: None,
        operation: Some(Operation::ContainerCreate),
        method: "POST",
        path: "/containers/create".into(),
        query: "name=job-1".into(),
        target: None,
        connected: None,
        api: Some(ApiVersion::new(1, 43)),
        client: Arc::new(Client {
            pid: Some(4711),
            uid: Some(1000),
            gid: Some(998),
            exe: Some("/usr/bin/docker".to_owned()),
            container: Some("3f1c8a5d".repeat(8)),
            ..Client::default()
        }),
        hint: None,
    }
}

fn end() -> Ending {
    Ending {
        outcome: Outcome::Complete,
        status: Some(201),
        bytes_up: 312,
        bytes_down: 88,
        duration: Duration::from_micros(41_375),
    }
}

fn span() -> Span {
    Span {
        since: moment() - Duration::from_secs(10),
        until: moment(),
    }
}

/// As it is written after it waited on a page.
fn opening(record: &Record, out: &mut Vec<u8>) {
    let mut page = Page::default();
    page.push(record.clone(), None);
    super::opening(&page.next().unwrap().0, out);
}

fn ending(record: &Record, ending: &Ending, out: &mut Vec<u8>) {
    let mut page = Page::default();
    page.push(record.clone(), Some(*ending));
    super::ending(&page.next().unwrap().0, ending, out);
}

fn line(append: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    append(&mut out);
    let text = String::from_utf8(out).unwrap();
    let line = text.strip_suffix('\n').expect("a line ends in a newline");
    assert!(
        line.bytes().all(|byte| (b' '..0x7f).contains(&byte)),
        "{line}"
    );
    serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON");
    line.to_owned()
}

#[test]
fn an_opening_record_says_what_is_about_to_happen() {
    insta::assert_snapshot!(
        line(|out| opening(&record(), out)),
        @r#"{"v":1,"kind":"open","time":"2026-11-22T00:12:00.125Z","id":7,"policy":"ci","decision":"allow","rule":{"name":"create-job","line":12},"operation":"ContainerCreate","method":"POST","path":"/containers/create","query":"name=job-1","api_version":"1.43","client":{"pid":4711,"uid":1000,"gid":998,"exe":"/usr/bin/docker","container":"3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d"}}"#
    );
}

#[test]
fn a_final_record_says_how_it_ended_and_when() {
    insta::assert_snapshot!(
        line(|out| ending(&record(), &end(), out)),
        @r#"{"v":1,"kind":"final","time":"2026-11-22T00:12:00.166Z","id":7,"policy":"ci","decision":"allow","rule":{"name":"create-job","line":12},"operation":"ContainerCreate","method":"POST","path":"/containers/create","query":"name=job-1","api_version":"1.43","client":{"pid":4711,"uid":1000,"gid":998,"exe":"/usr/bin/docker","container":"3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d3f1c8a5d"},"outcome":"complete","status":201,"bytes_up":312,"bytes_down":88,"duration_ms":41.375}"#
    );
}

#[test]
fn a_denial_carries_its_reason_and_the_way_out() {
    let denied = Record {
        rule: None,
        reason: Some("no-rule"),
        api: None,
        query: String::new(),
        client: Arc::default(),
        hint: Some("allow = [\"POST /containers/create\"]".into()),
        ..record()
    };
    let refused = Ending {
        outcome: Outcome::Refused,
        status: Some(403),
        bytes_up: 0,
        bytes_down: 0,
        duration: Duration::ZERO,
    };

    insta::assert_snapshot!(
        line(|out| ending(&denied, &refused, out)),
        @r#"{"v":1,"kind":"final","time":"2026-11-22T00:12:00.125Z","id":7,"policy":"ci","decision":"deny","reason":"no-rule","operation":"ContainerCreate","method":"POST","path":"/containers/create","outcome":"refused","status":403,"bytes_up":0,"bytes_down":0,"duration_ms":0.000,"hint":"allow = [\"POST /containers/create\"]"}"#
    );
}

#[test]
fn a_malformed_request_has_nothing_that_was_not_read() {
    let malformed = Record {
        rule: None,
        reason: Some("bad-escape"),
        operation: None,
        method: "",
        path: String::new(),
        query: String::new(),
        api: None,
        client: Arc::new(Client {
            uid: Some(0),
            gid: Some(0),
            ..Client::default()
        }),
        ..record()
    };
    let refused = Ending {
        outcome: Outcome::Malformed,
        status: Some(400),
        bytes_up: 0,
        bytes_down: 0,
        duration: Duration::ZERO,
    };

    insta::assert_snapshot!(
        line(|out| ending(&malformed, &refused, out)),
        @r#"{"v":1,"kind":"final","time":"2026-11-22T00:12:00.125Z","id":7,"policy":"ci","decision":"deny","reason":"bad-escape","client":{"uid":0,"gid":0},"outcome":"malformed","status":400,"bytes_up":0,"bytes_down":0,"duration_ms":0.000}"#
    );
}

#[test]
fn counted_denials_say_of_what_and_since_when() {
    let denials = Summed {
        operation: Some(Operation::ContainerList),
        reason: "no-rule",
        uid: Some(1000),
        count: 4711,
    };

    insta::assert_snapshot!(
        line(|out| summed("traefik", &denials, span(), out)),
        @r#"{"v":1,"kind":"summed","time":"2026-11-22T00:12:00.125Z","policy":"traefik","decision":"deny","reason":"no-rule","operation":"ContainerList","client":{"uid":1000},"count":4711,"since":"2026-11-22T00:11:50.125Z"}"#
    );
}

#[test]
fn passed_calls_are_summed_up_by_status() {
    let passed = Passed {
        by_class: [0, 100, 0, 3, 0, 1],
        bytes_up: 0,
        bytes_down: 123_456,
    };

    insta::assert_snapshot!(
        line(|out| summary("traefik", &passed, span(), out)),
        @r#"{"v":1,"kind":"summary","time":"2026-11-22T00:12:00.125Z","policy":"traefik","decision":"allow","bytes_up":0,"bytes_down":123456,"count":104,"since":"2026-11-22T00:11:50.125Z","statuses":{"2xx":100,"4xx":3,"none":1}}"#
    );
}

#[test]
fn missing_records_are_counted() {
    insta::assert_snapshot!(
        line(|out| dropped("traefik", 12, span(), out)),
        @r#"{"v":1,"kind":"dropped","time":"2026-11-22T00:12:00.125Z","policy":"traefik","count":12,"since":"2026-11-22T00:11:50.125Z"}"#
    );
}

#[test]
fn secrets_of_the_query_are_masked() {
    let build = Record {
        query: "t=app&buildargs=%7B%22TOKEN%22%3A%22s3cret%22%7D".into(),
        ..record()
    };

    let line = line(|out| opening(&build, out));

    assert!(line.contains(r#""query":"t=app&buildargs=***""#), "{line}");
}

#[test]
fn nothing_of_a_request_reaches_a_terminal_raw() {
    let hostile = "a\x1b[2J\r\n\x7f\u{9b}2J\u{202e}\u{1f600}\"\\é\0";
    let record = Record {
        path: hostile.into(),
        hint: Some(hostile.into()),
        client: Arc::new(Client {
            exe: Some(hostile.to_owned()),
            ..Client::default()
        }),
        ..record()
    };

    let line = line(|out| opening(&record, out));

    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["path"], hostile);
    assert_eq!(read["hint"], hostile);
    assert_eq!(read["client"]["exe"], hostile);
}

#[test]
fn a_line_has_a_bounded_length() {
    let long = "\u{1}".repeat(20_000);
    let record = Record {
        path: long.as_str().into(),
        query: format!("filters={}", "a".repeat(20_000)),
        hint: Some(long.as_str().into()),
        rule: Some((long.as_str().into(), 1)),
        client: Arc::new(Client {
            exe: Some(long.clone()),
            ..Client::default()
        }),
        ..record()
    };

    let line = line(|out| opening(&record, out));

    assert!(line.len() < 32 * 1024, "{}", line.len());
    assert!(line.contains("[of 20000 bytes]"));
    assert!(line.contains("[of 20008 bytes]"));
}

#[test]
fn a_record_is_cut_the_same_before_and_after_it_waits() {
    let record = Record {
        path: "p".repeat(20_000),
        query: format!("all=1&buildargs=x&filters={}", "a".repeat(20_000)),
        ..record()
    };

    let mut waited = record.clone();
    waited.bound();

    assert!(waited.path.len() + waited.query.len() < 4096);
    assert_eq!(
        line(|out| opening(&waited, out)),
        line(|out| opening(&record, out))
    );
}

#[test]
fn a_clock_that_is_centuries_off_costs_no_record() {
    for time in [
        UNIX_EPOCH - Duration::from_secs(1),
        UNIX_EPOCH + Duration::from_secs(1 << 40),
    ] {
        let odd = Record { time, ..record() };

        assert!(line(|out| opening(&odd, out)).contains(r#""id":7"#));
    }
}
