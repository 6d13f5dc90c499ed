//! Products of matrices.
//!
//! A time step multiplies a few rows by the same weights as the step before. So weights are packed once a training step
//! into panels as wide as two registers, and a block of rows of the result stays in registers while it runs down a
//! panel. Large products that are computed once a training step are left to the `gemm` crate.

use super::lanes::Lanes;

/// How many registers a panel is wide.
const PANEL: usize = 2;
/// How many bytes of panels are used for all rows before the next are looked at: they stay in the second cache.
const GROUP: usize = 192 << 10;

/// `c = init + a · b`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product<T> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    pub(crate) a: *const T,
    /// From a row of a to the next, and from a column to the next.
    pub(crate) a_strides: [usize; 2],
    pub(crate) b: *const T,
    /// From a row of b to the next within a panel, and from a panel to the next.
    pub(crate) b_strides: [usize; 2],
    /// Whether panels are filled up with zeros.
    pub(crate) b_padded: bool,
    pub(crate) c: *mut T,
    pub(crate) c_stride: usize,
    /// What the sum begins with; zeros when null. It may be c.
    pub(crate) init: *const T,
    /// From a row to the next; 0 repeats one row.
    pub(crate) init_stride: usize,
}

/// The width of a panel in numbers.
pub(crate) const fn panel<V: Lanes>() -> usize {
    PANEL * V::COUNT
}

/// Writes `depth` rows of `columns` numbers as panels. The matrix begins at `from`; `strides` lead from a row to the next
/// and from a column to the next.
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
    let width = panel::<V>();
    // SAFETY: the caller's.
    unsafe {
        for (number, first) in (0..columns).step_by(width).enumerate() {
            let to = to.add(number * depth * width);
            let from = from.add(first * strides[1]);
            let count = width.min(columns - first);
            if strides[1] == 1 {
                for row in 0..depth {
                    let (to, from) = (to.add(row * width), from.add(row * strides[0]));
                    let mut column = 0;
                    while column < width {
                        let rest = count.saturating_sub(column).min(V::COUNT);
                        V::load_part(from.add(column.min(count)), rest).store(to.add(column));
                        column += V::COUNT;
                    }
                }
                continue;
            }
            // Eight rows at once: as many numbers as a cache line holds are read from a column before the next.
            let mut row = 0;
            while row < depth {
                let some = 8.min(depth - row);
                for column in 0..count {
                    let from = from.add(column * strides[1] + row * strides[0]);
                    let to = to.add(row * width + column);
                    if some == 8 {
                        for index in 0..8 {
                            *to.add(index * width) = *from.add(index * strides[0]);
                        }
                    } else {
                        for index in 0..some {
                            *to.add(index * width) = *from.add(index * strides[0]);
                        }
                    }
                }
                for index in 0..some {
                    for column in count..width {
                        *to.add((row + index) * width + column) = V::Number::default();
                    }
                }
                row += some;
            }
        }
    }
}

/// Computes a product.
///
/// # Safety
/// The instruction set of `V` is enabled; all pointers are valid for their matrices; c overlaps neither a nor b.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Lanes>(product: &Product<V::Number>) {
    let width = panel::<V>();
    let panels = product.columns.div_ceil(width);
    let bytes = product.depth * width * size_of::<V::Number>();
    let group = (GROUP / bytes.max(1)).max(4);
    let blocks = product.rows.div_ceil(V::ROWS).max(1);
    // SAFETY: the caller's.
    unsafe {
        for first in (0..panels).step_by(group) {
            let last = panels.min(first + group);
            let mut row = 0;
            for block in 0..blocks {
                // Blocks of nearly equal height.
                let rows = (product.rows - row).div_ceil(blocks - block);
                block_of_rows::<V>(product, row, rows, (first, last));
                row += rows;
            }
        }
    }
}

/// A block of at most `V::ROWS` rows by some panels. Few rows take several panels at once: one alone would wait for each
/// sum to be added to.
#[inline(always)]
unsafe fn block_of_rows<V: Lanes>(product: &Product<V::Number>, row: usize, rows: usize, panels: (usize, usize)) {
    // SAFETY: the caller's.
    unsafe {
        match rows {
            0 => {}
            1 => wide::<V, 1, 8>(product, row, panels),
            2 if V::ROWS >= 8 => wide::<V, 2, 8>(product, row, panels),
            2 => wide::<V, 2, 4>(product, row, panels),
            3 => wide::<V, 3, 4>(product, row, panels),
            4 if V::ROWS >= 8 => wide::<V, 4, 4>(product, row, panels),
            4 => wide::<V, 4, 2>(product, row, panels),
            5 => wide::<V, 5, 2>(product, row, panels),
            6 => wide::<V, 6, 2>(product, row, panels),
            7 => wide::<V, 7, 2>(product, row, panels),
            8 => wide::<V, 8, 2>(product, row, panels),
            9 => wide::<V, 9, 2>(product, row, panels),
            10 => wide::<V, 10, 2>(product, row, panels),
            11 => wide::<V, 11, 2>(product, row, panels),
            _ => wide::<V, 12, 2>(product, row, panels),
        }
    }
}

/// Goes through the panels `WIDE` registers at a time, and through what is left two registers at a time.
#[inline(always)]
unsafe fn wide<V: Lanes, const ROWS: usize, const WIDE: usize>(
    product: &Product<V::Number>,
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
                (true, true) => tile::<V, ROWS, WIDE, false>(product, row, next),
                (true, false) => tile::<V, ROWS, WIDE, true>(product, row, next),
                (false, true) => tile::<V, ROWS, PANEL, false>(product, row, next),
                (false, false) => tile::<V, ROWS, PANEL, true>(product, row, next),
            }
            next += if many { WIDE / PANEL } else { 1 };
        }
    }
}

/// `ROWS` rows by `WIDE` registers of the result. With `PART` the last columns are not there.
#[inline(always)]
unsafe fn tile<V: Lanes, const ROWS: usize, const WIDE: usize, const PART: bool>(
    product: &Product<V::Number>,
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
                let init = product.init.add((row + index) * product.init_stride + first);
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
