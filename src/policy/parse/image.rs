//! `image.reference` and `image.import`: which images are pulled, made and sent.
//!
//! What an image is called stands in the path or the query, and which key it is depends on the
//! operation; here it is one thing with one name. An archive of images carries its names inside, where
//! nobody looks, so neither key fits the loading of one.

use crate::docker::Operation;
use crate::policy::condition::{Condition, Subject, Want};
use crate::policy::image::ImagePattern;
use crate::policy::pattern::Pattern;
use crate::policy::rule::Grant;

use super::body::{fits_not, misfits};
use super::condition::pattern;
use super::document::{Kind, Problems, Table, Value};

/// Operations that name one image.
const NAMING: [Operation; 3] = [
    Operation::ImageCreate,
    Operation::ImageTag,
    Operation::ImagePush,
];

/// Takes `image` out of a rule.
pub(super) fn image(
    rule: &mut Table<'_>,
    grants: &[Grant],
    problems: &mut Problems<'_>,
) -> Vec<Condition> {
    let table = rule.take("image");
    let Some(table) = table.and_then(|value| value.table(problems)) else {
        return Vec::new();
    };
    let mut table = table.prefixed("image");
    let mut conditions = Vec::new();
    if let Some(value) = table.take("reference") {
        fits(&value, &NAMING, grants, problems);
        let wants = wants(&value, problems, |text| {
            ImagePattern::parse(text).map(Want::Image)
        });
        conditions.extend(condition(&value, Subject::Reference, wants, problems));
    }
    if let Some(value) = table.take("import") {
        fits(&value, &[Operation::ImageCreate], grants, problems);
        let wants = if matches!(value.kind(), Kind::Boolean(true)) {
            vec![Want::Text(Pattern::any())]
        } else {
            wants(&value, problems, |text| {
                Pattern::parse(text).map(Want::Text)
            })
        };
        conditions.extend(condition(&value, Subject::Import, wants, problems));
    }
    table.finish(&["reference", "import"], &[], problems);
    conditions
}

fn fits(
    value: &Value<'_>,
    operations: &[Operation],
    grants: &[Grant],
    problems: &mut Problems<'_>,
) {
    let misfits = misfits(grants, |operation| operations.contains(&operation));
    if misfits.is_empty() {
        return;
    }
    let diagnostic = fits_not(value, &misfits, "has no such image");
    let mut targets = misfits.iter().flat_map(|grant| &grant.targets);
    let loads = targets.any(|target| target.operation == Operation::ImageLoad);
    problems.report(if loads {
        diagnostic.note(
            "an archive names its images inside, where nobody looks: whoever may load one may \
             replace any tag",
        )
    } else {
        diagnostic
    });
}

/// One pattern or a list of them; none for `false` and `[]`, which mean "not named".
fn wants(
    value: &Value<'_>,
    problems: &mut Problems<'_>,
    read: impl Fn(&str) -> Result<Want, crate::policy::BadPattern>,
) -> Vec<Want> {
    if matches!(value.kind(), Kind::Boolean(false)) {
        return Vec::new();
    }
    let elements = value.one_or_list();
    let wants = elements.iter().filter_map(|element| {
        let text = element.text(problems)?;
        pattern(element, text, read(text), problems)
    });
    wants.collect()
}

fn condition(
    value: &Value<'_>,
    subject: Subject,
    wants: Vec<Want>,
    problems: &Problems<'_>,
) -> Option<Condition> {
    if wants.is_empty() {
        return None;
    }
    Some(Condition {
        subject,
        wants,
        text: value.written(problems.source),
        span: value.key_span.clone(),
    })
}
