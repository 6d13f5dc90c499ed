//! An experiment as it was written: values that know their place.
//!
//! Several texts make one experiment (a file, the files it is based on, `--set` arguments), so every key and every
//! value carries the text from which it comes. That is what lets each later problem point at the right line.

use std::{ops::Range, sync::Arc};

use serde_json::{Map, Number};
use toml::de::{DeTable, DeValue};

use crate::{
    error::{Place, Problem},
    suggest::{nearest, question},
};

/// A value and where it stands. The place of a table is its header.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    String(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    /// Dates and times, which no key of an experiment takes.
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

/// A table: its entries in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

/// A key, where it stands, and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

/// A text and the name under which the user knows it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) file: Arc<str>,
    pub(crate) text: Arc<str>,
}

/// The most syntax errors that are reported of one text: one of them may cause many others.
const MOST_REPORTED: usize = 5;

impl Source {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    /// A place in this text. Parsers may point behind the end or into a character; carets cannot.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let boundary = |mut at: usize| {
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(span.start.min(self.text.len()));
        let end = boundary(span.end.clamp(start, self.text.len()));
        Place { file: self.file.clone(), text: self.text.clone(), span: start..end }
    }

    /// Parses the text. Problems of syntax come with whether the table can be used all the same. `tables` are the names
    /// of the tables that there are.
    pub(crate) fn parse(&self, tables: &[&str]) -> (Node, Vec<Problem>, bool) {
        let (table, mut errors) = DeTable::parse_recoverable(&self.text);
        let is_duplicate = |error: &toml::de::Error| error.message() == "duplicate key";
        // The parser keeps the first of two alike, so the rest can be checked.
        let usable = errors.iter().all(is_duplicate);
        let node = Node { value: Value::Table(self.table(table.get_ref(), 0)), place: self.place(0..0) };
        if !usable && self.is_prose() {
            return (node, vec![self.no_experiment()], false);
        }
        // Of one line only the first is reported: what the parser says after it is unreliable.
        let start = |error: &toml::de::Error| error.span().unwrap_or_default().start;
        errors.sort_by_key(start);
        let mut reported = 0;
        errors.retain(|error| {
            if is_duplicate(error) || start(error) < reported {
                return is_duplicate(error);
            }
            let rest = self.text.as_bytes().get(start(error)..).unwrap_or_default();
            reported = start(error) + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()) + 1;
            true
        });
        let more = errors.len().saturating_sub(MOST_REPORTED);
        let mut problems: Vec<_> = errors
            .into_iter()
            .take(MOST_REPORTED)
            .map(|error| {
                let place = self.place(error.span().unwrap_or_default());
                if is_duplicate(&error) {
                    return self.duplicate(place, tables);
                }
                let problem = Problem::new(format!("not valid TOML: {}", error.message()));
                match self.path_in_quotes(&place) {
                    Some(hint) => problem.at(place).hint(hint),
                    None => problem.at(place),
                }
            })
            .collect();
        if let Some(last) = problems.last_mut().filter(|_| more > 0) {
            last.notes.push(format!("and {more} more problems of syntax in `{}`", self.file));
        }
        (node, problems, usable)
    }

    /// What to do about a path with backslashes in double quotes, in which a backslash begins an escape.
    fn path_in_quotes(&self, place: &Place) -> Option<String> {
        let line_start = self.text[..place.span.start].rfind('\n').map_or(0, |end| end + 1);
        let line = self.text[line_start..].lines().next()?;
        let written = line.split('"').nth(1).filter(|written| written.contains('\\'))?;
        let path = written.replace('\\', "/");
        Some(format!("in double quotes a backslash begins an escape: write \"{path}\", or '{written}'"))
    }

    /// Whether hardly a line is a key with its value or the header of a table. Lines of other signs than letters may be
    /// a list's, and say nothing.
    fn is_prose(&self) -> bool {
        let is_key = |key: &str| key.trim_end().chars().all(|sign| sign.is_alphanumeric() || "_-.".contains(sign));
        let is_toml = |line: &str| line.starts_with('[') || line.split_once('=').is_some_and(|(key, _)| is_key(key));
        let speaks = |line: &&str| line.starts_with(|first: char| first.is_alphabetic() || first == '[');
        let lines = self.text.lines().map(str::trim).filter(speaks);
        let (lines, toml) = lines.fold((0, 0), |(lines, toml), line| (lines + 1, toml + usize::from(is_toml(line))));
        toml * 10 < lines
    }

    fn no_experiment(&self) -> Problem {
        Problem::new(format!("`{}` looks like a text, not like an experiment file", self.file))
            .note("hardly a line of it is a key with its value or the header of a table")
            .hint(format!("to train on it, name it in an experiment file, under [dataset]: corpus = \"{}\"", self.file))
    }

    fn duplicate(&self, place: Place, tables: &[&str]) -> Problem {
        let key = self.text[place.span.clone()].trim().to_owned();
        let line = self.text[..place.span.start].rsplit('\n').next().unwrap_or_default();
        // Of two headers one may be misspelt: [sample] and [[sampler]] are a letter apart.
        let others = tables.iter().filter(|table| line.trim_start().starts_with('[') && **table != key);
        let near = nearest(&key, others.copied());
        let hint = match near.as_slice() {
            [] => "keep one of the two".to_owned(),
            near => format!("keep one of the two; {}", question(near)),
        };
        Problem::new(format!("duplicate key `{key}`")).at(place).hint(hint)
    }

    fn table(&self, table: &DeTable<'_>, shift: usize) -> Table {
        let entries = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                place: self.place(key.span().start + shift..key.span().end + shift),
                node: self.node(value.get_ref(), value.span(), shift),
            })
            .collect();
        Table { entries }
    }

    /// A parsed value whose spans begin `shift` bytes into this text.
    pub(crate) fn node(&self, value: &DeValue<'_>, span: Range<usize>, shift: usize) -> Node {
        let place = self.place(span.start + shift..span.end + shift);
        let value = match value {
            DeValue::String(text) => Value::String(text.to_string()),
            // Whatever does not fit is out of every range; the checker says so.
            DeValue::Integer(digits) => {
                Value::Integer(i128::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i128::MAX))
            }
            DeValue::Float(digits) => Value::Float(digits.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(items) => {
                Value::Array(items.iter().map(|item| self.node(item.get_ref(), item.span(), shift)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table, shift)),
        };
        Node { value, place }
    }
}

