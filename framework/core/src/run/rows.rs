//! The lines of a run's logs.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

/// A line of `metrics.jsonl`: how training stood after one update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Zero-based index of the update.
    pub step: u64,
    /// How often the training split has been gone through, with the part of the present round.
    #[serde(deserialize_with = "number")]
    pub epoch: f64,
    /// Loss of the update's batch, in the unit of the experiment's loss.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Its running mean.
    #[serde(deserialize_with = "number")]
    pub smoothed_loss: f64,
    /// Cross-entropy of the batch in bits per character.
    #[serde(deserialize_with = "number")]
    pub bits_per_character: f64,
    /// Perplexity per character of the batch.
    #[serde(deserialize_with = "number")]
    pub perplexity: f64,
    /// Global norm of the gradients before they were clipped.
    #[serde(deserialize_with = "number")]
    pub gradient_norm: f64,
    /// Global norm of the gradients after they were clipped.
    #[serde(deserialize_with = "number")]
    pub clipped_norm: f64,
    /// Learning rate of the update.
    #[serde(deserialize_with = "number")]
    pub learning_rate: f64,
    /// The validation split, where it was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Evaluation>,
}

impl Metric {
    /// Cross-entropy of the training in nats per character.
    pub fn nats(&self) -> f64 {
        self.bits_per_character * std::f64::consts::LN_2
    }
}

/// How well a model predicts a whole split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Cross-entropy in nats per character.
    #[serde(deserialize_with = "number")]
    pub nats_per_character: f64,
    /// Cross-entropy in bits per character.
    #[serde(deserialize_with = "number")]
    pub bits_per_character: f64,
    /// Perplexity per character.
    #[serde(deserialize_with = "number")]
    pub perplexity: f64,
    /// Share of the characters to which the model gave the largest probability.
    #[serde(deserialize_with = "number")]
    pub accuracy: f64,
    /// Characters that were predicted.
    pub characters: u64,
}

/// A line of `samples.jsonl`: a text that the model made after one update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow {
    /// Zero-based index of the update.
    pub step: u64,
    /// Which of the samples of this report, from 0 on.
    pub index: usize,
    /// The text.
    pub text: String,
}

/// A line of `events.jsonl`: a loss or a gradient that was no longer a finite number, and what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Zero-based index of the update at which it was seen.
    pub step: u64,
    /// What was done.
    pub action: Action,
    /// Loss of the update's batch, in the unit of the experiment's loss.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Global norm of the gradients before they were clipped.
    #[serde(deserialize_with = "number")]
    pub gradient_norm: f64,
    /// Updates of the checkpoint to which training went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<u64>,
    /// Factor on the scheduled learning rate from then on.
    #[serde(deserialize_with = "number")]
    pub rate_factor: f64,
}

/// What was done about a number that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The update was dropped.
    Skip,
    /// Training went back to a checkpoint.
    Rewind,
}

/// A line of `times.jsonl`: when a line of the metrics was written. It stands apart because times differ between two runs
/// of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Zero-based index of the update.
    pub step: u64,
    /// Seconds of training until then, of all its parts if it was resumed.
    pub seconds: f64,
}

/// What can stand on a line of a log.
pub trait Row: Serialize + DeserializeOwned {
    /// Zero-based index of the update after which the row was written.
    fn step(&self) -> u64;
}

impl Row for Metric {
    fn step(&self) -> u64 {
        self.step
    }
}

impl Row for Time {
    fn step(&self) -> u64 {
        self.step
    }
}

impl Row for SampleRow {
    fn step(&self) -> u64 {
        self.step
    }
}

impl Row for Event {
    fn step(&self) -> u64 {
        self.step
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
