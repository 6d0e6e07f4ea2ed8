//! Reading a body by its table.
//!
//! The walk goes over the keys that are written, looks each up in the table, checks its kind, and
//! notes every use of a power with the place that caused it. It never guesses: a key in no row is
//! noted as a stray, a value of another kind ends the reading.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::power::Power;
use super::table::{Bound, Choice, Class, Kind, Row, Table};
use super::{BadBody, Body, Stray, Use, What, Why};
use crate::docker::json::{self, Object, Value};

/// The longest place that is kept, in bytes.
const LONGEST_PLACE: usize = 160;

/// The largest number of uses, and of strays, that a body may have: more than any client asks for,
/// and few enough that a hostile body costs little to judge and to refuse.
const MOST_NOTES: usize = 4096;

/// A body being read.
#[derive(Debug)]
pub(in crate::docker) struct Reading<'b> {
    trail: Vec<Step<'b>>,
    pub(super) body: Body<'b>,
    /// Fields that older engines also read at the top level.
    doubles: Option<&'static Table>,
    /// There was more to note than anybody asks for.
    overflows: bool,
}

/// One step into a body.
#[derive(Clone, Debug)]
enum Step<'b> {
    Field(&'static str),
    Key(Cow<'b, str>),
    Index(usize),
}

impl<'b> Reading<'b> {
    pub(super) fn new(doubles: Option<&'static Table>) -> Self {
        Self {
            trail: Vec::with_capacity(8),
            body: Body::default(),
            doubles,
            overflows: false,
        }
    }

    // === what readers of single fields use ===

    /// Notes a use of a power at the present place.
    pub(super) fn uses(&mut self, power: Power, what: What<'b>) {
        self.note(power, what, false);
    }

    /// Notes a use that is Docker's own default, or harmless.
    pub(super) fn rests(&mut self, power: Power, what: What<'b>) {
        self.note(power, what, true);
    }

    /// Notes the default of an absent field.
    pub(super) fn absent(&mut self, power: Power, field: &'static str, default: &'static str) {
        self.body.uses.push(Use {
            power,
            place: Cow::Borrowed(field),
            what: What::Text(Cow::Borrowed(default)),
            rests: true,
            absent: true,
        });
    }

    fn note(&mut self, power: Power, what: What<'b>, rests: bool) {
        if self.body.uses.len() >= MOST_NOTES {
            self.overflows = true;
            return;
        }
        let place = Cow::Owned(self.place());
        self.body.uses.push(Use {
            power,
            place,
            what,
            rests,
            absent: false,
        });
    }

    /// Does something one element further in.
    pub(super) fn at_index<T>(&mut self, index: usize, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.within(Step::Index(index), inside)
    }

    /// Does something one key further in.
    #[expect(
        clippy::ptr_arg,
        reason = "what is borrowed from the body stays borrowed"
    )]
    pub(super) fn at_key<T>(
        &mut self,
        key: &Cow<'b, str>,
        inside: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.within(Step::Key(key.clone()), inside)
    }

    /// Does something one field further in.
    pub(super) fn at_field<T>(
        &mut self,
        field: &'static str,
        inside: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.within(Step::Field(field), inside)
    }

    fn within<T>(&mut self, step: Step<'b>, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.trail.push(step);
        let result = inside(self);
        self.trail.pop();
        result
    }

    /// A value that Docker would refuse, or that has no single reading.
    pub(super) fn bad_value(&self, why: &'static str) -> BadBody {
        BadBody::Value {
            place: self.place().into(),
            why,
        }
    }

    /// What was read, unless it is too much.
    pub(super) fn finish(self) -> Result<Body<'b>, BadBody> {
        if self.overflows {
            return Err(self.bad_value("it asks for more than can be judged"));
        }
        Ok(self.body)
    }

    // === the walk ===

    /// Reads an object by its table.
    pub(super) fn object(
        &mut self,
        table: &'static Table,
        object: &Object<'b>,
    ) -> Result<(), BadBody> {
        let mut seen = 0_u128;
        let mut next = 0;
        for (key, value) in object.iter() {
            match table.find(key, next) {
                Some((number, row)) => {
                    next = number + 1;
                    if !value.is_null() {
                        seen |= 1 << number;
                        self.at_field(row.name, |reading| reading.field(row, value))?;
                    }
                }
                None if value.is_null() => {}
                None => self.stray(table, key, value),
            }
        }
        for (number, row) in table.rows.iter().enumerate() {
            if seen & (1 << number) == 0 {
                self.missing(row)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, row: &'static Row, value: &Value<'b>) -> Result<(), BadBody> {
        self.check_kind(row.kind, value)?;
        if let Some(table) = row.fields {
            self.nested(row.kind, table, value)?;
        }
        match &row.class {
            Class::Harmless | Class::Within | Class::Ignored => {}
            Class::Closed => {
                if !value.is_empty() {
                    let place = self.general_place();
                    self.body.strays.push(Stray {
                        place,
                        why: Why::Closed,
                    });
                }
            }
            Class::Flag(power) => {
                if value.boolean() == Some(true) {
                    self.uses(*power, What::Flag);
                }
            }
            Class::Choice(power, choice) => {
                let text = value.text().cloned().unwrap_or_default();
                self.choice(*power, choice, text);
            }
            Class::Each(power) => self.each(*power, value),
            Class::Beyond(power, bound) => {
                if bound.is_passed(value.integer().unwrap_or_default()) {
                    let name = Cow::Borrowed(row.name);
                    self.uses(*power, What::Text(name));
                }
            }
            Class::Read(read) => read(self, value)?,
            Class::Always(read) => read(self, Some(value))?,
        }
        Ok(())
    }

    /// What Docker does when a field is absent.
    fn missing(&mut self, row: &'static Row) -> Result<(), BadBody> {
        if let (Some(table), Kind::Object) = (row.fields, row.kind) {
            self.at_field(row.name, |reading| {
                reading.object(table, &Object::default())
            })?;
        }
        match &row.class {
            Class::Choice(power, choice) => self.absent(*power, row.name, choice.default),
            Class::Always(read) => self.at_field(row.name, |reading| read(reading, None))?,
            Class::Harmless
            | Class::Within
            | Class::Ignored
            | Class::Closed
            | Class::Flag(_)
            | Class::Each(_)
            | Class::Beyond(..)
            | Class::Read(_) => {}
        }
        Ok(())
    }

    fn choice(&mut self, power: Power, choice: &Choice, text: Cow<'b, str>) {
        let text = if text.is_empty() {
            Cow::Borrowed(choice.default)
        } else {
            text
        };
        let rests = text == choice.default || choice.harmless.contains(&&*text);
        self.note(power, What::Text(text), rests);
    }

    fn each(&mut self, power: Power, value: &Value<'b>) {
        for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
            if let Some(text) = element.text() {
                self.at_index(index, |reading| {
                    reading.uses(power, What::Text(text.clone()));
                });
            }
        }
        let entries = value.object().into_iter().flat_map(Object::iter);
        for (key, value) in entries {
            let text = value.text().map_or("", |text| &**text);
            let pair = format!("{key}={text}");
            self.at_key(key, |reading| {
                reading.uses(power, What::Text(Cow::Owned(pair)));
            });
        }
    }

    /// The object or objects that a field holds; the kind has been checked.
    fn nested(
        &mut self,
        kind: Kind,
        table: &'static Table,
        value: &Value<'b>,
    ) -> Result<(), BadBody> {
        let inner = if kind == Kind::ObjectsMap {
            Kind::Objects
        } else {
            Kind::Object
        };
        if let Some(list) = value.list() {
            for (index, element) in list.iter().enumerate() {
                self.at_index(index, |reading| reading.nested(inner, table, element))?;
            }
        }
        let Some(object) = value.object() else {
            return Ok(());
        };
        if !matches!(kind, Kind::ObjectMap | Kind::ObjectsMap) {
            return self.object(table, object);
        }
        for (key, element) in object.iter() {
            self.at_key(key, |reading| reading.nested(inner, table, element))?;
        }
        Ok(())
    }

    #[expect(
        clippy::ptr_arg,
        reason = "what is borrowed from the body stays borrowed"
    )]
    fn stray(&mut self, table: &'static Table, key: &Cow<'b, str>, value: &Value<'b>) {
        if self.body.strays.len() >= MOST_NOTES {
            self.overflows = true;
            return;
        }
        let meant = table
            .rows
            .iter()
            .find(|row| json::same_folded(row.name, key));
        let why = match (meant, self.trail.is_empty(), self.doubles) {
            (Some(row), ..) => Why::Spelling(row.name),
            (None, true, Some(host)) => {
                let found = host
                    .rows
                    .iter()
                    .find(|row| json::same_folded(row.name, key));
                match found {
                    // SECURITY: engines up to 26 apply these, beside or instead of `HostConfig`
                    // (moby 20.10 `runconfig/config_unix.go`, `getHostConfig`).
                    Some(row) if value.is_empty() && row.name == *key => return,
                    Some(_) => Why::TopLevel,
                    None => Why::Unknown,
                }
            }
            _ => Why::Unknown,
        };
        let place = self.within(Step::Key(key.clone()), |reading| {
            let mut place = reading.general_place();
            if let Some(Step::Key(key)) = reading.trail.last() {
                // An unknown field is named, unlike the key of a map.
                place.truncate(place.len().saturating_sub(1));
                push_short(&mut place, key);
            }
            place
        });
        self.body.strays.push(Stray { place, why });
    }

    fn check_kind(&self, kind: Kind, value: &Value<'b>) -> Result<(), BadBody> {
        let fits = match kind {
            Kind::Any => true,
            Kind::Bool => value.boolean().is_some(),
            Kind::Int => value.integer().is_some(),
            Kind::Float => matches!(value, Value::Number(_)),
            Kind::Text => value.text().is_some(),
            Kind::Texts => all(value, |element| element.text().is_some()),
            Kind::TextLists => all(value, |element| all(element, |e| e.text().is_some())),
            Kind::Ints => all(value, |element| element.integer().is_some()),
            Kind::TextMap => every(value, |entry| entry.is_null() || entry.text().is_some()),
            Kind::Set => every(value, |entry| {
                entry.is_null() || entry.object().is_some_and(Object::is_empty)
            }),
            Kind::Object => value.object().is_some(),
            Kind::Objects => all(value, |element| element.object().is_some()),
            Kind::ObjectMap => every(value, |entry| entry.is_null() || entry.object().is_some()),
            Kind::ObjectsMap => every(value, |entry| {
                entry.is_null() || all(entry, |element| element.object().is_some())
            }),
        };
        if fits {
            return Ok(());
        }
        Err(BadBody::Kind {
            place: self.place().into(),
            expected: kind.words(),
            found: value.kind(),
        })
    }

    /// The present place: `HostConfig.Binds[0]`.
    fn place(&self) -> String {
        let mut place = String::with_capacity(32);
        for step in &self.trail {
            match step {
                Step::Field(name) => push_name(&mut place, name),
                Step::Key(key) => push_name(&mut place, key),
                // Writing to a String cannot fail.
                Step::Index(index) => {
                    let _infallible = write!(place, "[{index}]");
                }
            }
        }
        place
    }

    /// The present place with `*` for keys and `[]` for indices, as `fields` in a policy names it.
    fn general_place(&self) -> String {
        let mut place = String::with_capacity(32);
        for step in &self.trail {
            match step {
                Step::Field(name) => push_name(&mut place, name),
                Step::Key(_) => push_name(&mut place, "*"),
                Step::Index(_) => place.push_str("[]"),
            }
        }
        place
    }
}

