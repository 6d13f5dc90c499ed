//! Outer products: the gradient of a weight, a sum over the rows of many time steps. Both matrices are packed, a slab at a
//! time.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use std::mem::MaybeUninit;

use crate::plan::gradient_jobs::OUTER_ROWS;

use super::{
    matmul::{Panels, Prefetch, Product, pack, panel, panel_rows, row_tiles},
    matrix::{Dims, MatrixMut, MatrixRef},
    simd::Lanes,
};

/// The depth of an outer product that is packed at once.
const SLAB: usize = 128;

/// `c = aᵀ · b`, or `c += aᵀ · b`: the sum over the rows of a and b, as many as the depth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer<T> {
    /// The size of c; at most [`OUTER_ROWS`] rows.
    pub(crate) dims: Dims,
    pub(crate) depth: usize,
    pub(crate) a: MatrixRef<T>,
    pub(crate) b: MatrixRef<T>,
    pub(crate) c: MatrixMut<T>,
    /// Whether the product is added to c.
    pub(crate) add: bool,
}

/// A packed slab of a, and one of a panel of b.
#[repr(C, align(64))]
struct Packed<T> {
    a: [MaybeUninit<T>; SLAB * OUTER_ROWS],
    b: [MaybeUninit<T>; SLAB * 32],
}

/// Computes an outer product. The order of the additions depends on its shape only.
///
/// # Safety
/// The instruction set of `V` is enabled; all matrices are valid; c overlaps neither a nor b.
#[inline(always)]
pub(crate) unsafe fn outer<V: Lanes>(outer: &Outer<V::Element>) {
    const { assert!(panel::<V>() <= 32, "a panel fits its slab") };
    debug_assert!(outer.dims.rows <= OUTER_ROWS);
    let width = panel::<V>();
    // On the stack. Its elements are written before they are read.
    let mut packed = MaybeUninit::<Packed<V::Element>>::uninit();
    // SAFETY: the caller guarantees valid matrices; a slab of a has at most OUTER_ROWS rows, and a panel of b at most 32
    // columns.
    unsafe {
        let packed_a: *mut V::Element = (&raw mut (*packed.as_mut_ptr()).a).cast();
        let packed_b: *mut V::Element = (&raw mut (*packed.as_mut_ptr()).b).cast();
        for first in (0..outer.depth.max(1)).step_by(SLAB) {
            let depth = SLAB.min(outer.depth - first);
            let adds = first > 0 || outer.add;
            let dims = Dims { rows: depth, columns: outer.dims.rows };
            pack::<V>(rows_from(outer.a, first, 0), dims, packed_a);
            for column in (0..outer.dims.columns).step_by(width) {
                let columns = width.min(outer.dims.columns - column);
                let from = rows_from(outer.b, first, column);
                pack::<V>(from, Dims { rows: depth, columns }, packed_b);
                let prefetch = NextSlab::new(outer, first, column, width);
                for row in (0..outer.dims.rows).step_by(width) {
                    let ptr = outer.c.ptr.add(row * outer.c.row_stride + column);
                    let c = MatrixMut { ptr, ..outer.c };
                    let product = Product {
                        dims: Dims { rows: width.min(outer.dims.rows - row), columns },
                        depth,
                        a: MatrixRef {
                            ptr: packed_a.add(row * depth).cast_const(),
                            row_stride: 1,
                            column_stride: width,
                        },
                        b: Panels { ptr: packed_b.cast_const(), row_stride: width, panel_stride: 0, is_padded: true },
                        c,
                        init: adds.then_some(c.to_ref()),
                        init_rows: &[],
                        prefetch: &[],
                    };
                    row_tiles::<V>(&product, &prefetch.for_row::<V>(row), (0, product.dims.rows), 0);
                }
            }
        }
    }
}

/// The part of a matrix that begins at that row and column.
#[inline(always)]
unsafe fn rows_from<T>(matrix: MatrixRef<T>, row: usize, column: usize) -> MatrixRef<T> {
    // SAFETY: the caller passes an entry of the matrix.
    MatrixRef { ptr: unsafe { matrix.ptr.add(row * matrix.row_stride + column) }, ..matrix }
}

/// What is prefetched during a slab by a panel: the operands or sums that come next.
struct NextSlab<T> {
    start: *const T,
    /// Elements from one prefetch to the next.
    stride: usize,
    /// Elements from the prefetches of a row of the product to those of the next.
    row_stride: usize,
}

impl<T> NextSlab<T> {
    #[inline(always)]
    fn new(outer: &Outer<T>, first: usize, column: usize, width: usize) -> Self {
        let is_last = column + width >= outer.dims.columns;
        if outer.depth <= SLAB {
            // There are more sums than operands: the next of them.
            let next = if is_last { 0 } else { column + width };
            let stride = outer.c.row_stride;
            Self { start: outer.c.ptr.cast_const().wrapping_add(next), stride, row_stride: stride }
        } else if !is_last {
            let stride = outer.b.row_stride;
            Self { start: outer.b.ptr.wrapping_add(first * stride + column + width), stride, row_stride: 0 }
        } else if first + SLAB < outer.depth {
            let stride = outer.a.row_stride;
            Self { start: outer.a.ptr.wrapping_add((first + SLAB) * stride), stride, row_stride: 1 }
        } else {
            Self { start: outer.a.ptr, stride: 0, row_stride: 0 }
        }
    }

    #[inline(always)]
    fn for_row<V: Lanes<Element = T>>(&self, row: usize) -> Prefetch<T> {
        panel_rows::<V>(self.start.wrapping_add(row * self.row_stride), self.stride)
    }
}
