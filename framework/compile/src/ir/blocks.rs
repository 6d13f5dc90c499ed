//! The axes of the columns that an element-wise operation goes through, so that it reads an operand that repeats as it is in
//! memory.

use super::{
    graph::Graph,
    op::{Axis, Op},
};
use crate::id::NodeId;

/// The columns of a row as `[outer, rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub(crate) outer: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Blocks {
    /// All columns as one row.
    pub(crate) fn flat(columns: usize) -> Self {
        Self { outer: 1, rows: 1, columns }
    }

    /// Elements from an entry to the next along each axis, where the columns are contiguous.
    pub(crate) fn strides(self) -> [usize; 3] {
        [self.rows * self.columns, self.columns, 1]
    }

    /// The same in an operand that lacks an axis, along which it repeats.
    pub(crate) fn strides_without(self, axis: Axis) -> [usize; 3] {
        self.strides().map(|stride| match stride {
            _ if stride >= axis.count * axis.inner => stride / axis.count,
            _ if stride < axis.inner => stride,
            _ => 0,
        })
    }
}

impl Graph {
    /// The axes that the operands of an element-wise node repeat along; nothing if there are more than three.
    pub(crate) fn blocks(&self, id: NodeId) -> Option<Blocks> {
        self.blocks_of(&self[id].op.operands(), self.columns(id))
    }

    /// The same of operands that are combined to that many columns.
    pub(crate) fn blocks_of(&self, operands: &[NodeId], columns: usize) -> Option<Blocks> {
        let mut lengths = vec![1, columns];
        for &operand in operands {
            if let Op::Repeat(_, axis) = self[operand].op {
                lengths.extend([axis.inner, axis.inner * axis.count]);
            }
        }
        lengths.sort_unstable();
        lengths.dedup();
        if lengths.windows(2).any(|pair| !pair[1].is_multiple_of(pair[0])) {
            return None;
        }
        match lengths[..] {
            [_] => Some(Blocks::flat(1)),
            [_, all] => Some(Blocks::flat(all)),
            [_, columns, all] => Some(Blocks { outer: 1, rows: all / columns, columns }),
            [_, columns, block, all] => Some(Blocks { outer: all / block, rows: block / columns, columns }),
            _ => None,
        }
    }
}
