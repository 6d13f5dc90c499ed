//! A recurrent network whose state is a matrix with a full transition and tanh.

use hatchery_plugin::{burn::tensor::activation::silu, prelude::*};

use crate::heads::{all, columns, divide, filled, flat, matrices, rms_of_all, rows, softplus};

/// Matrix-to-matrix recurrent network: `Z = tanh(S W + k vᵀ)`, `S' = f S + (1 − f) Z`, `y = S'ᵀ q + D v`, with the output
/// `RMS(y ⊙ silu(g))` (2026, arXiv 2603.14360, equations 10 to 12).
///
/// The forget gate of a head is `f = exp(−exp(a) softplus(W x + b))`. The rows of `wx` are q, k, v and g; `w` has a square matrix
/// for each head, which is first the identity.
///
/// ```toml
/// [cell]
/// type = "m2rnn"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "m2rnn", family = "non-linear, matrix state")]
pub struct M2rnn {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
}

impl Cell for M2rnn {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, heads, own) = (self.hidden, self.heads, self.hidden / self.heads);
        vec![
            weight("wx", [h, inputs]).gates(4),
            weight("wg", [heads, inputs]),
            bias("bg", heads),
            bias("a", heads),
            filled("w", [h, own], |row, column| f64::from(row % own == column)),
            all("d", h, 1.0),
            all("gain", h, 1.0),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("s", self.hidden * self.hidden / self.heads)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wg, bg, a, w, d, gain] = params.get(["wx", "wg", "bg", "a", "w", "d", "gain"]);
        let (heads, own) = (self.heads, self.hidden / self.heads);
        let [q, k, v, g] = chunk(linear_no_bias(x.clone(), wx)); // each [batch, hidden]
        let keep = columns((softplus(linear(x, wg, bg)) * a.exp()).neg().exp(), heads); // [batch, heads, 1, 1]
        let s = matrices(state.get("s"), heads, own); // [batch, heads, own, own]
        let written = columns(k, heads).matmul(rows(v.clone(), heads)); // [batch, heads, own, own]
        let z = (s.clone().matmul(w.reshape([1, heads, own, own])) + written).tanh();
        let s = keep * (s - z.clone()) + z; // [batch, heads, own, own]
        let y = flat(rows(q, heads).matmul(s.clone())) + d * v; // [batch, hidden]
        (rms_of_all(y * silu(g), gain), State::from([("s", flat(s))]))
    }
}
