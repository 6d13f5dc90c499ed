//! The minimal gated unit: a recurrent cell with a single gate.

use hatchery_plugin::prelude::*;

/// Minimal gated unit: `h' = (1 − f) h + f tanh(W x + U (f h) + b)` with one gate `f = σ(Wf x + Uf h + bf)`.
///
/// Zhou et al. (2016), equations 6. The rows of `wx` and the entries of `b` are the gate's, then the candidate's.
///
/// ```toml
/// [cell]
/// type = "mgu"
/// hidden = 64
/// ```
#[plugin(cell = "mgu")]
pub struct Mgu {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Mgu {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(2), recurrent("uf", h), recurrent("un", h), bias("b", 2 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, uf, un, b] = params.get(["wx", "uf", "un", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [xf, xn] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let f = sigmoid(xf + linear_no_bias(h.clone(), uf)); // [batch, hidden]
        let n = (xn + linear_no_bias(f.clone() * h.clone(), un)).tanh(); // [batch, hidden]
        let h = h.clone() + f * (n - h); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

library![Mgu];
