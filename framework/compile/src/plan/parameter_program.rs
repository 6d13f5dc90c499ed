//! Parameter programs: matrices computed from parameters alone, once an update.
//!
//! Most of them need no computation: a transposed or sliced parameter is the same memory with other strides. The rest runs
//! operation by operation.

use std::collections::HashMap;

use crate::{
    error::{Result, Unsupported},
    id::NodeId,
    ir::{
        graph::{Graph, Node, Rows, Shape},
        op::{Axis, Leaf, Op, Reduce},
    },
    plan::{
        fused_kernel::Opcode,
        parameters::{Location, ParameterMemory},
    },
};

/// One operation on whole matrices.
#[derive(Clone, Debug)]
pub(crate) enum ParameterOp {
    /// Element-wise; operands of one row or one column are broadcast.
    Elementwise { opcode: Opcode, to: Location, from: Vec<Location> },
    /// An operation on each row of `from`.
    Rows { opcode: Opcode, to: Location, from: Location },
    /// The sum of all rows.
    SumRows { to: Location, from: Location },
    /// `to = from`, or `to += from`.
    Copy { to: Location, from: Location, add: bool },
    /// Every entry one value.
    Fill { to: Location, value: f64 },
    /// `to = a · b`, or `to += a · b`.
    Product { to: Location, a: Location, b: Location, add: bool },
}

/// Operations in order.
pub(crate) type ParameterProgram = Vec<ParameterOp>;

/// The locations of the static nodes of a graph.
pub(crate) type Locations = HashMap<NodeId, Location>;

/// Plans where the static nodes of one graph lie, and the program that computes them.
pub(crate) struct ParameterPlanner<'a> {
    graph: &'a Graph,
    /// The locations of the parameters.
    params: &'a [Location],
    known: Locations,
    program: ParameterProgram,
}

impl<'a> ParameterPlanner<'a> {
    pub(crate) fn new(graph: &'a Graph, params: &'a [Location]) -> Self {
        Self::with_known(graph, params, Locations::new())
    }

    /// A planner of a program that runs when some nodes are already computed.
    pub(crate) fn with_known(graph: &'a Graph, params: &'a [Location], known: Locations) -> Self {
        Self { graph, params, known, program: ParameterProgram::new() }
    }

    /// The program that computes all nodes that were asked for, and where they lie.
    pub(crate) fn finish(self) -> (ParameterProgram, Locations) {
        (self.program, self.known)
    }

    /// Sets the location of a node that the program does not compute.
    pub(crate) fn define(&mut self, id: NodeId, at: Location) {
        self.known.insert(id, at);
    }

    /// The offset of a row whose entries lie next to each other.
    pub(crate) fn row(&mut self, memory: &mut ParameterMemory, id: NodeId) -> Result<usize> {
        let at = self.matrix(memory, id)?;
        Ok(self.with_contiguous_rows(memory, at).offset)
    }

    fn copy(&mut self, memory: &mut ParameterMemory, from: Location) -> Location {
        let to = memory.allocate(from.rows, from.columns);
        self.program.push(ParameterOp::Copy { to, from, add: false });
        to
    }

    fn with_contiguous_rows(&mut self, memory: &mut ParameterMemory, from: Location) -> Location {
        if from.has_contiguous_rows() { from } else { self.copy(memory, from) }
    }

