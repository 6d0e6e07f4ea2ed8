//! The answer for programs.

use serde::Serialize;

use super::{Answer, Near, Outcome, RuleAt};
use crate::docker::Operation;
use crate::fleet::Loaded;

/// The answer for programs.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: &'static str,
    policy: String,
    file: String,
    method: &'a str,
    path: &'a str,
    api: Option<String>,
    operation: Option<&'static str>,
    uid: Option<u32>,
    decision: &'static str,
    rule: Option<&'a RuleAt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depends: Option<&'static str>,
    reason: Option<&'static str>,
    status: Option<u16>,
    message: Option<String>,
    near: &'a [Near],
    hint: Option<&'a str>,
    /// What an allowed call is narrowed to.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    visible: &'a [String],
}

impl Answer {
    /// The answer for programs.
    pub(super) fn document(&self, loaded: &Loaded) -> Document<'_> {
        let mut document = Document {
            schema: "quaygate/explain/1",
            policy: loaded.policy.name().to_string(),
            file: loaded.source.name().to_owned(),
            method: &self.method,
            path: &self.path,
            api: self.written.map(|version| version.to_string()),
            operation: self.operation.map(Operation::name),
            uid: self.uid,
            decision: "deny",
            rule: None,
            depends: None,
            reason: None,
            status: None,
            message: None,
            near: &[],
            hint: None,
            visible: &[],
        };
        match &self.outcome {
            Outcome::Allowed(rule) => {
                document.decision = "allow";
                document.rule = Some(rule);
                document.visible = &self.shows;
            }
            Outcome::Depends { on, rule } => {
                document.decision = "depends";
                document.depends = Some(on.code());
                document.rule = rule.as_ref();
            }
            Outcome::Refused { denial, near } => {
                document.reason = Some(denial.reason.code());
                document.status = Some(if self.hides { 404 } else { 403 });
                document.message = Some(denial.message.clone());
                document.near = near;
                document.hint = denial.hint.as_deref();
            }
            Outcome::Unreadable(malformed) => {
                document.reason = Some(malformed.code());
                document.status = Some(malformed.status());
                document.message = Some(malformed.to_string());
            }
        }
        document
    }
}
