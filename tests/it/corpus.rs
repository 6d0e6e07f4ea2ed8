//! The inputs that fuzzing found worth keeping, through the functions that fuzzing calls.
//!
//! `tests/fuzz/seeds` holds one file per input (docs/fuzzing.md); what is checked stands in
//! `tests/fuzz/checks`.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::checks;
use super::checks::exchange::{Limits, Rig};

#[test]
fn heads_are_read_and_written_alike() {
    replay("head", checks::head::check);
}

#[test]
fn cutting_a_chunked_body_changes_nothing() {
    replay("framing", checks::framing::check);
}

#[test]
fn paths_have_one_reading() {
    replay("path", checks::path::check);
}

#[test]
fn queries_have_the_reading_of_go() {
    replay("query", checks::query::check);
}

#[test]
fn calls_are_the_same_after_writing() {
    replay("target", checks::target::check);
}

#[test]
fn texts_are_policies_or_problems() {
    replay("policy", checks::policy::check);
}

#[test]
fn decisions_keep_the_laws() {
    replay("decide", checks::decide::check);
}

#[test]
fn bodies_are_read_as_go_reads_them() {
    replay("body", checks::body::check);
}

#[test]
fn a_lenient_engine_finds_only_what_the_policy_allows() {
    // A panic in a task ends the task alone, so they are counted where they happen.
    let panics = Arc::new(AtomicUsize::new(0));
    let here = thread::current().id();
    let (counted, before) = (Arc::clone(&panics), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        if thread::current().id() == here {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        before(panic);
    }));
    let rig = Rig::start(limits(), || {});
    let mut reached = 0;
    replay("exchange", |input| {
        rig.check(input);
        reached += rig.reached().len();
        assert_eq!(panics.load(Ordering::Relaxed), 0, "something panicked");
    });
    assert!(reached > 20, "only {reached} requests reached the engine");
}

fn replay(target: &str, mut check: impl FnMut(&[u8])) {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(target);
    let mut inputs: Vec<PathBuf> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    inputs.sort();
    assert!(inputs.len() > 4, "{} holds inputs", directory.display());
    for path in inputs {
        let input = fs::read(&path).unwrap();
        let held = catch_unwind(AssertUnwindSafe(|| check(&input)));
        assert!(
            held.is_ok(),
            "broken by {}: {}",
            path.display(),
            input.escape_ascii()
        );
    }
}

/// Short, because here time runs as it does.
fn limits() -> Limits {
    Limits {
        head_deadline: Duration::from_millis(500),
        body_deadline: Duration::from_millis(500),
        linger: Duration::from_millis(20),
        ..Limits::default()
    }
}
