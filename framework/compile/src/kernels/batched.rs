//! Products of the small matrices that a row holds: the outer products, and the products of a matrix and a vector, of cells
//! whose state is a matrix.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::simd::Lanes;
use crate::ir::op::BatchedDims;

/// A factor: entry (row, column) is at `ptr + row · row_stride + column · column_stride`.
#[derive(Clone, Copy)]
struct Factor<T> {
    ptr: *const T,
    row_stride: usize,
    column_stride: usize,
}

impl<T> Factor<T> {
    /// One of the matrices of a row.
    fn new(ptr: *const T, (rows, columns): (usize, usize), is_transposed: bool) -> Self {
        let (row_stride, column_stride) = if is_transposed { (1, rows) } else { (columns, 1) };
        Self { ptr, row_stride, column_stride }
    }

    fn transposed(self) -> Self {
        Self { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }

    unsafe fn at(self, row: usize, column: usize) -> *const T {
        // SAFETY: the caller passes an entry of the matrix.
        unsafe { self.ptr.add(row * self.row_stride + column * self.column_stride) }
    }
}

/// Computes the products of one row. The order of the additions depends on their shapes only.
///
/// # Safety
/// The instruction set of `V` is enabled; the pointers are valid for all matrices; `to` overlaps no factor.
#[inline(always)]
pub(super) unsafe fn batched<V: Lanes>(
    of: &BatchedDims,
    [a, b]: [*const V::Element; 2],
    init: Option<*const V::Element>,
    to: *mut V::Element,
) {
    let BatchedDims { count, rows, depth, columns, transposed } = *of;
    for index in 0..count {
        // SAFETY: passed on to the caller; there are `count` matrices of that size in each.
        unsafe {
            let left = Factor::new(a.add(index * rows * depth), (rows, depth), transposed[0]);
            let right = Factor::new(b.add(index * depth * columns), (depth, columns), transposed[1]);
            let (init, to) = (init.map(|init| init.add(index * rows * columns)), to.add(index * rows * columns));
            // A column is the row of the exchanged and transposed factors.
            let (left, right, rows, columns) = if columns == 1 {
                (right.transposed(), left.transposed(), 1, rows)
            } else {
                (left, right, rows, columns)
            };
            for row in 0..rows {
                let init = init.map(|init| init.add(row * columns));
                let left = Factor { ptr: left.at(row, 0), ..left };
                product_row::<V>(left, right, (depth, columns), init, to.add(row * columns));
            }
        }
    }
}

/// A row of a product.
#[inline(always)]
unsafe fn product_row<V: Lanes>(
    left: Factor<V::Element>,
    right: Factor<V::Element>,
    (depth, columns): (usize, usize),
    init: Option<*const V::Element>,
    to: *mut V::Element,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        if right.column_stride == 1 {
            sums_of_rows::<V>(left, right, (depth, columns), init, to);
        } else if right.row_stride == 1 && left.column_stride == 1 {
            sums_of_columns::<V>(left.ptr, right, (depth, columns), init, to);
        } else {
            for column in 0..columns {
                let mut sum = load_init(init, column, 1);
                for inner in 0..depth {
                    let factor = V::load_part(left.at(0, inner), 1);
                    sum = factor.mul_add(V::load_part(right.at(inner, column), 1), sum);
                }
                sum.store_part(to.add(column), 1);
            }
        }
    }
}

/// The first lanes of a register, or all.
#[inline(always)]
unsafe fn load<V: Lanes>(from: *const V::Element, lanes: usize) -> V {
    // SAFETY: the caller passes as many valid elements.
    unsafe { if lanes == V::COUNT { V::load(from) } else { V::load_part(from, lanes) } }
}

/// The start of some sums: zeros without one.
#[inline(always)]
unsafe fn load_init<V: Lanes>(init: Option<*const V::Element>, column: usize, lanes: usize) -> V {
    match init {
        // SAFETY: the caller passes as many valid elements.
        Some(init) => unsafe { load(init.add(column), lanes) },
        // SAFETY: the caller enables the instruction set.
        None => unsafe { V::splat(V::Element::default()) },
    }
}

