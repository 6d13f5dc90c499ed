//! The runtime: memory, threads, and what a compiled model does.

pub(crate) mod buffers;
mod clock;
mod executable;
mod gradients;
mod noise;
pub(crate) mod optimizer;
mod parameter_program;
mod prepare;
mod sequence;
mod shard;

use executable::CompiledModel;

use crate::{
    error::Unsupported,
    model::{BatchView, Description, Dtype, NamedMatrix, Needs, Options, Products, Streams, Totals},
};

/// A compiled model, whatever its dtype. Values are passed in 64 bits, which hold those of 32 bits exactly.
pub trait Executable: Send {
    /// One update: forward, loss, backward, clip, optimizer.
    ///
    /// # Panics
    /// When the slices of the batch are not as long as it has entries, or have an entry beyond the vocabulary.
    fn train(&mut self, batch: &BatchView<'_>, streams: &dyn Streams, rate: f64);
    /// The cross-entropy of every update since the last call, summed over the counted predictions, in nats.
    fn losses(&mut self) -> Vec<f64>;
    /// The cost of the products of all updates so far.
    fn products(&self) -> Products;
    /// Sets whether every product is timed. That costs two readings of the clock for each.
    fn time_products(&mut self, on: bool);
    /// The global norm of the gradients of the last update, before and after the clippers.
    fn gradient_norms(&self) -> (f64, f64);
    /// The gradients of the last update, before and after the clippers, row by row.
    fn gradients(&self) -> [Vec<Vec<f64>>; 2];
    /// Runs over a batch without training.
    ///
    /// # Panics
    /// As [`Executable::train`].
    fn evaluate(&mut self, batch: &BatchView<'_>) -> Totals;
    /// Begins to generate `rows` sequences at once, each from the starting state.
    fn begin(&mut self, rows: usize);
    /// Feeds every sequence one token and returns the logits of the next: `[rows, vocabulary]`, row by row.
    ///
    /// # Panics
    /// When a token is beyond the vocabulary, or there are more or fewer than sequences.
    fn advance(&mut self, tokens: &[u32]) -> Vec<f64>;
    /// All parameters, in the order of their declaration.
    fn parameters(&self) -> Vec<NamedMatrix>;
    /// Sets a parameter. Returns whether there is one of that name and shape.
    fn set_parameter(&mut self, name: &str, shape: [usize; 2], values: &[f64]) -> bool;
    /// The state of the optimizer, named as Burn names it: `<parameter>.momentum.moment_1`.
    fn optimizer_state(&self) -> Vec<NamedMatrix>;
    /// Resets the state of the optimizer to that before the first update.
    fn reset_optimizer(&mut self);
    /// Restores a matrix of the optimizer's state. Returns whether it is one.
    fn set_optimizer_state(&mut self, name: &str, values: &[f64]) -> bool;
    /// The state vectors in which the last training batch ended: each `[rows, width]`; none before the first.
    fn state(&self) -> Vec<NamedMatrix>;
    /// Restores the state vectors that the next training batch may continue from; without all of them it starts anew.
    fn set_state(&mut self, saved: &[NamedMatrix]);
    /// The schedules and the memory that the model takes, as text.
    fn listing(&self) -> String;
    /// The memory that the model takes.
    fn needs(&self) -> Needs;
    /// The memory in use, in bytes.
    fn bytes(&self) -> usize;
}

/// Compiles a model. Its parameters are zeros until they are set.
///
/// # Errors
/// When a cell or a clipper cannot be recorded, or uses an operation that is not compiled.
pub fn compile(
    description: &Description<'_>,
    dtype: Dtype,
    options: Options,
) -> Result<Box<dyn Executable>, Unsupported> {
    Ok(match dtype {
        Dtype::F32 => Box::new(CompiledModel::<f32>::new(description, options)?),
        Dtype::F64 => Box::new(CompiledModel::<f64>::new(description, options)?),
    })
}
