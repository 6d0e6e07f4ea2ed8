//! The file that it survives in: what was made, and what is gone since, a line each.
//!
//! Lines are only added, so that a machine that goes down in the middle costs one of them at most; once
//! most of them say nothing any more, the file is written anew beside itself and takes its own place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What stands before what is gone.
const GONE: &str = "gone ";

/// How many lines there are at least before the file is written anew.
const FEW: usize = 1024;

/// An open one.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
    /// The last line may have no end.
    torn: bool,
}

/// The lines of a file, in their order: whether it is gone, and what.
pub(super) fn read(path: &Path) -> io::Result<Vec<(bool, String)>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let lines = text.lines().map(|line| match line.strip_prefix(GONE) {
        Some(what) => (true, what.to_owned()),
        None => (false, line.to_owned()),
    });
    Ok(lines.collect())
}

impl Journal {
    /// One that says this, whatever it said before.
    pub(super) fn begin(path: PathBuf, made: &[String]) -> io::Result<Self> {
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&fresh)?;
        let text: String = made.iter().flat_map(|what| [what, "\n"]).collect();
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&fresh, &path)?;
        Ok(Self {
            path,
            file,
            lines: made.len(),
            torn: false,
        })
    }

    /// Writes down what was made.
    pub(super) fn made(&mut self, what: &str) {
        self.add(&format!("{what}\n"), 1);
    }

    /// Writes down what is gone.
    pub(super) fn gone(&mut self, what: &[String]) {
        let lines = what.iter().map(|what| format!("{GONE}{what}\n"));
        self.add(&lines.collect::<String>(), what.len());
    }

    /// Whether it is worth to write it anew when there is so much to say.
    pub(super) fn is_long(&self, made: usize) -> bool {
        self.lines > FEW + 2 * made
    }

    /// Writes it anew. If that fails, the old one goes on.
    pub(super) fn renew(&mut self, made: &[String]) {
        match Self::begin(self.path.clone(), made) {
            Ok(renewed) => *self = renewed,
            Err(error) => {
                // Not again at every line.
                self.lines = 0;
                tracing::error!(
                    path = %self.path.display(), %error,
                    "what was created through a socket cannot be written down anew: the file goes on growing"
                );
            }
        }
    }

    fn add(&mut self, lines: &str, count: usize) {
        let torn = if self.torn { "\n" } else { "" };
        let written = self.file.write_all(format!("{torn}{lines}").as_bytes());
        self.torn = written.is_err();
        self.lines += count;
        if let Err(error) = written {
            tracing::error!(
                path = %self.path.display(), %error,
                "what was created cannot be written down: after a restart it is not `own` any more"
            );
        }
    }
}
