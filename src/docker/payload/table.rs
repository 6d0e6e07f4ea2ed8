//! How the tables of fields are written.
//!
//! Each body has one table (with a table for each object inside of it), and each field of the API is
//! one row: its name, its kind, what it means for a policy, and the API version that brought it. What
//! stands in no row is unknown, and unknown is refused: a new field of Docker's is a new row.

use super::BadBody;
use super::power::Power;
use super::walk::Reading;
use crate::docker::json::Value;

/// The fields of one object.
#[derive(Debug)]
pub(in crate::docker) struct Table {
    /// Where they come from in moby, below `api/types`.
    pub(super) source: &'static str,
    /// The fields, in Docker's order.
    pub(super) rows: &'static [Row],
}

/// One field.
#[derive(Debug)]
pub(in crate::docker) struct Row {
    /// Its canonical spelling.
    pub(super) name: &'static str,
    /// Other spellings that clients use and Docker reads as the same field.
    pub(super) also: &'static [&'static str],
    /// What its value must be.
    pub(super) kind: Kind,
    /// What it means for a policy.
    pub(super) class: Class,
    /// The fields of the object or objects that it holds, if they are read one by one.
    pub(super) fields: Option<&'static Table>,
    /// The minor API version that brought it; 24 means "1.24 or older".
    pub(super) since: u16,
}

/// What a value must be. `null` counts as absent everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::docker) enum Kind {
    /// Anything: nobody reads it.
    Any,
    /// `true` or `false`.
    Bool,
    /// An integer that Go reads into an `int64`.
    Int,
    /// Any number.
    Float,
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// A list of lists of texts.
    TextLists,
    /// A list of integers.
    Ints,
    /// An object of texts under any keys.
    TextMap,
    /// An object of empty objects under any keys.
    Set,
    /// An object.
    Object,
    /// A list of objects.
    Objects,
    /// An object of objects under any keys.
    ObjectMap,
    /// An object of lists of objects under any keys.
    ObjectsMap,
}

/// What a field means for a policy.
#[derive(Debug)]
pub(in crate::docker) enum Class {
    /// Nothing that any value could do hands out a power.
    Harmless,
    /// What its own fields mean.
    Within,
    /// Docker does not read it.
    Ignored,
    /// No key of a policy stands for it; it must be empty.
    Closed,
    /// A boolean that is a power when it is true.
    Flag(Power),
    /// A text of which there is always one: the default, if none is written.
    Choice(Power, &'static Choice),
    /// Every element is a use of a power; `key=value` for objects.
    Each(Power),
    /// A number that is a use of a power beyond a bound.
    Beyond(Power, Bound),
    /// Read by a function of its own, after its kind has been checked.
    Read(Read),
    /// As `Read`, and absence means something.
    Always(ReadAlways),
}

/// Reads a field that is there.
pub(in crate::docker) type Read =
    for<'b, 'v> fn(&mut Reading<'b>, &'v Value<'b>) -> Result<(), BadBody>;

/// Reads a field that may be there.
pub(in crate::docker) type ReadAlways =
    for<'b, 'v> fn(&mut Reading<'b>, Option<&'v Value<'b>>) -> Result<(), BadBody>;

/// A text with a default.
#[derive(Debug)]
pub(in crate::docker) struct Choice {
    /// What Docker takes when nothing is written.
    pub(super) default: &'static str,
    /// Values that hand out nothing.
    pub(super) harmless: &'static [&'static str],
}

/// Where a number begins to be a use of a power.
#[derive(Clone, Copy, Debug)]
pub(in crate::docker) enum Bound {
    /// Above this.
    Above(i64),
    /// Below this.
    Below(i64),
    /// Anything but 0.
    NotZero,
}

impl Table {
    /// The row of a field in one of its accepted spellings, and the row's number. Clients write fields
    /// in Docker's order, so the search begins at `start`.
    pub(super) fn find(&self, key: &str, start: usize) -> Option<(usize, &'static Row)> {
        let (before, after) = self.rows.split_at_checked(start)?;
        let after = (start..).zip(after);
        let spelled = |row: &Row| row.name == key || row.also.contains(&key);
        after.chain((0..).zip(before)).find(|(_, row)| spelled(row))
    }
}

impl Row {
    /// The same row with further spellings.
    pub(super) const fn also(mut self, spellings: &'static [&'static str]) -> Self {
        self.also = spellings;
        self
    }

    /// The same row, holding objects with these fields.
    pub(super) const fn of(mut self, fields: &'static Table) -> Self {
        self.fields = Some(fields);
        self
    }
}

/// One row. `fields` are added by `of`.
pub(super) const fn row(name: &'static str, kind: Kind, class: Class, since: u16) -> Row {
    Row {
        name,
        also: &[],
        kind,
        class,
        fields: None,
        since,
    }
}
