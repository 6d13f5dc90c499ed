//! Eta sampling: tokens below a probability that depends on the entropy are ruled out.

use hatchery_plugin::prelude::*;

/// Rules out tokens whose probability is below min(ε, √ε · exp(−entropy)); the most likely one remains.
///
/// Hewitt, Manning and Liang (2022), section 4.
///
/// ```toml
/// [[sampler]]
/// type = "eta"
/// epsilon = 0.002
/// ```
#[plugin(sampler = "eta")]
pub struct Eta {
    /// The threshold where the model is certain.
    #[plugin(above = 0.0, max = 1.0)]
    pub epsilon: f64,
}

impl Sampler for Eta {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !largest.is_finite() {
            return;
        }
        let total: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        let probability = |logit: f64| (logit - largest).exp() / total;
        let terms = logits.iter().map(|logit| probability(*logit)).filter(|p| *p > 0.0);
        let entropy: f64 = terms.map(|p| -p * p.ln()).sum();
        let threshold = self.epsilon.min(self.epsilon.sqrt() * (-entropy).exp());
        for logit in logits {
            if *logit < largest && probability(*logit) < threshold {
                *logit = f64::NEG_INFINITY;
            }
        }
    }
}

library![Eta];
