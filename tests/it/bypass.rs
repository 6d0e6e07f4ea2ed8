//! No request is read two ways: the attack catalogue of `tests/bypass/`, and a random walk.
//!
//! Every case is played against the real gate with an engine behind it that reads like Go's
//! net/http (`godocker`) and routes like moby (`moby`), both written from their sources and not from
//! ours. Whatever a case sends, this holds:
//!
//! * every request that the engine hears is one that the policy allows, judged in the *engine's*
//!   reading of it (form values first, booleans by dockerd's table, paths decoded once);
//! * it is the very operation that the gate took it for;
//! * its body is the client's, byte for byte, and to a reader with Go's habits it asks for nothing that
//!   is root on the host, unless the policy hands that out;
//! * its head is canonical, so that no other reader could have heard something else;
//! * the engine hears exactly what the case expects, and a new connection gets its own answer.

mod catalogue;
mod client;
mod generate;
mod godocker;
mod golang;
mod moby;
mod routes;
mod stage;
mod upstream;
mod verdict;
mod walk;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use catalogue::Case;
use stage::Lane;
use verdict::Policies;

/// Lanes for cases that wait for nothing.
const LANES: usize = 4;
/// Lanes for cases that wait for a deadline of the gate.
const SLOW_LANES: usize = 8;

#[test]
fn no_request_is_read_two_ways() {
    let wanted = std::env::var("BYPASS_CASE").unwrap_or_default();
    let cases = catalogue::all()
        .into_iter()
        .filter(|case| case.id.contains(&wanted));
    play(cases.collect());
}

#[test]
fn a_random_walk_leads_nowhere() {
    let steps = walk::steps();
    let count = steps.len();

    let heard = play(steps);

    // A walk that stays outside would prove nothing.
    eprintln!("{count} steps, of which the engine heard {heard} requests");
    assert!(
        heard > count / 10,
        "only {heard} of {count} steps got through"
    );
}

/// Plays cases in several lanes at once and tells all that fail; returns how many requests the
/// engines heard.
fn play(cases: Vec<Case>) -> usize {
    let (slow, fast): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.slow);
    let folder = catalogue::folder().join("policies");
    let policies = Policies::load(&folder);
    let failures = Mutex::new(BTreeMap::new());
    let heard = AtomicUsize::new(0);
    let lane = |queue: &Mutex<VecDeque<Case>>| {
        if queue.lock().unwrap().is_empty() {
            return;
        }
        let mut lane = Lane::start(&folder);
        loop {
            let Some(case) = queue.lock().unwrap().pop_front() else {
                break;
            };
            match lane.play(&case, &policies) {
                Ok(count) => _ = heard.fetch_add(count, Ordering::Relaxed),
                Err(report) => _ = failures.lock().unwrap().insert(case.id.clone(), report),
            }
        }
        lane.check();
    };
    let (slow, fast) = (Mutex::new(slow.into()), Mutex::new(fast.into()));
    thread::scope(|scope| {
        for _ in 0..SLOW_LANES {
            scope.spawn(|| lane(&slow));
        }
        for _ in 0..LANES {
            scope.spawn(|| lane(&fast));
        }
    });
    let failures = failures.into_inner().unwrap();
    for report in failures.values() {
        eprintln!("{report}");
    }
    assert!(failures.is_empty(), "{} cases failed", failures.len());
    heard.into_inner()
}

#[test]
fn the_catalogue_covers_every_class() {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for case in catalogue::all() {
        let count = counts.entry(case.class).or_default();
        if case.generated {
            count.1 += 1;
        } else {
            count.0 += 1;
        }
    }
    let written: usize = counts.values().map(|count| count.0).sum();
    let made: usize = counts.values().map(|count| count.1).sum();
    eprintln!("{written} written and {made} generated cases: {counts:?}");
    assert!(written >= 250 && written + made >= 400, "{counts:?}");
    for class in [
        "path",
        "version",
        "method",
        "name",
        "query",
        "form",
        "body",
        "exec",
        "framing",
        "headers",
        "pipelining",
        "hijack",
        "response",
        "exhaustion",
    ] {
        assert!(counts.contains_key(class), "nothing about {class}");
    }
}
