//! Networks whose recurrent matrix stays orthogonal, because it is made of a skew-symmetric one.

use std::f64::consts::PI;

use hatchery_plugin::{burn::tensor::activation::relu, prelude::*};

use crate::heads::{constant, filled, spread};

/// The identity, of the width of a matrix.
fn identity(like: &Tensor<2>) -> Tensor<2> {
    constant(like.dims(), like, |row, column| f64::from(row == column))
}

/// `exp(A)`, by Taylor's series of `A / 64` and six squares.
fn exponential(a: Tensor<2>) -> Tensor<2> {
    const SQUARES: i32 = 6;
    const TERMS: i32 = 12;
    let (one, a) = (identity(&a), a / 2_f64.powi(SQUARES));
    let series = (1..=TERMS).rev().fold(one.clone(), |sum, term| a.clone().matmul(sum) / f64::from(term) + one.clone());
    (0..SQUARES).fold(series, |power, _| power.clone().matmul(power))
}

/// `M⁻¹` for `M = I + A` with a skew-symmetric A, by Newton's iteration.
fn inverse(m: Tensor<2>) -> Tensor<2> {
    const ITERATIONS: usize = 22;
    let twice = identity(&m) * 2.0;
    // The norms over rows and over columns are the same.
    let norm = m.clone().abs().sum_dim(0).max_dim(1); // [1, 1]
    let first = m.clone().transpose() / norm.square();
    (0..ITERATIONS).fold(first, |x, _| x.clone().matmul(twice.clone() - m.clone().matmul(x)))
}

/// A matrix of which `a − aᵀ` rotates pairs of units by angles that `of` makes of numbers spread over (0, 1).
fn rotations(h: usize, of: impl Fn(f64) -> f64) -> ParamSpec {
    filled(
        "a",
        [h, h],
        |row, column| {
            if row % 2 == 1 && column + 1 == row { of(spread(row / 2, h.div_ceil(2))) } else { 0.0 }
        },
    )
}

/// `z = W h + V x`, `h' = sign(z) relu(|z| + b)`, the rectifier that keeps signs: `[batch, hidden]`.
fn rectified(params: &Params, x: Tensor<2>, state: &State) -> (Tensor<2>, State) {
    let [w, wx, b] = params.get(["w", "wx", "b"]);
    let z = linear_no_bias(state.get("h"), w) + linear_no_bias(x, wx); // [batch, hidden]
    let h = z.clone().sign() * relu(z.abs() + b); // [batch, hidden]
    (h.clone(), State::from([("h", h)]))
}

/// The same parameters with `w` in place of `a`.
fn replaced(params: Params, of: impl Fn(Tensor<2>) -> Tensor<2>) -> Params {
    let entries = params.into_iter();
    entries.map(|(name, matrix)| if name == "a" { ("w".into(), of(matrix)) } else { (name, matrix) }).collect()
}

/// Scaled Cayley network: the recurrent matrix `W = (I + A)⁻¹ (I − A) D` with a skew-symmetric `A = a − aᵀ` is orthogonal (Helfrich
/// et al. 2017, arXiv 1707.09520, section 3).
///
/// `z = W h + V x`, `h' = sign(z) relu(|z| + b)`. D is diagonal, with −1 at a share of the places, which lets W be every
/// orthogonal matrix. First, W rotates pairs of units by angles between 0 and π/2.
///
/// ```toml
/// [cell]
/// type = "scornn"
/// hidden = 128
/// ```
#[plugin(cell = "scornn", family = "orthogonal")]
pub struct Scornn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// The share of −1 on the diagonal of D.
    #[plugin(default = 0.5, min = 0.0, max = 1.0)]
    pub negative: f64,
}

impl Cell for Scornn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![rotations(h, |share| 0.5 * (0.25 * PI * share).tan()), weight("wx", [h, inputs]), bias("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn derive(&self, params: Params) -> Params {
        let negative = (self.negative * self.hidden as f64).round() as usize;
        replaced(params, |a| {
            let (skew, one) = (a.clone() - a.clone().transpose(), identity(&a));
            let signs = constant([1, self.hidden], &a, |_, unit| if unit < negative { -1.0 } else { 1.0 });
            inverse(one.clone() + skew.clone()).matmul(one - skew) * signs
        })
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        rectified(params, x, &state)
    }
}

/// Exponential network: the recurrent matrix `W = exp(A)` with a skew-symmetric `A = a − aᵀ` is orthogonal (Lezcano-Casado and
/// Martínez-Rubio 2019, arXiv 1901.08428, section 3).
///
/// `z = W h + V x`, `h' = sign(z) relu(|z| + b)`. First, W rotates pairs of units by angles between 0 and π.
///
/// ```toml
/// [cell]
/// type = "exp-rnn"
/// hidden = 128
/// ```
#[plugin(cell = "exp-rnn", family = "orthogonal")]
pub struct ExpRnn {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for ExpRnn {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![rotations(h, |share| PI * share), weight("wx", [h, inputs]), bias("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn derive(&self, params: Params) -> Params {
        replaced(params, |a| exponential(a.clone() - a.transpose()))
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        rectified(params, x, &state)
    }
}
