//! Cells with clocks: clockwork networks and phased LSTM.

use hatchery_plugin::prelude::*;

use crate::{
    heads::{divide, filled, spread},
    lstm::{forgetting, lstm},
};

/// Clockwork network: modules of units that change at every step, every second, every fourth, and read themselves and the slower
/// ones (Koutník et al. 2014, arXiv 1402.3511, equations 1 to 4).
///
/// Module j, from 0 on, is `tanh(W x + U h + b)` at the time steps that `period-base^j` divides, and keeps its state at all others.
/// `wh0`, `wh1` and so on are the matrices of the modules. t counts time steps.
///
/// ```toml
/// [cell]
/// type = "clockwork"
/// hidden = 96
/// modules = 3
/// ```
#[plugin(cell = "clockwork", family = "several time scales")]
pub struct Clockwork {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The number of modules, of which `hidden` is a multiple.
    #[plugin(default = 4, min = 1, max = 16)]
    pub modules: usize,
    /// How many times longer the period of a module is than that of the one before it.
    #[plugin(default = 2, min = 2, max = 16)]
    pub period_base: usize,
}

impl Clockwork {
    /// The period of a module.
    fn period(&self, module: usize) -> f64 {
        (self.period_base as f64).powi(i32::try_from(module).unwrap_or(i32::MAX))
    }
}

impl Cell for Clockwork {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.modules)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, own) = (self.hidden, self.hidden / self.modules);
        let mut params = vec![weight("wx", [h, inputs]), bias("b", h)];
        params.extend((0..self.modules).map(|module| weight(format!("wh{module}"), [own, h - module * own])));
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("t", 1).no_gradient()]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, b] = params.get(["wx", "b"]);
        let ([h, t], own) = (state.get(["h", "t"]), self.hidden / self.modules);
        let sums = linear(x, wx, b); // [batch, hidden]
        let module = |module: usize| {
            let (first, rest) = (module * own, self.hidden - module * own);
            let seen = linear_no_bias(h.clone().narrow(1, first, rest), params.get(&format!("wh{module}")));
            let next = (sums.clone().narrow(1, first, own) + seen).tanh(); // [batch, own]
            let kept = h.clone().narrow(1, first, own); // [batch, own]
            // 1 where the period divides t, else 0; halves are far from any rounding.
            let since = (t.clone() + 0.5).remainder_scalar(self.period(module)).floor(); // [batch, 1]
            let active = since.clamp_max(1.0).neg() + 1.0; // [batch, 1]
            kept.clone() + active * (next - kept)
        };
        let h = Tensor::cat((0..self.modules).map(module).collect(), 1); // [batch, hidden]
        let t = (t.clone() + 1.0).remainder_scalar(self.period(self.modules - 1)); // [batch, 1]
        (h.clone(), State::from([("h", h), ("t", t)]))
    }
}

/// Phased LSTM: an LSTM whose units are open during a part of a period of their own, and leak at other times (Neil et al. 2016,
/// arXiv 1610.09513, equations 6 to 13, at unit time steps and without peepholes).
///
/// The state p is the time in periods, which are `1 + exp(tau)`; a unit opens at `σ(s)` of its period and is open for `σ(r)` of it.
/// `c' = k c̃ + (1 − k) c` and h' likewise, where c̃ and h̃ are those of the LSTM and k the openness. The rows are i, f, g, o.
///
/// ```toml
/// [cell]
/// type = "phased-lstm"
/// hidden = 128
/// ```
#[plugin(cell = "phased-lstm", family = "several time scales")]
pub struct PhasedLstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// How open a unit is that is closed.
    #[plugin(default = 0.001, min = 0.0, max = 1.0)]
    pub leak: f64,
}

impl Cell for PhasedLstm {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let logit = |share: f64| (share / (1.0 - share)).ln();
        // Beginnings that do not go with periods: multiples of the golden ratio.
        let begin = |unit: usize| logit(((unit as f64 + 0.5) * 0.618_033_988_749_895).fract());
        vec![
            weight("wx", [h, inputs]).gates(4),
            recurrent("wh", h).gates(4),
            forgetting("b", h),
            filled("tau", [1, h], |_, unit| 3.0 * spread(unit, h)),
            filled("s", [1, h], |_, unit| begin(unit)),
            filled("r", [1, h], |_, _| logit(0.05)),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["h", "c", "p"].map(|name| zeros(name, self.hidden)).into()
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b, tau, s, r] = params.get(["wx", "wh", "b", "tau", "s", "r"]);
        let [h, c, p] = state.get(["h", "c", "p"]);
        let (shift, ratio) = (sigmoid(s), sigmoid(r)); // each [1, hidden]
        // Both are in [0, 1): the phase is the fraction of their difference.
        let phase = (p.clone() - shift + 1.0).remainder_scalar(1.0); // [batch, hidden]
        let risen = phase.clone() * 2.0 / ratio; // [batch, hidden]
        let open = risen.clone().min_pair(risen.neg() + 2.0); // a triangle over the open part, negative beyond it
        let closed = open.clone().lower_elem(0.0);
        let k = open.mask_where(closed, phase * self.leak); // [batch, hidden]
        let (h_new, c_new) = lstm(linear(x, wx, b) + linear_no_bias(h.clone(), wh), c.clone());
        let c = c.clone() + k.clone() * (c_new - c); // [batch, hidden]
        let h = h.clone() + k * (h_new - h); // [batch, hidden]
        let p = (p + (tau.exp() + 1.0).recip()).remainder_scalar(1.0); // [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c), ("p", p)]))
    }
}
