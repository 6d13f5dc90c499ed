//! Builders of nodes that fold what needs no computation: constants, neutral elements, a slice of a slice.

use super::{
    graph::{Graph, Node, Rows, Shape},
    op::{Axis, BatchedDims, Binary, Leaf, Op, Reduce, Ternary, Unary},
};
use crate::id::NodeId;

impl Graph {
    pub(crate) fn leaf(&mut self, leaf: Leaf, shape: Shape) -> NodeId {
        self.add(Op::Leaf(leaf), shape)
    }

    pub(crate) fn fill(&mut self, value: f64, shape: Shape) -> NodeId {
        self.add(Op::Fill(value.to_bits()), shape)
    }

    pub(crate) fn scalar(&mut self, value: f64) -> NodeId {
        self.fill(value, Shape::SCALAR)
    }

    /// The shape of the result of two operands, each broadcast where it has one row or column.
    pub(crate) fn broadcast(&self, a: NodeId, b: NodeId) -> Shape {
        let (a, b) = (self.shape(a), self.shape(b));
        let rows = match (a.rows, b.rows) {
            (Rows::Batch, _) | (_, Rows::Batch) => Rows::Batch,
            (Rows::Static(a), Rows::Static(b)) => Rows::Static(a.max(b)),
        };
        Shape { rows, columns: a.columns.max(b.columns) }
    }

    pub(crate) fn map(&mut self, function: Unary, a: NodeId) -> NodeId {
        let shape = self.shape(a);
        match (function, &self[a].op) {
            (Unary::Copy, _) => return a,
            (Unary::Neg, &Op::Map(Unary::Neg, inner)) => return inner,
            (_, Op::Fill(bits)) => {
                let value = function.of(f64::from_bits(*bits));
                return self.fill(value, shape);
            }
            _ => {}
        }
        self.add(Op::Map(function, a), shape)
    }

    pub(crate) fn zip(&mut self, function: Binary, a: NodeId, b: NodeId) -> NodeId {
        let shape = self.broadcast(a, b);
        let same = |graph: &Self, id: NodeId| graph.shape(id) == shape;
        match (function, self.fill_of(a), self.fill_of(b)) {
            (_, Some(x), Some(y)) => return self.fill(function.of(x, y), shape),
            // Adding 0 turns −0 into 0, which no result depends on.
            (Binary::Add, Some(0.0), _) | (Binary::Mul, Some(1.0), _) if same(self, b) => return b,
            (Binary::Add | Binary::Sub, _, Some(0.0)) | (Binary::Mul | Binary::Div, _, Some(1.0)) if same(self, a) => {
                return a;
            }
            (Binary::Mul, _, Some(-1.0)) if same(self, a) => return self.map(Unary::Neg, a),
            (Binary::Mul, Some(-1.0), _) | (Binary::Sub, Some(0.0), _) if same(self, b) => {
                return self.map(Unary::Neg, b);
            }
            (Binary::Mul, ..) if a == b => return self.map(Unary::Square, a),
            // One division for many entries.
            (Binary::Div, _, None) if self.is_batch(b) && self.lacks_columns(b, shape) => {
                let inverse = self.inverse(b);
                return self.zip(Binary::Mul, a, inverse);
            }
            _ => {}
        }
        // The order of the operands of a commutative operation makes no other node.
        let [a, b] = self.aligned([a, b], shape.columns);
        let commutes = matches!(function, Binary::Add | Binary::Mul | Binary::Equal);
        let (a, b) = if commutes && a > b { (b, a) } else { (a, b) };
        self.add(Op::Zip(function, a, b), shape)
    }

    /// Whether an operand has fewer entries than a result of that shape.
    fn lacks_columns(&self, id: NodeId, shape: Shape) -> bool {
        matches!(self[id].op, Op::Repeat(..)) || self.columns(id) < shape.columns
    }

    /// One divided by each entry, of a value that repeats before it does.
    fn inverse(&mut self, id: NodeId) -> NodeId {
        match self[id].op {
            Op::Repeat(of, axis) => {
                let inverse = self.map(Unary::Recip, of);
                self.repeat(inverse, axis)
            }
            _ => self.map(Unary::Recip, id),
        }
    }

    pub(crate) fn select(&mut self, mask: NodeId, yes: NodeId, no: NodeId) -> NodeId {
        let partial = self.broadcast(mask, yes);
        let partial = self.fill(0.0, partial);
        let shape = self.broadcast(partial, no);
        let [mask, yes, no] = self.aligned([mask, yes, no], shape.columns);
        self.add(Op::Fuse(Ternary::Select, mask, yes, no), shape)
    }

