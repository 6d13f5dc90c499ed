//! Recording what a plugin computes as a graph of Burn operations, without computing it.
//!
//! A cell's step, what it derives from its parameters, and a clipper are pure functions of named matrices. Run once on Burn's capture device they leave behind a
//! [`GraphIr`]: what a library loaded at run time hands over, and what the compiled executor
//! compiles. Shapes are those of the capture, so a batch size is written into slices and constants.

mod wrapper;

use std::{
    any::Any,
    cell::Cell as ThreadCell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, Once, OnceLock, PoisonError},
};

use burn::{
    Tensor,
    backend::{
        BackendTensor, DispatchTensorKind,
        ir::{BaseOperationIr, GraphIr, OperationIr, TensorId},
    },
    tensor::{DType, Device, TensorData},
};

pub use self::wrapper::{CALL, capture_wrapper, capture_wrapper_derive, wrapper_shapes};
pub(crate) use self::wrapper::{Call, with_derived as wrapper_with_derived};
use crate::{
    Declaration, Gradients, Name, NamedShape, Params, PluginError, State,
    host::{HostCell, HostClipper},
};

/// A recorded function of named matrices.
#[derive(Clone, Debug)]
pub struct RecordedGraph {
    /// The operations, in the order of execution, with inputs and outputs in the order of the lists below. Outputs that
    /// are the same tensor stand in it once.
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
    capture(&arguments, dtype, |mut tensors| {
        let before: State = names[first_vector..].iter().cloned().zip(tensors.split_off(first_vector)).collect();
        let given: Params = names[1..].iter().cloned().zip(tensors.split_off(1)).collect();
        let x = tensors.pop().expect("x is the first argument");
        let (output, next) = cell.step(&given, x, before)?;
        let mut results = vec![(Name::from("output"), output)];
        results.extend(declared.state.iter().map(|spec| (spec.name.clone(), next.get(&spec.name))));
        check_shapes(&results, &declared.results(batch))?;
        Ok(results)
    })
}

fn check_shapes(results: &[(Name, Tensor<2>)], declared: &[NamedShape]) -> Result<(), PluginError> {
    for ((name, tensor), (_, declared)) in results.iter().zip(declared) {
        let shape = tensor.dims();
        if shape != *declared {
            return Err(PluginError::new(format!("`{name}` is {shape:?} after the step, declared is {declared:?}")));
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
    // Burn gives out at most 65,536 capture devices a process, so there is one; it records one function at a time.
    static DEVICE: OnceLock<Mutex<Device>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| Mutex::new(Device::capture())).lock().unwrap_or_else(PoisonError::into_inner);
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
    let recorded = recorded.map_err(|reason| {
        PluginError::new(format!("it cannot be recorded: {reason}")).hint(
            "what it takes by name must be declared, its shapes must fit, and it may not read the values of tensors",
        )
    })?;
    let recorded = recorded.map_err(|error| PluginError::new(format!("it cannot be recorded: {error}")))?;
    let mut graph = recorded.graph;
    graph.operations.retain(|operation| match operation {
        OperationIr::BaseFloat(BaseOperationIr::Empty(made)) => !arguments.iter().any(|(_, id)| *id == made.out.id),
        _ => true,
    });
    graph.inputs = arguments.iter().map(|(_, id)| *id).collect();
    Ok(RecordedGraph { graph, inputs: arguments, outputs, constants: recorded.values })
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

thread_local! {
    static QUIET: ThreadCell<bool> = const { ThreadCell::new(false) };
}

/// Runs a function; a panic becomes its message, and this thread's panic hook keeps silent meanwhile.
///
/// # Errors
/// The message of the panic.
pub fn catch_panic<R>(function: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.with(ThreadCell::get) {
                before(info);
            }
        }));
    });
    let outer = QUIET.with(|quiet| quiet.replace(true));
    let result = catch_unwind(AssertUnwindSafe(function));
    QUIET.with(|quiet| quiet.set(outer));
    result.map_err(|payload| message(payload.as_ref()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
    // Burn's messages span several lines.
    text.map_or_else(|| "(no message)".to_owned(), |text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}
