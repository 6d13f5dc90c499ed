//! The check that a model fits the memory of a device, made before anything is allocated, so that no process is killed.

use crate::{
    device::{bytes, capacity},
    error::{Problem, Result},
    experiment::{Dtype, Experiment, Head, Optimizer},
    model::Model,
};

/// A lower bound of the memory of a model, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// The parameters.
    pub parameters: f64,
    /// Gradients before and after the clippers, and the optimizer state.
    pub training: f64,
    /// Activations of one batch saved for the backward pass: the outputs of every layer and the logits of every
    /// softmax, at every time step of every sequence.
    pub batch: f64,
}

impl Need {
    /// The memory for training a model on batches of `rows` sequences of `steps` steps.
    ///
    /// Computed in floating point, because the product of two sizes from a file may overflow an integer.
    pub fn of(model: &Model, experiment: &Experiment, rows: usize, steps: usize) -> Self {
        let width = match experiment.backend.dtype {
            Dtype::F32 => 4.0,
            Dtype::F64 => 8.0,
        };
        let size: f64 = model.params().iter().map(|spec| spec.shape[0] as f64 * spec.shape[1] as f64).sum();
        let moments = match experiment.optimizer {
            Optimizer::Sgd { momentum, .. } => f64::from(u8::from(momentum > 0.0)),
            Optimizer::Adagrad { .. } | Optimizer::Rmsprop { .. } => 1.0,
            Optimizer::Adam { .. } | Optimizer::Adamw { .. } => 2.0,
        };
        let outputs: f64 = model.layers.iter().map(|layer| layer.declared.outputs as f64).sum();
        let softmaxes = match model.head {
            Head::Linear | Head::Tied => 1.0,
            Head::Mixture(count) => count as f64,
        };
        let each = outputs + softmaxes * model.vocabulary as f64;
        Self {
            parameters: width * size,
            training: width * size * (1.0 + moments),
            batch: width * each * rows as f64 * steps as f64,
        }
    }

    /// The sum of all parts.
    pub fn total(&self) -> f64 {
        self.parameters + self.training + self.batch
    }
}

/// Checks that the parameters alone fit.
///
/// # Errors
/// When they do not.
pub fn fits(model: &Model, experiment: &Experiment) -> Result<()> {
    let need = Need::of(model, experiment, 0, 0);
    compare(need.parameters, experiment, "the parameters alone take")
}

/// Checks that training on batches of `rows` sequences of `steps` steps can fit.
///
/// # Errors
/// When it cannot.
pub fn fits_training(model: &Model, experiment: &Experiment, rows: usize, steps: usize) -> Result<()> {
    let need = Need::of(model, experiment, rows, steps);
    compare(need.total(), experiment, &format!("training on {rows} sequences of {steps} steps takes at least"))
}

fn compare(need: f64, experiment: &Experiment, what: &str) -> Result<()> {
    let Some(capacity) = capacity(&experiment.backend)? else { return Ok(()) };
    if need <= capacity as f64 {
        return Ok(());
    }
    let device = &experiment.backend.device;
    Err(Problem::new(format!("the model does not fit the memory of `{device}`"))
        .note(format!("{what} {}; the device has {}", bytes(need), bytes(capacity as f64)))
        .hint("make cell.hidden, model.layers, train.batch or the dataset's steps smaller, or set dtype = \"f32\"")
        .into())
}
