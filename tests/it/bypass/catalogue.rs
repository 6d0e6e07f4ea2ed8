//! The attack catalogue: data in `tests/bypass/*.toml`, one file per class, read into cases.
//!
//! tests/bypass/README.md says how a case is written. Every character of a text is one byte of the
//! wire (U+0000 to U+00FF), so that bytes that are not UTF-8 can be written down.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::generate;

/// One attack, or the twin that shows that only the attack is refused.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) class: String,
    pub(crate) id: String,
    pub(crate) policy: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) script: Vec<Vec<Act>>,
    pub(crate) expect: Expect,
    pub(crate) why: String,
    pub(crate) source: String,
    /// Made from a row with `each`.
    pub(crate) generated: bool,
    /// Waits for a deadline of the gate.
    pub(crate) slow: bool,
}

/// What the client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Times(usize, Vec<u8>),
    /// Says that nothing more will come.
    HalfClose,
    /// Reads an answer, which must have this status.
    Answer(u16),
    /// Reads a 1xx.
    Interim(u16),
    /// Reads exactly this.
    Read(Vec<u8>),
    /// The gate has closed.
    Closed,
    /// Goes on with this connection, opening it if need be.
    On(usize),
    /// Goes on with a new connection to the socket of another policy.
    At(String),
    /// Waits until the engine has heard this many requests.
    Heard(usize),
    /// Waits until the engine has no connection any more.
    HungUp,
    /// Opens so many connections, says this on each, and keeps them.
    Flood(usize, Vec<u8>),
    /// The gate holds less than so many MiB.
    Memory(u64),
    /// Drops a connection at once, unread bytes and all.
    Gone(usize),
}

/// What the engine does instead of its own answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Send(Vec<u8>),
    Times(usize, Vec<u8>),
    /// Answers before it has read the body.
    Early,
    Close,
    /// Waits for the gate's end.
    Hold,
}

/// What must come of it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent expectations, read by name"
)]
#[derive(Clone, Debug, Default)]
pub(crate) struct Expect {
    /// Statuses of the answers that no step has read, each with its alternatives; `None`: anything.
    pub(crate) answers: Option<Vec<Vec<u16>>>,
    pub(crate) then: Then,
    /// The last answer breaks off.
    pub(crate) cut: bool,
    /// The answers are answers to HEAD.
    pub(crate) to_head: bool,
    /// A part of the last answer's body.
    pub(crate) says: Option<String>,
    /// What the engine hears, in order.
    pub(crate) engine: Vec<String>,
    /// The engine may hear any of `engine`, any number of times.
    pub(crate) within: bool,
    /// The bodies that the engine hears.
    pub(crate) bodies: Option<Vec<Vec<u8>>>,
    /// What the engine hears through the tunnel.
    pub(crate) tunnel: Option<Vec<u8>>,
    /// Nothing is expected but what is asked of every case.
    pub(crate) anything: bool,
    /// No header of this name reaches the engine.
    pub(crate) lacks: Vec<String>,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Then {
    #[default]
    Whatever,
    Open,
    Closed,
}

/// The folder of the catalogue.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bypass")
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let class = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let document = DeTable::parse(&text).unwrap_or_else(|error| panic!("{class}: {error}"));
        let mut reader = Reader {
            class: &class,
            cases: &mut cases,
        };
        reader.read(document.get_ref());
    }
    let mut ids = HashSet::new();
    for case in &cases {
        assert!(ids.insert(&case.id), "two cases are called {}", case.id);
        assert!(
            !case.why.is_empty() && !case.source.is_empty(),
            "{}: why? says who?",
            case.id
        );
    }
    cases
}

struct Reader<'c> {
    class: &'c str,
    cases: &'c mut Vec<Case>,
}

impl Reader<'_> {
    fn read(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            for row in tables(value.get_ref()) {
                match name.get_ref().as_ref() {
                    "case" => self.case(row),
                    "group" => self.group(row),
                    other => panic!("{}: what is {other}?", self.class),
                }
            }
        }
    }

    /// `[[case]]`, once or once for each value of `each`.
    fn case(&mut self, row: &DeTable<'_>) {
        let draft = Draft::read(row);
        let Some(each) = get(row, "each") else {
            return self.cases.push(draft.finish(self.class));
        };
        let each = tables(each).next().unwrap();
        let (name, values) = each.iter().next().unwrap();
        let mark = format!("{{{}}}", name.get_ref());
        for (label, value) in generate::values(values.get_ref()) {
            let mut case = draft.clone().replacing(&mark, &value).finish(self.class);
            case.id = format!("{}[{}]", case.id, label.escape_default());
            case.generated = true;
            self.cases.push(case);
        }
    }

    /// `[[group]]`: many cases that differ in one text.
    fn group(&mut self, row: &DeTable<'_>) {
        let draft = Draft::read(row);
        let vary = text(row, "vary").unwrap_or_else(|| "request".into());
        for entry in array(get(row, "cases").unwrap_or_else(|| panic!("{}: no cases", self.class)))
        {
            let entry: Vec<_> = array(entry).map(string).collect();
            let [id, varied, rest @ ..] = &entry[..] else {
                panic!("{entry:?}")
            };
            let mut draft = draft.clone();
            draft.id.clone_from(id);
            draft.vary(&vary, varied);
            if !rest.is_empty() {
                draft.expect.engine = rest.to_vec();
            }
            self.cases.push(draft.finish(self.class));
        }
    }
}

