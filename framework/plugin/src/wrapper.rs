//! The wrapper: a cell that is built around another.

use std::cell::RefCell;

use burn::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Declaration, Name, Params, PluginError, State, capture::Call, host::HostCell};

#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared as a wrapper and has no equations",
    label = "write `impl Wrapper for {Self}`"
)]
// ANCHOR: trait
/// A cell that is built around another, whatever that is: `wrap = ["residual"]` in the cell's table.
///
/// A wrapper declares what it needs itself; parameters, state and noise of the cell within stay the cell's own, under the
/// names that they have without it. Those of the wrapper get its name before them: `layer-norm.gain`.
pub trait Wrapper: Send + Sync {
    /// Whether the keys fit each other: [`Cell::validate`](crate::Cell::validate).
    ///
    /// # Errors
    /// When they do not.
    fn validate(&self) -> Result<(), PluginError> {
        Ok(())
    }

    /// Width of the input of the cell within, for inputs of width `inputs`.
    fn cell_inputs(&self, inputs: usize) -> usize {
        inputs
    }

    /// The width of the output, and what the wrapper needs beside what the cell within declares.
    ///
    /// # Errors
    /// When it does not fit the cell: a sum of vectors of different widths, say.
    fn declare(&self, inputs: usize, cell: &CellInfo) -> Result<Declaration, PluginError> {
        let _ = inputs;
        Ok(Declaration { outputs: cell.declared.outputs, ..Declaration::default() })
    }

    /// [`Cell::derive`](crate::Cell::derive) for the wrapper's own parameters, and for those of the cell within, before that
    /// derives anything from them.
    fn derive(&self, params: Params, cell: Params) -> (Params, Params) {
        (params, cell)
    }

    /// One time step, with the wrapper's own parameters and state. The cell within makes its own by [`Inner::step`].
    fn step(&self, cell: &mut Inner<'_>, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State);

    /// Whether the wrapper promises to be the identity around a cell that returns its input. The conformance kit holds it to
    /// that.
    fn keeps_identity(&self) -> bool {
        false
    }
}
// ANCHOR_END: trait

/// What a wrapper knows of the cell within.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CellInfo {
    /// What it declares.
    pub declared: Declaration,
    /// The vector of its state that it puts out, if its output is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Name>,
}

/// The cell within a wrapper, during one step.
pub struct Inner<'a> {
    /// Its state: before [`Inner::step`] the one before the time step, then the one after it. A wrapper may change it.
    pub state: State,
    info: &'a CellInfo,
    runs: Runs<'a>,
    failure: Option<PluginError>,
}

/// How the cell within makes a step.
enum Runs<'a> {
    /// By its own equations.
    Cell { cell: &'a dyn HostCell, params: Params },
    /// Not at all: the call is recorded.
    Recording(&'a RefCell<Vec<Call>>),
}

impl<'a> Inner<'a> {
    /// A cell with what its step receives beside input and state.
    pub(crate) fn new(cell: &'a dyn HostCell, params: Params, state: State, info: &'a CellInfo) -> Self {
        Self { state, info, runs: Runs::Cell { cell, params }, failure: None }
    }

    /// A cell that the host fills in when the recording is replayed.
    pub(crate) fn recording(calls: &'a RefCell<Vec<Call>>, state: State, info: &'a CellInfo) -> Self {
        Self { state, info, runs: Runs::Recording(calls), failure: None }
    }

    /// What is known of it.
    pub fn info(&self) -> &CellInfo {
        self.info
    }

    /// Makes a step: the output `[batch, outputs]` for an input `[batch, inputs]`. If the cell is from a library that fails,
    /// the output is zero, and the framework reports the failure after the wrapper's step.
    pub fn step(&mut self, x: Tensor<2>) -> Tensor<2> {
        let state = std::mem::take(&mut self.state);
        let (output, next) = match &self.runs {
            Runs::Cell { cell, params } => match cell.step(params, x.clone(), state.clone()) {
                Ok(stepped) => stepped,
                Err(error) => {
                    self.failure = Some(error);
                    (Self::empty(&x, self.info.declared.outputs).zeros_like(), state)
                }
            },
            Runs::Recording(calls) => {
                let names: Vec<Name> = self.info.declared.state.iter().map(|spec| spec.name.clone()).collect();
                let output = Self::empty(&x, self.info.declared.outputs);
                let next: State = self
                    .info
                    .declared
                    .state
                    .iter()
                    .map(|spec| (spec.name.clone(), Self::empty(&x, spec.width)))
                    .collect();
                let given = std::iter::once(x).chain(names.iter().map(|name| state.get(name)));
                let made = std::iter::once(output.clone()).chain(names.iter().map(|name| next.get(name)));
                calls.borrow_mut().push(Call::new(given, made));
                (output, next)
            }
        };
        self.state = next;
        output
    }

    /// The output as it must be after the wrapper has changed the state: the changed vector, if the output is one.
    pub fn output(&self, output: Tensor<2>) -> Tensor<2> {
        match &self.info.output {
            Some(name) => self.state.get(name),
            None => output,
        }
    }

    /// A matrix that holds nothing, with the rows of another.
    fn empty(like: &Tensor<2>, width: usize) -> Tensor<2> {
        Tensor::empty([like.dims()[0], width], (&like.device(), like.dtype()))
    }

    /// The state after the step.
    ///
    /// # Errors
    /// When the cell failed.
    pub(crate) fn finish(self) -> Result<State, PluginError> {
        self.failure.map_or(Ok(self.state), Err)
    }
}
