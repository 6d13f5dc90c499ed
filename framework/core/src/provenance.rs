//! The provenance of a model's plugins.

use serde::{Deserialize, Serialize};

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
}
