//! How a model is run. The loop that trains, the evaluation and the generation know only the [`Executor`]; whether a
//! step runs operation by operation on Burn's tensors or as a compiled program is its affair.
//!
//! What must stay true so that an executor is free to choose: a cell's step, a clipper and an update are pure functions
//! of named matrices, and numbers are read back only when somebody asks for them.

mod burn;
mod compiled;
pub mod memory;
mod optimizer;

pub use self::{
    burn::BurnExecutor,
    compiled::{CompiledExecutor, program},
};

pub use hatchery_compile::Products;
use hatchery_plugin::Token;

use crate::{
    data::Batch,
    error::{Problem, Result},
    random::Stream,
    run::checkpoint::PARAMETERS,
    tensors::NamedTensor,
};

/// A model with its numbers, ready to be trained, evaluated and sampled from.
pub trait Executor {
    /// One update: forward, loss, backward, clip, optimiser. Dropout masks are drawn from `dropout`, layer by layer in
    /// the order `[step, row, unit]`. Nothing is read back.
    ///
    /// # Errors
    /// When the device fails.
    fn train(&mut self, batch: &Batch, dropout: Stream, learning_rate: f64) -> Result<()>;

    /// Takes the last update back: parameters, what the optimiser remembers and the carried state are, bit for bit,
    /// those before it. Only with `train.on-nonfinite = "skip"`, and once after an update.
    ///
    /// # Errors
    /// When there is nothing to go back to.
    fn undo(&mut self) -> Result<()>;

    /// The cross-entropy, summed over the counted characters, in nats, of every update since the last call.
    ///
    /// # Errors
    /// When the device fails.
    fn losses(&mut self) -> Result<Vec<f64>>;

    /// Whether updates are still being computed when [`Executor::train`] returns, so that asking for a number makes the
    /// device wait.
    fn lags(&self) -> bool {
        false
    }

    /// The global norm of the gradients of the last update, before and after the clippers.
    ///
    /// # Errors
    /// When the device fails.
    fn gradient_norms(&mut self) -> Result<(f64, f64)>;

    /// What the products of all updates so far were; an executor that does not know the model's products says nothing.
    fn products(&self) -> Option<Products> {
        None
    }

    /// Whether products are timed from now on, if the executor can: that slows it down a little.
    fn time_products(&mut self, _on: bool) {}

    /// Runs over a batch without training. Begins with the starting state unless the batch continues the one before.
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

    /// Takes up what [`Executor::save`] gave. Only `parameters.…` are required.
    ///
    /// # Errors
    /// When a parameter is missing or of another shape.
    fn load(&mut self, saved: &[NamedTensor]) -> Result<()>;
}

/// A parameter of that name and shape among what was saved.
///
/// # Errors
/// When it is missing or has another shape.
fn parameter<'a>(saved: &'a [NamedTensor], name: &str, shape: [usize; 2]) -> Result<&'a NamedTensor> {
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

/// Sums over the counted characters of an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Cross-entropy, in nats.
    pub nats: f64,
    /// Characters whose most likely prediction was right.
    pub correct: u64,
    /// Characters counted.
    pub characters: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.nats += other.nats;
        self.correct += other.correct;
        self.characters += other.characters;
    }
}
