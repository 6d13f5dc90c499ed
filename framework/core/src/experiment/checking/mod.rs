//! The schema of experiment files, and descriptions of the keys of each table.
//!
//! The schema is composed of those of the types that serde reads and of the plugins, so that parsing, "did you mean",
//! `plugins show` and the tables of the book come from one definition.

mod cells;
pub(crate) mod layers;
pub(crate) mod rules;
pub(crate) mod schema;
mod spot;
mod synonyms;
mod values;
pub(crate) mod walk;

use hatchery_plugin::{Build, Kind, Variant};
use schemars::{JsonSchema, SchemaGenerator, schema_for};
use serde_json::{Map, Value, json};

use self::schema::{Schemas, alternatives, properties, required};
use super::{Corpus, Experiment, write};
use crate::{
    error::{Problem, Result},
    plugins::{Entry, Registry},
    suggest,
};

/// The description of a key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// The type and limits of its value: `integer, at least 1`.
    pub kind: String,
    /// The default, as TOML.
    pub default: Option<String>,
    /// Whether it is required.
    pub required: bool,
    /// Its documentation.
    pub doc: String,
}

/// The JSON schema of experiment files: that of [`Experiment`], with the schemas of the registry's plugins in the tables
/// of plugins.
pub fn schema(registry: &Registry) -> Value {
    let mut definitions = Map::new();
    let corpus = Corpus::json_schema(&mut SchemaGenerator::default()).to_value();
    let tables: Vec<(Kind, Value)> =
        Kind::ALL.into_iter().map(|kind| (kind, plugin_tables(kind, registry, &corpus, &mut definitions))).collect();
    let mut schema = schema_for!(Experiment).to_value();
    let defs = &mut schema["$defs"];
    if let Some(defs) = defs.as_object_mut() {
        defs.retain(|name, _| name != "Part" && name != "DatasetPart" && name != "CellPart");
        defs.extend(definitions);
    }
    for (kind, table) in tables {
        if kind == Kind::Cell {
            put_tables(&mut schema["properties"]["layer"], cells::with_dropout(table.clone()));
        }
        put_tables(&mut schema["properties"][kind.word()], table);
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!("cell"));
    }
    schema["properties"]["base"] = json!({
        "type": "string",
        "minLength": 1,
        "description": "Another experiment file, relative to this one, over which this one is laid."
    });
    schema
}

/// Puts the forms of a table in the place of its schema: either the table itself or the items of a list of such tables.
fn put_tables(property: &mut Value, tables: Value) {
    let place = if property.get("items").is_some() { &mut property["items"] } else { property };
    if let Some(place) = place.as_object_mut() {
        ["$ref", "anyOf", "default"].into_iter().for_each(|key| {
            place.remove(key);
        });
        place.insert("oneOf".to_owned(), tables);
    }
}

/// The schema for editors and validators: a file that is based on another may lack what that one has.
pub fn editor_schema(registry: &Registry) -> Value {
    let mut schema = schema(registry);
    let Some(root) = schema.as_object_mut() else { return schema };
    root.insert("title".to_owned(), json!("Hatchery experiment"));
    let mut required = root.remove("required").unwrap_or_default();
    // Or [[layer]].
    required.as_array_mut().into_iter().for_each(|keys| keys.retain(|key| key != "cell"));
    root.insert("if".to_owned(), json!({ "required": ["base"] }));
    root.insert("else".to_owned(), json!({ "required": required }));
    for kind in Kind::ALL {
        let property = &mut root["properties"][kind.word()];
        let place = if property.get("items").is_some() { &mut property["items"] } else { property };
        let entries = || registry.of(kind).filter(|entry| !is_wrapper(entry));
        let names: Vec<_> = entries().map(|entry| json!(entry.variant.name)).collect();
        for (table, entry) in place["oneOf"].as_array_mut().into_iter().flatten().zip(entries()) {
            describe(table, &entry.variant);
        }
        // In a file that is based on another a table may lack its type, and then has keys of any.
        let Some(place) = place.as_object_mut().filter(|_| !is_list(kind)) else { continue };
        let forms = place.remove("oneOf").unwrap_or_default();
        place.insert("type".to_owned(), json!("object"));
        place.insert("properties".to_owned(), json!({ "type": { "type": "string", "enum": names } }));
        place.insert("if".to_owned(), json!({ "required": ["type"] }));
        place.insert("then".to_owned(), json!({ "oneOf": forms }));
    }
    schema
}

