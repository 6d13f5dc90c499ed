//! The hierarchically gated recurrent network: a linear recurrence whose forget gate has a lower bound.

use hatchery_plugin::{burn::tensor::activation::silu, prelude::*};

use crate::{
    complex::Complex,
    heads::{all, filled, standardized},
};

/// Hierarchically gated recurrent unit: `z' = f exp(i θ) z + (1 − f) c` with a complex state and candidate, and the output
/// `W LN(z' ⊙ g)` (Qin et al. 2023, arXiv 2311.04823, section 3).
///
/// `f = γ + (1 − γ) σ(W x + b)` has a lower bound γ, which grows from layer to layer in the paper. `c = silu(W x + b)`,
/// `g = σ(W x + b)`. The rows are f, c and g, with real parts before imaginary ones. `complex = false` leaves out the angle
/// and the matrix of the output.
///
/// ```toml
/// [cell]
/// type = "hgrn"
/// hidden = 128
/// ```
#[plugin(cell = "hgrn", family = "linear, vector state")]
pub struct Hgrn {
    /// Width of the output.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Whether the state is complex.
    #[plugin(default = true)]
    pub complex: bool,
    /// The least value of the forget gate, γ.
    #[plugin(default = 0.0, min = 0.0, max = 0.999)]
    pub lower_bound: f64,
}

impl Cell for Hgrn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        let (gates, parts) = if self.complex { (5, 2) } else { (3, 1) };
        let mut params = vec![
            weight("wx", [h, inputs]).gates(gates),
            bias("b", gates * h),
            all("gain", parts * h, 1.0),
            bias("shift", parts * h),
        ];
        if self.complex {
            params.push(filled("theta", [1, h], |_, at| 1e4_f64.powf(-2.0 * at as f64 / h as f64)));
            params.push(weight("wo", [h, 2 * h]));
        }
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        let names: &[&'static str] = if self.complex { &["re", "im"] } else { &["h"] };
        names.iter().map(|name| zeros(*name, self.hidden)).collect()
    }

    fn outputs(&self, _inputs: usize) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, b, gain, shift] = params.get(["wx", "b", "gain", "shift"]);
        let sum = linear(x, wx, b); // [batch, gates × hidden]
        let forget = |sum: Tensor<2>| sigmoid(sum) * (1.0 - self.lower_bound) + self.lower_bound;
        let put_out = |gated: Tensor<2>| standardized(gated) * gain + shift;
        if !self.complex {
            let [f, c, g] = chunk(sum); // each [batch, hidden]
            let c = silu(c);
            let h = forget(f) * (state.get("h") - c.clone()) + c; // [batch, hidden]
            return (put_out(h.clone() * sigmoid(g)), State::from([("h", h)]));
        }
        let [theta, wo] = params.get(["theta", "wo"]);
        let [f, cr, ci, gr, gi] = chunk(sum); // each [batch, hidden]
        let f = forget(f);
        let z = Complex::new(theta.clone().cos(), theta.sin()).times(Complex::new(state.get("re"), state.get("im")));
        let (cr, ci) = (silu(cr), silu(ci));
        let re = f.clone() * (z.re - cr.clone()) + cr; // [batch, hidden]
        let im = f * (z.im - ci.clone()) + ci; // [batch, hidden]
        let gated = Tensor::cat(vec![re.clone() * sigmoid(gr), im.clone() * sigmoid(gi)], 1); // [batch, 2 hidden]
        (linear_no_bias(put_out(gated), wo), State::from([("re", re), ("im", im)]))
    }
}
