//! What can be asked of a trained model: texts, losses, gradients, and how two devices part.

pub mod baseline;
pub mod drift;
pub mod evaluate;
pub mod generate;
pub mod gradients;
pub mod novelty;
