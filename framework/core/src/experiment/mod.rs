//! The experiment: everything that determines a run, as a page of named values.
//!
//! [`Experiment`] is the resolved form, every default filled in. It is read from TOML by [`reading`], strictly: every
//! problem of the file at once, before anything runs. It is written into the run directory and into every checkpoint, and
//! reading that text again gives the same experiment.

pub mod checking;
pub mod compare;
mod optimization;
pub mod part;
pub mod reading;
pub mod renamed;
mod text;
mod write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::optimization::{Optimizer, Schedule, Unit};
pub use self::part::{CellPart, Corpus, DatasetPart, Embedding, Head};
pub use self::text::{Duplicates, HeldOut, Newlines, Normalize, Split, SymbolUnit, Unknown, Vocabulary};
use crate::plugins::Part;
pub use crate::{device::Backend, dtype::Dtype};

/// An experiment with every default filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Experiment {
    /// Name of the experiment and of the folder under which its runs are kept.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"), length(max = 100))]
    pub name: String,
    /// From this one number every random stream is derived.
    #[serde(default = "default::seed")]
    pub seed: u64,
    /// Libraries of plugins to load, each a path relative to this file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<String>,
    /// The random generator.
    #[serde(default)]
    pub rng: Rng,
    /// How the notebooks use `NumPy`'s generator; only with `rng = "numpy"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numpy: Option<Numpy>,
    /// The device and the dtype of all tensors.
    #[serde(default)]
    pub backend: Backend,
    /// The text and how it becomes sequences.
    pub dataset: DatasetPart,
    /// How the text is read as symbols.
    #[serde(default)]
    pub vocabulary: Vocabulary,
    /// What is held out from training.
    #[serde(default)]
    pub split: Split,
    /// What stands around the cell.
    #[serde(default)]
    pub model: Model,
    /// What one time step computes, in every layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<CellPart>,
    /// What one time step computes, layer by layer, in place of `[cell]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub layer: Vec<CellPart>,
    /// What happens to gradients, in this order.
    #[serde(default)]
    pub clipper: Vec<Part>,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
    /// How the learning rate changes over time.
    #[serde(default)]
    pub schedule: Schedule,
    /// How long and how training goes.
    pub train: Train,
    /// What happens to logits before a token is drawn, in this order.
    #[serde(default)]
    pub sampler: Vec<Part>,
    /// The samples that training shows and `sample` draws.
    #[serde(default)]
    pub sample: Sample,
}

/// The random generator of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rng {
    /// Named streams derived from (seed, name, step): the same on every backend, and a resumed run continues exactly.
    #[default]
    Hatchery,
    /// `NumPy`'s legacy generator, so that the notebooks' numbers come out.
    Numpy,
}

/// How the notebooks use `NumPy`'s generator. Parameters are drawn from `seed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Numpy {
    /// The seed from which the order of the examples is drawn, once.
    pub shuffle_seed: u32,
    /// Seed the generator anew before every character of sample number n, with n, n + 2, n + 4, …
    pub reseed_each_character: bool,
}

/// What stands around the cell: embedding, layers, head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Model {
    /// `"one-hot"`, or the width of a learned embedding.
    pub embedding: Embedding,
    /// Cells stacked on each other.
    #[schemars(range(min = 1, max = 64))]
    pub layers: usize,
    /// Share of a layer's outputs set to zero in training, before the next layer.
    #[schemars(range(min = 0.0, max = 0.99))]
    pub dropout: f64,
    /// Whether dropout also stands between the last layer and the head.
    pub dropout_last: bool,
    /// What makes logits of the last layer's output.
    pub head: Head,
    /// Initializer of every weight matrix, in place of those that cells and head declare; biases keep theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initializer: Option<hatchery_plugin::Initializer>,
}

