//! What a cell declares, and whether one step keeps to it.

use std::collections::HashSet;

use burn::tensor::DType;

use super::{
    super::{
        numbers::SplitMix,
        report::{Verdict, attempt},
    },
    Point, Size, start,
};
use crate::{Declaration, Initializer, ParamSpec, Rng, capture::capture_step, host::HostCell};

/// The first of each tell inputs from rows in a message about shapes.
const WIDTHS: [usize; 3] = [5, 1, 7];
const BATCHES: [usize; 4] = [3, 1, 2, 16];

/// The first values of a parameter, gate by gate.
pub(super) fn first_values(spec: &ParamSpec, rng: &mut dyn Rng) -> Vec<f64> {
    let shape = [spec.shape[0] / spec.gates, spec.shape[1]];
    (0..spec.gates).flat_map(|_| spec.initializer.fill(shape, rng)).collect()
}

pub(super) fn declaration(cell: &dyn HostCell) -> Verdict {
    let reference = cell.declare(WIDTHS[0])?;
    for inputs in WIDTHS {
        let declared = cell.declare(inputs)?;
        if declared.outputs == 0 {
            return Err(format!("`outputs({inputs})` is 0; the head on top of the cell needs at least one"));
        }
        let (again, only) = (cell.declare(inputs)?, "it must depend on keys and the width of the input only");
        if (&declared.state, declared.outputs) != (&again.state, again.outputs) {
            return Err(format!(
                "`state({inputs})` or `outputs({inputs})` says something else the second time; {only}"
            ));
        }
        if declared.params != again.params || declared.noise != again.noise {
            return Err(format!("`params({inputs})` or `noise({inputs})` says something else the second time; {only}"));
        }
        let params = &declared.params;
        let names: Vec<_> = params.iter().map(|spec| &*spec.name).collect();
        unique(&format!("params({inputs})"), &names)?;
        let kind = |spec: &ParamSpec| (spec.name.clone(), spec.gates, std::mem::discriminant(&spec.initializer));
        if !params.iter().map(kind).eq(reference.params.iter().map(kind)) {
            return Err(format!(
                "`params({inputs})` and `params({})` differ in more than shapes: names, their order, gates and \
                 initializers must not depend on the width of the input",
                WIDTHS[0]
            ));
        }
        params.iter().try_for_each(|spec| fits(spec).map_err(|wrong| format!("`params({inputs})`: {wrong}")))?;
        declared.check().map_err(|wrong| format!("for inputs of width {inputs}: {wrong}"))?;
        let names = |declared: &Declaration| {
            declared.arguments(inputs, 1).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        if names(&declared) != names(&reference) {
            return Err(format!(
                "for inputs of width {inputs} and {} a step has other arguments: names and their order must not depend on \
                 the width of the input",
                WIDTHS[0]
            ));
        }
    }
    let Declaration { params, state, outputs, .. } = reference;
    Ok(format!("{} parameters, {} states, {outputs} outputs", params.len(), state.len()))
}

fn unique(place: &str, names: &[&str]) -> Result<(), String> {
    let mut seen = HashSet::new();
    if names.iter().any(|name| name.trim().is_empty()) {
        return Err(format!("`{place}` declares an empty name"));
    }
    match names.iter().find(|name| !seen.insert(**name)) {
        Some(name) => Err(format!("`{place}` declares `{name}` twice")),
        None => Ok(()),
    }
}

/// Whether the first values of a parameter can be drawn, are numbers, and are the same for the same seed.
fn fits(spec: &ParamSpec) -> Result<(), String> {
    let ParamSpec { name, shape: [rows, columns], initializer, gates } = spec;
    if *rows == 0 || *columns == 0 {
        return Err(format!("`{name}` is {rows} by {columns}"));
    }
    if *gates == 0 || !rows.is_multiple_of(*gates) {
        return Err(format!("the {rows} rows of `{name}` cannot be cut into {gates} equal gates"));
    }
    let gate = rows / gates * columns;
    if let Initializer::Values { values } = initializer
        && values.len() != gate
    {
        return Err(format!("`{name}` lists {} first values for {gate} entries (of one gate)", values.len()));
    }
    let drawn = first_values(spec, &mut SplitMix::new(1));
    if drawn != first_values(spec, &mut SplitMix::new(1)) {
        return Err(format!("the first values of `{name}` differ between two draws of one seed"));
    }
    match drawn.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("`{name}` starts with the value {value}")),
        None => Ok(()),
    }
}

