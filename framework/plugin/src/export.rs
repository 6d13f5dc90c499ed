//! How a plugin crate says what it offers: one list, from which the framework builds by name.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Cell, Clipper, Dataset, Fault, Result, Sampler};

/// The four kinds of plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// How a source becomes sequences.
    Dataset,
    /// What one time step computes.
    Cell,
    /// What happens to gradients.
    Clipper,
    /// What happens to logits.
    Sampler,
}

impl Kind {
    /// All kinds, in the order in which a run uses them.
    pub const ALL: [Self; 4] = [Self::Dataset, Self::Cell, Self::Clipper, Self::Sampler];

    /// The word used in experiment files, messages and paths.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Cell => "cell",
            Self::Clipper => "clipper",
            Self::Sampler => "sampler",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// What one crate offers.
#[derive(Debug)]
pub struct Provider {
    /// The crate's name.
    pub package: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// Its plugins.
    pub variants: Vec<Variant>,
}

impl Provider {
    /// The plugin of that kind and name.
    pub fn find(&self, kind: Kind, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.kind() == kind && variant.name == name)
    }
}

/// One plugin: a kind, a name, its documentation, its keys, and how to build it from them.
#[derive(Debug)]
pub struct Variant {
    /// The name used in experiment files: `type = "name"`.
    pub name: &'static str,
    /// What it is, from the documentation of its type.
    pub doc: String,
    /// JSON schema of its keys.
    pub schema: Value,
    /// Builds it.
    pub build: Build,
}

impl Variant {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self.build {
            Build::Dataset(_) => Kind::Dataset,
            Build::Cell(_) => Kind::Cell,
            Build::Clipper(_) => Kind::Clipper,
            Build::Sampler(_) => Kind::Sampler,
        }
    }
}

/// From a table of keys to the plugin and to the table with every default filled in.
pub type Builder<T> = fn(Value) -> Result<(Box<T>, Value)>;

/// Builds a plugin of one kind.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// Builds a dataset.
    Dataset(Builder<dyn Dataset>),
    /// Builds a cell.
    Cell(Builder<dyn Cell>),
    /// Builds a clipper.
    Clipper(Builder<dyn Clipper>),
    /// Builds a sampler.
    Sampler(Builder<dyn Sampler>),
}

/// A variant from its configuring type; [`export!`] calls it.
#[doc(hidden)]
pub fn variant<T: JsonSchema>(name: &'static str, build: Build) -> Variant {
    let schema = schemars::schema_for!(T).to_value();
    let doc = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    Variant { name, doc, schema, build }
}

/// Reads a plugin's keys and fills in its defaults; [`export!`] calls it.
#[doc(hidden)]
pub fn configure<T: DeserializeOwned + Serialize>(keys: Value) -> Result<(T, Value)> {
    let plugin: T = serde_json::from_value(keys).map_err(|error| Fault::new(error.to_string()))?;
    let resolved = serde_json::to_value(&plugin).map_err(|error| Fault::new(error.to_string()))?;
    Ok((plugin, resolved))
}

/// Lists the plugins of a crate: `export! { cell "gru" => Gru, … }` at its root.
///
/// It writes `pub fn plugins() -> Provider`, which whoever links the crate passes to the registry. Each type is its
/// own configuration: it derives `Serialize`, `Deserialize` and `JsonSchema`, with
/// `#[serde(deny_unknown_fields, rename_all = "kebab-case")]`.
#[macro_export]
macro_rules! export {
    ($($kind:ident $name:literal => $type:ty),+ $(,)?) => {
        /// The plugins of this crate.
        pub fn plugins() -> $crate::Provider {
            $crate::Provider {
                package: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                variants: vec![$($crate::export!(@variant $kind $name $type)),+],
            }
        }
    };
    (@variant dataset $name:literal $type:ty) => { $crate::export!(@build Dataset $name $type) };
    (@variant cell $name:literal $type:ty) => { $crate::export!(@build Cell $name $type) };
    (@variant clipper $name:literal $type:ty) => { $crate::export!(@build Clipper $name $type) };
    (@variant sampler $name:literal $type:ty) => { $crate::export!(@build Sampler $name $type) };
    (@build $kind:ident $name:literal $type:ty) => {
        $crate::__private::variant::<$type>(
            $name,
            $crate::Build::$kind(|keys| {
                let (plugin, resolved) = $crate::__private::configure::<$type>(keys)?;
                Ok((Box::new(plugin), resolved))
            }),
        )
    };
}
