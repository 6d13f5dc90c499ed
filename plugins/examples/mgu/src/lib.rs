//! The minimal gated unit: a recurrent cell with a single gate.

use hatchery_plugin::prelude::*;

/// Minimal gated unit: `h' = (1 − f) h + f tanh(W x + U (f h) + b)` with one gate `f = σ(Wf x + Uf h + bf)`.
///
/// Zhou et al. (2016), equations 6. The rows of the matrices are the gate's, then the candidate's.
///
/// ```toml
/// [cell]
/// type = "mgu"
/// hidden = 64
/// ```
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mgu {
    /// Width of the hidden state.
    #[schemars(range(min = 1))]
    pub hidden: usize,
}

impl Cell for Mgu {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![
            ParamSpec::new("wx", [2 * h, inputs], Initializer::XavierUniform).gates(2),
            ParamSpec::new("wf", [h, h], Initializer::Orthogonal),
            ParamSpec::new("wh", [h, h], Initializer::Orthogonal),
            ParamSpec::new("b", [1, 2 * h], Initializer::Zeros),
        ]
    }

    fn state(&self) -> Vec<StateSpec> {
        vec![StateSpec::new("h", self.hidden)]
    }

    fn outputs(&self) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let h = state.get("h");
        let [xf, xh] = split_columns(linear(x, params.get("wx"), params.get("b"))); // each [batch, hidden]
        let f = sigmoid(xf + project(h.clone(), params.get("wf"))); // [batch, hidden]
        let candidate = (xh + project(f.clone() * h.clone(), params.get("wh"))).tanh(); // [batch, hidden]
        let h = h.clone() + f * (candidate - h); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

hatchery_plugin::export! {
    cell "mgu" => Mgu,
}
