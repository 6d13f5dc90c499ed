//! The Legendre memory unit: a linear memory of a window of the past, and a network that writes and reads it.

use hatchery_plugin::prelude::*;

use crate::heads::{all, constant};

/// How the memory's differential equation becomes a recurrence.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum MemoryStep {
    /// Zero-order hold: exact for an input that is constant during a step.
    #[default]
    Zoh,
    /// Euler's method.
    Euler,
}

/// Legendre memory unit: a memory m holds the last `theta` time steps of one number u as coefficients of Legendre polynomials
/// (Voelker et al. 2019, Advances in Neural Information Processing Systems 32, equations 2 to 8).
///
/// `u = ex x + eh h + em m`, `m' = A m + B u`, `h' = tanh(Wx x + Wh h + Wm m')`. A and B are fixed: with `Ȧ` of the entries
/// `(2 i + 1) (−1)^(i − j + 1)` on and below the diagonal and `−(2 i + 1)` above, `A = exp(Ȧ / theta)`, or `I + Ȧ / theta` with
/// `discretization = "euler"`.
///
/// ```toml
/// [cell]
/// type = "lmu"
/// hidden = 128
/// ```
#[plugin(cell = "lmu", family = "dynamical systems")]
pub struct Lmu {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Coefficients in the memory.
    #[plugin(default = 16, min = 1, max = 1024)]
    pub memory: usize,
    /// Time steps that the memory holds.
    #[plugin(default = 100.0, above = 0.0)]
    pub theta: f64,
    /// How the recurrence is made.
    #[plugin(default)]
    pub discretization: MemoryStep,
}

impl Lmu {
    /// A and, as its last column, B: `memory` rows of `memory + 1` values.
    fn transition(&self) -> Vec<Vec<f64>> {
        let n = self.memory;
        let sign = |odd: bool| if odd { -1.0 } else { 1.0 };
        let entry = |i: usize, j: usize| {
            let scale = (2 * i + 1) as f64 / self.theta;
            match j {
                _ if i == n => 0.0,
                _ if j == n => scale * sign(i % 2 == 1),
                _ if i < j => -scale,
                _ => scale * sign((i - j).is_multiple_of(2)),
            }
        };
        // Of [A B; 0 0], whose exponential has both.
        let rates: Vec<Vec<f64>> = (0..=n).map(|i| (0..=n).map(|j| entry(i, j)).collect()).collect();
        let mut next = match self.discretization {
            MemoryStep::Euler => plus_identity(rates),
            MemoryStep::Zoh => exponential(rates),
        };
        next.truncate(n);
        next
    }
}

fn plus_identity(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    matrix.iter_mut().enumerate().for_each(|(at, row)| row[at] += 1.0);
    matrix
}

fn product(a: &[Vec<f64>], b: &[Vec<f64>], scale: f64) -> Vec<Vec<f64>> {
    let entry = |row: &[f64], j: usize| row.iter().zip(b).map(|(a, b)| a * b[j]).sum::<f64>() * scale;
    a.iter().map(|row| (0..b.len()).map(|j| entry(row, j)).collect()).collect()
}

/// By Taylor's series of a part whose norm is below one half, and squares.
fn exponential(matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let norm = matrix.iter().map(|row| row.iter().map(|entry| entry.abs()).sum()).fold(0.0, f64::max);
    let squares = (2.0 * norm).log2().ceil().max(0.0);
    let part: Vec<Vec<f64>> =
        matrix.iter().map(|row| row.iter().map(|entry| entry / squares.exp2()).collect()).collect();
    let one = plus_identity(vec![vec![0.0; part.len()]; part.len()]);
    let series = (1..=16).rev().fold(one, |sum, term| plus_identity(product(&part, &sum, 1.0 / f64::from(term))));
    (0..squares as usize).fold(series, |power, _| product(&power, &power, 1.0))
}

impl Cell for Lmu {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, n) = (self.hidden, self.memory);
        vec![
            weight("ex", [1, inputs]),
            weight("eh", [1, h]),
            all("em", n, 0.0),
            weight("wx", [h, inputs]),
            recurrent("wh", h),
            weight("wm", [h, n]),
        ]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("m", self.memory)]
    }

    fn derive(&self, mut params: Params) -> Params {
        let (n, like) = (self.memory, params.get("em"));
        let next = self.transition();
        params.push("a", constant([n, n], &like, |row, column| next[row][column]));
        params.push("b", constant([1, n], &like, |_, row| next[row][n]));
        params
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [ex, eh, em, wx, wh, wm, a, b] = params.get(["ex", "eh", "em", "wx", "wh", "wm", "a", "b"]);
        let [h, m] = state.get(["h", "m"]);
        let u = linear_no_bias(x.clone(), ex) + linear_no_bias(h.clone(), eh) + linear_no_bias(m.clone(), em);
        let m = linear_no_bias(m, a) + u * b; // [batch, memory]
        let h = (linear_no_bias(x, wx) + linear_no_bias(h, wh) + linear_no_bias(m.clone(), wm)).tanh();
        (h.clone(), State::from([("h", h), ("m", m)]))
    }
}
