//! What can be wrong with the policies of a process as a whole, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::diag::suggest;
use crate::diag::{Diagnostic, Source};
use crate::policy::builtin;
use crate::proxy::listen::{errno, kernel_words};

/// Something that keeps the policies from being served.
#[derive(Debug)]
pub enum Problem {
    /// No built-in policy has this name; perhaps a file has.
    NoBuiltIn {
        /// The word.
        word: String,
        /// A file it might mean.
        path: Option<PathBuf>,
    },
    /// A word that names a built-in policy and a file.
    Ambiguous {
        /// The word.
        word: String,
        /// The file it might mean.
        path: PathBuf,
    },
    /// A file or directory that cannot be read.
    Unreadable {
        /// As written.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A directory without policies.
    EmptyDirectory {
        /// As written.
        path: PathBuf,
    },
    /// A file that is no policy by its size.
    TooLarge {
        /// As written.
        path: PathBuf,
    },
    /// A file that is not UTF-8.
    NotText {
        /// As written.
        path: PathBuf,
        /// The first byte that is not.
        offset: usize,
    },
    /// A file whose stem cannot be a policy's name.
    BadName {
        /// As written.
        path: PathBuf,
    },
    /// A file that does not load.
    Faulty {
        /// Its text.
        source: Source,
        /// Everything that was found, not only the errors.
        diagnostics: Vec<Diagnostic>,
    },
    /// Two policies of one name.
    SameName {
        /// The name.
        name: String,
        /// Where it was read first.
        first: String,
        /// Where it was read again.
        second: String,
    },
    /// Two policies that want one socket.
    SameSocket {
        /// The socket.
        path: PathBuf,
        /// The first policy.
        first: String,
        /// The second policy.
        second: String,
    },
    /// `--listen` with more than one policy.
    ListenWithMany {
        /// The path given.
        path: PathBuf,
        /// How many policies there are.
        policies: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBuiltIn { .. }
            | Self::Ambiguous { .. }
            | Self::Unreadable { .. }
            | Self::EmptyDirectory { .. }
            | Self::TooLarge { .. }
            | Self::NotText { .. }
            | Self::BadName { .. } => self.about_one_word(f),
            Self::Faulty {
                source,
                diagnostics,
            } => {
                let errors = diagnostics.iter().filter(|d| d.is_error()).count();
                let s = if errors == 1 { "" } else { "s" };
                write!(f, "`{}` has {errors} error{s}", source.name())
            }
            Self::SameName {
                name,
                first,
                second,
            } => write!(
                f,
                "two policies are named `{name}`: {first} and {second}; rename one file, its stem is the policy's name"
            ),
            Self::SameSocket {
                path,
                first,
                second,
            } => write!(
                f,
                "`{first}` and `{second}` both want the socket {}: each policy needs a socket, and a directory, of its own",
                path.display()
            ),
            Self::ListenWithMany { path, policies } => write!(
                f,
                "--listen {} names one socket, but there are {policies} policies: use --runtime-dir, which gives each a socket of its own",
                path.display()
            ),
        }
    }
}

impl Problem {
    /// What keeps a word, or a file, from becoming a policy's text.
    fn about_one_word(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBuiltIn { word, path } => no_built_in(f, word, path.as_deref()),
            Self::Ambiguous { word, path } => write!(
                f,
                "`{word}` is a built-in policy, and `{0}` is here too: write `{0}` for the file; for the built-in one, rename the file or start elsewhere",
                path.display()
            ),
            Self::Unreadable { path, cause } => unreadable(f, path, cause),
            Self::EmptyDirectory { path } => write!(
                f,
                "`{}` holds no policy: policies are the files `*.toml` directly inside",
                path.display()
            ),
            Self::TooLarge { path } => {
                write!(
                    f,
                    "`{}` is larger than 1 MiB: it is no policy",
                    path.display()
                )
            }
            Self::NotText { path, offset } => {
                write!(
                    f,
                    "`{}` is not UTF-8 text: look at byte {offset}",
                    path.display()
                )
            }
            Self::BadName { path } => write!(
                f,
                "`{}` cannot give a policy its name: rename the file to lower-case letters, digits, `_`, `.` and `-`, at most 64 and starting with a letter or digit",
                path.display()
            ),
            Self::Faulty { .. }
            | Self::SameName { .. }
            | Self::SameSocket { .. }
            | Self::ListenWithMany { .. } => Ok(()),
        }
    }
}

fn unreadable(f: &mut fmt::Formatter<'_>, path: &Path, cause: &io::Error) -> fmt::Result {
    let todo = match errno(cause) {
        Errno::NOENT => "; is it mounted, and is the path right?",
        Errno::ACCESS => "; make it readable for this user",
        _ => "",
    };
    write!(
        f,
        "cannot read `{}`: {}{todo}",
        path.display(),
        kernel_words(cause)
    )
}

fn no_built_in(f: &mut fmt::Formatter<'_>, word: &str, path: Option<&Path>) -> fmt::Result {
    write!(f, "there is no built-in policy `{word}`")?;
    if let Some(path) = path {
        return write!(f, "; for the file, write `{}`", path.display());
    }
    if let Some(near) = suggest::nearest(word, builtin::names()) {
        return write!(f, "; did you mean `{near}`?");
    }
    write!(f, "; there are ")?;
    for (index, name) in builtin::names().enumerate() {
        write!(f, "{}`{name}`", if index == 0 { "" } else { ", " })?;
    }
    write!(f, ", and a path has a `/` or ends in `.toml`")
}
