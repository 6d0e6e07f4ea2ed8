//! What undoes a condition: places where Docker acts on more than the value that was judged.
//!
//! A condition narrows a call by one of its values. Docker has a few ways to widen it again beside
//! that value; each is a row here, with its source, and each was found by playing an attack
//! catalogue against a reader that does what Docker does.

use crate::docker::Operation;

use super::condition::Asked;
use super::filters::Filters;

/// Whether other parts of the query can change what Docker takes for this key.
pub(super) fn may_be_overruled(operation: Operation, key: &str) -> bool {
    operation == Operation::ContainerList && key == "all"
}

/// What Docker takes for such a key instead of what is written for it.
///
/// A list of containers that asks for a number of them, or for a status, lists stopped ones too,
/// whatever `all` says (moby daemon/list.go, `foldFilter` and `includeContainerInList`).
pub(super) fn instead(asked: &Asked<'_>, filters: &Filters) -> Option<&'static str> {
    let limit = asked.query.first("limit").unwrap_or_default();
    let limited = !limit.is_empty() && !limit.parse::<i64>().is_ok_and(|limit| limit <= 0);
    let by_status = !filters.values("status").is_empty();
    (limited || by_status).then_some("true")
}

/// Whether a filter has a rival in the query: below API 1.41 `filter` is one more `reference` of an
/// image list, and references are joined by "or" (moby daemon/server/router/image/image_routes.go,
/// `getImagesJSON`).
pub(super) fn has_rival(asked: &Asked<'_>, filter: &str) -> bool {
    asked.operation == Operation::ImageList
        && filter == "reference"
        && asked.query.count("filter") > 0
}

/// Whether a value means more than itself: names, ids and states are regular expressions to Docker
/// (moby daemon/internal/filters/parse.go, `Args.Match`), so `ci-x|.*` begins like `ci-*` and
/// matches everything. `^` and `$` only narrow; `.` is in every other name.
pub(super) fn is_expression(filter: &str, value: &str) -> bool {
    matches!(filter, "name" | "id" | "status")
        && value.contains(['|', '*', '+', '?', '(', ')', '[', ']', '{', '}', '\\'])
}

/// Whether this label narrows a list whatever other labels stand beside it. In lists of the swarm
/// it does not beside another value for its key: one of the two counts, and which one is chance
/// (moby daemon/cluster/filters.go, `convertKVStringsToMap`).
pub(super) fn label_narrows(operation: Operation, label: &str, all: &[String]) -> bool {
    let of_swarm = matches!(
        operation,
        Operation::ServiceList
            | Operation::NodeList
            | Operation::TaskList
            | Operation::SecretList
            | Operation::ConfigList
    );
    let key = |label: &str| label.split('=').next().unwrap_or_default().to_owned();
    let rivals = || all.iter().filter(|other| key(other) == key(label)).count() > 1;
    !of_swarm || !rivals()
}

/// Whether a path inside of a container is the one that is opened: absolute, and without the
/// segments that Docker would clean away first (moby pkg/archive, `filepath.Clean` and its kin).
pub(super) fn is_clean_path(path: &str) -> bool {
    path == "/"
        || path.strip_prefix('/').is_some_and(|below| {
            below
                .split('/')
                .all(|segment| !matches!(segment, "" | "." | ".."))
        })
}

#[cfg(test)]
mod tests {
    use super::{is_clean_path, is_expression};

    #[test]
    fn only_paths_that_stay_as_they_are_are_clean() {
        for clean in ["/", "/data", "/data/a.b/..c", "/data/..."] {
            assert!(is_clean_path(clean), "{clean}");
        }
        for other in [
            "",
            ".",
            "data",
            "/data/",
            "//data",
            "/data/..",
            "/data/./x",
            "/a//b",
        ] {
            assert!(!is_clean_path(other), "{other}");
        }
    }

    #[test]
    fn a_name_is_no_expression_unless_it_could_match_more() {
        for name in ["ci-1", "^/ci-1$", "a.b_c-d"] {
            assert!(!is_expression("name", name), "{name}");
        }
        for expression in [
            "ci-x|.*", "ci-?", "ci-(a)", "ci-[ab]", r"ci-\w", "ci-{2}", "ci-+",
        ] {
            assert!(is_expression("name", expression), "{expression}");
        }
        assert!(
            !is_expression("label", "a|b"),
            "labels are compared as text"
        );
    }
}
