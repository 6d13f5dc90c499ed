//! A crate's list of plugins, from which the framework builds by name.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Cell, Clipper, Dataset, Kind, PluginError, Sampler, Wrapper,
    host::{HostCell, HostClipper, HostSampler, HostWrapper},
};

/// The plugins of one crate.
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

/// A type that is a plugin under a name, by the attribute [`#[plugin]`](macro@crate::plugin).
pub trait Plugin {
    /// Its entry in the list of its crate.
    fn variant() -> Variant;
}

/// A type whose fields are the keys of an experiment's table, by the attribute [`#[plugin]`](macro@crate::plugin).
pub trait Keys: Serialize + DeserializeOwned + JsonSchema + 'static {}

impl<T: Serialize + DeserializeOwned + JsonSchema + 'static> Keys for T {}

impl Variant {
    /// The entry of a dataset.
    pub fn dataset<T: Dataset + Keys>(name: &'static str) -> Self {
        Self::new::<T>(name, Build::Dataset(builder(|dataset: T| Ok(Box::new(dataset) as _))))
    }

    /// The entry of a cell.
    pub fn cell<T: Cell + Keys>(name: &'static str) -> Self {
        Self::new::<T>(name, Build::Cell(builder(|cell: T| cell.validate().map(|()| Box::new(cell) as _))))
    }

    /// The entry of a wrapper, which is a form of cell.
    pub fn wrapper<T: Wrapper + Keys>(name: &'static str) -> Self {
        Self::new::<T>(name, Build::Wrapper(builder(|wrapper: T| wrapper.validate().map(|()| Box::new(wrapper) as _))))
    }

    /// The entry of a clipper.
    pub fn clipper<T: Clipper + Keys>(name: &'static str) -> Self {
        Self::new::<T>(name, Build::Clipper(builder(|clipper: T| Ok(Box::new(clipper) as _))))
    }

    /// The entry of a sampler.
    pub fn sampler<T: Sampler + Keys>(name: &'static str) -> Self {
        Self::new::<T>(name, Build::Sampler(builder(|sampler: T| Ok(Box::new(sampler) as _))))
    }

    fn new<T: Keys>(name: &'static str, build: Build) -> Self {
        let schema = schemars::schema_for!(T).to_value();
        let doc = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { name, doc, schema, build }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.build.kind()
    }

    /// The group in which it is listed, if it says one: `#[plugin(cell = "…", family = "…")]`.
    pub fn family(&self) -> Option<&str> {
        self.schema.get("family").and_then(Value::as_str)
    }

    /// The year of the first source that its documentation names: `(Elman 1990)`.
    pub fn year(&self) -> Option<u16> {
        let words = self.doc.split(|sign: char| !sign.is_ascii_alphanumeric());
        words
            .filter(|word| word.len() == 4)
            .find_map(|word| word.parse().ok().filter(|year| (1950..2100).contains(year)))
    }
}

/// From a table of keys to the plugin and to the table with every default filled in.
pub type Builder<T> = Arc<dyn Fn(Value) -> Result<(Box<T>, Value), PluginError> + Send + Sync>;

/// Builds a plugin of one kind.
#[derive(Clone)]
pub enum Build {
    /// Builds a dataset.
    Dataset(Builder<dyn Dataset>),
    /// Builds a cell.
    Cell(Builder<dyn HostCell>),
    /// Builds a wrapper, which is a form of cell.
    Wrapper(Builder<dyn HostWrapper>),
    /// Builds a clipper.
    Clipper(Builder<dyn HostClipper>),
    /// Builds a sampler.
    Sampler(Builder<dyn HostSampler>),
}

impl Build {
    /// The kind of what is built.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Dataset(_) => Kind::Dataset,
            Self::Cell(_) | Self::Wrapper(_) => Kind::Cell,
            Self::Clipper(_) => Kind::Clipper,
            Self::Sampler(_) => Kind::Sampler,
        }
    }
}

impl std::fmt::Debug for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Build({})", self.kind())
    }
}

/// Reads a plugin's keys, fills in its defaults, and builds it if they fit each other.
fn builder<T: Keys, P: ?Sized>(make: impl Fn(T) -> Result<Box<P>, PluginError> + Send + Sync + 'static) -> Builder<P> {
    Arc::new(move |keys| {
        let plugin: T = serde_json::from_value(keys).map_err(|error| PluginError::new(error.to_string()))?;
        let resolved = serde_json::to_value(&plugin).map_err(|error| PluginError::new(error.to_string()))?;
        Ok((make(plugin)?, resolved))
    })
}
