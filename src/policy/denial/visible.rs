//! What is refused because of `[visible]`, in words.

use std::fmt::Write as _;

use crate::diag::escape;
use crate::docker::operation::ObjectKind;
use crate::facts::Facts;
use crate::policy::Policy;
use crate::policy::decision::Reason;
use crate::policy::visible::{self, MOST_OWN};

/// What Docker itself says where it has no such object.
pub(super) fn no_such(policy: &Policy, facts: &Facts<'_>) -> String {
    let of_path = |visible: &visible::Visible| visible.narrow(facts.call, facts.findings).is_err();
    let words = if policy.visible.as_ref().is_none_or(of_path) {
        let kind = facts.call.operation().and_then(visible::kind);
        kind.map(|kind| visible::no_such(kind, &visible::name(facts.call)))
    } else {
        let body = facts.payload.body();
        let name = body.and_then(|body| body.profile.container.as_deref());
        name.map(|name| visible::no_such(ObjectKind::Container, name))
    };
    let words = words.unwrap_or_else(|| "no such object".to_owned());
    escape(&words).into_owned()
}

/// Whether it is `[visible]` that refuses, and no rule.
pub(super) fn refuses(policy: &Policy, facts: &Facts<'_>, reason: Reason) -> bool {
    let Some((visible, operation)) = policy.visible.as_ref().zip(facts.call.operation()) else {
        return false;
    };
    let narrowed = visible.narrow(facts.call, facts.findings).map(drop);
    let connects = || visible.connects(operation, facts.payload, facts.findings);
    policy.index.knows(operation) && narrowed.and_then(|()| connects()) == Err(reason)
}

/// Why.
pub(super) fn push(message: &mut String, reason: Reason) {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not of `[visible]` alone has its own words"
    )]
    match reason {
        Reason::VisibleFilter => message.push_str(
            "one of its filters does not go together with what `[visible]` shows: leave out `before` \
             and `since`, write ids in hexadecimal digits, and give no other value to its labels",
        ),
        Reason::VisibleOwn => message.push_str(
            "`[visible] own` shows what was created through this socket, and Docker cannot be asked \
             for these objects by that",
        ),
        Reason::VisibleMany => {
            // Writing to a String cannot fail.
            let _infallible = write!(
                message,
                "more than {MOST_OWN} objects were created through this socket and are there still, and a \
                 list cannot be narrowed to so many: remove some, or show by `label` instead of `own`"
            );
        }
        Reason::QueryRepeated => {
            message.push_str("a query key that `[visible]` narrows is written more than once");
        }
        Reason::FilterMalformed => message.push_str(
            "its filters cannot be read in exactly one way, so `[visible]` cannot narrow them",
        ),
        other => message.push_str(other.meaning()),
    }
}

/// What its author can do.
pub(super) fn hint(reason: Reason) -> Option<String> {
    let narrow = "[visible]\nlabel = \"KEY=VALUE\"";
    (reason == Reason::VisibleOwn).then(|| narrow.to_owned())
}
