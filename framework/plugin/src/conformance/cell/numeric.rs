//! The precision and the range of a cell's numbers.

use burn::tensor::DType;

use super::{
    super::{numbers::Matrix, report::Verdict},
    Point, Size, gradients,
};
use crate::{PluginError, host::HostCell};

/// How far single precision may be from double over four steps, relative to the entry or to one.
const SINGLE_TOLERANCE: f64 = 1e-4;

/// A change that double precision sees well and single precision does not: its last bit is at 6e-8.
const FINE: f64 = 1e-11;

/// A change that any number sees that has an influence at all.
const COARSE: f64 = 1e-2;

const SIZE: Size = Size { batch: 3, inputs: 3, steps: 4 };

/// Moves each matrix by less than single precision can tell: somewhere the result must move too.
pub(super) fn double_used(cell: &dyn HostCell) -> Verdict {
    let mut point = Point::random(cell, SIZE, 1)?;
    let base = point.run(cell, DType::F64)?;
    let names: Vec<_> = point.matrices_mut().map(|matrix| matrix.name.clone()).collect();
    let declared = cell.declare(SIZE.inputs)?;
    for (index, name) in names.iter().enumerate().filter(|(_, name)| declared.has_gradient(name)) {
        let moves = |by: f64| {
            let mut moved = point.clone();
            let matrix = moved.matrices_mut().nth(index).expect("it has a name");
            matrix.values.iter_mut().for_each(|value| *value *= 1.0 + by);
            Ok::<_, PluginError>(base.first_difference(&moved.run(cell, DType::F64)?).is_some())
        };
        if !moves(FINE)? && moves(COARSE)? {
            return Err(format!(
                "changing `{name}` by {FINE:e} of itself changes no bit of any output or state, changing it by {COARSE} \
                 does: it passes through single precision; look for a cast or for arithmetic on the host"
            ));
        }
    }
    Ok(format!("{} matrices moved by {FINE:e}", names.len()))
}

pub(super) fn single_agrees(cell: &dyn HostCell) -> Verdict {
    let mut largest = 0.0_f64;
    for seed in 1..=3 {
        let point = Point::random(cell, SIZE, seed)?;
        let (difference, place) = point.run(cell, DType::F64)?.largest_difference(&point.run(cell, DType::F32)?);
        if difference.is_nan() || difference > SINGLE_TOLERANCE {
            return Err(format!(
                "{place} in F64 and F32: a relative difference of {difference:.1e}; look for a difference of large \
                 numbers or a constant that single precision cannot hold"
            ));
        }
        largest = largest.max(difference);
    }
    Ok(format!("largest relative difference {largest:.1e}"))
}

/// Ordinary inputs and states: a cell that is not finite there can pass no other check.
pub(super) fn finite_ordinary(cell: &dyn HostCell) -> Verdict {
    const LOOK: &str = "look for 0/0, a root of zero, or the logarithm of what may be negative";
    for seed in 1..=3 {
        finite_at(cell, &Point::random(cell, SIZE, seed)?, seed, DType::F64)
            .map_err(|what| format!("{what}; {LOOK}"))?;
    }
    Ok("3 random points".into())
}

/// Where every training begins biases are zero, and so are the state and the first input: a norm of them is 0, and the
/// slope of a root is infinite there.
pub(super) fn finite_first(cell: &dyn HostCell) -> Verdict {
    for dtype in [DType::F64, DType::F32] {
        let point = Point::beginning(cell, SIZE, 1)?;
        finite_at(cell, &point, 1, dtype).map_err(|what| {
            format!(
                "at the first values of a training in {dtype:?} (biases, state and first input are 0) {what}; add a small \
                 number within the root: `(x.square().sum_dim(1) + 1e-5).sqrt()`"
            )
        })?;
    }
    Ok("values and gradients, first input 0".into())
}

/// Inputs of ±50 saturate every gate and send what has no bound far out.
pub(super) fn finite_large(cell: &dyn HostCell) -> Verdict {
    const LARGE: f64 = 50.0;
    let size = Size { batch: 5, inputs: 7, steps: 4 };
    for dtype in [DType::F64, DType::F32] {
        for seed in 1..=3 {
            let mut point = Point::random(cell, size, seed)?;
            for input in &mut point.inputs {
                input.values.iter_mut().for_each(|value| *value = LARGE.copysign(*value));
            }
            finite_at(cell, &point, seed, dtype).map_err(|what| {
                format!(
                    "for inputs of ±{LARGE} in {dtype:?} {what}; look for an `exp` or a division, and use a form that \
                     does not overflow (`sigmoid`, `log_sigmoid`, a maximum taken off first)"
                )
            })?;
        }
    }
    Ok(format!("inputs of ±{LARGE}"))
}

/// Whether values and gradients are finite: which is not, if not.
fn finite_at(cell: &dyn HostCell, point: &Point, seed: u64, dtype: DType) -> Result<(), String> {
    let trace = point.run(cell, dtype)?;
    let not_finite =
        |(step, matrix): (usize, &Matrix)| matrix.first_not_finite().map(|entry| format!("{entry} after step {step}"));
    if let Some(what) = trace.matrices().find_map(not_finite) {
        return Err(what);
    }
    match gradients::of(cell, point, seed, dtype)?.matrices().find_map(Matrix::first_not_finite) {
        Some(what) => Err(format!("the gradient of {what}")),
        None => Ok(()),
    }
}
