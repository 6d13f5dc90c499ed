//! Outer products: the gradient of a weight, a sum over the rows of many time steps. Both matrices are packed, a piece at a
//! time.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use std::mem::MaybeUninit;

use crate::plan::gradient_jobs::OUTER_ROWS;

use super::{
    matmul::{Product, beside, blocks_of_rows, pack, panel},
    simd::Lanes,
};

/// How much of the depth of an outer product is packed at once, and at most how many of its rows.
const PIECE: usize = 128;

/// `c (+)= aᵀ · b`: the sum over the rows of a and b, which are as many as the depth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer<T> {
    /// At most [`OUTER_ROWS`].
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    pub(crate) a: *const T,
    pub(crate) a_stride: usize,
    pub(crate) b: *const T,
    pub(crate) b_stride: usize,
    pub(crate) c: *mut T,
    pub(crate) c_stride: usize,
    /// Whether it is added to what is there.
    pub(crate) add: bool,
}

/// Room for a piece of a, block by block, and a piece of one panel of b.
#[repr(C, align(64))]
struct Room<T> {
    a: [MaybeUninit<T>; PIECE * OUTER_ROWS],
    b: [MaybeUninit<T>; PIECE * 32],
}

/// Computes an outer product. The order of the additions depends on its shape only.
///
/// # Safety
/// The instruction set of `V` is enabled; all pointers are valid for their matrices; c overlaps neither a nor b.
#[inline(always)]
pub(crate) unsafe fn outer<V: Lanes>(outer: &Outer<V::Number>) {
    const { assert!(panel::<V>() <= 32, "a panel fits its room") };
    debug_assert!(outer.rows <= OUTER_ROWS);
    let width = panel::<V>();
    // On the stack: nobody else has to know of it. Its numbers are written before they are read.
    let mut pieces = MaybeUninit::<Room<V::Number>>::uninit();
    // SAFETY: the caller's; a block of a takes as much room as it has numbers.
    unsafe {
        let packed_a: *mut V::Number = (&raw mut (*pieces.as_mut_ptr()).a).cast();
        let packed_b: *mut V::Number = (&raw mut (*pieces.as_mut_ptr()).b).cast();
        for first in (0..outer.depth.max(1)).step_by(PIECE) {
            let depth = PIECE.min(outer.depth - first);
            let adds = first > 0 || outer.add;
            pack::<V>(outer.a.add(first * outer.a_stride), [outer.a_stride, 1], depth, outer.rows, packed_a);
            for column in (0..outer.columns).step_by(width) {
                let columns = width.min(outer.columns - column);
                let from = outer.b.add(first * outer.b_stride + column);
                pack::<V>(from, [outer.b_stride, 1], depth, columns, packed_b);
                let is_last = column + width >= outer.columns;
                // What is brought nearer, how far it is from one row of it to the next, and from what is for one row of a to
                // what is for the next.
                let (next, stride, aside) = if outer.depth <= PIECE {
                    // There are more sums than operands: the next of them.
                    let next = if is_last { 0 } else { column + width };
                    (outer.c.cast_const().wrapping_add(next), outer.c_stride, outer.c_stride)
                } else if !is_last {
                    (from.wrapping_add(width), outer.b_stride, 0)
                } else if first + PIECE < outer.depth {
                    (outer.a.add((first + PIECE) * outer.a_stride), outer.a_stride, 1)
                } else {
                    (outer.a, 0, 0)
                };
                for row in (0..outer.rows).step_by(width) {
                    let c = outer.c.add(row * outer.c_stride + column);
                    let product = Product {
                        rows: width.min(outer.rows - row),
                        columns,
                        depth,
                        a: packed_a.add(row * depth).cast_const(),
                        a_strides: [1, width],
                        b: packed_b.cast_const(),
                        b_strides: [width, 0],
                        b_padded: true,
                        c,
                        c_stride: outer.c_stride,
                        init: if adds { c.cast_const() } else { std::ptr::null() },
                        init_stride: outer.c_stride,
                        chosen: &[],
                        ahead: &[],
                    };
                    let next = beside::<V>(next.wrapping_add(row * aside), stride);
                    blocks_of_rows::<V>(&product, &next, (0, product.rows), 0);
                }
            }
        }
    }
}
