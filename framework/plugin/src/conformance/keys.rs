//! What every plugin must keep to, whatever its kind: its name, its documentation and its keys.
//!
//! | check | finds |
//! | --- | --- |
//! | kebab-case | a name or key that an experiment file would have to spell differently from all others |
//! | documented | a type without documentation: `hatchery plugins show` would print nothing |
//! | documented with an example | no ` ```toml ` example, or one that names another plugin or a key that is gone |
//! | keys documented | a key of which the book's table would not say what it does |
//! | unknown key refused | `deny_unknown_fields` forgotten: typos would go unnoticed |
//! | built again from its resolved keys | a checkpoint could not be read back, or would mean something else |

use serde_json::{Map, Value};

use super::report::{Report, Verdict};
use crate::{Build, Kind, PluginError, Variant};

/// Makes the checks of this file.
pub(super) fn check(report: &mut Report, variant: &Variant, keys: &Value) {
    report.run("kebab-case", || kebab_case(variant));
    report.run("documented", || documented(variant));
    report.run("documented with an example", || example(variant));
    report.run("keys documented", || keys_documented(variant));
    report.run("unknown key refused", || unknown_key_refused(variant, keys));
    // Keys that are refused are the next check's.
    if resolve(variant, keys.clone()).is_ok() {
        report.run("built again from its resolved keys", || built_again(variant, keys));
    }
}

fn kebab_case(variant: &Variant) -> Verdict {
    let is_kebab = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.split('-').all(|word| {
                !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            })
    };
    if !is_kebab(variant.name) {
        return Err(format!("the name `{}` is not kebab-case: lower-case words joined by hyphens", variant.name));
    }
    let keys = own_keys(&variant.schema);
    match keys.iter().find(|(key, _)| !is_kebab(key)) {
        Some((key, _)) => {
            Err(format!("the key `{key}` is not kebab-case; put `#[serde(rename_all = \"kebab-case\")]` on the type"))
        }
        None => Ok(format!("`{}` and {} keys", variant.name, keys.len())),
    }
}

fn documented(variant: &Variant) -> Verdict {
    let first = variant.doc.lines().next().unwrap_or_default().trim();
    if first.is_empty() || first.starts_with("```") {
        return Err("the type's documentation must open with a line that says what it is, or what it computes".into());
    }
    Ok(first.to_owned())
}

fn example(variant: &Variant) -> Verdict {
    let (kind, name) = (variant.kind(), variant.name);
    let Some((_, rest)) = variant.doc.split_once("```toml\n") else {
        return Err(format!("the type's documentation has no ```toml example of a table with `type = \"{name}\"`"));
    };
    let example = rest.split("```").next().unwrap_or_default();
    // The tables of the example, each with its keys. A full parser is not needed: what is compared is the left of `=`.
    let tables: Vec<Vec<(&str, &str)>> = example
        .split("\n[")
        .map(|table| {
            let lines = table.lines().filter(|line| !line.trim_start().starts_with('#'));
            lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim())).collect()
        })
        .collect();
    let quoted = format!("\"{name}\"");
    let is_own = |table: &&Vec<(&str, &str)>| {
        table.iter().any(|(key, value)| *key == "type" && value.split('#').next().is_some_and(|v| v.trim() == quoted))
    };
    let Some(own) = tables.iter().find(is_own) else {
        // A wrapper is in the table of a cell, as an item of a list.
        let is_wrapped = |(key, value): &(&str, &str)| *key == "wrap" && value.contains(&quoted);
        if matches!(variant.build, Build::Wrapper(_)) && tables.iter().flatten().any(is_wrapped) {
            return Ok("in a cell's `wrap`".to_owned());
        }
        return Err(format!("the ```toml example of the documentation has no line `type = {quoted}`"));
    };
    let known = own_keys(&variant.schema);
    let is_known = |key: &str| {
        let key = key.trim_matches('"');
        let root = key.split('.').next().unwrap_or(key);
        root == "type" || (kind == Kind::Dataset && root == "corpus") || known.iter().any(|(name, _)| name == root)
    };
    match own.iter().find(|(key, _)| !is_known(key)) {
        Some((key, _)) => Err(format!(
            "the example sets `{key}`, which this {kind} does not have; its keys: {}",
            known.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
        )),
        None => Ok(format!("{} keys", own.len())),
    }
}

