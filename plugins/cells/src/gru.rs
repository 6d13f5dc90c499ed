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
#[plugin(cell = "gru", family = "gates")]
#[derive(Clone, Debug)]
pub struct Gru {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Where the reset gate acts.
    #[plugin(default)]
    pub reset: Reset,
}

/// Where the reset gate acts.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
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
        let mut params = vec![weight("wx", [h, inputs]).gates(3), recurrent("wh", h).gates(3)];
        match self.reset {
            Reset::After => params.extend([bias("bx", 3 * h), bias("bh", 3 * h)]),
            Reset::Before => params.push(bias("b", 3 * h)),
        }
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
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
    // ANCHOR: after
    let [wx, wh, bx, bh] = params.get(["wx", "wh", "bx", "bh"]);
    let [xr, xz, xn] = chunk(linear(x, wx, bx)); // each [batch, hidden]
    let [hr, hz, hn] = chunk(linear(h, wh, bh)); // each [batch, hidden]
    let r = sigmoid(xr + hr);
    (sigmoid(xz + hz), (xn + r * hn).tanh())
    // ANCHOR_END: after
}

/// Update gate and candidate, the reset gate acting on the state: each `[batch, hidden]`.
fn before(params: &Params, x: Tensor<2>, h: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [_, hidden] = h.dims();
    let [wx, wh, b] = params.get(["wx", "wh", "b"]);
    let [xr, xz, xn] = chunk(linear(x, wx, b)); // each [batch, hidden]
    let gates = linear_no_bias(h.clone(), wh.clone().narrow(0, 0, 2 * hidden)); // [batch, 2 hidden]
    let [hr, hz] = chunk(gates);
    let r = sigmoid(xr + hr);
    let hn = linear_no_bias(r * h, wh.narrow(0, 2 * hidden, hidden)); // [batch, hidden]
    (sigmoid(xz + hz), (xn + hn).tanh())
}
// ANCHOR_END: cell
