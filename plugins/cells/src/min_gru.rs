//! The minimal gated recurrent unit and the minimal LSTM: linear recurrences.

use hatchery_plugin::{
    burn::tensor::activation::{log_sigmoid, relu},
    prelude::*,
};

use crate::heads::blocks;

/// Minimal gated recurrent unit: `z = σ(Wz x + bz)`, `n = Wn x + bn`, `h' = (1 − z) h + z n` (Feng et al. 2024,
/// arXiv 2410.01201, section 3.1). No gate sees the state, so that the recurrence is linear. The rows are z, n.
///
/// ```toml
/// [cell]
/// type = "min-gru"
/// hidden = 128
/// ```
#[plugin(cell = "min-gru", family = "linear, vector state")]
pub struct MinGru {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The function of the candidate.
    #[plugin(default)]
    pub candidate: Candidate,
}

/// The function of a candidate.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum Candidate {
    /// The sum itself.
    #[default]
    Linear,
    /// `x + 0.5` where x is positive and `σ(x)` elsewhere, as the form in log-space has it (appendix B).
    Positive,
}

impl Candidate {
    fn of(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Linear => x,
            Self::Positive => relu(x.clone()) + sigmoid(relu(x.neg()).neg()),
        }
    }

    /// The state before the first step: the candidate of zero.
    fn start(self) -> f64 {
        match self {
            Self::Linear => 0.0,
            Self::Positive => 0.5,
        }
    }
}

impl Cell for MinGru {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [self.hidden, inputs]).gates(2), bias("b", 2 * self.hidden)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden).start(self.candidate.start())]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, b] = params.get(["wx", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [z, n] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let h = h.clone() + sigmoid(z) * (self.candidate.of(n) - h); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}

/// Minimal LSTM: `f, i = σ(W x + b)`, `n = W x + b`, `h' = f / (f + i) h + i / (f + i) n` (Feng et al. 2024,
/// arXiv 2410.01201, section 3.2). No gate sees the state. The rows are f, i, n.
///
/// ```toml
/// [cell]
/// type = "min-lstm"
/// hidden = 128
/// ```
#[plugin(cell = "min-lstm", family = "linear, vector state")]
pub struct MinLstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The function of the candidate.
    #[plugin(default)]
    pub candidate: Candidate,
    /// Divide both gates by their sum.
    #[plugin(default = true)]
    pub normalized: bool,
}

impl Cell for MinLstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [self.hidden, inputs]).gates(3), blocks("b", self.hidden, &[1.0, 0.0, 0.0])]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden).start(self.candidate.start())]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, b] = params.get(["wx", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let [f, i, n] = chunk(linear(x, wx, b)); // each [batch, hidden]
        let n = self.candidate.of(n);
        let h = if self.normalized {
            // f / (f + i), without a division of zeros.
            let f = sigmoid(log_sigmoid(f) - log_sigmoid(i));
            f * (h - n.clone()) + n
        } else {
            sigmoid(f) * h + sigmoid(i) * n
        };
        (h.clone(), State::from([("h", h)]))
    }
}
