//! Reading a library's manifest, strictly and before anything else of the library is used.

use hatchery_plugin::wire::{BURN_IR, INTERFACE, Manifest};
use serde_json::Value;

use crate::error::Problem;

/// Reads and checks a manifest. `file` is the library, for messages.
///
/// # Errors
/// What is wrong with it: versions first, for with another one the rest may have another meaning.
pub fn read(bytes: &[u8], file: &str) -> Result<Manifest, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| broken(file, &error.to_string()))?;
    let package = described(&value);
    match value.get("interface").and_then(Value::as_u64) {
        Some(found) if found == u64::from(INTERFACE) => {}
        Some(found) => {
            return Err(Problem::new(format!("`{file}` is for another version of Hatchery's plugin interface"))
                .note(format!("{package}: interface {found}"))
                .note(format!("this Hatchery: interface {INTERFACE}"))
                .hint(REBUILD));
        }
        None => return Err(broken(file, "it has no `interface`")),
    }
    match value.get("burn-ir").and_then(Value::as_str) {
        Some(BURN_IR) => {}
        Some(found) => {
            return Err(Problem::new(format!("`{file}` was built with another version of Burn"))
                .note(format!("{package}: burn-ir {found}"))
                .note(format!("this Hatchery: burn-ir {BURN_IR}"))
                .hint(REBUILD));
        }
        None => return Err(broken(file, "it has no `burn-ir`")),
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(|error| broken(file, &error.to_string()))?;
    let is_line = |text: &String| text.len() <= 100 && !text.chars().any(char::is_control);
    if ![&manifest.package, &manifest.version].into_iter().all(is_line) {
        return Err(broken(file, "`package` and `version` are lines of at most 100 bytes"));
    }
    for (index, listed) in manifest.plugins.iter().enumerate() {
        let (kind, name) = (listed.kind, &listed.name);
        let is_word = |name: &str| {
            let sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
            !name.is_empty() && name.len() <= 100 && name.chars().all(sign)
        };
        if !is_word(name) {
            return Err(broken(file, &format!("the {kind} name {name:?} does not consist of a-z, 0-9 and -")));
        }
        if manifest.plugins[..index].iter().any(|other| other.kind == kind && other.name == *name) {
            return Err(
                Problem::new(format!("`{file}` has two {kind}s named `{name}`")).hint("give one of them another name")
            );
        }
        if !listed.schema.is_object() {
            return Err(broken(file, &format!("the schema of the {kind} `{name}` is not a table")));
        }
    }
    Ok(manifest)
}

/// What repairs a library of another version.
pub(super) const REBUILD: &str =
    "build the plugin again, in its folder: cargo update -p hatchery-plugin && cargo build --release";

fn broken(file: &str, what: &str) -> Problem {
    Problem::new(format!("the manifest of `{file}` cannot be read: {what}"))
        .hint("see what differs: hatchery plugins doctor FILE")
}

fn described(value: &Value) -> String {
    let word = |key| value.get(key).and_then(Value::as_str).unwrap_or("?");
    format!("{} {}", word("package"), word("version"))
}
