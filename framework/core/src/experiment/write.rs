//! Writing an experiment as TOML.
//!
//! Own code for the layout only, so that the result reads like a file written by hand: single keys first, then a
//! table each. Values are written by the `toml` crate.

use serde_json::{Map, Value};

use super::Experiment;

impl Experiment {
    /// The whole experiment as TOML, every default included. Reading it gives an equal experiment.
    ///
    /// # Panics
    /// Never: every experiment can be written.
    pub fn to_toml(&self) -> String {
        let Value::Object(entries) = serde_json::to_value(self).expect("its keys are strings and its numbers finite")
        else {
            unreachable!("a struct is written as a table");
        };
        let mut text = String::new();
        table(&mut text, "", &entries);
        text
    }
}

/// The entries of a table: its own keys, then its tables under their headers.
fn table(text: &mut String, path: &str, entries: &Map<String, Value>) {
    for (name, entry) in entries {
        if !entry.is_null() && !entry.is_object() && !is_tables(entry) {
            text.push_str(&format!("{} = {}\n", key(name), value(entry)));
        }
    }
    for (name, entry) in entries {
        let path = if path.is_empty() { key(name) } else { format!("{path}.{}", key(name)) };
        match entry {
            Value::Object(inner) => {
                text.push_str(&format!("\n[{path}]\n"));
                table(text, &path, inner);
            }
            Value::Array(items) if is_tables(entry) => {
                for item in items.iter().filter_map(Value::as_object) {
                    text.push_str(&format!("\n[[{path}]]\n"));
                    table(text, &path, item);
                }
            }
            _ => {}
        }
    }
}

fn is_tables(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_object))
}

/// A value on one line.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        // The crate writes no integer above the 64 bits with sign that TOML promises; a seed may have one bit more.
        Value::Number(number) if number.is_u64() || number.is_i64() => number.to_string(),
        Value::Number(number) => toml::Value::Float(number.as_f64().unwrap_or(f64::NAN)).to_string(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter(|item| !item.is_null()).map(self::value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries = entries.iter().filter(|(_, entry)| !entry.is_null());
            let entries: Vec<_> =
                entries.map(|(name, entry)| format!("{} = {}", key(name), self::value(entry))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Bool(value) => value.to_string(),
        Value::Null => String::new(),
    }
}

/// A value as a table shows it: a text without quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| self::value(value), str::to_owned)
}

fn key(name: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { string(name) }
}

fn string(text: &str) -> String {
    // The crate would break a text with line ends over several lines, where a table wants one.
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
