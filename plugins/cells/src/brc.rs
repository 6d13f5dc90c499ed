//! Bistable recurrent cells, which keep what they have learned by a feedback above one.

use hatchery_plugin::prelude::*;

/// `h' = c h + (1 − c) tanh(n + a h)` from the sums of a and c: `[batch, hidden]`.
fn next(a: Tensor<2>, c: Tensor<2>, n: Tensor<2>, h: Tensor<2>) -> (Tensor<2>, State) {
    let n = (n + (a.tanh() + 1.0) * h.clone()).tanh(); // [batch, hidden]
    let h = n.clone() + sigmoid(c) * (h - n); // [batch, hidden]
    (h.clone(), State::from([("h", h)]))
}

/// Bistable recurrent cell: `a = 1 + tanh(W x + wa h)`, `c = σ(W x + wc h)`, `h' = c h + (1 − c) tanh(W x + a h)`; no unit sees
/// another (Vecoven et al. 2020, arXiv 2006.05252, equations 9 to 11). The rows are a, c, candidate.
///
/// ```toml
/// [cell]
/// type = "brc"
/// hidden = 128
/// ```
#[plugin(cell = "brc", family = "gates")]
pub struct Brc {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Brc {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let own = |name| ParamSpec::new(name, [1, h], Initializer::Uniform { limit: 1.0 });
        vec![weight("wx", [h, inputs]).gates(3), own("wa"), own("wc")]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wa, wc] = params.get(["wx", "wa", "wc"]);
        let h = state.get("h"); // [batch, hidden]
        let [a, c, n] = chunk(linear_no_bias(x, wx)); // each [batch, hidden]
        next(a + wa * h.clone(), c + wc * h.clone(), n, h)
    }
}

/// Recurrently neuromodulated bistable cell: as `brc`, with matrices in place of `wa` and `wc` (Vecoven et al. 2020,
/// arXiv 2006.05252, equations 12 and 13). The rows of `wx` are a, c, candidate, those of `wh` a, c.
///
/// ```toml
/// [cell]
/// type = "nbrc"
/// hidden = 128
/// ```
#[plugin(cell = "nbrc", family = "gates")]
pub struct Nbrc {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Nbrc {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [self.hidden, inputs]).gates(3), recurrent("wh", self.hidden).gates(2)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh] = params.get(["wx", "wh"]);
        let h = state.get("h"); // [batch, hidden]
        let [xa, xc, n] = chunk(linear_no_bias(x, wx)); // each [batch, hidden]
        let [ha, hc] = chunk(linear_no_bias(h.clone(), wh)); // each [batch, hidden]
        next(xa + ha, xc + hc, n, h)
    }
}
