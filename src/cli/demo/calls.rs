//! The calls that the demonstration makes, and what becomes of each.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::Method;
use serde_json::Value;

use crate::cli::client;
use crate::cli::text::count;
use crate::docker::{Call, Operation};
use crate::engine::{Answer, EngineVersion, ask};
use crate::facts::Caller;
use crate::judge::Judge;
use crate::policy::{Policy, Verdict};

/// A call that was made.
#[derive(Clone, Debug)]
pub(super) struct Played {
    /// As it is shown.
    pub(super) request: String,
    /// The answer's status, unless there was none.
    pub(super) status: Option<u16>,
    /// The rule that allows it, or why not.
    pub(super) why: String,
    /// The answer's `message`.
    pub(super) message: Option<String>,
    /// Whether it was let through.
    pub(super) allowed: bool,
    /// Whether that is what was to be shown.
    pub(super) as_promised: bool,
}

/// What is refused, each for its own reason. SECURITY: were the gate broken, the real Docker would
/// get these: they name nothing that exists, or only read.
const REFUSED: [(Method, &str, u16); 6] = [
    (
        Method::POST,
        "/containers/create?name=quaygate-demo-nobody",
        403,
    ),
    (Method::GET, "/images/json", 403),
    (Method::POST, "/containers/quaygate-demo-nobody/exec", 403),
    (
        Method::DELETE,
        "/containers/quaygate-demo-nobody?force=1",
        403,
    ),
    (
        Method::GET,
        "/containers/quaygate-demo-nobody/archive?path=/etc/shadow",
        403,
    ),
    (Method::GET, "/containers/%2e%2e/images/json", 400),
];

/// Makes all calls, one after the other, and shows each when it has been answered.
pub(super) async fn play(
    socket: &Path,
    policy: &Policy,
    engine: &EngineVersion,
    show: impl Fn(&Played),
) -> Vec<Played> {
    let player = Player {
        socket,
        policy,
        engine,
    };
    let mut calls = Vec::new();
    let mut done = |call: Played| {
        show(&call);
        calls.push(call);
    };
    for target in ["/_ping", "/version"] {
        done(player.play(Method::GET, target, 200).await.0);
    }
    let (list, answer) = player.play(Method::GET, "/containers/json", 200).await;
    let containers = answer.and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
    done(
        list.and(
            &containers
                .as_ref()
                .and_then(Value::as_array)
                .map_or_else(String::new, |list| count(list.len(), "container")),
        ),
    );
    let first = containers
        .as_ref()
        .and_then(|list| list.get(0)?.get("Id")?.as_str());
    if let Some(id) = first {
        let short: String = id.chars().take(12).collect();
        done(
            player
                .play(Method::GET, &format!("/containers/{short}/json"), 200)
                .await
                .0,
        );
    }
    let (events, answer) = player.play(Method::GET, &events_until_soon(), 200).await;
    let told = answer.map_or(0, |answer| {
        answer.body.split(|byte| *byte == b'\n').count() - 1
    });
    done(events.and(&format!("{} while it was open", count(told, "event"))));
    for (method, target, status) in REFUSED {
        done(player.play(method, target, status).await.0);
    }
    calls
}

/// Docker ends the stream at that second by itself.
fn events_until_soon() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("/events?until={}", now.as_secs() + 2)
}

struct Player<'a> {
    socket: &'a Path,
    policy: &'a Policy,
    engine: &'a EngineVersion,
}

impl Player<'_> {
    async fn play(&self, method: Method, target: &str, promised: u16) -> (Played, Option<Answer>) {
        let request = format!("{method} {target}");
        let (allowed, why) = self.judge(method.as_str(), target);
        let answered = match client::connect(self.socket) {
            Ok(io) => ask(io, method, target)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let status = answered.as_ref().ok().map(|answer| answer.status);
        let message = answered
            .as_ref()
            .ok()
            .and_then(|answer| message(&answer.body));
        let why = answered.as_ref().err().cloned().unwrap_or(why);
        let as_promised = status == Some(promised);
        let played = Played {
            request,
            status,
            why,
            message,
            allowed,
            as_promised,
        };
        (played, answered.ok())
    }

    /// The gate's own judgement, as `explain` gives it.
    fn judge(&self, method: &str, target: &str) -> (bool, String) {
        let call = match Call::parse(method, target) {
            Ok(call) => call,
            Err(malformed) => return (false, format!("refused: {malformed}")),
        };
        let caller = Caller {
            uid: Some(rustix::process::geteuid().as_raw()),
            gid: Some(rustix::process::getegid().as_raw()),
            pid: None,
        };
        match Judge::new(self.policy, &caller, &call, Some(self.engine.api))
            .presumed()
            .decide()
            .verdict
        {
            Verdict::Allow(rule) => {
                let (name, line) = self.policy.rule(rule);
                (true, format!("line {line} allows it: {name}"))
            }
            Verdict::Deny(reason) => {
                let name = call.operation().map_or("it", Operation::name);
                (false, format!("refused: {} ({name})", reason.meaning()))
            }
        }
    }
}

impl Played {
    /// Adds what came back.
    fn and(mut self, what: &str) -> Self {
        if self.status == Some(200) && !what.is_empty() {
            self.why = format!("{}; {what}", self.why);
        }
        self
    }
}

fn message(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    Some(document.get("message")?.as_str()?.to_owned())
}
