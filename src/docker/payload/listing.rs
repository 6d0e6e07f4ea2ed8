//! The tables as a list, for documentation and for `show`: what this version knows, field by field.

use super::Power;
use super::table::{Bound, Class, Kind, Row, Table};
use crate::docker::Operation;

/// One field that this version knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it stands: `HostConfig.Mounts[].Type`.
    pub place: String,
    /// What it means, in words.
    pub meaning: String,
    /// The power that it can hand out, if it is a single one.
    pub power: Option<Power>,
    /// The minor API version that brought it; 24 stands for 1.24 and everything older.
    pub since: u16,
    /// The file of moby that defines it.
    pub source: &'static str,
}

/// Every field of the body of an operation.
pub fn fields(operation: Operation) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(table) = super::table(operation) {
        list(table, "", &mut fields);
    }
    fields
}

fn list(table: &'static Table, prefix: &str, fields: &mut Vec<Field>) {
    for row in table.rows {
        let place = format!("{prefix}{}", row.name);
        let into = match row.kind {
            Kind::Objects => "[]",
            Kind::ObjectMap => ".*",
            Kind::ObjectsMap => ".*[]",
            Kind::Any
            | Kind::Bool
            | Kind::Int
            | Kind::Float
            | Kind::Text
            | Kind::Texts
            | Kind::TextLists
            | Kind::Ints
            | Kind::TextMap
            | Kind::Set
            | Kind::Object => "",
        };
        let inner = format!("{place}{into}.");
        let (meaning, power) = describe(row);
        fields.push(Field {
            place,
            meaning,
            power,
            since: row.since,
            source: table.source,
        });
        if let Some(table) = row.fields {
            list(table, &inner, fields);
        }
    }
}

fn describe(row: &Row) -> (String, Option<Power>) {
    let power = |power: &Power, when: &str| {
        let words = format!("{}{when}", power.key());
        (words, Some(*power))
    };
    match &row.class {
        Class::Harmless => ("harmless".to_owned(), None),
        Class::Within => ("see its fields".to_owned(), None),
        Class::Ignored => ("ignored by Docker".to_owned(), None),
        Class::Closed => ("refused unless empty".to_owned(), None),
        Class::Flag(of) => power(of, " when true"),
        Class::Each(of) => power(of, ", each element"),
        Class::Choice(of, choice) if choice.default.is_empty() => power(of, " unless empty"),
        Class::Choice(of, choice) => power(of, &format!(" unless `{}`", choice.default)),
        Class::Beyond(of, Bound::Above(bound)) => power(of, &format!(" above {bound}")),
        Class::Beyond(of, Bound::Below(bound)) => power(of, &format!(" below {bound}")),
        Class::Beyond(of, Bound::NotZero) => power(of, " unless 0"),
        Class::Read(_) | Class::Always(_) => ("judged by its content".to_owned(), None),
    }
}
