//! RWKV: a weighted mean over the past (version 4), and a matrix that replaces what it stores (version 7).

use hatchery_plugin::prelude::*;

use crate::heads::{all, columns, divide, filled, flat, matrices, rows, unit};

/// Time mixing of RWKV-4: the mean of all values so far, weighted by `exp(k)`, with a decay for each unit and an extra weight
/// for the newest (Peng et al. 2023, arXiv 2305.13048, equations 11 to 16).
///
/// `out = σ(r) (a + exp(u + k) v) / (b + exp(u + k))`, `a' = exp(−exp(w)) a + exp(k) v`, `b'` the same with 1 for v. The inputs of
/// r, k and v are means of the last two inputs, with weights `mr`, `mk` and `mv`. What is stored of a and b is divided by the
/// exponential of the largest exponent so far. The rows are r, k, v.
///
/// ```toml
/// [cell]
/// type = "rwkv4"
/// hidden = 128
/// ```
#[plugin(cell = "rwkv4", family = "linear, vector state")]
pub struct Rwkv4 {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for Rwkv4 {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let decay = |at: usize| -5.0 + 8.0 * at as f64 / (h as f64 - 1.0).max(1.0);
        let mut params: Vec<_> = ["mr", "mk", "mv"].map(|name| all(name, inputs, 0.5)).into();
        params.push(weight("wx", [h, inputs]).gates(3));
        params.push(filled("w", [1, h], |_, at| decay(at)));
        params.push(all("u", h, 0.3_f64.ln()));
        params
    }

    fn state(&self, inputs: usize) -> Vec<StateSpec> {
        let h = self.hidden;
        vec![zeros("x", inputs), zeros("num", h), zeros("den", h), zeros("max", h)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, w, u] = params.get(["wx", "w", "u"]);
        let [before, num, den, max] = state.get(["x", "num", "den", "max"]);
        let mut part = 0;
        let [r, k, v] = params.get(["mr", "mk", "mv"]).map(|mix| {
            let own = wx.clone().narrow(0, part * self.hidden, self.hidden); // [hidden, inputs]
            part += 1;
            linear_no_bias(before.clone() + mix * (x.clone() - before.clone()), own) // [batch, hidden]
        });
        let now = k.clone() + u; // [batch, hidden]
        let most = max.clone().max_pair(now.clone());
        let (old, new) = ((max.clone() - most.clone()).exp(), (now - most).exp());
        let read = (old.clone() * num.clone() + new.clone() * v.clone()) / (old * den.clone() + new);
        let decayed = max - w.exp(); // [batch, hidden]
        let max = decayed.clone().max_pair(k.clone());
        let (old, new) = ((decayed - max.clone()).exp(), (k - max.clone()).exp());
        let num = old.clone() * num + new.clone() * v; // [batch, hidden]
        let den = old * den + new; // [batch, hidden]
        (sigmoid(r) * read, State::from([("x", x), ("num", num), ("den", den), ("max", max)]))
    }
}

/// Time mixing of RWKV-7: `S' = S diag(w) − (S κ) (a κ)ᵀ + v kᵀ`, a generalized delta rule with a decay and a strength for each
/// column, and the output `(LN(S' r) + (Σ r ρ k) v) ⊙ g` (Peng et al. 2025, arXiv 2503.14456, section 4.1).
///
/// The inputs of r, w, k, v, a and g are means of the last two inputs, with the weights in the rows of `mix`. w, a and g are
/// products of small matrices of `rank`: `w = exp(−exp(−½) σ(w0 + W2 tanh(W1 x)))`, `a = σ(a0 + A2 A1 x)`, `g = G2 σ(G1 x)`. κ is
/// `k ⊙ kk` with length one for each head, and k is multiplied by `1 + (a − 1) ka` thereafter. The rows of `wx` are r, k, v.
///
/// ```toml
/// [cell]
/// type = "rwkv7"
/// hidden = 128
/// heads = 4
/// ```
#[plugin(cell = "rwkv7", family = "linear, matrix state")]
pub struct Rwkv7 {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of matrices, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1)]
    pub heads: usize,
    /// Rank of the matrices of w, a and g.
    #[plugin(default = 16, min = 1)]
    pub rank: usize,
}

impl Rwkv7 {
    /// Mean zero and variance one for each head: `[batch, hidden]`.
    fn normalized(y: Tensor<4>) -> Tensor<2> {
        let centered = y.clone() - y.mean_dim(2); // [batch, heads, own, 1]
        let variance = centered.clone().square().mean_dim(2); // [batch, heads, 1, 1]
        flat(centered / (variance + 64e-5).sqrt())
    }
}

impl Cell for Rwkv7 {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.heads)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, rank) = (self.hidden, self.rank);
        let mut params = vec![filled("mix", [6, inputs], |_, _| 0.5), weight("wx", [h, inputs]).gates(3)];
        for (first, second, start) in [("w1", "w2", Some("w0")), ("a1", "a2", Some("a0")), ("g1", "g2", None)] {
            params.extend(start.map(|name| bias(name, h)));
            params.extend([weight(first, [rank, inputs]), weight(second, [h, rank])]);
        }
        params.extend([all("kk", h, 1.0), all("ka", h, 1.0), bias("rk", h), all("gain", h, 1.0), bias("shift", h)]);
        params
    }

    fn state(&self, inputs: usize) -> Vec<StateSpec> {
        vec![zeros("x", inputs), zeros("s", self.hidden * self.hidden / self.heads)]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [mix, wx] = params.get(["mix", "wx"]);
        let (h, heads) = (self.hidden, self.heads);
        let before = state.get("x"); // [batch, inputs]
        let mixed = |row| x.clone() + (before.clone() - x.clone()) * mix.clone().narrow(0, row, 1); // [batch, inputs]
        let of = |row, part: usize| linear_no_bias(mixed(row), wx.clone().narrow(0, part * h, h)); // [batch, hidden]
        let low = |row, name: &str| linear_no_bias(mixed(row), params.get(name)); // [batch, rank]
        let high = |low: Tensor<2>, name: &str| linear_no_bias(low, params.get(name)); // [batch, hidden]
        let (r, k, v) = (of(0, 0), of(2, 1), columns(of(3, 2), heads));
        let w = sigmoid(high(low(1, "w1").tanh(), "w2") + params.get("w0"));
        let w = (w * -(-0.5_f64).exp()).exp(); // [batch, hidden]
        let a = sigmoid(high(low(4, "a1"), "a2") + params.get("a0")); // [batch, hidden]
        let g = high(sigmoid(low(5, "g1")), "g2"); // [batch, hidden]
        let removed = unit(columns(k.clone() * params.get("kk"), heads)); // [batch, heads, own, 1]
        let k = k * ((a.clone() - 1.0) * params.get("ka") + 1.0); // [batch, hidden]
        let s = matrices(state.get("s"), heads, h / heads); // [batch, heads, own, own]
        let written = removed.clone().swap_dims(2, 3) * rows(a, heads); // [batch, heads, 1, own]
        let s =
            s.clone() * rows(w, heads) - s.matmul(removed).matmul(written) + v.clone().matmul(rows(k.clone(), heads));
        let y = Self::normalized(s.clone().matmul(columns(r.clone(), heads))); // [batch, hidden]
        let extra = columns(r * params.get("rk") * k, heads).sum_dim(2) * v; // [batch, heads, own, 1]
        let y = (y * params.get("gain") + params.get("shift") + flat(extra)) * g; // [batch, hidden]
        (y, State::from([("x", x), ("s", flat(s))]))
    }
}