impl Table {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn entry_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }
}

impl Node {
    pub(crate) fn as_table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    /// Whether it is a table or a list of nothing but tables.
    pub(crate) fn is_tabular(&self) -> bool {
        match &self.value {
            Value::Table(_) => true,
            Value::Array(items) => !items.is_empty() && items.iter().all(|item| item.as_table().is_some()),
            _ => false,
        }
    }

    /// The value at the end of a path of keys.
    pub(crate) fn find(&self, path: &[&str]) -> Option<&Entry> {
        let (last, parents) = path.split_last()?;
        let mut node = self;
        for key in parents {
            node = node.as_table()?.get(key)?;
        }
        node.as_table()?.entry(last)
    }

    /// What it is, with its article.
    pub(crate) fn described(&self) -> &'static str {
        match &self.value {
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number with a fraction",
            Value::Boolean(_) => "a boolean",
            Value::Datetime => "a date or time",
            Value::Array(_) if self.is_tabular() => "a list of tables",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The value without its places. Integers that do not fit become the nearest number.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::String(text) => Json::String(text.clone()),
            Value::Integer(number) => {
                let number = i64::try_from(*number)
                    .map(Number::from)
                    .or_else(|_| u64::try_from(*number).map(Number::from))
                    .ok()
                    .or_else(|| Number::from_f64(*number as f64));
                number.map_or(Json::Null, Json::Number)
            }
            Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Value::Boolean(value) => Json::Bool(*value),
            Value::Datetime => Json::Null,
            Value::Array(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Table(table) => {
                let entries = table.entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json()));
                Json::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

/// Lays a file over the file it is based on: tables are merged key by key, everything else is replaced.
///
/// A table that names another `type` than its base belongs to another plugin, whose keys the base's are not; only the
/// `corpus` of the data set remains. A file that sets one of `steps` and `epochs` thereby drops the base's other one.
pub(crate) fn merge(base: Table, over: Table, path: &str) -> Table {
    let mut merged = base;
    if let (Some(old), Some(new)) = (merged.get("type"), over.get("type"))
        && old.as_str() != new.as_str()
    {
        merged.entries.retain(|entry| path == "dataset" && entry.key == "corpus");
    }
    if path == "train" {
        for (one, other) in [("steps", "epochs"), ("epochs", "steps")] {
            if over.get(one).is_some() && over.get(other).is_none() {
                merged.remove(other);
            }
        }
    }
    for mut entry in over.entries {
        let inner = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        match merged.entry_mut(&entry.key) {
            Some(known) => {
                if let (Value::Table(below), Value::Table(above)) = (&mut known.node.value, &mut entry.node.value) {
                    let table = merge(std::mem::take(below), std::mem::take(above), &inner);
                    entry.node.value = Value::Table(table);
                }
                *known = entry;
            }
            None => merged.entries.push(entry),
        }
    }
    merged
}
