//! Matrices turned on their side, a square of registers at a time.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::simd::Lanes;

/// `to = fromᵀ + add`: rows become columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn<T> {
    /// Of the matrix that is read.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) from: *const T,
    /// From a row to the next.
    pub(crate) from_stride: usize,
    pub(crate) to: *mut T,
    pub(crate) to_stride: usize,
    /// How long the rows are that are written, if longer than there are rows to read: zeros fill them up.
    pub(crate) width: usize,
    /// What is added; nothing when null. It may be what is written to.
    pub(crate) add: *const T,
    /// From a row to the next; 0 repeats one row.
    pub(crate) add_stride: usize,
}

/// Turns a matrix.
///
/// # Safety
/// The instruction set of `V` is enabled; all pointers are valid for their matrices; `from` overlaps neither of the others.
#[inline(always)]
pub(crate) unsafe fn turn<V: Lanes>(turn: &Turn<V::Number>) {
    // SAFETY: the caller's.
    unsafe {
        match V::COUNT {
            4 => squares::<V, 4>(turn),
            8 => squares::<V, 8>(turn),
            16 => squares::<V, 16>(turn),
            _ => unreachable!("no register holds {} numbers", V::COUNT),
        }
    }
}

/// Goes over the squares of `SIDE` registers, each of as many numbers.
#[inline(always)]
unsafe fn squares<V: Lanes, const SIDE: usize>(turn: &Turn<V::Number>) {
    for row in (0..turn.width).step_by(SIDE) {
        for column in (0..turn.columns).step_by(SIDE) {
            let is_whole = row + SIDE <= turn.rows && column + SIDE <= turn.columns;
            // SAFETY: the caller's.
            unsafe {
                match (is_whole, turn.add.is_null()) {
                    (true, true) => square::<V, SIDE, true, false>(turn, row, column),
                    (true, false) => square::<V, SIDE, true, true>(turn, row, column),
                    (false, true) => square::<V, SIDE, false, false>(turn, row, column),
                    (false, false) => square::<V, SIDE, false, true>(turn, row, column),
                }
            }
        }
    }
}

/// Turns the square that begins at a row and column of what is read; unless it is `WHOLE` only what is there of it. All
/// loops are as long as the square is wide, so that it stays in registers.
#[inline(always)]
unsafe fn square<V: Lanes, const SIDE: usize, const WHOLE: bool, const ADD: bool>(
    turn: &Turn<V::Number>,
    row: usize,
    column: usize,
) {
    let there = |all: usize, first: usize| if WHOLE { SIDE } else { SIDE.min(all.saturating_sub(first)) };
    let (rows, columns, width) = (there(turn.rows, row), there(turn.columns, column), there(turn.width, row));
    // SAFETY: the caller's; parts read and write no more than there is.
    unsafe {
        let mut square = [V::splat(V::Number::default()); SIDE];
        for (index, register) in square.iter_mut().enumerate() {
            let from = turn.from.wrapping_add((row + index) * turn.from_stride + column);
            if WHOLE {
                *register = V::load(from);
            } else if index < rows {
                *register = V::load_part(from, columns);
            }
        }
        let square = turned(square);
        for (index, &register) in square.iter().enumerate() {
            let to = turn.to.wrapping_add((column + index) * turn.to_stride + row);
            let add = turn.add.wrapping_add((column + index) * turn.add_stride + row);
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
/// their number can be halved, brings each number to its place.
#[inline(always)]
unsafe fn turned<V: Lanes, const SIDE: usize>(mut square: [V; SIDE]) -> [V; SIDE] {
    for _ in 0..SIDE.ilog2() {
        square = std::array::from_fn(
            #[inline(always)]
            |index| {
                // SAFETY: the caller's.
                let (first, second) = unsafe { square[index / 2].interleave(square[index / 2 + SIDE / 2]) };
                if index % 2 == 0 { first } else { second }
            },
        );
    }
    square
}
