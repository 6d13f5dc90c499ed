//! Experiments with recurrent character language models: data, training, evaluation, generation, checkpoints and runs.

pub mod data;
pub mod device;
pub mod dtype;
mod encoding;
pub mod error;
pub mod executor;
pub mod experiment;
mod hash;
pub mod import;
pub mod inspect;
pub mod model;
pub mod network;
pub mod plot;
pub mod plugins;
pub mod provenance;
pub mod random;
pub mod replay;
pub mod run;
pub mod schedule;
pub mod suggest;
pub mod tensors;
pub mod train;
