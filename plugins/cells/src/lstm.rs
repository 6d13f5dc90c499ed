//! Long short-term memory: a cell state that gates write to, keep and read.

use hatchery_plugin::prelude::*;

/// Long short-term memory (Hochreiter and Schmidhuber 1997) with a forget gate (Gers et al. 2000).
///
/// `i, f, o = σ(W x + U h + b)`, `g = tanh(W x + U h + b)`, `c' = f c + i g`, `h' = o tanh(c')`; the rows of the
/// matrices are the gates in the order i, f, g, o, as in `PyTorch` and Keras. With `peepholes` (Gers and Schmidhuber
/// 2000) the gates see the cell state too: i and f see c, o sees c'.
///
/// ```toml
/// [cell]
/// type = "lstm"
/// hidden = 128
/// forget-bias = 1.0
/// ```
#[plugin(cell = "lstm")]
#[derive(Clone, Debug)]
pub struct Lstm {
    /// Width of the hidden state and of the cell state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// First value of the forget gate's bias (Jozefowicz et al. 2015 recommend 1).
    #[plugin(default = 1.0)]
    pub forget_bias: f64,
    /// The function that the gates apply.
    #[plugin(default)]
    pub gate_activation: GateActivation,
    /// Let the gates see the cell state.
    #[plugin(default)]
    pub peepholes: bool,
}

/// The function that a gate applies.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum GateActivation {
    /// The logistic function.
    #[default]
    Sigmoid,
    /// `clip(0.2 x + 0.5, 0, 1)`, as early Keras has it.
    HardSigmoid,
}

// ANCHOR: cell
impl Cell for Lstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let values = [0.0, self.forget_bias, 0.0, 0.0].into_iter().flat_map(|b| vec![b; h]).collect();
        let mut params = vec![
            weight("wx", [h, inputs]).gates(4),
            recurrent("wh", h).gates(4),
            bias("b", 4 * h).initializer(Initializer::Values { values }),
        ];
        if self.peepholes {
            params.extend(["pi", "pf", "po"].map(|name| bias(name, h)));
        }
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let [h, c] = state.get(["h", "c"]);
        let sum = linear(x, wx, b) + linear_no_bias(h, wh); // [batch, 4 hidden]
        let [i, f, g, o] = chunk(sum); // each [batch, hidden]
        let see = |sum: Tensor<2>, peephole: &str, c: &Tensor<2>| {
            if self.peepholes { sum + params.get(peephole) * c.clone() } else { sum }
        };
        // ANCHOR: gates
        let i = self.gate(see(i, "pi", &c));
        let f = self.gate(see(f, "pf", &c));
        let c = f * c + i * g.tanh(); // [batch, hidden]
        let o = self.gate(see(o, "po", &c));
        let h = o * c.clone().tanh(); // [batch, hidden]
        // ANCHOR_END: gates
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}
// ANCHOR_END: cell

impl Lstm {
    fn gate(&self, sum: Tensor<2>) -> Tensor<2> {
        match self.gate_activation {
            GateActivation::Sigmoid => sigmoid(sum),
            GateActivation::HardSigmoid => hard_sigmoid(sum),
        }
    }
}
