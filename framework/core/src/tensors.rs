//! Named matrices in host memory, as they are saved and loaded.

use std::io;

use burn::tensor::{DType, TensorData};

use crate::{
    dtype::Dtype,
    error::{Error, Result},
};

/// A matrix with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// The name, with the prefix of its group.
    pub name: String,
    /// Rows and columns; a scalar is `[1, 1]`.
    pub shape: [usize; 2],
    /// The elements, row by row.
    pub values: Values,
}

/// Elements of one dtype.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32 bits.
    F32(Vec<f32>),
    /// 64 bits.
    F64(Vec<f64>),
}

impl NamedTensor {
    /// Whether name, shape and every bit of the elements are the same.
    pub fn is_identical(&self, other: &Self) -> bool {
        self.name == other.name && self.shape == other.shape && self.values.first_difference(&other.values).is_none()
    }
}

impl Values {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as `f64`, exactly.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().copied().map(f64::from).collect(),
            Self::F64(values) => values.clone(),
        }
    }

    /// Whether all elements are finite.
    pub fn are_finite(&self) -> bool {
        match self {
            Self::F32(values) => values.iter().all(|value| value.is_finite()),
            Self::F64(values) => values.iter().all(|value| value.is_finite()),
        }
    }

    /// The first index at which two lists differ in their bits. Lists of different lengths differ at the end of the
    /// shorter one, lists of different dtypes at 0.
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let shorter = self.len().min(other.len());
        let at = match (self, other) {
            (Self::F32(a), Self::F32(b)) => a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits()),
            (Self::F64(a), Self::F64(b)) => a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits()),
            _ => Some(0),
        };
        at.or((self.len() != other.len()).then_some(shorter))
    }

    /// The element at an index.
    pub fn get(&self, index: usize) -> Option<f64> {
        match self {
            Self::F32(values) => values.get(index).map(|&value| f64::from(value)),
            Self::F64(values) => values.get(index).copied(),
        }
    }

    /// The dtype.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
        }
    }

    /// Passes the elements on as little-endian bytes, in pieces, so that no second copy is in memory.
    pub(crate) fn stream(&self, put: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        const PIECE: usize = 1 << 14;
        match self {
            Self::F32(values) => values
                .chunks(PIECE)
                .try_for_each(|piece| put(&piece.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())),
            Self::F64(values) => values
                .chunks(PIECE)
                .try_for_each(|piece| put(&piece.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())),
        }
    }
}

/// A matrix in host memory. The elements may be read from the device only now.
///
/// # Errors
/// When the device fails.
pub(crate) fn named(name: String, data: &TensorData) -> Result<NamedTensor> {
    let shape = [data.shape()[0], data.shape()[1]];
    let values = match data.dtype() {
        DType::F64 => Values::F64(data.try_to_vec_as().map_err(failed)?),
        _ => Values::F32(data.try_to_vec_as().map_err(failed)?),
    };
    Ok(NamedTensor { name, shape, values })
}

/// Saved elements as Burn's tensor data.
pub(crate) fn data(shape: [usize; 2], values: &Values) -> TensorData {
    match values {
        Values::F32(values) => TensorData::new(values.clone(), shape),
        Values::F64(values) => TensorData::new(values.clone(), shape),
    }
}

/// The error of a failed read from a device.
pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::internal("the device failed", error.to_string())
}
