//! Executors: how a model is run. Training, evaluation and generation use only the [`Executor`] trait; an implementation
//! runs a step operation by operation on Burn's tensors, or as a compiled program.
//!
//! Both are possible because a cell's step, a clipper and an update are pure functions of named matrices, and values are
//! read back only on request.

mod averaged;
mod burn;
mod compiled;
pub(crate) mod layer;
mod loss_mask;
pub mod memory;
mod optimizer;

pub use self::{
    averaged::AveragedExecutor,
    burn::BurnExecutor,
    compiled::{CompiledExecutor, limit_threads, passes, program, program_after},
};

pub use hatchery_compile::{Products, Totals};
use hatchery_plugin::Token;

use crate::{
    data::Batch,
    error::{Problem, Result},
    random::Streams,
    run::checkpoint::PARAMETERS,
    tensors::NamedTensor,
};

/// A model with its values, to be trained, evaluated and sampled from.
pub trait Executor {
    /// One update: forward, loss, backward, clip, optimizer. Dropout masks are drawn from one of the streams, layer by layer
    /// in the order `[step, row, unit]`, each cell's noise from one of its own. Nothing is read back.
    ///
    /// # Errors
    /// When the device fails.
    fn train(&mut self, batch: &Batch, streams: &Streams, learning_rate: f64) -> Result<()>;

    /// Undoes the last update: parameters, optimizer state and carried state are, bit for bit, those before it. Only with
    /// `train.on-nonfinite = "skip"`, and once after an update.
    ///
    /// # Errors
    /// When there is no update to undo.
    fn undo(&mut self) -> Result<()>;

    /// The cross-entropy, summed over the counted characters, in nats, of every update since the last call.
    ///
    /// # Errors
    /// When the device fails.
    fn losses(&mut self) -> Result<Vec<f64>>;

    /// Whether the device is asynchronous: updates are still being computed when [`Executor::train`] returns, and reading a
    /// value waits for them.
    fn is_async(&self) -> bool {
        false
    }

    /// The global norm of the gradients of the last update, before and after the clippers.
    ///
    /// # Errors
    /// When the device fails.
    fn gradient_norms(&mut self) -> Result<(f64, f64)>;

    /// The cost of the products of all updates so far, if the executor counts it.
    fn products(&self) -> Option<Products> {
        None
    }

    /// Sets whether products are timed, if the executor can. That slows it down a little.
    fn time_products(&mut self, _on: bool) {}

    /// Runs over a batch without training. It begins with the starting state unless the batch continues the one before.
    ///
    /// # Errors
    /// When the device fails.
    fn evaluate(&mut self, batch: &Batch) -> Result<Totals>;

    /// Begins to generate that many sequences at once, each from the starting state.
    fn begin(&mut self, rows: usize);

    /// Feeds every sequence one token (or the zero vector, see [`crate::data`]) and returns the logits of the next:
    /// `[rows, vocabulary]`, row by row.
    ///
    /// # Errors
    /// When the device fails.
    fn advance(&mut self, tokens: &[Token]) -> Result<Vec<f64>>;

    /// Everything that a resumed run needs: `parameters.…`, `optimizer.…` and `state.…`.
    ///
    /// # Errors
    /// When the device fails.
    fn save(&self) -> Result<Vec<NamedTensor>>;

    /// Restores what [`Executor::save`] returned. Only `parameters.…` are required.
    ///
    /// # Errors
    /// When a parameter is missing or of another shape.
    fn load(&mut self, saved: &[NamedTensor]) -> Result<()>;
}

/// The saved parameter of that name and shape.
///
/// # Errors
/// When it is missing or has another shape.
pub(crate) fn parameter<'a>(saved: &'a [NamedTensor], name: &str, shape: [usize; 2]) -> Result<&'a NamedTensor> {
    let full = format!("{PARAMETERS}{name}");
    let problem = match saved.iter().find(|named| named.name == full) {
        Some(found) if found.shape == shape => return Ok(found),
        Some(found) => {
            let ([r, c], [rows, columns]) = (found.shape, shape);
            format!("`{full}` is {r} by {c} in the checkpoint and {rows} by {columns} in the experiment")
        }
        None => format!("the checkpoint has no `{full}`"),
    };
    Err(Problem::new(problem).hint("take a checkpoint that this experiment wrote").into())
}
