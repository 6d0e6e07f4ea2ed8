//! A cursor over a TOML document that knows the place of every key and value.
//!
//! Derived decoders stop at the first mistake and forget where things stood. Here every decoder
//! takes the keys it knows, says what it expects of them, and [`Table::finish`] reports whatever
//! is left. Nobody returns early: a mistake is put on the list of [`Problems`] and reading goes on.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diag::{Diagnostic, Source, Span, escape, suggest};

/// Everything found so far about one file.
#[derive(Debug)]
pub(in crate::policy) struct Problems<'s> {
    /// The file.
    pub(in crate::policy) source: &'s Source,
    /// What was found, in the order of reading.
    pub(in crate::policy) found: Vec<Diagnostic>,
}

impl Problems<'_> {
    /// Adds a finding.
    pub(in crate::policy) fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }
}

/// One value with its key.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Value<'t> {
    /// The key as the policy's author would say it: `query.t`.
    pub(in crate::policy) key: String,
    /// The place of the key, or of the value where there is no key (in a list).
    pub(in crate::policy) key_span: Span,
    /// The place of the value.
    pub(in crate::policy) span: Span,
    inner: &'t DeValue<'t>,
}

impl<'t> Value<'t> {
    /// A string.
    pub(in crate::policy) fn text(&self, problems: &mut Problems<'_>) -> Option<&'t str> {
        let text = self.inner.as_str();
        if text.is_none() {
            problems.report(self.wrong("a string"));
        }
        text
    }

    /// An integer that `T` holds.
    pub(in crate::policy) fn integer<T: TryFrom<i64>>(
        &self,
        problems: &mut Problems<'_>,
    ) -> Option<T> {
        let number = self.whole_number();
        let fits = number.and_then(|number| T::try_from(number).ok());
        match (number, fits) {
            (_, Some(fits)) => Some(fits),
            (Some(number), None) => {
                let message = format!("`{}` cannot be {number}", self.key);
                let label = "outside of what is possible here";
                problems
                    .report(Diagnostic::error("bad-value", message).at(self.span.clone(), label));
                None
            }
            (None, None) => {
                problems.report(self.wrong("an integer"));
                None
            }
        }
    }

    /// The elements of a list.
    pub(in crate::policy) fn list(&self, problems: &mut Problems<'_>) -> Option<Vec<Value<'t>>> {
        let elements = self.elements();
        if elements.is_none() {
            problems.report(self.wrong("a list"));
        }
        elements
    }

    /// The elements of a list, or the one value that is no list.
    pub(in crate::policy) fn one_or_list(&self) -> Vec<Value<'t>> {
        self.elements().unwrap_or_else(|| vec![self.clone()])
    }

    /// A table.
    pub(in crate::policy) fn table(&self, problems: &mut Problems<'_>) -> Option<Table<'t>> {
        let Some(inner) = self.inner.as_table() else {
            problems.report(self.wrong("a table"));
            return None;
        };
        Some(Table::new(inner, title(&self.key), self.span.clone()))
    }

    /// What it is, without complaint.
    pub(in crate::policy) fn kind(&self) -> Kind<'t> {
        match self.inner {
            DeValue::String(text) => Kind::Text(text),
            DeValue::Boolean(boolean) => Kind::Boolean(*boolean),
            DeValue::Integer(_) => self.whole_number().map_or(Kind::Other, Kind::Integer),
            DeValue::Array(_) => Kind::List(self.elements().unwrap_or_default()),
            DeValue::Table(_) => Kind::Table,
            DeValue::Float(_) | DeValue::Datetime(_) => Kind::Other,
        }
    }

    /// Key and value as they are written, on one line: `query.t = ["", "1"]`.
    pub(in crate::policy) fn written(&self, source: &Source) -> Box<str> {
        let text = source.text().get(self.span.clone()).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        format!("{} = {}", self.key, words.join(" ")).into()
    }

    /// "expected this, found that".
    pub(in crate::policy) fn wrong(&self, expected: &str) -> Diagnostic {
        let found = match self.inner {
            DeValue::String(_) => "a string",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Integer(_) => "an integer",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
            DeValue::Float(_) => "a fraction",
            DeValue::Datetime(_) => "a date",
        };
        let message = format!("`{}` takes {expected}, not {found}", escape(&self.key));
        Diagnostic::error("wrong-type", message)
            .at(self.span.clone(), format!("expected {expected}"))
    }

    fn whole_number(&self) -> Option<i64> {
        let integer = self.inner.as_integer()?;
        i64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    fn elements(&self) -> Option<Vec<Value<'t>>> {
        let array = self.inner.as_array()?;
        let element = |inner: &'t Spanned<DeValue<'t>>| Value {
            key: self.key.clone(),
            key_span: inner.span(),
            span: inner.span(),
            inner: inner.get_ref(),
        };
        Some(array.iter().map(element).collect())
    }
}

/// A value by its kind.
#[derive(Debug)]
pub(in crate::policy) enum Kind<'t> {
    /// A string.
    Text(&'t str),
    /// `true` or `false`.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A list.
    List(Vec<Value<'t>>),
    /// A table.
    Table,
    /// A fraction or a date, neither of which any key takes.
    Other,
}

/// A table whose keys are taken one by one.
#[derive(Debug)]
pub(in crate::policy) struct Table<'t> {
    /// How it is called in messages, in backticks: `` `[[rule]]` ``.
    pub(in crate::policy) title: String,
    /// Its place: the header, or the key that made it.
    pub(in crate::policy) span: Span,
    prefix: String,
    left: Vec<Value<'t>>,
}

impl<'t> Table<'t> {
    /// A cursor over `inner`, called `title` in messages.
    pub(in crate::policy) fn new(inner: &'t DeTable<'t>, title: String, span: Span) -> Self {
        let value = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let key: &'t Spanned<std::borrow::Cow<'t, str>> = key;
            Value {
                key: key.get_ref().to_string(),
                key_span: key.span(),
                span: value.span(),
                inner: value.get_ref(),
            }
        };
        Self {
            title,
            span,
            prefix: String::new(),
            left: inner.iter().map(value).collect(),
        }
    }

