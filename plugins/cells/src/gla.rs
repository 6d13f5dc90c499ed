//! Linear attention with decay: a matrix for every head that grows by an outer product at each step. `RetNet`, gated linear
//! attention and HGRN2 differ in what decays, and by how much.

use hatchery_plugin::{
    burn::tensor::activation::{log_sigmoid, silu},
    prelude::*,
};

use crate::heads::{all, columns, constant, divide, flat, gated, matrices, rms_of_all, rows};

/// Retention: `S' = γ S R + v kᵀ` with a fixed decay for each head, `γ = 1 − 2^(−5 − head)`, and the output
/// `RMS(S' q) ⊙ silu(g)` (Sun et al. 2023, arXiv 2307.08621, equation 6).
///
/// R rotates pairs of columns by `10000^(−2 pair / width)`, which is the same as rotating q and k by their positions; with
/// `rotary = false` it is left out. k is divided by the root of its width. The rows are q, k, v, g.
///
/// ```toml
/// [cell]
/// type = "ret-net"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "ret-net", family = "linear, matrix state")]
pub struct RetNet {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// Whether the matrices are rotated.
    #[plugin(default = true)]
    pub rotary: bool,
}

impl RetNet {
    /// `γ R` at a row and a column of all heads below each other.
    fn decay(&self, row: usize, column: usize) -> f64 {
        let own = self.hidden / self.heads;
        let (head, row) = (row / own, row % own);
        let gamma = 1.0 - 2_f64.powf(-5.0 - head as f64);
        let (sin, cos) = 1e4_f64.powf(-((column / 2 * 2) as f64) / own as f64).sin_cos();
        gamma
            * match (row == column, row / 2 == column / 2) {
                (true, _) if self.rotary => cos,
                (true, _) => 1.0,
                (_, true) if self.rotary => {
                    if row > column {
                        sin
                    } else {
                        -sin
                    }
                }
                _ => 0.0,
            }
    }
}

impl Cell for RetNet {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)?;
        if self.rotary && !(self.hidden / self.heads).is_multiple_of(2) {
            let wrong = format!("with `rotary` the width of a head, {}, must be even", self.hidden / self.heads);
            return Err(PluginError::new(wrong).hint("take other heads, or `rotary = false`"));
        }
        Ok(())
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [self.hidden, inputs]).gates(4), all("gain", self.hidden, 1.0)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("s", self.hidden * self.hidden / self.heads)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn derive(&self, mut params: Params) -> Params {
        let (h, own) = (self.hidden, self.hidden / self.heads);
        let decay = constant([h, own], &params.get("gain"), |row, column| self.decay(row, column));
        params.push("decay", decay);
        params
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, gain, decay] = params.get(["wx", "gain", "decay"]);
        let (heads, own) = (self.heads, self.hidden / self.heads);
        let [q, k, v, g] = chunk(linear_no_bias(x, wx)); // each [batch, hidden]
        let k = rows(k, heads) * (own as f64).powf(-0.5); // [batch, heads, 1, own]
        let s = matrices(state.get("s"), heads, own).matmul(decay.reshape([1, heads, own, own]));
        let s = s + columns(v, heads).matmul(k); // [batch, heads, own, own]
        let y = gated(s.clone().matmul(columns(q, heads)), gain, g); // [batch, hidden]
        (y, State::from([("s", flat(s))]))
    }
}

/// Gated linear attention: `S' = S diag(α) + v kᵀ` with a decay for each column that depends on the input, and the output
/// `RMS(S' q) ⊙ silu(g)` (Yang et al. 2023, arXiv 2312.06635, equation 3 and section 4.4).
///
/// `α = σ(W2 W1 x + b)^(1 / temperature)`, a product of two small matrices. q is divided by the root of its width. The rows are
/// q, k, v, g.
///
/// ```toml
/// [cell]
/// type = "gla"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "gla", family = "linear, matrix state")]
pub struct Gla {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// Rank of the matrix of the decay.
    #[plugin(default = 16, min = 1)]
    pub rank: usize,
    /// The root that is taken of the decay.
    #[plugin(default = 16.0, above = 0.0)]
    pub temperature: f64,
}

impl Cell for Gla {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![
            weight("wx", [h, inputs]).gates(4),
            weight("w1", [self.rank, inputs]),
            weight("w2", [h, self.rank]),
            bias("ba", h),
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
        let [wx, w1, w2, ba, gain] = params.get(["wx", "w1", "w2", "ba", "gain"]);
        let (heads, own) = (self.heads, self.hidden / self.heads);
        let [q, k, v, g] = chunk(linear_no_bias(x.clone(), wx)); // each [batch, hidden]
        let decay = log_sigmoid(linear(linear_no_bias(x, w1), w2, ba)) / self.temperature; // [batch, hidden]
        let q = columns(q, heads) * (own as f64).powf(-0.5); // [batch, heads, own, 1]
        let s = matrices(state.get("s"), heads, own) * rows(decay.exp(), heads);
        let s = s + columns(v, heads).matmul(rows(k, heads)); // [batch, heads, own, own]
        let y = gated(s.clone().matmul(q), gain, g); // [batch, hidden]
        (y, State::from([("s", flat(s))]))
    }
}

/// Hierarchically gated recurrent network with a matrix for every head: `S' = S diag(f) + v (1 − f)ᵀ`, with the output
/// `RMS(S' q)` (Qin et al. 2024, arXiv 2404.07904, section 3).
///
/// `f = γ + (1 − γ) σ(W x)` forgets, and what it lets go is the key. The rows are q, f, v; q passes `silu`.
///
/// ```toml
/// [cell]
/// type = "hgrn2"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "hgrn2", family = "linear, matrix state")]
pub struct Hgrn2 {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// The least value of the forget gate, γ.
    #[plugin(default = 0.0, min = 0.0, max = 0.999)]
    pub lower_bound: f64,
}

impl Cell for Hgrn2 {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [self.hidden, inputs]).gates(3), all("gain", self.hidden, 1.0)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("s", self.hidden * self.hidden / self.heads)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, gain] = params.get(["wx", "gain"]);
        let (heads, own) = (self.heads, self.hidden / self.heads);
        let [q, f, v] = chunk(linear_no_bias(x, wx)); // each [batch, hidden]
        let f = rows(sigmoid(f) * (1.0 - self.lower_bound) + self.lower_bound, heads); // [batch, heads, 1, own]
        let s = matrices(state.get("s"), heads, own) * f.clone() + columns(v, heads).matmul(f.neg() + 1.0);
        let y = s.clone().matmul(columns(silu(q), heads)); // [batch, heads, own, 1]
        (rms_of_all(flat(y), gain), State::from([("s", flat(s))]))
    }
}
