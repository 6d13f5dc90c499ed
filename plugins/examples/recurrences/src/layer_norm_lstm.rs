//! Long short-term memory with normalized sums.

use hatchery_plugin::prelude::*;

/// Long short-term memory whose sums are normalized over their units (Ba et al. 2016, equations 20 to 22).
///
/// `i, f, g, o = LN(U h) + LN(W x) + b`, `c' = σ(f) c + σ(i) tanh(g)`, `h' = σ(o) tanh(LN(c'))`; each LN has a gain, the last
/// one a shift too. The rows of the matrices are the gates in the order i, f, g, o.
///
/// ```toml
/// [cell]
/// type = "layer-norm-lstm"
/// hidden = 128
/// ```
#[plugin(cell = "layer-norm-lstm")]
pub struct LayerNormLstm {
    /// Width of the hidden state and of the cell state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

/// Added to a variance.
const EPSILON: f64 = 1e-5;

/// A row less its mean, divided by its standard deviation.
fn normalized(x: Tensor<2>) -> Tensor<2> {
    let centered = x.clone() - x.mean_dim(1); // [batch, width]
    let variance = centered.clone().powi_scalar(2).mean_dim(1); // [batch, 1]
    centered / (variance + EPSILON).sqrt()
}

impl Cell for LayerNormLstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let gain =
            |name: &'static str, width| bias(name, width).initializer(Initializer::Values { values: vec![1.0; width] });
        vec![
            weight("wx", [h, inputs]).gates(4),
            recurrent("wh", h).gates(4),
            bias("b", 4 * h),
            gain("gx", 4 * h),
            gain("gh", 4 * h),
            gain("gc", h),
            bias("bc", h),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b, gx, gh, gc, bc] = params.get(["wx", "wh", "b", "gx", "gh", "gc", "bc"]);
        let [h, c] = state.get(["h", "c"]);
        let sum = normalized(linear_no_bias(x, wx)) * gx + normalized(linear_no_bias(h, wh)) * gh + b; // [batch, 4 hidden]
        let [i, f, g, o] = chunk(sum); // each [batch, hidden]
        let c = sigmoid(f) * c + sigmoid(i) * g.tanh(); // [batch, hidden]
        let h = sigmoid(o) * (normalized(c.clone()) * gc + bc).tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}
