//! Recording of wrappers. Where a wrapper calls the cell within, the graph has one operation, which the host fills in.

use std::cell::RefCell;

use burn::{
    Tensor,
    backend::ir::{BaseOperationIr, CustomOpIr, GraphIr, OperationIr, TensorIr, TensorStatus},
    tensor::DType,
};

use super::{RecordedGraph, capture, check_shapes, drop_unused, id, record, vectors};
use crate::{CellInfo, Declaration, Inner, Name, NamedShape, Params, PluginError, State, host::HostWrapper};

/// The name of the operation that is a step of the cell within: from its input and state to its output and next state.
pub const CALL: &str = "cell";

/// What the recorded step of a wrapper takes and gives: that of a cell, and behind it the state of the cell within.
pub fn wrapper_shapes(
    declared: &Declaration,
    info: &CellInfo,
    inputs: usize,
    batch: usize,
) -> (Vec<NamedShape>, Vec<NamedShape>) {
    let of_cell = || info.declared.results(batch).into_iter().skip(1);
    let arguments = declared.arguments(inputs, batch).into_iter().chain(of_cell());
    (arguments.collect(), declared.results(batch).into_iter().chain(of_cell()).collect())
}

/// Records one step of a wrapper, from and to [`wrapper_shapes`].
///
/// # Errors
/// When the step panics, reads the values of a tensor, or does not return what the wrapper declares.
pub fn capture_wrapper(
    wrapper: &dyn HostWrapper,
    inputs: usize,
    info: &CellInfo,
    batch: usize,
    dtype: DType,
) -> Result<RecordedGraph, PluginError> {
    let declared = with_derived(wrapper, inputs, info)?;
    let (arguments, expected) = wrapper_shapes(&declared, info, inputs, batch);
    let calls = RefCell::new(Vec::new());
    let mut recorded = record(&arguments, dtype, |tensors| {
        let mut named = arguments.iter().map(|(name, _)| name.clone()).zip(tensors);
        let x = named.next().expect("x is the first argument").1;
        let count = declared.state.len() + info.declared.state.len();
        let params: Params = named.by_ref().take(arguments.len() - 1 - count).collect();
        let own: State = named.by_ref().take(declared.state.len()).collect();
        let mut inner = Inner::recording(&calls, named.collect(), info);
        let (output, next) = wrapper.step(&mut inner, &params, x, own)?;
        let of_cell = inner.finish()?;
        let mut results = vec![(Name::from("output"), output)];
        results.extend(vectors(&declared.state, &next)?);
        results.extend(vectors(&info.declared.state, &of_cell)?);
        check_shapes(&results, &expected, &arguments)?;
        Ok(results)
    })?;
    insert_calls(&mut recorded.graph, &calls.into_inner());
    drop_unused(&mut recorded);
    Ok(recorded)
}

/// Records what a wrapper derives from its own parameters and from those of the cell within. Its results are both, in this
/// order; the shapes say where the second begin.
///
/// # Errors
/// When it panics or reads the values of a tensor.
pub fn capture_wrapper_derive(
    wrapper: &dyn HostWrapper,
    inputs: usize,
    info: &CellInfo,
    dtype: DType,
) -> Result<(RecordedGraph, [Vec<NamedShape>; 2]), PluginError> {
    let own = wrapper.declare(inputs, info)?.fixed();
    let arguments = [own.clone(), info.declared.fixed()].concat();
    let mut shapes = [Vec::new(), Vec::new()];
    let recorded = capture(&arguments, dtype, |tensors| {
        let mut named = arguments.iter().map(|(name, _)| name.clone()).zip(tensors);
        let params = named.by_ref().take(own.len()).collect();
        let (params, cell) = wrapper.derive(inputs, info, params, named.collect())?;
        let shape = |(name, matrix): (&str, &Tensor<2>)| (Name::from(name.to_owned()), matrix.dims());
        shapes = [params.iter().map(shape).collect(), cell.iter().map(shape).collect()];
        Ok(params.into_iter().chain(cell).collect())
    })
    .map_err(|error| error.within("`derive`"))?;
    Ok((recorded, shapes))
}

/// What a linked-in wrapper declares, with what its `derive` makes of its own parameters and of the cell's.
pub(crate) fn with_derived(
    wrapper: &dyn HostWrapper,
    inputs: usize,
    info: &CellInfo,
) -> Result<Declaration, PluginError> {
    let declared = wrapper.declare(inputs, info)?;
    let (recorded, [own, of_cell]) = capture_wrapper_derive(wrapper, inputs, info, DType::F32)?;
    if recorded.inputs == recorded.outputs {
        return Ok(declared);
    }
    Ok(Declaration { derived: Some(own), derived_of_cell: Some(of_cell), ..declared })
}

/// A step of the cell within, as a recording meets it.
#[derive(Debug)]
pub(crate) struct Call {
    given: Vec<TensorIr>,
    made: Vec<TensorIr>,
}

impl Call {
    pub(crate) fn new(given: impl Iterator<Item = Tensor<2>>, made: impl Iterator<Item = Tensor<2>>) -> Self {
        let described = |tensor: Tensor<2>| TensorIr {
            id: id(&tensor),
            shape: tensor.shape(),
            status: TensorStatus::ReadOnly,
            dtype: tensor.dtype(),
        };
        Self { given: given.map(described).collect(), made: made.map(described).collect() }
    }
}

/// Puts each call in the place of the first tensor that stands for its results.
fn insert_calls(graph: &mut GraphIr, calls: &[Call]) {
    let mut operations = Vec::with_capacity(graph.operations.len());
    for operation in std::mem::take(&mut graph.operations) {
        let made = match &operation {
            OperationIr::BaseFloat(BaseOperationIr::Empty(made)) => Some(made.out.id),
            _ => None,
        };
        let place = |call: &Call| call.made.iter().position(|tensor| Some(tensor.id) == made);
        match calls.iter().find_map(|call| Some((call, place(call)?))) {
            Some((call, 0)) => operations.push(OperationIr::Custom(CustomOpIr::new(CALL, &call.given, &call.made))),
            Some(_) => {}
            None => operations.push(operation),
        }
    }
    graph.operations = operations;
}
