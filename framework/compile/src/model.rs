//! The values that cross the crate's boundary: what is compiled, how it runs, and what it computes.

use hatchery_plugin::{
    Rng,
    host::{HostCell, HostClipper},
};

use crate::kernels::InstructionSet;

/// A model to be compiled.
pub struct Description<'a> {
    /// The number of symbols.
    pub vocabulary: usize,
    /// Width of a learned embedding; without one, inputs are one-hot.
    pub embedding: Option<usize>,
    /// The stacked layers.
    pub layers: Vec<LayerDescription<'a>>,
    /// What makes logits of the last layer's outputs.
    pub head: Head,
    /// The clippers, in the order in which they see the gradients.
    pub clippers: Vec<&'a dyn HostClipper>,
    /// The optimizer.
    pub optimizer: Optimizer,
}

/// What makes logits of the last layer's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A product with a matrix and a bias of its own, `head.wya` and `head.by`.
    Linear,
    /// A product with the embedding, which is as wide as the outputs, and the bias `head.by`.
    Tied,
    /// Nothing: the last layer returns logits.
    LastLayer,
}

/// A layer of a model.
pub struct LayerDescription<'a> {
    /// Its cell.
    pub cell: &'a dyn HostCell,
    /// The prefix of the names of its parameters, states and noise.
    pub prefix: String,
    /// The probability with which training sets an output to zero.
    pub dropout: f64,
    /// The vectors of the state that are added to what training minimizes, each with its weight.
    pub penalties: Vec<(String, f64)>,
}

/// The random streams of one update.
pub trait Streams {
    /// The stream of the dropout masks, which are drawn layer by layer in the order `[step, row, unit]`.
    fn dropout(&self) -> Box<dyn Rng>;
    /// The stream of a cell's noise, by its full name; it is drawn in the order `[step, row, unit]`.
    fn noise(&self, name: &str) -> Box<dyn Rng>;
}

/// How a compiled model runs. The results of an update do not depend on the number of threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The number of threads; by default one for each core.
    pub threads: Option<usize>,
    /// The instruction set of the kernels; by default the best that the processor has.
    pub instructions: Option<InstructionSet>,
}

/// Sequences of equal length, time-major: entry (step, row) is at `step · rows + row`.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    /// The number of sequences.
    pub rows: usize,
    /// The number of time steps.
    pub steps: usize,
    /// Input tokens; the number of symbols stands for the zero vector.
    pub inputs: &'a [u32],
    /// The tokens to be predicted.
    pub targets: &'a [u32],
    /// The loss mask: which predictions count.
    pub counted: &'a [bool],
    /// Whether the sequences continue those of the last batch.
    pub continues: bool,
    /// The loss is the sum over the counted predictions divided by it.
    pub divisor: f64,
}

/// Sums over the counted predictions of a batch, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Cross-entropy, in nats.
    pub nats: f64,
    /// Predictions whose most likely symbol, the first of equals, was right.
    pub correct: u64,
    /// Predictions counted.
    pub characters: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.nats += other.nats;
        self.correct += other.correct;
        self.characters += other.characters;
    }
}

/// The cost of the products of all updates so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Products {
    /// Floating-point operations; a multiplication and an addition are two.
    pub operations: u64,
    /// Seconds that threads spent in them, added up over the threads; only of updates that were timed.
    pub seconds: f64,
    /// The number of threads of the last update: one if it was small.
    pub threads: usize,
}

/// A matrix with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedMatrix {
    /// Its name.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Its values, row by row.
    pub values: Vec<f64>,
}

/// The memory that a compiled model takes, in elements. A few long sequences that run in chunks take more: what a time block
/// holds, for every time step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// For parameters, their gradients, the optimizer's state, packed weights, and tables with a row for each symbol.
    pub fixed: usize,
    /// For every shard of a batch, the sequences that run together: its accumulators, and a time block.
    pub shard: usize,
    /// For every sequence of a batch.
    pub row: usize,
    /// For every sequence and time step: activations saved for the backward pass.
    pub row_and_step: usize,
}

/// How parameters follow their gradients, with the formulas of burn-optim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent, with momentum if it is not 0.
    Sgd {
        /// The factor of the last update's velocity.
        momentum: f64,
    },
    /// Duchi et al. (2011).
    Adagrad {
        /// Added to the root of the sum of squares.
        epsilon: f64,
    },
    /// Tieleman and Hinton (2012).
    Rmsprop {
        /// The decay of the mean of squares.
        decay: f64,
        /// Added to the root of the mean of squares.
        epsilon: f64,
    },
    /// Kingma and Ba (2015).
    Adam {
        /// Decays of the means of gradients and of their squares.
        betas: [f64; 2],
        /// Added to the root of the mean of squares.
        epsilon: f64,
    },
    /// Loshchilov and Hutter (2019).
    Adamw {
        /// Decays of the means of gradients and of their squares.
        betas: [f64; 2],
        /// Added to the root of the mean of squares.
        epsilon: f64,
        /// Share of each parameter, times the learning rate, that every update subtracts.
        weight_decay: f64,
    },
}

/// The dtype of a compiled model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 32 bits.
    F32,
    /// 64 bits.
    F64,
}
