//! Initial values of parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A random number generator. The framework implements it with its own and with `NumPy`'s.
pub trait Rng {
    /// Uniform in `[0, 1)`.
    fn uniform(&mut self) -> f64;
    /// Normal with mean 0 and standard deviation 1.
    fn normal(&mut self) -> f64;
}

/// The distribution of the initial values of a matrix `[rows, columns]`. Fan-in is `columns`, fan-out is `rows`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Initializer {
    /// All zero.
    Zeros,
    /// All the same.
    Constant {
        /// The value.
        value: f64,
    },
    /// Exactly these, row by row.
    Values {
        /// `rows × columns` numbers.
        values: Vec<f64>,
    },
    /// Normal around zero.
    Normal {
        /// Standard deviation.
        #[schemars(range(min = 0.0))]
        std: f64,
    },
    /// Uniform in `[-limit, limit)`.
    Uniform {
        /// Half the width of the interval.
        #[schemars(range(min = 0.0))]
        limit: f64,
    },
    /// Uniform with limit `sqrt(6 / (fan-in + fan-out))`: Glorot and Bengio (2010), equation 16.
    XavierUniform,
    /// Normal with standard deviation `sqrt(2 / (fan-in + fan-out))`: Glorot and Bengio (2010), equation 12.
    XavierNormal,
    /// Uniform with limit `sqrt(6 / fan-in)`: He et al. (2015), equation 10.
    KaimingUniform,
    /// Normal with standard deviation `sqrt(2 / fan-in)`: He et al. (2015), equation 10.
    KaimingNormal,
    /// Orthonormal rows or columns, whichever are fewer: Saxe et al. (2014), section 3.
    Orthogonal,
}

impl Initializer {
    /// Whether the values do not depend on chance, as those of biases usually do not.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Zeros | Self::Constant { .. } | Self::Values { .. })
    }

    /// The values of a matrix `[rows, columns]`, row by row.
    ///
    /// # Panics
    /// When [`Initializer::Values`] holds another number of values than the matrix.
    pub fn fill(&self, [rows, columns]: [usize; 2], rng: &mut dyn Rng) -> Vec<f64> {
        let count = rows * columns;
        let (fan_in, fan_out) = (columns as f64, rows as f64);
        let mut uniform = |limit: f64| (0..count).map(|_| (2.0 * rng.uniform() - 1.0) * limit).collect();
        match self {
            Self::Zeros => vec![0.0; count],
            Self::Constant { value } => vec![*value; count],
            Self::Values { values } => {
                assert_eq!(values.len(), count, "{} values for a matrix of {rows} by {columns}", values.len());
                values.clone()
            }
            Self::Uniform { limit } => uniform(*limit),
            Self::XavierUniform => uniform((6.0 / (fan_in + fan_out)).sqrt()),
            Self::KaimingUniform => uniform((6.0 / fan_in).sqrt()),
            Self::Normal { std } => normal(count, *std, rng),
            Self::XavierNormal => normal(count, (2.0 / (fan_in + fan_out)).sqrt(), rng),
            Self::KaimingNormal => normal(count, (2.0 / fan_in).sqrt(), rng),
            Self::Orthogonal => orthogonal(rows, columns, rng),
        }
    }
}

fn normal(count: usize, std: f64, rng: &mut dyn Rng) -> Vec<f64> {
    (0..count).map(|_| rng.normal() * std).collect()
}

/// Gram-Schmidt on normal vectors, each projected twice so that rounding does not spoil the angles.
fn orthogonal(rows: usize, columns: usize, rng: &mut dyn Rng) -> Vec<f64> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector = normal(length, 1.0, rng);
        for _ in 0..2 {
            for other in &basis {
                let shared = dot(&vector, other);
                for (entry, o) in vector.iter_mut().zip(other) {
                    *entry -= shared * o;
                }
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        // A vector that is in the span of the others (as good as impossible) is drawn again.
        if norm > 1e-6 {
            for entry in &mut vector {
                *entry /= norm;
            }
            basis.push(vector);
        }
    }
    let entry = |row: usize, column: usize| if rows <= columns { basis[row][column] } else { basis[column][row] };
    (0..rows * columns).map(|index| entry(index / columns, index % columns)).collect()
}
