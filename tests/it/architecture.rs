//! Imports point downwards, pure code stays pure, files stay short, ready policies carry tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our modules each top-level module may use: another top-level module, or one file of it.
/// What is not here has not been thought about.
const MAY_USE: &[(&str, &[&str])] = &[
    ("docker", &[]),
    ("diag", &[]),
    ("wire", &[]),
    ("facts", &["docker"]),
    ("policy", &["facts", "docker", "diag"]),
    ("judge", &["policy", "facts", "docker"]),
    ("audit", &["docker", "facts", "policy"]),
    (
        "settings",
        &[
            "diag",
            "docker",
            "policy",
            "audit",
            "proxy::dial",
            "proxy::listen",
        ],
    ),
    // Its questions go through the one door to Docker.
    (
        "engine",
        &[
            "docker",
            "facts",
            "proxy::dial",
            "proxy::listen",
            "wire::socket",
        ],
    ),
    (
        "proxy",
        &[
            "wire", "judge", "policy", "facts", "docker", "audit", "engine", "settings",
        ],
    ),
    ("fleet", &["proxy", "policy", "diag", "settings"]),
    (
        "cli",
        &[
            "proxy", "fleet", "settings", "engine", "audit", "judge", "policy", "facts", "docker",
            "diag", "wire",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Single files that may use more: a policy's own tests walk the way that calls walk.
const MAY_ALSO_USE: &[(&str, &str)] = &[("policy/case.rs", "judge")];

/// Code that decides; it sees values only.
fn is_pure(file: &str) -> bool {
    const PURE: &[&str] = &["docker", "policy", "facts", "judge", "diag"];
    const PURE_FILES: &[&str] = &[
        "wire/head.rs",
        "wire/framing.rs",
        "wire/write.rs",
        "audit/redact.rs",
        "audit/render.rs",
    ];
    PURE.iter()
        .any(|module| file == format!("{module}.rs") || file.starts_with(&format!("{module}/")))
        || PURE_FILES.contains(&file)
}

/// What pure code must not even name.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "hyper_util",
    "tracing",
    "rustix",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "SystemTime::now",
    "Instant::now",
    "println!",
    "eprintln!",
];

/// The one door to Docker. The others knock at sockets of our own: the client of `demo` and `health`,
/// and the question whether anybody still listens at a path that is wanted.
const DIALLERS: &[&str] = &["proxy/dial.rs", "cli/client.rs", "proxy/listen.rs"];

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let module = top_module(&file);
        let allowed = MAY_USE
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("src/{file}: module `{module}` has no line in MAY_USE"))
            .1;
        for used in used_modules(&code) {
            let top = used.split("::").next().unwrap();
            let also = MAY_ALSO_USE.contains(&(file.as_str(), top));
            if top != module
                && !also
                && !allowed.contains(&top)
                && !allowed.contains(&used.as_str())
            {
                wrong.push(format!(
                    "src/{file} uses `{used}`, which `{module}` may not"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_code_has_no_input_output_or_clock() {
    let mut wrong = Vec::new();
    for (file, code) in sources().into_iter().filter(|(file, _)| is_pure(file)) {
        for banned in IMPURE {
            if code.lines().any(|line| mentions(line, banned)) {
                wrong.push(format!("src/{file} mentions `{banned}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_one_file_opens_connections_to_docker() {
    for (file, code) in sources() {
        let doors = [
            "UnixStream::connect",
            "TcpStream::connect",
            "net::connect",
            "net::connect_unix",
        ];
        let dials = code
            .lines()
            .any(|line| doors.iter().any(|door| mentions(line, door)));
        assert!(
            !dials || DIALLERS.contains(&file.as_str()),
            "src/{file} opens a connection; only {DIALLERS:?} may"
        );
    }
}

#[test]
fn files_are_short() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(file, code)| (file, code.lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .map(|(file, lines)| format!("src/{file}: {lines} lines without tests"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for (file, code) in sources() {
        assert!(
            code.starts_with("//! "),
            "src/{file} does not open with `//!`"
        );
    }
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    const BANNED: &[&str] = &[
        "utils", "util", "common", "helpers", "helper", "misc", "manager", "types", "mod",
    ];
    for (file, _) in sources() {
        let stem = Path::new(&file)
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert!(!BANNED.contains(&stem.as_str()), "src/{file}");
    }
}

#[test]
fn nobody_opens_the_door_to_unsafe() {
    for (file, code) in sources() {
        assert!(
            !code.lines().any(|line| mentions(line, "unsafe")),
            "src/{file} mentions unsafe"
        );
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

#[test]
fn every_ready_policy_says_who_it_is_for_and_carries_tests() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("policies")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        count += 1;
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.display();
        assert!(
            text.contains("\ndescription = ") || text.starts_with("description = "),
            "{shown}: no description"
        );
        let tests = text.matches("[[test]]").count();
        assert!(tests >= 2, "{shown}: {tests} tests");
        assert!(
            text.contains("expect") && text.contains("\"deny\""),
            "{shown}: no test that denies"
        );
        assert!(text.contains("\"allow\""), "{shown}: no test that allows");
    }
    assert!(count >= 3, "{count} ready policies");
}

// === reading the sources ===

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file below src, by its path there, without tests.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let mut files = Vec::new();
    walk(&src, &mut files);
    let mut found: Vec<(String, String)> = files
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(&src)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let code = without_tests(&fs::read_to_string(&path).unwrap());
            (name, code)
        })
        .collect();
    // Files that exist for tests alone: `#[cfg(test)] mod laws;`.
    let only_tests: Vec<String> = found
        .iter()
        .flat_map(|(name, code)| test_files(name, code))
        .collect();
    found.retain(|(name, _)| {
        !only_tests
            .iter()
            .any(|test| name.starts_with(test.as_str()))
    });
    found.sort();
    assert!(found.len() > 10, "src was not found");
    found
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The files that a file declares under `#[cfg(test)]`, by the beginning of their paths.
fn test_files(file: &str, code: &str) -> Vec<String> {
    let folder = match file {
        "lib.rs" | "main.rs" => String::new(),
        _ => format!("{}/", file.trim_end_matches(".rs")),
    };
    let declared = code.split("#[cfg(test)]\nmod ").skip(1);
    declared
        .filter_map(|rest| rest.split_once(';'))
        .map(|(name, _)| format!("{folder}{name}"))
        .collect()
}

/// Everything before the test module, which comes last in a file.
fn without_tests(code: &str) -> String {
    let end = code
        .find("\n#[cfg(test)]\nmod tests {")
        .map_or(code.len(), |at| at + 1);
    code[..end].to_owned()
}

fn top_module(file: &str) -> String {
    file.split(['/', '.']).next().unwrap().to_owned()
}

/// The modules that `crate::…` paths name, as `top` or `top::next`; groups are opened.
fn used_modules(code: &str) -> BTreeSet<String> {
    let code: Vec<&str> = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut used = BTreeSet::new();
    for (at, root) in code
        .match_indices("crate::")
        .chain(code.match_indices("quaygate::"))
    {
        for path in opened(&code[at + root.len()..]) {
            let next = path.split("::").nth(1).unwrap_or_default();
            let top = path.split("::").next().unwrap_or_default();
            // What begins with a capital is a type, and there is none at the root.
            if top.starts_with(char::is_lowercase) {
                let is_module = next.starts_with(char::is_lowercase);
                used.insert(if is_module {
                    format!("{top}::{next}")
                } else {
                    top.to_owned()
                });
            }
        }
    }
    used
}

/// The paths that a `use` path stands for: `a::{b, c::{d}}` is `a::b` and `a::c::d`.
fn opened(text: &str) -> Vec<String> {
    let plain: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':')
        .collect();
    let Some(group) = text[plain.len()..].strip_prefix('{') else {
        return vec![plain];
    };
    let mut paths = Vec::new();
    let (mut depth, mut start) = (1, 0);
    for (at, c) in group.char_indices() {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if depth == 0 || (depth == 1 && c == ',') {
            paths.extend(
                opened(group[start..at].trim())
                    .into_iter()
                    .map(|path| format!("{plain}{path}")),
            );
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    paths
}

/// The line names it as code, not inside a comment or a longer word.
fn mentions(line: &str, word: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && (word.ends_with('!') || !joins(after))
    })
}
