//! Evaluation of a whole split, per character.

use crate::{
    data::Sequences,
    error::Result,
    executor::{Executor, Totals},
    run::log::Evaluation,
};

/// The batch size; the result does not depend on it.
const ROWS: usize = 64;

/// The cross-entropy and accuracy of a whole split.
///
/// # Errors
/// When the device fails.
// ANCHOR: evaluate
pub fn evaluate(executor: &mut dyn Executor, split: &Sequences) -> Result<Evaluation> {
    let mut totals = Totals::default();
    for batch in split.evaluation(ROWS) {
        totals += executor.evaluate(&batch)?;
    }
    Ok(evaluation(totals))
}
// ANCHOR_END: evaluate

/// Nats, bits, perplexity and accuracy per character, from the totals.
pub fn evaluation(totals: Totals) -> Evaluation {
    let characters = totals.characters as f64;
    let nats = totals.nats / characters;
    Evaluation {
        nats_per_character: nats,
        bits_per_character: nats / std::f64::consts::LN_2,
        perplexity: nats.exp(),
        accuracy: totals.correct as f64 / characters,
        characters: totals.characters,
    }
}
