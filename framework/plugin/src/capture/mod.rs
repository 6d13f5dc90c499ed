//! Recording what a plugin computes as a graph of Burn operations, without computing it.
//!
//! A cell's step, what it derives from its parameters, and a clipper are pure functions of named matrices. Run once on Burn's capture device they leave behind a
//! [`GraphIr`]: what a library loaded at run time hands over, and what the compiled executor
//! compiles. Shapes are those of the capture, so a batch size is written into slices and constants.

mod fault;
mod panic;
mod wrapper;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use burn::{
    Tensor,
    backend::{
        BackendTensor, DispatchTensorKind,
        ir::{BaseOperationIr, GraphIr, OperationIr, TensorId},
    },
    tensor::{DType, Device, TensorData},
};

pub(crate) use self::fault::did_you_mean;
pub(crate) use self::wrapper::{Call, with_derived as wrapper_with_derived};
pub use self::{
    panic::catch_panic,
    wrapper::{CALL, capture_wrapper, capture_wrapper_derive, wrapper_shapes},
};
use crate::{
    Declaration, Gradients, Name, NamedShape, Params, PluginError, State, StateSpec,
    host::{HostCell, HostClipper},
};

/// A recorded function of named matrices.
#[derive(Clone, Debug)]
pub struct RecordedGraph {
    /// The operations, in the order of execution, with inputs and outputs in the order of the lists below. Outputs that
    /// are the same tensor are in it once.
    pub graph: GraphIr,
    /// The arguments.
    pub inputs: Vec<(Name, TensorId)>,
    /// The results. Two of them may be one tensor, and a result may be an argument.
    pub outputs: Vec<(Name, TensorId)>,
    /// Constants of the function, such as those of `Tensor::from_floats`.
    pub constants: BTreeMap<TensorId, TensorData>,
}

/// What a cell declares for one width of its input, and its recorded graphs.
#[derive(Clone, Debug)]
pub struct RecordedCell {
    /// What it declares.
    pub declared: Declaration,
    /// What it computes once an update: from [`Declaration::fixed`] to [`Declaration::matrices`]; none if they are the same.
    pub derive: Option<RecordedGraph>,
    /// One time step: from [`Declaration::arguments`] to [`Declaration::results`].
    pub step: RecordedGraph,
}

/// Records a cell for an input width, a batch size and an element type.
///
/// # Errors
/// When the cell panics, reads the values of a tensor, or does not return what it declares.
pub fn capture_cell(
    cell: &dyn HostCell,
    inputs: usize,
    batch: usize,
    dtype: DType,
) -> Result<RecordedCell, PluginError> {
    let declared = cell.declare(inputs)?;
    let derive = declared.derived.is_some().then(|| capture_derive(cell, inputs, dtype)).transpose()?;
    let step = capture_step(cell, inputs, batch, dtype)?;
    Ok(RecordedCell { declared, derive, step })
}

/// Records one step of a cell as a plain function, from [`Declaration::arguments`] to [`Declaration::results`].
///
/// # Errors
/// When the step panics, reads the values of a tensor, or does not return what the cell declares.
pub fn capture_step(
    cell: &dyn HostCell,
    inputs: usize,
    batch: usize,
    dtype: DType,
) -> Result<RecordedGraph, PluginError> {
    let declared = cell.declare(inputs)?;
    let arguments = declared.arguments(inputs, batch);
    let (first_vector, names) =
        (arguments.len() - declared.state.len(), arguments.iter().map(|(name, _)| name.clone()));
    let names: Vec<Name> = names.collect();
    let step = |mut tensors: Vec<Tensor<2>>| {
        let before: State = names[first_vector..].iter().cloned().zip(tensors.split_off(first_vector)).collect();
        let given: Params = names[1..].iter().cloned().zip(tensors.split_off(1)).collect();
        let x = tensors.pop().expect("x is the first argument");
        let (output, next) = cell.step(&given, x, before)?;
        let mut results = vec![(Name::from("output"), output)];
        results.extend(vectors(&declared.state, &next)?);
        check_shapes(&results, &declared.results(batch), &arguments)?;
        Ok(results)
    };
    capture(&arguments, dtype, step)
}

