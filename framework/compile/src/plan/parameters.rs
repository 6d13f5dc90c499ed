//! The memory for matrices that do not depend on the batch: parameters, their gradients, and what is computed from them
//! alone.

use std::collections::{HashMap, HashSet};

use crate::id::ParamId;

/// The elements of a cache line of the narrowest dtype: allocations begin at a multiple of it.
const LINE: usize = 16;

/// A matrix in parameter memory: entry (r, c) is at `offset + r · row_stride + c · column_stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    pub(crate) offset: usize,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Location {
    /// A matrix stored row by row.
    pub(crate) fn row_major(offset: usize, rows: usize, columns: usize) -> Self {
        Self { offset, row_stride: columns, column_stride: 1, rows, columns }
    }

    /// One element.
    pub(crate) fn scalar(offset: usize) -> Self {
        Self { offset, row_stride: 0, column_stride: 1, rows: 1, columns: 1 }
    }

    /// The transpose: the same memory, read the other way.
    pub(crate) fn transposed(self) -> Self {
        Self {
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            rows: self.columns,
            columns: self.rows,
            ..self
        }
    }

    pub(crate) fn rows_from(self, row: usize, rows: usize) -> Self {
        Self { offset: self.offset + row * self.row_stride, rows, ..self }
    }

    pub(crate) fn columns_from(self, column: usize, columns: usize) -> Self {
        Self { offset: self.offset + column * self.column_stride, columns, ..self }
    }

    /// The number of entries.
    pub(crate) fn len(self) -> usize {
        self.rows * self.columns
    }

    /// Whether all entries lie next to each other, row by row.
    pub(crate) fn is_contiguous(self) -> bool {
        self.has_contiguous_rows() && (self.row_stride == self.columns || self.rows == 1)
    }

    /// Whether the entries of each row lie next to each other.
    pub(crate) fn has_contiguous_rows(self) -> bool {
        self.column_stride == 1 || self.columns == 1
    }
}

/// The layout of the parameter memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParameterMemory {
    /// The number of elements.
    pub(crate) size: usize,
    /// Values that are there from the start, by their offset.
    pub(crate) initial: Vec<(usize, Vec<f64>)>,
    constants: HashMap<u64, usize>,
}

impl ParameterMemory {
    /// Memory for a matrix, row by row.
    pub(crate) fn allocate(&mut self, rows: usize, columns: usize) -> Location {
        let offset = self.size.next_multiple_of(LINE);
        self.size = offset + (rows * columns).next_multiple_of(LINE);
        Location::row_major(offset, rows, columns)
    }

    /// Memory for a matrix that has these values from the start.
    pub(crate) fn allocate_values(&mut self, rows: usize, columns: usize, values: Vec<f64>) -> Location {
        let at = self.allocate(rows, columns);
        self.initial.push((at.offset, values));
        at
    }

    /// The offset of a constant.
    pub(crate) fn constant(&mut self, value: f64) -> usize {
        if let Some(&known) = self.constants.get(&value.to_bits()) {
            return known;
        }
        let offset = self.size;
        self.size += 1;
        self.initial.push((offset, vec![value]));
        self.constants.insert(value.to_bits(), offset);
        offset
    }
}

/// The memory of the parameters' gradients.
#[derive(Clone, Debug)]
pub(crate) struct GradientMemory {
    at: Vec<Location>,
    written: HashSet<ParamId>,
}

impl GradientMemory {
    pub(crate) fn new(at: Vec<Location>) -> Self {
        Self { at, written: HashSet::new() }
    }

    pub(crate) fn at(&self, param: ParamId) -> Location {
        self.at[param.index()]
    }

    /// Where the next contribution to a gradient goes, and whether it is added to an earlier one.
    pub(crate) fn contribute(&mut self, param: ParamId) -> (Location, bool) {
        let add = !self.written.insert(param);
        (self.at(param), add)
    }

    /// The gradients that nothing contributes to.
    pub(crate) fn unwritten(&self) -> impl Iterator<Item = Location> {
        let is_unwritten = |index: &usize| !self.written.contains(&ParamId::new(*index));
        (0..self.at.len()).filter(is_unwritten).map(|index| self.at[index])
    }

    pub(crate) fn into_locations(self) -> Vec<Location> {
        self.at
    }
}
