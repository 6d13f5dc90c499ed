//! The simple recurrent network: one matrix for the input, one for the state, one non-linearity.

use hatchery_plugin::burn::tensor::activation;
use hatchery_plugin::prelude::*;

use crate::heads::filled;

/// Simple recurrent network (Elman 1990): `h' = tanh(Wax x + Waa h + b)`.
///
/// ```toml
/// [cell]
/// type = "vanilla"
/// hidden = 50
/// ```
#[plugin(cell = "vanilla", family = "simple")]
#[derive(Clone, Debug)]
pub struct Vanilla {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The non-linearity.
    #[plugin(default)]
    pub activation: Activation,
    /// The recurrent matrix is first the identity times this number, and not orthogonal: with `activation = "relu"` and 1 the
    /// IRNN of Le et al. (2015, arXiv 1504.00941).
    pub identity: Option<f64>,
}

/// The non-linearity of a simple recurrent network.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
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
        let h = self.hidden;
        let waa = match self.identity {
            Some(scale) => filled("waa", [h, h], |row, column| if row == column { scale } else { 0.0 }),
            None => recurrent("waa", h),
        };
        vec![weight("wax", [h, inputs]), waa, bias("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        // ANCHOR: equation
        let [wax, waa, b] = params.get(["wax", "waa", "b"]);
        // In the order of the equation: the notebook adds in this order.
        let sum = linear_no_bias(x, wax) + linear_no_bias(state.get("h"), waa) + b; // [batch, hidden]
        let h = match self.activation {
            Activation::Tanh => sum.tanh(),
            Activation::Relu => activation::relu(sum),
        };
        (h.clone(), State::from([("h", h)]))
        // ANCHOR_END: equation
    }
}
// ANCHOR_END: cell
