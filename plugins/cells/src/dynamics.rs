//! Cells that are steps of a differential equation: antisymmetric, coupled oscillators, long expressive memory, and networks with
//! momentum.

use hatchery_plugin::prelude::*;

use crate::heads::constant;

/// `W − Wᵀ − γ I`: `[hidden, hidden]`.
fn antisymmetric(params: Params, diffusion: f64) -> Params {
    params.map(|name, matrix| {
        if name != "w" {
            return matrix;
        }
        let identity = constant(matrix.dims(), &matrix, |row, column| if row == column { diffusion } else { 0.0 });
        matrix.clone() - matrix.transpose() - identity
    })
}

/// Antisymmetric network: `h' = h + ε tanh((W − Wᵀ − γ I) h + V x + b)`, one step of a stable differential equation (Chang et
/// al. 2019, arXiv 1902.09689, equation 9).
///
/// ```toml
/// [cell]
/// type = "antisymmetric"
/// hidden = 128
/// ```
#[plugin(cell = "antisymmetric", family = "dynamical systems")]
pub struct Antisymmetric {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Length of a step, ε.
    #[plugin(default = 0.1, above = 0.0)]
    pub step_size: f64,
    /// What is taken off the diagonal, γ.
    #[plugin(default = 0.1)]
    pub diffusion: f64,
}

