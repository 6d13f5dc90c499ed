//! The provenance of a model's plugins.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The provenance of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Provenance {
    /// The kind of plugin: `cell`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The crate.
    pub package: String,
    /// The crate's version.
    pub version: String,
    /// The SHA-256 of the library file, if the plugin was loaded from one.
    pub library: Option<String>,
    /// What takes the library's place when it is gone or was built anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// What the conformance kit said of a plugin from a library: `21 of 21 checks passed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conformance: Option<String>,
}

/// The answers of a library about a plugin with certain keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recording {
    /// The properties of the plugin with these keys: an [`InstanceInfo`](hatchery_plugin::wire::InstanceInfo).
    pub(crate) info: Value,
    /// Requests with their answers.
    pub(crate) answers: Vec<(Value, Value)>,
}

/// All that takes a library's place for one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recorded {
    /// Whether it is a wrapper.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_wrapper: bool,
    /// The schema of its keys.
    pub(crate) schema: Value,
    /// One for each table of keys with which it is in the model.
    pub(crate) instances: Vec<Recording>,
}
