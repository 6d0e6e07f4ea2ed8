//! Which container is connected: the one that was judged, however the body names it.

use serde_json::json;

use super::caller::Caller;
use super::race::{hand_over, is_hit, race};
use super::{Network, Still, beginnings, while_meaning};
use crate::stage::{Gate, engine, name};

const POLICY: &str = r#"
[[rule]]
name = "join"
allow = ["POST /networks/{id}/connect", "POST /networks/{id}/disconnect"]
connect.container.label = "mine=yes"
"#;

fn body(name: &str) -> String {
    json!({"Container": name}).to_string()
}

impl Still {
    pub(super) fn is_in(&self, network: &Network) -> bool {
        let networks = self.inspect()["NetworkSettings"]["Networks"].take();
        networks.as_object().unwrap().contains_key(&network.name)
    }
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn every_spelling_in_a_body_connects_the_container_itself_or_none() {
    let gate = Gate::before(engine(), POLICY);
    let network = Network::make(name("net"), "no", Some("10.231.1.0/24"));
    let mine = Still::make(name("mine"), &[("mine", "yes")]);
    let theirs = Still::make(name("theirs"), &[("mine", "no")]);
    let links = json!({"Links": [format!("{}:alias", mine.name)]});
    let linked = Still::with(name("linked"), &[], &links);
    let mut caller = Caller::at(&gate.socket());
    let mut post = |verb: &str, name: &str| {
        let target = format!("/networks/{}/{verb}", network.name);
        caller.call("POST", &target, &body(name))
    };

    let mut reached = 0;
    for still in [&mine, &theirs] {
        let slashed = format!("/{}", still.name);
        let spelled = [still.name.as_str(), &slashed].into_iter();
        for spelled in spelled.chain(beginnings(&still.id)) {
            let inspect = format!("/containers/{}/json", spelled.trim_start_matches('/'));
            let (meant, (on, off)) = while_meaning(&inspect, || {
                let on = post("connect", spelled);
                let there = mine.is_in(&network);
                (on, (there, post("disconnect", spelled).0))
            });
            let expected = match meant {
                Ok(id) if id == mine.id => 200,
                Err(404) => 404,
                Ok(_) | Err(_) => 403,
            };
            assert_eq!(on.0, expected, "{spelled}: {}", on.1);
            assert_eq!(off, (expected == 200, expected), "{spelled}");
            assert!(!theirs.is_in(&network), "{spelled}");
            reached += usize::from(expected == 200);
        }
    }
    assert!(reached > 40, "it was connected {reached} times");

    // Docker itself knows the name that a link gave.
    let alias = format!("/{}/alias", linked.name);
    assert_eq!(post("connect", &alias).0, 403);
    let (status, text) = post("connect", "nobody");
    assert!(
        status == 404 && text.contains("No such container: nobody"),
        "{text}"
    );
    let direct = format!("/networks/{}/connect", network.id);
    for nobody in [&*body(""), "{}"] {
        let (status, text) = Caller::at(engine()).call("POST", &direct, nobody);
        assert!(status >= 400, "Docker connects nothing: {text}");
    }
    assert!(!mine.is_in(&network) && !linked.is_in(&network));
}

#[test]
#[ignore = "needs a Docker engine: scripts/test starts one"]
fn names_that_change_hands_all_the_time_never_connect_another_container() {
    let gate = Gate::before(engine(), POLICY);
    let network = Network::make(name("net"), "no", Some("10.231.2.0/24"));
    let mine = Still::make(name("mine"), &[("mine", "yes")]);
    let theirs = Still::make(name("theirs"), &[("mine", "no")]);
    let (prize, aside) = (name("prize"), name("aside"));

    let mut caller = Caller::at(&gate.socket());
    let mut undo = Caller::at(engine());
    race(
        |engine| hand_over(engine, [&mine, &theirs], &prize, &aside),
        || {
            let target = format!("/networks/{}/connect", network.name);
            let (status, text) = caller.call("POST", &target, &body(&prize));
            if status == 200 {
                let target = format!("/networks/{}/disconnect", network.id);
                assert_eq!(undo.call("POST", &target, &body(&mine.id)).0, 200);
            }
            is_hit(status, &text)
        },
    );
    assert!(
        !theirs.is_in(&network),
        "the other container was never connected"
    );
}
