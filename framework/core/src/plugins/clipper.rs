//! A clipper from a library: its graph over the gradients' shapes, replayed on the host's tensors.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use burn::tensor::DType;
use hatchery_plugin::{
    Declaration, Gradients, Name, PluginError,
    host::{HostClipper, Recordings},
    wire::{CaptureRequest, Precision},
};

use super::{cell::BOTH, instance::Instance};
use crate::replay::Program;

type Shapes = Vec<(Name, [usize; 2])>;

pub(super) struct LoadedClipper {
    instance: Instance,
    programs: Mutex<HashMap<(Shapes, DType), Arc<Program>>>,
}

impl LoadedClipper {
    pub(super) fn new(instance: Instance) -> Self {
        Self { instance, programs: Mutex::default() }
    }

    /// The program for gradients of these shapes, recorded the first time.
    fn program(&self, shapes: Shapes, dtype: DType) -> Result<Arc<Program>, PluginError> {
        let key = (shapes, dtype);
        if let Some(program) = self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(program.clone());
        }
        let program = Arc::new(self.record(&key.0, dtype).map_err(|error| self.instance.failed("clip", error))?);
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, program.clone());
        Ok(program)
    }

    fn record(&self, shapes: &[(Name, [usize; 2])], dtype: DType) -> Result<Program, PluginError> {
        let precision =
            Precision::of(dtype).ok_or_else(|| PluginError::new(format!("it cannot be run on {dtype:?}")))?;
        let graph = self.instance.capture(&request(shapes, precision))?;
        Program::new(&graph, shapes, shapes, dtype).map_err(|error| error.within("its graph"))
    }
}

impl HostClipper for LoadedClipper {
    fn clip(&self, gradients: Gradients) -> Result<Gradients, PluginError> {
        let Some(dtype) = gradients.iter().next().map(|(_, gradient)| gradient.dtype()) else { return Ok(gradients) };
        let shapes = gradients.iter().map(|(name, gradient)| (Name::from(name.to_owned()), gradient.dims())).collect();
        let program = self.program(shapes, dtype)?;
        let (names, tensors): (Vec<_>, Vec<_>) = gradients.into_iter().unzip();
        Ok(names.into_iter().zip(program.run(tensors)).collect())
    }

    fn prepare(&self, shapes: &[(Name, [usize; 2])], dtype: DType) -> Result<(), PluginError> {
        self.program(shapes.to_vec(), dtype).map(drop)
    }

    fn recordings(&self, shapes: &[(Name, [usize; 2])]) -> Result<Recordings, PluginError> {
        let recording =
            self.instance.recording(&[], &BOTH.map(|dtype| request(shapes, dtype)), &Declaration::default())?;
        Ok(vec![(self.instance.name.into(), recording)])
    }
}

fn request(shapes: &[(Name, [usize; 2])], dtype: Precision) -> CaptureRequest {
    CaptureRequest::Clipper {
        gradients: shapes.iter().map(|(name, shape)| (name.to_string(), *shape)).collect(),
        dtype,
    }
}
