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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lstm {
    /// Width of the hidden state and of the cell state.
    #[schemars(range(min = 1))]
    pub hidden: usize,
    /// First value of the forget gate's bias (Jozefowicz et al. 2015 recommend 1).
    #[serde(default = "one")]
    pub forget_bias: f64,
    /// The function that the gates apply.
    #[serde(default)]
    pub gate_activation: GateActivation,
    /// Let the gates see the cell state.
    #[serde(default)]
    pub peepholes: bool,
}

/// The function that a gate applies.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GateActivation {
    /// The logistic function.
    #[default]
    Sigmoid,
    /// `clip(0.2 x + 0.5, 0, 1)`, as early Keras has it.
    HardSigmoid,
}

fn one() -> f64 {
    1.0
}

// ANCHOR: cell
impl Cell for Lstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let bias = [0.0, self.forget_bias, 0.0, 0.0].into_iter().flat_map(|b| vec![b; h]).collect();
        let mut params = vec![
            ParamSpec::new("wx", [4 * h, inputs], Initializer::XavierUniform).gates(4),
            ParamSpec::new("wh", [4 * h, h], Initializer::Orthogonal).gates(4),
            ParamSpec::new("b", [1, 4 * h], Initializer::Values { values: bias }),
        ];
        if self.peepholes {
            params.extend(["pi", "pf", "po"].map(|name| ParamSpec::new(name, [1, h], Initializer::Zeros)));
        }
        params
    }

    fn state(&self) -> Vec<StateSpec> {
        vec![StateSpec::new("h", self.hidden), StateSpec::new("c", self.hidden)]
    }

    fn outputs(&self) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let c = state.get("c");
        let sum = linear(x, params.get("wx"), params.get("b")) + project(state.get("h"), params.get("wh")); // [batch, 4 hidden]
        let [i, f, g, o] = split_columns(sum); // each [batch, hidden]
        let see = |sum: Tensor<2>, peephole: &str, c: &Tensor<2>| {
            if self.peepholes { sum + params.get(peephole) * c.clone() } else { sum }
        };
        let i = self.gate(see(i, "pi", &c));
        let f = self.gate(see(f, "pf", &c));
        let c = f * c + i * g.tanh(); // [batch, hidden]
        let o = self.gate(see(o, "po", &c));
        let h = o * c.clone().tanh(); // [batch, hidden]
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
