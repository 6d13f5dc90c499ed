//! The real-gated linear recurrent unit, the recurrence of Griffin.

use hatchery_plugin::{burn::tensor::activation::log_sigmoid, prelude::*};

use crate::heads::{filled, spread};

/// Real-gated linear recurrent unit: `h' = a h + sqrt(1 − a²) (i u)` with `a = σ(λ)^(scale r)` and gates `r, i = σ(W x + b)`
/// (De et al. 2024, arXiv 2402.19427, equations 1 to 4).
///
/// `u = W x + b` is the linear layer before the recurrence. The rows are r, i, u. First, `σ(λ)^scale` is spread between 0.9 and
/// 0.999.
///
/// ```toml
/// [cell]
/// type = "rg-lru"
/// hidden = 128
/// ```
#[plugin(cell = "rg-lru", family = "linear, vector state")]
pub struct RgLru {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The power of the decay, c in the paper.
    #[plugin(default = 8.0, above = 0.0)]
    pub scale: f64,
}

impl Cell for RgLru {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let decay = |at: usize| (0.9 + 0.099 * spread(at, h)).powf(1.0 / self.scale);
        vec![
            weight("wx", [h, inputs]).gates(3),
            bias("b", 3 * h),
            filled("lambda", [1, h], |_, at| (decay(at) / (1.0 - decay(at))).ln()),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, b, lambda] = params.get(["wx", "b", "lambda"]);
        let [r, i, u] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let log_a = log_sigmoid(lambda) * self.scale * sigmoid(r); // [batch, hidden]
        // The slope of the root has no bound where a gate is closed.
        let rest = (log_a.clone() * 2.0).exp().neg() + 1.0; // 1 − a²
        let h = log_a.exp() * state.get("h") + rest.clamp_min(1e-9).sqrt() * sigmoid(i) * u; // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}
