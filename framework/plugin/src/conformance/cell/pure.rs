//! Checks that a cell's step depends on its arguments alone, and each row of its results on its own row of them alone.

use burn::tensor::{DType, Device};

use super::{
    super::{
        numbers::{Matrix, SplitMix, read, tensors},
        report::Verdict,
    },
    Point, Size, Trace,
};
use crate::{Rng, host::HostCell};

/// The tolerance for the results of a row at another place in the batch: a backend may sum a matrix product in another
/// order there.
const ROUNDING: f64 = 1e-12;

pub(super) fn rows_independent(cell: &dyn HostCell) -> Verdict {
    let size = Size { batch: 5, inputs: 3, steps: 3 };
    let point = Point::random(cell, size, 1)?;
    let base = point.run(cell, DType::F64)?;

    // Only one row changes: all others must keep every bit.
    for row in 0..size.batch {
        let mut moved = point.clone();
        let mut rng = SplitMix::new(100 + row as u64);
        for matrix in moved.inputs.iter_mut().chain(&mut moved.state) {
            let width = matrix.shape[1];
            for value in &mut matrix.values[row * width..(row + 1) * width] {
                *value *= 1.0 + rng.uniform();
            }
        }
        let others: Vec<_> = (0..size.batch).filter(|other| *other != row).collect();
        let moved = moved.run(cell, DType::F64)?;
        if let Some(difference) = base.rows(&others).first_difference(&moved.rows(&others)) {
            return Err(format!(
                "changing row {row} of the batch changes others (counted without it): {difference}; look for a \
                 reduction over, or a reshape across, dimension 0"
            ));
        }
    }

    // The rows in another order, and single rows.
    let orders: [&[usize]; 4] = [&[3, 0, 4, 1, 2], &[4, 3, 2, 1, 0], &[0], &[4]];
    let mut largest = 0.0_f64;
    for order in orders {
        let (difference, place) = base.rows(order).largest_difference(&point.rows(order).run(cell, DType::F64)?);
        if difference.is_nan() || difference > ROUNDING {
            return Err(format!(
                "rows {order:?} of a batch of {} and a batch of these rows differ by {difference:.1e}: {place}; a \
                 row's result must not depend on its place or on the size of the batch",
                size.batch
            ));
        }
        largest = largest.max(difference);
    }
    Ok(format!("largest relative difference in another order {largest:.1e}"))
}

pub(super) fn nothing_else(cell: &dyn HostCell, twin: &dyn HostCell) -> Verdict {
    const LOOK: &str = "a cell is a pure function: look for a `Mutex`, a `Cell`, a static, or random numbers in `step`";
    let size = Size { batch: 2, inputs: 3, steps: 4 };
    let (point, other) = (Point::random(cell, size, 1)?, Point::random(cell, size, 2)?);
    let first = point.run(cell, DType::F64)?;
    let same = |what: &str, again: &Trace| match first.first_difference(again) {
        Some(difference) => Err(format!("{what}: {difference}; {LOOK}")),
        None => Ok(()),
    };
    same("the same arguments again give something else", &point.run(cell, DType::F64)?)?;
    other.run(cell, DType::F64)?;
    same("after a run with other arguments, the same give something else", &point.run(cell, DType::F64)?)?;
    same("two cells of the same keys differ", &point.run(twin, DType::F64)?)?;
    // What a library records it records once for each size: memory shows between two recordings of one.
    for batch in 1..=4 {
        let point = Point::random(cell, Size { batch, ..size }, 1)?;
        if let Some(difference) = point.run(cell, DType::F64)?.first_difference(&point.run(twin, DType::F64)?) {
            return Err(format!("two cells of the same keys differ: {difference}; {LOOK}"));
        }
    }

    // The last step on its own, from the state after the step before it.
    let last = size.steps - 1;
    let alone = Point {
        params: point.params.clone(),
        noise: point.noise.clone(),
        inputs: vec![point.inputs[last].clone()],
        state: first.states[last - 1].clone(),
        begins: false,
    };
    other.run(cell, DType::F64)?;
    let alone = alone.run(cell, DType::F64)?;
    let continued = Trace { outputs: vec![first.outputs[last].clone()], states: vec![first.states[last].clone()] };
    // A tensor that is in memory in another way may be summed up in another order.
    let (apart, difference) = continued.largest_difference(&alone);
    if apart.is_nan() || apart > ROUNDING {
        return Err(format!(
            "the last of {} steps gives something else when it is made on its own from the same state, as after a \
             checkpoint: {difference}; {LOOK}, and declare all that is carried in `state()`",
            size.steps
        ));
    }
    Ok("same bits again, from a second cell, and from the middle".into())
}