/// A case as it is written, before its request is put together.
#[derive(Clone, Debug, Default)]
struct Draft {
    id: String,
    policy: String,
    request: Option<String>,
    headers: Vec<String>,
    body: Option<String>,
    raw_body: String,
    steps: Vec<Step>,
    script: Vec<Vec<Act>>,
    expect: Expect,
    why: String,
    source: String,
    slow: bool,
}

const KEYS: [&str; 25] = [
    "id", "policy", "request", "headers", "body", "raw_body", "send", "script", "expect", "then",
    "ended", "to_head", "says", "engine", "within", "bodies", "tunnel", "lacks", "why", "source",
    "slow", "each", "vary", "cases", "twin",
];

impl Draft {
    fn read(row: &DeTable<'_>) -> Self {
        for (key, _) in row {
            assert!(
                KEYS.contains(&key.get_ref().as_ref()),
                "what is {}?",
                key.get_ref()
            );
        }
        let strings = |key| get(row, key).map(|value| array(value).map(string).collect::<Vec<_>>());
        let yes = |key| get(row, key).is_some_and(|value| matches!(value, DeValue::Boolean(true)));
        let expect = Expect {
            answers: get(row, "expect").and_then(answers),
            then: match text(row, "then").as_deref() {
                Some("open") => Then::Open,
                Some("closed") => Then::Closed,
                Some("whatever") | None => Then::Whatever,
                Some(other) => panic!("then {other}?"),
            },
            cut: text(row, "ended").is_some_and(|ended| ended == "cut"),
            to_head: yes("to_head"),
            says: text(row, "says"),
            engine: strings("engine").unwrap_or_default(),
            within: yes("within"),
            bodies: strings("bodies").map(|all| all.iter().map(|text| bytes(text)).collect()),
            tunnel: text(row, "tunnel").map(|text| bytes(&text)),
            anything: false,
            lacks: strings("lacks").unwrap_or_default(),
        };
        Self {
            id: text(row, "id").unwrap_or_default(),
            policy: text(row, "policy").unwrap_or_else(|| "reader".into()),
            request: text(row, "request"),
            headers: strings("headers").unwrap_or_default(),
            body: text(row, "body"),
            raw_body: text(row, "raw_body").unwrap_or_default(),
            steps: get(row, "send")
                .map(|send| array(send).map(step).collect())
                .unwrap_or_default(),
            script: get(row, "script").map(script).unwrap_or_default(),
            expect,
            why: text(row, "why").unwrap_or_default(),
            source: text(row, "source").unwrap_or_default(),
            slow: yes("slow"),
        }
    }

    fn vary(&mut self, what: &str, text: &str) {
        match what {
            "request" => self.request = Some(text.to_owned()),
            "header" => self.headers.push(text.to_owned()),
            "body" => self.body = Some(text.to_owned()),
            "raw_body" => text.clone_into(&mut self.raw_body),
            "script" => {
                // A second request on the connection shows whether anything of a lie is left over.
                self.script = vec![vec![Act::Send(bytes(text)), Act::Close]];
            }
            other => panic!("vary {other}?"),
        }
    }

    /// Puts a value in the place of `{name}`, wherever it stands.
    fn replacing(mut self, mark: &str, value: &str) -> Self {
        let put = |text: &mut String| *text = text.replace(mark, value);
        self.request.iter_mut().for_each(put);
        self.headers.iter_mut().for_each(put);
        self.body.iter_mut().for_each(put);
        self.expect.engine.iter_mut().for_each(put);
        put(&mut self.raw_body);
        let (mark, value) = (bytes(mark), bytes(value));
        let put = |text: &mut Vec<u8>| *text = replace(text, &mark, &value);
        for step in &mut self.steps {
            if let Step::Send(text) = step {
                put(text);
            }
        }
        for act in self.script.iter_mut().flatten() {
            if let Act::Send(text) = act {
                put(text);
            }
        }
        self.expect.bodies.iter_mut().flatten().for_each(put);
        self
    }

    fn finish(self, class: &str) -> Case {
        let mut steps = Vec::new();
        if let Some(request) = &self.request {
            steps.push(Step::Send(self.head_and_body(request)));
        }
        steps.extend(self.steps);
        assert!(!steps.is_empty(), "{}: nothing is sent", self.id);
        Case {
            class: class.to_owned(),
            id: self.id,
            policy: self.policy,
            steps,
            script: self.script,
            expect: self.expect,
            why: self.why,
            source: self.source,
            generated: false,
            slow: self.slow,
        }
    }

