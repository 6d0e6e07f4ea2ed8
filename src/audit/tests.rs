//! Promises of the whole trail, from the handle to the written line.

use std::time::Instant;

use serde_json::Value;

use super::queue::Rhythm;
use super::*;

mod files;
mod floods;
mod paper;

use paper::{Paper, lines};

/// The real rhythm, except that what takes seconds takes none here, or for ever.
fn rhythm() -> Rhythm {
    Rhythm {
        capacity: 64,
        patience: Duration::from_millis(50),
        retry: Duration::from_millis(5),
        denials: Duration::from_secs(3600),
        passes: Duration::from_secs(3600),
        ..Rhythm::default()
    }
}

fn trail(paper: &Paper, keep: Keep) -> (Audit, Writer) {
    Audit::paced(paper.clone(), keep, rhythm()).unwrap()
}

fn policy() -> Arc<str> {
    "ci".into()
}

fn record(audit: &Audit, operation: Operation) -> Box<Record> {
    Box::new(Record {
        id: audit.next_id(),
        time: SystemTime::now(),
        policy: policy(),
        rule: Some(("some-rule".into(), 3)),
        reason: None,
        operation: Some(operation),
        method: "POST",
        path: "/somewhere".into(),
        query: String::new(),
        target: None,
        connected: None,
        api: None,
        client: Arc::default(),
        hint: None,
    })
}

fn ending(outcome: Outcome) -> Ending {
    Ending {
        outcome,
        status: Some(200),
        bytes_up: 1,
        bytes_down: 2,
        duration: Duration::from_millis(3),
    }
}

fn close(audit: &Audit, operation: Operation) {
    audit.close(record(audit, operation), ending(Outcome::Complete));
}

/// Waits for something that another thread brings about.
fn await_that(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never happened");
        std::thread::yield_now();
    }
}

/// One denial; true when it is written in full.
fn refuse(audit: &Audit, uid: u32) -> bool {
    let mut made = false;
    audit.refuse(&policy(), Some(CHANGE), "no-rule", Some(uid), || {
        made = true;
        let mut denied = record(audit, CHANGE);
        denied.rule = None;
        denied.reason = Some("no-rule");
        (denied, ending(Outcome::Refused))
    });
    made
}

/// Fills the queue of a trail whose sink is shut: nothing comes out, and no plain record goes in.
async fn fill(audit: &Audit) -> Vec<Box<Record>> {
    let mut opened = Vec::new();
    loop {
        let record = record(audit, CHANGE);
        if audit.open(&record).await.is_err() {
            return opened;
        }
        opened.push(record);
    }
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect()
}

