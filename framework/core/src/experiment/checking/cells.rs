//! The schema of a cell's table: beside the keys of the plugin, those of the framework.

use serde_json::{Map, Value, json};

/// The forms of a cell's table with the keys `wrap` and `penalties`.
pub(super) fn with_wrappers(cells: Value, wrappers: Value) -> Value {
    let names: Vec<Value> = forms(&wrappers).map(|form| form["properties"]["type"]["const"].clone()).collect();
    let words = json!({ "type": "string", "enum": names });
    let items = json!({ "anyOf": [words, { "oneOf": wrappers }] });
    let wrap = json!({
        "type": "array",
        "items": items,
        "description": "Wrappers around the cell, the last outermost: the name of each, or a table with its keys."
    });
    let penalties = json!({
        "type": "object",
        "properties": {},
        "additionalProperties": { "type": "number" },
        "description": "Vectors of the state that are added to what training minimizes, each with its weight."
    });
    with_keys(cells, &[("wrap", wrap), ("penalties", penalties)])
}

/// The forms of a layer's table: those of a cell with the key `dropout`.
pub(super) fn with_dropout(cells: Value) -> Value {
    let dropout = json!({
        "type": "number",
        "minimum": 0.0,
        "maximum": 0.99,
        "description": "Share of the outputs set to zero in training, if it is not that of `[model]`."
    });
    with_keys(cells, &[("dropout", dropout)])
}

fn forms(tables: &Value) -> impl Iterator<Item = &Value> {
    tables.as_array().into_iter().flatten()
}

/// The forms with more keys. A key that the plugin has itself stays the plugin's.
fn with_keys(mut tables: Value, keys: &[(&str, Value)]) -> Value {
    for form in tables.as_array_mut().into_iter().flatten() {
        let Some(properties) = form["properties"].as_object_mut() else { continue };
        let more: Map<_, _> = keys.iter().map(|(key, schema)| ((*key).to_owned(), schema.clone())).collect();
        for (key, schema) in more {
            properties.entry(key).or_insert(schema);
        }
    }
    tables
}
