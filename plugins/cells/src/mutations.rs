//! The three cells that a search over 10,000 architectures found.

use hatchery_plugin::prelude::*;

/// Gate and candidate of a search's results: `h' = z n + (1 − z) h`.
fn next(z: Tensor<2>, n: Tensor<2>, h: Tensor<2>) -> (Tensor<2>, State) {
    let h = h.clone() + z * (n - h); // [batch, hidden]
    (h.clone(), State::from([("h", h)]))
}

fn params(h: usize, inputs: usize, recurrent_gates: usize) -> Vec<ParamSpec> {
    vec![weight("wx", [h, inputs]).gates(3), recurrent("wh", h).gates(recurrent_gates), bias("b", 3 * h)]
}

/// First cell of a search (Jozefowicz et al. 2015, section 4.2): `z = σ(W x + b)`, `r = σ(W x + U h + b)`,
/// `n = tanh(U (r h) + tanh(W x) + b)`, `h' = z n + (1 − z) h`. The rows of `wx` are z, r, n, those of `wh` r, n.
///
/// Where the paper adds x itself there is a matrix, because inputs and state differ in width.
///
/// ```toml
/// [cell]
/// type = "mut1"
/// hidden = 128
/// ```
#[plugin(cell = "mut1", family = "gates")]
pub struct Mut1 {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Mut1 {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        params(self.hidden, inputs, 2)
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let (h, own) = (state.get("h"), self.hidden); // [batch, hidden]
        let [xz, xr, xn] = chunk(linear_no_bias(x, wx)); // each [batch, hidden]
        let [bz, br, bn] = chunk(b); // each [1, hidden]
        let r = sigmoid(xr + br + linear_no_bias(h.clone(), wh.clone().narrow(0, 0, own)));
        let n = linear_no_bias(r * h.clone(), wh.narrow(0, own, own)) + xn.tanh() + bn; // [batch, hidden]
        next(sigmoid(xz + bz), n.tanh(), h)
    }
}

/// Second and third cell: what the update gate reads of the state is `of`.
fn second(params: &Params, x: Tensor<2>, h: Tensor<2>, of: impl FnOnce(Tensor<2>) -> Tensor<2>) -> (Tensor<2>, State) {
    let [wx, wh, b] = params.get(["wx", "wh", "b"]);
    let own = h.dims()[1];
    let [xz, xr, xn] = chunk(linear(x, wx, b)); // each [batch, hidden]
    let [hz, hr, hn] = [0, 1, 2].map(|gate| wh.clone().narrow(0, gate * own, own)); // each [hidden, hidden]
    let z = sigmoid(xz + linear_no_bias(of(h.clone()), hz)); // [batch, hidden]
    let r = sigmoid(xr + linear_no_bias(h.clone(), hr)); // [batch, hidden]
    let n = (xn + linear_no_bias(r * h.clone(), hn)).tanh(); // [batch, hidden]
    next(z, n, h)
}

/// Second cell of a search (Jozefowicz et al. 2015, section 4.2): `z = σ(W x + U h + b)`, `r = σ(W x + U h + b)`,
/// `n = tanh(U (r h) + W x + b)`, `h' = z n + (1 − z) h`. The rows are z, r, n.
///
/// Where the paper adds x itself there is a matrix, because inputs and state differ in width. With that it is a `gru` with
/// `reset = "before"` and z in place of `1 − z`.
///
/// ```toml
/// [cell]
/// type = "mut2"
/// hidden = 128
/// ```
#[plugin(cell = "mut2", family = "gates")]
pub struct Mut2 {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Mut2 {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        params(self.hidden, inputs, 3)
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        second(params, x, state.get("h"), |h| h)
    }
}

/// Third cell of a search (Jozefowicz et al. 2015, section 4.2): `z = σ(W x + U tanh(h) + b)`, `r = σ(W x + U h + b)`,
/// `n = tanh(U (r h) + W x + b)`, `h' = z n + (1 − z) h`. The rows are z, r, n.
///
/// ```toml
/// [cell]
/// type = "mut3"
/// hidden = 128
/// ```
#[plugin(cell = "mut3", family = "gates")]
pub struct Mut3 {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Mut3 {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        params(self.hidden, inputs, 3)
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        second(params, x, state.get("h"), Tensor::tanh)
    }
}
