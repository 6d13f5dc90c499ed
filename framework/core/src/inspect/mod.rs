//! Inspection of a trained model: generation, evaluation, gradients, novelty, and the drift between devices.

pub mod baseline;
pub mod beam;
pub mod beginning;
pub mod conformance;
pub(crate) mod context;
pub mod drift;
pub mod evaluate;
pub mod generate;
pub mod gradients;
pub mod novelty;
pub mod score;
