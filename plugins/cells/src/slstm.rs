//! Long short-term memory with exponential gates: with scalars, and with a matrix for every head.

use hatchery_plugin::{burn::tensor::activation::log_sigmoid, prelude::*};

use crate::heads::{blocks, columns, divide, flat, matrices, rows};

/// The function of a forget gate.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum ForgetGate {
    /// The logistic function.
    #[default]
    Sigmoid,
    /// The exponential function.
    Exp,
}

impl ForgetGate {
    /// Its logarithm.
    fn log(self, sum: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Sigmoid => log_sigmoid(sum),
            Self::Exp => sum,
        }
    }
}

/// The running maximum before the first step, at which nothing is stored: the first maximum is that of the input gate.
const NOTHING: f64 = -1e9;

/// Long short-term memory with an exponential input gate (Beck et al. 2024, arXiv 2405.04517, equations 8 to 17). Every head
/// sees its own units of the last output alone. With `m' = max(log f + m, i)`, the largest exponent so far, both gates are
/// divided by `exp(m')`, which changes no output.
///
/// `c' = exp(log f + m − m') c + exp(i − m') tanh(z)`, `n'` the same with 1 for `tanh(z)`, `h' = σ(o) c' / n'`. The rows of
/// `wx` are the gates in the order i, f, z, o; those of `wh` the heads, and within each the gates.
///
/// ```toml
/// [cell]
/// type = "slstm"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "slstm", family = "exponential gates")]
pub struct Slstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The parts of the state that do not see each other, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// The function of the forget gate.
    #[plugin(default)]
    pub forget_gate: ForgetGate,
}

impl Cell for Slstm {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, own) = (self.hidden, self.hidden / self.heads);
        vec![
            weight("wx", [h, inputs]).gates(4),
            weight("wh", [own, own]).gates(4 * self.heads),
            blocks("b", h, &[0.0, 3.0, 0.0, 0.0]),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        let mut state = ["h", "c", "n", "m"].map(|name| zeros(name, self.hidden));
        state[3] = zeros("m", self.hidden).start(NOTHING);
        state.into()
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let [h, c, n, m] = state.get(["h", "c", "n", "m"]);
        let ([batch, _], own) = (h.dims(), self.hidden / self.heads);
        let u = wh.reshape([1, self.heads, 4 * own, own]).swap_dims(2, 3); // [1, heads, own, 4 own]
        let recurrent = rows(h, self.heads).matmul(u); // [batch, heads, 1, 4 own]
        let recurrent = recurrent.reshape([batch, self.heads, 4, own]).swap_dims(1, 2); // [batch, 4, heads, own]
        let [i, f, z, o] = chunk(linear(x, wx, b) + flat(recurrent)); // each [batch, hidden]
        let f = self.forget_gate.log(f) + m; // [batch, hidden]
        let m = f.clone().max_pair(i.clone()); // [batch, hidden]
        let (i, f) = ((i - m.clone()).exp(), (f - m.clone()).exp()); // each [batch, hidden]
        let c = f.clone() * c + i.clone() * z.tanh(); // [batch, hidden]
        let n = f * n + i; // [batch, hidden]
        let h = sigmoid(o) * c.clone() / n.clone(); // [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c), ("n", n), ("m", m)]))
    }
}

/// Long short-term memory with a matrix for every head (Beck et al. 2024, arXiv 2405.04517, equations 19 to 27):
/// `C' = f C + i v kᵀ`, `n' = f n + i k`, `h' = σ(o) C' q / max(|n'ᵀ q|, exp(−m'))`.
///
/// The gates of a head are `i = exp(ĩ − m')` and `f = exp(log f̃ + m − m')` with `m' = max(log f̃ + m, ĩ)`. The rows of
/// `wx` are q, k, v and o, those of `wg` the gates ĩ and f̃ of all heads.
///
/// ```toml
/// [cell]
/// type = "mlstm"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "mlstm", family = "linear, matrix state")]
pub struct Mlstm {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// The function of the forget gate.
    #[plugin(default)]
    pub forget_gate: ForgetGate,
}

impl Cell for Mlstm {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, heads) = (self.hidden, self.heads);
        vec![
            weight("wx", [h, inputs]).gates(4),
            bias("b", 4 * h),
            weight("wg", [heads, inputs]).gates(2),
            blocks("bg", heads, &[0.0, 3.0]),
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
        let (heads, own) = (self.heads, self.hidden / self.heads);
        let [q, k, v, o] = chunk(linear(x.clone(), wx, b)); // each [batch, hidden]
        let [i, f] = chunk(linear(x, wg, bg)); // each [batch, heads]
        let f = self.forget_gate.log(f) + m; // [batch, heads]
        let m = f.clone().max_pair(i.clone()); // [batch, heads]
        let (i, f) = (columns((i - m.clone()).exp(), heads), columns((f - m.clone()).exp(), heads));
        let k = rows(k, heads) * (i * (own as f64).powf(-0.5)); // [batch, heads, 1, own]
        let c = matrices(c, heads, own) * f.clone() + columns(v, heads).matmul(k.clone()); // [batch, heads, own, own]
        let n = rows(n, heads) * f + k; // [batch, heads, 1, own]
        let q = columns(q, heads); // [batch, heads, own, 1]
        // Beyond exp(80), which single precision still holds, the output is zero in either case.
        let least = columns(m.clone().neg().clamp_max(80.0).exp(), heads); // [batch, heads, 1, 1]
        let norm = n.clone().matmul(q.clone()).abs().max_pair(least); // [batch, heads, 1, 1]
        let h = flat(c.clone().matmul(q) / norm) * sigmoid(o); // [batch, hidden]
        (h, State::from([("c", flat(c)), ("n", flat(n)), ("m", m)]))
    }
}