pub(super) fn shapes(cell: &dyn HostCell) -> Verdict {
    for inputs in WIDTHS {
        for batch in BATCHES {
            shapes_with(cell, batch, inputs)?;
        }
    }
    Ok(format!("batch sizes {BATCHES:?}, input widths {WIDTHS:?}"))
}

pub(super) fn shapes_at(cell: &dyn HostCell, batch: usize) -> Verdict {
    shapes_with(cell, batch, WIDTHS[0])?;
    Ok(format!("batch size {batch}"))
}

fn shapes_with(cell: &dyn HostCell, batch: usize, inputs: usize) -> Result<(), String> {
    let kept = |wrong: String| {
        if wrong.contains("capture scope is already complete") {
            "it uses a tensor that it kept from an earlier call; what is carried is a vector of `state`".to_owned()
        } else {
            wrong
        }
    };
    let shapes = attempt(|| shapes_of(cell, Size { batch, inputs, steps: 1 })).flatten();
    shapes.map_err(|wrong| sizes(batch, inputs, &kept(wrong)))
}

fn sizes(batch: usize, inputs: usize, wrong: &str) -> String {
    format!("with batch {batch} and {inputs} inputs: {wrong}")
}

/// Whether the cell can be recorded: what does not fit is explained there.
pub(super) fn recorded(cell: &dyn HostCell) -> Verdict {
    let (batch, inputs) = (BATCHES[0], WIDTHS[0]);
    let recorded =
        attempt(|| capture_step(cell, inputs, batch, DType::F64)).map_err(|wrong| sizes(batch, inputs, &wrong))?;
    let recorded = recorded.map_err(|error| {
        let hint = error.hint.map_or_else(String::new, |hint| format!("; {hint}"));
        sizes(batch, inputs, &(error.message + &hint))
    })?;
    Ok(format!("{} operations", recorded.graph.operations.len()))
}

fn shapes_of(cell: &dyn HostCell, size: Size) -> Result<(), String> {
    let Size { batch, inputs, .. } = size;
    let widths = cell.declare(inputs)?;
    let declared = start(&widths, batch);
    let shapes = |matrices: &[super::Matrix]| -> Vec<_> {
        matrices.iter().map(|matrix| (matrix.name.clone(), matrix.shape)).collect()
    };
    let trace = Point::first(cell, size, &mut SplitMix::new(1))?.run(cell, DType::F64)?;
    let (output, next) = (&trace.outputs[0], &trace.states[0]);
    let expected = [batch, widths.outputs];
    if output.shape != expected {
        return Err(format!("the output is {:?}, not [batch, outputs] = {expected:?}", output.shape));
    }
    if shapes(next) != shapes(&declared) {
        return Err(format!(
            "the next state is {:?}, declared is {:?}: `step` returns every vector of `state()`, in that order",
            shapes(next),
            shapes(&declared)
        ));
    }
    Ok(())
}

/// One step, because the next would mix the two precisions and panic.
pub(super) fn dtype_kept(cell: &dyn HostCell) -> Verdict {
    let point = Point::first(cell, Size { batch: 3, inputs: 3, steps: 1 }, &mut SplitMix::new(1))?;
    for dtype in [DType::F32, DType::F64] {
        let trace = point.run(cell, dtype)?;
        if let Some((_, matrix)) = trace.matrices().find(|(_, matrix)| matrix.dtype != dtype) {
            return Err(format!(
                "with {dtype:?} everywhere, `{}` is {:?} after a step; make constants with the dtype of an argument, \
                 and cast nothing",
                matrix.name, matrix.dtype
            ));
        }
    }
    Ok("F32, F64".into())
}
