//! Recording of cells and clippers as graphs.

use hatchery_plugin::{
    Name,
    burn::tensor::DType,
    capture::{capture, capture_cell},
    host::{HostCell, HostClipper},
};

use super::{Recorded, lower};
use crate::{
    error::Result,
    id::ParamId,
    ir::{
        graph::{Graph, Role},
        module::Module,
        op::Leaf,
    },
};

/// A cell to be recorded.
pub(crate) struct CellSource<'a> {
    pub(crate) cell: &'a dyn HostCell,
    /// The width of its input.
    pub(crate) inputs: usize,
    /// The first of its parameters.
    pub(crate) first_param: usize,
    pub(crate) dtype: DType,
}

/// The graph of a cell's time step: outputs [`Role::Output`] and [`Role::NextState`].
///
/// # Errors
/// When the cell cannot be recorded, or uses an operation that is not compiled.
pub(crate) fn lower_cell(source: &CellSource<'_>) -> Result<Module> {
    let CellSource { cell, inputs, first_param, dtype } = *source;
    let (params, states) = (cell.params(inputs)?, cell.state());
    let widths = params.iter().flat_map(|spec| spec.shape).chain(states.iter().map(|spec| spec.width));
    let batch = unlike(widths.chain([inputs, cell.outputs()]));
    let step = capture_cell(cell, inputs, batch, dtype)?;
    let param = |number: usize| Leaf::Param(ParamId::new(first_param + number));
    let mut leaves = vec![(Leaf::Input, [batch, inputs])];
    leaves.extend(params.iter().enumerate().map(|(number, spec)| (param(number), spec.shape)));
    leaves.extend(states.iter().enumerate().map(|(number, spec)| (Leaf::State(number), [batch, spec.width])));
    let next = step.next.iter().enumerate().map(|(number, (_, id))| (Role::NextState(number), *id));
    let outputs: Vec<_> = [(Role::Output, step.output)].into_iter().chain(next).collect();
    let recorded = Recorded {
        graph: &step.graph,
        constants: &step.constants,
        leaves: &leaves,
        outputs: &outputs,
        batch: Some(batch),
    };
    Ok(Module { step: lower(&recorded)?, ..Module::default() })
}

/// The graph of a chain of clippers: a leaf [`Leaf::Param`] and an output [`Role::Clipped`] for each gradient.
///
/// # Errors
/// When a clipper cannot be recorded, or uses an operation that is not compiled.
pub(crate) fn lower_clippers(
    clippers: &[&dyn HostClipper],
    shapes: &[(String, [usize; 2])],
    dtype: DType,
) -> Result<Graph> {
    let inputs: Vec<(Name, [usize; 2])> = shapes.iter().map(|(name, shape)| (name.clone().into(), *shape)).collect();
    let captured = capture(&inputs, dtype, |tensors| {
        let names = inputs.iter().map(|(name, _)| name.clone());
        let gradients = names.zip(tensors).collect();
        let clipped = clippers.iter().try_fold(gradients, |gradients, clipper| clipper.clip(gradients))?;
        Ok(inputs.iter().map(|(name, _)| (name.clone(), clipped.get(name))).collect())
    })?;
    let leaves: Vec<_> =
        shapes.iter().enumerate().map(|(number, (_, shape))| (Leaf::Param(ParamId::new(number)), *shape)).collect();
    let outputs: Vec<_> =
        captured.outputs.iter().enumerate().map(|(number, (_, id))| (Role::Clipped(number), *id)).collect();
    lower(&Recorded {
        graph: &captured.graph,
        constants: &captured.constants,
        leaves: &leaves,
        outputs: &outputs,
        batch: None,
    })
}

/// A prime batch size that no width of a cell, nor a part or a multiple of it, is likely to equal.
fn unlike(widths: impl Iterator<Item = usize>) -> usize {
    let widths: Vec<usize> = widths.collect();
    let is_prime = |number: &usize| (2..*number).take_while(|d| d * d <= *number).all(|d| !number.is_multiple_of(d));
    let fits = |prime: &usize| widths.iter().all(|width| !width.is_multiple_of(*prime));
    (1009..100_000).filter(is_prime).find(fits).unwrap_or(1009)
}
