//! `norm`: all gradients together no longer than a limit.

use hatchery_plugin::prelude::*;

/// Scales all gradients by one factor when their global norm, the root of the sum of all squared entries, is beyond the
/// limit.
///
/// Pascanu, Mikolov and Bengio (2013), algorithm 1, as `PyTorch`'s `clip_grad_norm_` computes it:
/// `min(1, limit / (norm + 0.000001))`.
///
/// ```toml
/// [[clipper]]
/// type = "norm"
/// limit = 1.0
/// ```
#[plugin(clipper = "norm")]
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// The largest global norm.
    #[plugin(above = 0.0)]
    pub limit: f64,
}

// ANCHOR: clipper
impl Clipper for Norm {
    fn clip(&self, gradients: Gradients) -> Gradients {
        let factor = crate::factor(gradients.global_norm(), self.limit); // [1, 1]
        gradients.map(|_, gradient| gradient * factor.clone())
    }
}
// ANCHOR_END: clipper