    /// A text with a line break is the bytes themselves; else it is `METHOD target`.
    fn head_and_body(&self, request: &str) -> Vec<u8> {
        if request.contains(['\r', '\n']) {
            return bytes(request);
        }
        let mut text = format!("{request} HTTP/1.1\r\nHost: docker\r\n");
        for header in &self.headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        if let Some(body) = &self.body {
            let length = body.chars().count();
            write!(text, "Content-Length: {length}\r\n").unwrap();
        }
        text.push_str("\r\n");
        text.push_str(self.body.as_deref().unwrap_or_default());
        text.push_str(&self.raw_body);
        bytes(&text)
    }
}

/// A list of statuses; one that may be several is a list again. The word `any` is no list.
fn answers(value: &DeValue<'_>) -> Option<Vec<Vec<u16>>> {
    let one_of = |item: &DeValue<'_>| {
        if matches!(item, DeValue::Array(_)) {
            array(item).map(number).collect()
        } else {
            vec![number(item)]
        }
    };
    matches!(value, DeValue::Array(_)).then(|| array(value).map(one_of).collect())
}

fn step(value: &DeValue<'_>) -> Step {
    let DeValue::Table(table) = value else {
        return Step::Send(bytes(&string(value)));
    };
    let (name, value) = table.iter().next().unwrap();
    let value = value.get_ref();
    match name.get_ref().as_ref() {
        "flood" => Step::Flood(number(value), bytes(&text(table, "text").unwrap())),
        "memory" => Step::Memory(number(value)),
        "gone" => Step::Gone(number(value)),
        "text" => Step::Times(number(get(table, "times").unwrap()), bytes(&string(value))),
        "eof" => Step::HalfClose,
        "answer" => Step::Answer(number(value)),
        "interim" => Step::Interim(number(value)),
        "read" => Step::Read(bytes(&string(value))),
        "closed" => Step::Closed,
        "on" => Step::On(number(value)),
        "at" => Step::At(string(value)),
        "heard" => Step::Heard(number(value)),
        "hung_up" => Step::HungUp,
        other => panic!("what is the step {other}?"),
    }
}

/// One list of acts for each request; a flat list is for the first one.
fn script(value: &DeValue<'_>) -> Vec<Vec<Act>> {
    let nested = array(value).any(|item| matches!(item, DeValue::Array(_)));
    if nested {
        array(value)
            .map(|acts| array(acts).map(act).collect())
            .collect()
    } else {
        vec![array(value).map(act).collect()]
    }
}

fn act(value: &DeValue<'_>) -> Act {
    let DeValue::Table(table) = value else {
        return Act::Send(bytes(&string(value)));
    };
    let (name, value) = table.iter().next().unwrap();
    let value = value.get_ref();
    match name.get_ref().as_ref() {
        "text" => Act::Times(number(get(table, "times").unwrap()), bytes(&string(value))),
        "early" => Act::Early,
        "close" => Act::Close,
        "hold" => Act::Hold,
        other => panic!("what is the act {other}?"),
    }
}

/// One byte for each character.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or_else(|_| panic!("{c:?} is no byte"));
    text.chars().map(byte).collect()
}

fn replace(text: &[u8], mark: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value);
        rest = &rest[at + mark.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn get<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t DeValue<'i>> {
    let found = table.iter().find(|(name, _)| name.get_ref() == key);
    found.map(|(_, value)| value.get_ref())
}

fn text(table: &DeTable<'_>, key: &str) -> Option<String> {
    get(table, key).map(string)
}

fn tables<'t, 'i>(value: &'t DeValue<'i>) -> impl Iterator<Item = &'t DeTable<'i>> {
    let many = if let DeValue::Array(items) = value {
        items.iter().map(toml::Spanned::get_ref).collect()
    } else {
        vec![value]
    };
    many.into_iter().map(|item| {
        let DeValue::Table(table) = item else {
            panic!("not a table: {item:?}")
        };
        table
    })
}

pub(crate) fn array<'t, 'i>(value: &'t DeValue<'i>) -> impl Iterator<Item = &'t DeValue<'i>> {
    let DeValue::Array(items) = value else {
        panic!("not a list: {value:?}")
    };
    items.iter().map(toml::Spanned::get_ref)
}

pub(crate) fn string(value: &DeValue<'_>) -> String {
    let DeValue::String(text) = value else {
        panic!("not a text: {value:?}")
    };
    text.clone().into_owned()
}

fn number<N: std::str::FromStr>(value: &DeValue<'_>) -> N {
    let DeValue::Integer(digits) = value else {
        panic!("not a number: {value:?}")
    };
    digits
        .as_str()
        .parse()
        .unwrap_or_else(|_| panic!("out of range: {digits}"))
}
