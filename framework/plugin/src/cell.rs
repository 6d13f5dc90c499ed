//! The recurrent cell: what one time step computes.

use burn::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Initializer, Name, Params, State};

#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared as a cell and has no equations",
    label = "write `impl Cell for {Self}`"
)]
// ANCHOR: trait
/// A recurrent cell: named matrices, carried vectors, and the equations of one time step.
///
/// A cell owns no parameters: it declares them and is a pure function of them. The framework initializes, updates,
/// clips and saves them, runs the cell over time, stacks it in layers and puts a linear head on top.
pub trait Cell: Send + Sync {
    /// The matrices that `step` uses, for inputs of width `inputs`. Weights are `[outputs, inputs]` and biases
    /// `[1, outputs]`; the order is the order of initialisation.
    fn params(&self, inputs: usize) -> Vec<ParamSpec>;

    /// The vectors carried from step to step.
    fn state(&self) -> Vec<StateSpec>;

    /// Width of the output: that of the first carried vector, unless the cell says otherwise.
    fn outputs(&self) -> usize {
        self.state().first().map_or(0, |vector| vector.width)
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

/// A matrix that a cell asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ParamSpec {
    /// Its name, unique within the cell.
    pub name: Name,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// How its first values are drawn.
    pub initializer: Initializer,
    /// How many matrices are stacked in it row by row, one for each gate. Each is initialized as a matrix of its own.
    #[serde(default = "one")]
    pub gates: usize,
}

impl ParamSpec {
    /// A matrix with a name, a shape and an initializer.
    pub fn new(name: impl Into<Name>, shape: [usize; 2], initializer: Initializer) -> Self {
        Self { name: name.into(), shape, initializer, gates: 1 }
    }

    /// Stacks `count` matrices of this shape row by row, one for each gate: a product with all of them is one product, and
    /// [`chunk`](crate::chunk) splits its result. Each is initialized as a matrix of its own.
    #[must_use]
    pub fn gates(mut self, count: usize) -> Self {
        self.shape[0] *= count;
        self.gates *= count;
        self
    }

    /// The same matrix with another initializer.
    #[must_use]
    pub fn initializer(mut self, initializer: Initializer) -> Self {
        self.initializer = initializer;
        self
    }
}

/// A weight matrix `[outputs, inputs]`, initialized Xavier-uniform.
pub fn weight(name: impl Into<Name>, shape: [usize; 2]) -> ParamSpec {
    ParamSpec::new(name, shape, Initializer::XavierUniform)
}

/// A recurrent weight matrix `[width, width]`, initialized orthogonal.
pub fn recurrent(name: impl Into<Name>, width: usize) -> ParamSpec {
    ParamSpec::new(name, [width, width], Initializer::Orthogonal)
}

/// A bias `[1, width]`, initialized with zeros.
pub fn bias(name: impl Into<Name>, width: usize) -> ParamSpec {
    ParamSpec::new(name, [1, width], Initializer::Zeros)
}

/// A vector that a cell carries from one time step to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StateSpec {
    /// Its name, unique within the cell.
    pub name: Name,
    /// Its width.
    pub width: usize,
    /// The value of every entry before the first step.
    #[serde(default)]
    pub start: f64,
}

impl StateSpec {
    /// A vector with a name and a width that starts at zero.
    pub fn new(name: impl Into<Name>, width: usize) -> Self {
        Self { name: name.into(), width, start: 0.0 }
    }

    /// The same vector with another value of every element before the first step.
    #[must_use]
    pub fn start(mut self, value: f64) -> Self {
        self.start = value;
        self
    }
}

/// A carried vector that starts at zero.
pub fn zeros(name: impl Into<Name>, width: usize) -> StateSpec {
    StateSpec::new(name, width)
}

fn one() -> usize {
    1
}
