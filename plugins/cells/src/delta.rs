//! The delta rule: a matrix as memory whose entry for a key is replaced. With and without decay, and with momentum.

use hatchery_plugin::{burn::tensor::activation::silu, prelude::*};

use crate::heads::{all, columns, divide, flat, gated, matrices, rms, softplus, unit};

/// `S + β (v − S k) kᵀ`: `[batch, heads, own, own]`.
fn replaced(s: Tensor<4>, k: Tensor<4>, v: Tensor<4>, strength: Tensor<4>) -> Tensor<4> {
    let change = (v - s.clone().matmul(k.clone())) * strength; // [batch, heads, own, 1]
    s + change.matmul(k.swap_dims(2, 3))
}

/// The delta rule with a matrix for every head: `S' = S (I − β k kᵀ) + β v kᵀ`, with the output `RMS(S' q)` (Yang et al. 2024,
/// arXiv 2406.06484, section 3.3).
///
/// q, k and v pass `silu`, keys and queries have length one, and `β = beta-scale σ(W x + b)`. The rows of `wx` are q, k, v. The
/// convolutions before q, k and v are left out.
///
/// ```toml
/// [cell]
/// type = "delta-net"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "delta-net", family = "linear, matrix state")]
pub struct DeltaNet {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// The largest strength; 2 allows negative eigenvalues (Grazzi et al. 2024, arXiv 2411.12537).
    #[plugin(default = 1.0, above = 0.0, max = 2.0)]
    pub beta_scale: f64,
}

impl Cell for DeltaNet {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, heads) = (self.hidden, self.heads);
        vec![weight("wx", [h, inputs]).gates(3), weight("wg", [heads, inputs]), bias("bg", heads), all("gain", h, 1.0)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("s", self.hidden * self.hidden / self.heads)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wg, bg, gain] = params.get(["wx", "wg", "bg", "gain"]);
        let (heads, own) = (self.heads, self.hidden / self.heads);
        let parts: [Tensor<2>; 3] = chunk(linear_no_bias(x.clone(), wx)); // each [batch, hidden]
        let [q, k, v] = parts.map(|part| columns(silu(part), heads)); // each [batch, heads, own, 1]
        let strength = columns(sigmoid(linear(x, wg, bg)) * self.beta_scale, heads); // [batch, heads, 1, 1]
        let s = replaced(matrices(state.get("s"), heads, own), unit(k), v, strength);
        let y = flat(rms(s.clone().matmul(unit(q)))) * gain; // [batch, hidden]
        (y, State::from([("s", flat(s))]))
    }
}

/// The gated delta rule with a matrix for every head: `S' = α S (I − β k kᵀ) + β v kᵀ`, with the output `RMS(S' q) ⊙ silu(g)`
/// (Yang et al. 2024, arXiv 2412.06464, equation 10).
///
/// The decay of a head is `α = exp(−exp(a) softplus(d))`, the strength `β = beta-scale σ(s)`. q, k and v pass `silu`, keys and
/// queries have length one. The rows of `wx` are q, k, v and g, those of `wg` d and s of all heads. The convolutions before q, k
/// and v are left out.
///
/// ```toml
/// [cell]
/// type = "gated-delta-net"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "gated-delta-net", family = "linear, matrix state")]
pub struct GatedDeltaNet {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// The largest strength; 2 allows negative eigenvalues (Grazzi et al. 2024, arXiv 2411.12537).
    #[plugin(default = 1.0, above = 0.0, max = 2.0)]
    pub beta_scale: f64,
}

impl Cell for GatedDeltaNet {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, heads) = (self.hidden, self.heads);
        vec![
            weight("wx", [h, inputs]).gates(4),
            weight("wg", [heads, inputs]).gates(2),
            bias("bg", 2 * heads),
            bias("a", heads),
            all("gain", h, 1.0),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("s", self.hidden * self.hidden / self.heads)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wg, bg, a, gain] = params.get(["wx", "wg", "bg", "a", "gain"]);
        let (heads, own) = (self.heads, self.hidden / self.heads);
        let [q, k, v, g] = chunk(linear_no_bias(x.clone(), wx)); // each [batch, hidden]
        let [q, k, v] = [q, k, v].map(|part| columns(silu(part), heads)); // each [batch, heads, own, 1]
        let [d, b] = chunk(linear(x, wg, bg)); // each [batch, heads]
        let decay = columns((softplus(d) * a.exp()).neg().exp(), heads); // [batch, heads, 1, 1]
        let strength = columns(sigmoid(b) * self.beta_scale, heads); // [batch, heads, 1, 1]
        let s = replaced(matrices(state.get("s"), heads, own) * decay, unit(k), v, strength);
        let y = gated(s.clone().matmul(unit(q)), gain, g); // [batch, hidden]
        (y, State::from([("s", flat(s))]))
    }
}

/// The linear memory of Titans: one step of gradient descent with momentum and weight decay on `½ |M k − v|²` at each time
/// step, `Z' = η Z − θ (M k − v) kᵀ`, `M' = (1 − α) M + Z'`, with the output `RMS(M' q) ⊙ silu(g)` (Behrouz et al. 2024,
/// arXiv 2501.00663, equations 11 to 14).
///
/// `α, η, θ = σ(W x + b)` for each head. q, k and v pass `silu`, keys and queries have length one. The rows of `wx` are q, k, v
/// and g, those of `wg` α, η and θ of all heads.
///
/// ```toml
/// [cell]
/// type = "titans-linear"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "titans-linear", family = "linear, matrix state")]
pub struct TitansLinear {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
}

impl Cell for TitansLinear {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, heads) = (self.hidden, self.heads);
        vec![
            weight("wx", [h, inputs]).gates(4),
            weight("wg", [heads, inputs]).gates(3),
            bias("bg", 3 * heads),
            all("gain", h, 1.0),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["s", "z"].map(|name| zeros(name, self.hidden * self.hidden / self.heads)).into()
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wg, bg, gain] = params.get(["wx", "wg", "bg", "gain"]);
        let (heads, own) = (self.heads, self.hidden / self.heads);
        let [m, z] = state.get(["s", "z"]).map(|matrix| matrices(matrix, heads, own));
        let [q, k, v, g] = chunk(linear_no_bias(x.clone(), wx)); // each [batch, hidden]
        let [q, k, v] = [q, k, v].map(|part| columns(silu(part), heads)); // each [batch, heads, own, 1]
        let gates: [Tensor<2>; 3] = chunk(sigmoid(linear(x, wg, bg))); // each [batch, heads]
        let [decay, momentum, rate] = gates.map(|gate| columns(gate, heads)); // each [batch, heads, 1, 1]
        let k = unit(k);
        let slope = (m.clone().matmul(k.clone()) - v) * rate; // [batch, heads, own, 1]
        let z = z * momentum - slope.matmul(k.swap_dims(2, 3)); // [batch, heads, own, own]
        let m = m * (decay.neg() + 1.0) + z.clone(); // [batch, heads, own, own]
        let y = gated(m.clone().matmul(unit(q)), gain, g); // [batch, hidden]
        (y, State::from([("s", flat(m)), ("z", flat(z))]))
    }
}
