//! A table of an experiment whose keys belong to a plugin.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// The table of a plugin with its keys: `type = "gru"`, `hidden = 50`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// The plugin's name, the value of `type`.
    pub name: String,
    /// The other keys, which are the plugin's own.
    pub keys: Map<String, Value>,
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.keys.len()))?;
        map.serialize_entry("type", &self.name)?;
        for (key, value) in &self.keys {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut keys = Map::deserialize(deserializer)?;
        let name = take_string(&mut keys, "type")?;
        Ok(Self { name, keys })
    }
}

pub(crate) fn take_string<E: serde::de::Error>(keys: &mut Map<String, Value>, key: &'static str) -> Result<String, E> {
    match keys.remove(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(E::custom(format!("`{key}` is a string"))),
        None => Err(E::missing_field(key)),
    }
}

impl JsonSchema for Part {
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}
