//! The gradients of operations along the axes of the columns, and on the matrices of each row.

use super::Reverse;
use crate::{
    id::NodeId,
    ir::op::{Axis, BatchedDims, Binary, Op, Reduce},
};

impl Reverse<'_> {
    /// The gradient of an operation along an axis.
    pub(super) fn along(&mut self, op: &Op, y: NodeId, dy: NodeId) {
        match *op {
            Op::Reduce(Reduce::Sum, a, axis) => {
                let gradient = self.spread(dy, axis);
                self.accumulate(a, gradient);
            }
            Op::Reduce(Reduce::Max, a, axis) => self.maximum(y, (a, axis), dy),
            Op::Repeat(a, axis) => {
                let gradient = self.graph.reduce(Reduce::Sum, dy, axis);
                self.accumulate(a, gradient);
            }
            Op::CumulativeSum(a, axis, is_reverse) => {
                let gradient = self.graph.cumulative_sum(dy, axis, !is_reverse);
                self.accumulate(a, gradient);
            }
            Op::Exchange(a, axis) => {
                let back = Axis { count: axis.inner, inner: axis.count, ..axis };
                let gradient = self.graph.exchange(dy, back);
                self.accumulate(a, gradient);
            }
            _ => {}
        }
    }

    /// A gradient for every entry along an axis; along all columns, element-wise operations broadcast it.
    fn spread(&mut self, dy: NodeId, axis: Axis) -> NodeId {
        if axis.outer * axis.inner == 1 { dy } else { self.graph.repeat(dy, axis) }
    }

    /// The gradient of the largest entry along the last axis, of equal ones the first.
    fn maximum(&mut self, y: NodeId, (a, axis): (NodeId, Axis), dy: NodeId) {
        let [largest, dy] = [y, dy].map(|id| self.spread(id, axis));
        let graph = &mut *self.graph;
        let is_largest = graph.zip(Binary::Equal, a, largest);
        let count = graph.cumulative_sum(is_largest, axis, false);
        let one = graph.scalar(1.0);
        let is_first = graph.zip(Binary::Equal, count, one);
        let is_chosen = graph.zip(Binary::Mul, is_largest, is_first);
        let gradient = graph.zip(Binary::Mul, dy, is_chosen);
        self.accumulate(a, gradient);
    }

    /// The gradients of the factors of products: `dA = dY Bᵀ` and `dB = Aᵀ dY`, each as its factor is stored.
    pub(super) fn batched(&mut self, of: BatchedDims, (a, b): (NodeId, NodeId), init: Option<NodeId>, dy: NodeId) {
        let BatchedDims { count, rows, depth, columns, transposed: [is_a, is_b] } = of;
        let dims =
            |[rows, depth, columns]: [usize; 3], transposed| BatchedDims { count, rows, depth, columns, transposed };
        if self.varies(a) {
            let gradient = if is_a {
                self.graph.batched(dims([depth, columns, rows], [is_b, true]), b, dy)
            } else {
                self.graph.batched(dims([rows, columns, depth], [false, !is_b]), dy, b)
            };
            self.accumulate(a, gradient);
        }
        if self.varies(b) {
            let gradient = if is_b {
                self.graph.batched(dims([columns, rows, depth], [true, is_a]), dy, a)
            } else {
                self.graph.batched(dims([depth, rows, columns], [!is_a, false]), a, dy)
            };
            self.accumulate(b, gradient);
        }
        if let Some(init) = init {
            self.accumulate(init, dy);
        }
    }
}
