//! Transposes matrices, a square of registers at a time.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::{
    matrix::{Dims, MatrixMut, MatrixRef},
    simd::Lanes,
};

/// `to = fromᵀ + add`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transpose<T> {
    /// The size of `from`.
    pub(crate) dims: Dims,
    pub(crate) from: MatrixRef<T>,
    pub(crate) to: MatrixMut<T>,
    /// The width of the rows that are written; zeros fill them up beyond the rows of `from`.
    pub(crate) width: usize,
    /// It may be `to`.
    pub(crate) add: Option<MatrixRef<T>>,
}

/// Transposes, optionally adding a matrix or a broadcast row.
///
/// # Safety
/// The instruction set of `V` is enabled; all matrices are valid; `from` overlaps neither of the others.
#[inline(always)]
pub(crate) unsafe fn transpose<V: Lanes>(transpose: &Transpose<V::Element>) {
    // SAFETY: passed on to the caller.
    unsafe {
        match V::COUNT {
            4 => squares::<V, 4>(transpose),
            8 => squares::<V, 8>(transpose),
            16 => squares::<V, 16>(transpose),
            _ => unreachable!("no register has {} lanes", V::COUNT),
        }
    }
}

/// Goes over the squares of `SIDE` registers with `SIDE` lanes each.
#[inline(always)]
unsafe fn squares<V: Lanes, const SIDE: usize>(transpose: &Transpose<V::Element>) {
    let Transpose { dims, width, add, .. } = *transpose;
    for row in (0..width).step_by(SIDE) {
        for column in (0..dims.columns).step_by(SIDE) {
            let is_whole = row + SIDE <= dims.rows && column + SIDE <= dims.columns;
            // SAFETY: `transpose`'s caller guarantees valid matrices, and enables the instruction set of V.
            unsafe {
                match (is_whole, add.is_none()) {
                    (true, true) => square::<V, SIDE, true, false>(transpose, row, column),
                    (true, false) => square::<V, SIDE, true, true>(transpose, row, column),
                    (false, true) => square::<V, SIDE, false, false>(transpose, row, column),
                    (false, false) => square::<V, SIDE, false, true>(transpose, row, column),
                }
            }
        }
    }
}

/// Transposes the square that begins at a row and column of `from`; unless it is `WHOLE` only the part within the matrix.
/// All loops are as long as the square is wide, so that it stays in registers.
#[inline(always)]
unsafe fn square<V: Lanes, const SIDE: usize, const WHOLE: bool, const ADD: bool>(
    transpose: &Transpose<V::Element>,
    row: usize,
    column: usize,
) {
    let Transpose { dims, from, to, .. } = *transpose;
    // Without ADD nothing is added, and any matrix will do.
    let add = if ADD { transpose.add.unwrap_or(from) } else { from };
    let within = |all: usize, first: usize| if WHOLE { SIDE } else { SIDE.min(all.saturating_sub(first)) };
    let (rows, columns, width) = (within(dims.rows, row), within(dims.columns, column), within(transpose.width, row));
    // SAFETY: `transpose`'s caller guarantees valid matrices, and enables the instruction set of V; masked loads and stores
    // go no further than the matrices.
    unsafe {
        let mut square = [V::splat(V::Element::default()); SIDE];
        for (index, register) in square.iter_mut().enumerate() {
            let from = from.ptr.wrapping_add((row + index) * from.row_stride + column);
            if WHOLE {
                *register = V::load(from);
            } else if index < rows {
                *register = V::load_part(from, columns);
            }
        }
        let square = transposed(square);
        for (index, &register) in square.iter().enumerate() {
            let to = to.ptr.wrapping_add((column + index) * to.row_stride + row);
            let add = add.ptr.wrapping_add((column + index) * add.row_stride + row);
            if WHOLE {
                let register = if ADD { register.add(V::load(add)) } else { register };
                register.store(to);
            } else if index < columns {
                let register = if ADD { register.add(V::load_part(add, rows)) } else { register };
                register.store_part(to, width);
            }
        }
    }
}

/// The columns of a square whose rows are given. Interleaving the first half of the registers with the second, as often as
/// their number can be halved, brings each element to its place.
#[inline(always)]
unsafe fn transposed<V: Lanes, const SIDE: usize>(mut square: [V; SIDE]) -> [V; SIDE] {
    for _ in 0..SIDE.ilog2() {
        square = std::array::from_fn(
            #[inline(always)]
            |index| {
                // SAFETY: `transpose`'s caller enables the instruction set of V.
                let (first, second) = unsafe { square[index / 2].interleave(square[index / 2 + SIDE / 2]) };
                if index % 2 == 0 { first } else { second }
            },
        );
    }
    square
}
