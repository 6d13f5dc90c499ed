//! A wrapper from a library: its graphs, replayed on the host's tensors, with the cell within in the place of its calls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    cell::{BOTH, recorded},
    instance::Instance,
};
use crate::replay::Program;
use burn::{Tensor, tensor::DType};
use hatchery_plugin::{
    CellInfo, Declaration, Inner, Params, PluginError, State,
    capture::wrapper_shapes,
    host::{HostWrapper, Recordings},
    wire::{CaptureRequest, CellInputs, DeclareRequest, InstanceInfo},
};
use serde::de::DeserializeOwned;

/// What a graph was recorded for: input width, rows (none of what is derived from the parameters), element type. The cell
/// within is always the same.
type Size = (usize, Option<usize>, DType);

pub(super) struct LoadedWrapper {
    instance: Instance,
    keeps_identity: bool,
    declared: Mutex<HashMap<usize, Arc<Declaration>>>,
    programs: Mutex<HashMap<Size, Arc<Program>>>,
}

impl LoadedWrapper {
    pub(super) fn new(instance: Instance, info: &InstanceInfo) -> Self {
        Self { instance, keeps_identity: info.keeps_identity, declared: Mutex::default(), programs: Mutex::default() }
    }

    fn ask<T: DeserializeOwned>(&self, request: &DeclareRequest) -> Result<T, PluginError> {
        self.instance.declare(request).map_err(|error| self.instance.failed("declare", error))
    }

    fn declared(&self, inputs: usize, cell: &CellInfo) -> Result<Arc<Declaration>, PluginError> {
        let mut known = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(declared) = known.get(&inputs) {
            return Ok(declared.clone());
        }
        let declared: Declaration = self.ask(&DeclareRequest { inputs, params: true, cell: Some(cell.clone()) })?;
        declared.check().map_err(|error| self.instance.failed("declare", error))?;
        let declared = Arc::new(declared);
        known.insert(inputs, declared.clone());
        Ok(declared)
    }

    fn program(&self, what: Size, cell: &CellInfo) -> Result<Arc<Program>, PluginError> {
        let known = self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&what).cloned();
        if let Some(program) = known {
            return Ok(program);
        }
        let (inputs, rows, dtype) = what;
        let declared = self.declared(inputs, cell)?;
        let made = match rows {
            Some(batch) => {
                let request = |dtype| CaptureRequest::Wrapper { inputs, batch, dtype, cell: cell.clone() };
                let (arguments, results) = wrapper_shapes(&declared, cell, inputs, batch);
                recorded(&self.instance, request, dtype).and_then(|graph| {
                    let widths = (self.cell_inputs(inputs)?, &cell.declared);
                    Program::around(&graph, (&arguments, &results), dtype, Some((widths, batch)))
                })
            }
            None => {
                let request = |dtype| CaptureRequest::DeriveWrapper { inputs, dtype, cell: cell.clone() };
                let arguments = [declared.fixed(), cell.declared.fixed()].concat();
                let of_cell = declared.derived_of_cell.clone().unwrap_or_else(|| cell.declared.fixed());
                let results = [declared.matrices(), of_cell].concat();
                recorded(&self.instance, request, dtype)
                    .and_then(|graph| Program::around(&graph, (&arguments, &results), dtype, None))
            }
        };
        let function = if rows.is_some() { "step" } else { "derive" };
        let within = |error: PluginError| self.instance.failed(function, error.within("its graph"));
        let program = Arc::new(made.map_err(within)?);
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).insert(what, program.clone());
        Ok(program)
    }
}

impl HostWrapper for LoadedWrapper {
    fn cell_inputs(&self, inputs: usize) -> Result<usize, PluginError> {
        let answer: CellInputs = self.ask(&DeclareRequest { inputs, params: false, cell: None })?;
        Ok(answer.cell_inputs)
    }

    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        self.declared(inputs, cell).map(|declared| (*declared).clone())
    }

    fn derive(
        &self,
        inputs: usize,
        info: &CellInfo,
        params: Params,
        cell: Params,
    ) -> Result<(Params, Params), PluginError> {
        let declared = self.declared(inputs, info)?;
        let (Some(own), Some(of_cell)) = (&declared.derived, &declared.derived_of_cell) else {
            return Ok((params, cell));
        };
        let Some(dtype) = params.iter().chain(cell.iter()).next().map(|(_, matrix)| matrix.dtype()) else {
            return Ok((params, cell));
        };
        let program = self.program((inputs, None, dtype), info)?;
        let given = declared.fixed().into_iter().map(|(name, _)| params.get(&name));
        let arguments = given.chain(info.declared.fixed().into_iter().map(|(name, _)| cell.get(&name))).collect();
        let mut results = program.run(arguments).into_iter();
        let own = own.iter().map(|(name, _)| name.clone()).zip(results.by_ref()).collect();
        Ok((own, of_cell.iter().map(|(name, _)| name.clone()).zip(results).collect()))
    }

    fn step(
        &self,
        cell: &mut Inner<'_>,
        params: &Params,
        x: Tensor<2>,
        state: State,
    ) -> Result<(Tensor<2>, State), PluginError> {
        let [batch, inputs] = x.dims();
        let program = self.program((inputs, Some(batch), x.dtype()), cell.info())?;
        let declared = self.declared(inputs, cell.info())?;
        let vectors: Vec<_> = cell.info().declared.state.iter().map(|spec| spec.name.clone()).collect();
        let mut arguments = vec![x];
        arguments.extend(declared.matrices().iter().map(|(name, _)| params.get(name)));
        arguments.extend(declared.noise_of_rows().map(|spec| params.get(&spec.name)));
        arguments.extend(declared.state.iter().map(|spec| state.get(&spec.name)));
        arguments.extend(vectors.iter().map(|name| cell.state.get(name)));
        let mut results = program
            .run_around(arguments, &mut |mut given| {
                let x = given.remove(0);
                cell.state = vectors.iter().cloned().zip(given).collect();
                let output = cell.step(x);
                std::iter::once(output).chain(vectors.iter().map(|name| cell.state.get(name))).collect()
            })
            .into_iter();
        let output = results.next().expect("a checked graph gives an output");
        let next = declared.state.iter().map(|spec| spec.name.clone()).zip(results.by_ref()).collect();
        cell.state = vectors.into_iter().zip(results).collect();
        Ok((output, next))
    }

    fn prepare(&self, inputs: usize, cell: &CellInfo, batch: usize, dtype: DType) -> Result<(), PluginError> {
        if self.declared(inputs, cell)?.derived.is_some() {
            self.program((inputs, None, dtype), cell)?;
        }
        self.program((inputs, Some(batch), dtype), cell).map(drop)
    }

    fn recordings(&self, inputs: usize, cell: &CellInfo) -> Result<Recordings, PluginError> {
        let declared = self.declared(inputs, cell)?;
        let widths = |inputs| DeclareRequest { inputs, params: false, cell: None };
        let whole = DeclareRequest { inputs, params: true, cell: Some(cell.clone()) };
        let step = |dtype| CaptureRequest::Wrapper { inputs, batch: 1, dtype, cell: cell.clone() };
        let mut capture = BOTH.map(step).to_vec();
        if declared.derived.is_some() {
            capture.extend(BOTH.map(|dtype| CaptureRequest::DeriveWrapper { inputs, dtype, cell: cell.clone() }));
        }
        let recording = self.instance.recording(&[whole, widths(inputs), widths(1)], &capture, &declared)?;
        Ok(vec![(self.instance.name.into(), recording)])
    }

    fn keeps_identity(&self) -> bool {
        self.keeps_identity
    }
}
