//! A small LSTM that scales the rows of a large one at every step.

use hatchery_plugin::prelude::*;

use crate::{
    heads::{all, blocks, standardized},
    lstm::{forgetting, lstm},
};

/// LSTM with weights from another: a small LSTM reads input and state, and what it puts out scales each row of the matrices of
/// a large one (Ha et al. 2016, arXiv 1609.09106, appendix A.2).
///
/// Every sum of the large LSTM is `(D zh) ⊙ (U h) + (D zx) ⊙ (W x) + D zb + b`, where zh, zx and zb are products of the small
/// output, with `embedding` entries for each gate. The rows are i, f, g, o. With `layer-norm` each sum is normalized over its
/// units, and c' for the output.
///
/// ```toml
/// [cell]
/// type = "hyper-lstm"
/// hidden = 128
/// ```
#[plugin(cell = "hyper-lstm", family = "products of input and state")]
pub struct HyperLstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Width of the small LSTM.
    #[plugin(default = 32, min = 1)]
    pub hyper_hidden: usize,
    /// Entries for each gate from which its rows are scaled.
    #[plugin(default = 4, min = 1)]
    pub embedding: usize,
    /// Normalize the sums and the cell state.
    #[plugin(default)]
    pub layer_norm: bool,
}

impl Cell for HyperLstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, k, e) = (self.hidden, self.hyper_hidden, self.embedding);
        let small = |name| ParamSpec::new(name, [4 * e, k], Initializer::Normal { std: 0.01 });
        // At first every row is scaled by 0.1, and no bias is added.
        let scale = |name| ParamSpec::new(name, [4 * h, e], Initializer::Constant { value: 0.1 / e as f64 });
        let mut params = vec![
            weight("hx", [k, inputs]).gates(4),
            weight("hm", [k, h]).gates(4),
            recurrent("hh", k).gates(4),
            forgetting("hb", k),
            small("zh"),
            blocks("bzh", 4 * e, &[1.0]),
            small("zx"),
            blocks("bzx", 4 * e, &[1.0]),
            small("zb"),
            scale("dh"),
            scale("dx"),
            ParamSpec::new("db", [4 * h, e], Initializer::Normal { std: 0.01 }),
            weight("wx", [h, inputs]).gates(4),
            recurrent("wh", h).gates(4),
            forgetting("b", h),
        ];
        if self.layer_norm {
            params.extend([all("gain", 4 * h, 1.0), bias("shift", 4 * h), all("gc", h, 1.0), bias("bc", h)]);
        }
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        let k = self.hyper_hidden;
        vec![zeros("h", self.hidden), zeros("c", self.hidden), zeros("hh", k), zeros("hc", k)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [h, c, small_h, small_c] = state.get(["h", "c", "hh", "hc"]);
        let [hx, hm, hh, hb] = params.get(["hx", "hm", "hh", "hb"]);
        let sums = linear(x.clone(), hx, hb) + linear_no_bias(h.clone(), hm) + linear_no_bias(small_h, hh);
        let (small_h, small_c) = lstm(sums, small_c); // each [batch, hyper-hidden]
        let [zh, bzh, zx, bzx, zb] = params.get(["zh", "bzh", "zx", "bzx", "zb"]);
        let zh = self.expanded(linear(small_h.clone(), zh, bzh), params.get("dh")); // [batch, 4 hidden]
        let zx = self.expanded(linear(small_h.clone(), zx, bzx), params.get("dx")); // [batch, 4 hidden]
        let zb = self.expanded(linear_no_bias(small_h.clone(), zb), params.get("db")); // [batch, 4 hidden]
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let sums = zh * linear_no_bias(h, wh) + zx * linear_no_bias(x, wx) + zb + b; // [batch, 4 hidden]
        let (h, c) = if self.layer_norm { normalized(params, sums, c) } else { lstm(sums, c) };
        (h.clone(), State::from([("h", h), ("c", c), ("hh", small_h), ("hc", small_c)]))
    }
}

impl HyperLstm {
    /// The entries of each gate times the gate's rows of a matrix: `[batch, 4 hidden]`.
    fn expanded(&self, z: Tensor<2>, matrix: Tensor<2>) -> Tensor<2> {
        let (h, e) = (self.hidden, self.embedding);
        let of = |gate: usize| {
            linear_no_bias(z.clone().narrow(1, gate * e, e), matrix.clone().narrow(0, gate * h, h)) // [batch, hidden]
        };
        Tensor::cat((0..4).map(of).collect(), 1)
    }
}

/// The LSTM with normalized sums and a normalized cell state.
fn normalized(params: &Params, sums: Tensor<2>, c: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [gain, shift, gc, bc] = params.get(["gain", "shift", "gc", "bc"]);
    let parts: [Tensor<2>; 4] = chunk(sums); // each [batch, hidden]
    let sums = Tensor::cat(parts.map(standardized).into(), 1) * gain + shift; // [batch, 4 hidden]
    let [i, f, g, o] = chunk(sums); // each [batch, hidden]
    let c = sigmoid(f) * c + sigmoid(i) * g.tanh(); // [batch, hidden]
    (sigmoid(o) * (standardized(c.clone()) * gc + bc).tanh(), c)
}
