//! Adaptive gradient clipping: the limit of a row's norm is relative to the mean row norm of its matrix.

use hatchery_plugin::prelude::*;

/// Shortens every row of a gradient that is longer than `factor` times the mean length of the rows of its matrix.
///
/// After Brock et al. (2021), section 4, whose limit is a share of the weights' norm; a clipper sees gradients only, so here
/// it is a multiple of the mean norm of the rows.
///
/// ```toml
/// [[clipper]]
/// type = "adaptive"
/// factor = 3.0
/// ```
#[plugin(clipper = "adaptive")]
pub struct Adaptive {
    /// How many times the mean length a row may have.
    #[plugin(min = 1.0)]
    pub factor: f64,
}

impl Clipper for Adaptive {
    fn clip(&self, gradients: Gradients) -> Gradients {
        gradients.map(|_, gradient| {
            let lengths = gradient.clone().square().sum_dim(1).sqrt(); // [rows, 1]
            let limit = lengths.clone().mean_dim(0) * self.factor; // [1, 1]
            let scale = (limit / (lengths + 1e-12)).clamp_max(1.0); // [rows, 1]
            gradient * scale
        })
    }
}

library![Adaptive];
