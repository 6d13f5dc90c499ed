//! Cells whose units see themselves alone: one recurrent weight a unit in place of a matrix.

use hatchery_plugin::{burn::tensor::activation::relu, prelude::*};

use crate::lstm::{forgetting, lstm};

/// The function of a sum.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum UnitActivation {
    /// `max(0, x)`.
    #[default]
    Relu,
    /// Hyperbolic tangent.
    Tanh,
}

/// One recurrent weight for each unit: `[1, width]`.
fn own(width: usize) -> ParamSpec {
    ParamSpec::new("u", [1, width], Initializer::Uniform { limit: 1.0 })
}

/// Independently recurrent network: `h' = relu(W x + u ⊙ h + b)` (Li et al. 2018, arXiv 1803.04831, equation 2).
///
/// ```toml
/// [cell]
/// type = "ind-rnn"
/// hidden = 128
/// ```
#[plugin(cell = "ind-rnn", family = "independent units")]
pub struct IndRnn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The function of the sum.
    #[plugin(default)]
    pub activation: UnitActivation,
}

impl Cell for IndRnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [self.hidden, inputs]), own(self.hidden), bias("b", self.hidden)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, u, b] = params.get(["wx", "u", "b"]);
        let sum = linear(x, wx, b) + u * state.get("h"); // [batch, hidden]
        let h = match self.activation {
            UnitActivation::Relu => relu(sum),
            UnitActivation::Tanh => sum.tanh(),
        };
        (h.clone(), State::from([("h", h)]))
    }
}

