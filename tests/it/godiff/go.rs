//! Go's side: tests/go, built once and asked over its standard input.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use serde::{Deserialize, Deserializer};

/// A running helper.
pub(super) struct Go {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
    output: BufReader<ChildStdout>,
}

/// Every request that a Go server found in the bytes of a connection.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Reading {
    pub(super) requests: Vec<Request>,
    /// Empty when the server was content to the end, else what it answered.
    pub(super) end: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: Hex,
    /// Sorted by key; the values of a key in their order.
    pub(super) query: Pairs,
    /// The first value of each key, those of a form body before those of the query.
    pub(super) form: Pairs,
    pub(super) host: Hex,
    pub(super) headers: Pairs,
    pub(super) length: i64,
    pub(super) chunked: bool,
    pub(super) body: Hex,
    /// Why the body could not be read to its end.
    pub(super) broken: String,
}

/// The answer that Go's client found.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Pairs,
    pub(super) body: Hex,
    /// How many bytes it took.
    pub(super) taken: usize,
    /// Why it could not be read.
    pub(super) broken: String,
}

/// What Go decodes the body of a container's create to.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Create {
    /// It is no JSON.
    pub(super) broken: bool,
    /// A value is of another type than the field it stands in.
    pub(super) wrong: bool,
    /// Every value that is not zero, by its path.
    pub(super) own: Pairs,
    /// The same for fields of `HostConfig` at the top level.
    pub(super) top: Pairs,
}

/// Names or keys with values.
pub(super) type Pairs = Vec<(Hex, Hex)>;

/// Bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Hex(pub(super) Vec<u8>);

/// Starts the helper; `None` when Go is not installed.
pub(super) fn start() -> Option<Go> {
    // Once: a program cannot be written while another test runs it.
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(build).as_ref()?;
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the helper starts");
    Some(Go {
        input: child
            .stdin
            .take()
            .map(|pipe| BufWriter::with_capacity(1 << 20, pipe)),
        output: BufReader::with_capacity(1 << 20, child.stdout.take().unwrap()),
        child,
    })
}

fn build() -> Option<PathBuf> {
    Command::new("go").arg("version").output().ok()?;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let sources = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/go");
    let sources = ["main.go", "bodies.go"].map(|name| sources.join(name));
    let program = directory.join("godiff");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .args(&sources)
        .envs([
            ("GO111MODULE", "off"),
            ("GOFLAGS", ""),
            ("CGO_ENABLED", "0"),
        ])
        .env("GOCACHE", directory.join("gocache"))
        .output()
        .expect("go runs");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "go build: {said}");
    Some(program)
}

impl Go {
    /// What a server finds in the bytes of each of these connections.
    pub(super) fn requests(&mut self, inputs: &[Vec<u8>]) -> Vec<Reading> {
        let inputs: Vec<_> = inputs
            .iter()
            .map(|input| (b'Q', input.as_slice()))
            .collect();
        self.ask(&inputs)
    }

    /// What a client finds in the bytes of each of these answers; `true`: to a HEAD.
    pub(super) fn answers(&mut self, inputs: &[(bool, Vec<u8>)]) -> Vec<Answer> {
        let kind = |to_head| if to_head { b'H' } else { b'A' };
        let inputs: Vec<_> = inputs
            .iter()
            .map(|(to_head, input)| (kind(*to_head), input.as_slice()))
            .collect();
        self.ask(&inputs)
    }

    /// What dockerd 20.10 decodes each of these bodies to.
    pub(super) fn creates(&mut self, bodies: &[Vec<u8>]) -> Vec<Create> {
        let inputs: Vec<_> = bodies.iter().map(|body| (b'J', body.as_slice())).collect();
        self.ask(&inputs)
    }

    fn ask<T: for<'de> Deserialize<'de>>(&mut self, inputs: &[(u8, &[u8])]) -> Vec<T> {
        let Self { input, output, .. } = self;
        let input = input.as_mut().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                for (kind, bytes) in inputs {
                    let length = u32::try_from(bytes.len()).unwrap();
                    input.write_all(&[*kind]).unwrap();
                    input.write_all(&length.to_be_bytes()).unwrap();
                    input.write_all(bytes).unwrap();
                }
                input.flush().unwrap();
            });
            let mut line = String::new();
            let mut read = |_| {
                line.clear();
                output.read_line(&mut line).expect("a line of the helper");
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
            };
            inputs.iter().map(&mut read).collect()
        })
    }
}

impl Drop for Go {
    fn drop(&mut self) {
        self.input = None;
        let _status = self.child.wait();
    }
}

impl std::fmt::Debug for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16);
        let bytes: Result<Vec<u8>, _> = (0..digits.len()).step_by(2).map(byte).collect();
        bytes.map(Self).map_err(serde::de::Error::custom)
    }
}
