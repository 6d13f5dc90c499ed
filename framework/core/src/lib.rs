//! Experiments with recurrent character language models: data, training, evaluation, generation, checkpoints and runs.

pub mod baseline;
pub mod batches;
pub mod drift;
pub mod error;
pub mod evaluate;
pub mod executor;
pub mod experiment;
pub mod generate;
pub mod gradients;
pub mod import;
pub mod model;
pub mod network;
pub mod novelty;
pub mod plugins;
pub mod random;
pub mod registry;
pub mod replay;
pub mod run;
pub mod schedule;
pub mod text;
pub mod train;
