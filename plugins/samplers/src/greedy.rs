//! `greedy`: the most likely token, always.

use hatchery_plugin::prelude::*;

/// Keeps only the most likely token, the first of equally likely ones.
///
/// ```toml
/// [[sampler]]
/// type = "greedy"
/// ```
#[plugin(sampler = "greedy")]
#[derive(Clone, Debug, PartialEq)]
pub struct Greedy {}

// ANCHOR: sampler
impl Sampler for Greedy {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        let largest = crate::largest(logits);
        let mut found = false;
        for logit in logits {
            if found || *logit < largest {
                *logit = f64::NEG_INFINITY;
            } else {
                found = true;
            }
        }
    }
}
// ANCHOR_END: sampler