impl Cell for Antisymmetric {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("w", [h, h]), weight("wx", [h, inputs]), bias("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn derive(&self, params: Params) -> Params {
        antisymmetric(params, self.diffusion)
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [w, wx, b] = params.get(["w", "wx", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let change = (linear_no_bias(h.clone(), w) + linear(x, wx, b)).tanh(); // [batch, hidden]
        let h = h + change * self.step_size;
        (h.clone(), State::from([("h", h)]))
    }
}

/// Antisymmetric network with a gate: `h' = h + ε σ(M h + V x + b) tanh(M h + V x + b)` with `M = W − Wᵀ − γ I` (Chang et al.
/// 2019, arXiv 1902.09689, equations 11 and 12). The rows of `wx` are gate, candidate.
///
/// ```toml
/// [cell]
/// type = "gated-antisymmetric"
/// hidden = 128
/// ```
#[plugin(cell = "gated-antisymmetric", family = "dynamical systems")]
pub struct GatedAntisymmetric {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Length of a step, ε.
    #[plugin(default = 0.1, above = 0.0)]
    pub step_size: f64,
    /// What is taken off the diagonal, γ.
    #[plugin(default = 0.1)]
    pub diffusion: f64,
}

impl Cell for GatedAntisymmetric {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("w", [h, h]), weight("wx", [h, inputs]).gates(2), bias("b", 2 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn derive(&self, params: Params) -> Params {
        antisymmetric(params, self.diffusion)
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [w, wx, b] = params.get(["w", "wx", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let seen = linear_no_bias(h.clone(), w); // [batch, hidden]
        let [z, n] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let h = h + sigmoid(z + seen.clone()) * (n + seen).tanh() * self.step_size; // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// Coupled oscillators: `z' = z + Δt (tanh(Wy y + Wz z + V x + b) − γ y − ε z)`, `y' = y + Δt z'` (Rusch and Mishra 2020,
/// arXiv 2010.00951, equations 3 and 4, in the explicit form). The output is y'.
///
/// ```toml
/// [cell]
/// type = "co-rnn"
/// hidden = 128
/// ```
#[plugin(cell = "co-rnn", family = "dynamical systems")]
pub struct CoRnn {
    /// Width of the state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Length of a step, Δt.
    #[plugin(default = 0.042, above = 0.0)]
    pub step_size: f64,
    /// Stiffness of the oscillators, γ.
    #[plugin(default = 2.7)]
    pub gamma: f64,
    /// Damping of the oscillators, ε.
    #[plugin(default = 4.7)]
    pub epsilon: f64,
}

impl Cell for CoRnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]), recurrent("wy", h), recurrent("wz", h), bias("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["y", "z"].map(|name| zeros(name, self.hidden)).into()
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wy, wz, b] = params.get(["wx", "wy", "wz", "b"]);
        let [y, z] = state.get(["y", "z"]);
        let force = (linear(x, wx, b) + linear_no_bias(y.clone(), wy) + linear_no_bias(z.clone(), wz)).tanh();
        let z = z.clone() + (force - y.clone() * self.gamma - z * self.epsilon) * self.step_size; // [batch, hidden]
        let y = y + z.clone() * self.step_size; // [batch, hidden]
        (y.clone(), State::from([("y", y), ("z", z)]))
    }
}

/// Undamped independent oscillators: `z' = z − Δt σ(c) (tanh(w ⊙ y + V x + b) + α y)`, `y' = y + Δt σ(c) z'` (Rusch and Mishra
/// 2021, arXiv 2103.05487, equations 3 and 4). The output is y'.
///
/// ```toml
/// [cell]
/// type = "unicornn"
/// hidden = 128
/// ```
#[plugin(cell = "unicornn", family = "dynamical systems")]
pub struct Unicornn {
    /// Width of the state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Length of a step, Δt.
    #[plugin(default = 0.1, above = 0.0)]
    pub step_size: f64,
    /// Stiffness of the oscillators, α.
    #[plugin(default = 1.0)]
    pub alpha: f64,
}

impl Cell for Unicornn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let unit = |name, limit| ParamSpec::new(name, [1, h], Initializer::Uniform { limit });
        vec![weight("wx", [h, inputs]), unit("w", 1.0), unit("c", 0.1), bias("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["y", "z"].map(|name| zeros(name, self.hidden)).into()
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, w, c, b] = params.get(["wx", "w", "c", "b"]);
        let [y, z] = state.get(["y", "z"]);
        let step = sigmoid(c) * self.step_size; // [1, hidden]
        let force = (w * y.clone() + linear(x, wx, b)).tanh() + y.clone() * self.alpha; // [batch, hidden]
        let z = z - step.clone() * force; // [batch, hidden]
        let y = y + step * z.clone(); // [batch, hidden]
        (y.clone(), State::from([("y", y), ("z", z)]))
    }
}

/// Long expressive memory: two states that change at learned rates, `z' = (1 − a) z + a tanh(W y + V x + b)` and
/// `y' = (1 − d) y + d tanh(W z' + V x + b)` with `a, d = Δt σ(W y + V x + b)` (Rusch et al. 2021, arXiv 2110.04744, equation 3).
///
/// The output is y'. The rows of `wx` and `b` are a, d, z, y, those of `wh` a, d, z; `wz` belongs to y.
///
/// ```toml
/// [cell]
/// type = "lem"
/// hidden = 128
/// ```
#[plugin(cell = "lem", family = "dynamical systems")]
pub struct Lem {
    /// Width of the state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The longest step, Δt.
    #[plugin(default = 1.0, above = 0.0)]
    pub step_size: f64,
}

impl Cell for Lem {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]).gates(4), recurrent("wh", h).gates(3), recurrent("wz", h), bias("b", 4 * h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["y", "z"].map(|name| zeros(name, self.hidden)).into()
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, wz, b] = params.get(["wx", "wh", "wz", "b"]);
        let [y, z] = state.get(["y", "z"]);
        let [xa, xd, xz, xy] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let [ya, yd, yz] = chunk(linear_no_bias(y.clone(), wh)); // each [batch, hidden]
        let (a, d) = (sigmoid(xa + ya) * self.step_size, sigmoid(xd + yd) * self.step_size); // each [batch, hidden]
        let z = z.clone() + a * ((xz + yz).tanh() - z); // [batch, hidden]
        let y = y.clone() + d * ((xy + linear_no_bias(z.clone(), wz)).tanh() - y); // [batch, hidden]
        (y.clone(), State::from([("y", y), ("z", z)]))
    }
}

/// Momentum in a simple network: `v' = μ v + s W x`, `h' = tanh(U h + v' + b)` (Nguyen et al. 2020, arXiv 2006.06919,
/// equation 6).
///
/// ```toml
/// [cell]
/// type = "momentum-rnn"
/// hidden = 128
/// ```
#[plugin(cell = "momentum-rnn", family = "dynamical systems")]
pub struct MomentumRnn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// How much of the velocity is kept, μ.
    #[plugin(default = 0.6)]
    pub momentum: f64,
    /// Length of a step, s.
    #[plugin(default = 0.6)]
    pub step_size: f64,
}

impl Cell for MomentumRnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]), recurrent("wh", h), bias("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["h", "v"].map(|name| zeros(name, self.hidden)).into()
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let [h, v] = state.get(["h", "v"]);
        let v = v * self.momentum + linear_no_bias(x, wx) * self.step_size; // [batch, hidden]
        let h = (linear(h, wh, b) + v.clone()).tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h), ("v", v)]))
    }
}