/// LSTM with independent units: all its sums are `W x + u ⊙ h + b` (Gonnet and Deselaers 2019, arXiv 1903.08023). The rows are
/// i, f, g, o.
///
/// ```toml
/// [cell]
/// type = "indy-lstm"
/// hidden = 128
/// ```
#[plugin(cell = "indy-lstm", family = "independent units")]
pub struct IndyLstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for IndyLstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(4), own(4 * h), forgetting("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, u, b] = params.get(["wx", "u", "b"]);
        let of_all = Tensor::cat(vec![state.get("h"); 4], 1); // [batch, 4 hidden]
        let (h, c) = lstm(linear(x, wx, b) + u * of_all, state.get("c")); // each [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}

/// Gated recurrent unit with independent units: `r, z = σ(W x + u ⊙ h + b)`, `n = tanh(W x + u ⊙ (r h) + b)`,
/// `h' = (1 − z) n + z h` (Gonnet and Deselaers 2019, arXiv 1903.08023). The rows are r, z, n.
///
/// ```toml
/// [cell]
/// type = "indy-gru"
/// hidden = 128
/// ```
#[plugin(cell = "indy-gru", family = "independent units")]
pub struct IndyGru {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for IndyGru {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(3), own(3 * h), bias("b", 3 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, u, b] = params.get(["wx", "u", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [xr, xz, xn] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let [ur, uz, un] = chunk(u); // each [1, hidden]
        let (r, z) = (sigmoid(xr + ur * h.clone()), sigmoid(xz + uz * h.clone())); // each [batch, hidden]
        let n = (xn + un * (r * h.clone())).tanh(); // [batch, hidden]
        let h = n.clone() + z * (h - n); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// Simple recurrent unit, version 2: `f, r = σ(W x + v ⊙ c + b)`, `c' = f c + (1 − f) W x`, output `r c' + (1 − r) α x` (Lei et
/// al. 2017, arXiv 1709.02755, equations 3 to 6).
///
/// An input whose width is not `hidden` is multiplied by `wp` in the output. The rows are candidate, f, r.
///
/// ```toml
/// [cell]
/// type = "sru"
/// hidden = 128
/// ```
#[plugin(cell = "sru", family = "independent units")]
pub struct Sru {
    /// Width of the state and of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The factor of the input in the output, α.
    #[plugin(default = 1.0)]
    pub scale: f64,
}

impl Cell for Sru {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let v = ParamSpec::new("v", [1, 2 * h], Initializer::Uniform { limit: 1.0 });
        let mut params = vec![weight("wx", [h, inputs]).gates(3), v, bias("b", 2 * h)];
        if inputs != h {
            params.push(weight("wp", [h, inputs]));
        }
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, v, b] = params.get(["wx", "v", "b"]);
        let c = state.get("c"); // [batch, hidden]
        let [n, f, r] = chunk(linear_no_bias(x.clone(), wx)); // each [batch, hidden]
        let ([vf, vr], [bf, br]) = (chunk(v), chunk(b)); // each [1, hidden]
        let f = sigmoid(f + vf * c.clone() + bf); // [batch, hidden]
        let r = sigmoid(r + vr * c.clone() + br); // [batch, hidden]
        let c = n.clone() + f * (c - n); // [batch, hidden]
        let x = params.find("wp").map_or(x.clone(), |wp| linear_no_bias(x, wp.clone())) * self.scale;
        (x.clone() + r * (c.clone() - x), State::from([("c", c)]))
    }
}

/// Which gates a quasi-recurrent network has.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum Pooling {
    /// A forget gate and an output gate.
    #[default]
    Fo,
    /// A forget gate.
    F,
    /// A forget gate, an output gate and an input gate.
    Ifo,
}

/// Quasi-recurrent network: candidate and gates are a convolution over the last inputs, `z = tanh(W x + V x₋₁ + b)` and
/// `f, o, i = σ(W x + V x₋₁ + b)`; the recurrence is `c' = f c + (1 − f) z`, the output `o c'` (Bradbury et al. 2016,
/// arXiv 1611.01576, equations 1 to 6).
///
/// With `pooling = "f"` the output is c', with `"ifo"` `c' = f c + i z`. The rows are z, f, o, i.
///
/// ```toml
/// [cell]
/// type = "qrnn"
/// hidden = 128
/// ```
#[plugin(cell = "qrnn", family = "linear, vector state")]
pub struct Qrnn {
    /// Width of the state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The gates.
    #[plugin(default)]
    pub pooling: Pooling,
    /// Inputs that the convolution sees, 1 or 2.
    #[plugin(default = 2, min = 1, max = 2)]
    pub window: usize,
}

impl Cell for Qrnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let gates = match self.pooling {
            Pooling::F => 2,
            Pooling::Fo => 3,
            Pooling::Ifo => 4,
        };
        let mut params = vec![weight("wx", [h, inputs]).gates(gates)];
        if self.window == 2 {
            params.push(weight("wp", [h, inputs]).gates(gates));
        }
        params.push(bias("b", gates * h));
        params
    }

    fn state(&self, inputs: usize) -> Vec<StateSpec> {
        let mut state = vec![zeros("c", self.hidden)];
        if self.window == 2 {
            state.push(zeros("x", inputs));
        }
        state
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, b] = params.get(["wx", "b"]);
        let c = state.get("c"); // [batch, hidden]
        let mut sums = linear(x.clone(), wx, b); // [batch, gates × hidden]
        if self.window == 2 {
            sums = sums + linear_no_bias(state.get("x"), params.get("wp"));
        }
        let part = |gate: usize| sums.clone().narrow(1, gate * self.hidden, self.hidden); // [batch, hidden]
        let (z, f) = (part(0).tanh(), sigmoid(part(1)));
        let c = match self.pooling {
            Pooling::F | Pooling::Fo => z.clone() + f * (c - z),
            Pooling::Ifo => f * c + sigmoid(part(3)) * z,
        };
        let h = match self.pooling {
            Pooling::F => c.clone(),
            Pooling::Fo | Pooling::Ifo => sigmoid(part(2)) * c.clone(),
        };
        let mut next = State::from([("c", c)]);
        if self.window == 2 {
            next.push("x", x);
        }
        (h, next)
    }
}
