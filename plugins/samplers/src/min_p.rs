//! `min-p`: only tokens that are not much less likely than the most likely one.

use hatchery_plugin::prelude::*;

/// Keeps the tokens whose probability is at least p times that of the most likely one.
///
/// Nguyen et al. (2024). The surer the model, the fewer remain. A p close to 0 changes nothing.
///
/// ```toml
/// [[sampler]]
/// type = "min-p"
/// p = 0.1
/// ```
#[plugin(sampler = "min-p")]
#[derive(Clone, Debug, PartialEq)]
pub struct MinP {
    /// The smallest probability that remains, as a share of the largest.
    #[plugin(above = 0.0, max = 1.0)]
    pub p: f64,
}

// ANCHOR: sampler
impl Sampler for MinP {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        // p_i ≥ p p_max, in logarithms. The largest itself remains, for ln p is at most 0.
        let smallest = crate::largest(logits) + self.p.ln();
        for logit in logits {
            if *logit < smallest {
                *logit = f64::NEG_INFINITY;
            }
        }
    }
}
// ANCHOR_END: sampler
