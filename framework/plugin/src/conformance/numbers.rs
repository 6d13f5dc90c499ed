//! Matrices as numbers on the host, where they can be changed entry by entry and compared to the last bit, and the
//! generator from which the kit draws them.

use burn::{
    Tensor,
    tensor::{DType, Device, TensorData},
};

use crate::{Matrices, Rng};

/// A named matrix of numbers, row by row.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) name: String,
    pub(super) shape: [usize; 2],
    pub(super) values: Vec<f64>,
    pub(super) dtype: DType,
    /// Whether it has a row for each sequence of a batch.
    pub(super) is_of_rows: bool,
}

impl Matrix {
    /// Numbers that both single and double precision can hold.
    pub(super) fn new(name: impl Into<String>, shape: [usize; 2], values: impl IntoIterator<Item = f64>) -> Self {
        let values = values.into_iter().map(|value| f64::from(value as f32)).collect();
        Self { name: name.into(), shape, values, dtype: DType::F64, is_of_rows: true }
    }

    /// Normal numbers around zero.
    pub(super) fn normal(name: impl Into<String>, shape: [usize; 2], scale: f64, rng: &mut dyn Rng) -> Self {
        Self::new(name, shape, (0..shape[0] * shape[1]).map(|_| scale * rng.normal()))
    }

    /// What a tensor holds.
    pub(super) fn read(name: impl Into<String>, tensor: &Tensor<2>) -> Self {
        let values = tensor.try_to_vec_as::<f64>().expect("every float is read as f64");
        Self { name: name.into(), shape: tensor.dims(), values, dtype: tensor.dtype(), is_of_rows: true }
    }

    /// A tensor of these numbers.
    pub(super) fn tensor(&self, device: &Device, dtype: DType) -> Tensor<2> {
        Tensor::from_data(TensorData::new(self.values.clone(), self.shape), (device, dtype))
    }

    /// The rows in another order, `row` taken from `order[row]`.
    pub(super) fn rows(&self, order: &[usize]) -> Self {
        let columns = self.shape[1];
        let values = order.iter().flat_map(|&row| self.values[row * columns..(row + 1) * columns].to_vec()).collect();
        Self { shape: [order.len(), columns], values, ..self.clone() }
    }

    /// Where an entry stands, as `wx[2, 3]` with backticks.
    pub(super) fn place(&self, index: usize) -> String {
        format!("`{}`[{}, {}]", self.name, index / self.shape[1], index % self.shape[1])
    }

    /// The first entry that is infinite or not a number.
    pub(super) fn first_not_finite(&self) -> Option<String> {
        let index = self.values.iter().position(|value| !value.is_finite())?;
        Some(format!("{} is {}", self.place(index), self.values[index]))
    }

    /// The first entry in which two matrices differ by as little as a bit.
    pub(super) fn first_difference(&self, other: &Self) -> Option<String> {
        let differs = |(a, b): (&f64, &f64)| a.to_bits() != b.to_bits();
        let index = self.values.iter().zip(&other.values).position(differs)?;
        Some(format!("{} is {:e} and {:e}", self.place(index), self.values[index], other.values[index]))
    }

    /// The largest difference of two matrices, relative to the entry or to one, whichever is larger, and its place.
    pub(super) fn largest_difference(&self, other: &Self) -> (f64, String) {
        let relative = |a: f64, b: f64| (a - b).abs() / a.abs().max(b.abs()).max(1.0);
        let mut largest = (0.0, String::new());
        for (index, (&a, &b)) in self.values.iter().zip(&other.values).enumerate() {
            let difference = relative(a, b);
            if difference > largest.0 || difference.is_nan() {
                largest = (difference, format!("{} is {a:e} and {b:e}", self.place(index)));
            }
        }
        largest
    }
}

/// The matrices as tensors, under their names.
pub(super) fn tensors(matrices: &[Matrix], device: &Device, dtype: DType) -> Matrices {
    matrices.iter().map(|matrix| (matrix.name.clone(), matrix.tensor(device, dtype))).collect()
}

/// What tensors hold, under their names.
pub(super) fn read(tensors: &Matrices) -> Vec<Matrix> {
    tensors.iter().map(|(name, tensor)| Matrix::read(name, tensor)).collect()
}

/// The generator of Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators", figure 16: as much
/// as a test needs, in three lines, with no dependency that could change it.
pub(super) struct SplitMix(u64);

impl SplitMix {
    /// The generator of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Rng for SplitMix {
    fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Box and Muller (1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
