//! Objects that change hands while they are asked for: whatever happens between question and answer, no
//! other object is touched.
//!
//! One side asks by a name, through the gate; the other gives that name now to an object that the rule is
//! about, now to one that it is not. A race that never reached the right object, or never was refused, has
//! shown nothing and fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::caller::Caller;
use super::{Image, Network, Still, image};
use crate::stage::{Gate, engine, name};

/// How many rounds a race has; `QUAYGATE_TEST_ROUNDS` makes it more.
const ROUNDS: usize = 300;

/// How often both must have come out at least, and how long a slow machine may take for it.
const LEAST: usize = 5;
const PATIENCE: Duration = Duration::from_secs(120);

/// However a race ends, its disturber does too.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes the attempts while the disturber goes on at the engine.
pub(super) fn race(mut disturb: impl FnMut(&mut Caller) + Send, mut attempt: impl FnMut() -> bool) {
    let rounds = std::env::var("QUAYGATE_TEST_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let (stop, end) = (AtomicBool::new(false), Instant::now() + PATIENCE);
    let (mut hits, mut misses) = (0, 0);
    thread::scope(|scope| {
        let _stopping = Stopping(&stop);
        scope.spawn(|| {
            let mut engine = Caller::at(engine());
            while !stop.load(Ordering::Relaxed) {
                disturb(&mut engine);
            }
        });
        while hits + misses < rounds || hits.min(misses) < LEAST && Instant::now() < end {
            let reached = if attempt() { &mut hits } else { &mut misses };
            *reached += 1;
        }
    });
    eprintln!("{hits} attempts reached the object, {misses} another one or none");
    assert!(hits.min(misses) >= LEAST, "the name did not change hands");
}

/// Whether an answer came from the right object; else there was none, or another one.
pub(super) fn is_hit(status: u16, text: &str) -> bool {
    match status {
        200..=204 => true,
        403 | 404 => false,
        _ => panic!("{status}: {text}"),
    }
}

/// Gives the name to one after the other, and for a moment to nobody.
pub(super) fn hand_over(engine: &mut Caller, stills: [&Still; 2], prize: &str, aside: &str) {
    for still in stills {
        rename(engine, still, prize);
        rename(engine, still, &format!("{aside}-{}", &still.id[..12]));
    }
}

fn rename(engine: &mut Caller, still: &Still, to: &str) {
    let target = format!("/containers/{}/rename?name={to}", still.id);
    let (status, text) = engine.call("POST", &target, "");
    assert_eq!(status, 204, "{text}");
}

/// Removes something, unless the gate did, and waits until it is gone. Every other time the gate is given
/// a while in which nobody else removes it.
fn remove(engine: &mut Caller, target: &str, inspect: &str, turn: &mut u32) {
    *turn += 1;
    if turn.is_multiple_of(2) {
        let mut polls = 0..100;
        while polls.next().is_some() && engine.call("GET", inspect, "").0 == 200 {}
    }
    while engine.call("DELETE", target, "").0 != 404 {}
}

/// How an object is one that the rule is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    Label,
    Project,
    Own,
}

impl Bound {
    pub(super) const ALL: [Self; 3] = [Self::Label, Self::Project, Self::Own];

    /// The rule, and the one that makes own containers.
    pub(super) fn policy(self) -> String {
        let line = match self {
            Self::Label => "target.label = \"mine=yes\"",
            Self::Project => "target.project = \"mine\"",
            Self::Own => "target.own = true",
        };
        format!(
            "allow = [\"POST /containers/create\"]\n[[rule]]\nname = \"mine\"\n\
             allow = [\"POST /containers/{{id}}/*\", \"DELETE /containers/{{id}}\"]\n{line}\n"
        )
    }

