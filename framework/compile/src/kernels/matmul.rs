//! Products of matrices.
//!
//! A time step multiplies a few rows by the same weights as the step before. So weights are packed once a training step
//! into panels as wide as two registers, and a block of rows of the result stays in registers while it runs down a
//! panel. Arithmetic bounds a product, and memory what comes before and after it: so meanwhile it asks for what is needed
//! next.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::{
    simd::Lanes,
    transpose::{Turn, turn},
};
use crate::runtime::buffers::LINE;

/// How many registers a panel is wide.
const PANEL: usize = 2;
/// How many rows of a and b are used together: a part of a panel and these rows stay in the second cache.
const DEPTH: usize = 512;
const GROUP: usize = 48;

/// `c = init + a · b`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product<'a, T> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    pub(crate) a: *const T,
    /// From a row of a to the next, and from a column to the next.
    pub(crate) a_strides: [usize; 2],
    pub(crate) b: *const T,
    /// From a row of b to the next within a panel, and from a panel to the next.
    pub(crate) b_strides: [usize; 2],
    /// Whether panels are filled up with zeros to whole registers.
    pub(crate) b_padded: bool,
    pub(crate) c: *mut T,
    pub(crate) c_stride: usize,
    /// What the sum begins with; zeros when null. It may be c.
    pub(crate) init: *const T,
    /// From a row to the next; 0 repeats one row.
    pub(crate) init_stride: usize,
    /// Which row of init each row begins with; without any, the row of the same number.
    pub(crate) chosen: &'a [u32],
    /// What is read or written soon after, each so many numbers: it is brought nearer meanwhile. Without any it is the next
    /// panel of b.
    pub(crate) ahead: &'a [(*const T, usize)],
}

/// Two places that are brought nearer while a tile is computed: where each begins, and how far it is from one row of b to
/// the next.
pub(super) type Next<T> = [(*const T, usize); 2];

/// Hands out what is ahead piece by piece.
struct Pieces<'a, T> {
    ahead: &'a [(*const T, usize)],
    done: usize,
    /// What is asked for when nothing is left: an address that is no memory would be looked for again and again.
    near: *const T,
}

impl<T> Pieces<'_, T> {
    /// As much as can be brought nearer in so many rows of b, a line of the cache for each.
    fn take(&mut self, rows: usize) -> (*const T, usize) {
        let Some((&(start, count), rest)) = self.ahead.split_first() else { return (self.near, 0) };
        let (at, left) = (start.wrapping_add(self.done), count - self.done);
        let stride = left.div_ceil(rows.max(1)).min(LINE / size_of::<T>());
        self.done += stride * rows;
        if self.done >= count {
            (self.ahead, self.done) = (rest, 0);
        }
        (at, stride)
    }
}

impl<T> Product<'_, T> {
    /// The part that multiplies `count` columns of a by as many rows of b; after the first it adds to c.
    #[inline(always)]
    unsafe fn part(&self, first: usize, count: usize) -> Self {
        let (init, init_stride, chosen) = if first == 0 {
            (self.init, self.init_stride, self.chosen)
        } else {
            (self.c.cast_const(), self.c_stride, &[][..])
        };
        // SAFETY: the caller's.
        unsafe {
            Self {
                depth: count,
                a: self.a.add(first * self.a_strides[1]),
                b: self.b.add(first * self.b_strides[0]),
                init,
                init_stride,
                chosen,
                ..*self
            }
        }
    }
}

/// The width of a panel in numbers.
pub(crate) const fn panel<V: Lanes>() -> usize {
    PANEL * V::COUNT
}

/// Writes `depth` rows of `columns` numbers as panels. The matrix begins at `from`; `strides` lead from a row to the next
/// and from a column to the next, and one of them is 1. The last panel is filled up to whole registers.
///
/// # Safety
/// `from` is valid for the matrix, `to` for `depth` rows of whole panels.
#[inline(always)]
pub(crate) unsafe fn pack<V: Lanes>(
    from: *const V::Number,
    strides: [usize; 2],
    depth: usize,
    columns: usize,
    to: *mut V::Number,
) {
    debug_assert!(strides.contains(&1));
    let width = panel::<V>();
    // SAFETY: the caller's.
    unsafe {
        for (number, first) in (0..columns).step_by(width).enumerate() {
            let to = to.add(number * depth * width);
            let from = from.add(first * strides[1]);
            let count = width.min(columns - first);
            if strides[1] == 1 && count == width {
                for row in 0..depth {
                    for register in 0..PANEL {
                        let column = register * V::COUNT;
                        V::load(from.add(row * strides[0] + column)).store(to.add(row * width + column));
                    }
                }
            } else if strides[1] == 1 {
                for row in 0..depth {
                    for column in (0..count).step_by(V::COUNT) {
                        let numbers = V::load_part(from.add(row * strides[0] + column), V::COUNT.min(count - column));
                        numbers.store(to.add(row * width + column));
                    }
                }
            } else {
                turn::<V>(&Turn {
                    rows: count,
                    columns: depth,
                    from,
                    from_stride: strides[1],
                    to,
                    to_stride: width,
                    width: count.next_multiple_of(V::COUNT),
                    add: std::ptr::null(),
                    add_stride: 0,
                });
            }
        }
    }
}

