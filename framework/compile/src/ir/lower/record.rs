//! Recording of cells and clippers as graphs.

use hatchery_plugin::{
    Name,
    burn::tensor::DType,
    capture::{RecordedCell, capture, capture_cell},
    host::{HostCell, HostClipper},
};

use super::lower;
use crate::{
    error::Result,
    id::ParamId,
    ir::{
        graph::{Graph, Role, Shape},
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

/// The graph of a cell's time step: outputs [`Role::Output`] and [`Role::NextState`]. What the cell derives from its
/// parameters is part of it: no pass treats it otherwise than what a step computes from parameters alone.
///
/// # Errors
/// When the cell cannot be recorded, or uses an operation that is not compiled.
pub(crate) fn lower_cell(source: &CellSource<'_>) -> Result<Module> {
    let CellSource { cell, inputs, first_param, dtype } = *source;
    let declared = cell.declare(inputs)?;
    let shapes = declared.fixed().into_iter().chain(declared.arguments(inputs, 0)).flat_map(|(_, shape)| shape);
    let batch = unlike(shapes.chain([declared.outputs]).filter(|width| *width > 0));
    let RecordedCell { derive, step, .. } = capture_cell(cell, inputs, batch, dtype)?;
    let mut graph = Graph::default();
    let x = graph.leaf(Leaf::Input, Shape::batch(inputs));
    let mut fixed = Vec::new();
    for (number, (_, [rows, columns])) in declared.fixed().into_iter().enumerate() {
        let leaf = match number.checked_sub(declared.params.len()) {
            None => Leaf::Param(ParamId::new(first_param + number)),
            Some(number) => Leaf::UpdateNoise(number),
        };
        fixed.push(graph.leaf(leaf, Shape::fixed(rows, columns)));
    }
    let mut of_rows = Vec::new();
    for (number, spec) in declared.noise_of_rows().enumerate() {
        of_rows.push(graph.leaf(Leaf::Noise(number), Shape::batch(spec.width)));
    }
    for (number, spec) in declared.state.iter().enumerate() {
        of_rows.push(graph.leaf(Leaf::State(number), Shape::batch(spec.width)));
    }
    let matrices = match &derive {
        Some(derive) => lower(&mut graph, derive, &fixed, None)?,
        None => fixed,
    };
    let results = lower(&mut graph, &step, &[vec![x], matrices, of_rows].concat(), Some(batch))?;
    let next = (0..declared.state.len()).map(Role::NextState);
    graph.outputs = [Role::Output].into_iter().chain(next).zip(results).collect();
    Ok(Module { step: graph, ..Module::default() })
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
    let mut graph = Graph::default();
    let leaf = |(number, (_, [rows, columns])): (usize, &(String, [usize; 2]))| {
        graph.leaf(Leaf::Param(ParamId::new(number)), Shape::fixed(*rows, *columns))
    };
    let gradients: Vec<_> = shapes.iter().enumerate().map(leaf).collect();
    let clipped = lower(&mut graph, &captured, &gradients, None)?;
    graph.outputs = clipped.into_iter().enumerate().map(|(number, id)| (Role::Clipped(number), id)).collect();
    Ok(graph)
}

/// A prime batch size that no width of a cell, nor a part or a multiple of it, is likely to equal.
fn unlike(widths: impl Iterator<Item = usize>) -> usize {
    let widths: Vec<usize> = widths.collect();
    let is_prime = |number: &usize| (2..*number).take_while(|d| d * d <= *number).all(|d| !number.is_multiple_of(d));
    let fits = |prime: &usize| widths.iter().all(|width| !width.is_multiple_of(*prime));
    (1009..100_000).filter(is_prime).find(fits).unwrap_or(1009)
}