/// How long and how training goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Train {
    /// Updates; either this or `epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub steps: Option<u64>,
    /// Times through the training split; either this or `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub epochs: Option<u64>,
    /// Sequences trained on at once.
    #[serde(default = "default::batch")]
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// The order of the sequences.
    #[serde(default)]
    pub order: Order,
    /// Begin each batch with the state in which the one before ended, rather than with the starting state. A stream always does.
    #[serde(default)]
    pub carry_state: bool,
    /// What is minimized.
    #[serde(default)]
    pub loss: Loss,
    /// The running mean of the loss that is reported beside it.
    #[serde(default)]
    pub smoothing: Smoothing,
    /// Steps from one line of `metrics.jsonl` to the next.
    #[serde(default = "default::log_every")]
    #[schemars(range(min = 1))]
    pub log_every: u64,
    /// Steps from one report (samples, validation) to the next.
    #[serde(default = "default::report_every")]
    #[schemars(range(min = 1))]
    pub report_every: u64,
    /// Steps from one checkpoint to the next; there is always one at the end.
    #[serde(default = "default::checkpoint_every")]
    #[schemars(range(min = 1))]
    pub checkpoint_every: u64,
    /// Minutes after which a checkpoint is written at the latest, beside those of `checkpoint-every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub checkpoint_minutes: Option<f64>,
    /// How many checkpoints are kept: the last ones. The best is kept besides.
    #[serde(default = "default::keep")]
    #[schemars(range(min = 1))]
    pub keep: usize,
    /// End after this number of reports in a row in which the validation was no better than the best before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub patience: Option<u64>,
    /// What to do when the loss or a gradient is no longer a finite number.
    #[serde(default)]
    pub on_nonfinite: OnNonfinite,
}

/// What to do when the loss or a gradient is no longer a finite number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnNonfinite {
    /// End with an error; the last good checkpoint is kept.
    #[default]
    Stop,
    /// Drop the update: parameters, optimizer and carried state stay as they were before it.
    Skip,
    /// Go back to the last good checkpoint, and on from there with half the learning rate.
    Rewind,
}

/// The order in which sequences are trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Shuffled anew for every epoch.
    #[default]
    Shuffled,
    /// Shuffled once, then the same for every epoch.
    ShuffledOnce,
    /// As the text has it.
    Sequential,
    /// Sequences of similar length share a batch, so that little is padded; the batches, and which of equal length are in
    /// one, are shuffled anew for every epoch.
    ByLength,
    /// Every batch is drawn from the whole split, without repetition within the batch.
    Random,
}

/// What is minimized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Mean over the characters of a batch, in nats per character.
    #[default]
    Mean,
    /// Sum over the characters of a sequence, mean over the batch, in nats per sequence.
    Sum,
}

/// The running mean of the loss: `decay × mean + (1 − decay) × loss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Smoothing {
    /// Share of the mean that is kept each step.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub decay: f64,
    /// The mean starts at the loss of a uniform guess over this many characters, `start-length × ln(vocabulary)`.
    #[schemars(range(min = 0.0))]
    pub start_length: f64,
}

/// The samples that training shows and `sample` draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Sample {
    /// How many.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: usize,
    /// Characters after which a sample ends at the latest.
    #[schemars(range(min = 1))]
    pub length: usize,
    /// What every sample begins with.
    pub prefix: String,
    /// Show the first letter in upper case.
    pub capitalize: bool,
}

impl Experiment {
    /// The table of every layer's cell.
    pub fn layers(&self) -> Vec<CellPart> {
        match &self.cell {
            Some(cell) if self.layer.is_empty() => vec![cell.clone(); self.model.layers],
            _ => self.layer.clone(),
        }
    }

    /// The layers in a few words: `2 × lstm`, or `lstm + gru`.
    pub fn stack(&self) -> String {
        let layers: Vec<String> = self.layers().into_iter().map(|layer| layer.part.name).collect();
        match layers.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other == first) => format!("{} × {first}", layers.len()),
            _ => layers.join(" + "),
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            embedding: Embedding::OneHot,
            layers: 1,
            dropout: 0.0,
            dropout_last: false,
            head: Head::Linear,
            initializer: None,
        }
    }
}

impl Default for Smoothing {
    fn default() -> Self {
        Self { decay: 0.99, start_length: 1.0 }
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self { count: 7, length: 50, prefix: String::new(), capitalize: false }
    }
}

/// Defaults of single keys.
mod default {
    pub(super) fn seed() -> u64 {
        1
    }
    pub(super) fn batch() -> usize {
        32
    }
    pub(super) fn log_every() -> u64 {
        100
    }
    pub(super) fn report_every() -> u64 {
        1000
    }
    pub(super) fn checkpoint_every() -> u64 {
        1000
    }
    pub(super) fn keep() -> usize {
        2
    }
}
