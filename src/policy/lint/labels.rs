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
        let first = |clauses: &'_ [target::Clause]| {
            let mut clauses = clauses.iter();
            clauses
                .find(|clause| by_label(&clause.says))
                .map(|clause| clause.span.clone())
        };
        let (span, kinds): (_, Vec<ObjectKind>) = match first(&rule.target) {
            Some(span) => (
                span,
                rule.targets()
                    .filter_map(|(_, t)| t.operation.object())
                    .collect(),
            ),
            None => (first(&rule.body().connected)?, vec![ObjectKind::Container]),
        };
        let creates: Vec<Operation> = kinds
            .iter()
            .filter_map(|kind| CREATES.iter().find(|(of, _)| of == kind))
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
                .at(span, "it goes by a label")
                .at(grant.span.clone(), "and this gives any label")
                .help(format!(
                    "narrow the labels of {} (`labels = […]` in its table), or go by `own = true`",
                    create.operation.name()
                )),
        )
    })
}

fn narrows_labels(rule: &Rule) -> bool {
    let mut clauses = rule.body().clauses.iter();
    clauses.any(|clause| matches!(clause.says, Says::Labels(_)))
}
