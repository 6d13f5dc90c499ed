//! Tensors of more than two axes: the axes after the batch are the columns of a matrix, the last the fastest.

use hatchery_plugin::burn::backend::ir::{
    CatOpIr, LayerNormOpIr, MatmulOpIr, ReduceDimOpIr, SliceOpIr, TensorId, TensorIr,
};

use super::{Lowering, number};
use crate::{
    error::{Result, Unsupported},
    id::NodeId,
    ir::{
        graph::{Rows, Shape},
        op::{Axis, BatchedDims, Binary, Op, Reduce, Unary},
    },
};

/// An axis of the columns with these lengths.
fn axis_of(lengths: &[usize], at: usize) -> Axis {
    Axis { outer: lengths[..at].iter().product(), count: lengths[at], inner: lengths[at + 1..].iter().product() }
}

impl Lowering<'_> {
    /// The axes of the columns of a tensor of the batch; nothing of another. A first axis that is a multiple of the batch is an
    /// axis of the columns too.
    pub(super) fn inner(&self, shape: &[usize]) -> Option<Vec<usize>> {
        let (&first, rest) = shape.split_first()?;
        let batch = self.batch.filter(|batch| !rest.is_empty() && first.is_multiple_of(*batch))?;
        let own = Some(first / batch).filter(|&own| own > 1);
        Some(own.into_iter().chain(rest.iter().copied()).collect())
    }

    /// The axes of the columns of any tensor, as long a list as that of a result of which it is an operand.
    fn inner_as(&self, shape: &[usize], of: &[usize]) -> Result<Vec<usize>> {
        let inner = self.inner(shape);
        match inner {
            Some(inner) => Ok(inner),
            None if shape.len() == of.len() => Ok(shape.to_vec()),
            None if shape.len() == of.len() + 1 && shape[0] == 1 => Ok(shape[1..].to_vec()),
            None => Err(Unsupported::new(format!("a tensor of shape {shape:?} with one that depends on the batch"))),
        }
    }

    /// A tensor as an operand of a result of that shape, repeated along the axes of the columns that it lacks. One that has a
    /// single column, or a single row, is broadcast by element-wise operations themselves.
    pub(super) fn broadcast(&mut self, tensor: &TensorIr, to: &[usize]) -> Result<NodeId> {
        let a = self.tensor(tensor.id)?;
        if tensor.shape[..] == *to || self.graph.columns(a) == 1 || to.len() < 2 {
            return Ok(a);
        }
        let missing = to.len() - tensor.shape.len();
        let own: Vec<usize> = std::iter::repeat_n(1, missing).chain(tensor.shape.iter().copied()).collect();
        let (from, to) = match self.inner(to) {
            Some(to) => (self.inner_as(&own, &to)?, to),
            // Without the batch: the first axis is the rows.
            None => (own[1..].to_vec(), to[1..].to_vec()),
        };
        Ok(self.repeat(a, &from, &to))
    }

    /// Repeats columns with these axes along those of length one to others. Neighbors are one axis.
    fn repeat(&mut self, a: NodeId, from: &[usize], to: &[usize]) -> NodeId {
        let (mut a, mut lengths) = (a, from.to_vec());
        let mut at = lengths.len();
        while at > 0 {
            let last = at;
            while at > 0 && (lengths[at - 1] == 1) {
                at -= 1;
            }
            let count = to[at..last].iter().product();
            lengths[at..last].copy_from_slice(&to[at..last]);
            let (outer, inner) = (lengths[..at].iter().product(), lengths[last..].iter().product());
            a = self.graph.repeat(a, Axis { outer, count, inner });
            at = at.saturating_sub(1);
        }
        a
    }

    /// Broadcasts rows and columns. A row becomes one for each sequence as a sum with zeros: element-wise operations broadcast
    /// at no cost.
    pub(super) fn expand(&mut self, input: &TensorIr, out: &TensorIr) -> Result<()> {
        let shape = self.shape(&out.shape);
        let a = self.broadcast(input, &out.shape)?;
        let node = match self.graph.fill_of(a) {
            _ if self.graph.shape(a) == shape => a,
            Some(value) => self.graph.fill(value, shape),
            None => {
                let zeros = self.graph.fill(0.0, shape);
                self.graph.add(Op::Zip(Binary::Add, zeros, a), shape)
            }
        };
        self.set(out, node)
    }

    pub(super) fn reshape(&mut self, input: TensorId, out: &TensorIr) -> Result<()> {
        let a = self.tensor(input)?;
        let (from, to) = (self.graph.shape(a), self.shape(&out.shape));
        let node = match (self.graph.fill_of(a), from.rows, to.rows) {
            _ if from == to => a,
            (Some(value), ..) => self.graph.fill(value, to),
            (None, Rows::Static(_), Rows::Static(_)) => self.graph.reshape(a, to),
            _ => return Err(Unsupported::new(format!("reshape of {from} to {to}"))),
        };
        self.set(out, node)
    }

    /// A tensor with its axes in another order.
    pub(super) fn permute(&mut self, input: &TensorIr, order: &[usize], out: &TensorIr) -> Result<()> {
        let a = self.tensor(input.id)?;
        let (to, is_batch) = (self.shape(&out.shape), self.graph.is_batch(a));
        if input.shape.len() == 2 && !is_batch && order == [1, 0] {
            let node = self.graph.transpose(a);
            return self.set(out, node);
        }
        if is_batch && (order[0] != 0 || self.inner(&input.shape).is_none_or(|inner| inner.len() + 1 != order.len())) {
            return Err(Unsupported::new("transpose of a batch"));
        }
        let row = if is_batch { a } else { self.graph.reshape(a, Shape::fixed(1, input.shape.num_elements())) };
        let moved = self.permute_columns(row, input, order, usize::from(is_batch))?;
        let node = if is_batch { moved } else { self.graph.reshape(moved, to) };
        self.set(out, node)
    }

    /// The columns of a row with their axes, those from `first` on, in another order.
    fn permute_columns(&mut self, row: NodeId, input: &TensorIr, order: &[usize], first: usize) -> Result<NodeId> {
        // Axes of length one may be anywhere.
        let moved: Vec<usize> = order.iter().copied().filter(|&axis| axis >= first && input.shape[axis] > 1).collect();
        let mut sorted = moved.clone();
        sorted.sort_unstable();
        let is_same = |(a, b): &(&usize, &usize)| a == b;
        let before = moved.iter().zip(&sorted).take_while(is_same).count();
        let behind = moved[before..].iter().rev().zip(sorted[before..].iter().rev()).take_while(is_same).count();
        let last = moved.len() - behind;
        let (found, known) = (&moved[before..last], &sorted[before..last]);
        let split = known.iter().position(|axis| Some(axis) == found.first()).unwrap_or(0);
        if !found.iter().eq(known[split..].iter().chain(&known[..split])) {
            return Err(Unsupported::new(format!("a permutation {order:?} of the axes {:?}", &input.shape[..])));
        }
        let length = |axes: &[usize]| axes.iter().map(|&axis| input.shape[axis]).product::<usize>();
        let axis =
            Axis { outer: length(&sorted[..before]), count: length(&known[..split]), inner: length(&known[split..]) };
        let width = length(&sorted[last..]);
        if width == 1 || axis.count == 1 {
            return Ok(self.graph.exchange(row, axis));
        }
        // Groups of columns change places.
        let Axis { outer, count, inner } = axis;
        let Shape { rows, .. } = self.graph.shape(row);
        let mut parts = Vec::new();
        for (outer, inner, count) in
            (0..outer * inner * count).map(|at| (at / (inner * count), at / count % inner, at % count))
        {
            let group = (outer * axis.count + count) * axis.inner + inner;
            parts.push(self.graph.slice(row, (0, group * width), Shape { rows, columns: width }));
        }
        Ok(self.graph.concat_columns(parts))
    }

    pub(super) fn slice(&mut self, op: &SliceOpIr) -> Result<()> {
        let mut node = self.tensor(op.tensor.id)?;
        let mut lengths = op.tensor.shape.to_vec();
        for (at, range) in op.ranges.iter().enumerate() {
            if range.step != 1 || range.start < 0 {
                return Err(Unsupported::new("a slice with steps or counted from the end"));
            }
            let (start, length) = (range.start as usize, op.out.shape[at]);
            if length == lengths[at] {
                continue;
            }
            node = match (self.graph.is_batch(node), at) {
                (true, 0) => return Err(Unsupported::new("a slice of some sequences of the batch")),
                (false, 0) if lengths.len() > 1 => {
                    let columns = self.graph.columns(node);
                    self.graph.slice(node, (start, 0), Shape::fixed(length, columns))
                }
                _ => {
                    let axis = axis_of(&lengths[usize::from(lengths.len() > 1)..], at - usize::from(lengths.len() > 1));
                    self.slice_along(node, axis, start, length)
                }
            };
            lengths[at] = length;
        }
        self.set(&op.out, node)
    }

    /// Some entries of an axis. A first axis that is a multiple of the batch is before all that are cut.
    fn slice_along(&mut self, node: NodeId, axis: Axis, start: usize, length: usize) -> NodeId {
        let Shape { rows, columns } = self.graph.shape(node);
        let (block, width) = (axis.count * axis.inner, length * axis.inner);
        let part = |graph: &mut crate::ir::graph::Graph, index: usize| {
            graph.slice(node, (0, index * block + start * axis.inner), Shape { rows, columns: width })
        };
        let parts = (0..columns / block).map(|index| part(&mut self.graph, index)).collect();
        self.graph.concat_columns(parts)
    }

    pub(super) fn concat(&mut self, op: &CatOpIr) -> Result<()> {
        let parts: Vec<NodeId> = op.tensors.iter().map(|part| self.tensor(part.id)).collect::<Result<_>>()?;
        if op.dim == 0 && op.out.shape.len() > 1 {
            if parts.iter().any(|&part| self.graph.is_batch(part)) {
                return Err(Unsupported::new("cat of batches one below the other"));
            }
            let node = self.graph.concat_rows(parts);
            return self.set(&op.out, node);
        }
        let widths: Vec<usize> = op.tensors.iter().map(|part| part.shape[op.dim..].iter().product()).collect();
        let count = self.graph.columns(parts[0]) / widths[0];
        let mut pieces = Vec::new();
        for index in 0..count {
            for (&part, &width) in parts.iter().zip(&widths) {
                let rows = self.graph.shape(part).rows;
                pieces.push(self.graph.slice(part, (0, index * width), Shape { rows, columns: width }));
            }
        }
        let node = self.graph.concat_columns(pieces);
        self.set(&op.out, node)
    }

    /// One entry for those along an axis that is no axis of the rows.
    pub(super) fn reduce(&mut self, function: Reduce, op: &ReduceDimOpIr, what: &str) -> Result<NodeId> {
        let a = self.tensor(op.input.id)?;
        let Some(axis) = self.axis(&op.input, op.axis) else {
            if self.graph.is_batch(a) || function != Reduce::Sum {
                return Err(Unsupported::new(format!("{what} over the rows of the batch")));
            }
            return Ok(self.graph.sum_rows(a));
        };
        Ok(match function {
            Reduce::Sum => self.graph.reduce(function, a, axis),
            _ => self.largest(function, a, axis),
        })
    }

    /// The largest entry along an axis, as the last axis: there it is known which one is the first of equal ones.
    pub(super) fn largest(&mut self, function: Reduce, a: NodeId, axis: Axis) -> NodeId {
        let last = self.graph.exchange(a, axis);
        self.graph.reduce(function, last, Axis { outer: axis.reduced(), count: axis.count, inner: 1 })
    }

    /// An axis of a tensor as one of its columns; nothing for the axis of its rows.
    pub(super) fn axis(&self, tensor: &TensorIr, at: usize) -> Option<Axis> {
        let rank = tensor.shape.len();
        match self.inner(&tensor.shape) {
            Some(inner) => (at > 0).then(|| axis_of(&inner, at + inner.len() - rank)),
            None if rank == 1 => Some(axis_of(&tensor.shape, at)),
            None => (at > 0).then(|| axis_of(&tensor.shape[1..], at - 1)),
        }
    }

    pub(super) fn cumulative_sum(&mut self, input: &TensorIr, at: usize, out: &TensorIr) -> Result<()> {
        let a = self.tensor(input.id)?;
        let axis = self.axis(input, at).ok_or_else(|| Unsupported::new("a cumulative sum over rows"))?;
        let last = self.graph.exchange(a, axis);
        let sums = self.graph.cumulative_sum(last, Axis { outer: axis.reduced(), count: axis.count, inner: 1 }, false);
        let node = self.graph.exchange(sums, Axis { outer: axis.outer, count: axis.inner, inner: axis.count });
        self.set(out, node)
    }

    /// `γ (x − mean) / √(variance + ε) + β` over the last axis (Ba et al. 2016).
    pub(super) fn layer_norm(&mut self, op: &LayerNormOpIr) -> Result<()> {
        let x = self.tensor(op.input.id)?;
        let axis = self.axis(&op.input, op.input.shape.len() - 1).ok_or_else(|| Unsupported::new("norm over rows"))?;
        let count = self.graph.scalar(axis.count as f64);
        let mean = |lowering: &mut Self, a| {
            let sum = lowering.graph.reduce(Reduce::Sum, a, axis);
            let mean = lowering.graph.zip(Binary::Div, sum, count);
            if axis.outer == 1 { mean } else { lowering.graph.repeat(mean, axis) }
        };
        let middle = mean(self, x);
        let centered = self.graph.zip(Binary::Sub, x, middle);
        let square = self.graph.map(Unary::Square, centered);
        let variance = mean(self, square);
        let epsilon = self.graph.scalar(number(op.epsilon));
        let sum = self.graph.zip(Binary::Add, variance, epsilon);
        let deviation = self.graph.map(Unary::Sqrt, sum);
        let mut node = self.graph.zip(Binary::Div, centered, deviation);
        for (function, factor) in [(Binary::Mul, Some(&op.gamma)), (Binary::Add, op.beta.as_ref())] {
            let Some(factor) = factor else { continue };
            let factor = self.tensor(factor.id)?;
            let factor = self.graph.repeat(factor, Axis { outer: 1, count: axis.outer, inner: axis.count });
            node = self.graph.zip(function, node, factor);
        }
        self.set(&op.out, node)
    }

    pub(super) fn matmul(&mut self, op: &MatmulOpIr) -> Result<()> {
        let [a, b] = [self.tensor(op.lhs.id)?, self.tensor(op.rhs.id)?];
        let rank = op.out.shape.len();
        let (rows, columns) = (op.out.shape[rank - 2], op.out.shape[rank - 1]);
        let depth = op.lhs.shape[rank - 1];
        let node = match self.inner(&op.out.shape) {
            Some(_) if rank == 2 && self.graph.is_batch(b) => {
                return Err(Unsupported::new("matmul over the sequences of the batch"));
            }
            // Without the batch: a product of two matrices, whatever axes of length one precede them.
            None => {
                let (left, right) = (Shape::fixed(rows, depth), Shape::fixed(depth, columns));
                if !self.has_entries(a, left) || !self.has_entries(b, right) {
                    return Err(Unsupported::new("products of several matrices of parameters"));
                }
                let (a, b) = (self.graph.reshape(a, left), self.graph.reshape(b, right));
                let product = self.graph.product(a, b);
                self.graph.reshape(product, self.shape(&op.out.shape))
            }
            Some(inner) => {
                // A first axis that is a multiple of the batch has one row of a matrix after the other.
                let (lead, rows) = if rank == 2 {
                    (vec![], inner[..inner.len() - 1].iter().product())
                } else {
                    (inner[..inner.len() - 2].to_vec(), rows)
                };
                let of = BatchedDims { count: lead.iter().product(), rows, depth, columns, transposed: [false; 2] };
                let lead_of = |lowering: &Self, tensor: &TensorIr| -> Result<Vec<usize>> {
                    if rank == 2 {
                        return Ok(vec![]);
                    }
                    let to: Vec<usize> = lead.iter().copied().chain([0, 0]).collect();
                    let inner = lowering.inner_as(&tensor.shape, &to)?;
                    Ok(inner[..inner.len() - 2].to_vec())
                };
                let leads = [lead_of(self, &op.lhs)?, lead_of(self, &op.rhs)?];
                self.batched(of, [a, b], &lead, leads)
            }
        };
        self.set(&op.out, node)
    }

    fn has_entries(&self, id: NodeId, shape: Shape) -> bool {
        let count = |shape: Shape| match shape.rows {
            Rows::Static(rows) => rows * shape.columns,
            Rows::Batch => 0,
        };
        count(self.graph.shape(id)) == count(shape)
    }

    /// Products of the matrices of each row. Those with parameters are products of whole batches, a row of a matrix at a time.
    fn batched(&mut self, of: BatchedDims, [a, b]: [NodeId; 2], lead: &[usize], leads: [Vec<usize>; 2]) -> NodeId {
        let BatchedDims { count, rows, depth, columns, .. } = of;
        if !self.graph.is_batch(b) && count * rows == 1 {
            let b = self.graph.reshape(b, Shape::fixed(depth, columns));
            return self.graph.product(a, b);
        }
        if !self.graph.is_batch(b) {
            let matrices: usize = leads[1].iter().product();
            let b = self.graph.reshape(b, Shape::fixed(1, matrices * depth * columns));
            let a = self.repeat_lead(a, rows * depth, &leads[0], lead);
            let matrix_of = |index: usize| if matrices == 1 { 0 } else { index_within(index, lead, &leads[1]) };
            let mut parts = Vec::new();
            for index in 0..count * rows {
                let part = self.graph.slice(a, (0, index * depth), Shape::batch(depth));
                let row = Shape::fixed(1, depth * columns);
                let matrix = self.graph.slice(b, (0, matrix_of(index / rows) * depth * columns), row);
                let matrix = self.graph.reshape(matrix, Shape::fixed(depth, columns));
                parts.push(self.graph.product(part, matrix));
            }
            return self.graph.concat_columns(parts);
        }
        let a = if self.graph.is_batch(a) {
            a
        } else {
            let matrices: usize = leads[0].iter().product();
            self.graph.reshape(a, Shape::fixed(1, matrices * rows * depth))
        };
        let a = self.repeat_lead(a, rows * depth, &leads[0], lead);
        let b = self.repeat_lead(b, depth * columns, &leads[1], lead);
        self.graph.batched(of, a, b)
    }

    /// Repeats whole matrices along the axes before theirs.
    fn repeat_lead(&mut self, a: NodeId, entries: usize, from: &[usize], to: &[usize]) -> NodeId {
        let [from, to] = [from, to].map(|lead| lead.iter().copied().chain([entries]).collect::<Vec<_>>());
        self.repeat(a, &from, &to)
    }
}

/// The index of an entry of axes where those of length one are repeated.
fn index_within(index: usize, lengths: &[usize], own: &[usize]) -> usize {
    let (mut rest, mut stride, mut found) = (index, 1, 0);
    for (&length, &own) in lengths.iter().zip(own).rev() {
        if own > 1 {
            found += rest % length * stride;
        }
        (rest, stride) = (rest / length, stride * own);
    }
    found
}
