//! `typical`: tokens that are about as surprising as the model expects to be surprised.

use hatchery_plugin::prelude::*;

/// Keeps the tokens whose surprise is closest to the entropy, until they hold a share `mass` of the probability.
///
/// Locally typical sampling: Meister et al. (2023), section 4, equation 11. At least one token remains; of equally typical
/// ones the first in the vocabulary is kept first. A mass of 1 changes nothing.
///
/// ```toml
/// [[sampler]]
/// type = "typical"
/// mass = 0.9
/// ```
#[plugin(sampler = "typical")]
#[derive(Clone, Debug, PartialEq)]
pub struct Typical {
    /// The share of the probability that the kept tokens hold together.
    #[plugin(above = 0.0, max = 1.0)]
    pub mass: f64,
}

// ANCHOR: sampler
impl Sampler for Typical {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        let largest = crate::largest(logits);
        if self.mass >= 1.0 || largest == f64::NEG_INFINITY {
            return;
        }
        let total: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        // In nats; infinite where a token is ruled out.
        let surprise: Vec<f64> = logits.iter().map(|logit| total.ln() - (logit - largest)).collect();
        let entropy: f64 = surprise.iter().filter(|nats| nats.is_finite()).map(|nats| (-nats).exp() * nats).sum();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| (surprise[a] - entropy).abs().total_cmp(&(surprise[b] - entropy).abs()));
        let mut held = 0.0;
        for token in order {
            if held >= self.mass {
                logits[token] = f64::NEG_INFINITY;
            }
            held += (-surprise[token]).exp();
        }
    }
}
// ANCHOR_END: sampler
