//! Builders of nodes that fold what needs no computation: constants, neutral elements, a slice of a slice.

use super::{
    graph::{Graph, Node, Rows, Shape},
    op::{Binary, Leaf, Op, Ternary, Unary},
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
            _ => {}
        }
        // The order of the operands of a commutative operation makes no other node.
        let commutes = matches!(function, Binary::Add | Binary::Mul | Binary::Equal);
        let (a, b) = if commutes && a > b { (b, a) } else { (a, b) };
        self.add(Op::Zip(function, a, b), shape)
    }

    pub(crate) fn select(&mut self, mask: NodeId, yes: NodeId, no: NodeId) -> NodeId {
        let partial = self.broadcast(mask, yes);
        let partial = self.fill(0.0, partial);
        let shape = self.broadcast(partial, no);
        self.add(Op::Fuse(Ternary::Select, mask, yes, no), shape)
    }

    /// The same matrix in memory, for operations that cannot read a fill.
    pub(crate) fn materialize(&mut self, a: NodeId) -> NodeId {
        if self.fill_of(a).is_some() && self.is_batch(a) { self.add(Op::Map(Unary::Copy, a), self.shape(a)) } else { a }
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
            _ => self.add(Op::Transpose(a), shape),
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
            _ => self.add(Op::Slice { of, row, column }, shape),
        }
    }

    pub(crate) fn concat_columns(&mut self, parts: Vec<NodeId>) -> NodeId {
        if let [only] = parts[..] {
            return only;
        }
        let columns = parts.iter().map(|&part| self.columns(part)).sum();
        let shape = Shape { rows: self.shape(parts[0]).rows, columns };
        self.add(Op::ConcatColumns(parts), shape)
    }

    pub(crate) fn concat_rows(&mut self, parts: Vec<NodeId>) -> NodeId {
        if let [only] = parts[..] {
            return only;
        }
        let rows = parts.iter().map(|&part| self.static_rows(part)).sum();
        let shape = Shape::fixed(rows, self.columns(parts[0]));
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
        let Shape { rows, columns } = self.shape(a);
        let shape = Shape { rows, columns: 1 };
        match self.fill_of(a) {
            _ if columns == 1 => a,
            Some(value) => self.fill(value * columns as f64, shape),
            None => self.add(Op::SumColumns(a), shape),
        }
    }
}
