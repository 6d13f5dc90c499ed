//! The linear recurrent unit: a complex state whose elements do not see each other.

use std::f64::consts::TAU;

use hatchery_plugin::prelude::*;

use crate::{
    complex::Complex,
    heads::{filled, spread},
};

/// Linear recurrent unit: `z' = λ z + exp(γ) B x` with a complex state z, output `Re(C z') + D x` (Orvieto et al. 2023,
/// arXiv 2303.06349, section 3).
///
/// `λ = exp(−exp(ν) + i exp(θ))`, so that its magnitude stays below one. The first magnitudes are spread between `r-min` and
/// `r-max`, evenly over the area of that ring, the angles between zero and `max-phase`, and `exp(γ) = sqrt(1 − |λ|²)`.
///
/// ```toml
/// [cell]
/// type = "lru"
/// hidden = 128
/// ```
#[plugin(cell = "lru", family = "linear, vector state")]
pub struct Lru {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Complex numbers in the state; without it as many as `hidden`.
    #[plugin(min = 1)]
    pub state: Option<usize>,
    /// The least first magnitude of λ.
    #[plugin(default = 0.0, min = 0.0, max = 0.999)]
    pub r_min: f64,
    /// The largest first magnitude of λ.
    #[plugin(default = 1.0, above = 0.0, max = 1.0)]
    pub r_max: f64,
    /// The largest first angle of λ.
    #[plugin(default = TAU, above = 0.0)]
    pub max_phase: f64,
}

impl Lru {
    fn width(&self) -> usize {
        self.state.unwrap_or(self.hidden)
    }
}

impl Cell for Lru {
    fn validate(&self) -> Result<(), PluginError> {
        if self.r_min < self.r_max {
            return Ok(());
        }
        let wrong = format!("`r-min = {}` is not below `r-max = {}`", self.r_min, self.r_max);
        Err(PluginError::new(wrong).hint("make `r-min` smaller"))
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, n) = (self.hidden, self.width());
        let (least, most) = (self.r_min.powi(2), self.r_max.powi(2));
        let square = |at: usize| spread(at, n) * (most - least) + least;
        // Multiples of the golden ratio: angles that do not go with magnitudes.
        let angle = |at: usize| self.max_phase * ((at as f64 + 0.5) * 0.618_033_988_749_895).fract();
        let normal =
            |name, shape, variance: f64| ParamSpec::new(name, shape, Initializer::Normal { std: variance.sqrt() });
        vec![
            filled("nu", [1, n], |_, at| (-0.5 * square(at).ln()).ln()),
            filled("theta", [1, n], |_, at| angle(at).ln()),
            filled("gamma", [1, n], |_, at| 0.5 * (1.0 - square(at)).ln()),
            normal("br", [n, inputs], 0.5 / inputs as f64),
            normal("bi", [n, inputs], 0.5 / inputs as f64),
            normal("cr", [h, n], 1.0 / n as f64),
            normal("ci", [h, n], 1.0 / n as f64),
            weight("d", [h, inputs]),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("re", self.width()), zeros("im", self.width())]
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [nu, theta, gamma] = params.get(["nu", "theta", "gamma"]);
        let [br, bi, cr, ci, d] = params.get(["br", "bi", "cr", "ci", "d"]);
        let lambda = Complex::polar(nu.exp().neg().exp(), theta.exp()); // [1, state]
        let scale = gamma.exp(); // [1, state]
        let written =
            Complex::new(linear_no_bias(x.clone(), br) * scale.clone(), linear_no_bias(x.clone(), bi) * scale);
        let z = lambda.times(Complex::new(state.get("re"), state.get("im"))).plus(written); // [batch, state]
        let y = linear_no_bias(z.re.clone(), cr) - linear_no_bias(z.im.clone(), ci) + linear_no_bias(x, d);
        (y, State::from([("re", z.re), ("im", z.im)]))
    }
}
