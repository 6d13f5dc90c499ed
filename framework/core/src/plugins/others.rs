//! Clippers, samplers and datasets from a library.

use std::{
    collections::HashMap,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
};

use burn::tensor::DType;
use hatchery_plugin::{
    Clipper, Dataset, Documents, Framing, Gradients, Name, PluginError, Sampler, Source, Token,
    wire::{self, CaptureRequest, DocumentList, Graph, InstanceInfo, Precision},
};

use super::Instance;
use crate::replay::Program;

type Shapes = Vec<(Name, [usize; 2])>;

/// A clipper: its graph over the gradients' shapes, replayed on the host's tensors.
pub(super) struct LoadedClipper {
    instance: Instance,
    programs: Mutex<HashMap<(Shapes, DType), Arc<Program>>>,
}

impl LoadedClipper {
    pub(super) fn new(instance: Instance) -> Self {
        Self { instance, programs: Mutex::default() }
    }

    fn program(&self, shapes: Shapes, dtype: DType) -> Result<Arc<Program>, PluginError> {
        let key = (shapes, dtype);
        if let Some(program) = self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(program.clone());
        }
        let float = Precision::of(dtype).ok_or_else(|| PluginError::new(format!("it cannot be run on {dtype:?}")))?;
        let gradients = key.0.iter().map(|(name, shape)| (name.to_string(), *shape)).collect();
        let request = wire::write_json(&CaptureRequest::Clipper { gradients, dtype: float })?;
        let bytes = self.instance.library.capture(self.instance.number, &request)?;
        let graph: Graph =
            wire::read(&bytes).map_err(|error| PluginError::new(format!("its graph cannot be read: {error}")))?;
        let program = Program::new(&graph.recorded()?, &key.0, &key.0, dtype)
            .map_err(|fault| PluginError { message: format!("its graph: {}", fault.message), ..fault })?;
        let program = Arc::new(program);
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, program.clone());
        Ok(program)
    }
}

impl Clipper for LoadedClipper {
    fn clip(&self, gradients: Gradients) -> Gradients {
        let Some(dtype) = gradients.iter().next().map(|(_, gradient)| gradient.dtype()) else { return gradients };
        let shapes = gradients.iter().map(|(name, gradient)| (Name::from(name.to_owned()), gradient.dims())).collect();
        let program =
            self.program(shapes, dtype).unwrap_or_else(|fault| resume_unwind(Box::new(self.instance.named(fault))));
        let (names, tensors): (Vec<_>, Vec<_>) = gradients.into_iter().unzip();
        names.into_iter().zip(program.run(tensors)).collect()
    }

    fn prepare(&self, shapes: &[(Name, [usize; 2])], dtype: DType) -> Result<(), PluginError> {
        self.program(shapes.to_vec(), dtype).map(drop).map_err(|fault| self.instance.named(fault))
    }
}

/// A sampler: called with slices.
pub(super) struct LoadedSampler {
    pub(super) instance: Instance,
}

impl Sampler for LoadedSampler {
    fn process(&self, logits: &mut [f64], history: &[Token]) {
        if let Err(fault) = self.instance.library.process(self.instance.number, logits, history) {
            resume_unwind(Box::new(self.instance.named(fault)));
        }
    }
}

/// A dataset: called with the text.
pub(super) struct LoadedDataset {
    instance: Instance,
    framing: Framing,
}

impl LoadedDataset {
    pub(super) fn new(instance: Instance, opened: InstanceInfo) -> Result<Self, PluginError> {
        let framing = opened.framing.ok_or_else(|| PluginError::new("it does not say how its documents are framed"))?;
        let positive = match framing {
            Framing::Documents { length, .. } => length.is_none_or(|length| length >= 2),
            Framing::Windows { length, stride, .. } => length >= 1 && stride >= 1,
            Framing::Stream { steps } => steps >= 1,
        };
        if positive {
            Ok(Self { instance, framing })
        } else {
            Err(PluginError::new("its framing has a length of zero"))
        }
    }
}

impl Dataset for LoadedDataset {
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        let Instance { library, number, .. } = &self.instance;
        let named = |fault| self.instance.named(fault);
        let bytes = library.documents(*number, source.name, source.text).map_err(named)?;
        let cut: DocumentList = wire::read(&bytes)
            .map_err(|error| named(PluginError::new(format!("its documents cannot be read: {error}"))))?;
        match cut {
            DocumentList::Text(texts) => Ok(Documents::Text(texts)),
            DocumentList::Ranges(ranges) => {
                let wrong = ranges.iter().find(|(from, to)| source.text.get(*from..*to).is_none());
                if let Some((from, to)) = wrong {
                    return Err(named(PluginError::new(format!(
                        "bytes {from} to {to} are no part of `{}`",
                        source.name
                    ))));
                }
                Ok(Documents::Ranges(ranges.into_iter().map(|(from, to)| from..to).collect()))
            }
        }
    }

    fn framing(&self) -> Framing {
        self.framing.clone()
    }
}
