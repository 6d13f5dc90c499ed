//! Mamba-2: a state space whose decay and matrices depend on the input.

use hatchery_plugin::{burn::tensor::activation::silu, prelude::*};

use crate::heads::{all, columns, divide, filled, flat, matrices, rms_of_all, softplus, spread};

/// Selective state space with a scalar decay for each head: `S' = exp(Δ A) S + Δ x bᵀ`, `y = S' c + D x`, with the output
/// `RMS(y ⊙ silu(z))` (Dao and Gu 2024, arXiv 2405.21060, section 7).
///
/// `Δ = softplus(W x + b)` and `A = −exp(a)`. The rows of `wx` are z, x, those of `wbc` b and c, which all heads share; x, b and c
/// pass `silu`. The convolution before them is left out. First, `exp(a)` is spread between 1 and 16 and Δ between 0.001 and 0.1.
///
/// ```toml
/// [cell]
/// type = "mamba2"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "mamba2", family = "linear, matrix state")]
pub struct Mamba2 {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// Columns of a matrix.
    #[plugin(default = 16, min = 1)]
    pub state: usize,
}

impl Cell for Mamba2 {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, heads) = (self.hidden, self.heads);
        // The inverse of softplus, at steps spread between 0.001 and 0.1.
        let step = |at| (1e-3_f64 * 100_f64.powf(spread(at, heads))).exp_m1().ln();
        vec![
            weight("wx", [h, inputs]).gates(2),
            weight("wbc", [self.state, inputs]).gates(2),
            weight("wd", [heads, inputs]),
            filled("bd", [1, heads], |_, at| step(at)),
            filled("a", [1, heads], |_, at| (1.0 + 15.0 * spread(at, heads)).ln()),
            all("d", heads, 1.0),
            all("gain", h, 1.0),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("s", self.hidden * self.state)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wbc, wd, bd, a, d, gain] = params.get(["wx", "wbc", "wd", "bd", "a", "d", "gain"]);
        let ([batch, _], heads) = (x.dims(), self.heads);
        let [z, u] = chunk(linear_no_bias(x.clone(), wx)); // each [batch, hidden]
        let [b, c] = chunk(silu(linear_no_bias(x.clone(), wbc))); // each [batch, state]
        let step = softplus(linear(x, wd, bd)); // [batch, heads]
        let decay = columns((step.clone() * a.exp()).neg().exp(), heads); // [batch, heads, 1, 1]
        let u = columns(silu(u), heads); // [batch, heads, own, 1]
        let of_all = |row: Tensor<2>| row.reshape([batch, 1, 1, self.state]).expand([batch, heads, 1, self.state]);
        let written = (u.clone() * columns(step, heads)).matmul(of_all(b)); // [batch, heads, own, state]
        let s = matrices(state.get("s"), heads, self.hidden / heads) * decay + written;
        let read = s.clone().matmul(of_all(c).swap_dims(2, 3)); // [batch, heads, own, 1]
        let y = flat(read + u * d.reshape([1, heads, 1, 1])); // [batch, hidden]
        (rms_of_all(y * silu(z), gain), State::from([("s", flat(s))]))
    }
}
