//! Experiments with recurrent character language models: data, training, evaluation, generation, checkpoints and runs.

pub mod batches;
pub mod error;
pub mod experiment;
pub mod random;
pub mod registry;
pub mod run;
pub mod text;
