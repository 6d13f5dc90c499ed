//! The gated delta rule: a matrix as memory whose entry for a key is replaced, and which decays.

use hatchery_plugin::{
    burn::tensor::activation::{log_sigmoid, silu},
    prelude::*,
};

/// The gated delta rule with a matrix for every head (Yang et al. 2024, equation 10): `S' = α S (I − β k kᵀ) + β v kᵀ`, with
/// the output `RMS(S' q) ⊙ silu(g)`; keys and queries have length one.
///
/// The decay of a head is `α = exp(−exp(a) softplus(d))`, the strength `β = σ(s)`. The rows of `wx` are q, k, v and g, those of
/// `wg` d and s of all heads. The convolutions before q, k and v are left out.
///
/// ```toml
/// [cell]
/// type = "gated-delta-net"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "gated-delta-net")]
pub struct GatedDeltaNet {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
}

/// Added to a mean of squares, and to a sum of squares.
const EPSILON: f64 = 1e-6;

impl Cell for GatedDeltaNet {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, heads) = (self.hidden, self.heads);
        let gain = Initializer::Values { values: vec![1.0; h] };
        vec![
            weight("wx", [h, inputs]).gates(4),
            weight("wg", [heads, inputs]).gates(2),
            bias("bg", 2 * heads),
            bias("a", heads),
            bias("gain", h).initializer(gain),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("s", self.hidden * self.hidden / self.heads)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wg, bg, a, gain] = params.get(["wx", "wg", "bg", "a", "gain"]);
        let ([batch, _], heads, own) = (x.dims(), self.heads, self.hidden / self.heads);
        let s = state.get("s").reshape([batch, heads, own, own]);
        let [q, k, v, g] = chunk(linear_no_bias(x.clone(), wx)); // each [batch, hidden]
        let [d, b] = chunk(linear(x, wg, bg)); // each [batch, heads]
        let unit = |x: Tensor<2>| {
            let x = silu(x).reshape([batch, heads, own, 1]);
            x.clone() / (x.powi_scalar(2).sum_dim(2) + EPSILON).sqrt() // [batch, heads, own, 1]
        };
        let (q, k) = (unit(q), unit(k)); // each [batch, heads, own, 1]
        let decay = (log_sigmoid(d.neg()) * a.exp()).exp().reshape([batch, heads, 1, 1]);
        let strength = sigmoid(b).reshape([batch, heads, 1, 1]);
        let s = s * decay; // [batch, heads, own, own]
        let v = silu(v).reshape([batch, heads, own, 1]);
        let change = (v - s.clone().matmul(k.clone())) * strength; // [batch, heads, own, 1]
        let s = s + change.matmul(k.swap_dims(2, 3)); // [batch, heads, own, own]
        let y = s.clone().matmul(q); // [batch, heads, own, 1]
        let y = y.clone() / (y.powi_scalar(2).mean_dim(2) + EPSILON).sqrt();
        let y = y.reshape([batch, self.hidden]) * gain * silu(g); // [batch, hidden]
        (y, State::from([("s", s.reshape([batch, self.hidden * own]))]))
    }
}
