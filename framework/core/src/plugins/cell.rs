//! A cell from a library: its graphs, replayed on the host's tensors.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use burn::{Tensor, tensor::DType};
use hatchery_plugin::{
    Declaration, Params, PluginError, State,
    capture::RecordedGraph,
    host::{HostCell, Recordings},
    wire::{CaptureRequest, DeclareRequest, Precision},
};

use super::instance::Instance;
use crate::replay::Program;

/// What a graph was recorded for: input width, rows (none of what is derived from the parameters), element type.
type Size = (usize, Option<usize>, DType);

/// Element types in which graphs are kept.
pub(super) const BOTH: [Precision; 2] = [Precision::F32, Precision::F64];

pub(super) struct LoadedCell {
    instance: Instance,
    declared: Mutex<HashMap<usize, Arc<Declaration>>>,
    programs: Mutex<HashMap<Size, Arc<Program>>>,
}

impl LoadedCell {
    pub(super) fn new(instance: Instance) -> Self {
        Self { instance, declared: Mutex::default(), programs: Mutex::default() }
    }

    fn declared(&self, inputs: usize) -> Result<Arc<Declaration>, PluginError> {
        let mut known = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(declared) = known.get(&inputs) {
            return Ok(declared.clone());
        }
        let declared = Arc::new(self.ask(DeclareRequest { inputs, params: true, cell: None })?);
        known.insert(inputs, declared.clone());
        Ok(declared)
    }

    fn ask(&self, request: DeclareRequest) -> Result<Declaration, PluginError> {
        let declared = self.instance.declare::<Declaration>(&request);
        let checked = declared.and_then(|declared| declared.check().map(|()| declared));
        checked.map_err(|error| self.instance.failed("declare", error))
    }

    fn program(&self, what: Size) -> Result<Arc<Program>, PluginError> {
        let known = self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&what).cloned();
        if let Some(program) = known {
            return Ok(program);
        }
        let (inputs, rows, dtype) = what;
        let declared = self.declared(inputs)?;
        let (function, request, arguments, results) = match rows {
            Some(batch) => {
                let request: Request = Box::new(move |dtype| CaptureRequest::Cell { inputs, batch, dtype });
                ("step", request, declared.arguments(inputs, batch), declared.results(batch))
            }
            None => {
                let request: Request = Box::new(move |dtype| CaptureRequest::Derive { inputs, dtype });
                ("derive", request, declared.fixed(), declared.matrices())
            }
        };
        let program = recorded(&self.instance, request, dtype).and_then(|graph| {
            Program::new(&graph, &arguments, &results, dtype).map_err(|error| error.within("its graph"))
        });
        let program = Arc::new(program.map_err(|error| self.instance.failed(function, error))?);
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).insert(what, program.clone());
        Ok(program)
    }
}

type Request = Box<dyn FnOnce(Precision) -> CaptureRequest>;

/// The graph that a library records on request.
pub(super) fn recorded(
    instance: &Instance,
    request: impl FnOnce(Precision) -> CaptureRequest,
    dtype: DType,
) -> Result<RecordedGraph, PluginError> {
    let precision = Precision::of(dtype).ok_or_else(|| PluginError::new(format!("it cannot be run on {dtype:?}")))?;
    instance.capture(&request(precision))
}

impl HostCell for LoadedCell {
    fn declare(&self, inputs: usize) -> Result<Declaration, PluginError> {
        self.declared(inputs).map(|declared| (*declared).clone())
    }

    fn widths(&self, inputs: usize) -> Result<Declaration, PluginError> {
        self.ask(DeclareRequest { inputs, params: false, cell: None })
    }

    fn derive(&self, inputs: usize, params: Params) -> Result<Params, PluginError> {
        let declared = self.declared(inputs)?;
        let (Some(derived), Some((_, first))) = (&declared.derived, params.iter().next()) else { return Ok(params) };
        let program = self.program((inputs, None, first.dtype()))?;
        let results = program.run(declared.fixed().iter().map(|(name, _)| params.get(name)).collect());
        Ok(derived.iter().map(|(name, _)| name.clone()).zip(results).collect())
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> Result<(Tensor<2>, State), PluginError> {
        let [batch, inputs] = x.dims();
        let (program, declared) = (self.program((inputs, Some(batch), x.dtype()))?, self.declared(inputs)?);
        let mut arguments = Vec::with_capacity(1 + params.len() + state.len());
        arguments.push(x);
        arguments.extend(declared.matrices().iter().map(|(name, _)| params.get(name)));
        arguments.extend(declared.noise_of_rows().map(|spec| params.get(&spec.name)));
        arguments.extend(declared.state.iter().map(|spec| state.get(&spec.name)));
        let mut results = program.run(arguments).into_iter();
        let output = results.next().expect("a checked graph gives an output");
        Ok((output, declared.state.iter().map(|spec| spec.name.clone()).zip(results).collect()))
    }

    fn prepare(&self, inputs: usize, batch: usize, dtype: DType) -> Result<(), PluginError> {
        if self.declared(inputs)?.derived.is_some() {
            self.program((inputs, None, dtype))?;
        }
        self.program((inputs, Some(batch), dtype)).map(drop)
    }

    fn recordings(&self, inputs: usize) -> Result<Recordings, PluginError> {
        let declared = self.declared(inputs)?;
        let ask = |inputs, params| DeclareRequest { inputs, params, cell: None };
        // Training runs in one of them, `hatchery gradients` in 64 bits.
        let mut capture = BOTH.map(|dtype| CaptureRequest::Cell { inputs, batch: 1, dtype }).to_vec();
        if declared.derived.is_some() {
            capture.extend(BOTH.map(|dtype| CaptureRequest::Derive { inputs, dtype }));
        }
        // A width of 1 is asked for where that of the symbols is not known yet.
        let declare = [ask(inputs, true), ask(inputs, false), ask(1, false)];
        let recording = self.instance.recording(&declare, &capture, &declared)?;
        Ok(vec![(self.instance.name.into(), recording)])
    }
}
