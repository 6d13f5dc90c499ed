//! Structured state spaces with a diagonal matrix: S4D, one for every unit, and S5, one for all.

use std::f64::consts::PI;

use hatchery_plugin::prelude::*;

use crate::{
    complex::Complex,
    heads::{all, columns, filled, flat, matrices, spread},
};

/// How a differential equation becomes a recurrence.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum Discretization {
    /// Zero-order hold: the input is constant during a step.
    #[default]
    Zoh,
    /// The trapezoidal rule.
    Bilinear,
}

/// `A = −exp(ar) + i ai`.
fn transition(params: &Params) -> Complex<2> {
    let [ar, ai] = params.get(["ar", "ai"]);
    Complex::new(ar.exp().neg(), ai)
}

impl Discretization {
    /// `Ā` and `B̄ / B` for a step `Δ`, each of the shape of A.
    fn of(self, a: Complex<2>, step: Tensor<2>) -> (Complex<2>, Complex<2>) {
        let (re, im) = (a.re.clone() * step.clone(), a.im.clone() * step.clone()); // Δ A
        match self {
            Self::Zoh => {
                let next = Complex::polar(re.exp(), im);
                (next.clone(), Complex::new(next.re - 1.0, next.im).over(a))
            }
            Self::Bilinear => {
                let (re, im) = (re * 0.5, im * 0.5);
                let below = Complex::new(re.clone().neg() + 1.0, im.clone().neg());
                let step = Complex::new(a.re.zeros_like() + step, a.im.zeros_like());
                (Complex::new(re + 1.0, im).over(below.clone()), step.over(below))
            }
        }
    }
}

/// The logarithm of a step, spread between 0.001 and 0.1.
fn log_step(at: usize, count: usize) -> f64 {
    (1e-3_f64).ln() + spread(at, count) * 100_f64.ln()
}

/// Diagonal state space: for every unit u of `W x + b` the complex recurrence `z' = Ā z + B̄ u`, with the output
/// `2 Re(Σ C z') + D u` (Gu et al. 2022, arXiv 2206.11893, section 3).
///
/// `A = −exp(ar) + i ai` and the step `Δ = exp(dt)`; with `discretization = "zoh"` `Ā = exp(Δ A)` and `B̄ = (Ā − 1) / A`. First,
/// `A = −½ + i π n` (S4D-Lin) and Δ is spread between 0.001 and 0.1.
///
/// ```toml
/// [cell]
/// type = "s4d"
/// hidden = 128
/// ```
#[plugin(cell = "s4d", family = "linear, vector state")]
pub struct S4d {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Complex numbers in the state of a unit.
    #[plugin(default = 16, min = 1)]
    pub state: usize,
    /// How the recurrence is made of A.
    #[plugin(default)]
    pub discretization: Discretization,
}

impl Cell for S4d {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, n) = (self.hidden, self.state);
        let part = |name| ParamSpec::new(name, [h, n], Initializer::Normal { std: 0.5_f64.sqrt() });
        vec![
            weight("wx", [h, inputs]),
            bias("b", h),
            filled("dt", [1, h], |_, at| log_step(at, h)),
            filled("ar", [h, n], |_, _| 0.5_f64.ln()),
            filled("ai", [h, n], |_, at| PI * at as f64),
            part("cr"),
            part("ci"),
            all("d", h, 1.0),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["re", "im"].map(|name| zeros(name, self.hidden * self.state)).into()
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let (h, n) = (self.hidden, self.state);
        let [wx, b, dt, d] = params.get(["wx", "b", "dt", "d"]);
        let (a, b_bar) = self.discretization.of(transition(params), dt.exp().transpose()); // each [hidden, state]
        let (a, b_bar) = (a.reshape([1, 1, h, n]), b_bar.reshape([1, 1, h, n]));
        let c = Complex::new(params.get("cr"), params.get("ci")).reshape([1, 1, h, n]);
        let u = linear(x, wx, b); // [batch, hidden]
        let column = columns(u.clone(), 1); // [batch, 1, hidden, 1]
        let z = Complex::new(matrices(state.get("re"), 1, h), matrices(state.get("im"), 1, h));
        let written = Complex::new(b_bar.re * column.clone(), b_bar.im * column);
        let z = a.times(z).plus(written); // [batch, 1, hidden, state]
        let read = flat((c.re * z.re.clone() - c.im * z.im.clone()).sum_dim(3)); // [batch, hidden]
        (read * 2.0 + d * u, State::from([("re", flat(z.re)), ("im", flat(z.im))]))
    }
}

/// Diagonal state space that all units share: `z' = Ā z + B̄ x`, with the output `2 Re(C z') + D x` (Smith et al. 2022,
/// arXiv 2208.04933, section 3).
///
/// `A = −exp(ar) + i ai`, one step `Δ = exp(dt)` for each complex number, `Ā = exp(Δ A)` and `B̄ = (Ā − 1) / A B`.
///
/// ```toml
/// [cell]
/// type = "s5"
/// hidden = 128
/// ```
#[plugin(cell = "s5", family = "linear, vector state")]
pub struct S5 {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Complex numbers in the state; without it half of `hidden`.
    #[plugin(min = 1)]
    pub state: Option<usize>,
}

impl S5 {
    fn width(&self) -> usize {
        self.state.unwrap_or((self.hidden / 2).max(1))
    }
}

impl Cell for S5 {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, n) = (self.hidden, self.width());
        let normal = |name, shape: [usize; 2]| {
            ParamSpec::new(name, shape, Initializer::Normal { std: (0.5 / shape[1] as f64).sqrt() })
        };
        vec![
            filled("dt", [1, n], |_, at| log_step(at, n)),
            filled("ar", [1, n], |_, _| 0.5_f64.ln()),
            filled("ai", [1, n], |_, at| PI * at as f64),
            normal("br", [n, inputs]),
            normal("bi", [n, inputs]),
            normal("cr", [h, n]),
            normal("ci", [h, n]),
            weight("d", [h, inputs]),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        ["re", "im"].map(|name| zeros(name, self.width())).into()
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [dt, br, bi, cr, ci, d] = params.get(["dt", "br", "bi", "cr", "ci", "d"]);
        let (a, scale) = Discretization::Zoh.of(transition(params), dt.exp()); // each [1, state]
        let u = Complex::new(linear_no_bias(x.clone(), br), linear_no_bias(x.clone(), bi)); // [batch, state]
        let z = a.times(Complex::new(state.get("re"), state.get("im"))).plus(scale.times(u)); // [batch, state]
        let read = linear_no_bias(z.re.clone(), cr) - linear_no_bias(z.im.clone(), ci); // [batch, hidden]
        (read * 2.0 + linear_no_bias(x, d), State::from([("re", z.re), ("im", z.im)]))
    }
}
