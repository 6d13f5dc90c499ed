//! `top-k`: only the most likely tokens.

use hatchery_plugin::prelude::*;

/// Keeps the k most likely tokens, of equally likely ones the first in the vocabulary.
///
/// Fan, Lewis and Dauphin (2018). A k as large as the vocabulary or larger changes nothing.
///
/// ```toml
/// [[sampler]]
/// type = "top-k"
/// k = 10
/// ```
#[plugin(sampler = "top-k")]
#[derive(Clone, Debug, PartialEq)]
pub struct TopK {
    /// How many tokens remain.
    #[plugin(min = 1)]
    pub k: usize,
}

// ANCHOR: sampler
impl Sampler for TopK {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        for token in crate::ranked(logits).into_iter().skip(self.k) {
            logits[token] = f64::NEG_INFINITY;
        }
    }
}
// ANCHOR_END: sampler
