//! The code behind the C entry points of a plugin library.
//!
//! [`entry_points!`](crate::entry_points!) writes functions that turn pointers into slices and call these; here nothing is
//! unsafe. The answer to every call is a status and bytes: a panic is caught and becomes an error.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Build, Dataset, Documents, PluginError, Provider, Source, Token,
    capture::{
        capture_clipper, capture_derive, capture_step, capture_wrapper, capture_wrapper_derive, catch_panic,
        wrapper_with_derived,
    },
    host::{HostCell, HostClipper, HostSampler, HostWrapper},
    wire::{
        self, BURN_IR, CaptureRequest, CellInputs, DeclareRequest, DocumentList, ERROR, Graph, INTERFACE, InstanceInfo,
        Manifest, OK, OpenRequest, PANICKED, PluginEntry,
    },
};

/// Bytes that belong to the library until they are handed back to `hatchery_plugin_free`.
#[repr(C)]
#[derive(Debug)]
pub struct Bytes {
    /// The first byte; null when there are none.
    pub data: *mut u8,
    /// How many there are.
    pub length: usize,
}

impl Bytes {
    /// Gives bytes away.
    pub fn give(bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        Self { data: Box::into_raw(bytes.into_boxed_slice()).cast(), length }
    }
}

/// A status and an answer.
pub type Answer = (i32, Vec<u8>);

/// A plugin built from its keys.
#[derive(Clone)]
enum Instance {
    Dataset(Arc<dyn Dataset>),
    Cell(Arc<dyn HostCell>),
    Wrapper(Arc<dyn HostWrapper>),
    Clipper(Arc<dyn HostClipper>),
    Sampler(Arc<dyn HostSampler>),
}

/// The instances that are open, by number. A library has one list, for it has one copy of this crate.
static OPEN: Mutex<Vec<Option<Instance>>> = Mutex::new(Vec::new());

/// The library's manifest.
pub fn manifest(plugins: fn() -> Provider) -> Answer {
    answer(|| {
        let provider = provider(plugins);
        let entries = provider.variants.iter().map(|variant| PluginEntry {
            kind: variant.kind(),
            is_wrapper: matches!(variant.build, Build::Wrapper(_)),
            name: variant.name.to_owned(),
            doc: variant.doc.clone(),
            schema: variant.schema.clone(),
        });
        wire::write_json(&Manifest {
            interface: INTERFACE,
            burn_ir: BURN_IR.to_owned(),
            package: provider.package.to_owned(),
            version: provider.version.to_owned(),
            plugins: entries.collect(),
        })
    })
}

/// Opens a plugin and sets its number.
pub fn open(plugins: fn() -> Provider, request: &[u8], number: &mut u64) -> Answer {
    answer(|| {
        let request: OpenRequest = asked(request)?;
        let Some(variant) = provider(plugins).find(request.kind, &request.name) else {
            return Err(PluginError::new(format!("there is no {} \"{}\"", request.kind, request.name)));
        };
        let (instance, opened) = build(&variant.build, request.keys)?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = open.iter().position(Option::is_none).unwrap_or_else(|| {
            open.push(None);
            open.len() - 1
        });
        open[free] = Some(instance);
        *number = free as u64;
        wire::write_json(&opened)
    })
}

/// Closes an instance.
pub fn close(number: u64) {
    let taken = OPEN.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number as usize).and_then(Option::take);
    // A panic in the plugin's destructor must not leave the library.
    let _ = catch_panic(|| drop(taken));
}

/// What a cell declares for an input width.
pub fn declare(number: u64, request: &[u8]) -> Answer {
    called(number, |instance| match (asked(request)?, instance) {
        (DeclareRequest { inputs, params: true, .. }, Instance::Cell(cell)) => wire::write_json(&cell.declare(inputs)?),
        (DeclareRequest { inputs, params: false, .. }, Instance::Cell(cell)) => wire::write_json(&cell.widths(inputs)?),
        (DeclareRequest { inputs, cell: Some(info), .. }, Instance::Wrapper(wrapper)) => {
            wire::write_json(&wrapper_with_derived(&**wrapper, inputs, &info)?)
        }
        (DeclareRequest { inputs, cell: None, .. }, Instance::Wrapper(wrapper)) => {
            wire::write_json(&CellInputs { cell_inputs: wrapper.cell_inputs(inputs)? })
        }
        _ => Err(PluginError::new("it is not a cell")),
    })
}