/// The vectors of a state that `step` returned, by their declared names.
fn vectors(declared: &[StateSpec], next: &State) -> Result<Vec<(Name, Tensor<2>)>, PluginError> {
    let vector = |StateSpec { name, .. }: &StateSpec| match next.find(name) {
        Some(vector) => Ok((name.clone(), vector.clone())),
        None => {
            let returned: Vec<_> = next.names().map(|name| format!("`{name}`")).collect();
            let returned = if returned.is_empty() { "no vector".to_owned() } else { returned.join(", ") };
            Err(PluginError::new(format!("`step` does not return the state `{name}`, it returns {returned}"))
                .hint("the vectors have the names that `state` declares, with or without a change"))
        }
    };
    if let Some(name) = next.names().find(|name| !declared.iter().any(|spec| spec.name == *name)) {
        declared.iter().try_for_each(|spec| vector(spec).map(drop))?;
        return Err(PluginError::new(format!("`step` returns a state `{name}`, which `state` does not declare"))
            .hint(format!("declare it: `zeros(\"{name}\", width)`")));
    }
    declared.iter().map(vector).collect()
}

fn check_shapes(
    results: &[(Name, Tensor<2>)],
    declared: &[NamedShape],
    arguments: &[NamedShape],
) -> Result<(), PluginError> {
    for ((name, tensor), (_, declared)) in results.iter().zip(declared) {
        let shape = tensor.dims();
        if shape != *declared {
            let wrong = PluginError::new(format!("`{name}` is {shape:?} after the step, declared is {declared:?}"));
            let column =
                arguments.iter().find(|(_, [rows, columns])| *columns == 1 && *rows > 1 && *rows == declared[1]);
            return Err(match column {
                Some((name, [rows, _])) => wrong.hint(format!(
                    "`{name}` is [{rows}, 1]; a bias is a row, [1, outputs]: `bias(\"{name}\", {rows})`"
                )),
                None => wrong,
            });
        }
    }
    Ok(())
}

/// Records what a cell computes from its parameters once an update, from [`Declaration::fixed`] to
/// [`Declaration::matrices`].
///
/// # Errors
/// When it panics or reads the values of a tensor.
pub fn capture_derive(cell: &dyn HostCell, inputs: usize, dtype: DType) -> Result<RecordedGraph, PluginError> {
    derive_with_shapes(cell, inputs, &cell.declare(inputs)?, dtype).map(|(recorded, _)| recorded)
}

/// The declaration of a linked-in cell with what its `derive` returns.
pub(crate) fn with_derived(
    cell: &dyn HostCell,
    inputs: usize,
    declared: Declaration,
) -> Result<Declaration, PluginError> {
    let (recorded, shapes) = derive_with_shapes(cell, inputs, &declared, DType::F32)?;
    let changes = recorded.inputs != recorded.outputs;
    Ok(Declaration { derived: changes.then_some(shapes), ..declared })
}

fn derive_with_shapes(
    cell: &dyn HostCell,
    inputs: usize,
    declared: &Declaration,
    dtype: DType,
) -> Result<(RecordedGraph, Vec<NamedShape>), PluginError> {
    let (fixed, mut shapes) = (declared.fixed(), Vec::new());
    let recorded = capture(&fixed, dtype, |tensors| {
        let params = fixed.iter().map(|(name, _)| name.clone()).zip(tensors).collect();
        let derived: Vec<_> = cell.derive(inputs, params)?.into_iter().collect();
        shapes = derived.iter().map(|(name, matrix)| (name.clone(), matrix.dims())).collect();
        Ok(derived)
    })
    .map_err(|error| error.within("`derive`"))?;
    Ok((recorded, shapes))
}

/// Records what a clipper does to gradients of these names and shapes.
///
/// # Errors
/// When the clipper panics, reads the values of a tensor, or returns other names or shapes than it was given.
pub fn capture_clipper(
    clipper: &dyn HostClipper,
    shapes: &[(Name, [usize; 2])],
    dtype: DType,
) -> Result<RecordedGraph, PluginError> {
    capture(shapes, dtype, |tensors| {
        let gradients: Gradients = shapes.iter().map(|(name, _)| name.clone()).zip(tensors).collect();
        let clipped = clipper.clip(gradients)?;
        if clipped.len() != shapes.len() {
            let (before, after) = (shapes.len(), clipped.len());
            return Err(PluginError::new(format!("{before} gradients went in, {after} came out")));
        }
        let of = |(name, shape): &(Name, [usize; 2])| {
            let gradient = clipped.get(name);
            let after = gradient.dims();
            if after == *shape {
                Ok((name.clone(), gradient))
            } else {
                Err(PluginError::new(format!("`{name}` went in as {shape:?} and came out as {after:?}")))
            }
        };
        shapes.iter().map(of).collect()
    })
}

