//! Evaluation of a whole split, per character.

use hatchery_plugin::{Framing, Predict};

use crate::{
    data::Sequences,
    error::{Problem, Result},
    executor::{Executor, Totals},
    random::Stream,
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

/// The cross-entropy of a whole split by a model that is trained on each sequence after it has predicted it: dynamic
/// evaluation, Krause et al. (2018). With the executor's optimizer, at a constant rate.
///
/// # Errors
/// When windows overlap, so that what is predicted would be trained on before; and when the device fails.
pub fn evaluate_dynamically(
    executor: &mut dyn Executor,
    split: &Sequences,
    framing: &Framing,
    rate: f64,
) -> Result<Evaluation> {
    if matches!(framing, Framing::Windows { length, stride, predict: Predict::All } if stride < length) {
        return Err(Problem::new("dynamic evaluation needs windows that do not overlap")
            .note("a character of an overlapping window was trained on before it is predicted again")
            .hint("leave out --dynamic")
            .into());
    }
    let mut totals = Totals::default();
    for (number, batch) in split.evaluation(1).enumerate() {
        totals += executor.evaluate(&batch)?;
        executor.train(&batch, Stream::new(0, "dropout", number as u64), rate)?;
        executor.losses()?;
    }
    Ok(evaluation(totals))
}

/// Groups of sequences at least, where there are as many sequences.
const GROUPS: usize = 64;

/// The cross-entropy of a whole split, and the standard error of its nats per character: how far they would differ on other
/// text of the same kind. It follows from the means of groups: sequences where there are few, else batches of them; those
/// of a running text are its batches. One group has none.
///
/// # Errors
/// When the device fails.
pub fn measure(executor: &mut dyn Executor, split: &Sequences) -> Result<(Evaluation, Option<f64>)> {
    let rows = (split.count() / GROUPS).clamp(1, ROWS);
    let mut groups: Vec<Totals> = Vec::new();
    for batch in split.evaluation(rows) {
        groups.push(executor.evaluate(&batch)?);
    }
    let mut totals = Totals::default();
    groups.iter().for_each(|group| totals += *group);
    Ok((evaluation(totals), (groups.len() > 1).then(|| standard_error(&groups))))
}

/// The standard error of the ratio of two sums over groups (Cochran 1977, equation 6.13): nats and characters.
fn standard_error(groups: &[Totals]) -> f64 {
    let count = groups.len() as f64;
    let characters: f64 = groups.iter().map(|group| group.characters as f64).sum();
    let mean = groups.iter().map(|group| group.nats).sum::<f64>() / characters;
    let squares = groups.iter().map(|group| (group.nats - mean * group.characters as f64).powi(2)).sum::<f64>();
    (count / (count - 1.0) * squares).sqrt() / characters
}

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
