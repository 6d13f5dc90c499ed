//! The verifier: invariants of a graph that every pass relies on and must keep.
//!
//! It runs after every pass. A fault is a bug of the pass before it, and is reported instead of compiled.

#[cfg(test)]
mod tests;

use super::{
    graph::{Graph, Role, Rows, Shape},
    op::{Axis, BatchedDims, Leaf, Op},
};
use crate::id::NodeId;

/// Checks that operands are defined before use, that shapes follow from the operations, and that outputs exist and have
/// the shapes of their roles.
///
/// # Errors
/// A description of the first fault.
pub(crate) fn verify(graph: &Graph) -> Result<(), String> {
    for id in graph.ids() {
        let node = &graph[id];
        for operand in node.op.operands() {
            if operand.index() >= graph.len() {
                return Err(format!("{id} = {} reads {operand}, which does not exist", node.op));
            }
            if operand >= id {
                return Err(format!("{id} = {} reads {operand} before it is defined", node.op));
            }
            if matches!(graph[operand].op, Op::Repeat(..)) && !node.op.is_elementwise() {
                return Err(format!("{id} = {} reads {operand}, which is not in memory", node.op));
            }
        }
        check_shape(graph, id).map_err(|fault| format!("{id} = {} : {}: {fault}", node.op, node.shape))?;
    }
    for (index, &(role, id)) in graph.outputs.iter().enumerate() {
        if id.index() >= graph.len() {
            return Err(format!("the output `{role}` is {id}, which does not exist"));
        }
        if matches!(graph[id].op, Op::Repeat(..)) {
            return Err(format!("the output `{role}` is {id}, which is not in memory"));
        }
        if graph.outputs[..index].iter().any(|&(known, _)| known == role) {
            return Err(format!("there are two outputs `{role}`"));
        }
        check_output(graph, role, graph.shape(id)).map_err(|fault| format!("the output `{role}`, {id}: {fault}"))?;
    }
    Ok(())
}

/// Whether a matrix can be read where one of shape `to` is needed: as it is, or one row or column broadcast.
fn broadcasts(from: Shape, to: Shape) -> bool {
    (from.rows == to.rows || from.rows == Rows::Static(1)) && (from.columns == to.columns || from.columns == 1)
}

fn expect(shape: Shape, expected: Shape) -> Result<(), String> {
    if shape == expected { Ok(()) } else { Err(format!("its operands make {expected}")) }
}

