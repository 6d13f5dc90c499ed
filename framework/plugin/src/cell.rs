//! The recurrent cell: what one time step computes.

use burn::Tensor;

use crate::{Name, NoiseSpec, ParamSpec, Params, PluginError, State, StateSpec};

#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared as a cell and has no equations",
    label = "write `impl Cell for {Self}`"
)]
// ANCHOR: trait
/// A recurrent cell: named matrices, carried vectors, and the equations of one time step.
///
/// A cell owns no parameters: it declares them and is a pure function of them. The framework initializes, updates,
/// clips and saves them, runs the cell over time, stacks it in layers and puts a linear head on top. What a cell declares
/// follows from its keys and from `inputs`, the width of its input.
pub trait Cell: Send + Sync {
    /// The matrices that training changes. Weights are `[outputs, inputs]` and biases `[1, outputs]`; the order is the
    /// order of initialization.
    fn params(&self, inputs: usize) -> Vec<ParamSpec>;

    /// Whether the keys fit each other, where a limit of a single key cannot say it: `heads` that divide `hidden`, say.
    /// `hatchery check` calls it, before anything else of the cell.
    ///
    /// # Errors
    /// When they do not: what is wrong, and by [`PluginError::hint`] what to do.
    fn validate(&self) -> Result<(), PluginError> {
        Ok(())
    }

    /// The vectors carried from step to step.
    fn state(&self, inputs: usize) -> Vec<StateSpec>;

    /// Width of the output: that of the first carried vector, unless the cell says otherwise.
    fn outputs(&self, inputs: usize) -> usize {
        self.state(inputs).first().map_or(0, |vector| vector.width)
    }

    /// The masks and normal values that the framework draws in training; `step` finds them among `params`, by name. In
    /// evaluation and generation it finds their expectation there.
    fn noise(&self, _inputs: usize) -> Vec<NoiseSpec> {
        Vec::new()
    }

    /// The vectors of the state that are added to what training minimizes, with weights from the experiment.
    fn penalties(&self, _inputs: usize) -> Vec<Name> {
        Vec::new()
    }

    /// What is computed from the parameters once an update and not at every step. It gets the parameters and the noise that
    /// is drawn once an update, and returns what `step` receives in their place: matrices may be added, replaced or left out.
    fn derive(&self, params: Params) -> Params {
        params
    }

    /// One time step.
    ///
    /// `x` is `[batch, inputs]` and every vector of `state` is `[batch, width]`; returned are the output
    /// `[batch, outputs]` and the next state. The rows of a batch must not influence each other, and nothing but the
    /// arguments may influence the result: the conformance kit tests both. Gradients are those of the values:
    /// `Tensor::detach` leaves no trace in a recording, so a loaded cell is differentiated through it.
    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State);
}
// ANCHOR_END: trait
