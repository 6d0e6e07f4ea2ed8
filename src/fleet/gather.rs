//! From words to texts: what is read from disk, and what is built in.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::diag::{Beside, Source};
use crate::policy::{Policy, builtin};
use crate::proxy::listen::kernel_words;

use super::Problem;

/// More than any policy that a person reads; a log file given by mistake stops here.
const LARGEST_POLICY: u64 = 1024 * 1024;

/// A policy's name and text, not yet read as a policy.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The file's stem, or the built-in's name.
    pub name: String,
    /// The text.
    pub source: Source,
}

/// Finds the text behind every word. Words are independent: what can be found is found.
pub fn gather(words: &[String], directory: &Path) -> (Vec<Draft>, Vec<Problem>) {
    let mut drafts = Vec::new();
    let mut problems = Vec::new();
    for word in words {
        for found in find(word, directory) {
            match found {
                Ok(draft) => drafts.push(draft),
                Err(problem) => problems.push(problem),
            }
        }
    }
    (drafts, problems)
}

/// Whether a word is meant as a path.
fn is_path(word: &str) -> bool {
    word.contains('/') || word.strip_suffix(".toml").is_some()
}

fn find(word: &str, directory: &Path) -> Vec<Result<Draft, Problem>> {
    if is_path(word) {
        return find_path(Path::new(word), directory);
    }
    let twins = twins(word, directory);
    vec![match (builtin::builtin(word), twins.into_iter().next()) {
        (Some(source), None) => Ok(Draft {
            name: word.to_owned(),
            source,
        }),
        (Some(_), Some(path)) => Err(Problem::Ambiguous {
            word: word.to_owned(),
            path,
        }),
        (None, path) => Err(Problem::NoBuiltIn {
            word: word.to_owned(),
            path,
        }),
    }]
}

/// Files that a plain word might have meant, spelled so that they mean it.
fn twins(word: &str, directory: &Path) -> Vec<PathBuf> {
    if word.is_empty() {
        return Vec::new();
    }
    let file = PathBuf::from(format!("./{word}.toml"));
    let plain = PathBuf::from(format!("./{word}"));
    let holds_policies = |path: &Path| policies_in(path).is_ok_and(|found| !found.is_empty());
    let mut twins = Vec::new();
    if directory.join(&file).is_file() {
        twins.push(file);
    }
    if directory.join(&plain).is_file() || holds_policies(&directory.join(&plain)) {
        twins.push(plain);
    }
    twins
}

fn find_path(path: &Path, directory: &Path) -> Vec<Result<Draft, Problem>> {
    let place = directory.join(path);
    if !place.is_dir() {
        return vec![read(path, &place)];
    }
    match policies_in(&place) {
        Ok(names) if names.is_empty() => {
            vec![Err(Problem::EmptyDirectory {
                path: path.to_owned(),
            })]
        }
        Ok(names) => names
            .iter()
            .map(|n| read(&path.join(n), &place.join(n)))
            .collect(),
        Err(cause) => vec![Err(Problem::Unreadable {
            path: path.to_owned(),
            cause,
        })],
    }
}

/// The names of `*.toml` directly inside, in order. Hidden ones are editors' and Kubernetes' own.
fn policies_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = PathBuf::from(entry?.file_name());
        let hidden = name.as_os_str().as_encoded_bytes().starts_with(b".");
        if !hidden
            && name
                .extension()
                .is_some_and(|extension| extension == "toml")
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads `place`, which is shown as `path`.
fn read(path: &Path, place: &Path) -> Result<Draft, Problem> {
    let name = name_of(path)?;
    let unreadable = |cause| Problem::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let mut bytes = Vec::new();
    File::open(place)
        .and_then(|file| file.take(LARGEST_POLICY + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST_POLICY {
        return Err(Problem::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = String::from_utf8(bytes).map_err(|error| Problem::NotText {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    let source = Source::new(&path.to_string_lossy(), &text);
    let files = Policy::files(&source);
    let beside = files.into_iter().map(|name| Beside {
        content: beside(&place.with_file_name(&name)),
        name,
    });
    let beside = beside.collect();
    Ok(Draft {
        name,
        source: source.with(beside),
    })
}

/// Reads a file that a policy names. Whatever is wrong with it is said where it is named.
fn beside(place: &Path) -> Result<Vec<u8>, String> {
    let said = |error: io::Error| kernel_words(&error);
    if !std::fs::metadata(place).map_err(said)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(place)
        .and_then(|file| file.take(LARGEST_POLICY + 1).read_to_end(&mut bytes))
        .map_err(said)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST_POLICY {
        return Err("it is larger than 1 MiB".to_owned());
    }
    Ok(bytes)
}

/// A policy's name is its file's stem. It names a directory and appears in every log line, hence
/// the narrow alphabet.
fn name_of(path: &Path) -> Result<String, Problem> {
    let bad = || Problem::BadName {
        path: path.to_owned(),
    };
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or_else(bad)?;
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let further = |c: char| first(c) || matches!(c, '_' | '.' | '-');
    if stem.starts_with(first) && stem.chars().all(further) && stem.len() <= 64 {
        return Ok(stem.to_owned());
    }
    Err(bad())
}