    /// Makes a container that the rule is about.
    pub(super) fn make(self, gate: &Gate, name: String) -> Still {
        match self {
            Self::Label => Still::make(name, &[("mine", "yes")]),
            Self::Project => Still::make(name, &[("com.docker.compose.project", "mine")]),
            Self::Own => {
                let target = format!("/containers/create?name={name}");
                let body = json!({"Image": image()}).to_string();
                let id = Caller::at(&gate.socket()).json("POST", &target, &body)["Id"].take();
                let id = id.as_str().unwrap().to_owned();
                Still { name, id }
            }
        }
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn names_that_change_hands_never_lead_to_another_container() {
    for bound in Bound::ALL {
        let gate = Gate::before(engine(), &bound.policy());
        let mine = bound.make(&gate, name("mine"));
        let theirs = Still::make(name("theirs"), &[("mine", "no")]);
        let (prize, aside) = (name("prize"), name("aside"));
        let (mut caller, mut shares) = (Caller::at(&gate.socket()), 2);
        race(
            |engine| hand_over(engine, [&mine, &theirs], &prize, &aside),
            || {
                shares += 1;
                let body = json!({"CpuShares": shares}).to_string();
                let target = format!("/containers/{prize}/update");
                let (status, text) = caller.call("POST", &target, &body);
                is_hit(status, &text)
            },
        );
        assert_eq!(theirs.shares(), 0, "{bound:?}: it was never touched");
        assert!(mine.shares() > 0);
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_name_that_is_the_beginning_of_an_id_never_leads_to_that_id() {
    let theirs = Still::make(name("theirs"), &[]);
    // Docker looks for a name first, and then for an id that begins like this.
    let prize = theirs.id[..12].to_owned();
    let policy = format!(
        "[[rule]]\nallow = \"POST /containers/{{id}}/update\"\ntarget.name = \"{prize}\"\n"
    );
    let gate = Gate::before(engine(), &policy);
    let mine = Still::make(name("mine"), &[]);
    let aside = name("aside");
    let mut caller = Caller::at(&gate.socket());
    race(
        |engine| {
            rename(engine, &mine, &prize);
            rename(engine, &mine, &aside);
        },
        || {
            let target = format!("/containers/{prize}/update");
            let (status, text) = caller.call("POST", &target, "{\"CpuShares\":7}");
            is_hit(status, &text)
        },
    );
    assert_eq!((mine.shares(), theirs.shares()), (7, 0));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_container_that_is_made_anew_under_the_name_is_never_removed_instead() {
    for bound in Bound::ALL {
        let gate = Gate::before(engine(), &bound.policy());
        let (prize, mut turn) = (name("prize"), 0);
        let mut caller = Caller::at(&gate.socket());
        race(
            |engine| {
                let mine = bound.make(&gate, prize.clone());
                let target = format!("/containers/{}", mine.id);
                remove(engine, &target, &format!("{target}/json"), &mut turn);
                let theirs = Still::make(prize.clone(), &[("mine", "no")]);
                let target = format!("/containers/{}", theirs.id);
                let (status, text) = engine.call("DELETE", &target, "");
                assert_eq!(status, 204, "{bound:?}: nobody else may remove it: {text}");
            },
            || {
                let target = format!("/containers/{prize}");
                let (status, text) = caller.call("DELETE", &target, "");
                // Docker's word for two who remove it at once.
                status != 409 && is_hit(status, &text)
            },
        );
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_network_that_is_made_anew_under_the_name_is_never_removed_instead() {
    let policy = "[[rule]]\nallow = \"DELETE /networks/{id}\"\ntarget.label = \"mine=yes\"\n";
    let gate = Gate::before(engine(), policy);
    let (prize, mut turn) = (name("prize"), 0);
    let mut caller = Caller::at(&gate.socket());
    race(
        |engine| {
            let mine = Network::make(prize.clone(), "yes", None);
            let target = format!("/networks/{}", mine.id);
            remove(engine, &target, &target, &mut turn);
            let theirs = Network::make(prize.clone(), "no", None);
            let target = format!("/networks/{}", theirs.id);
            let (status, text) = engine.call("DELETE", &target, "");
            assert_eq!(status, 204, "nobody else may remove it: {text}");
        },
        || {
            let (status, text) = caller.call("DELETE", &format!("/networks/{prize}"), "");
            is_hit(status, &text)
        },
    );
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn a_tag_that_moves_never_leads_to_another_image() {
    let policy = "[[rule]]\nallow = \"POST /images/{name}/tag\"\ntarget.label = \"mine=yes\"\n";
    let gate = Gate::before(engine(), policy);
    let mine = Image::make(name("mine"), "yes");
    let theirs = Image::make(name("theirs"), "no");
    let (prize, caught) = (name("prize"), name("caught"));
    let mut caller = Caller::at(&gate.socket());
    race(
        |engine| {
            for image in [&mine, &theirs] {
                let target = format!("/images/{}/tag?repo={prize}&tag=latest", image.id);
                assert_eq!(engine.call("POST", &target, "").0, 201);
            }
        },
        || {
            let target = format!("/images/{prize}/tag?repo={caught}&tag=latest");
            let (status, text) = caller.call("POST", &target, "");
            assert!(!theirs.has(&caught), "it was tagged: {text}");
            is_hit(status, &text)
        },
    );
}
