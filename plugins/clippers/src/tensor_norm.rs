//! `tensor-norm`: each gradient by itself no longer than a limit.

use hatchery_plugin::prelude::*;

/// Scales each gradient by a factor of its own when its norm, the root of the sum of its squared entries, is beyond the
/// limit.
///
/// The factor is that of `norm`, `min(1, limit / (norm + 0.000001))`, but matrix by matrix: the relative lengths of the
/// gradients change. Burn's own `GradientClipping::Norm` clips like this, and so does Keras' `clipnorm`, but not before
/// `TensorFlow` 2: there it is the global norm, as in `norm`.
///
/// ```toml
/// [[clipper]]
/// type = "tensor-norm"
/// limit = 1.0
/// ```
#[plugin(clipper = "tensor-norm")]
#[derive(Clone, Debug, PartialEq)]
pub struct TensorNorm {
    /// The largest norm of one gradient.
    #[plugin(above = 0.0)]
    pub limit: f64,
}

// ANCHOR: clipper
impl Clipper for TensorNorm {
    fn clip(&self, gradients: Gradients) -> Gradients {
        gradients.map(|_, gradient| {
            let norm = gradient.clone().powi_scalar(2).sum().sqrt(); // [1]
            gradient * crate::factor(norm, self.limit)
        })
    }
}
// ANCHOR_END: clipper