    /// Operands of an element-wise operation, of which those that repeat along too many axes are copied.
    fn aligned<const N: usize>(&mut self, mut operands: [NodeId; N], columns: usize) -> [NodeId; N] {
        for index in 0..N {
            if self.blocks_of(&operands, columns).is_none() {
                operands[index] = self.materialize(operands[index]);
            }
        }
        operands
    }

    /// The same matrix in memory, for operations that can read no fill of the batch and nothing that repeats.
    pub(crate) fn materialize(&mut self, a: NodeId) -> NodeId {
        let is_in_memory = match self[a].op {
            Op::Fill(_) => !self.is_batch(a),
            Op::Repeat(..) => false,
            _ => true,
        };
        if is_in_memory { a } else { self.add(Op::Map(Unary::Copy, a), self.shape(a)) }
    }

    /// A value that may be a fill, but does not repeat.
    pub(crate) fn in_memory(&mut self, part: NodeId) -> NodeId {
        if matches!(self[part].op, Op::Repeat(..)) { self.materialize(part) } else { part }
    }

    /// A matrix with each entry as often as the axis has entries.
    pub(crate) fn repeat(&mut self, a: NodeId, axis: Axis) -> NodeId {
        let shape = Shape { columns: axis.columns(), ..self.shape(a) };
        match self.fill_of(a) {
            _ if axis.count == 1 => a,
            Some(value) => self.fill(value, shape),
            None => {
                let a = self.materialize(a);
                self.add(Op::Repeat(a, axis), shape)
            }
        }
    }

    /// One entry for those along an axis.
    pub(crate) fn reduce(&mut self, function: Reduce, a: NodeId, axis: Axis) -> NodeId {
        let shape = Shape { columns: axis.reduced(), ..self.shape(a) };
        match self.fill_of(a) {
            _ if axis.count == 1 => a,
            Some(value) if function == Reduce::Sum => self.fill(value * axis.count as f64, shape),
            Some(value) => self.fill(value, shape),
            None => {
                let a = self.materialize(a);
                self.add(Op::Reduce(function, a, axis), shape)
            }
        }
    }

    /// Sums of the entries along the last axis up to each, or from each on.
    pub(crate) fn cumulative_sum(&mut self, a: NodeId, axis: Axis, is_reverse: bool) -> NodeId {
        let (shape, a) = (self.shape(a), self.materialize(a));
        self.add(Op::CumulativeSum(a, axis, is_reverse), shape)
    }

    /// The columns `[outer, count, inner]` as `[outer, inner, count]`.
    pub(crate) fn exchange(&mut self, a: NodeId, axis: Axis) -> NodeId {
        let back = Axis { count: axis.inner, inner: axis.count, ..axis };
        match self[a].op {
            _ if axis.count == 1 || axis.inner == 1 => a,
            Op::Fill(_) => a,
            Op::Exchange(inner, known) if known == back => inner,
            _ => {
                let (shape, a) = (self.shape(a), self.materialize(a));
                self.add(Op::Exchange(a, axis), shape)
            }
        }
    }

    /// Products of the matrices that each row holds.
    pub(crate) fn batched(&mut self, mut of: BatchedDims, a: NodeId, b: NodeId) -> NodeId {
        let shape = Shape::batch(of.count * of.rows * of.columns);
        if [a, b].iter().any(|&factor| self.fill_of(factor) == Some(0.0)) {
            return self.fill(0.0, shape);
        }
        let a = self.factor(&mut of, 0, a);
        let b = self.factor(&mut of, 1, b);
        self.add(Op::Batched { of, a, b, init: None }, shape)
    }

    /// A factor in memory. One whose rows and columns were exchanged is read as it lies before that.
    fn factor(&mut self, of: &mut BatchedDims, index: usize, id: NodeId) -> NodeId {
        let [rows, columns] = if index == 0 { [of.rows, of.depth] } else { [of.depth, of.columns] };
        let before = if of.transposed[index] { [rows, columns] } else { [columns, rows] };
        match self[id].op {
            Op::Exchange(inner, axis) if (axis.outer, [axis.count, axis.inner]) == (of.count, before) => {
                of.transposed[index] = !of.transposed[index];
                inner
            }
            _ => self.materialize(id),
        }
    }

