//! An open plugin of a library, and the provider through which a registry opens it.

use std::sync::Arc;

use hatchery_plugin::{
    Build, Dataset, Kind, PluginError, Provider, Variant,
    host::{HostCell, HostClipper, HostSampler, HostWrapper},
    wire::{self, InstanceInfo, Manifest, OpenRequest, PluginEntry},
};
use serde_json::Value;

use super::{
    cell::LoadedCell, clipper::LoadedClipper, dataset::LoadedDataset, library::Library, sampler::LoadedSampler,
    wrapper::LoadedWrapper,
};

/// An open plugin of a library.
pub(super) struct Instance {
    pub(super) library: &'static Library,
    pub(super) number: u64,
    /// Which plugin, for messages: `the cell "mgu" of hatchery-mgu 0.1.0 (libmgu.so)`.
    subject: Arc<str>,
}

impl Instance {
    /// The error of a call to a function of the plugin's trait.
    pub(super) fn failed(&self, function: &str, error: PluginError) -> PluginError {
        error.within(format!("`{function}` of {} failed", self.subject))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.library.close(self.number);
    }
}

/// The plugins of a manifest. Their names live as long as the library, which is for ever. `file` is the library, for
/// messages.
pub(super) fn provider(library: &'static Library, manifest: Manifest, file: &str) -> Provider {
    let package: &'static str = manifest.package.leak();
    let version: &'static str = manifest.version.leak();
    let variant = |entry: PluginEntry| {
        let subject = format!("the {} \"{}\" of {package} {version} ({file})", entry.kind, entry.name);
        let name: &'static str = entry.name.leak();
        let (kind, is_wrapper) = (entry.kind, entry.is_wrapper);
        let opener = Opener { library, kind, is_wrapper, name, subject: subject.into() };
        Variant { name, doc: entry.doc, schema: entry.schema, build: opener.build() }
    };
    Provider { package, version, variants: manifest.plugins.into_iter().map(variant).collect() }
}

/// Opens one plugin of a library.
struct Opener {
    library: &'static Library,
    kind: Kind,
    is_wrapper: bool,
    name: &'static str,
    subject: Arc<str>,
}

impl Opener {
    fn build(self) -> Build {
        match self.kind {
            Kind::Cell if self.is_wrapper => Build::Wrapper(Arc::new(move |keys| {
                self.open::<dyn HostWrapper>(keys, |instance, info| Ok(Box::new(LoadedWrapper::new(instance, &info))))
            })),
            Kind::Cell => Build::Cell(Arc::new(move |keys| {
                self.open::<dyn HostCell>(keys, |instance, _| Ok(Box::new(LoadedCell::new(instance))))
            })),
            Kind::Clipper => Build::Clipper(Arc::new(move |keys| {
                self.open::<dyn HostClipper>(keys, |instance, _| Ok(Box::new(LoadedClipper::new(instance))))
            })),
            Kind::Sampler => Build::Sampler(Arc::new(move |keys| {
                self.open::<dyn HostSampler>(keys, |instance, _| Ok(Box::new(LoadedSampler::new(instance))))
            })),
            Kind::Dataset => Build::Dataset(Arc::new(move |keys| {
                self.open::<dyn Dataset>(keys, |instance, info| Ok(Box::new(LoadedDataset::new(instance, info)?)))
            })),
        }
    }

    /// Opens the plugin with these keys. An error of the library itself is about the keys, any other names the plugin.
    fn open<T: ?Sized>(
        &self,
        keys: Value,
        make: impl FnOnce(Instance, InstanceInfo) -> Result<Box<T>, PluginError>,
    ) -> Result<(Box<T>, Value), PluginError> {
        let request = wire::write_json(&OpenRequest { kind: self.kind, name: self.name.to_owned(), keys })?;
        let (number, answer) = self.library.open(&request)?;
        let instance = Instance { library: self.library, number, subject: self.subject.clone() };
        let opened = wire::read::<InstanceInfo>(&answer)
            .map_err(|error| PluginError::new(format!("its properties cannot be read: {error}")))
            .and_then(|info| {
                let keys = Value::Object(info.keys.clone());
                Ok((make(instance, info)?, keys))
            });
        opened.map_err(|error| error.within(&self.subject))
    }
}
