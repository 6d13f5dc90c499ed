//! The tables `[vocabulary]` and `[split]`: how a text is read as symbols, and what of it is held out.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use super::Corpus;

/// How the text is read as symbols.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Vocabulary {
    /// What one symbol is.
    pub unit: SymbolUnit,
    /// Read the text in lower case.
    pub lowercase: bool,
    /// How the ends of lines are read.
    pub newlines: Newlines,
    /// The Unicode normal form in which the text is read.
    pub normalize: Normalize,
    /// Characters that are left out of the text before anything else reads it.
    pub remove: String,
    /// The alphabet, in the order of its tokens; empty for the characters of the text in the order of their code points.
    pub symbols: String,
    /// How often a character must be in the training split to be a symbol.
    #[schemars(range(min = 1))]
    pub min_count: u64,
    /// What to do with a character that training never saw.
    pub unknown: Unknown,
    /// With `--from`, add the characters of the text that the checkpoint lacks to its symbols.
    pub grow: bool,
}

/// What one symbol is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SymbolUnit {
    /// A character: a code point of Unicode.
    #[default]
    Character,
    /// A byte of the text in UTF-8.
    Byte,
}

/// How the ends of lines are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Newlines {
    /// As they are.
    #[default]
    Keep,
    /// A carriage return, with or without a newline after it, as a newline.
    Fold,
}

/// A Unicode normal form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// As it is.
    #[default]
    None,
    /// Composed: é is one character.
    Nfc,
    /// Decomposed: é is two characters.
    Nfd,
    /// Composed, and characters of the same meaning as one: ﬁ is fi.
    Nfkc,
    /// Decomposed, and characters of the same meaning as one.
    Nfkd,
}

/// What to do with a character that training never saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// Stop, naming it and its place.
    #[default]
    Error,
    /// Leave it out.
    Skip,
    /// Read it as the unknown symbol, which is added to the vocabulary.
    Token,
}

/// What is held out from training: shares of the documents, or of the text for windows and streams, or texts of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Split {
    /// Share for validation, or a text for it: it may guide choices.
    pub valid: HeldOut,
    /// Share for the test, or a text for it: it never guides a choice.
    pub test: HeldOut,
    /// Mix the documents before they are split; a contiguous text is always cut in order.
    pub shuffle: bool,
    /// The seed by which they are mixed; the experiment's `seed` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What is done with equal documents.
    pub duplicates: Duplicates,
}

/// What is done with equal documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// Each is a document: one may be held out and another trained on.
    #[default]
    Keep,
    /// All but the first are left out, and those for training that are in a held-out text.
    Drop,
    /// All are in the same split.
    Together,
}

/// What of a text is held out.
#[derive(Clone, Debug, PartialEq)]
pub enum HeldOut {
    /// A share of the corpus.
    Share(f64),
    /// All of another text.
    Text(Corpus),
}

/// The largest share that may be held out.
const LARGEST_SHARE: f64 = 0.9;

impl Default for Vocabulary {
    fn default() -> Self {
        Self {
            unit: SymbolUnit::default(),
            lowercase: false,
            newlines: Newlines::default(),
            normalize: Normalize::default(),
            remove: String::new(),
            symbols: String::new(),
            min_count: 1,
            unknown: Unknown::default(),
            grow: false,
        }
    }
}

impl SymbolUnit {
    /// Its name in sentences: `nats per character`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Character => "character",
            Self::Byte => "byte",
        }
    }
}

impl HeldOut {
    /// The share of the corpus; none of it where a text of its own is held out.
    pub fn share(&self) -> f64 {
        match self {
            Self::Share(share) => *share,
            Self::Text(_) => 0.0,
        }
    }
}

impl Default for HeldOut {
    fn default() -> Self {
        Self::Share(0.0)
    }
}

impl From<f64> for HeldOut {
    fn from(share: f64) -> Self {
        Self::Share(share)
    }
}

impl Serialize for HeldOut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Share(share) => serializer.serialize_f64(*share),
            Self::Text(corpus) => corpus.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for HeldOut {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.as_f64() {
            Some(share) if (0.0..=LARGEST_SHARE).contains(&share) => Ok(Self::Share(share)),
            Some(share) => Err(D::Error::custom(format!("a share is a number from 0 to {LARGEST_SHARE}, not {share}"))),
            None => Corpus::from_value(value).map(Self::Text).map_err(D::Error::custom),
        }
    }
}

impl JsonSchema for HeldOut {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HeldOut".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut corpus = Corpus::json_schema(generator).to_value();
        let mut forms = vec![serde_json::json!({ "type": "number", "minimum": 0.0, "maximum": LARGEST_SHARE })];
        if let Some(others) = corpus["oneOf"].as_array_mut() {
            forms.append(others);
        }
        json_schema!({ "oneOf": forms })
    }
}
