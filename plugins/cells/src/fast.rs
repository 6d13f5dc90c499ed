//! Networks with a weighted residual connection over time, and matrices of low rank.

use hatchery_plugin::prelude::*;

use crate::heads::all;

/// A matrix, or two of low rank whose product it is.
fn matrix(name: &str, [rows, columns]: [usize; 2], rank: Option<usize>) -> Vec<ParamSpec> {
    match rank {
        Some(rank) => vec![weight(format!("{name}a"), [rows, rank]), weight(format!("{name}b"), [rank, columns])],
        None => vec![weight(name.to_owned(), [rows, columns])],
    }
}

/// The product with a matrix, or with two of low rank: `[batch, rows]`.
fn product(params: &Params, name: &str, x: Tensor<2>) -> Tensor<2> {
    match params.find(name) {
        Some(whole) => linear_no_bias(x, whole.clone()),
        None => {
            let [a, b] = [format!("{name}a"), format!("{name}b")].map(|name| params.get(&name));
            linear_no_bias(linear_no_bias(x, b), a)
        }
    }
}

/// `FastRNN`: `h' = σ(α) tanh(W x + U h + b) + σ(β) h` with two learned numbers (Kusupati et al. 2018, arXiv 1901.02358,
/// section 3.1).
///
/// ```toml
/// [cell]
/// type = "fast-rnn"
/// hidden = 128
/// ```
#[plugin(cell = "fast-rnn", family = "simple")]
pub struct FastRnn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Rank of W; without it W is full.
    #[plugin(min = 1)]
    pub input_rank: Option<usize>,
    /// Rank of U; without it U is full.
    #[plugin(min = 1)]
    pub hidden_rank: Option<usize>,
}

impl Cell for FastRnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let mut params = matrix("wx", [h, inputs], self.input_rank);
        params.extend(matrix("wh", [h, h], self.hidden_rank));
        params.extend([bias("b", h), all("alpha", 1, -3.0), all("beta", 1, 3.0)]);
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [b, alpha, beta] = params.get(["b", "alpha", "beta"]);
        let h = state.get("h"); // [batch, hidden]
        let n = (product(params, "wx", x) + product(params, "wh", h.clone()) + b).tanh(); // [batch, hidden]
        let h = sigmoid(alpha) * n + sigmoid(beta) * h; // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// `FastGRNN`: gate and candidate share their matrices, `z = σ(W x + U h + b)`, `n = tanh(W x + U h + b)`,
/// `h' = (σ(ζ) (1 − z) + σ(ν)) n + z h` (Kusupati et al. 2018, arXiv 1901.02358, section 3.2). The entries of `b` are those of z,
/// then of n.
///
/// ```toml
/// [cell]
/// type = "fast-grnn"
/// hidden = 128
/// ```
#[plugin(cell = "fast-grnn", family = "gates")]
pub struct FastGrnn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Rank of W; without it W is full.
    #[plugin(min = 1)]
    pub input_rank: Option<usize>,
    /// Rank of U; without it U is full.
    #[plugin(min = 1)]
    pub hidden_rank: Option<usize>,
}

impl Cell for FastGrnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let mut params = matrix("wx", [h, inputs], self.input_rank);
        params.extend(matrix("wh", [h, h], self.hidden_rank));
        params.extend([bias("b", 2 * h), all("zeta", 1, 1.0), all("nu", 1, -4.0)]);
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [b, zeta, nu] = params.get(["b", "zeta", "nu"]);
        let h = state.get("h"); // [batch, hidden]
        let sum = product(params, "wx", x) + product(params, "wh", h.clone()); // [batch, hidden]
        let [bz, bn] = chunk(b); // each [1, hidden]
        let (z, n) = (sigmoid(sum.clone() + bz), (sum + bn).tanh()); // each [batch, hidden]
        let h = ((z.clone().neg() + 1.0) * sigmoid(zeta) + sigmoid(nu)) * n + z * h; // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}