fn is_wrapper(entry: &Entry) -> bool {
    matches!(entry.variant.build, Build::Wrapper(_))
}

/// Whether an experiment may have several plugins of a kind.
fn is_list(kind: Kind) -> bool {
    matches!(kind, Kind::Clipper | Kind::Sampler)
}

/// Adds the documentation of a plugin to its table, and says that it has no other keys.
fn describe(table: &mut Value, variant: &Variant) {
    let doc = variant.doc.split("```toml").next().unwrap_or_default().trim();
    table["description"] = json!(doc);
    table["properties"]["type"]["description"] = json!(doc.lines().next().unwrap_or_default());
    if table.get("additionalProperties").is_none() {
        table["additionalProperties"] = json!(false);
    }
}

/// The keys in the example of a plugin's documentation, without `type` and `corpus`. Empty if there is no example.
///
/// # Errors
/// When the example is not TOML, or has no table for the plugin.
pub fn example(variant: &Variant) -> Result<Value> {
    let (kind, name) = (variant.kind(), variant.name);
    let broken =
        |what: String| Problem::new(format!("the example in the documentation of the {kind} `{name}`: {what}"));
    let Some(text) = variant.doc.split_once("```toml\n").and_then(|(_, rest)| rest.split("```").next()) else {
        return Ok(json!({}));
    };
    let text = text.to_owned();
    let mut page: toml::Table = text.parse().map_err(|error| broken(format!("{error}")))?;
    let is_own = |table: &toml::Table| table.get("type").and_then(toml::Value::as_str) == Some(name);
    let table = match page.remove(kind.word()) {
        Some(toml::Value::Table(table)) => Some(table).filter(is_own),
        Some(toml::Value::Array(tables)) => tables.into_iter().filter_map(|table| table.try_into().ok()).find(is_own),
        _ => None,
    };
    let table = table.or_else(|| matches!(variant.build, Build::Wrapper(_)).then(|| wrap(&text, name)).flatten());
    let mut table = table.ok_or_else(|| broken(format!("it has no {kind} of this name")))?;
    table.remove("type");
    table.remove("corpus");
    serde_json::to_value(table).map_err(|error| broken(error.to_string()).into())
}

/// The table of a wrapper in an example: an item of `wrap`, in the table of a cell.
fn wrap(text: &str, name: &str) -> Option<toml::Table> {
    let page: toml::Table = text.parse().ok()?;
    let table = |item: &toml::Value| match item {
        toml::Value::String(word) => (word == name).then(toml::Table::new),
        toml::Value::Table(table) => (table.get("type")?.as_str() == Some(name)).then(|| table.clone()),
        _ => None,
    };
    page.get("cell")?.get("wrap")?.as_array()?.iter().find_map(table)
}

/// The keys of a table with this schema, in which `$ref`s are resolved. If the table has several forms, the keys of all.
pub fn keys(schema: &Value) -> Vec<Key> {
    keys_within(schema, schema)
}

/// The keys of one of the framework's own tables: `""` for the keys outside of all tables, `"train"`,
/// `"train.smoothing"`; a form of a table that has several by its name, `"optimizer.adam"`. None for the tables of
/// plugins, whose keys are theirs, and for tables that do not exist.
pub fn table_keys(table: &str) -> Vec<Key> {
    let root = schema_for!(Experiment).to_value();
    let schemas = Schemas::new(&root);
    let mut schema = &root;
    for name in table.split('.').filter(|name| !name.is_empty()) {
        let inner = properties(schema).find(|(key, _)| *key == name).map(|(_, inner)| inner);
        let variant = || {
            let forms = alternatives(schema)?;
            let at = schemas.tag(&forms)?.names.iter().position(|known| *known == name)?;
            forms.get(at).copied()
        };
        let Some(found) = inner.or_else(variant) else { return Vec::new() };
        schema = schemas.resolve(found);
    }
    keys_within(&root, schema)
}