/// A row of a product as a sum of multiples of the rows of the second factor.
#[inline(always)]
unsafe fn sums_of_rows<V: Lanes>(
    left: Factor<V::Element>,
    right: Factor<V::Element>,
    (depth, columns): (usize, usize),
    init: Option<*const V::Element>,
    to: *mut V::Element,
) {
    let mut column = 0;
    // SAFETY: passed on to the caller; masked loads and stores go no further than the columns.
    unsafe {
        // Four sums at once: one alone would wait for each addition to end.
        while column + 4 * V::COUNT <= columns {
            multiples::<V, 4>(left, right, depth, (column, V::COUNT), init, to);
            column += 4 * V::COUNT;
        }
        while column + 2 * V::COUNT <= columns {
            multiples::<V, 2>(left, right, depth, (column, V::COUNT), init, to);
            column += 2 * V::COUNT;
        }
        while column < columns {
            multiples::<V, 1>(left, right, depth, (column, V::COUNT.min(columns - column)), init, to);
            column += V::COUNT;
        }
    }
}

/// Some registers of a row of a product; of the only one perhaps a part. Even and odd terms have sums of their own.
#[inline(always)]
unsafe fn multiples<V: Lanes, const WIDE: usize>(
    left: Factor<V::Element>,
    right: Factor<V::Element>,
    depth: usize,
    (column, lanes): (usize, usize),
    init: Option<*const V::Element>,
    to: *mut V::Element,
) {
    let offset = |register: usize| column + register * V::COUNT;
    // SAFETY: passed on to the caller; masked loads and stores go no further than the lanes.
    unsafe {
        let (mut even, mut odd) = ([V::splat(V::Element::default()); WIDE], [V::splat(V::Element::default()); WIDE]);
        for (register, sum) in even.iter_mut().enumerate() {
            *sum = load_init(init, offset(register), lanes);
        }
        let mut inner = 0;
        while inner + 2 <= depth {
            for (sums, inner) in [(&mut even, inner), (&mut odd, inner + 1)] {
                let factor = V::splat(*left.at(0, inner));
                for (register, sum) in sums.iter_mut().enumerate() {
                    *sum = factor.mul_add(load(right.at(inner, offset(register)), lanes), *sum);
                }
            }
            inner += 2;
        }
        if inner < depth {
            let factor = V::splat(*left.at(0, inner));
            for (register, sum) in even.iter_mut().enumerate() {
                *sum = factor.mul_add(load(right.at(inner, offset(register)), lanes), *sum);
            }
        }
        for (register, (&even, odd)) in even.iter().zip(odd).enumerate() {
            let sum = if depth > 1 { even.add(odd) } else { even };
            if lanes == V::COUNT {
                sum.store(to.add(offset(register)));
            } else {
                sum.store_part(to.add(offset(register)), lanes);
            }
        }
    }
}

/// A row of a product as the sums of products with the contiguous columns of the second factor, a register of sums at once.
#[inline(always)]
unsafe fn sums_of_columns<V: Lanes>(
    left: *const V::Element,
    right: Factor<V::Element>,
    (depth, columns): (usize, usize),
    init: Option<*const V::Element>,
    to: *mut V::Element,
) {
    let zero = V::Element::default();
    // SAFETY: passed on to the caller; masked loads and stores go no further than the columns and the depth.
    unsafe {
        for first in (0..columns).step_by(V::COUNT) {
            let here = V::COUNT.min(columns - first);
            let mut sums = [V::splat(zero); 16];
            for inner in (0..depth).step_by(V::COUNT) {
                let lanes = V::COUNT.min(depth - inner);
                let factor: V = load(left.add(inner), lanes);
                for (index, sum) in sums[..V::COUNT].iter_mut().enumerate() {
                    // Beyond the last column the last is read again.
                    let column = first + index.min(here - 1);
                    *sum = factor.mul_add(load(right.at(inner, column), lanes), *sum);
                }
            }
            let mut half = V::COUNT / 2;
            while half > 0 {
                for index in 0..half {
                    let (low, high) = sums[index].interleave(sums[index + half]);
                    sums[index] = low.add(high);
                }
                half /= 2;
            }
            let sum = sums[0].add(load_init(init, first, here));
            sum.store_part(to.add(first), here);
        }
    }
}
