//! A wrapper with the cell within: a cell like any other to the framework.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use burn::{Tensor, tensor::DType};

use crate::{
    CellInfo, Declaration, Inner, Matrices, Name, Params, PluginError, Start, State,
    capture::{capture_step, with_derived},
    host::{HostCell, HostWrapper},
};

/// A wrapper around a cell. What the wrapper declares has the prefix before its name, what the cell declares has none.
pub struct WrappedCell {
    prefix: String,
    wrapper: Box<dyn HostWrapper>,
    cell: Box<dyn HostCell>,
    known: Mutex<HashMap<usize, Arc<Declared>>>,
}

/// What both declare for one width of the input.
struct Declared {
    cell_inputs: usize,
    cell: CellInfo,
    own: Declaration,
    both: Declaration,
}

impl WrappedCell {
    /// Builds a wrapper around a cell.
    pub fn new(prefix: String, wrapper: Box<dyn HostWrapper>, cell: Box<dyn HostCell>) -> Self {
        Self { prefix, wrapper, cell, known: Mutex::default() }
    }

    fn declared(&self, inputs: usize) -> Result<Arc<Declared>, PluginError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&inputs) {
            return Ok(known.clone());
        }
        let cell_inputs = self.wrapper.cell_inputs(inputs)?;
        let declared = self.cell.declare(cell_inputs)?;
        declared.check()?;
        let output = output_vector(&*self.cell, cell_inputs);
        let cell = CellInfo { declared, output };
        let own = self.wrapper.declare(inputs, &cell)?;
        own.check()?;
        let both = self.both(&own, &cell.declared)?;
        let declared = Arc::new(Declared { cell_inputs, cell, own, both });
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(inputs, declared.clone());
        Ok(declared)
    }

    /// The declaration of the whole.
    fn both(&self, own: &Declaration, cell: &Declaration) -> Result<Declaration, PluginError> {
        let full = |name: &Name| Name::from(format!("{}{name}", self.prefix));
        let mut both = cell.clone();
        both.outputs = own.outputs;
        both.derived = None;
        let params = own.params.iter().cloned();
        both.params.extend(params.map(|mut spec| {
            spec.name = full(&spec.name);
            spec
        }));
        let state = own.state.iter().cloned();
        both.state.extend(state.map(|mut spec| {
            spec.name = full(&spec.name);
            if let Start::Param(name) = &mut spec.start {
                *name = full(name);
            }
            spec
        }));
        let noise = own.noise.iter().cloned();
        both.noise.extend(noise.map(|mut spec| {
            spec.name = full(&spec.name);
            spec
        }));
        both.penalties.extend(own.penalties.iter().map(full));
        let names = cell.arguments(1, 1).into_iter().chain(cell.fixed()).map(|(name, _)| name);
        match names.into_iter().find(|name| name.starts_with(&self.prefix)) {
            Some(name) => {
                let prefix = &self.prefix;
                let wrong =
                    format!("the cell within has a matrix `{name}`, and what begins with `{prefix}` is the wrapper's");
                Err(PluginError::new(wrong).hint("give that of the cell another name"))
            }
            None => Ok(both),
        }
    }

    /// The wrapper's own matrices, without the prefix, and those of the cell.
    fn split(&self, matrices: impl IntoIterator<Item = (Name, Tensor<2>)>) -> (Matrices, Matrices) {
        let (mut own, mut cell) = (Matrices::default(), Matrices::default());
        for (name, matrix) in matrices {
            match name.strip_prefix(&self.prefix) {
                Some(inner) => own.push(inner.to_owned(), matrix),
                None => cell.push(name, matrix),
            }
        }
        (own, cell)
    }

    /// Matrices of the cell and of the wrapper as one list.
    fn join(&self, cell: Matrices, own: Matrices) -> Matrices {
        let own = own.into_iter().map(|(name, matrix)| (format!("{}{name}", self.prefix).into(), matrix));
        cell.into_iter().chain(own).collect()
    }
}

impl HostCell for WrappedCell {
    fn declare(&self, inputs: usize) -> Result<Declaration, PluginError> {
        with_derived(self, inputs, self.declared(inputs)?.both.clone())
    }

    fn widths(&self, inputs: usize) -> Result<Declaration, PluginError> {
        self.cell.widths(self.wrapper.cell_inputs(inputs)?)
    }

    fn derive(&self, inputs: usize, params: Params) -> Result<Params, PluginError> {
        let declared = self.declared(inputs)?;
        let (own, cell) = self.split(params);
        let (own, cell) = self.wrapper.derive(inputs, &declared.cell, own, cell)?;
        Ok(self.join(self.cell.derive(declared.cell_inputs, cell)?, own))
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> Result<(Tensor<2>, State), PluginError> {
        let declared = self.declared(x.dims()[1])?;
        let (own, cell) = self.split(params.clone());
        let (own_state, cell_state) = self.split(state);
        let mut inner = Inner::new(&*self.cell, cell, cell_state, &declared.cell);
        let (output, next) = self.wrapper.step(&mut inner, &own, x, own_state)?;
        let own_next = declared.own.state.iter().map(|spec| (spec.name.clone(), next.get(&spec.name))).collect();
        Ok((output, self.join(inner.finish()?, own_next)))
    }

    fn prepare(&self, inputs: usize, batch: usize, dtype: DType) -> Result<(), PluginError> {
        let declared = self.declared(inputs)?;
        self.cell.prepare(declared.cell_inputs, batch, dtype)?;
        self.wrapper.prepare(inputs, &declared.cell, batch, dtype)
    }
}

/// The vector that a cell's output is, as its recording says. A cell that cannot be recorded is refused elsewhere.
fn output_vector(cell: &dyn HostCell, inputs: usize) -> Option<Name> {
    let recorded = capture_step(cell, inputs, 2, DType::F32).ok()?;
    let (output, state) = recorded.outputs.split_first()?;
    state.iter().find(|(_, id)| *id == output.1).map(|(name, _)| name.clone())
}
