//! Locally typical sampling: tokens that are about as surprising as the model expects to be surprised.

use hatchery_plugin::prelude::*;

/// Keeps the tokens whose surprise is nearest to the entropy, until they hold a share `mass` of the probability.
///
/// Meister et al. (2023), section 4, equation 11. A mass of 1 changes nothing.
///
/// ```toml
/// [[sampler]]
/// type = "typical"
/// mass = 0.9
/// ```
#[plugin(sampler = "typical")]
pub struct Typical {
    /// The share of the probability that the kept tokens hold together.
    #[plugin(above = 0.0, max = 1.0)]
    pub mass: f64,
}

impl Sampler for Typical {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if self.mass >= 1.0 || !largest.is_finite() {
            return;
        }
        let total: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        // Surprise in nats; infinite where a token is ruled out.
        let surprise: Vec<f64> = logits.iter().map(|logit| total.ln() - (logit - largest)).collect();
        let entropy: f64 = surprise.iter().filter(|s| s.is_finite()).map(|s| (-s).exp() * s).sum();
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

library![Typical];
