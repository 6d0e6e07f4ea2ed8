//! Labels that a rule goes by, and that its own clients may give.

use crate::diag::{Diagnostic, escape};
use crate::docker::Operation;
use crate::docker::operation::ObjectKind;
use crate::policy::Policy;
use crate::policy::power::Says;
use crate::policy::rule::Rule;
use crate::policy::target;

/// What creates objects of a kind.
const CREATES: [(ObjectKind, Operation); 5] = [
    (ObjectKind::Container, Operation::ContainerCreate),
    (ObjectKind::Exec, Operation::ContainerCreate),
    (ObjectKind::Network, Operation::NetworkCreate),
    (ObjectKind::Volume, Operation::VolumeCreate),
    (ObjectKind::Service, Operation::ServiceCreate),
];

/// A remark for each rule that goes by labels which a create may choose freely.
pub(super) fn free(policy: &Policy) -> impl Iterator<Item = Diagnostic> {
    policy.rules.iter().filter_map(move |rule| {
        let by_label =
            |says: &target::Says| matches!(says, target::Says::Label(_) | target::Says::Project(_));
        let clause = rule.target.iter().find(|clause| by_label(&clause.says))?;
        let kinds = rule.targets().filter_map(|(_, t)| t.operation.object());
        let creates: Vec<Operation> = kinds
            .filter_map(|kind| CREATES.iter().find(|(of, _)| *of == kind))
            .map(|(_, create)| *create)
            .collect();
        let (grant, create) = policy
            .rules
            .iter()
            .filter(|rule| !narrows_labels(rule))
            .flat_map(Rule::targets)
            .find(|(_, target)| creates.contains(&target.operation))?;
        let message = format!(
            "whoever uses this policy decides itself which objects rule `{}` is about",
            escape(&rule.name)
        );
        Some(
            Diagnostic::remark("free-labels", message)
                .at(clause.span.clone(), "it goes by a label")
                .at(grant.span.clone(), "and this gives any label")
                .help(format!(
                    "narrow the labels of {} (`labels = […]` in its table), or go by `target.own`",
                    create.operation.name()
                )),
        )
    })
}

fn narrows_labels(rule: &Rule) -> bool {
    let mut clauses = rule.body().clauses.iter();
    clauses.any(|clause| matches!(clause.says, Says::Labels(_)))
}