    /// The location of a matrix, which is computed if it is not yet.
    pub(crate) fn matrix(&mut self, memory: &mut ParameterMemory, id: NodeId) -> Result<Location> {
        if let Some(&known) = self.known.get(&id) {
            return Ok(known);
        }
        let Node { op, shape: Shape { rows, columns } } = self.graph[id].clone();
        let Rows::Static(rows) = rows else {
            return Err(Unsupported::new("a value of the batch where a parameter is needed"));
        };
        let at = match op {
            Op::Leaf(Leaf::Param(param)) => self.params[param.index()],
            Op::Fill(bits) => memory.allocate_values(rows, columns, vec![f64::from_bits(bits); rows * columns]),
            Op::Constant(index) => memory.allocate_values(rows, columns, self.graph.constants[index].values.clone()),
            Op::Transpose(a) => self.matrix(memory, a)?.transposed(),
            Op::Slice { of, row, column } => {
                self.matrix(memory, of)?.rows_from(row, rows).columns_from(column, columns)
            }
            Op::Reshape(a) => {
                let from = self.matrix(memory, a)?;
                let from = if from.is_contiguous() { from } else { self.copy(memory, from) };
                Location::row_major(from.offset, rows, columns)
            }
            Op::ConcatColumns(_) | Op::ConcatRows(_) | Op::Linear { .. } => {
                let to = memory.allocate(rows, columns);
                self.compute_into(memory, id, to, false)?;
                to
            }
            Op::Map(function, a) => self.elementwise(memory, id, Opcode::Map(function), &[a])?,
            Op::Zip(function, a, b) => self.elementwise(memory, id, Opcode::Zip(function), &[a, b])?,
            Op::Fuse(function, a, b, c) => self.elementwise(memory, id, Opcode::Fuse(function), &[a, b, c])?,
            Op::Reduce(function, a, axis) => self.reduce(memory, function, a, axis)?,
            Op::CumulativeSum(..) | Op::Repeat(..) | Op::Exchange(..) => {
                let to = memory.allocate(rows, columns);
                self.along_axis(memory, &op, to)?;
                to
            }
            Op::SumRows(a) => {
                let from = self.matrix(memory, a)?;
                let from = self.with_contiguous_rows(memory, from);
                let to = memory.allocate(1, columns);
                self.program.push(ParameterOp::SumRows { to, from });
                to
            }
            Op::Leaf(_) | Op::Outer(..) | Op::Batched { .. } => {
                return Err(Unsupported::new(format!("a matrix that depends on the batch: {op}")));
            }
        };
        self.known.insert(id, at);
        Ok(at)
    }