/// Computes a product.
///
/// # Safety
/// The instruction set of `V` is enabled; all pointers are valid for their matrices; c overlaps neither a nor b.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Lanes>(product: &Product<'_, V::Number>) {
    let panels = product.columns.div_ceil(panel::<V>());
    // SAFETY: the caller's.
    unsafe {
        if product.rows <= 4 {
            // Every weight is used once or twice: there is nothing to keep near.
            return block_of_rows::<V>(product, &[(product.b, 0); 2], (0, product.rows), (0, panels));
        }
        let mut pieces = Pieces { ahead: product.ahead, done: 0, near: product.b };
        let (mut first, groups) = (0, product.rows.div_ceil(GROUP));
        for number in 0..groups {
            // Of nearly equal height: a few rows that are left over would read all weights for themselves.
            let group = (product.rows - first).div_ceil(groups - number);
            for depth in (0..product.depth.max(1)).step_by(DEPTH) {
                let part = product.part(depth, DEPTH.min(product.depth - depth));
                for number in 0..panels {
                    let next = if product.ahead.is_empty() {
                        let panel = part.b.wrapping_add((number + 1) % panels * part.b_strides[1]);
                        beside::<V>(panel, part.b_strides[0])
                    } else {
                        [pieces.take(part.depth), pieces.take(part.depth)]
                    };
                    blocks_of_rows::<V>(&part, &next, (first, group), number);
                }
            }
            first += group;
        }
    }
}

/// The rows of a panel.
#[inline(always)]
pub(super) fn beside<V: Lanes>(panel: *const V::Number, stride: usize) -> Next<V::Number> {
    [(panel, stride), (panel.wrapping_add(V::COUNT), stride)]
}

/// Some rows by a panel, in blocks of nearly equal height.
#[inline(always)]
pub(super) unsafe fn blocks_of_rows<V: Lanes>(
    product: &Product<'_, V::Number>,
    next: &Next<V::Number>,
    (mut row, count): (usize, usize),
    panel: usize,
) {
    let (last, blocks) = (row + count, count.div_ceil(V::ROWS));
    for block in 0..blocks {
        let rows = (last - row).div_ceil(blocks - block);
        // SAFETY: the caller's.
        unsafe { block_of_rows::<V>(product, next, (row, rows), (panel, panel + 1)) };
        row += rows;
    }
}

/// A block of at most `V::ROWS` rows by some panels. Few rows take several panels at once: one alone would wait for each
/// sum to be added to.
#[inline(always)]
unsafe fn block_of_rows<V: Lanes>(
    product: &Product<'_, V::Number>,
    next: &Next<V::Number>,
    (row, rows): (usize, usize),
    panels: (usize, usize),
) {
    // SAFETY: the caller's.
    unsafe {
        match rows {
            0 => {}
            1 => wide::<V, 1, 8, 7>(product, next, row, panels),
            2 if V::ROWS >= 8 => wide::<V, 2, 8, 7>(product, next, row, panels),
            2 => wide::<V, 2, 4, 3>(product, next, row, panels),
            3 => wide::<V, 3, 4, 3>(product, next, row, panels),
            4 if V::ROWS >= 8 => wide::<V, 4, 4, 3>(product, next, row, panels),
            4 => wide::<V, 4, 2, 1>(product, next, row, panels),
            5 => wide::<V, 5, 2, 1>(product, next, row, panels),
            6 => wide::<V, 6, 2, 1>(product, next, row, panels),
            7 => wide::<V, 7, 2, 1>(product, next, row, panels),
            8 => wide::<V, 8, 2, 1>(product, next, row, panels),
            9 => wide::<V, 9, 2, 1>(product, next, row, panels),
            10 => wide::<V, 10, 2, 1>(product, next, row, panels),
            11 => wide::<V, 11, 2, 1>(product, next, row, panels),
            _ => wide::<V, 12, 2, 1>(product, next, row, panels),
        }
    }
}

