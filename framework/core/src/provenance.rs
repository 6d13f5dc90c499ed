//! The provenance of a model's plugins.

use serde::{Deserialize, Serialize};

use crate::plugins::Recorded;

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
