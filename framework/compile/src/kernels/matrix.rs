//! Matrices in memory, as the kernels read and write them.

/// The numbers of rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dims {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// A matrix that is read: entry (r, c) is at `ptr + r · row_stride + c · column_stride`. A stride of 0 broadcasts a row or a
/// column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatrixRef<T> {
    pub(crate) ptr: *const T,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl<T> MatrixRef<T> {
    /// A matrix with contiguous rows.
    pub(crate) fn rows(ptr: *const T, row_stride: usize) -> Self {
        Self { ptr, row_stride, column_stride: 1 }
    }

    /// One row, broadcast to all rows.
    pub(crate) fn row(ptr: *const T) -> Self {
        Self::rows(ptr, 0)
    }

    /// The start of a row.
    ///
    /// # Safety
    /// The matrix has that row.
    pub(crate) unsafe fn row_at(&self, row: usize) -> *const T {
        // SAFETY: see above.
        unsafe { self.ptr.add(row * self.row_stride) }
    }

    /// Whether the matrix is one column, broadcast to all columns.
    #[expect(clippy::inline_always, reason = "it is called in kernels, which are inlined into one function each")]
    #[inline(always)]
    pub(crate) fn is_column(&self) -> bool {
        self.column_stride == 0
    }
}

/// A matrix that is written, with contiguous rows: row r begins at `ptr + r · row_stride`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatrixMut<T> {
    pub(crate) ptr: *mut T,
    pub(crate) row_stride: usize,
}

impl<T> MatrixMut<T> {
    /// One row, to which all rows are added.
    pub(crate) fn row(ptr: *mut T) -> Self {
        Self { ptr, row_stride: 0 }
    }

    /// The start of a row.
    ///
    /// # Safety
    /// The matrix has that row.
    pub(crate) unsafe fn row_at(&self, row: usize) -> *mut T {
        // SAFETY: see above.
        unsafe { self.ptr.add(row * self.row_stride) }
    }

    /// The same matrix, to be read.
    pub(crate) fn to_ref(&self) -> MatrixRef<T> {
        MatrixRef::rows(self.ptr.cast_const(), self.row_stride)
    }
}
