//! Long short-term memory with exponential gates and a scalar memory.

use hatchery_plugin::{burn::tensor::activation::log_sigmoid, prelude::*};

/// Long short-term memory with an exponential input gate (Beck et al. 2024, equations 8 to 17). Every head sees its own units
/// of the last output alone. With `m' = max(log σ(f) + m, i)`, the largest exponent so far, both gates are divided by
/// `exp(m')`, which changes no output.
///
/// `c' = exp(log σ(f) + m − m') c + exp(i − m') tanh(z)`, `n'` the same with 1 for `tanh(z)`, `h' = σ(o) c' / n'`. The rows of
/// `wx` are the gates in the order i, f, z, o; those of `wh` the heads, and within each the gates.
///
/// ```toml
/// [cell]
/// type = "slstm"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "slstm")]
pub struct Slstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The parts of the state that do not see each other, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
}

impl Cell for Slstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, own) = (self.hidden, self.hidden / self.heads);
        vec![weight("wx", [h, inputs]).gates(4), weight("wh", [own, own]).gates(4 * self.heads), bias("b", 4 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["h", "c", "n", "m"].map(|name| zeros(name, self.hidden)).into()
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let [h, c, n, m] = state.get(["h", "c", "n", "m"]);
        let ([batch, _], own) = (h.dims(), self.hidden / self.heads);
        let u = wh.reshape([1, self.heads, 4 * own, own]).swap_dims(2, 3); // [1, heads, own, 4 own]
        let recurrent = h.reshape([batch, self.heads, 1, own]).matmul(u); // [batch, heads, 1, 4 own]
        let recurrent = recurrent.reshape([batch, self.heads, 4, own]).swap_dims(1, 2); // [batch, 4, heads, own]
        let sum = linear(x, wx, b) + recurrent.reshape([batch, 4 * self.hidden]); // [batch, 4 hidden]
        let [i, f, z, o] = chunk(sum); // each [batch, hidden]
        let f = log_sigmoid(f) + m; // [batch, hidden]
        let m = f.clone().max_pair(i.clone()); // [batch, hidden]
        let (i, f) = ((i - m.clone()).exp(), (f - m.clone()).exp()); // each [batch, hidden]
        let c = f.clone() * c + i.clone() * z.tanh(); // [batch, hidden]
        let n = f * n + i; // [batch, hidden]
        let h = sigmoid(o) * c.clone() / n.clone(); // [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c), ("n", n), ("m", m)]))
    }
}
