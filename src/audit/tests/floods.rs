//! Promises about what is counted instead of written.

use super::*;

#[test]
fn a_flood_of_denials_is_summed_and_nothing_of_it_is_lost() {
    let paper = Paper::default();
    let (audit, writer) = trail(&paper, Keep::Changes);

    let full = (0..1000).filter(|_| refuse(&audit, 7)).count();
    let other = refuse(&audit, 8);
    writer.finish();

    assert_eq!(full, 10);
    assert!(other, "another user's denial is not part of the flood");
    let lines = paper.lines();
    assert_eq!(count(&lines, "final"), 11);
    assert_eq!(count(&lines, "summed"), 990);
    let summed = lines.iter().find(|line| line["kind"] == "summed").unwrap();
    assert_eq!(summed["reason"], "no-rule");
    assert_eq!(summed["operation"], "ContainerCreate");
    assert_eq!(summed["client"]["uid"], 7);
}

#[test]
fn a_flood_is_reported_while_it_lasts() {
    let paper = Paper::default();
    let often = Rhythm {
        denials: Duration::from_millis(20),
        ..rhythm()
    };
    let (audit, _writer) = Audit::paced(paper.clone(), Keep::Changes, often).unwrap();

    for _ in 0..15 {
        refuse(&audit, 7);
    }
    paper.wait_until(|lines| count(lines, "summed") == 5);
    // Either still the same flood, or one that paused and is written anew: seen in both cases.
    for _ in 0..15 {
        refuse(&audit, 7);
    }
    paper.wait_until(|lines| count(lines, "summed") + count(lines, "final") == 30);
}

#[test]
fn passed_calls_are_counted_per_policy_and_summed_up_at_the_end() {
    let paper = Paper::default();
    let (audit, writer) = trail(&paper, Keep::Changes);
    let own = audit.for_policy(&policy());

    for _ in 0..5 {
        audit.pass(&policy(), Some(200), 0, 10);
        own.pass(&policy(), Some(404), 1, 0);
    }
    own.pass(&"other".into(), None, 0, 0);
    writer.finish();

    let lines = paper.lines();
    assert_eq!(kinds(&lines), ["summary", "summary"]);
    assert_eq!(
        (&lines[0]["policy"], &lines[0]["count"]),
        (&"ci".into(), &10.into())
    );
    assert_eq!(
        lines[0]["statuses"],
        serde_json::json!({"2xx": 5, "4xx": 5})
    );
    assert_eq!(
        (&lines[0]["bytes_up"], &lines[0]["bytes_down"]),
        (&5.into(), &50.into())
    );
    assert_eq!(
        (&lines[1]["policy"], &lines[1]["count"]),
        (&"other".into(), &1.into())
    );
}

#[test]
fn passed_calls_are_summed_up_while_the_gate_runs() {
    let paper = Paper::default();
    let often = Rhythm {
        passes: Duration::from_millis(20),
        ..rhythm()
    };
    let (audit, _writer) = Audit::paced(paper.clone(), Keep::Changes, often).unwrap();

    for total in 1..=3 {
        audit.pass(&policy(), Some(200), 0, 0);
        paper.wait_until(|lines| count(lines, "summary") == total);
    }
}

#[tokio::test]
async fn a_flood_of_denials_leaves_room_for_changes() {
    let paper = Paper::shut();
    let (audit, writer) = trail(&paper, Keep::All);

    for uid in 0..500 {
        refuse(&audit, uid);
    }
    for _ in 0..500 {
        close(&audit, READ);
    }
    let change = record(&audit, CHANGE);
    let opened = audit.open(&change).await;
    audit.close(change, ending(Outcome::Complete));
    paper.open();
    writer.finish();

    assert_eq!(opened, Ok(()));
    let lines = paper.lines();
    assert_eq!(count(&lines, "open"), 1);
    let all = count(&lines, "final") + count(&lines, "summed") + count(&lines, "dropped");
    assert_eq!(all, 500 + 500 + 1, "every call is accounted for once");
    assert!(count(&lines, "dropped") > 400);
}
