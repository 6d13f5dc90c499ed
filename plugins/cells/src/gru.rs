//! The gated recurrent unit, in both forms that are in use.

use hatchery_plugin::prelude::*;

/// Gated recurrent unit: `h' = (1 − z) n + z h` with gates `r, z = σ(W x + U h + b)`.
///
/// The candidate `n` exists in two published forms. With `reset = "before"` (Cho et al. 2014) the reset gate acts on
/// the state before the product: `n = tanh(W x + U (r h) + b)`. With `reset = "after"` (the form of cuDNN and
/// `PyTorch`) it acts on the product, which then has a bias of its own: `n = tanh(W x + bx + r (U h + bh))`. The rows
/// of the matrices are r, z, n.
///
/// ```toml
/// [cell]
/// type = "gru"
/// hidden = 128
/// reset = "after"
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gru {
    /// Width of the hidden state.
    #[schemars(range(min = 1))]
    pub hidden: usize,
    /// Where the reset gate acts.
    #[serde(default)]
    pub reset: Reset,
}

/// Where the reset gate acts.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// On the product of matrix and state.
    #[default]
    After,
    /// On the state, before the product.
    Before,
}

// ANCHOR: cell
impl Cell for Gru {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let mut params = vec![
            ParamSpec::new("wx", [3 * h, inputs], Initializer::XavierUniform).gates(3),
            ParamSpec::new("wh", [3 * h, h], Initializer::Orthogonal).gates(3),
        ];
        params.extend(match self.reset {
            Reset::After => vec![
                ParamSpec::new("bx", [1, 3 * h], Initializer::Zeros),
                ParamSpec::new("bh", [1, 3 * h], Initializer::Zeros),
            ],
            Reset::Before => vec![ParamSpec::new("b", [1, 3 * h], Initializer::Zeros)],
        });
        params
    }

    fn state(&self) -> Vec<StateSpec> {
        vec![StateSpec::new("h", self.hidden)]
    }

    fn outputs(&self) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let h = state.get("h");
        let (z, n) = match self.reset {
            Reset::After => after(params, x, h.clone()),
            Reset::Before => before(params, x, h.clone()),
        };
        let h = n.clone() + z * (h - n); // (1 − z) n + z h: [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// Update gate and candidate, the reset gate acting on the product: each `[batch, hidden]`.
fn after(params: &Params, x: Tensor<2>, h: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [xr, xz, xn] = split_columns(linear(x, params.get("wx"), params.get("bx")));
    let [hr, hz, hn] = split_columns(linear(h, params.get("wh"), params.get("bh")));
    let r = sigmoid(xr + hr);
    (sigmoid(xz + hz), (xn + r * hn).tanh())
}

/// Update gate and candidate, the reset gate acting on the state: each `[batch, hidden]`.
fn before(params: &Params, x: Tensor<2>, h: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [_, hidden] = h.dims();
    let [xr, xz, xn] = split_columns(linear(x, params.get("wx"), params.get("b")));
    let wh = params.get("wh"); // [3 hidden, hidden]
    let gates = project(h.clone(), wh.clone().narrow(0, 0, 2 * hidden)); // [batch, 2 hidden]
    let [hr, hz] = split_columns(gates);
    let r = sigmoid(xr + hr);
    let hn = project(r * h, wh.narrow(0, 2 * hidden, hidden)); // [batch, hidden]
    (sigmoid(xz + hz), (xn + hn).tanh())
}
// ANCHOR_END: cell
