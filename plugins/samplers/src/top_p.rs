//! `top-p`: only the tokens that hold most of the probability.

use hatchery_plugin::prelude::*;

/// Keeps the nucleus: the fewest tokens whose probabilities together reach p.
///
/// Holtzman et al. (2020), section 3.1. The most likely token always remains; of equally likely ones the first in the
/// vocabulary counts as the more likely. A p of 1 changes nothing.
///
/// ```toml
/// [[sampler]]
/// type = "top-p"
/// p = 0.9
/// ```
#[plugin(sampler = "top-p")]
#[derive(Clone, Debug, PartialEq)]
pub struct TopP {
    /// The probability that the remaining tokens reach together.
    #[plugin(above = 0.0, max = 1.0)]
    pub p: f64,
}

// ANCHOR: sampler
impl Sampler for TopP {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        let largest = crate::largest(logits);
        // Rounding lets a sum reach 1 before its smallest terms, so 1 is a case of its own.
        if self.p >= 1.0 || largest == f64::NEG_INFINITY {
            return;
        }
        let tokens = crate::ranked(logits);
        let weight = |token: usize| (logits[token] - largest).exp();
        let enough = self.p * tokens.iter().map(|&token| weight(token)).sum::<f64>();
        let mut reached = 0.0; // less than enough, so that the first token remains
        let nucleus = tokens.iter().take_while(|&&token| {
            let more = reached < enough;
            reached += weight(token);
            more
        });
        let kept = nucleus.count();
        for token in tokens.into_iter().skip(kept) {
            logits[token] = f64::NEG_INFINITY;
        }
    }
}
// ANCHOR_END: sampler
