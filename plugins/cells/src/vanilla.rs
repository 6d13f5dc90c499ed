//! The simple recurrent network: one matrix for the input, one for the state, one non-linearity.

use hatchery_plugin::burn::tensor::activation;
use hatchery_plugin::prelude::*;

/// Simple recurrent network (Elman 1990): `h' = tanh(Wax x + Waa h + b)`.
///
/// ```toml
/// [cell]
/// type = "vanilla"
/// hidden = 50
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vanilla {
    /// Width of the hidden state.
    #[schemars(range(min = 1))]
    pub hidden: usize,
    /// The non-linearity.
    #[serde(default)]
    pub activation: Activation,
}

/// The non-linearity of a simple recurrent network.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Hyperbolic tangent.
    #[default]
    Tanh,
    /// `max(0, x)`.
    Relu,
}

// ANCHOR: cell
impl Cell for Vanilla {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![
            ParamSpec::new("wax", [self.hidden, inputs], Initializer::XavierUniform),
            ParamSpec::new("waa", [self.hidden, self.hidden], Initializer::Orthogonal),
            ParamSpec::new("b", [1, self.hidden], Initializer::Zeros),
        ]
    }

    fn state(&self) -> Vec<StateSpec> {
        vec![StateSpec::new("h", self.hidden)]
    }

    fn outputs(&self) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        // In the order of the equation: the notebook's sums are added up in no other.
        let sum = project(x, params.get("wax")) + project(state.get("h"), params.get("waa")) + params.get("b"); // [batch, hidden]
        let h = match self.activation {
            Activation::Tanh => sum.tanh(),
            Activation::Relu => activation::relu(sum),
        };
        (h.clone(), State::from([("h", h)]))
    }
}
// ANCHOR_END: cell
