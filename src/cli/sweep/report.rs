//! What `sweep` says, for people and for programs.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::text::{Piece, Style, Text, count, piece, plain};
use crate::engine::leftover::{Kind, Leftover};

/// Everything there is to say.
pub(super) struct Report {
    pub(super) policy: String,
    /// Whether the policy's gate remembers what is created.
    pub(super) keeps_own: bool,
    /// Where it does.
    pub(super) file: PathBuf,
    /// How many objects the file names; `None` if there is no file.
    pub(super) remembered: Option<usize>,
    pub(super) dry_run: bool,
    /// What was still there.
    pub(super) swept: Vec<Swept>,
}

/// An object, and why it could not be removed, if it could not.
pub(super) struct Swept {
    pub(super) left: Leftover,
    pub(super) problem: Option<String>,
}

impl From<Leftover> for Swept {
    fn from(left: Leftover) -> Self {
        Self {
            left,
            problem: None,
        }
    }
}

impl Report {
    /// How many objects could not be removed.
    pub(super) fn failed(&self) -> usize {
        self.problems().count()
    }

    fn problems(&self) -> impl Iterator<Item = (&Leftover, &str)> {
        let swept = self.swept.iter();
        swept.filter_map(|swept| Some((&swept.left, swept.problem.as_deref()?)))
    }

    /// What is about to go, or why nothing is.
    pub(super) fn opening(&self) -> Text {
        let mut text = Text::new();
        if self.swept.is_empty() {
            let (why, advice) = self.nothing();
            text.say(format_args!("nothing to sweep: {why}"));
            for line in advice {
                text.say(format_args!("  {line}"));
            }
            return text;
        }
        text.say(format_args!(
            "created through the socket of `{}`, still there, and {}:",
            self.policy,
            if self.dry_run {
                "to be removed without --dry-run"
            } else {
                "about to be removed"
            }
        ));
        text.gap();
        text.table(2, self.swept.iter().map(|swept| row(&swept.left)).collect());
        text.gap();
        text
    }

    /// How it went.
    pub(super) fn closing(&self) -> Text {
        let mut text = Text::new();
        if self.swept.is_empty() {
            return text;
        }
        for (left, problem) in self.problems() {
            text.line([
                piece(Style::Bad, "failed"),
                plain(format_args!(
                    ": {} {} ({}) is still there: {problem}",
                    word(left.kind),
                    left.name,
                    short(left)
                )),
            ]);
        }
        let (all, failed) = (self.swept.len(), self.failed());
        if self.dry_run {
            text.say(format_args!(
                "{} would go; nothing was removed",
                self.sum(|_| true)
            ));
        } else if failed == all {
            text.say("nothing was removed");
        } else {
            let gone = self.sum(|swept| swept.problem.is_none());
            text.line([
                piece(Style::Good, "removed"),
                plain(format_args!(" {gone}")),
            ]);
        }
        text
    }

    /// `2 containers, 1 network` of those that are meant.
    fn sum(&self, meant: impl Fn(&Swept) -> bool) -> String {
        let kinds = [Kind::Container, Kind::Network, Kind::Volume];
        let counted = kinds.map(|kind| {
            let swept = self.swept.iter();
            let number = swept
                .filter(|one| one.left.kind == kind && meant(one))
                .count();
            (number, kind)
        });
        let some = counted.iter().filter(|(number, _)| *number > 0);
        let words: Vec<String> = some.map(|(n, kind)| count(*n, word(*kind))).collect();
        words.join(", ")
    }

    /// Why there is nothing to do, and what to do about it.
    fn nothing(&self) -> (String, Vec<String>) {
        let (policy, file) = (&self.policy, self.file.display());
        match self.remembered {
            Some(0) => (format!("{file} remembers nothing"), Vec::new()),
            Some(number) => (
                format!(
                    "of {} created through the socket of `{policy}` none is left",
                    count(number, "object")
                ),
                Vec::new(),
            ),
            None if self.keeps_own => (
                format!("no gate has remembered anything for `{policy}` in {file}"),
                vec![
                    "if yours was started with --state-dir, say the same here; if it runs in a container, sweep in there".to_owned(),
                ],
            ),
            None => (
                format!("no rule of `{policy}` says `target.own`, so its gate does not remember what is created"),
                vec![
                    "write `target.own = true` into a rule, for example into the one that removes containers: from the gate's".to_owned(),
                    "next start on it remembers; what was created before is nobody's".to_owned(),
                ],
            ),
        }
    }

    /// The answer for programs.
    pub(super) fn document(&self) -> Document<'_> {
        let failed = self.failed();
        Document {
            schema: "quaygate/sweep/1",
            policy: &self.policy,
            keeps_own: self.keeps_own,
            file: self.file.display().to_string(),
            remembered: self.remembered,
            dry_run: self.dry_run,
            removed: if self.dry_run {
                0
            } else {
                self.swept.len() - failed
            },
            failed,
            nothing: self.swept.is_empty().then(|| self.nothing().0),
            objects: self.swept.iter().map(|swept| self.object(swept)).collect(),
        }
    }

    fn object<'r>(&self, swept: &'r Swept) -> ObjectDocument<'r> {
        let left = &swept.left;
        ObjectDocument {
            kind: word(left.kind),
            id: &left.id,
            name: &left.name,
            image: (left.kind == Kind::Container).then_some(&left.made_of),
            state: (left.kind == Kind::Container).then_some(&left.state),
            removed: !self.dry_run && swept.problem.is_none(),
            problem: swept.problem.as_deref(),
        }
    }
}

fn row(left: &Leftover) -> Vec<Piece> {
    vec![
        plain(word(left.kind)),
        piece(Style::Dim, short(left)),
        piece(Style::Strong, &left.name),
        plain(&left.made_of),
        plain(&left.status),
    ]
}

/// As people see ids; a volume has none.
fn short(left: &Leftover) -> &str {
    match left.kind {
        Kind::Volume => "-",
        Kind::Container | Kind::Network => left.id.get(..12).unwrap_or(&left.id),
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Container => "container",
        Kind::Network => "network",
        Kind::Volume => "volume",
    }
}

#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: &'static str,
    policy: &'a str,
    keeps_own: bool,
    file: String,
    remembered: Option<usize>,
    dry_run: bool,
    removed: usize,
    failed: usize,
    nothing: Option<String>,
    objects: Vec<ObjectDocument<'a>>,
}

#[derive(Serialize)]
struct ObjectDocument<'a> {
    kind: &'static str,
    id: &'a str,
    name: &'a str,
    image: Option<&'a String>,
    state: Option<&'a String>,
    removed: bool,
    problem: Option<&'a str>,
}
