//! The values that cross the crate's boundary: what is compiled, how it runs, and what it computes.

use hatchery_plugin::host::{HostCell, HostClipper};

use crate::kernels::InstructionSet;

/// What is to be compiled.
pub struct Description<'a> {
    /// The number of symbols.
    pub vocabulary: usize,
    /// Width of a learned embedding; without one, inputs are one-hot.
    pub embedding: Option<usize>,
    /// The stacked cells with what their parameters' names begin with.
    pub layers: Vec<(&'a dyn HostCell, String)>,
    /// Share of a layer's outputs that training sets to zero.
    pub dropout: f64,
    /// Whether that holds for the last layer too.
    pub dropout_last: bool,
    /// What happens to gradients, in this order.
    pub clippers: Vec<&'a dyn HostClipper>,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
}

/// How a machine runs. The results of a training step do not depend on the number of threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How many threads; without a number all that there are.
    pub threads: Option<usize>,
    /// Which instructions; without a choice the best that the processor has.
    pub instructions: Option<InstructionSet>,
}

/// Sequences of equal length, time-major: entry (step, row) is at `step · rows + row`.
#[derive(Clone, Copy, Debug)]
pub struct Sequences<'a> {
    /// How many sequences.
    pub rows: usize,
    /// How many time steps.
    pub steps: usize,
    /// Input tokens; the number of symbols stands for the zero vector.
    pub inputs: &'a [u32],
    /// What should be predicted.
    pub targets: &'a [u32],
    /// Which predictions count.
    pub counted: &'a [bool],
    /// Whether the sequences go on where the last ones ended.
    pub continues: bool,
    /// The loss is the sum over the counted predictions divided by this number.
    pub divisor: f64,
}

/// Sums over the counted predictions of an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Cross-entropy, in nats.
    pub nats: f64,
    /// Predictions whose most likely symbol, the first of equals, was right.
    pub correct: u64,
    /// Predictions counted.
    pub characters: u64,
}

/// What the products of all updates so far were.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Products {
    /// Floating-point operations; a multiplication and an addition are two.
    pub operations: u64,
    /// Seconds that threads spent in them, added up over the threads; only those of updates that were timed.
    pub seconds: f64,
    /// How many threads the last update ran on: one if it was small.
    pub threads: usize,
}

/// A matrix with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T> {
    /// Its name.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Its numbers, row by row.
    pub values: Vec<T>,
}

/// The memory that a program takes, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// For parameters, their gradients, what the optimiser remembers, packed weights, and tables with a row for each
    /// symbol.
    pub fixed: usize,
    /// For every chunk of a batch, the sequences that run together: what it sums up, and a block of time steps.
    pub chunk: usize,
    /// For every sequence of a batch.
    pub row: usize,
    /// For every sequence and time step: the tape of what the way back needs.
    pub row_and_step: usize,
}

impl Needs {
    pub(crate) fn listing(self, size: usize) -> String {
        let Self { fixed, chunk, row, row_and_step } = self;
        let [fixed, chunk, row, row_and_step] = [fixed, chunk, row, row_and_step].map(|numbers| numbers * size);
        format!(
            "memory of the whole model:\n  {fixed} bytes, {chunk} bytes a chunk of rows, {row} bytes a row, \
             {row_and_step} bytes a row and step\n"
        )
    }
}

/// How parameters follow their gradients, with the formulas of burn-optim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent, with momentum if it is not 0.
    Sgd {
        /// Share of the last update that is kept.
        momentum: f64,
    },
    /// Duchi et al. (2011).
    Adagrad {
        /// Added to the root of the sum of squares.
        epsilon: f64,
    },
    /// Tieleman and Hinton (2012).
    Rmsprop {
        /// Share of the mean of squares that is kept each step.
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
        /// Share of each parameter, times the learning rate, that is taken away each step.
        weight_decay: f64,
    },
}

/// The width of a machine's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 32 bits.
    Single,
    /// 64 bits.
    Double,
}
