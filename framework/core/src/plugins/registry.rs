//! The plugins that this program knows, by kind and name.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use hatchery_plugin::{
    Build, Builder, Dataset, Kind, PluginError, Provider, Variant,
    host::{HostCell, HostClipper, HostSampler, WrappedCell},
};
use serde_json::{Map, Value};

use super::{load::Loaded, part::Part, recording, verdict::Verdict};
use crate::{
    error::{Problem, Result},
    provenance::Provenance,
};

/// The provider of a plugin, as recorded in checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The crate.
    pub package: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the library from which it was loaded; none when it is linked in.
    pub library: Option<String>,
}

/// A plugin and its provider.
#[derive(Debug)]
pub struct Entry {
    /// The plugin.
    pub variant: Variant,
    /// Its provider.
    pub origin: Origin,
    /// The library from which it was loaded.
    pub path: Option<PathBuf>,
    /// What the conformance kit says of it, if it was asked.
    pub verdict: OnceLock<Verdict>,
}

/// All plugins, in the order of their registration.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

/// The result of a build function: the plugin, and its keys with every default filled in.
pub type Built<T> = (Box<T>, Map<String, Value>);

impl Registry {
    /// A registry of these providers' plugins.
    ///
    /// # Errors
    /// When two plugins of one kind have the same name.
    pub fn new(providers: impl IntoIterator<Item = Provider>) -> Result<Self> {
        let mut registry = Self::default();
        for provider in providers {
            registry.add(provider)?;
        }
        Ok(registry)
    }

    /// Adds the plugins of a provider.
    ///
    /// # Errors
    /// When there is already a plugin of the same kind and name.
    pub fn add(&mut self, provider: Provider) -> Result<()> {
        self.add_from(provider, None, None)
    }

    /// Adds the plugins of a library; the path is for messages.
    ///
    /// # Errors
    /// When there is already a plugin of the same kind and name.
    pub fn add_loaded(&mut self, loaded: Loaded, path: &Path) -> Result<()> {
        self.add_from(loaded.provider, Some(loaded.sha256), Some(path))
    }

    fn add_from(&mut self, provider: Provider, library: Option<String>, path: Option<&Path>) -> Result<()> {
        let origin = Origin { package: provider.package.to_owned(), version: provider.version.to_owned(), library };
        let before = self.entries.len();
        for variant in provider.variants {
            if let Some(known) = self.find(variant.kind(), variant.name) {
                let place = path.map(|path| format!(", {}", path.display())).unwrap_or_default();
                let problem = Problem::new(format!("there are two {}s named `{}`", variant.kind(), variant.name))
                    .note(format!("from: {} {}", known.origin.package, known.origin.version))
                    .note(format!("and: {} {}{place}", origin.package, origin.version))
                    .hint("give one of them another name");
                // Either all of a provider's plugins are added or none.
                self.entries.truncate(before);
                return Err(problem.into());
            }
            let path = path.map(Path::to_owned);
            self.entries.push(Entry { variant, origin: origin.clone(), path, verdict: OnceLock::new() });
        }
        Ok(())
    }

    /// Puts what a checkpoint recorded of a plugin in the place of the plugin of that name. Returns whether there was one.
    ///
    /// # Errors
    /// When nothing was recorded of it.
    pub(crate) fn put_recorded(&mut self, of: &Provenance) -> Result<bool> {
        let provider = recording::provider(of)
            .ok_or_else(|| Problem::new(format!("the checkpoint has no recording of the {} `{}`", of.kind, of.name)))?;
        let before = self.entries.len();
        self.entries.retain(|entry| entry.variant.kind().word() != of.kind || entry.variant.name != of.name);
        let replaced = self.entries.len() < before;
        self.add_from(provider, of.library.clone(), None)?;
        if let (Some(entry), Some(summary)) = (self.entries.last(), &of.conformance) {
            entry.verdict.get_or_init(|| Verdict::known(summary));
        }
        Ok(replaced)
    }

