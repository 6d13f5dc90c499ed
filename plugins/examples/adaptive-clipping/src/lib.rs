//! Adaptive gradient clipping: how large a gradient may be depends on how large it usually is among its rows' kin.

use hatchery_plugin::prelude::*;

/// Shrinks every row of a gradient that is longer than `factor` times the mean length of the rows of its matrix.
///
/// After Brock et al. (2021), section 4, whose limit is a share of the weights' norm; a clipper sees gradients only, so
/// that the other rows are the measure here: a row that stands out is brought back among them.
///
/// ```toml
/// [[clipper]]
/// type = "adaptive"
/// factor = 3.0
/// ```
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Adaptive {
    /// How many times the mean length a row may have.
    #[schemars(range(min = 1.0))]
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

hatchery_plugin::export! {
    clipper "adaptive" => Adaptive,
}