    /// Keys are called `prefix.KEY` in messages.
    pub(in crate::policy) fn prefixed(mut self, prefix: &str) -> Self {
        self.prefix = format!("{prefix}.");
        for value in &mut self.left {
            value.key.insert_str(0, &self.prefix);
        }
        self
    }

    /// Takes the value of a key.
    pub(in crate::policy) fn take(&mut self, key: &str) -> Option<Value<'t>> {
        let prefix = self.prefix.as_str();
        let wanted = |value: &Value<'_>| value.key.strip_prefix(prefix) == Some(key);
        let at = self.left.iter().position(wanted)?;
        Some(self.left.remove(at))
    }

    /// Takes everything, in the order of the file.
    pub(in crate::policy) fn take_all(&mut self) -> Vec<Value<'t>> {
        let mut all = std::mem::take(&mut self.left);
        all.sort_by_key(|value| value.key_span.start);
        all
    }

    /// Takes the value of a key that must be there.
    pub(in crate::policy) fn require(
        &mut self,
        key: &str,
        problems: &mut Problems<'_>,
    ) -> Option<Value<'t>> {
        let value = self.take(key);
        if value.is_none() {
            let message = format!("{} has no `{}{key}`", self.title, self.prefix);
            let label = format!("`{key}` is missing");
            problems.report(Diagnostic::error("missing-key", message).at(self.span.clone(), label));
        }
        value
    }

    /// Reports every key that nobody took. `known` are the keys this table has, `later` those that
    /// the language has but this version does not.
    pub(in crate::policy) fn finish(
        mut self,
        known: &[&str],
        later: &[&str],
        problems: &mut Problems<'_>,
    ) {
        for value in self.take_all() {
            let key = value.key.strip_prefix(&self.prefix).unwrap_or(&value.key);
            let diagnostic = if later.contains(&key) {
                not_supported(&value)
            } else {
                self.unknown(&value, key, known)
            };
            problems.report(diagnostic);
        }
    }

    fn unknown(&self, value: &Value<'_>, key: &str, known: &[&str]) -> Diagnostic {
        let shown = escape(&value.key);
        if TOP_LEVEL.contains(&key) && self.title != ROOT {
            let message = format!("`{shown}` belongs at the top of the file");
            return Diagnostic::error("top-level-key", message)
                .at(
                    value.key_span.clone(),
                    format!("this is inside of {}", self.title),
                )
                .help("move it above the first line that starts with `[`")
                .note("in TOML a key belongs to the table whose header stands last before it");
        }
        let message = format!("unknown key `{shown}` in {}", self.title);
        let help = suggest::nearest(key, known.iter().copied())
            .map(|near| format!("did you mean `{}{near}`?", self.prefix))
            .or_else(|| (!known.is_empty()).then(|| keys_are(&self.title, known)));
        Diagnostic::error("unknown-key", message)
            .at(
                value.key_span.clone(),
                format!("not a key of {}", self.title),
            )
            .help_opt(help)
    }
}

/// The title of the outermost table.
pub(in crate::policy) const ROOT: &str = "the policy";

/// How a table is called in messages.
fn title(key: &str) -> String {
    match key {
        "rule" | "test" => format!("`[[{key}]]`"),
        "socket" | "limits" | "unlisted" | "visible" => format!("`[{key}]`"),
        _ => format!("`{key}`"),
    }
}

/// Keys that stand at the top of the file and nowhere else.
const TOP_LEVEL: [&str; 4] = ["description", "semantics", "api", "allow"];

/// A key that the language has, but not this version.
pub(in crate::policy) fn not_supported(value: &Value<'_>) -> Diagnostic {
    let message = format!("`{}` is not supported by this version", escape(&value.key));
    Diagnostic::error("not-supported", message)
        .at(value.key_span.clone(), "not supported by this version")
        .note("ignoring it would change what the policy means")
}

fn keys_are(title: &str, known: &[&str]) -> String {
    if let [key] = known {
        return format!("the only key of {title} is `{key}`");
    }
    let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    format!("the keys of {title} are {}", known.join(", "))
}