/// Records any pure function of matrices.
///
/// # Errors
/// Those of the function, and when it panics or reads the values of a tensor: while recording there are none.
pub fn capture(
    inputs: &[(Name, [usize; 2])],
    dtype: DType,
    function: impl FnOnce(Vec<Tensor<2>>) -> Result<Vec<(Name, Tensor<2>)>, PluginError>,
) -> Result<RecordedGraph, PluginError> {
    let mut recorded = record(inputs, dtype, function)?;
    drop_unused(&mut recorded);
    Ok(recorded)
}

/// Records with all operations, those that no result needs too.
fn record(
    inputs: &[(Name, [usize; 2])],
    dtype: DType,
    function: impl FnOnce(Vec<Tensor<2>>) -> Result<Vec<(Name, Tensor<2>)>, PluginError>,
) -> Result<RecordedGraph, PluginError> {
    let device = device();
    let (mut arguments, mut results) = (Vec::new(), Ok(Vec::new()));
    let recorded = catch_panic(|| {
        device.capture_scope(|scope| {
            // An input is an empty tensor and not one of values, so that reading it fails instead of giving them.
            let tensors: Vec<Tensor<2>> =
                inputs.iter().map(|(_, shape)| Tensor::empty(*shape, (&*device, dtype))).collect();
            arguments = inputs.iter().map(|(name, _)| name.clone()).zip(tensors.iter().map(id)).collect();
            results = function(tensors.clone())
                .map(|results| results.iter().map(|(name, tensor)| (name.clone(), id(tensor))).collect());
            scope.complete([], unique(results.as_deref().unwrap_or_default()))
        })
    });
    let outputs: Vec<(Name, TensorId)> = results?;
    let recorded = recorded.map_err(|reason| fault::explain(&reason, inputs))?;
    let recorded = recorded.map_err(|error| PluginError::new(format!("it cannot be recorded: {error}")))?;
    let mut graph = recorded.graph;
    graph.operations.retain(|operation| match operation {
        OperationIr::BaseFloat(BaseOperationIr::Empty(made)) => !arguments.iter().any(|(_, id)| *id == made.out.id),
        _ => true,
    });
    graph.inputs = arguments.iter().map(|(_, id)| *id).collect();
    Ok(RecordedGraph { graph, inputs: arguments, outputs, constants: recorded.values })
}

/// The device that records: Burn gives out at most 65,536 capture devices a process, so there is one; it records one function
/// at a time.
fn device() -> MutexGuard<'static, Device> {
    static DEVICE: OnceLock<Mutex<Device>> = OnceLock::new();
    DEVICE.get_or_init(|| Mutex::new(Device::capture())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes out the operations of which no result needs anything: what was recorded for a look at a tensor, say. Calls of a cell
/// within a wrapper stay.
fn drop_unused(RecordedGraph { graph, outputs, .. }: &mut RecordedGraph) {
    let mut needed: HashSet<TensorId> = outputs.iter().map(|(_, id)| *id).collect();
    let mut kept: Vec<OperationIr> = Vec::with_capacity(graph.operations.len());
    for operation in std::mem::take(&mut graph.operations).into_iter().rev() {
        let stays = matches!(&operation, OperationIr::Custom(_) | OperationIr::Init(_))
            || operation.outputs().any(|made| needed.contains(&made.id));
        if stays {
            needed.extend(operation.inputs().map(|read| read.id));
            kept.push(operation);
        }
    }
    kept.reverse();
    graph.operations = kept;
}

/// The ids of results, each once.
fn unique(results: &[(Name, TensorId)]) -> Vec<TensorId> {
    let mut ids: Vec<TensorId> = Vec::new();
    for (_, id) in results {
        if !ids.contains(id) {
            ids.push(*id);
        }
    }
    ids
}

/// The id under which the recording knows a tensor.
fn id(tensor: &Tensor<2>) -> TensorId {
    match tensor.clone().into_dispatch().kind {
        DispatchTensorKind::Capture(BackendTensor::Float(tensor)) => tensor.id(),
        _ => panic!("a result does not come from the arguments: it lives on another device"),
    }
}