impl Bound {
    fn is_passed(self, number: i64) -> bool {
        match self {
            Self::Above(bound) => number > bound,
            Self::Below(bound) => number < bound,
            Self::NotZero => number != 0,
        }
    }
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Float => "a number",
            Self::Text => "a string",
            Self::Texts => "a list of strings",
            Self::TextLists => "a list of lists of strings",
            Self::Ints => "a list of integers",
            Self::TextMap => "an object of strings",
            Self::Set => "an object of empty objects",
            Self::Object => "an object",
            Self::Objects => "a list of objects",
            Self::ObjectMap => "an object of objects",
            Self::ObjectsMap => "an object of lists of objects",
        }
    }
}

/// Whether it is a list whose every element fits. `null` inside of a list is never what it seems: Go
/// makes an empty text or a nil pointer of it.
fn all(value: &Value<'_>, fits: impl Fn(&Value<'_>) -> bool) -> bool {
    value.list().is_some_and(|list| list.iter().all(fits))
}

/// Whether it is an object whose every value fits.
fn every(value: &Value<'_>, fits: impl Fn(&Value<'_>) -> bool) -> bool {
    value
        .object()
        .is_some_and(|object| object.iter().all(|(_, value)| fits(value)))
}

fn push_name(place: &mut String, name: &str) {
    if !place.is_empty() {
        place.push('.');
    }
    push_short(place, name);
}

/// A name from a request, cut where the place becomes too long to be shown.
fn push_short(place: &mut String, name: &str) {
    let room = LONGEST_PLACE.saturating_sub(place.len());
    place.extend(name.chars().take(room));
}
