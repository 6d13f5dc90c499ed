//! The minimal gated recurrent unit: a linear recurrence.

use hatchery_plugin::prelude::*;

/// The minimal gated recurrent unit: `z = σ(Wz x + bz)`, `n = Wn x + bn`, `h' = (1 − z) h + z n` (Feng et al. 2024, section
/// 3.1). The rows of `wx` and the entries of `b` are the gate's, then the candidate's. No gate sees the state, so that the
/// recurrence is linear.
///
/// ```toml
/// [cell]
/// type = "min-gru"
/// hidden = 128
/// ```
#[plugin(cell = "min-gru")]
pub struct MinGru {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for MinGru {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [self.hidden, inputs]).gates(2), bias("b", 2 * self.hidden)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, b] = params.get(["wx", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [z, n] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let h = h.clone() + sigmoid(z) * (n - h); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}