/// The graph of a cell's step or of a clipper.
pub fn capture(number: u64, request: &[u8]) -> Answer {
    called(number, |instance| {
        let captured = match (asked(request)?, instance) {
            (CaptureRequest::Cell { inputs, batch, dtype }, Instance::Cell(cell)) => {
                capture_step(&**cell, inputs, batch, dtype.dtype())?
            }
            (CaptureRequest::Derive { inputs, dtype }, Instance::Cell(cell)) => {
                capture_derive(&**cell, inputs, dtype.dtype())?
            }
            (CaptureRequest::Wrapper { inputs, batch, dtype, cell }, Instance::Wrapper(wrapper)) => {
                capture_wrapper(&**wrapper, inputs, &cell, batch, dtype.dtype())?
            }
            (CaptureRequest::DeriveWrapper { inputs, dtype, cell }, Instance::Wrapper(wrapper)) => {
                capture_wrapper_derive(&**wrapper, inputs, &cell, dtype.dtype())?.0
            }
            (CaptureRequest::Clipper { gradients, dtype }, Instance::Clipper(clipper)) => {
                let shapes: Vec<_> = gradients.into_iter().map(|(name, shape)| (name.into(), shape)).collect();
                capture_clipper(&**clipper, &shapes, dtype.dtype())?
            }
            _ => return Err(PluginError::new("it is of another kind")),
        };
        Graph::try_from(captured)?.write().map_err(PluginError::new)
    })
}

/// Processes logits in place.
pub fn process(number: u64, logits: &mut [f64], history: &[Token]) -> Answer {
    called(number, |instance| match instance {
        Instance::Sampler(sampler) => {
            sampler.process(logits, history)?;
            Ok(Vec::new())
        }
        _ => Err(PluginError::new("it is not a sampler")),
    })
}

/// The documents of a text.
pub fn documents(number: u64, name: &[u8], text: &[u8]) -> Answer {
    called(number, |instance| {
        let Instance::Dataset(dataset) = instance else { return Err(PluginError::new("it is not a dataset")) };
        let utf8 = |bytes| std::str::from_utf8(bytes).map_err(|error| PluginError::new(error.to_string()));
        let documents = dataset.documents(&Source { name: utf8(name)?, text: utf8(text)? })?;
        wire::write_binary(&match documents {
            Documents::Ranges(ranges) => {
                DocumentList::Ranges(ranges.into_iter().map(|range| (range.start, range.end)).collect())
            }
            Documents::Text(texts) => DocumentList::Text(texts),
        })
    })
}

fn build(build: &Build, keys: Value) -> Result<(Instance, InstanceInfo), PluginError> {
    let opened = |keys| match keys {
        Value::Object(keys) => Ok(InstanceInfo { keys, keeps_identity: false, framing: None }),
        _ => Err(PluginError::new("its keys are not those of a table")),
    };
    Ok(match build {
        Build::Dataset(build) => {
            let (dataset, keys) = build(keys)?;
            let opened = InstanceInfo { framing: Some(dataset.framing()), ..opened(keys)? };
            (Instance::Dataset(dataset.into()), opened)
        }
        Build::Cell(build) => {
            let (cell, keys) = build(keys)?;
            (Instance::Cell(cell.into()), opened(keys)?)
        }
        Build::Wrapper(build) => {
            let (wrapper, keys) = build(keys)?;
            let opened = InstanceInfo { keeps_identity: wrapper.keeps_identity(), ..opened(keys)? };
            (Instance::Wrapper(wrapper.into()), opened)
        }
        Build::Clipper(build) => {
            let (clipper, keys) = build(keys)?;
            (Instance::Clipper(clipper.into()), opened(keys)?)
        }
        Build::Sampler(build) => {
            let (sampler, keys) = build(keys)?;
            (Instance::Sampler(sampler.into()), opened(keys)?)
        }
    })
}

fn provider(plugins: fn() -> Provider) -> &'static Provider {
    static PROVIDER: OnceLock<Provider> = OnceLock::new();
    PROVIDER.get_or_init(plugins)
}

fn asked<T: DeserializeOwned>(request: &[u8]) -> Result<T, PluginError> {
    wire::read(request).map_err(|error| PluginError::new(format!("the request cannot be read: {error}")))
}

/// A call to an instance. The list is not locked meanwhile, so that calls may run side by side.
fn called(number: u64, body: impl FnOnce(&Instance) -> Result<Vec<u8>, PluginError>) -> Answer {
    let found = OPEN.lock().unwrap_or_else(PoisonError::into_inner).get(number as usize).cloned().flatten();
    match found {
        Some(instance) => answer(|| body(&instance)),
        None => failed(ERROR, &PluginError::new(format!("there is no instance {number}"))),
    }
}

fn answer(body: impl FnOnce() -> Result<Vec<u8>, PluginError>) -> Answer {
    match catch_panic(body) {
        Ok(Ok(bytes)) => (OK, bytes),
        Ok(Err(error)) => failed(ERROR, &error),
        Err(reason) => failed(PANICKED, &PluginError::new(format!("it panicked: {reason}"))),
    }
}

fn failed(status: i32, error: &PluginError) -> Answer {
    (status, wire::write_json(error).unwrap_or_default())
}
