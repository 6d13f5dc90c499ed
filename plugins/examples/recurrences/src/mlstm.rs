//! Long short-term memory with exponential gates and a matrix as memory.

use hatchery_plugin::{burn::tensor::activation::log_sigmoid, prelude::*};

/// Long short-term memory with a matrix for every head (Beck et al. 2024, equations 19 to 27): `C' = f C + i v kᵀ`,
/// `n' = f n + i k`, `h' = σ(o) C' q / max(|n'ᵀ q|, exp(−m'))`.
///
/// The gates of a head are `i = exp(ĩ − m')` and `f = exp(log σ(f̃) + m − m')` with `m' = max(log σ(f̃) + m, ĩ)`. The rows of
/// `wx` are q, k, v and o, those of `wg` the gates ĩ and f̃ of all heads.
///
/// ```toml
/// [cell]
/// type = "mlstm"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "mlstm")]
pub struct Mlstm {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
}

impl Cell for Mlstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, heads) = (self.hidden, self.heads);
        vec![
            weight("wx", [h, inputs]).gates(4),
            bias("b", 4 * h),
            weight("wg", [heads, inputs]).gates(2),
            bias("bg", 2 * heads),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        let own = self.hidden / self.heads;
        vec![zeros("c", self.hidden * own), zeros("n", self.hidden), zeros("m", self.heads)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, b, wg, bg] = params.get(["wx", "b", "wg", "bg"]);
        let [c, n, m] = state.get(["c", "n", "m"]);
        let ([batch, _], heads, own) = (x.dims(), self.heads, self.hidden / self.heads);
        let [q, k, v, o] = chunk(linear(x.clone(), wx, b)); // each [batch, hidden]
        let [i, f] = chunk(linear(x, wg, bg)); // each [batch, heads]
        let f = log_sigmoid(f) + m; // [batch, heads]
        let m = f.clone().max_pair(i.clone()); // [batch, heads]
        let i = (i - m.clone()).exp().reshape([batch, heads, 1, 1]);
        let f = (f - m.clone()).exp().reshape([batch, heads, 1, 1]);
        let k = k.reshape([batch, heads, 1, own]) * (i * (own as f64).powf(-0.5)); // [batch, heads, 1, own]
        let c = c.reshape([batch, heads, own, own]) * f.clone() + v.reshape([batch, heads, own, 1]).matmul(k.clone());
        let n = n.reshape([batch, heads, 1, own]) * f + k; // [batch, heads, 1, own]
        let q = q.reshape([batch, heads, own, 1]);
        let norm = n.clone().matmul(q.clone()).abs(); // [batch, heads, 1, 1]
        let norm = norm.max_pair(m.clone().neg().exp().reshape([batch, heads, 1, 1]));
        let h = (c.clone().matmul(q) / norm).reshape([batch, self.hidden]) * sigmoid(o); // [batch, hidden]
        let state = [("c", c.reshape([batch, self.hidden * own])), ("n", n.reshape([batch, self.hidden])), ("m", m)];
        (h, State::from(state))
    }
}
