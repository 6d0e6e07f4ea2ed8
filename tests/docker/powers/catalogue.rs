//! The catalogue of powers: `cases.toml`, read into cases, and the policies that they are played with.
//!
//! README.md says what the columns mean. What stands in braces is filled in when a case is played,
//! because it is only known then.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

/// One power in one spelling.
#[derive(Clone, Debug, Default)]
pub(super) struct Case {
    /// Which body: `container`, `exec`, `update`, `network`, `connect`, `volume` or `service`.
    pub(super) table: String,
    pub(super) id: String,
    /// The reason code; `power-ID` where nothing is written.
    pub(super) code: String,
    /// The members of the body that asks for the power, and of the one that does not.
    pub(super) asks: String,
    pub(super) twin: String,
    /// What a policy says to admit it.
    pub(super) line: String,
    /// The line that the refusal tells to add; `None` where a line would show a secret, or does not help.
    pub(super) advice: Option<String>,
    /// The line admits the twin only; without it both pass.
    pub(super) narrows: bool,
    /// A command inside of the container, and what it prints with the power alone.
    pub(super) run: Option<String>,
    pub(super) shows: String,
    /// The container is started before it is looked at.
    pub(super) start: bool,
    /// A place in what the engine says about the thing, and what begins there.
    pub(super) see: Option<String>,
    pub(super) is: String,
    /// A word of the engine's own refusal, which shows that the body has arrived there.
    pub(super) engine: Option<String>,
    /// The engine takes its time to say no, and is not waited for.
    pub(super) slow: bool,
    /// The minor API version from which on the effect can be seen.
    pub(super) since: u16,
    /// Why no effect is looked at, or not all of it.
    pub(super) because: Option<String>,
}

/// The tables of the catalogue, and the operation that each is about.
pub(super) const TABLES: [(&str, &str); 7] = [
    ("container", "POST /containers/create"),
    ("exec", "POST /containers/{id}/exec"),
    ("update", "POST /containers/{id}/update"),
    ("network", "POST /networks/create"),
    ("connect", "POST /networks/{id}/connect"),
    ("volume", "POST /volumes/create"),
    ("service", "POST /services/create"),
];

/// A scene has hundreds of sockets, each with one client at a time.
pub(super) const PLACES: &str = "[limits]\nconnections = 8\n";

/// Every case.
pub(super) fn all() -> Vec<Case> {
    let text = include_str!("cases.toml");
    let cases: Vec<Case> = rows(text).iter().map(case).collect();
    let ids: BTreeSet<&str> = cases.iter().map(|case| &*case.id).collect();
    assert_eq!(ids.len(), cases.len(), "every case has an id of its own");
    cases
}

