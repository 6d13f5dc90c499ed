//! `temperature`: how much chance decides.

use hatchery_plugin::prelude::*;

/// Divides the logits by a temperature: below 1 likely tokens become more likely, above 1 all become more alike.
///
/// Each probability is raised to the power 1 / temperature and all are scaled to add up to one again (Ackley, Hinton and
/// Sejnowski 1985). A temperature of 0 would leave only the most likely token: that is the sampler `greedy`.
///
/// ```toml
/// [[sampler]]
/// type = "temperature"
/// temperature = 0.8
/// ```
#[plugin(sampler = "temperature")]
#[derive(Clone, Debug, PartialEq)]
pub struct Temperature {
    /// What the logits are divided by.
    #[plugin(above = 0.0)]
    pub temperature: f64,
}

// ANCHOR: sampler
impl Sampler for Temperature {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        let largest = crate::largest(logits);
        if largest == f64::NEG_INFINITY {
            return;
        }
        // A temperature near zero makes numbers too large to write down. The same distribution is left when the largest
        // logit is taken from all of them first; otherwise it is not, because another sampler may look at their signs.
        let origin = if (largest / self.temperature).is_finite() { 0.0 } else { largest };
        for logit in logits {
            *logit = (*logit - origin) / self.temperature;
        }
    }
}
// ANCHOR_END: sampler