fn require(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

fn check_shape(graph: &Graph, id: NodeId) -> Result<(), String> {
    let shape = graph.shape(id);
    let of = |id: NodeId| graph.shape(id);
    match &graph[id].op {
        Op::Fill(_) => Ok(()),
        Op::Leaf(leaf) => {
            let rule = "only parameters and noise of an update, and all of them, are static";
            require(leaf.is_static() != (shape.rows == Rows::Batch), rule)
        }
        Op::Constant(index) => {
            let constant = graph.constants.get(*index).ok_or("there is no such constant")?;
            require(constant.values.len() == constant.rows * constant.columns, "its constant has too few values")?;
            expect(shape, Shape::fixed(constant.rows, constant.columns))
        }
        Op::Map(_, a) => expect(shape, of(*a)),
        Op::Zip(..) | Op::Fuse(..) => {
            require(graph.blocks(id).is_some(), "its operands repeat more axes than an instruction has")?;
            check_elementwise(graph, id)
        }
        Op::Linear { terms, init } => check_linear(graph, shape, terms, *init),
        Op::Outer(a, b) => {
            require(graph.is_batch(*a) && graph.is_batch(*b), "both operands must be of the batch")?;
            expect(shape, Shape::fixed(of(*a).columns, of(*b).columns))
        }
        Op::Transpose(a) => match of(*a) {
            Shape { rows: Rows::Static(rows), columns } => expect(shape, Shape::fixed(columns, rows)),
            _ => Err("its operand must be static".to_owned()),
        },
        Op::Slice { of: whole, row, column } => check_slice(of(*whole), (*row, *column), shape),
        Op::ConcatColumns(parts) => {
            require(parts.iter().all(|&part| of(part).rows == shape.rows), "its operands must have the same rows")?;
            let columns = parts.iter().map(|&part| of(part).columns).sum();
            expect(shape, Shape { columns, ..shape })
        }
        Op::ConcatRows(parts) => {
            let is_same = |part: &NodeId| !graph.is_batch(*part) && of(*part).columns == shape.columns;
            require(parts.iter().all(is_same), "its operands must be static and have the same columns")?;
            expect(shape, Shape::fixed(parts.iter().map(|&part| graph.static_rows(part)).sum(), shape.columns))
        }
        Op::SumRows(a) => expect(shape, Shape::fixed(1, of(*a).columns)),
        Op::Reduce(_, a, axis) | Op::Repeat(a, axis) | Op::CumulativeSum(a, axis, _) | Op::Exchange(a, axis) => {
            check_axis(&graph[id].op, of(*a), *axis, shape)
        }
        Op::Batched { of, a, b, init } => check_batched(graph, shape, of, (*a, *b), *init),
        Op::Reshape(a) => match (of(*a).rows, shape.rows) {
            (Rows::Static(from), Rows::Static(to)) => {
                require(from * of(*a).columns == to * shape.columns, "it must have as many entries as its operand")
            }
            _ => Err("it must be static, and so must its operand".to_owned()),
        },
    }
}

fn check_elementwise(graph: &Graph, id: NodeId) -> Result<(), String> {
    let shape = graph.shape(id);
    let operands = graph[id].op.operands();
    require(operands.iter().all(|&a| broadcasts(graph.shape(a), shape)), "its operands do not broadcast to its shape")?;
    let has = |is: &dyn Fn(Shape) -> bool| operands.iter().any(|&a| is(graph.shape(a)));
    let is_reached = has(&|a| a.rows == shape.rows) && has(&|a| a.columns == shape.columns);
    require(is_reached, "no operand has its rows, or none its columns")
}

fn check_linear(graph: &Graph, shape: Shape, terms: &[(NodeId, NodeId)], init: Option<NodeId>) -> Result<(), String> {
    require(!terms.is_empty(), "it has no product")?;
    for &(a, b) in terms {
        let (left, right) = (graph.shape(a), graph.shape(b));
        require(right.rows == Rows::Static(left.columns), "the columns of a factor must be the rows of the next")?;
        expect(shape, Shape { rows: left.rows, columns: right.columns })?;
    }
    let Some(init) = init.map(|init| graph.shape(init)) else { return Ok(()) };
    require(init.columns == shape.columns && broadcasts(init, shape), "the addend must have its shape, or be a row")
}

fn check_axis(op: &Op, operand: Shape, axis: Axis, shape: Shape) -> Result<(), String> {
    let (before, after) = match op {
        Op::Reduce(..) => (axis.columns(), axis.reduced()),
        Op::Repeat(..) => (axis.reduced(), axis.columns()),
        _ => (axis.columns(), axis.columns()),
    };
    require(operand.columns == before, "the axis must be one of the columns")?;
    require(axis.inner == 1 || !matches!(op, Op::CumulativeSum(..)), "it must be the last axis")?;
    expect(shape, Shape { columns: after, ..operand })
}

fn check_batched(
    graph: &Graph,
    shape: Shape,
    of: &BatchedDims,
    (a, b): (NodeId, NodeId),
    init: Option<NodeId>,
) -> Result<(), String> {
    expect(shape, Shape::batch(of.count * of.rows * of.columns))?;
    let is_row = |id: NodeId, columns: usize| {
        let shape = graph.shape(id);
        broadcasts(shape, Shape::batch(columns)) && shape.columns == columns
    };
    let factors = is_row(a, of.count * of.rows * of.depth) && is_row(b, of.count * of.depth * of.columns);
    require(factors, "each factor must have as many entries a row as its matrices")?;
    require(init.is_none_or(|init| is_row(init, shape.columns)), "the addend must have its shape, or be a row")
}

fn check_slice(whole: Shape, (row, column): (usize, usize), part: Shape) -> Result<(), String> {
    let is_within = match (whole.rows, part.rows) {
        (Rows::Batch, Rows::Batch) => row == 0,
        (Rows::Static(all), Rows::Static(rows)) => row + rows <= all,
        _ => false,
    };
    require(is_within && column + part.columns <= whole.columns, "it reaches beyond its operand")
}

/// The shape of an output by its role: a gradient has the shape of its leaf, the next state that of the state.
fn check_output(graph: &Graph, role: Role, shape: Shape) -> Result<(), String> {
    let leaf = |leaf: Leaf| graph.leaf_node(leaf).map(|id| graph.shape(id));
    let expected = match role {
        Role::Output | Role::Hoisted(_) => leaf(Leaf::OutputGradient).filter(|_| role == Role::Output),
        Role::NextState(index) => leaf(Leaf::State(index)),
        Role::Gradient(of) => leaf(of),
        Role::Clipped(index) => leaf(Leaf::Param(crate::id::ParamId::new(index))),
    };
    let is_static = matches!(role, Role::Clipped(_) | Role::Gradient(Leaf::Param(_)));
    require(is_static != (shape.rows == Rows::Batch), "only what belongs to a parameter is static")?;
    match expected {
        Some(expected) if expected != shape => Err(format!("it is {shape} and must be {expected}")),
        _ => Ok(()),
    }
}