fn keys_documented(variant: &Variant) -> Verdict {
    let mut keys = own_keys(&variant.schema);
    // Keys of tables within the plugin's table.
    if let Some(Value::Object(inner)) = variant.schema.get("$defs") {
        keys.extend(inner.values().flat_map(own_keys));
    }
    let is_silent = |schema: &Value| {
        // The tag of an enumeration is a constant: its variant is what has documentation.
        schema.get("const").is_none()
            && schema.get("description").and_then(Value::as_str).is_none_or(|text| text.trim().is_empty())
    };
    let silent: Vec<_> =
        keys.iter().filter(|(_, schema)| is_silent(schema)).map(|(key, _)| format!("`{key}`")).collect();
    if silent.is_empty() {
        Ok(format!("{} keys", keys.len()))
    } else {
        Err(format!("without documentation: {}; write a `///` line above the field", silent.join(", ")))
    }
}

fn unknown_key_refused(variant: &Variant, keys: &Value) -> Verdict {
    const UNKNOWN: &str = "no-such-key-in-any-plugin";
    let mut keys = keys.as_object().cloned().unwrap_or_default();
    keys.insert(UNKNOWN.to_owned(), Value::from(1));
    match resolve(variant, Value::Object(keys)) {
        Err(fault) => Ok(fault.message),
        Ok(_) => Err(format!("it accepts the key `{UNKNOWN}`; put `#[serde(deny_unknown_fields)]` on the type")),
    }
}

fn built_again(variant: &Variant, keys: &Value) -> Verdict {
    let refused = |what: &str, keys: &Value, fault: &PluginError| format!("it refuses {what} {keys}: {fault}");
    let resolved = resolve(variant, keys.clone()).map_err(|fault| refused("its keys", keys, &fault))?;
    let Value::Object(table) = &resolved else {
        return Err(format!("its keys are written back as {resolved}, which is not a table"));
    };
    if let Some(lost) = keys.as_object().into_iter().flat_map(Map::keys).find(|key| !table.contains_key(*key)) {
        return Err(format!("`{lost}` was given and is not among the keys written back: {resolved}"));
    }
    let again = resolve(variant, resolved.clone())
        .map_err(|fault| refused("the keys that it wrote itself,", &resolved, &fault))?;
    if again == resolved {
        Ok(resolved.to_string())
    } else {
        Err(format!("built from {resolved} it writes {again}: reading and writing must be each other's inverse"))
    }
}

/// The keys with every default filled in.
fn resolve(variant: &Variant, keys: Value) -> Result<Value, PluginError> {
    match &variant.build {
        Build::Dataset(build) => build(keys).map(|(_, resolved)| resolved),
        Build::Cell(build) => build(keys).map(|(_, resolved)| resolved),
        Build::Wrapper(build) => build(keys).map(|(_, resolved)| resolved),
        Build::Clipper(build) => build(keys).map(|(_, resolved)| resolved),
        Build::Sampler(build) => build(keys).map(|(_, resolved)| resolved),
    }
}

/// The keys of a schema and what it says of each; for an enumeration, those of all its variants.
fn own_keys(schema: &Value) -> Vec<(String, Value)> {
    let branches = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    let own = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    own.map(|(key, value)| (key.clone(), value.clone())).chain(branches.flat_map(own_keys)).collect()
}

/// The keys with each other value of each flag and enumeration in turn: a mistake may be in the branch of an option.
pub fn options(variant: &Variant, keys: &Value) -> Vec<Value> {
    let given = keys.as_object().cloned().unwrap_or_default();
    let resolved = resolve(variant, keys.clone()).unwrap_or_default();
    let mut found = Vec::new();
    for (key, schema) in own_keys(&variant.schema) {
        for value in words(&schema, &variant.schema).into_iter().filter(|value| resolved.get(&key) != Some(value)) {
            let mut changed = given.clone();
            changed.insert(key.clone(), value);
            found.push(Value::Object(changed));
        }
    }
    found
}

/// The values of a flag or an enumeration; none of a key that may have any.
fn words(schema: &Value, root: &Value) -> Vec<Value> {
    let inner = |schema: &Value| words(schema, root);
    if schema.get("type").and_then(Value::as_str) == Some("boolean") {
        return vec![Value::Bool(false), Value::Bool(true)];
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().filter(|value| !value.is_null()).cloned().collect();
    }
    if let Some(value) = schema.get("const") {
        return vec![value.clone()];
    }
    let named = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
    if let Some(definition) = named.and_then(|name| root.get("$defs")?.get(name)) {
        return inner(definition);
    }
    let branches = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    branches.flat_map(inner).collect()
}
