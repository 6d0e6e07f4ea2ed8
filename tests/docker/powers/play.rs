//! Playing a case of the catalogue: refused by one policy, admitted by the other.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

use super::catalogue::Case;
use super::raw::{Answer, ask, framed, post};
use super::scenery::Scenery;
use crate::stage::{Gate, wait_until};

/// What went otherwise than it should.
pub(super) type Played = Result<(), String>;

pub(super) fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Played {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// What is there now was there before, and nothing is gone.
pub(super) fn unchanged(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Played {
    let changed: Vec<_> = before.symmetric_difference(after).collect();
    must(changed.is_empty(), || {
        format!("refused, and yet changed: {changed:?}")
    })
}

/// Whether an answer is the gate's own and not the engine's.
pub(super) fn is_refusal(answer: &Answer) -> bool {
    !answer.head.contains("\r\nServer: Docker/")
}

/// One case on its stage.
pub(super) struct Play<'s> {
    pub(super) scenery: &'s Scenery,
    pub(super) gate: &'s Gate,
    pub(super) case: &'s Case,
}

impl Play<'_> {
    /// The power is refused, with the line to add, and the engine has nothing that it had not before.
    pub(super) fn is_refused(&self) -> Played {
        let [(refuses, _), _] = self.case.policies();
        let before = self.scenery.seen();
        let answer = self.post(
            &self.gate.socket_of(&refuses),
            &self.case.asks,
            &self.name(),
        );
        self.is_told(&answer)?;
        let after = self.scenery.seen();
        unchanged(&before, &after)
    }

    /// The twin passes where the power is refused, the power passes where its line stands, and only the
    /// power has the effect.
    pub(super) fn has_effect(&self) -> Played {
        // There is one box, and it can join the network once.
        static BOX: Mutex<()> = Mutex::new(());
        let _alone = (self.case.table == "connect").then(|| BOX.lock().unwrap());
        let [refuses, admits] = self
            .case
            .policies()
            .map(|(name, _)| self.gate.socket_of(&name));
        let twin = self.effect(&refuses, &self.case.twin, &format!("{}-twin", self.name()))?;
        must(!twin.unwrap_or(false), || {
            "the twin has the effect, too".to_owned()
        })?;
        if self.case.slow {
            return self.sets_off();
        }
        let asked = self.effect(&admits, &self.case.asks, &self.name())?;
        must(asked.unwrap_or(true), || {
            "admitted, but nothing comes of it".to_owned()
        })
    }

    /// The power passes where its line stands; what the engine says to it is not waited for.
    fn sets_off(&self) -> Played {
        let [_, (admits, _)] = self.case.policies();
        let mut client = UnixStream::connect(self.gate.socket_of(&admits)).unwrap();
        let name = self.name();
        let body = self.scenery.filled(&self.case.body(&self.case.asks, &name));
        let json = ["Content-Type: application/json"];
        let request = framed("POST", &self.target(&name), &json, body.as_bytes());
        client.write_all(&request).unwrap();
        let mut told = Value::Null;
        wait_until("the call is judged", || {
            let audit = self.gate.audit();
            let mut records = audit
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            told = records
                .find(|record| record["policy"] == *admits)
                .unwrap_or_default();
            !told.is_null()
        });
        must(
            told["kind"] == "open" && told["decision"] == "allow",
            || told.to_string(),
        )
    }

    fn is_told(&self, answer: &Answer) -> Played {
        must(answer.status == 403, || format!("not refused: {answer:?}"))?;
        let message = answer.message();
        let advised = message
            .split_once("add a rule with `")
            .map(|(_, rest)| rest);
        match &self.case.advice {
            Some(line) => {
                let line = format!("{}`", self.scenery.filled(line));
                must(advised == Some(&line), || {
                    format!("does not advise `{line}: {message}")
                })
            }
            None => must(advised.is_none(), || format!("advises in vain: {message}")),
        }
    }

    /// Whether the effect is there; `None` if the case or the engine has none to see.
    fn effect(&self, socket: &Path, members: &str, name: &str) -> Result<Option<bool>, String> {
        let made = self.post(socket, members, name);
        let seen = self.passed(&made, members).and_then(|()| {
            let looks = made.status < 300 && self.scenery.api >= self.case.since;
            if looks {
                self.look(&made, name)
            } else {
                Ok(None)
            }
        });
        self.scenery.clear(&self.case.table, name);
        seen
    }

    /// The gate has let it pass, and the engine has taken it unless the case says why not.
    fn passed(&self, answer: &Answer, members: &str) -> Played {
        let case = self.case;
        must(!is_refusal(answer), || {
            format!("refused: {members}: {answer:?}")
        })?;
        let asks = members == case.asks;
        // What stands in the way at the engine shows that the body has arrived there.
        let hurdle = match (&case.engine, &*case.table) {
            (Some(word), _) if asks => Some(&**word),
            (_, "service") => Some("swarm"),
            _ => None,
        };
        let unseen = self.scenery.api < case.since || (case.see.is_none() && case.run.is_none());
        match hurdle {
            _ if asks && self.scenery.api < case.since => Ok(()),
            Some(word) => must(answer.status >= 400 && answer.body.contains(word), || {
                format!("the engine says nothing of {word}: {answer:?}")
            }),
            // The engine need not have a use for it.
            None if asks && unseen => Ok(()),
            None => must(answer.status < 300, || {
                format!("the engine refuses {members}: {answer:?}")
            }),
        }
    }

    fn look(&self, made: &Answer, name: &str) -> Result<Option<bool>, String> {
        let case = self.case;
        let mut seen = None;
        if case.start {
            self.start(name)?;
        }
        if let Some(place) = &case.see {
            let found = self.scenery.inspect(&self.place(made, name));
            let value = found
                .pointer(&self.scenery.filled(place))
                .unwrap_or(&Value::Null);
            let shown = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            seen = Some(!shown.is_empty() && shown.starts_with(&self.scenery.filled(&case.is)));
        }
        if !case.shows.is_empty() {
            let shown = self
                .said(made, name)?
                .contains(&self.scenery.filled(&case.shows));
            seen = Some(shown && seen.unwrap_or(true));
        }
        Ok(seen)
    }

    /// What the command prints.
    fn said(&self, made: &Answer, name: &str) -> Result<String, String> {
        let engine = self.scenery.engine();
        if self.case.table == "exec" {
            let start = format!("/exec/{}/start", id(made));
            return Ok(post(engine, &start, r#"{"Tty": true}"#).body);
        }
        self.start(name)?;
        let ended = ask(engine, "POST", &format!("/containers/{name}/wait"));
        must(ended.status == 200, || format!("{ended:?}"))?;
        Ok(ask(
            engine,
            "GET",
            &format!("/containers/{name}/logs?stdout=1&stderr=1"),
        )
        .body)
    }

    fn start(&self, name: &str) -> Played {
        let started = ask(
            self.scenery.engine(),
            "POST",
            &format!("/containers/{name}/start"),
        );
        must(started.status == 204, || {
            format!("it does not start: {started:?}")
        })
    }

    fn name(&self) -> String {
        format!("qg-{}", self.case.id)
    }

    fn post(&self, socket: &Path, members: &str, name: &str) -> Answer {
        post(
            socket,
            &self.target(name),
            &self.scenery.filled(&self.case.body(members, name)),
        )
    }

    fn target(&self, name: &str) -> String {
        let (_, path) = self.case.grant().split_once(' ').unwrap();
        let id = if self.case.table == "connect" {
            "{NET}"
        } else {
            "{BOX}"
        };
        let target = self.scenery.filled(&path.replace("{id}", id));
        if self.case.table == "container" {
            return format!("{target}?name={name}");
        }
        target
    }

    /// Where the engine tells what was made.
    fn place(&self, made: &Answer, name: &str) -> String {
        match &*self.case.table {
            "container" => format!("/containers/{name}/json"),
            "exec" => format!("/exec/{}/json", id(made)),
            "network" => format!("/networks/{name}"),
            "volume" => format!("/volumes/{name}"),
            _ => self.scenery.filled("/containers/{BOX}/json"),
        }
    }
}

fn id(made: &Answer) -> String {
    made.json()["Id"].as_str().unwrap_or_default().to_owned()
}