    /// Plans an operation along an axis that changes the order or the number of entries.
    fn along_axis(&mut self, memory: &mut ParameterMemory, op: &Op, to: Location) -> Result<()> {
        match *op {
            Op::CumulativeSum(a, axis, is_reverse) => {
                let from = self.along(memory, a, axis)?;
                let opcode = Opcode::CumulativeSum(is_reverse);
                self.program.push(ParameterOp::Rows { opcode, to: blocks_of(to, axis), from });
            }
            Op::Repeat(a, axis) => {
                let from = self.matrix(memory, a)?;
                self.repeat(to, from, axis)?;
            }
            Op::Exchange(a, Axis { outer, count, inner }) => {
                let from = self.along(memory, a, Axis { outer, count: count * inner, inner: 1 })?;
                for first in (0..outer).map(|index| index * count * inner) {
                    let from = Location::row_major(from.offset + first, count, inner).transposed();
                    let to = Location::row_major(to.offset + first, inner, count);
                    self.program.push(ParameterOp::Copy { to, from, add: false });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn reduce(&mut self, memory: &mut ParameterMemory, function: Reduce, a: NodeId, axis: Axis) -> Result<Location> {
        let opcode = if function == Reduce::Sum { Opcode::SumColumns } else { Opcode::MaxColumns };
        let from = self.along(memory, a, axis)?;
        let rows = self.graph.static_rows(a);
        let to = memory.allocate(rows, axis.reduced());
        if axis.inner == 1 {
            let to = Location::row_major(to.offset, rows * axis.outer, 1);
            self.program.push(ParameterOp::Rows { opcode, to, from });
        } else {
            for index in 0..axis.outer {
                let from = Location::row_major(from.offset + index * axis.count * axis.inner, axis.count, axis.inner);
                let to = Location::row_major(to.offset + index * axis.inner, 1, axis.inner);
                self.program.push(ParameterOp::SumRows { to, from });
            }
        }
        Ok(to)
    }

    /// A matrix with a row for all entries of its last axis.
    fn along(&mut self, memory: &mut ParameterMemory, a: NodeId, axis: Axis) -> Result<Location> {
        let from = self.matrix(memory, a)?;
        if axis.outer * axis.inner == 1 {
            return Ok(self.with_contiguous_rows(memory, from));
        }
        if from.rows > 1 {
            return Err(several_rows());
        }
        let from = if from.is_contiguous() { from } else { self.copy(memory, from) };
        Ok(blocks_of(from, axis))
    }

    /// Copies a row with each entry as often as the axis has entries.
    fn repeat(&mut self, to: Location, from: Location, axis: Axis) -> Result<()> {
        if from.rows > 1 {
            return Err(several_rows());
        }
        let Axis { outer, count, inner } = axis;
        for index in 0..outer {
            let from = Location { rows: count, row_stride: 0, ..from.columns_from(index * inner, inner) };
            let to = Location::row_major(to.offset + index * count * inner, count, inner);
            self.program.push(ParameterOp::Copy { to, from, add: false });
        }
        Ok(())
    }

    fn elementwise(
        &mut self,
        memory: &mut ParameterMemory,
        id: NodeId,
        opcode: Opcode,
        operands: &[NodeId],
    ) -> Result<Location> {
        let mut from = Vec::new();
        for &operand in operands {
            from.push(if let Some(value) = self.graph.fill_of(operand) {
                Location::scalar(memory.constant(value))
            } else {
                let at = self.matrix(memory, operand)?;
                self.with_contiguous_rows(memory, at)
            });
        }
        let to = memory.allocate(self.graph.static_rows(id), self.graph.columns(id));
        self.program.push(ParameterOp::Elementwise { opcode, to, from });
        Ok(to)
    }

    /// Plans that a matrix is computed into a location, or added to it.
    pub(crate) fn compute_into(
        &mut self,
        memory: &mut ParameterMemory,
        id: NodeId,
        to: Location,
        add: bool,
    ) -> Result<()> {
        match self.graph[id].op.clone() {
            Op::ConcatColumns(parts) => {
                let mut column = 0;
                for part in parts {
                    let columns = self.graph.columns(part);
                    self.compute_into(memory, part, to.columns_from(column, columns), add)?;
                    column += columns;
                }
            }
            Op::ConcatRows(parts) => {
                let mut row = 0;
                for part in parts {
                    let rows = self.graph.static_rows(part);
                    self.compute_into(memory, part, to.rows_from(row, rows), add)?;
                    row += rows;
                }
            }
            Op::Fill(_) if add && self.graph.fill_of(id) == Some(0.0) => {}
            Op::Fill(bits) if !add => self.program.push(ParameterOp::Fill { to, value: f64::from_bits(bits) }),
            Op::Linear { terms, init } if !self.known.contains_key(&id) => {
                let mut add = add;
                if let Some(init) = init {
                    let from = self.matrix(memory, init)?;
                    let row_stride = if from.rows == 1 { 0 } else { from.row_stride };
                    let from = Location { rows: to.rows, row_stride, ..from };
                    self.program.push(ParameterOp::Copy { to, from, add });
                    add = true;
                }
                for (a, b) in terms {
                    let (a, b) = (self.matrix(memory, a)?, self.matrix(memory, b)?);
                    self.program.push(ParameterOp::Product { to, a, b, add });
                    add = true;
                }
            }
            _ => {
                let from = self.matrix(memory, id)?;
                self.program.push(ParameterOp::Copy { to, from, add });
            }
        }
        Ok(())
    }
}

/// A contiguous row with a row for all entries of its last axis.
fn blocks_of(row: Location, axis: Axis) -> Location {
    if axis.outer == 1 { row } else { Location::row_major(row.offset, axis.outer, axis.count * axis.inner) }
}

fn several_rows() -> Unsupported {
    Unsupported::new("an operation along an axis of parameters with several rows")
}