    /// The same elements, row by row, of a static matrix in another shape.
    pub(crate) fn reshape(&mut self, a: NodeId, shape: Shape) -> NodeId {
        match self[a].op {
            _ if self.shape(a) == shape => a,
            Op::Fill(bits) => self.add(Op::Fill(bits), shape),
            Op::Reshape(inner) => self.reshape(inner, shape),
            Op::Exchange(inner, Axis { outer: 1, count, inner: last }) if shape == Shape::fixed(last, count) => {
                let before = self.reshape(inner, Shape::fixed(count, last));
                self.transpose(before)
            }
            _ => {
                let a = self.materialize(a);
                self.add(Op::Reshape(a), shape)
            }
        }
    }

    /// `a · b`.
    pub(crate) fn product(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let shape = Shape { rows: self.shape(a).rows, columns: self.columns(b) };
        if self.fill_of(a) == Some(0.0) {
            return self.fill(0.0, shape);
        }
        let a = self.materialize(a);
        self.add(Op::Linear { terms: vec![(a, b)], init: None }, shape)
    }

    /// `aᵀ · b` over the rows of the batch.
    pub(crate) fn outer(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let shape = Shape::fixed(self.columns(a), self.columns(b));
        if self.fill_of(a) == Some(0.0) || self.fill_of(b) == Some(0.0) {
            return self.fill(0.0, shape);
        }
        let (a, b) = (self.materialize(a), self.materialize(b));
        self.add(Op::Outer(a, b), shape)
    }

    /// The transpose of a static matrix.
    pub(crate) fn transpose(&mut self, a: NodeId) -> NodeId {
        let shape = Shape::fixed(self.columns(a), self.static_rows(a));
        match self[a].op.clone() {
            Op::Transpose(inner) => inner,
            Op::Outer(left, right) => self.outer(right, left),
            Op::Fill(bits) => self.add(Op::Fill(bits), shape),
            _ => {
                let a = self.materialize(a);
                self.add(Op::Transpose(a), shape)
            }
        }
    }

    /// The part of that shape that begins at (row, column).
    pub(crate) fn slice(&mut self, of: NodeId, (row, column): (usize, usize), shape: Shape) -> NodeId {
        let Node { op, shape: whole } = self[of].clone();
        if whole == shape {
            return of;
        }
        match op {
            Op::Slice { of, row: outer_row, column: outer_column } => {
                self.slice(of, (row + outer_row, column + outer_column), shape)
            }
            Op::Fill(bits) => self.add(Op::Fill(bits), shape),
            Op::ConcatColumns(parts) if row == 0 && shape.rows == whole.rows => {
                let mut start = 0;
                for part in parts {
                    let width = self.columns(part);
                    if column >= start && column + shape.columns <= start + width {
                        return self.slice(part, (0, column - start), shape);
                    }
                    start += width;
                }
                self.add(Op::Slice { of, row, column }, shape)
            }
            _ => {
                let of = self.materialize(of);
                self.add(Op::Slice { of, row, column }, shape)
            }
        }
    }

    pub(crate) fn concat_columns(&mut self, parts: Vec<NodeId>) -> NodeId {
        if let [only] = parts[..] {
            return only;
        }
        let columns = parts.iter().map(|&part| self.columns(part)).sum();
        let shape = Shape { rows: self.shape(parts[0]).rows, columns };
        let parts = parts.into_iter().map(|part| self.in_memory(part)).collect();
        self.add(Op::ConcatColumns(parts), shape)
    }

    pub(crate) fn concat_rows(&mut self, parts: Vec<NodeId>) -> NodeId {
        if let [only] = parts[..] {
            return only;
        }
        let rows = parts.iter().map(|&part| self.static_rows(part)).sum();
        let shape = Shape::fixed(rows, self.columns(parts[0]));
        let parts = parts.into_iter().map(|part| self.in_memory(part)).collect();
        self.add(Op::ConcatRows(parts), shape)
    }

    pub(crate) fn sum_rows(&mut self, a: NodeId) -> NodeId {
        let shape = Shape::fixed(1, self.columns(a));
        if self.shape(a) == shape {
            return a;
        }
        if self.fill_of(a) == Some(0.0) {
            return self.fill(0.0, shape);
        }
        let a = self.materialize(a);
        self.add(Op::SumRows(a), shape)
    }

    pub(crate) fn sum_columns(&mut self, a: NodeId) -> NodeId {
        self.reduce(Reduce::Sum, a, Axis::all(self.columns(a)))
    }
}