    /// The plugin of that kind and name.
    pub fn find(&self, kind: Kind, name: &str) -> Option<&Entry> {
        self.of(kind).find(|entry| entry.variant.name == name)
    }

    /// All plugins of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.variant.kind() == kind)
    }

    /// Builds a dataset.
    ///
    /// # Errors
    /// When it is unknown or refuses its keys.
    pub fn dataset(&self, part: &Part) -> Result<Built<dyn Dataset>> {
        self.build(Kind::Dataset, part, |build| if let Build::Dataset(build) = build { Some(build) } else { None })
    }

    /// Builds a cell.
    ///
    /// # Errors
    /// When it is unknown or refuses its keys.
    pub fn cell(&self, part: &Part) -> Result<Built<dyn HostCell>> {
        self.build(Kind::Cell, part, |build| if let Build::Cell(build) = build { Some(build) } else { None })
    }

    /// Builds a cell with the wrappers around it, the last of them outermost. Also gives their keys with every default
    /// filled in.
    ///
    /// # Errors
    /// When one of them is unknown or refuses its keys.
    #[expect(clippy::type_complexity, reason = "a cell, its keys, and the wrappers with theirs")]
    pub fn wrapped(&self, part: &Part, wrap: &[Part]) -> Result<(Box<dyn HostCell>, Map<String, Value>, Vec<Part>)> {
        let (mut cell, keys) = self.cell(part)?;
        let mut resolved: Vec<Part> = Vec::new();
        for part in wrap {
            let (wrapper, keys) = self
                .build(Kind::Cell, part, |build| if let Build::Wrapper(build) = build { Some(build) } else { None })?;
            let before = resolved.iter().filter(|known| known.name == part.name).count();
            let number = if before == 0 { String::new() } else { format!("-{}", before + 1) };
            cell = Box::new(WrappedCell::new(format!("{}{number}.", part.name), wrapper, cell));
            resolved.push(Part { name: part.name.clone(), keys });
        }
        Ok((cell, keys, resolved))
    }

    /// Builds a clipper.
    ///
    /// # Errors
    /// When it is unknown or refuses its keys.
    pub fn clipper(&self, part: &Part) -> Result<Built<dyn HostClipper>> {
        self.build(Kind::Clipper, part, |build| if let Build::Clipper(build) = build { Some(build) } else { None })
    }

    /// Builds a sampler.
    ///
    /// # Errors
    /// When it is unknown or refuses its keys.
    pub fn sampler(&self, part: &Part) -> Result<Built<dyn HostSampler>> {
        self.build(Kind::Sampler, part, |build| if let Build::Sampler(build) = build { Some(build) } else { None })
    }

    fn build<T: ?Sized>(
        &self,
        kind: Kind,
        part: &Part,
        of_kind: impl Fn(&Build) -> Option<&Builder<T>>,
    ) -> Result<Built<T>> {
        let Some(build) = self.find(kind, &part.name).and_then(|entry| of_kind(&entry.variant.build)) else {
            let of_form = self.of(kind).filter(|entry| of_kind(&entry.variant.build).is_some());
            let known: Vec<_> = of_form.map(|entry| entry.variant.name).collect();
            return Err(Problem::new(format!("there is no {kind} named `{}`", part.name))
                .note(format!("known {kind}s: {}", known.join(", ")))
                .hint(
                    "is it in a library? name that with --plugin, or by `plugins = [\"path\"]` in the experiment file",
                )
                .into());
        };
        let (plugin, resolved) = build(Value::Object(part.keys.clone())).map_err(|error| refused(kind, part, error))?;
        let Value::Object(keys) = resolved else {
            return Err(Problem::new(format!("the {kind} `{}` is not configured by a table", part.name)).into());
        };
        Ok((plugin, keys))
    }
}

fn refused(kind: Kind, part: &Part, error: PluginError) -> Problem {
    let problem = Problem::new(format!("the {kind} `{}` refuses its keys: {}", part.name, error.message));
    match error.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
