//! Cells with few gates: light GRU, update-gate network, `MinimalRNN`, STAR, and the additive and chaos-free ones.

use hatchery_plugin::{burn::tensor::activation::relu, prelude::*};

use crate::heads::blocks;

/// Light gated recurrent unit without batch normalization: `z = σ(W x + U h + b)`, `n = relu(W x + U h + b)`,
/// `h' = z h + (1 − z) n` (Ravanelli et al. 2018, arXiv 1803.10225, equations 6 to 8). The rows are z, n.
///
/// ```toml
/// [cell]
/// type = "li-gru"
/// hidden = 128
/// ```
#[plugin(cell = "li-gru", family = "gates")]
pub struct LiGru {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for LiGru {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(2), recurrent("wh", h).gates(2), bias("b", 2 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [z, n] = chunk(linear(x, wx, b) + linear_no_bias(h.clone(), wh)); // each [batch, hidden]
        let n = relu(n);
        let h = n.clone() + sigmoid(z) * (h - n); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// Update-gate recurrent network: `g = σ(W x + U h + b)`, `c = tanh(W x + U h + b)`, `h' = g h + (1 − g) c` (Collins et al.
/// 2016, arXiv 1611.09913, section 2.4). The rows are g, c.
///
/// ```toml
/// [cell]
/// type = "ugrnn"
/// hidden = 128
/// ```
#[plugin(cell = "ugrnn", family = "gates")]
pub struct Ugrnn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Ugrnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(2), recurrent("wh", h).gates(2), blocks("b", h, &[1.0, 0.0])]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [g, c] = chunk(linear(x, wx, b) + linear_no_bias(h.clone(), wh)); // each [batch, hidden]
        let c = c.tanh();
        let h = c.clone() + sigmoid(g) * (h - c); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// Intersection network: one gate between old and new state, another between input and output (Collins et al. 2016,
/// arXiv 1611.09913, section 2.4).
///
/// `h' = gn h + (1 − gn) tanh(W x + U h + b)`, output `gy x + (1 − gy) relu(W x + U h + b)`, both gates `σ(W x + U h + b)`. An
/// input whose width is not `hidden` is first multiplied by `wp`. The rows are output, candidate, gy, gn.
///
/// ```toml
/// [cell]
/// type = "intersection-rnn"
/// hidden = 128
/// ```
#[plugin(cell = "intersection-rnn", family = "gates")]
pub struct IntersectionRnn {
    /// Width of the hidden state and of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for IntersectionRnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let mut params =
            vec![weight("wx", [h, h]).gates(4), recurrent("wh", h).gates(4), blocks("b", h, &[0.0, 0.0, 1.0, 1.0])];
        if inputs != h {
            params.insert(0, weight("wp", [h, inputs]));
        }
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let x = params.find("wp").map_or(x.clone(), |wp| linear_no_bias(x, wp.clone())); // [batch, hidden]
        let [y, n, gy, gn] = chunk(linear(x.clone(), wx, b) + linear_no_bias(h.clone(), wh)); // each [batch, hidden]
        let (y, n) = (relu(y), n.tanh());
        let y = y.clone() + sigmoid(gy) * (x - y); // [batch, hidden]
        let h = n.clone() + sigmoid(gn) * (h - n); // [batch, hidden]
        (y, State::from([("h", h)]))
    }
}

/// Chaos-free network: `h' = f tanh(h) + i tanh(W x)` with gates `f, i = σ(W x + U h + b)`; without input its state decays
/// (Laurent and von Brecht 2016, arXiv 1612.06212, equations 1 to 3). The rows are f, i and, of `wx` alone, the candidate.
///
/// ```toml
/// [cell]
/// type = "cfn"
/// hidden = 128
/// ```
#[plugin(cell = "cfn", family = "gates")]
pub struct Cfn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Cfn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(3), recurrent("wh", h).gates(2), blocks("b", h, &[1.0, -1.0])]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [xf, xi, n] = chunk(linear_no_bias(x, wx)); // each [batch, hidden]
        let [hf, hi] = chunk(linear(h.clone(), wh, b)); // each [batch, hidden]
        let h = sigmoid(xf + hf) * h.tanh() + sigmoid(xi + hi) * n.tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// Recurrent additive network: `c' = i W x + f c`, `h' = tanh(c')` with gates `i, f = σ(W x + U h + b)` (Lee et al. 2017,
