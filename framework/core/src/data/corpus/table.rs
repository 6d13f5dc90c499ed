//! A column of a table as texts: CSV, values separated by tabs, and JSON lines.

use std::path::Path;

use serde_json::Value;

use crate::{
    error::{Problem, Result},
    suggest::{nearest, question},
};

/// The endings of the files that are read, for messages.
const ENDINGS: &str = ".csv, .tsv, .tab, .jsonl, .ndjson";

/// The values of a column, in order; a table begins with the names of its columns. What the file is, its ending says.
///
/// # Errors
/// When the ending is another, when there is no such column, and when a row has no text in it.
pub(super) fn column(name: &str, text: &str, column: &str) -> Result<Vec<String>> {
    let ending = Path::new(name).extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("csv") => {
            // Where the comma separates decimals, the semicolon separates values.
            let head = text.lines().next().unwrap_or_default();
            let delimiter = if head.contains(';') && !head.contains(',') { b';' } else { b',' };
            values(csv::ReaderBuilder::new().delimiter(delimiter), name, text, column)
        }
        Some("tsv" | "tab") => values(csv::ReaderBuilder::new().delimiter(b'\t'), name, text, column),
        Some("jsonl" | "ndjson") => members(name, text, column),
        _ => Err(Problem::new(format!("`{name}` is not known to be a table"))
            .note(format!("`column` is of files that end in {ENDINGS}"))
            .hint("rename the file, or leave `column` out")
            .into()),
    }
}

fn values(reader: &csv::ReaderBuilder, name: &str, text: &str, column: &str) -> Result<Vec<String>> {
    let broken = |error: csv::Error| Problem::new(format!("`{name}` cannot be read as a table: {error}"));
    let mut reader = reader.from_reader(text.as_bytes());
    let names = reader.headers().map_err(broken)?.clone();
    let place = names.iter().position(|known| known.trim() == column).ok_or_else(|| {
        let problem = Problem::new(format!("`{name}` has no column `{column}`"))
            .note(format!("its first line has: {}", names.iter().collect::<Vec<_>>().join(", ")));
        let near = nearest(column, names.iter());
        if near.is_empty() { problem } else { problem.hint(question(&near)) }
    })?;
    if names.iter().filter(|known| known.trim() == column).count() > 1 {
        return Err(Problem::new(format!("`{name}` has several columns `{column}`"))
            .hint("give each a name of its own in its first line")
            .into());
    }
    let mut found = Vec::new();
    for row in reader.records() {
        found.push(row.map_err(broken)?.get(place).unwrap_or_default().to_owned());
    }
    Ok(found)
}

fn members(name: &str, text: &str, column: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = |what: String| Problem::new(format!("line {} of `{name}` {what}", number + 1));
        let mut row: Value = serde_json::from_str(line).map_err(|error| at(format!("is not JSON: {error}")))?;
        match row.get_mut(column).map(Value::take) {
            Some(Value::String(text)) => found.push(text),
            Some(other) => return Err(at(format!("has no text in `{column}` but {other}")).into()),
            None => {
                let known = row.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
                return Err(at(format!("has no `{column}`"))
                    .note(format!("it has: {}", known.collect::<Vec<_>>().join(", ")))
                    .into());
            }
        }
    }
    Ok(found)
}