fn keys_within(root: &Value, schema: &Value) -> Vec<Key> {
    let schemas = Schemas::new(root);
    let schema = schemas.resolve(schema);
    let forms = alternatives(schema).unwrap_or_default();
    let forms: Vec<_> = forms.into_iter().map(|form| schemas.resolve(form)).collect();
    let mut keys: Vec<Key> = Vec::new();
    if let Some(tag) = schemas.tag(&forms).filter(|tag| !tag.names.is_empty()) {
        let names: Vec<_> = tag.names.iter().map(|name| format!("\"{name}\"")).collect();
        let kind = suggest::either(&names);
        keys.push(Key { name: tag.key.to_owned(), kind, default: None, required: true, doc: String::new() });
    }
    for form in std::iter::once(schema).chain(forms.iter().copied()) {
        for (name, property) in properties(form) {
            if keys.iter().any(|key| key.name == name) {
                continue;
            }
            let doc = |schema: &Value| schema.get("description").and_then(Value::as_str).map(str::to_owned);
            keys.push(Key {
                name: name.to_owned(),
                kind: schemas.kind(property),
                default: property.get("default").filter(|default| !default.is_null()).map(write::value),
                required: required(form).any(|key| key == name),
                doc: doc(property).or_else(|| doc(schemas.resolve(property))).unwrap_or_default(),
            });
        }
    }
    keys
}

/// The forms of a table for plugins of this kind. The definitions in their schemas are moved to `definitions`, with the
/// plugin's name as a prefix.
fn plugin_tables(kind: Kind, registry: &Registry, corpus: &Value, definitions: &mut Map<String, Value>) -> Value {
    let (wrappers, others): (Vec<&Entry>, Vec<&Entry>) = registry.of(kind).partition(|entry| is_wrapper(entry));
    let tables = forms(kind, others, corpus, definitions);
    if kind != Kind::Cell {
        return tables;
    }
    cells::with_wrappers(tables, forms(kind, wrappers, corpus, definitions))
}

/// The forms of a table for these plugins.
fn forms(kind: Kind, entries: Vec<&Entry>, corpus: &Value, definitions: &mut Map<String, Value>) -> Value {
    let tables = entries.into_iter().map(|entry| {
        let name = entry.variant.name;
        let mut table = entry.variant.schema.clone();
        let prefix = format!("{kind}-{name}");
        if redirect(&mut table, &prefix) {
            definitions.insert(prefix.clone(), table.clone());
        }
        let Some(object) = table.as_object_mut() else { return json!({ "properties": { "type": { "const": name } } }) };
        object.remove("$schema");
        if let Some(Value::Object(own)) = object.remove("$defs") {
            definitions.extend(own.into_iter().map(|(inner, schema)| (format!("{prefix}-{inner}"), schema)));
        }
        let mut keys = Map::new();
        keys.insert("type".to_owned(), json!({ "type": "string", "const": name }));
        let mut needed = vec![json!("type")];
        if kind == Kind::Dataset {
            keys.insert("corpus".to_owned(), corpus.clone());
            needed.push(json!("corpus"));
        }
        if let Some(Value::Object(own)) = object.remove("properties") {
            keys.extend(own);
        }
        if let Some(Value::Array(own)) = object.remove("required") {
            needed.extend(own);
        }
        object.insert("properties".to_owned(), Value::Object(keys));
        object.insert("required".to_owned(), Value::Array(needed));
        table
    });
    tables.collect()
}

/// Rewrites references within a plugin's schema for its new place; returns whether one was to the schema itself.
fn redirect(schema: &mut Value, prefix: &str) -> bool {
    match schema {
        Value::Array(items) => {
            let mut found = false;
            for item in items {
                found |= redirect(item, prefix);
            }
            found
        }
        Value::Object(entries) => entries.iter_mut().fold(false, |found, (key, value)| match value {
            Value::String(pointer) if key == "$ref" => {
                let inner = pointer.strip_prefix("#/$defs/").map(|inner| format!("-{inner}"));
                *pointer = format!("#/$defs/{prefix}{}", inner.as_deref().unwrap_or_default());
                found || inner.is_none()
            }
            value => redirect(value, prefix) || found,
        }),
        _ => false,
    }
}