/// arXiv 1705.07393, equations 1 to 4). The rows of `wx` are the candidate, i, f.
///
/// ```toml
/// [cell]
/// type = "ran"
/// hidden = 128
/// ```
#[plugin(cell = "ran", family = "gates")]
pub struct Ran {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The function of the output.
    #[plugin(default)]
    pub activation: OutputActivation,
}

/// The function of an output.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum OutputActivation {
    /// Hyperbolic tangent.
    #[default]
    Tanh,
    /// The state itself.
    Identity,
}

impl Cell for Ran {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(3), recurrent("wh", h).gates(2), blocks("b", h, &[0.0, 1.0])]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let [h, c] = state.get(["h", "c"]);
        let [n, xi, xf] = chunk(linear_no_bias(x, wx)); // each [batch, hidden]
        let [hi, hf] = chunk(linear(h, wh, b)); // each [batch, hidden]
        let c = sigmoid(xi + hi) * n + sigmoid(xf + hf) * c; // [batch, hidden]
        let h = match self.activation {
            OutputActivation::Tanh => c.clone().tanh(),
            OutputActivation::Identity => c.clone(),
        };
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}

/// Addition-subtraction twin-gated network: `p = W x`, `q = U h`, `h' = σ(p + q) p + σ(p − q) h` (Zhang et al. 2018,
/// arXiv 1810.12546, equations 6 to 9).
///
/// ```toml
/// [cell]
/// type = "atr"
/// hidden = 128
/// ```
#[plugin(cell = "atr", family = "gates")]
pub struct Atr {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Atr {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [self.hidden, inputs]), recurrent("wh", self.hidden)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh] = params.get(["wx", "wh"]);
        let h = state.get("h"); // [batch, hidden]
        let (p, q) = (linear_no_bias(x, wx), linear_no_bias(h.clone(), wh)); // each [batch, hidden]
        let h = sigmoid(p.clone() + q.clone()) * p.clone() + sigmoid(p - q) * h; // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// Stackable recurrent cell: `z = tanh(W x + b)`, `k = σ(W x + U h + b)`, `h' = tanh((1 − k) h + k z)` (Turkoglu et al. 2019,
/// arXiv 1911.11033, equations 8 to 10). The rows are z, k.
///
/// ```toml
/// [cell]
/// type = "star"
/// hidden = 128
/// ```
#[plugin(cell = "star", family = "gates")]
pub struct Star {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Star {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(2), recurrent("wh", h), bias("b", 2 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [z, k] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let k = sigmoid(k + linear_no_bias(h.clone(), wh)); // [batch, hidden]
        let h = (h.clone() + k * (z.tanh() - h)).tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// `MinimalRNN`: `z = tanh(W x + b)`, `u = σ(U h + V z + b)`, `h' = u h + (1 − u) z` (Chen 2017, arXiv 1711.06788, equations 2 to
/// 4). The entries of `b` are those of z, then of u.
///
/// ```toml
/// [cell]
/// type = "minimal-rnn"
/// hidden = 128
/// ```
#[plugin(cell = "minimal-rnn", family = "gates")]
pub struct MinimalRnn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for MinimalRnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]), recurrent("wh", h), weight("wz", [h, h]), bias("b", 2 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, wz, b] = params.get(["wx", "wh", "wz", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [bz, bu] = chunk(b); // each [1, hidden]
        let z = linear(x, wx, bz).tanh(); // [batch, hidden]
        let u = sigmoid(linear_no_bias(h.clone(), wh) + linear(z.clone(), wz, bu)); // [batch, hidden]
        let h = z.clone() + u * (h - z); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}