fn count(lines: &[Value], kind: &str) -> u64 {
    lines
        .iter()
        .filter(|line| line["kind"] == kind)
        .map(|line| line["count"].as_u64().unwrap_or(1))
        .sum()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

const READ: Operation = Operation::ContainerList;
const CHANGE: Operation = Operation::ContainerCreate;
const STREAM: Operation = Operation::SystemEvents;
const TUNNEL: Operation = Operation::ContainerAttach;

#[test]
fn what_changes_streams_or_tunnels_is_kept_by_default() {
    let paper = Paper::default();
    for (keep, operation, keeps, opens) in [
        (Keep::Changes, Some(READ), false, false),
        (Keep::Changes, Some(CHANGE), true, true),
        (Keep::Changes, Some(STREAM), true, true),
        (Keep::Changes, Some(TUNNEL), true, true),
        (Keep::Changes, None, true, true),
        (Keep::All, Some(READ), true, false),
        (Keep::All, Some(CHANGE), true, true),
        (Keep::None, Some(READ), false, false),
        (Keep::None, Some(CHANGE), false, false),
        (Keep::None, None, false, false),
    ] {
        let (audit, _writer) = trail(&paper, keep);

        let case = format!("{keep:?} {operation:?}");
        assert_eq!(audit.keeps(operation), keeps, "{case}");
        assert_eq!(audit.opens(operation), opens, "{case}");
    }
}

#[tokio::test]
async fn records_are_written_in_the_order_they_were_told() {
    let paper = Paper::default();
    let (audit, writer) = trail(&paper, Keep::All);

    let first = record(&audit, CHANGE);
    audit.open(&first).await.unwrap();
    close(&audit, READ);
    audit.close(first, ending(Outcome::Aborted));
    refuse(&audit, 7);
    writer.finish();

    let lines = paper.lines();
    assert_eq!(kinds(&lines), ["open", "final", "final", "final"]);
    assert_eq!(
        lines
            .iter()
            .map(|line| line["id"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [1, 2, 1, 3]
    );
    assert_eq!(lines[2]["outcome"], "aborted");
    assert_eq!(lines[3]["decision"], "deny");
}

#[test]
fn a_record_is_written_within_a_tenth_of_a_second() {
    assert!(Rhythm::default().gather <= Duration::from_millis(50));
    let paper = Paper::default();
    let (audit, _writer) = trail(&paper, Keep::All);

    let fastest = (1..=5).map(|round| {
        let told = Instant::now();
        close(&audit, READ);
        close(&audit, READ);
        paper.wait_until(|lines| lines.len() == 2 * round);
        told.elapsed()
    });

    // The fastest, because the machine may be busy with other things.
    assert!(fastest.min().unwrap() < Duration::from_millis(100));
}

#[test]
fn many_records_share_a_write() {
    let paper = Paper::shut();
    let (audit, writer) = trail(&paper, Keep::All);

    for _ in 0..40 {
        close(&audit, READ);
    }
    paper.open();
    writer.finish();

    assert_eq!(paper.lines().len(), 40);
    assert!(paper.writes() <= 3, "{} writes", paper.writes());
}

#[tokio::test]
async fn a_change_waits_for_room_and_then_goes_on() {
    let paper = Paper::shut();
    let patient = Rhythm {
        patience: Duration::from_secs(20),
        ..rhythm()
    };
    let (audit, _writer) = Audit::paced(paper.clone(), Keep::Changes, patient).unwrap();
    // The thread holds one batch, which is all of what is told first.
    audit.open(&record(&audit, CHANGE)).await.unwrap();
    let waiting = {
        let audit = audit.clone();
        async move {
            let mut opened = 0;
            while opened < 200 {
                audit.open(&record(&audit, CHANGE)).await.unwrap();
                opened += 1;
            }
        }
    };
    let waiting = tokio::spawn(waiting);
    let full = async {
        while audit.queued() < 64 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), full)
        .await
        .expect("the queue fills");

    paper.open();
    waiting.await.unwrap();

    tokio::task::spawn_blocking(move || paper.wait_until(|lines| count(lines, "open") == 201))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_change_that_finds_no_room_in_time_is_refused() {
    let paper = Paper::shut();
    let (audit, _writer) = trail(&paper, Keep::Changes);

    fill(&audit).await;
    let asked = Instant::now();
    let answer = audit.open(&record(&audit, CHANGE)).await;

    assert_eq!(answer, Err(Full));
    assert!(asked.elapsed() >= Duration::from_millis(50), "it waited");
    assert_eq!(Rhythm::default().patience, Duration::from_secs(2));
    paper.open();
}

#[tokio::test]
async fn final_records_of_opened_calls_always_have_a_place() {
    let paper = Paper::shut();
    let (audit, writer) = trail(&paper, Keep::Changes);

    let opened = fill(&audit).await;
    let refused = record(&audit, CHANGE);
    let ids: Vec<u64> = opened.iter().map(|record| record.id).collect();
    for record in opened {
        audit.close(record, ending(Outcome::Complete));
    }
    audit.close(refused, ending(Outcome::Internal));
    paper.open();
    writer.finish();

    let lines = paper.lines();
    let ended: Vec<u64> = lines
        .iter()
        .filter(|line| line["kind"] == "final")
        .map(|line| line["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ended, ids, "all that were opened, and only those");
    assert_eq!(count(&lines, "dropped"), 1);
}

#[tokio::test]
async fn a_full_disk_stops_changes_and_tears_no_line() {
    let paper = Paper::default();
    paper.change(|written| written.room = Some(10));
    let patient = Rhythm {
        patience: Duration::from_secs(20),
        ..rhythm()
    };
    let (audit, writer) = Audit::paced(paper.clone(), Keep::Changes, patient).unwrap();
    let first = record(&audit, CHANGE);
    audit.open(&first).await.unwrap();
    await_that(|| audit.is_failing());

    let asked = Instant::now();
    let refused = audit.open(&record(&audit, CHANGE)).await;
    audit.close(first, ending(Outcome::Complete));
    assert_eq!(refused, Err(Full));
    assert!(
        asked.elapsed() < Duration::from_millis(50),
        "refused at once"
    );

    paper.change(|written| written.room = None);
    await_that(|| !audit.is_failing());
    let second = record(&audit, CHANGE);
    audit.open(&second).await.unwrap();
    writer.finish();

    let lines = paper.lines();
    assert_eq!(kinds(&lines), ["open", "final", "open"]);
}

#[test]
fn a_log_that_cannot_be_written_does_not_keep_the_gate_from_stopping() {
    let paper = Paper::default();
    paper.change(|written| written.room = Some(0));
    let hasty = Rhythm {
        farewell: Duration::from_millis(30),
        ..rhythm()
    };
    let (audit, writer) = Audit::paced(paper, Keep::All, hasty).unwrap();
    close(&audit, READ);

    let asked = Instant::now();
    writer.finish();

    assert!(asked.elapsed() < Duration::from_secs(10));
}

#[test]
fn after_the_end_nothing_may_change() {
    let (audit, writer) = trail(&Paper::default(), Keep::Changes);
    writer.finish();

    assert_eq!(
        runtime().block_on(audit.open(&record(&audit, CHANGE))),
        Err(Full)
    );
}

#[test]
fn a_refusal_whose_record_panics_leaves_the_queue_as_it_was() {
    let (audit, _writer) = trail(&Paper::default(), Keep::Changes);

    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        audit.refuse(&policy(), None, "no-rule", None, || {
            panic!("a fault of ours")
        });
    }));

    assert!(told.is_err());
    assert_eq!(audit.queued(), 0);
}

#[test]
fn a_silent_trail_refuses_nothing_and_makes_nothing() {
    let audit = Audit::silent();

    assert!(!audit.keeps(Some(CHANGE)) && !audit.opens(Some(CHANGE)));
    assert_eq!(
        runtime().block_on(audit.open(&record(&audit, CHANGE))),
        Ok(())
    );
    assert!(!refuse(&audit, 7));
    close(&audit, CHANGE);
    audit.pass(&policy(), None, 0, 0);
}

#[test]
fn a_thread_with_nothing_to_do_sleeps() {
    let paper = Paper::default();
    let (audit, _writer) = trail(&paper, Keep::All);
    await_that(|| audit.is_asleep());

    close(&audit, READ);

    paper.wait_until(|lines| lines.len() == 1);
    await_that(|| audit.is_asleep());
    refuse(&audit, 7);
    paper.wait_until(|lines| lines.len() == 2);
    await_that(|| audit.is_asleep());
}

#[test]
fn records_from_many_threads_all_arrive() {
    let paper = Paper::default();
    let wide = Rhythm {
        capacity: 100_000,
        gather: Duration::from_millis(1),
        ..rhythm()
    };
    let (audit, writer) = Audit::paced(paper.clone(), Keep::All, wide).unwrap();

    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    close(&audit, READ);
                }
            });
        }
    });
    writer.finish();

    let mut ids: Vec<u64> = paper
        .lines()
        .iter()
        .map(|line| line["id"].as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=2000).collect::<Vec<_>>());
}

