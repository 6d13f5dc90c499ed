//! Cells with several layers within one time step: recurrent highway, fast-slow, and Mogrifier.

use hatchery_plugin::prelude::*;

use crate::lstm::{forgetting, lstm};

/// Recurrent highway network: `depth` layers within a time step, `s' = n t + s c` with `n = tanh(R s + b)` and
/// `t, c = σ(R s + b)`, of which the first sees the input too (Zilly et al. 2016, arXiv 1607.03474, equations 6 to 9).
///
/// With `coupled` `c = 1 − t`. The rows of `wx` are n, t (and c); those of `wh` the layers, and within each the same.
///
/// ```toml
/// [cell]
/// type = "rhn"
/// hidden = 128
/// depth = 3
/// ```
#[plugin(cell = "rhn", family = "deep transitions")]
pub struct Rhn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Layers within a time step.
    #[plugin(default = 3, min = 1, max = 64)]
    pub depth: usize,
    /// What is kept is what is not replaced.
    #[plugin(default = true)]
    pub coupled: bool,
}

impl Rhn {
    fn gates(&self) -> usize {
        if self.coupled { 2 } else { 3 }
    }
}

impl Cell for Rhn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, gates) = (self.hidden, self.gates());
        let first: &[f64] = if self.coupled { &[0.0, -2.0] } else { &[0.0, 0.0, 2.0] };
        vec![
            weight("wx", [h, inputs]).gates(gates),
            recurrent("wh", h).gates(self.depth * gates),
            crate::heads::blocks("b", h, &first.repeat(self.depth)),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let (h, all) = (self.hidden, self.gates() * self.hidden);
        let mut s = state.get("h"); // [batch, hidden]
        for layer in 0..self.depth {
            let (w, b) = (wh.clone().narrow(0, layer * all, all), b.clone().narrow(1, layer * all, all));
            let mut sums = linear(s.clone(), w, b); // [batch, gates × hidden]
            if layer == 0 {
                sums = sums + linear_no_bias(x.clone(), wx.clone());
            }
            let part = |gate: usize| sums.clone().narrow(1, gate * h, h); // [batch, hidden]
            let (n, t) = (part(0).tanh(), sigmoid(part(1)));
            s = if self.coupled { s.clone() + t * (n - s) } else { n * t + s * sigmoid(part(2)) };
        }
        (s.clone(), State::from([("h", s)]))
    }
}

/// Fast-slow network: `fast` LSTMs one after the other within a time step, and a slow one that reads the first and is read by
/// the second (Mujika et al. 2017, arXiv 1705.08639, equations 1 to 4; without layer normalization and zoneout).
///
/// The rows of all matrices are i, f, g, o. The output is that of the last fast LSTM.
///
/// ```toml
/// [cell]
/// type = "fast-slow"
/// hidden = 128
/// ```
#[plugin(cell = "fast-slow", family = "deep transitions")]
pub struct FastSlow {
    /// Width of the fast cells.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of fast cells.
    #[plugin(default = 2, min = 2, max = 16)]
    pub fast: usize,
    /// Width of the slow cell; without it that of the fast ones.
    #[plugin(min = 1)]
    pub slow: Option<usize>,
}

impl Cell for FastSlow {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, slow) = (self.hidden, self.slow.unwrap_or(self.hidden));
        let of = |name: &str, width: usize, inputs: usize| {
            [
                weight(format!("wx{name}"), [width, inputs]).gates(4),
                recurrent(format!("wh{name}"), width).gates(4),
                forgetting(format!("b{name}"), width),
            ]
        };
        let mut params: Vec<ParamSpec> = of("1", h, inputs).into();
        params.extend(of("s", slow, h));
        params.extend(of("2", h, slow));
        for cell in 3..=self.fast {
            params.extend(of(&cell.to_string(), h, 1).into_iter().skip(1));
        }
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        let slow = self.slow.unwrap_or(self.hidden);
        let mut state = vec![zeros("h", self.hidden)];
        state.extend((1..=self.fast).map(|cell| zeros(format!("c{cell}"), self.hidden)));
        state.extend([zeros("hs", slow), zeros("cs", slow)]);
        state
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let mut next = State::default();
        let mut run = |name: &str, x: Option<Tensor<2>>, h: Tensor<2>| {
            let [wh, b] = [format!("wh{name}"), format!("b{name}")].map(|name| params.get(&name));
            let mut sums = linear(h, wh, b); // [batch, 4 width]
            if let Some(x) = x {
                sums = sums + linear_no_bias(x, params.get(&format!("wx{name}")));
            }
            let (h, c) = lstm(sums, state.get(&format!("c{name}"))); // each [batch, width]
            next.push(format!("c{name}"), c);
            h
        };
        let mut h = run("1", Some(x), state.get("h")); // [batch, hidden]
        let slow = run("s", Some(h.clone()), state.get("hs")); // [batch, slow]
        h = run("2", Some(slow.clone()), h);
        for cell in 3..=self.fast {
            h = run(&cell.to_string(), None, h);
        }
        next.push("h", h.clone());
        next.push("hs", slow);
        let names = self.state(1).into_iter().map(|spec| spec.name);
        (h, names.map(|name| (name.clone(), next.get(&name))).collect())
    }
}

/// Mogrifier LSTM: before an LSTM, input and state scale each other in turn, `x = 2 σ(Q h) x` and `h = 2 σ(R x) h` (Melis et al.
/// 2019, arXiv 1909.01792, equations 1 and 2). The rows of the LSTM are i, f, g, o.
///
/// ```toml
/// [cell]
/// type = "mogrifier-lstm"
/// hidden = 128
/// ```
#[plugin(cell = "mogrifier-lstm", family = "products of input and state")]
pub struct MogrifierLstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// How often one scales the other.
    #[plugin(default = 5, max = 64)]
    pub rounds: usize,
    /// Rank of the matrices Q and R; without it they are full.
    #[plugin(min = 1)]
    pub rank: Option<usize>,
}

impl MogrifierLstm {
    /// The name of a round's matrix.
    fn name(round: usize) -> String {
        format!("{}{round}", if round % 2 == 1 { "q" } else { "r" })
    }
}

impl Cell for MogrifierLstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let mut params = Vec::new();
        for round in 1..=self.rounds {
            let (name, [to, from]) = (Self::name(round), if round % 2 == 1 { [inputs, h] } else { [h, inputs] });
            match self.rank {
                Some(rank) => {
                    params.extend([weight(format!("{name}a"), [to, rank]), weight(format!("{name}b"), [rank, from])]);
                }
                None => params.push(weight(name, [to, from])),
            }
        }
        params.extend([weight("wx", [h, inputs]).gates(4), recurrent("wh", h).gates(4), forgetting("b", h)]);
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, mut x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let mut h = state.get("h"); // [batch, hidden]
        let scale = |by: Tensor<2>, round: usize| {
            let name = Self::name(round);
            let sum = match self.rank {
                Some(_) => {
                    linear_no_bias(linear_no_bias(by, params.get(&format!("{name}b"))), params.get(&format!("{name}a")))
                }
                None => linear_no_bias(by, params.get(&name)),
            };
            sigmoid(sum) * 2.0
        };
        for round in 1..=self.rounds {
            if round % 2 == 1 {
                x = scale(h.clone(), round) * x; // [batch, inputs]
            } else {
                h = scale(x.clone(), round) * h; // [batch, hidden]
            }
        }
        let (h, c) = lstm(linear(x, wx, b) + linear_no_bias(h, wh), state.get("c")); // each [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}
