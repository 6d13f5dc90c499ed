//! `--set KEY=VALUE`: values from the command line, which override those of the file.
//!
//! They are checked as a file's values are; their place in messages is the argument.

use toml::de::DeValue;

use super::spanned::{Entry, Node, Source, Table, Value};
use crate::{
    error::{Place, Problem},
    experiment::checking::schema::Schemas,
};

/// The name of the command line as the source of a value.
pub(crate) const FLAG: &str = "--set";

/// Applies one `KEY=VALUE` to an experiment. The key is a path: `cell.hidden`, `clipper.0.limit`. The value is TOML; a
/// word that is not valid TOML is taken as a string.
///
/// Setting one of `train.steps` and `train.epochs` removes the file's other one. Setting another `type` removes the
/// file's keys that the new type lacks.
pub(crate) fn apply(
    argument: &str,
    experiment: &mut Node,
    schemas: Schemas<'_>,
    root: &serde_json::Value,
) -> Result<(), Problem> {
    let source = Source::new(FLAG, &format!("{FLAG} {argument}"));
    let start = FLAG.len() + 1;
    let Some(equals) = argument.find('=') else {
        return Err(Problem::new("a value is missing")
            .at(source.place(start..start + argument.len()))
            .hint(format!("write `{FLAG} KEY=VALUE`, for example `{FLAG} train.steps=10`")));
    };
    let path = segments(&argument[..equals], start, &source)?;
    let value = parse(argument, equals + 1, &source)?;
    if let [(key, place)] = path.as_slice()
        && *key == "base"
    {
        return Err(Problem::new("`base` cannot be set on the command line")
            .at(place.clone())
            .hint("name that file itself"));
    }
    put(experiment, &path, value)?;
    let keys: Vec<&str> = path.iter().map(|(key, _)| *key).collect();
    match keys.as_slice() {
        ["train", "steps"] => drop_from_file(experiment, "epochs"),
        ["train", "epochs"] => drop_from_file(experiment, "steps"),
        [table @ .., "type"] => retain_known(experiment, table, schemas, root),
        _ => {}
    }
    Ok(())
}

/// The maximum number of a key's parts, more than any plugin needs.
const DEEPEST: usize = 64;

fn segments<'a>(key: &'a str, start: usize, source: &Source) -> Result<Vec<(&'a str, Place)>, Problem> {
    if key.split('.').count() > DEEPEST {
        return Err(Problem::new(format!("a key of more than {DEEPEST} parts"))
            .at(source.place(start..start + key.len()))
            .hint(format!("write it as in `{FLAG} cell.hidden=64`")));
    }
    let mut at = start;
    let mut path = Vec::new();
    for segment in key.split('.') {
        let name = segment.trim();
        let begin = at + (segment.len() - segment.trim_start().len());
        let place = source.place(begin..begin + name.len());
        if name.is_empty() {
            return Err(Problem::new("a part of the key is empty")
                .at(source.place(start..start + key.len()))
                .hint(format!("write it as in `{FLAG} cell.hidden=64`")));
        }
        path.push((name, place));
        at += segment.len() + 1;
    }
    Ok(path)
}

fn parse(argument: &str, from: usize, source: &Source) -> Result<Node, Problem> {
    let shift = FLAG.len() + 1 + from;
    let written = &argument[from..];
    let text = written.trim();
    let whole = source.place(shift..shift + written.len());
    if text.is_empty() {
        return Err(Problem::new("the value is empty").at(whole).hint("for an empty text write `\"\"`"));
    }
    let (value, errors) = DeValue::parse_recoverable(text);
    let shift = shift + (written.len() - written.trim_start().len());
    if errors.is_empty() {
        return Ok(source.node(value.get_ref(), value.span(), shift));
    }
    // A value that begins like TOML must be TOML.
    if text.starts_with(['"', '\'', '[', '{']) {
        let error = &errors[0];
        let span = error.span().unwrap_or_default();
        return Err(Problem::new(format!("not valid TOML: {}", error.message()))
            .at(source.place(span.start + shift..span.end + shift)));
    }
    Ok(Node { value: Value::String(text.to_owned()), place: source.place(shift..shift + text.len()) })
}

