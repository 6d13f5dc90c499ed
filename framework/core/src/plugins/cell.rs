//! A cell from a library: its graphs, replayed on the host's tensors.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use burn::{Tensor, tensor::DType};
use hatchery_plugin::{
    Initializer, Name, ParamSpec, Params, PluginError, State, StateSpec,
    host::HostCell,
    wire::{self, CaptureRequest, Graph, InstanceInfo, ParamList, Precision},
};

use super::instance::Instance;
use crate::replay::Program;

/// Elements of the largest parameter that a cell may declare.
const LARGEST: usize = 1 << 31;

/// The size that a graph was recorded for: input width, rows, element type.
type Size = (usize, usize, DType);

pub(super) struct LoadedCell {
    instance: Instance,
    outputs: usize,
    state: Vec<StateSpec>,
    params: Mutex<HashMap<usize, Vec<ParamSpec>>>,
    programs: Mutex<HashMap<Size, Arc<Program>>>,
}

impl LoadedCell {
    pub(super) fn new(instance: Instance, info: InstanceInfo) -> Result<Self, PluginError> {
        let outputs = info.outputs.filter(|width| (1..LARGEST).contains(width));
        let outputs = outputs.ok_or_else(|| PluginError::new("it does not say how wide its output is"))?;
        let state = info.state.unwrap_or_default();
        unique("state", state.iter().map(|spec| &spec.name))?;
        if let Some(spec) = state.iter().find(|spec| !(1..LARGEST).contains(&spec.width) || !spec.start.is_finite()) {
            return Err(PluginError::new(format!(
                "its state `{}` is {} wide, from {}",
                spec.name, spec.width, spec.start
            )));
        }
        Ok(Self { instance, outputs, state, params: Mutex::default(), programs: Mutex::default() })
    }

    fn declared(&self, inputs: usize) -> Result<Vec<ParamSpec>, PluginError> {
        let mut known = self.params.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(params) = known.get(&inputs) {
            return Ok(params.clone());
        }
        let bytes = self.instance.library.params(self.instance.number, inputs)?;
        let ParamList { params } =
            wire::read(&bytes).map_err(|error| PluginError::new(format!("its parameters cannot be read: {error}")))?;
        check(&params)?;
        known.insert(inputs, params.clone());
        Ok(params)
    }

    fn program(&self, what: Size) -> Result<Arc<Program>, PluginError> {
        let known = self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&what).cloned();
        if let Some(program) = known {
            return Ok(program);
        }
        let params = self.params(what.0)?;
        let recorded = self.record(&params, what).map_err(|error| self.instance.failed("step", error))?;
        let program = Arc::new(recorded);
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).insert(what, program.clone());
        Ok(program)
    }

    fn record(&self, params: &[ParamSpec], (inputs, batch, dtype): Size) -> Result<Program, PluginError> {
        let precision =
            Precision::of(dtype).ok_or_else(|| PluginError::new(format!("it cannot be run on {dtype:?}")))?;
        let request = wire::write_json(&CaptureRequest::Cell { inputs, batch, dtype: precision })?;
        let bytes = self.instance.library.capture(self.instance.number, &request)?;
        let graph =
            Graph::read(&bytes).map_err(|error| PluginError::new(format!("its graph cannot be read: {error}")))?;
        let mut arguments = vec![(Name::from("x"), [batch, inputs])];
        arguments.extend(params.iter().map(|spec| (spec.name.clone(), spec.shape)));
        let state = || self.state.iter().map(|spec| (spec.name.clone(), [batch, spec.width]));
        arguments.extend(state());
        let mut results = vec![(Name::from("output"), [batch, self.outputs])];
        results.extend(state());
        Program::new(&graph.try_into()?, &arguments, &results, dtype).map_err(|error| error.within("its graph"))
    }
}

impl HostCell for LoadedCell {
    fn params(&self, inputs: usize) -> Result<Vec<ParamSpec>, PluginError> {
        self.declared(inputs).map_err(|error| self.instance.failed("params", error))
    }

    fn state(&self) -> Vec<StateSpec> {
        self.state.clone()
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> Result<(Tensor<2>, State), PluginError> {
        let [batch, inputs] = x.dims();
        let program = self.program((inputs, batch, x.dtype()))?;
        let mut arguments = Vec::with_capacity(1 + params.len() + state.len());
        arguments.push(x);
        arguments.extend(params.iter().map(|(_, matrix)| matrix.clone()));
        arguments.extend(state.into_iter().map(|(_, vector)| vector));
        let mut results = program.run(arguments).into_iter();
        let output = results.next().expect("a checked graph gives an output");
        Ok((output, self.state.iter().map(|spec| spec.name.clone()).zip(results).collect()))
    }

    fn prepare(&self, inputs: usize, batch: usize, dtype: DType) -> Result<(), PluginError> {
        self.program((inputs, batch, dtype)).map(drop)
    }
}

fn check(params: &[ParamSpec]) -> Result<(), PluginError> {
    unique("parameters", params.iter().map(|spec| &spec.name))?;
    for ParamSpec { name, shape: [rows, columns], initializer, gates } in params {
        let count = rows.checked_mul(*columns).filter(|count| (1..=LARGEST).contains(count));
        if count.is_none() || *gates == 0 || rows % gates != 0 {
            return Err(PluginError::new(format!("its parameter `{name}` is {rows} by {columns} in {gates} gates")));
        }
        let given = if let Initializer::Values { values } = initializer { Some(values.len() * gates) } else { None };
        if given.is_some_and(|given| Some(given) != count) {
            return Err(PluginError::new(format!(
                "the first values of its parameter `{name}` are too few or too many"
            )));
        }
    }
    Ok(())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a Name>) -> Result<(), PluginError> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if name.is_empty() || seen.contains(&name.as_ref()) {
            return Err(PluginError::new(format!("two of its {what} are named `{name}`, or one has no name")));
        }
        seen.push(name);
    }
    Ok(())
}