/// Goes through the panels `WIDE` registers at a time, and through what is left two registers at a time. Where the last panel
/// is but half there, one less is enough: `LESS`.
#[inline(always)]
unsafe fn wide<V: Lanes, const ROWS: usize, const WIDE: usize, const LESS: usize>(
    product: &Product<'_, V::Number>,
    ahead: &Next<V::Number>,
    row: usize,
    (mut next, last): (usize, usize),
) {
    let width = panel::<V>();
    // SAFETY: the caller's.
    unsafe {
        while next < last {
            let many = next + WIDE / PANEL <= last;
            let columns = product.columns - next * width;
            match (many, columns >= if many { WIDE * V::COUNT } else { width }) {
                (true, true) => tile::<V, ROWS, WIDE, false>(product, ahead, row, next),
                (true, false) if columns <= LESS * V::COUNT => tile::<V, ROWS, LESS, true>(product, ahead, row, next),
                (true, false) => tile::<V, ROWS, WIDE, true>(product, ahead, row, next),
                (false, true) => tile::<V, ROWS, PANEL, false>(product, ahead, row, next),
                (false, false) if columns <= V::COUNT => tile::<V, ROWS, 1, true>(product, ahead, row, next),
                (false, false) => tile::<V, ROWS, PANEL, true>(product, ahead, row, next),
            }
            next += if many { WIDE / PANEL } else { 1 };
        }
    }
}

/// `ROWS` rows by `WIDE` registers of the result. With `PART` the last columns are not there.
#[inline(always)]
unsafe fn tile<V: Lanes, const ROWS: usize, const WIDE: usize, const PART: bool>(
    product: &Product<'_, V::Number>,
    ahead: &Next<V::Number>,
    row: usize,
    panel_number: usize,
) {
    let width = panel::<V>();
    let first = panel_number * width;
    let columns = product.columns - first;
    // How many numbers of a register are there.
    let there = |register: usize| columns.saturating_sub(register * V::COUNT).min(V::COUNT);
    // SAFETY: the caller's; parts read and write no more columns than there are.
    unsafe {
        let mut sums = [[V::splat(V::Number::default()); WIDE]; ROWS];
        if !product.init.is_null() {
            for (index, sums) in sums.iter_mut().enumerate() {
                let row = product.chosen.get(row + index).map_or(row + index, |&chosen| chosen as usize);
                let init = product.init.add(row * product.init_stride + first);
                for (register, sum) in sums.iter_mut().enumerate() {
                    *sum = if PART {
                        V::load_part(init.add((register * V::COUNT).min(columns)), there(register))
                    } else {
                        V::load(init.add(register * V::COUNT))
                    };
                }
            }
        }
        let [a_row, a_column] = product.a_strides;
        let [b_row, b_panel] = product.b_strides;
        let mut a = product.a.add(row * a_row);
        let mut b = product.b.add(panel_number * b_panel);
        let [(mut first_ahead, first_stride), (mut second_ahead, second_stride)] = *ahead;
        for _ in 0..product.depth {
            let mut factors = [V::splat(V::Number::default()); WIDE];
            for (register, factor) in factors.iter_mut().enumerate() {
                let offset = register / PANEL * b_panel + register % PANEL * V::COUNT;
                *factor = if PART && !product.b_padded {
                    V::load_part(b.add(offset.min(columns)), there(register))
                } else {
                    V::load(b.add(offset))
                };
            }
            // Few rows leave no time for it.
            if ROWS > 4 && WIDE == PANEL {
                V::prefetch(first_ahead);
                V::prefetch(second_ahead);
                first_ahead = first_ahead.wrapping_add(first_stride);
                second_ahead = second_ahead.wrapping_add(second_stride);
            }
            for (index, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(*a.add(index * a_row));
                for (sum, factor) in sums.iter_mut().zip(factors) {
                    *sum = x.mul_add(factor, *sum);
                }
            }
            a = a.add(a_column);
            b = b.add(b_row);
        }
        for (index, sums) in sums.iter().enumerate() {
            let c = product.c.add((row + index) * product.c_stride + first);
            for (register, sum) in sums.iter().enumerate() {
                if PART {
                    sum.store_part(c.add((register * V::COUNT).min(columns)), there(register));
                } else {
                    sum.store(c.add(register * V::COUNT));
                }
            }
        }
    }
}
