//! What a graph must keep to before it is run: every tensor known, of the declared shape and kind, and no larger than
//! any cell needs. Memory that cannot be had would end the program, so sizes are looked at before they are made.

use std::collections::{HashMap, HashSet};

use burn::{
    backend::{
        DispatchTensor, TensorMetadata,
        ir::{BaseOperationIr, OperationIr, TensorId, TensorIr},
    },
    tensor::DType,
};
use hatchery_plugin::{
    Declaration, Name, PluginError,
    capture::{CALL, RecordedGraph},
};

/// Numbers of the largest tensor: 1 GiB of 64 bits.
const LARGEST: usize = 1 << 27;
/// Operations of the longest graph.
const LONGEST: usize = 100_000;
/// Dimensions of a tensor at most.
const DIMENSIONS: usize = 8;

type Known = HashMap<TensorId, (Vec<usize>, DType)>;

/// Checks everything that can be checked without running the graph.
pub(super) fn graph(
    captured: &RecordedGraph,
    arguments: &[(Name, [usize; 2])],
    results: &[(Name, [usize; 2])],
    dtype: DType,
) -> Result<(), PluginError> {
    let operations = &captured.graph.operations;
    if operations.len() > LONGEST {
        return Err(PluginError::new(format!("it has {} operations, at most {LONGEST} are allowed", operations.len())));
    }
    same_names("takes", &captured.inputs, arguments)?;
    same_names("gives", &captured.outputs, results)?;
    let mut known = Known::new();
    for ((name, id), (_, shape)) in captured.inputs.iter().zip(arguments) {
        if known.insert(*id, (shape.to_vec(), dtype)).is_some() {
            return Err(PluginError::new(format!("`{name}` is the same tensor as another argument")));
        }
    }
    for (id, data) in &captured.constants {
        let shape: Vec<_> = data.shape().iter().copied().collect();
        size("a constant", &shape)?;
        if known.insert(*id, (shape, data.dtype())).is_some() {
            return Err(PluginError::new(format!("{id} is a constant and an argument")));
        }
    }
    for (index, operation) in operations.iter().enumerate().filter(|(_, operation)| super::computes(operation)) {
        step(&format!("operation {index}, `{}`,", super::name(operation)), operation, &mut known)?;
    }
    for ((name, id), (_, shape)) in captured.outputs.iter().zip(results) {
        match known.get(id) {
            None => return Err(PluginError::new(format!("nothing computes its result `{name}`"))),
            Some((found, kind)) if found != shape || *kind != dtype => {
                return Err(PluginError::new(format!(
                    "its result `{name}` is {found:?} of {kind:?}, declared is {shape:?} of {dtype:?}"
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Checks that a graph calls the cell within as that is: an input and its state in, its output and state out.
pub(super) fn calls(
    captured: &RecordedGraph,
    dtype: DType,
    cell: Option<((usize, &Declaration), usize)>,
) -> Result<(), PluginError> {
    for operation in &captured.graph.operations {
        let OperationIr::Custom(call) = operation else { continue };
        let Some(((inputs, declared), batch)) = cell.filter(|_| call.id == CALL) else {
            return Err(PluginError::new(format!("the operation `{}` is not known here", call.id)));
        };
        let results = declared.results(batch);
        let wanted = |first: [usize; 2]| -> Vec<Vec<usize>> {
            std::iter::once(first).chain(results[1..].iter().map(|(_, shape)| *shape)).map(Vec::from).collect()
        };
        let found = |tensors: &[TensorIr]| -> Vec<Vec<usize>> { tensors.iter().map(|it| shape(&it.shape)).collect() };
        let is_float = call.inputs.iter().chain(&call.outputs).all(|tensor| tensor.dtype == dtype);
        let fits = found(&call.inputs) == wanted([batch, inputs]) && found(&call.outputs) == wanted(results[0].1);
        if !fits || !is_float {
            return Err(PluginError::new(format!(
                "it calls the cell within with {:?} for {:?}; it must be {:?} for {:?}",
                found(&call.inputs),
                found(&call.outputs),
                wanted([batch, inputs]),
                wanted(results[0].1)
            )));
        }
    }
    Ok(())
}

/// Compares what an operation made with what the graph says of it.
pub(super) fn made(label: &str, declared: &TensorIr, found: Option<&DispatchTensor>) -> Result<(), PluginError> {
    let Some(found) = found else { return Err(PluginError::new(format!("{label} leaves a result out"))) };
    let (shape, wanted) = (shape(&found.shape()), shape(&declared.shape));
    if shape != wanted {
        return Err(PluginError::new(format!("{label} makes {shape:?}, declared is {wanted:?}")));
    }
    let (kind, wanted) = (found.dtype(), declared.dtype);
    let same = if wanted.is_float() { kind == wanted } else { kind.is_float() == wanted.is_float() };
    if same { Ok(()) } else { Err(PluginError::new(format!("{label} makes {kind:?}, declared is {wanted:?}"))) }
}

fn step(label: &str, operation: &OperationIr, known: &mut Known) -> Result<(), PluginError> {
    let mut widest = [1u128; DIMENSIONS];
    for input in operation.inputs() {
        let declared = shape(&input.shape);
        match known.get(&input.id) {
            None => return Err(PluginError::new(format!("{label} reads {}, which nothing has computed", input.id))),
            Some((found, dtype)) if *found != declared || *dtype != input.dtype => {
                return Err(PluginError::new(format!(
                    "{label} reads {} as {declared:?} of {:?}; it is {found:?} of {dtype:?}",
                    input.id, input.dtype
                )));
            }
            Some(_) => {}
        }
        for (widest, size) in widest.iter_mut().zip(declared.iter().rev()) {
            *widest = (*widest).max(*size as u128);
        }
    }
    // No operation on two tensors makes more than the product of their widest dimensions, except a selection.
    if widest.iter().product::<u128>() > LARGEST as u128 {
        return Err(PluginError::new(format!("{label} is on tensors that are too large together")));
    }
    let mut outputs = HashSet::new();
    for out in operation.outputs() {
        let declared = shape(&out.shape);
        size(label, &declared)?;
        if !outputs.insert(out.id) || known.insert(out.id, (declared, out.dtype)).is_some() {
            return Err(PluginError::new(format!("{label} computes {}, which is there already", out.id)));
        }
    }
    made_to_measure(label, operation)
}

/// Operations that make as much as their arguments say, whatever is declared.
fn made_to_measure(label: &str, operation: &OperationIr) -> Result<(), PluginError> {
    let (OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base)) = operation else {
        return Ok(());
    };
    let (tensor, dim, size, out) = match base {
        BaseOperationIr::RepeatDim(desc) => {
            let size = desc.tensor.shape.get(desc.dim).and_then(|size| size.checked_mul(desc.times));
            (&desc.tensor, desc.dim, size, &desc.out)
        }
        BaseOperationIr::Select(desc) => (&desc.tensor, desc.dim, desc.indices.shape.first().copied(), &desc.out),
        _ => return Ok(()),
    };
    let mut expected = shape(&tensor.shape);
    match (expected.get_mut(dim), size) {
        (Some(place), Some(size)) => *place = size,
        _ => return Err(PluginError::new(format!("{label} is along dimension {dim} of {expected:?}"))),
    }
    let declared = shape(&out.shape);
    if declared == expected {
        Ok(())
    } else {
        Err(PluginError::new(format!("{label} makes {expected:?}, declared is {declared:?}")))
    }
}

fn same_names(verb: &str, found: &[(Name, TensorId)], wanted: &[(Name, [usize; 2])]) -> Result<(), PluginError> {
    let found: Vec<_> = found.iter().map(|(name, _)| name.as_ref()).collect();
    let wanted: Vec<_> = wanted.iter().map(|(name, _)| name.as_ref()).collect();
    if found == wanted { Ok(()) } else { Err(PluginError::new(format!("it {verb} {found:?}, it must be {wanted:?}"))) }
}

fn size(label: &str, shape: &[usize]) -> Result<(), PluginError> {
    let count = shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size));
    if shape.len() <= DIMENSIONS && count.is_some_and(|count| count <= LARGEST) {
        Ok(())
    } else {
        Err(PluginError::new(format!("{label} makes a tensor of shape {shape:?}, which is too large")))
    }
}

fn shape(shape: &burn::tensor::Shape) -> Vec<usize> {
    shape.iter().copied().collect()
}