#[test]
fn every_field_kind_and_outcome_is_documented() {
    let document = include_str!("../../docs/audit.md");
    let paper = Paper::default();
    let (audit, writer) = trail(&paper, Keep::All);
    let mut full = record(&audit, CHANGE);
    full.reason = Some("no-rule");
    full.query = "name=x".into();
    full.api = Some(ApiVersion::new(1, 41));
    full.hint = Some("a line".into());
    full.target = Some(Target {
        id: "0".repeat(64),
        name: "web".into(),
    });
    full.client = Arc::new(Client {
        pid: Some(1),
        uid: Some(2),
        gid: Some(3),
        exe: Some("/bin/x".to_owned()),
        container: Some("0".repeat(64)),
        ..Client::default()
    });
    runtime().block_on(audit.open(&full)).unwrap();
    audit.close(full, ending(Outcome::Complete));
    audit.pass(&policy(), None, 0, 0);
    for _ in 0..11 {
        refuse(&audit, 7);
    }
    writer.finish();

    let mut words: Vec<String> = Outcome::ALL
        .iter()
        .map(|outcome| outcome.code().to_owned())
        .collect();
    words.push("dropped".to_owned());
    for line in paper.lines() {
        words.push(line["kind"].as_str().unwrap().to_owned());
        for (field, value) in line.as_object().unwrap() {
            words.push(field.clone());
            words.extend(
                value
                    .as_object()
                    .into_iter()
                    .flat_map(|inner| inner.keys().cloned()),
            );
        }
    }
    for word in words {
        assert!(
            document.contains(&format!("`{word}`")),
            "docs/audit.md lacks `{word}`"
        );
    }
}