/// What a cell derives, as far as it differs from its parameters.
fn derivation(cell: &dyn HostCell, point: &Point) -> Result<Trace, String> {
    let device = Device::flex();
    let declared = cell.declare(point.width())?;
    let of_update = point.noise.iter().filter(|noise| !noise.is_of_rows).cloned();
    let given: Vec<Matrix> = point.params.iter().cloned().chain(of_update).collect();
    let derived = read(&cell.derive(point.width(), tensors(&given, &device, DType::F64))?);
    let shapes: Vec<_> = derived.iter().map(|matrix| (matrix.name.clone().into(), matrix.shape)).collect();
    if shapes != declared.matrices() {
        return Err(format!("`derive` returns {shapes:?}, where its recording has {:?}", declared.matrices()));
    }
    Ok(Trace { outputs: derived, states: vec![Vec::new(); shapes.len()] })
}

/// A recording of `derive` is replayed with other parameters: nothing else may have an influence.
pub(super) fn derived(cell: &dyn HostCell, twin: &dyn HostCell) -> Verdict {
    let size = Size { batch: 2, inputs: 3, steps: 1 };
    let (point, other) = (Point::random(cell, size, 1)?, Point::random(cell, size, 2)?);
    let first = derivation(cell, &point)?;
    let same = |what: &str, again: &Trace| match first.first_difference(again) {
        Some(difference) => Err(format!(
            "{what}: {difference}; `derive` is a pure function of its argument: look for a `Mutex`, a `Cell`, a static, or \
             random numbers in it"
        )),
        None => Ok(()),
    };
    same("the same parameters again give something else", &derivation(cell, &point)?)?;
    derivation(cell, &other)?;
    same("after other parameters, the same give something else", &derivation(cell, &point)?)?;
    same("two cells of the same keys differ", &derivation(twin, &point)?)?;
    Ok(match cell.declare(size.inputs)?.derived {
        Some(derived) => format!("{} matrices", derived.len()),
        None => "the parameters as they are".into(),
    })
}

/// Noise that changes nothing was forgotten in `step`, and the model trains without it.
pub(super) fn noise_used(cell: &dyn HostCell) -> Verdict {
    let size = Size { batch: 3, inputs: 3, steps: 3 };
    let point = Point::random(cell, size, 1)?;
    let base = point.run(cell, DType::F64)?;
    for index in 0..point.noise.len() {
        let mut moved = point.clone();
        moved.noise[index].values.iter_mut().for_each(|value| *value = 1.0 - 0.5 * *value);
        if base.first_difference(&moved.run(cell, DType::F64)?).is_none() {
            let name = &point.noise[index].name;
            return Err(format!(
                "other values of `{name}` change no output and no state; use it in `step` or `derive`"
            ));
        }
    }
    Ok(if point.noise.is_empty() { "none is declared".into() } else { format!("{} matrices", point.noise.len()) })
}

pub(super) fn causal(cell: &dyn HostCell) -> Verdict {
    let size = Size { batch: 2, inputs: 3, steps: 6 };
    let point = Point::random(cell, size, 1)?;
    let base = point.run(cell, DType::F64)?;
    for kept in 1..size.steps {
        let mut changed = point.clone();
        let mut rng = SplitMix::new(kept as u64);
        for input in &mut changed.inputs[kept..] {
            input.values.iter_mut().for_each(|value| *value = rng.normal());
        }
        let changed = changed.run(cell, DType::F64)?;
        let prefix =
            |trace: &Trace| Trace { outputs: trace.outputs[..kept].to_vec(), states: trace.states[..kept].to_vec() };
        if let Some(difference) = prefix(&base).first_difference(&prefix(&changed)) {
            return Err(format!(
                "other inputs after step {kept} change what came before: {difference}; a step may know only its own \
                 input and the state"
            ));
        }
    }
    Ok(format!("{} steps", size.steps))
}