fn put(node: &mut Node, path: &[(&str, Place)], value: Node) -> Result<(), Problem> {
    let Some(((key, place), rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    if let Value::Array(items) = &mut node.value {
        return put_item(items, key, place, rest, value);
    }
    if node.as_table().is_none() {
        // Not a table: the check will report the expected type.
        *node = Node { value: Value::Table(Table::default()), place: place.clone() };
    }
    let Value::Table(table) = &mut node.value else { return Ok(()) };
    if let Some(entry) = table.entry_mut(key) {
        if rest.is_empty() {
            // Problems with the value are reported at the key.
            entry.place = place.clone();
        }
        return put(&mut entry.node, rest, value);
    }
    let starts_list = rest.first().is_some_and(|(next, _)| next.parse::<usize>().is_ok());
    let inner = if starts_list { Value::Array(Vec::new()) } else { Value::Table(Table::default()) };
    let mut node = Node { value: inner, place: place.clone() };
    put(&mut node, rest, value)?;
    table.entries.push(Entry { key: (*key).to_owned(), place: place.clone(), node });
    Ok(())
}

fn put_item(
    items: &mut Vec<Node>,
    key: &str,
    place: &Place,
    rest: &[(&str, Place)],
    value: Node,
) -> Result<(), Problem> {
    let count = items.len();
    let entries = if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
    let Ok(index) = key.parse::<usize>() else {
        return Err(Problem::new(format!("`{key}` is not the index of an entry in a list"))
            .at(place.clone())
            .note(format!("the list has {entries}, counted from 0"))
            .hint(format!("name the entry first: `{}`", numbered(place))));
    };
    if index > count {
        return Err(Problem::new(format!("there is no entry {index}"))
            .at(place.clone())
            .note(format!("the list has {entries}, counted from 0; number {count} would add one")));
    }
    if index == count {
        items.push(Node { value: Value::Table(Table::default()), place: place.clone() });
    }
    put(&mut items[index], rest, value)
}

/// The argument with the number of the first entry before the key at a place: `clipper.0.limit=1`.
fn numbered(place: &Place) -> String {
    let (before, after) = place.text.split_at(place.span.start);
    format!("{}0.{after}", before.strip_prefix(FLAG).unwrap_or(before).trim_start())
}

fn drop_from_file(experiment: &mut Node, key: &str) {
    let Value::Table(table) = &mut experiment.value else { return };
    if let Some(Entry { node: Node { value: Value::Table(train), .. }, .. }) = table.entry_mut("train") {
        train.entries.retain(|entry| entry.key != key || is_set(entry));
    }
}

/// Removes the file's keys of a table that its new type lacks.
fn retain_known(experiment: &mut Node, path: &[&str], schemas: Schemas<'_>, root: &serde_json::Value) {
    let (mut node, mut schema) = (experiment, root);
    for key in path {
        let forms = schemas.table_forms(schema);
        node = match &mut node.value {
            Value::Array(items) => match key.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                // The schema of the list applies to its items: both have the same forms.
                Some(item) => item,
                None => return,
            },
            Value::Table(table) => {
                let Ok(fields) = schemas.fields(&forms, table) else { return };
                let (Some(inner), Some(entry)) = (fields.get(key), table.entry_mut(key)) else { return };
                schema = inner;
                &mut entry.node
            }
            _ => return,
        };
    }
    let Value::Table(table) = &mut node.value else { return };
    if let Ok(fields) = schemas.fields(&schemas.table_forms(schema), table) {
        table.entries.retain(|entry| is_set(entry) || fields.get(&entry.key).is_some());
    }
}

fn is_set(entry: &Entry) -> bool {
    &*entry.place.file == FLAG
}
