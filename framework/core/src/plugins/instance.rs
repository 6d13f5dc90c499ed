//! An open plugin of a library, and the provider through which a registry opens it.

use std::sync::Arc;

use hatchery_plugin::{
    Build, Dataset, Declaration, Kind, PluginError, Provider, Variant,
    capture::RecordedGraph,
    host::{HostCell, HostClipper, HostSampler, HostWrapper},
    wire::{self, CaptureRequest, DeclareRequest, Graph, InstanceInfo, Manifest, OpenRequest, PluginEntry},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    cell::LoadedCell, clipper::LoadedClipper, dataset::LoadedDataset, library::Library, recording,
    sampler::LoadedSampler, wrapper::LoadedWrapper,
};
use crate::provenance::Recording;

/// An open plugin of a library, or what was recorded of one.
pub(super) struct Instance {
    source: Source,
    info: InstanceInfo,
    pub(super) name: &'static str,
    /// Which plugin, for messages: `the cell "mgu" of hatchery-mgu 0.1.0 (libmgu.so)`.
    subject: Arc<str>,
}

/// Where answers come from.
enum Source {
    Library { library: &'static Library, number: u64 },
    Recording(Recording),
}

impl Instance {
    /// The error of a call to a function of the plugin's trait.
    pub(super) fn failed(&self, function: &str, error: PluginError) -> PluginError {
        error.within(format!("`{function}` of {} failed", self.subject))
    }

    /// The library and the plugin's number there: samplers and datasets are called and have no recording.
    pub(super) fn library(&self) -> Result<(&'static Library, u64), PluginError> {
        match self.source {
            Source::Library { library, number } => Ok((library, number)),
            Source::Recording(_) => Err(PluginError::new("it is not recorded, and its library is not at hand")),
        }
    }

    /// What a cell or a wrapper declares.
    pub(super) fn declare<T: DeserializeOwned>(&self, request: &DeclareRequest) -> Result<T, PluginError> {
        let bytes = match &self.source {
            Source::Library { library, number } => library.declare(*number, &wire::write_json(request)?)?,
            Source::Recording(recording) => wire::write_json(&recorded(recording, request)?)?,
        };
        wire::read(&bytes).map_err(|error| PluginError::new(format!("what it declares cannot be read: {error}")))
    }

    /// The graph of a step, of what is derived, or of a clipper.
    pub(super) fn capture(&self, request: &CaptureRequest) -> Result<RecordedGraph, PluginError> {
        let bytes = match &self.source {
            Source::Library { library, number } => library.capture(*number, &wire::write_json(request)?)?,
            Source::Recording(recording) => wire::write_json(&recorded(recording, request)?)?,
        };
        Graph::read(&bytes).map_err(|error| PluginError::new(format!("its graph cannot be read: {error}")))?.try_into()
    }

    /// What a later run needs of the library, for these requests; none if that cannot be kept.
    pub(super) fn recording(
        &self,
        declare: &[DeclareRequest],
        capture: &[CaptureRequest],
        declared: &Declaration,
    ) -> Result<Option<Value>, PluginError> {
        let as_value = |error: serde_json::Error| PluginError::new(error.to_string());
        let (library, number) = match &self.source {
            Source::Recording(recording) => return serde_json::to_value(recording).map(Some).map_err(as_value),
            Source::Library { library, number } => (*library, *number),
        };
        let declare = declare.iter().map(serde_json::to_value);
        let requests = declare.chain(capture.iter().map(serde_json::to_value)).collect::<Result<Vec<_>, _>>();
        let requests = requests.map_err(as_value)?;
        let ask = |request: &Value| {
            let bytes = wire::write_json(request)?;
            if request.get("of").is_none() {
                return wire::read::<Value>(&library.declare(number, &bytes)?).map_err(PluginError::new);
            }
            let graph = Graph::read(&library.capture(number, &bytes)?).map_err(PluginError::new)?;
            let mut graph = serde_json::to_value(graph).map_err(as_value)?;
            recording::renumber(&mut graph);
            Ok(graph)
        };
        Recording::of(&self.info, &requests, declared, ask).map(serde_json::to_value).transpose().map_err(as_value)
    }
}

/// A recorded answer.
fn recorded(recording: &Recording, request: &impl Serialize) -> Result<Value, PluginError> {
    let request = serde_json::to_value(request).map_err(|error| PluginError::new(error.to_string()))?;
    recording.answer(&request).ok_or_else(|| {
        PluginError::new("the checkpoint's recording of it does not answer this")
            .hint("name its library: --plugin PATH")
    })
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Source::Library { library, number } = self.source {
            library.close(number);
        }
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
        let opener = Opener { origin: Origin::Library(library), kind, is_wrapper, name, subject: subject.into() };
        Variant { name, doc: entry.doc, schema: entry.schema, build: opener.build() }
    };
    Provider { package, version, variants: manifest.plugins.into_iter().map(variant).collect() }
}

/// Opens one plugin of a library, or what was recorded of it.
pub(super) struct Opener {
    origin: Origin,
    kind: Kind,
    is_wrapper: bool,
    name: &'static str,
    subject: Arc<str>,
}

enum Origin {
    Library(&'static Library),
    Recordings(Vec<Recording>),
}

impl Opener {
    /// Opens recordings of a plugin.
    pub(super) fn recorded(
        recordings: Vec<Recording>,
        (kind, is_wrapper): (Kind, bool),
        name: &'static str,
        subject: String,
    ) -> Self {
        Self { origin: Origin::Recordings(recordings), kind, is_wrapper, name, subject: subject.into() }
    }

    pub(super) fn build(self) -> Build {
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
        let (source, info) = match &self.origin {
            Origin::Library(library) => {
                let request = wire::write_json(&OpenRequest { kind: self.kind, name: self.name.to_owned(), keys })?;
                let (number, answer) = library.open(&request)?;
                let info = wire::read::<InstanceInfo>(&answer)
                    .map_err(|error| PluginError::new(format!("its properties cannot be read: {error}")));
                (Source::Library { library, number }, info)
            }
            Origin::Recordings(recordings) => {
                let recording =
                    recordings.iter().find(|recording| recording.has_keys(&keys)).cloned().ok_or_else(|| {
                        PluginError::new(format!("it was recorded with other keys than {keys}"))
                            .hint("name its library: --plugin PATH")
                    })?;
                let info = recording.info();
                (Source::Recording(recording), info)
            }
        };
        let opened = |info: InstanceInfo| {
            let keys = Value::Object(info.keys.clone());
            let instance = Instance { source, info: info.clone(), name: self.name, subject: self.subject.clone() };
            Ok((make(instance, info)?, keys))
        };
        info.and_then(opened).map_err(|error: PluginError| error.within(&self.subject))
    }
}
