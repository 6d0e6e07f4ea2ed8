//! The policy: what one service may do with Docker.
//!
//! A policy is an allow-list of rules. A rule grants operations, each perhaps for certain names
//! only, under conditions that must all hold. **A call passes if and only if some rule allows it.**
//! There are no deny rules, no order, no variables, no inheritance. From that follow the laws which
//! `policy/laws.rs` holds as properties:
//!
//! * INVARIANT: the empty policy denies everything.
//! * INVARIANT: adding a rule never turns an allowed call into a denied one, and removing a rule
//!   never allows anything.
//! * INVARIANT: the order of rules changes no verdict.
//! * INVARIANT: a trace reports the decision that `decide` makes, because it is the same walk.
//! * INVARIANT: a doubt while judging a condition means that the condition does not hold.
//!
//! Besides the rules four things are asked of every call: that its caller is among `peers.uid`, that
//! its API version lies in the policy's range, that it is about what `[visible]` shows, and that it uses
//! no power that a rule does not admit by name. They can only refuse.
//!
//! ```
//! use quaygate::diag::Source;
//! use quaygate::docker::Call;
//! use quaygate::facts::Caller;
//! use quaygate::judge::Judge;
//! use quaygate::policy::Policy;
//!
//! let file = r#"
//! allow = ["GET /_ping", "GET /containers/{id}/json"]
//!
//! [[rule]]
//! name  = "reload"
//! allow = "POST /containers/{id}/kill"
//! query.signal = "HUP"
//!
//! [[test]]
//! request = "POST /containers/web/kill?signal=9"
//! expect  = "deny"
//! reason  = "query"
//! "#;
//! let checked = Policy::parse("web", &Source::new("web.toml", file)).unwrap();
//! let decide = |method, target| {
//!     let call = Call::parse(method, target).unwrap();
//!     Judge::new(&checked.policy, &Caller::default(), &call, None).decide().allows()
//! };
//! assert!(decide("POST", "/v1.41/containers/web/kill?signal=SIGHUP"));
//! assert!(!decide("POST", "/v1.41/containers/web/kill"));
//! ```

mod api;
pub mod builtin;
mod case;
mod condition;
pub mod decision;
mod denial;
pub mod effect;
mod filters;
pub mod grade;
mod image;
mod index;
mod lint;
mod parse;
mod pattern;
mod power;
mod rule;
pub mod settings;
mod signal;
mod target;
pub mod trace;
mod undone;
mod unlisted;
mod visible;

use std::sync::Arc;

use crate::diag::{Diagnostic, Source, Span};
use crate::docker::operation::ObjectKind;
use crate::docker::{ApiVersion, Call, Operation, payload};
use crate::facts::{Caller, Facts, Findings, Object};

pub use api::ApiRange;
pub use decision::{Decision, Denial, Permit, Reason, Refused, RuleRef, Verdict};
pub use grade::{Cause, Grade};
pub use pattern::{BadPattern, Pattern};
pub use trace::Trace;
pub use visible::{Instead, MOST_OWN};

use api::Fit;
use condition::Asked;
use index::Index;
use rule::Rule;
use trace::{Everything, Observer, Unobserved};
use unlisted::Unlisted;
use visible::Visible;

/// A policy file that was read without errors.
#[derive(Debug)]
pub struct Policy {
    name: Arc<str>,
    description: Option<String>,
    api: ApiRange,
    socket: settings::Socket,
    limits: settings::Limits,
    rules: Vec<Rule>,
    index: Index,
    unlisted: Unlisted,
    visible: Option<Visible>,
    keeps_own: bool,
    keeps_volumes: bool,
    tests: usize,
}

/// A policy and what is worth saying about it.
#[derive(Debug)]
pub struct Checked {
    /// The policy.
    pub policy: Policy,
    /// Warnings and notes.
    pub findings: Vec<Diagnostic>,
}

impl Policy {
    /// Reads a policy and runs its own tests; `name` is its file's stem. All problems at once.
    pub fn parse(name: &str, source: &Source) -> Result<Checked, Vec<Diagnostic>> {
        parse::policy(name, source)
    }

    /// The files that a policy's own tests name, relative to its directory. Whoever reads a policy from a
    /// file reads them too and puts them beside it, [`Source::with`].
    pub fn files(source: &Source) -> Vec<String> {
        case::files(source.text())
    }