impl Case {
    /// What is asked, as a rule grants it.
    pub(super) fn grant(&self) -> &'static str {
        let found = TABLES.iter().find(|(table, _)| *table == self.table);
        found.expect("a table of the catalogue").1
    }

    /// The policy with the line, and the one without: the first of the two refuses.
    pub(super) fn policies(&self) -> [(String, String); 2] {
        let named = |line: &str| {
            let grant = self.grant();
            let text = format!("[[rule]]\nname = \"job\"\nallow = \"{grant}\"\n{line}\n{PLACES}");
            let suffix = if line.is_empty() { "plain" } else { "line" };
            (format!("{}.{suffix}", self.id), text)
        };
        let [plain, line] = [named(""), named(&self.line)];
        if self.narrows {
            [line, plain]
        } else {
            [plain, line]
        }
    }

    /// The whole body around its members: what every body of its table has.
    pub(super) fn body(&self, members: &str, name: &str) -> String {
        let lacks = |key: &str| !members.contains(&format!("\"{key}\":"));
        let command = self.run.as_ref().map_or("sleep 600", |run| run);
        let command = command.replace('\\', "\\\\").replace('"', "\\\"");
        let command = format!(r#""Cmd": ["sh", "-c", "{command}"]"#);
        let mut all = Vec::new();
        let mut lead = |key: &str, member: &str| {
            if lacks(key) {
                all.push(member.to_owned());
            }
        };
        match &*self.table {
            "container" => {
                lead("Image", r#""Image": "{IMAGE}""#);
                lead("Cmd", &command);
                lead("Tty", r#""Tty": true"#);
            }
            "exec" => {
                lead("Cmd", &command);
                lead("Tty", r#""Tty": true, "AttachStdout": true"#);
            }
            "connect" => lead("Container", r#""Container": "{BOX}""#),
            "network" | "volume" | "service" => lead("Name", r#""Name": "{NAME}""#),
            _ => {}
        }
        all.push(members.to_owned());
        format!("{{{}}}", all.join(", ")).replace("{NAME}", name)
    }
}

fn case((table, row): &(String, Row)) -> Case {
    row.only(&[
        "id", "code", "asks", "twin", "line", "advice", "secret", "narrows", "run", "shows",
        "start", "see", "is", "engine", "slow", "since", "because",
    ]);
    let id = row.must("id");
    let line = row.must("line");
    let narrows = row.flag("narrows");
    // A narrower rule is not widened by a line that stands in it already.
    let quiet = row.flag("secret") || (narrows && row.text("advice").is_none());
    let case = Case {
        code: row.text("code").unwrap_or_else(|| format!("power-{id}")),
        advice: (!quiet).then(|| row.text("advice").unwrap_or_else(|| line.clone())),
        table: table.clone(),
        asks: row.must("asks"),
        twin: row.must("twin"),
        narrows,
        run: row.text("run").filter(|run| !run.is_empty()),
        shows: row.text("shows").unwrap_or_default(),
        start: row.flag("start"),
        see: row.text("see"),
        is: row.text("is").unwrap_or_default(),
        engine: row.text("engine"),
        slow: row.flag("slow"),
        since: row.number("since"),
        because: row.text("because"),
        line,
        id,
    };
    let looks = case.see.is_some() || row.text("run").is_some() || case.engine.is_some();
    assert!(
        looks || case.because.is_some() || case.table == "service",
        "{}: either an effect, or why there is none to see",
        case.id
    );
    case
}

// === rows of TOML ===

/// One row of an array of tables.
#[derive(Debug)]
pub(super) struct Row {
    columns: Vec<(String, Column)>,
}

#[derive(Debug)]
enum Column {
    Text(String),
    Flag(bool),
    Number(u16),
    List(Vec<String>),
}

/// Every row of a file, with the name of its array.
pub(super) fn rows(text: &str) -> Vec<(String, Row)> {
    let document = DeTable::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let mut rows = Vec::new();
    for (table, found) in document.get_ref() {
        let DeValue::Array(found) = found.get_ref() else {
            panic!("{}: not an array of tables", table.get_ref());
        };
        for row in found {
            let DeValue::Table(row) = row.get_ref() else {
                panic!("{}: not an array of tables", table.get_ref());
            };
            let columns = row
                .iter()
                .map(|(key, value)| (key.get_ref().clone().into_owned(), column(value.get_ref())));
            let columns = columns.collect();
            rows.push((table.get_ref().clone().into_owned(), Row { columns }));
        }
    }
    rows
}

fn column(value: &DeValue<'_>) -> Column {
    match value {
        DeValue::String(text) => Column::Text(text.clone().into_owned()),
        DeValue::Boolean(flag) => Column::Flag(*flag),
        DeValue::Integer(number) => Column::Number(number.as_str().parse().unwrap()),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => text.clone().into_owned(),
                other => panic!("not a text: {other:?}"),
            });
            Column::List(texts.collect())
        }
        other => panic!("not a column: {other:?}"),
    }
}

impl Row {
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            Column::Text(text) => Some(text.clone()),
            other => panic!("{key}: not a text: {other:?}"),
        }
    }
    pub(super) fn must(&self, key: &str) -> String {
        self.text(key)
            .unwrap_or_else(|| panic!("{self:?} has no `{key}`"))
    }
    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Column::Flag(true)))
    }
    pub(super) fn number(&self, key: &str) -> u16 {
        match self.get(key) {
            Some(Column::Number(number)) => *number,
            _ => 0,
        }
    }
    pub(super) fn list(&self, key: &str) -> Option<Vec<String>> {
        match self.get(key)? {
            Column::List(texts) => Some(texts.clone()),
            other => panic!("{key}: not a list: {other:?}"),
        }
    }
    /// A column that nobody reads is a slip of the pen.
    pub(super) fn only(&self, known: &[&str]) {
        for (key, _) in &self.columns {
            assert!(
                known.contains(&&**key),
                "no such column: `{key}` in {self:?}"
            );
        }
    }
    fn get(&self, key: &str) -> Option<&Column> {
        let found = self.columns.iter().find(|(name, _)| name == key);
        found.map(|(_, column)| column)
    }
}
