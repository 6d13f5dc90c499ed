//! Heads: parts of a vector that have a matrix each as state, and the norms of what is read from it.

use hatchery_plugin::{
    burn::tensor::{TensorData, activation::silu},
    prelude::*,
};

/// Added to a mean of squares, and to a sum of squares.
const EPSILON: f64 = 1e-6;

/// Refuses a width that has no equal heads.
pub(crate) fn divide(hidden: usize, heads: usize) -> Result<(), PluginError> {
    if hidden.is_multiple_of(heads) {
        return Ok(());
    }
    let wrong = format!("`hidden = {hidden}` cannot be divided into {heads} heads");
    Err(PluginError::new(wrong).hint(format!("take a multiple: `hidden = {}`", hidden.next_multiple_of(heads))))
}

/// `[batch, heads × width]` as a column for each head, `[batch, heads, width, 1]`; one value a head is a column of one.
pub(crate) fn columns(x: Tensor<2>, heads: usize) -> Tensor<4> {
    let [batch, width] = x.dims();
    x.reshape([batch, heads, width / heads, 1])
}

/// `[batch, heads × width]` as a row for each head: `[batch, heads, 1, width]`.
pub(crate) fn rows(x: Tensor<2>, heads: usize) -> Tensor<4> {
    let [batch, width] = x.dims();
    x.reshape([batch, heads, 1, width / heads])
}

/// `[batch, heads × rows × columns]` as a matrix for each head: `[batch, heads, rows, columns]`.
pub(crate) fn matrices(x: Tensor<2>, heads: usize, rows: usize) -> Tensor<4> {
    let [batch, width] = x.dims();
    x.reshape([batch, heads, rows, width / heads / rows])
}

/// All of a row side by side: `[batch, heads × rows × columns]`.
pub(crate) fn flat(x: Tensor<4>) -> Tensor<2> {
    let [batch, heads, rows, columns] = x.dims();
    x.reshape([batch, heads * rows * columns])
}

/// Columns of length one: `[batch, heads, width, 1]`.
pub(crate) fn unit(x: Tensor<4>) -> Tensor<4> {
    x.clone() / (x.square().sum_dim(2) + EPSILON).sqrt()
}

/// Columns whose mean square is one: `[batch, heads, width, 1]`.
pub(crate) fn rms(x: Tensor<4>) -> Tensor<4> {
    x.clone() / (x.square().mean_dim(2) + EPSILON).sqrt()
}

/// What is read from the matrices, `[batch, heads, width, 1]`, normalized for each head and gated: `[batch, hidden]`.
pub(crate) fn gated(y: Tensor<4>, gain: Tensor<2>, gate: Tensor<2>) -> Tensor<2> {
    flat(rms(y)) * gain * silu(gate)
}

/// Rows whose mean square is one, each column with its gain: `[batch, hidden]`.
pub(crate) fn rms_of_all(y: Tensor<2>, gain: Tensor<2>) -> Tensor<2> {
    y.clone() / (y.square().mean_dim(1) + EPSILON).sqrt() * gain
}

/// `(x − mean) / sqrt(var + ε)` of every row: `[batch, width]`.
pub(crate) fn standardized(x: Tensor<2>) -> Tensor<2> {
    let centered = x.clone() - x.mean_dim(1); // [batch, width]
    let variance = centered.clone().square().mean_dim(1); // [batch, 1]
    centered / (variance + 1e-5).sqrt()
}

/// `ln(1 + exp(x))`.
pub(crate) fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    hatchery_plugin::burn::tensor::activation::log_sigmoid(x.neg()).neg()
}

/// A parameter `[1, width]` that is first `value` everywhere.
pub(crate) fn all(name: impl Into<Name>, width: usize, value: f64) -> ParamSpec {
    bias(name, width).initializer(Initializer::Constant { value })
}

/// A bias `[1, values]` with these first values, each for `width` units.
pub(crate) fn blocks(name: impl Into<Name>, width: usize, values: &[f64]) -> ParamSpec {
    let values: Vec<f64> = values.iter().flat_map(|value| vec![*value; width]).collect();
    bias(name, values.len()).initializer(Initializer::Values { values })
}

/// A matrix whose first values are a function of row and column.
pub(crate) fn filled(name: impl Into<Name>, shape: [usize; 2], value: impl Fn(usize, usize) -> f64) -> ParamSpec {
    let [_, columns] = shape;
    let values = (0..shape[0] * columns).map(|at| value(at / columns, at % columns)).collect();
    ParamSpec::new(name, shape, Initializer::Values { values })
}

/// The middle of part `index` of `count` equal parts of (0, 1): first values that are spread instead of drawn.
pub(crate) fn spread(index: usize, count: usize) -> f64 {
    (index as f64 + 0.5) / count as f64
}

/// A matrix of constants, of the dtype and on the device of another matrix.
pub(crate) fn constant(shape: [usize; 2], like: &Tensor<2>, value: impl Fn(usize, usize) -> f64) -> Tensor<2> {
    let values: Vec<f64> = (0..shape[0] * shape[1]).map(|at| value(at / shape[1], at % shape[1])).collect();
    Tensor::from_data(TensorData::new(values, shape), (&like.device(), like.dtype()))
}