    /// Its name: the file's stem.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it says about itself.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The API versions it accepts.
    pub fn api(&self) -> ApiRange {
        self.api
    }

    /// The `[socket]` table with its defaults filled in.
    pub fn socket(&self) -> &settings::Socket {
        &self.socket
    }

    /// The `[limits]` table with its defaults filled in.
    pub fn limits(&self) -> settings::Limits {
        self.limits
    }

    /// How many tests the file carries, all of which passed.
    pub fn tests(&self) -> usize {
        self.tests
    }

    /// The decision for these facts. Pure, total; allocates nothing when it allows.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        self.walk(facts, &mut Unobserved)
    }

    /// The same decision with everything that was seen on the way.
    pub fn trace(&self, facts: &Facts<'_>) -> Trace {
        let mut everything = Everything::default();
        let decision = self.walk(facts, &mut everything);
        let mut steps = everything.steps;
        steps.sort_by_key(|step| step.rule);
        Trace { decision, steps }
    }

    /// Puts a refusal into words: what was asked, why not, the line that would allow it.
    pub fn denial(&self, facts: &Facts<'_>, reason: Reason) -> Denial {
        denial::denial(self, facts, reason)
    }

    /// Name and one-based line of a rule, for logs.
    pub fn rule(&self, rule: RuleRef) -> (&str, usize) {
        let found = self.rules.get(index::slot_of(rule));
        found.map_or(("", 0), |rule| (&*rule.name, rule.line))
    }

    /// The same for whoever keeps the name.
    pub fn rule_shared(&self, rule: RuleRef) -> Option<(Arc<str>, usize)> {
        let found = self.rules.get(index::slot_of(rule))?;
        Some((Arc::clone(&found.name), found.line))
    }

    /// The place of a rule in its file.
    pub fn rule_span(&self, rule: RuleRef) -> Span {
        let found = self.rules.get(index::slot_of(rule));
        found.map_or(0..0, |rule| rule.span.clone())
    }

    /// A condition of a rule, or what it says about bodies, as it is written, and its place;
    /// `miss.condition` counts them.
    pub fn condition(&self, rule: RuleRef, number: u32) -> Option<(&str, Span)> {
        let mut parts = self.rules.get(index::slot_of(rule))?.parts();
        let (text, span) = parts.nth(usize::try_from(number).ok()?)?;
        Some((text, span.clone()))
    }

    /// Whether the body of a call of this operation must be read before it can be judged: some rule
    /// grants it, its body is described, and not every such rule leaves it unchecked.
    pub fn reads_body(&self, operation: Operation) -> bool {
        let judges = |rule: &Rule| {
            let mut targets = rule.targets();
            !rule.body().unchecked && targets.any(|(_, target)| target.operation == operation)
        };
        payload::is_described(operation) && self.rules.iter().any(judges)
    }

    /// Whether the object that a call of this operation names must be known before it can be judged:
    /// some rule that grants it has a target, or the policy shows some objects only.
    pub fn asks_target(&self, operation: Operation) -> bool {
        let hides = |visible: &Visible| visible.asks_target(operation);
        self.index.asks_target(operation) || self.visible.as_ref().is_some_and(hides)
    }

    /// Whether the container that the body of such a call names must be known before it can be judged.
    pub fn asks_connected(&self, operation: Operation) -> bool {
        let hides = self.visible.is_some() && visible::is_connect(operation);
        hides || self.index.asks_connected(operation)
    }

    /// Whether some rule has a target, or some objects are not shown.
    pub fn asks_targets(&self) -> bool {
        self.visible.is_some() || self.rules.iter().any(|rule| !rule.target.is_empty())
    }

    /// Of which kind it must be known what was created through the socket, before a call of this
    /// operation can be judged.
    pub fn asks_made(&self, operation: Operation) -> Option<ObjectKind> {
        self.visible.as_ref()?.asks_made(operation)
    }

    /// A key of the query that goes on with another value than what the client wrote, so that Docker
    /// shows no more than the policy does.
    pub fn instead(&self, call: &Call<'_>, findings: &Findings) -> Result<Instead, Reason> {
        match &self.visible {
            Some(visible) => visible.narrow(call, findings),
            None => Ok(None),
        }
    }

    /// What `[visible]` says, as it is written, a key each.
    pub fn shows(&self) -> impl Iterator<Item = &str> {
        let texts = self.visible.iter().flat_map(|visible| &visible.texts);
        texts.map(|text| &**text)
    }

    /// Whether such an object is shown.
    pub fn is_shown(&self, kind: ObjectKind, object: &Object) -> bool {
        let shows = |visible: &Visible| visible.shows(kind, object);
        !self.hides(kind) || self.visible.as_ref().is_none_or(shows)
    }

    /// Whether some objects of a kind are not shown.
    pub fn hides(&self, kind: ObjectKind) -> bool {
        self.visible.is_some() && kind != ObjectKind::Image
    }

    /// Whether a refusal is what Docker itself says of an object that it does not have.
    pub fn denies_existence(&self, reason: Reason) -> bool {
        self.visible.is_some() && matches!(reason, Reason::Hidden | Reason::TargetAbsent)
    }

    /// Whether some rule, or `[visible]`, is about what was created through the policy's socket.
    pub fn keeps_own(&self) -> bool {
        self.keeps_own
    }

    /// Whether some rule is about volumes that were.
    pub fn keeps_volumes(&self) -> bool {
        self.keeps_volumes
    }

    /// Every rule, in the order of the file.
    pub fn rules(&self) -> impl Iterator<Item = RuleRef> + use<> {
        (0..).map(RuleRef).take(self.rules.len())
    }

    /// The rules that `[unlisted]` makes; their names are method and path.
    pub fn unlisted(&self) -> impl Iterator<Item = RuleRef> {
        self.unlisted.grants.iter().map(|grant| grant.rule)
    }

    /// Whether it matters who calls.
    pub fn asks_callers(&self) -> bool {
        self.socket.peer_uids.is_some()
    }

    /// A caller that `peers.uid` lets in, for judging calls of which the caller is not known.
    pub fn presumed_caller(&self) -> Caller {
        let allowed = self.socket.peer_uids.as_ref();
        Caller {
            uid: allowed.and_then(|uids| uids.first().copied()),
            ..Caller::default()
        }
    }

    /// An engine version inside of the policy's range, for judging calls without an engine.
    pub fn presumed_engine(&self) -> ApiVersion {
        self.api.presumed()
    }

    fn walk(&self, facts: &Facts<'_>, observer: &mut impl Observer) -> Decision {
        if let Some(reason) = self.outside(facts) {
            return Decision::deny(reason);
        }
        let call = facts.call;
        let Some(operation) = call.operation() else {
            return self.unlisted.judge(call, observer);
        };
        let mut unread = None;
        if let Some(visible) = &self.visible
            && self.index.knows(operation)
        {
            let narrowed = visible.narrow(call, facts.findings).map(drop);
            let connects = || visible.connects(operation, facts.payload, facts.findings);
            match narrowed.and_then(|()| connects()) {
                Ok(()) => {}
                // Nobody's body is read before the rules allow everything else.
                Err(Reason::BodyUnread) => unread = Some(Reason::BodyUnread),
                Err(reason) => return Decision::deny(reason),
            }
        }
        let asked = Asked {
            operation,
            subject: call.subject(),
            query: call.query(),
            payload: facts.payload,
            exec: facts.findings.exec,
            target: &facts.findings.target,
            connected: &facts.findings.connected,
            may_be_gate: facts.findings.may_be_gate,
            version: call.path().version().or(facts.engine),
        };
        let decision = self.index.judge(&self.rules, call, &asked, observer);
        decision.unless(unread)
    }

    /// What is asked of every call before any rule is.
    fn outside(&self, facts: &Facts<'_>) -> Option<Reason> {
        if let Some(uids) = &self.socket.peer_uids {
            // SECURITY: an unknown user is not root and not anybody else on the list.
            let known = facts.caller.uid.is_some_and(|uid| uids.contains(&uid));
            if !known {
                return Some(Reason::Peer);
            }
        }
        match self.api.fit(facts.call.path().version(), facts.engine) {
            Fit::Inside => None,
            Fit::Outside => Some(Reason::ApiOutside),
            Fit::Unknown => Some(Reason::ApiUnknown),
        }
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
