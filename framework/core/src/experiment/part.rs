//! Values of an experiment that are not plain structs: the table of the dataset plugin, and values of two forms.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use serde_json::{Map, Value};

use crate::plugins::{Part, take_string};

/// The `[dataset]` table: a plugin and the text that it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetPart {
    /// The text.
    pub corpus: Corpus,
    /// The plugin and its keys.
    pub part: Part,
}

/// The table of a cell, `[cell]` or one of `[[layer]]`: a plugin, the wrappers around it, and what the framework does with
/// its output and its penalties.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CellPart {
    /// The plugin and its keys.
    pub part: Part,
    /// The wrappers around it, the last outermost.
    pub wrap: Vec<Part>,
    /// Vectors of its state that are added to what training minimizes, each with its weight.
    pub penalties: BTreeMap<String, f64>,
    /// Of one of `[[layer]]`: the share of its outputs set to zero in training, if it is not that of `[model]`.
    pub dropout: Option<f64>,
}

/// The source of the text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Corpus {
    /// The name of an embedded or fetched corpus, or a path.
    Name(String),
    /// All files that match a pattern, sorted by path.
    Glob {
        /// The pattern, relative to the experiment file.
        glob: String,
        /// A column of these files, which are tables.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<String>,
        /// What stands behind each file or value; a newline where there is none, unless given.
        #[serde(skip_serializing_if = "Option::is_none")]
        separator: Option<String>,
    },
}

impl Corpus {
    /// The corpus that a value of an experiment stands for.
    pub(super) fn from_value(value: Value) -> Result<Self, serde_json::Error> {
        match value {
            Value::String(name) => Ok(Self::Name(name)),
            Value::Object(mut table) => {
                let glob = take_string(&mut table, "glob")?;
                let mut take = |key| table.contains_key(key).then(|| take_string(&mut table, key)).transpose();
                Ok(Self::Glob { glob, column: take("column")?, separator: take("separator")? })
            }
            _ => Err(serde_json::Error::custom("a text is a name, a path, or a table with `glob`")),
        }
    }
}

/// How a token becomes the input of the first layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedding {
    /// A one-hot vector, as wide as the vocabulary.
    OneHot,
    /// A learned vector of this width.
    Learned(usize),
}

/// What makes logits of the last layer's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// A matrix of its own and a bias.
    Linear,
    /// The matrix of the embedding, which is as wide as the output, and a bias (Press and Wolf 2017).
    Tied,
    /// A mixture of this number of softmaxes (Yang et al. 2018).
    Mixture(#[schemars(range(min = 2, max = 64))] usize),
}

impl Serialize for DatasetPart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 + self.part.keys.len()))?;
        map.serialize_entry("type", &self.part.name)?;
        map.serialize_entry("corpus", &self.corpus)?;
        for (key, value) in &self.part.keys {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for DatasetPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut keys = Map::deserialize(deserializer)?;
        let name = take_string(&mut keys, "type")?;
        let corpus = Corpus::from_value(keys.remove("corpus").unwrap_or_default()).map_err(D::Error::custom)?;
        Ok(Self { corpus, part: Part { name, keys } })
    }
}

impl CellPart {
    /// The keys of the table that are not the plugin's.
    pub const KEYS: [&str; 3] = ["wrap", "penalties", "dropout"];

    /// The part of a table that is the plugin's, and the rest. A wrapper without keys may be a name alone.
    fn split(mut keys: Map<String, Value>) -> Result<Self, String> {
        let name = take_string::<serde_json::Error>(&mut keys, "type").map_err(|error| error.to_string())?;
        let read = |error: serde_json::Error| error.to_string();
        let wrap = match keys.remove("wrap") {
            Some(Value::Array(items)) => items.into_iter().map(wrapper).collect::<Result<_, _>>().map_err(read)?,
            Some(other) => return Err(format!("`wrap` is a list of wrappers, not {other}")),
            None => Vec::new(),
        };
        let penalties = keys.remove("penalties").map(serde_json::from_value).transpose().map_err(read)?;
        let dropout = keys.remove("dropout").map(serde_json::from_value).transpose().map_err(read)?;
        Ok(Self { part: Part { name, keys }, wrap, penalties: penalties.unwrap_or_default(), dropout })
    }
}

fn wrapper(value: Value) -> Result<Part, serde_json::Error> {
    match value {
        Value::String(name) => Ok(Part { name, keys: Map::new() }),
        table => serde_json::from_value(table),
    }
}

impl Serialize for CellPart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &self.part.name)?;
        for (key, value) in &self.part.keys {
            map.serialize_entry(key, value)?;
        }
        if let Some(dropout) = self.dropout {
            map.serialize_entry("dropout", &dropout)?;
        }
        if !self.penalties.is_empty() {
            map.serialize_entry("penalties", &self.penalties)?;
        }
        if !self.wrap.is_empty() {
            map.serialize_entry("wrap", &self.wrap)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for CellPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::split(Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for CellPart {
    fn schema_name() -> Cow<'static, str> {
        "CellPart".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

impl Serialize for Embedding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::OneHot => serializer.serialize_str("one-hot"),
            Self::Learned(width) => serializer.serialize_u64(*width as u64),
        }
    }
}

impl<'de> Deserialize<'de> for Embedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == "one-hot" => Ok(Self::OneHot),
            Value::Number(width) if width.as_u64().is_some_and(|width| width > 0) => {
                Ok(Self::Learned(width.as_u64().unwrap_or_default() as usize))
            }
            other => Err(D::Error::custom(format!("`embedding` is \"one-hot\" or a width from 1 on, not {other}"))),
        }
    }
}

// The schemas of plugin tables depend on the registry: `checking::schema` replaces these.

impl JsonSchema for DatasetPart {
    fn schema_name() -> Cow<'static, str> {
        "DatasetPart".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

impl JsonSchema for Corpus {
    fn schema_name() -> Cow<'static, str> {
        "Corpus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "the name of an embedded or fetched corpus, a path, or a table with a `glob` pattern",
            "oneOf": [
                { "type": "string", "minLength": 1 },
                {
                    "type": "object",
                    "properties": {
                        "glob": { "type": "string", "minLength": 1, "description": "Pattern, relative to the experiment file." },
                        "column": { "type": "string", "minLength": 1, "description": "A column of these files, which are tables: CSV, TSV, JSON lines." },
                        "separator": { "type": "string", "minLength": 1, "description": "What stands behind each file or value; a newline unless given." }
                    },
                    "required": ["glob"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

impl JsonSchema for Embedding {
    fn schema_name() -> Cow<'static, str> {
        "Embedding".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`\"one-hot\"`, or the width of a learned embedding",
            "oneOf": [{ "const": "one-hot" }, { "type": "integer", "minimum": 1 }]
        })
    }
}
