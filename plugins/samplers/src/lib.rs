//! The samplers that come with Hatchery, one file each.
//!
//! Each is a pure function of logits. Whatever finite or `-inf` logits it is given, it leaves no NaN and at least one
//! token; when it is given none, it changes nothing.

mod greedy;
mod min_p;
mod no_repeat;
mod repetition_penalty;
mod temperature;
mod top_k;
mod top_p;
mod typical;

pub use greedy::Greedy;
pub use min_p::MinP;
pub use no_repeat::NoRepeat;
pub use repetition_penalty::RepetitionPenalty;
pub use temperature::Temperature;
pub use top_k::TopK;
pub use top_p::TopP;
pub use typical::Typical;

hatchery_plugin::plugins![Greedy, Temperature, TopK, TopP, MinP, RepetitionPenalty, Typical, NoRepeat];

#[cfg(feature = "library")]
hatchery_plugin::entry_points!();

/// The largest logit, `-inf` when no token remains.
fn largest(logits: &[f64]) -> f64 {
    logits.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The tokens from the largest logit to the smallest, equal ones by index.
fn ranked(logits: &[f64]) -> Vec<usize> {
    let mut tokens: Vec<usize> = (0..logits.len()).collect();
    // `partial_cmp`, unlike `total_cmp`, holds 0 and -0 to be equal; the sort is stable.
    tokens.sort_by(|&a, &b| logits[b].partial_cmp(&logits[a]).unwrap_or(std::cmp::Ordering::Equal));
    tokens
}
