//! Cells with a second, slower or richer way through time: SCRN, NAS, and integration by products.

use hatchery_plugin::{burn::tensor::activation::relu, prelude::*};

use crate::{
    heads::all,
    lstm::{forgetting, lstm},
};

/// Structurally constrained recurrent network: a context s that changes slowly, and a hidden state that reads it (Mikolov et al.
/// 2014, arXiv 1412.7753, equations 4 to 6).
///
/// `s' = (1 − α) B x + α s`, `h' = σ(P s' + A x + R h)`; the output is both, side by side.
///
/// ```toml
/// [cell]
/// type = "scrn"
/// hidden = 128
/// ```
#[plugin(cell = "scrn", family = "several time scales")]
pub struct Scrn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Width of the context.
    #[plugin(default = 40, min = 1)]
    pub context: usize,
    /// How much of the context is kept, α.
    #[plugin(default = 0.95, min = 0.0, max = 1.0)]
    pub alpha: f64,
}

impl Cell for Scrn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, c) = (self.hidden, self.context);
        vec![weight("wx", [h, inputs]), weight("wb", [c, inputs]), weight("wp", [h, c]), recurrent("wh", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("s", self.context)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden + self.context
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wb, wp, wh] = params.get(["wx", "wb", "wp", "wh"]);
        let [h, s] = state.get(["h", "s"]);
        let s = linear_no_bias(x.clone(), wb) * (1.0 - self.alpha) + s * self.alpha; // [batch, context]
        let sum = linear_no_bias(s.clone(), wp) + linear_no_bias(x, wx) + linear_no_bias(h, wh); // [batch, hidden]
        let h = sigmoid(sum);
        (Tensor::cat(vec![h.clone(), s.clone()], 1), State::from([("h", h), ("s", s)]))
    }
}

/// The cell that neural architecture search found for language models (Zoph and Le 2016, arXiv 1611.01578, appendix A, as in
/// `TensorFlow`'s `NASCell`).
///
/// With a and m the sums of input and state, eight each: `p = tanh(σ(a0 + m0) relu(a1 + m1))`, `q = tanh(σ(a2 + m2) +
/// relu(a3 m3))`, `r = tanh(tanh(a4 + m4) σ(a5 + m5))`, `s = σ(tanh(a6 + m6) + σ(a7 + m7))`, `c' = tanh(p + c) q`,
/// `h' = tanh(c' tanh(r + s))`.
///
/// ```toml
/// [cell]
/// type = "nas"
/// hidden = 128
/// ```
#[plugin(cell = "nas", family = "gates")]
pub struct Nas {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Nas {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(8), recurrent("wh", h).gates(8), bias("b", 8 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let [h, c] = state.get(["h", "c"]);
        let [a0, a1, a2, a3, a4, a5, a6, a7] = chunk(linear_no_bias(x, wx)); // each [batch, hidden]
        let [m0, m1, m2, m3, m4, m5, m6, m7] = chunk(linear(h, wh, b)); // each [batch, hidden]
        let p = (sigmoid(a0 + m0) * relu(a1 + m1)).tanh();
        let q = (sigmoid(a2 + m2) + relu(a3 * m3)).tanh();
        let r = ((a4 + m4).tanh() * sigmoid(a5 + m5)).tanh();
        let s = sigmoid((a6 + m6).tanh() + sigmoid(a7 + m7));
        let c = (p + c).tanh() * q; // [batch, hidden]
        let h = (c.clone() * (r + s).tanh()).tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}

/// The parameters of multiplicative integration over `gates` stacked gates.
fn integrated_params(h: usize, inputs: usize, gates: usize, b: ParamSpec) -> Vec<ParamSpec> {
    let mut params = vec![weight("wx", [h, inputs]).gates(gates), recurrent("wh", h).gates(gates), b];
    params.extend(["alpha", "beta1", "beta2"].map(|name| all(name, gates * h, 1.0)));
    params
}

/// `α a u + β1 u + β2 a + b` over columns from `first` on: `[batch, columns]`.
fn integrated(params: &Params, a: Tensor<2>, u: Tensor<2>, first: usize) -> Tensor<2> {
    let [alpha, beta1, beta2, b] =
        params.get(["alpha", "beta1", "beta2", "b"]).map(|factor| factor.narrow(1, first, a.dims()[1]));
    alpha * a.clone() * u.clone() + beta1 * u + beta2 * a + b
}

/// Multiplicative integration in a simple network: `h' = tanh(α a u + β1 u + β2 a + b)` with `a = W x` and `u = U h` (Wu et al.
/// 2016, arXiv 1606.06630, equation 5).
///
/// ```toml
/// [cell]
/// type = "mi-rnn"
/// hidden = 128
/// ```
#[plugin(cell = "mi-rnn", family = "products of input and state")]
pub struct MiRnn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for MiRnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        integrated_params(self.hidden, inputs, 1, bias("b", self.hidden))
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh] = params.get(["wx", "wh"]);
        let h = integrated(params, linear_no_bias(x, wx), linear_no_bias(state.get("h"), wh), 0).tanh();
        (h.clone(), State::from([("h", h)]))
    }
}

/// Multiplicative integration in an LSTM, all of whose sums are `α a u + β1 u + β2 a + b` with `a = W x` and `u = U h` (Wu et al.
/// 2016, arXiv 1606.06630, section 2.3). The rows are i, f, g, o.
///
/// ```toml
/// [cell]
/// type = "mi-lstm"
/// hidden = 128
/// ```
#[plugin(cell = "mi-lstm", family = "products of input and state")]
pub struct MiLstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for MiLstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        integrated_params(self.hidden, inputs, 4, forgetting("b", self.hidden))
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh] = params.get(["wx", "wh"]);
        let sums = integrated(params, linear_no_bias(x, wx), linear_no_bias(state.get("h"), wh), 0);
        let (h, c) = lstm(sums, state.get("c")); // each [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}

/// Multiplicative integration in a gated recurrent unit, all of whose sums are `α a u + β1 u + β2 a + b` with `a = W x` and
/// `u = U h`, or `u = U (r h)` for the candidate (Wu et al. 2016, arXiv 1606.06630, section 2.3). The rows are r, z, n.
///
/// ```toml
/// [cell]
/// type = "mi-gru"
/// hidden = 128
/// ```
#[plugin(cell = "mi-gru", family = "products of input and state")]
pub struct MiGru {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for MiGru {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        integrated_params(self.hidden, inputs, 3, bias("b", 3 * self.hidden))
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh] = params.get(["wx", "wh"]);
        let (h, own) = (state.get("h"), self.hidden); // [batch, hidden]
        let a = linear_no_bias(x, wx); // [batch, 3 hidden]
        let u = linear_no_bias(h.clone(), wh.clone().narrow(0, 0, 2 * own)); // [batch, 2 hidden]
        let [r, z] = chunk(sigmoid(integrated(params, a.clone().narrow(1, 0, 2 * own), u, 0))); // each [batch, hidden]
        let u = linear_no_bias(r * h.clone(), wh.narrow(0, 2 * own, own)); // [batch, hidden]
        let n = integrated(params, a.narrow(1, 2 * own, own), u, 2 * own).tanh(); // [batch, hidden]
        let h = n.clone() + z * (h - n); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}
