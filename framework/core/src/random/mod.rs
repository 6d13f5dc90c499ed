//! Randomness: the framework's own, never a backend's, so that a seed means the same on every device.
//!
//! Two generators implement [`Rng`](hatchery_plugin::Rng): [`Stream`], one for every purpose of a run, and
//! [`numpy::RandomState`], which repeats `NumPy`'s legacy numbers. Here is what both share: from logits to a token.

pub mod numpy;
mod stream;

use hatchery_plugin::{PluginError, Token, host::HostSampler};

pub use self::stream::{Stream, Streams};

/// The next token: `logits` processed by each sampler of the chain, in order, then [`draw`]n from with `uniform`.
///
/// `history` holds the tokens of the sequence so far, the prompt included, oldest first.
///
/// # Errors
/// When a sampler of a library fails.
///
/// # Panics
/// As [`draw`] does.
pub fn sample(
    chain: &[Box<dyn HostSampler>],
    logits: &mut [f64],
    history: &[Token],
    uniform: f64,
) -> Result<Token, PluginError> {
    for sampler in chain {
        sampler.process(logits, history)?;
    }
    Ok(draw(logits, uniform))
}

/// The token at `uniform`, in `[0, 1)`, of the softmax of `logits`, in nats.
///
/// # Panics
/// When the logits are not [`drawable`]: check that first, for they come from a model that may have diverged.
pub fn draw(logits: &[f64], uniform: f64) -> Token {
    choice(&softmax(logits), uniform) as Token
}

/// Whether logits are a distribution to draw from: at least one is finite, the others are finite or `-inf`.
pub fn drawable(logits: &[f64]) -> bool {
    let ruled_out = |&logit: &f64| logit == f64::NEG_INFINITY;
    logits.iter().any(|logit| logit.is_finite()) && logits.iter().all(|logit| logit.is_finite() || ruled_out(logit))
}

/// `exp(logit − largest) / sum`, the probability of each token.
///
/// # Panics
/// When the logits are not [`drawable`].
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    assert!(drawable(logits), "these logits are no distribution: {logits:?}");
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The index at `uniform`, in `[0, 1)`, of the cumulative distribution of `probabilities`, as `NumPy`'s `choice` finds
/// it: the running sums divided by the last, then the first of them above `uniform`. They need not add up to one;
/// an index of probability zero is never returned.
///
/// # Panics
/// When the sum of `probabilities` is not a positive number.
// ANCHOR: choice
pub fn choice(probabilities: &[f64], uniform: f64) -> usize {
    let total = probabilities.iter().fold(0.0, |sum, probability| sum + probability);
    assert!(total > 0.0 && total.is_finite(), "these probabilities are no distribution: {probabilities:?}");
    // ANCHOR: find
    let mut running = 0.0;
    let above = probabilities.iter().position(|probability| {
        running += probability;
        running / total > uniform
    });
    // ANCHOR_END: find
    above.unwrap_or(probabilities.len())
}
// ANCHOR_END: choice

/// Two independent normal numbers from uniform ones, by the polar method of Marsaglia and Bray (1964), in the order in
/// which `NumPy`'s legacy generator returns them.
///
/// The logarithm is the platform's: elsewhere the last bit may differ.
fn normal_pair(mut uniform: impl FnMut() -> f64) -> [f64; 2] {
    loop {
        let x1 = 2.0 * uniform() - 1.0;
        let x2 = 2.0 * uniform() - 1.0;
        let squares = x1 * x1 + x2 * x2;
        if squares < 1.0 && squares > 0.0 {
            let factor = (-2.0 * squares.ln() / squares).sqrt();
            return [factor * x2, factor * x1];
        }
    }
}
