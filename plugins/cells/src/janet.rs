//! JANET: an LSTM with a forget gate alone.

use hatchery_plugin::prelude::*;

use crate::lstm::chrono;

/// Just another network: an LSTM that has a forget gate and nothing else, `h' = σ(s) h + (1 − σ(s − β)) tanh(W x + U h + b)`
/// with `s = W x + U h + b` (van der Westhuizen and Lasenby 2018, arXiv 1804.04849, equations 3 to 5). The rows are f, g.
///
/// ```toml
/// [cell]
/// type = "janet"
/// hidden = 128
/// ```
#[plugin(cell = "janet", family = "gates")]
pub struct Janet {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// How much more is kept than given up, β.
    #[plugin(default = 1.0)]
    pub beta: f64,
    /// The longest time that is to be remembered, for the first values of the gate's bias (Tallec and Ollivier 2018,
    /// arXiv 1804.11188); without it they are 1.
    #[plugin(min = 3)]
    pub chrono: Option<usize>,
}

impl Cell for Janet {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let first = |unit| self.chrono.map_or(1.0, |longest| chrono(longest, unit, h));
        let values = (0..2 * h).map(|unit| if unit < h { first(unit) } else { 0.0 }).collect();
        vec![
            weight("wx", [h, inputs]).gates(2),
            recurrent("wh", h).gates(2),
            bias("b", 2 * h).initializer(Initializer::Values { values }),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [s, g] = chunk(linear(x, wx, b) + linear_no_bias(h.clone(), wh)); // each [batch, hidden]
        // 1 − σ(s − β) is σ(β − s).
        let h = sigmoid(s.clone()) * h + sigmoid(s.neg() + self.beta) * g.tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}
