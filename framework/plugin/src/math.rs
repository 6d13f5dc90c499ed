//! The few functions that nearly every cell needs.

use burn::{
    Tensor,
    tensor::{TensorData, activation},
};

// ANCHOR: linear
/// `x Wᵀ + b`: `x` is `[batch, inputs]`, `w` `[outputs, inputs]`, `b` `[1, outputs]`; the result `[batch, outputs]`.
pub fn linear(x: Tensor<2>, w: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    linear_no_bias(x, w) + b
}
// ANCHOR_END: linear

// ANCHOR: linear_no_bias
/// `x Wᵀ`: `x` is `[batch, inputs]`, `w` `[outputs, inputs]`; the result `[batch, outputs]`.
pub fn linear_no_bias(x: Tensor<2>, w: Tensor<2>) -> Tensor<2> {
    x.matmul(w.transpose())
}
// ANCHOR_END: linear_no_bias

/// `1 - x`, element by element: the other side of a gate. Rust has no `1.0 - x` for tensors.
pub fn one_minus(x: Tensor<2>) -> Tensor<2> {
    x.neg() + 1.0
}

/// A constant matrix, on the device and with the element type of `like`.
///
/// ```
/// use hatchery_plugin::prelude::*;
///
/// fn scaled(x: Tensor<2>) -> Tensor<2> {
///     let scale = constant(&x, [[0.5, 2.0]]); // [1, 2]
///     x * scale
/// }
/// ```
pub fn constant<const ROWS: usize, const COLUMNS: usize>(
    like: &Tensor<2>,
    values: [[f64; COLUMNS]; ROWS],
) -> Tensor<2> {
    let data = TensorData::new(values.concat(), [ROWS, COLUMNS]);
    Tensor::from_data(data, (&like.device(), like.dtype()))
}

/// The logistic function, `1 / (1 + exp(-x))`.
pub fn sigmoid(x: Tensor<2>) -> Tensor<2> {
    activation::sigmoid(x)
}

/// The piecewise linear approximation of the logistic function, `clip(0.2 x + 0.5, 0, 1)`, as in early versions of Keras.
pub fn hard_sigmoid(x: Tensor<2>) -> Tensor<2> {
    (x * 0.2 + 0.5).clamp(0.0, 1.0)
}

/// Splits `[batch, PARTS × width]` into `PARTS` matrices `[batch, width]`, from left to right, such as stacked gates.
/// The number of parts follows from the pattern: `let [r, z, n] = chunk(x)`.
///
/// # Panics
/// When the columns do not divide evenly.
#[track_caller]
pub fn chunk<const PARTS: usize>(x: Tensor<2>) -> [Tensor<2>; PARTS] {
    let [_, columns] = x.dims();
    assert!(columns % PARTS == 0, "{columns} columns cannot be split into {PARTS} equal parts");
    let width = columns / PARTS;
    std::array::from_fn(|part| x.clone().narrow(1, part * width, width)) // [batch, width]
}
