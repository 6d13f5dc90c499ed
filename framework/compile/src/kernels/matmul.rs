//! Products of matrices.
//!
//! A time step multiplies a few rows by the same weights as the step before. So weights are packed once an update into
//! panels as wide as two registers, and a tile of the result stays in registers while it runs down a panel. Arithmetic
//! bounds a product, and memory what comes before and after it: so meanwhile it prefetches what is needed next.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::{
    matrix::{Dims, MatrixMut, MatrixRef},
    simd::Lanes,
    transpose::{Transpose, transpose},
};
use crate::runtime::buffers::LINE;

/// The width of a panel in registers.
const PANEL: usize = 2;
/// The columns of a and rows of b that are used together, and the rows of a: they stay in L2 with a part of a panel.
const DEPTH: usize = 512;
const GROUP: usize = 48;

/// A matrix as panels: all rows of as many columns as a panel is wide, then the next columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels<T> {
    pub(crate) ptr: *const T,
    /// Elements from a row to the next within a panel.
    pub(crate) row_stride: usize,
    /// Elements from a panel to the next.
    pub(crate) panel_stride: usize,
    /// Whether panels are filled up with zeros to whole registers.
    pub(crate) is_padded: bool,
}

/// `c = init + a · b`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product<'a, T> {
    /// The size of c.
    pub(crate) dims: Dims,
    pub(crate) depth: usize,
    pub(crate) a: MatrixRef<T>,
    pub(crate) b: Panels<T>,
    pub(crate) c: MatrixMut<T>,
    /// The start of the sum, zeros without one. It may be c.
    pub(crate) init: Option<MatrixRef<T>>,
    /// A gather of init: the row of it that each row begins with. When empty, the row of the same index.
    pub(crate) init_rows: &'a [u32],
    /// Memory that is read or written soon after, each a start and a number of elements, to be prefetched. When empty, the
    /// next panel of b is.
    pub(crate) prefetch: &'a [(*const T, usize)],
}

/// Two prefetches for each row of b while a tile is computed: the first address, and the stride from a row of b to the
/// next.
pub(super) type Prefetch<T> = [(*const T, usize); 2];

/// The memory to be prefetched, handed out a piece for each tile.
struct PrefetchQueue<'a, T> {
    ranges: &'a [(*const T, usize)],
    /// The elements of the first range that are handed out.
    done: usize,
    /// Prefetched when the queue is empty: an unmapped address would cost a page walk each time.
    fallback: *const T,
}

impl<T> PrefetchQueue<'_, T> {
    /// As much as `rows` prefetches reach, at most a cache line each.
    fn take(&mut self, rows: usize) -> (*const T, usize) {
        let Some((&(start, count), rest)) = self.ranges.split_first() else { return (self.fallback, 0) };
        let (at, left) = (start.wrapping_add(self.done), count - self.done);
        let stride = left.div_ceil(rows.max(1)).min(LINE / size_of::<T>());
        self.done += stride * rows;
        if self.done >= count {
            (self.ranges, self.done) = (rest, 0);
        }
        (at, stride)
    }
}

impl<T: Copy> Product<'_, T> {
    /// The part that multiplies `count` columns of a by as many rows of b; after the first it adds to c.
    #[inline(always)]
    unsafe fn part(&self, first: usize, count: usize) -> Self {
        let (init, init_rows) = if first == 0 { (self.init, self.init_rows) } else { (Some(self.c.to_ref()), &[][..]) };
        // SAFETY: the caller passes a range within the depth, for which a and b are valid.
        unsafe {
            Self {
                depth: count,
                a: MatrixRef { ptr: self.a.ptr.add(first * self.a.column_stride), ..self.a },
                b: Panels { ptr: self.b.ptr.add(first * self.b.row_stride), ..self.b },
                init,
                init_rows,
                ..*self
            }
        }
    }
}

/// The width of a panel in elements.
pub(crate) const fn panel<V: Lanes>() -> usize {
    PANEL * V::COUNT
}

/// Packs a matrix of that size into panels. One of its strides is 1. The last panel is filled up to whole registers.
///
/// # Safety
/// The instruction set of `V` is enabled; `from` is valid for that size, `to` for the same rows of whole panels.
#[inline(always)]
pub(crate) unsafe fn pack<V: Lanes>(from: MatrixRef<V::Element>, dims: Dims, to: *mut V::Element) {
    debug_assert!(from.row_stride == 1 || from.column_stride == 1);
    let width = panel::<V>();
    let depth = dims.rows;
    // SAFETY: the caller guarantees both matrices; masked loads go no further than the columns.
    unsafe {
        for (number, first) in (0..dims.columns).step_by(width).enumerate() {
            let to = to.add(number * depth * width);
            let ptr = from.ptr.add(first * from.column_stride);
            let count = width.min(dims.columns - first);
            if from.column_stride == 1 && count == width {
                for row in 0..depth {
                    for register in 0..PANEL {
                        let column = register * V::COUNT;
                        V::load(ptr.add(row * from.row_stride + column)).store(to.add(row * width + column));
                    }
                }
            } else if from.column_stride == 1 {
                for row in 0..depth {
                    for column in (0..count).step_by(V::COUNT) {
                        let lanes = V::COUNT.min(count - column);
                        V::load_part(ptr.add(row * from.row_stride + column), lanes)
                            .store(to.add(row * width + column));
                    }
                }
            } else {
                transpose::<V>(&Transpose {
                    dims: Dims { rows: count, columns: depth },
                    from: MatrixRef::rows(ptr, from.column_stride),
                    to: MatrixMut { ptr: to, row_stride: width },
                    width: count.next_multiple_of(V::COUNT),
                    add: None,
                });
            }
        }
    }
}

/// Computes a product.
///
/// # Safety
/// The instruction set of `V` is enabled; all matrices are valid; c overlaps neither a nor b; `init_rows` are rows of init.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Lanes>(product: &Product<'_, V::Element>) {
    let panels = product.dims.columns.div_ceil(panel::<V>());
    // SAFETY: passed on to the caller.
    unsafe {
        if product.dims.rows <= 4 {
            // Every weight is used once or twice: there is nothing to keep in a cache.
            return row_tile::<V>(product, &[(product.b.ptr, 0); 2], (0, product.dims.rows), (0, panels));
        }
        let mut queue = PrefetchQueue { ranges: product.prefetch, done: 0, fallback: product.b.ptr };
        let (mut first, groups) = (0, product.dims.rows.div_ceil(GROUP));
        for number in 0..groups {
            // Of nearly equal height: a few remaining rows would read all weights for themselves.
            let group = (product.dims.rows - first).div_ceil(groups - number);
            for depth in (0..product.depth.max(1)).step_by(DEPTH) {
                let part = product.part(depth, DEPTH.min(product.depth - depth));
                for number in 0..panels {
                    let prefetch = if product.prefetch.is_empty() {
                        let panel = part.b.ptr.wrapping_add((number + 1) % panels * part.b.panel_stride);
                        panel_rows::<V>(panel, part.b.row_stride)
                    } else {
                        [queue.take(part.depth), queue.take(part.depth)]
                    };
                    row_tiles::<V>(&part, &prefetch, (first, group), number);
                }
            }
            first += group;
        }
    }
}

/// Prefetches of a panel, both registers of a row at a time.
#[inline(always)]
pub(super) fn panel_rows<V: Lanes>(panel: *const V::Element, stride: usize) -> Prefetch<V::Element> {
    [(panel, stride), (panel.wrapping_add(V::COUNT), stride)]
}

/// Some rows by a panel, in tiles of nearly equal height.
#[inline(always)]
pub(super) unsafe fn row_tiles<V: Lanes>(
    product: &Product<'_, V::Element>,
    prefetch: &Prefetch<V::Element>,
    (mut row, count): (usize, usize),
    panel: usize,
) {
    let (last, tiles) = (row + count, count.div_ceil(V::ROWS));
    for tile in 0..tiles {
        let rows = (last - row).div_ceil(tiles - tile);
        // SAFETY: the caller guarantees a valid product, of which these are rows and a panel.
        unsafe { row_tile::<V>(product, prefetch, (row, rows), (panel, panel + 1)) };
        row += rows;
    }
}

/// At most `V::ROWS` rows by some panels. Few rows take several panels at once, as many as registers hold beside the
/// operands: the sums of one panel alone would wait for each addition to end.
#[inline(always)]
unsafe fn row_tile<V: Lanes>(
    product: &Product<'_, V::Element>,
    prefetch: &Prefetch<V::Element>,
    (row, rows): (usize, usize),
    panels: (usize, usize),
) {
    // SAFETY: passed on to the caller; each arm has as many rows as there are.
    unsafe {
        match rows {
            0 => {}
            1 => wide::<V, 1, 8, 7>(product, prefetch, row, panels),
            2 if V::ROWS >= 8 => wide::<V, 2, 8, 7>(product, prefetch, row, panels),
            2 => wide::<V, 2, 4, 3>(product, prefetch, row, panels),
            3 => wide::<V, 3, 4, 3>(product, prefetch, row, panels),
            4 if V::ROWS >= 8 => wide::<V, 4, 4, 3>(product, prefetch, row, panels),
            4 => wide::<V, 4, 2, 1>(product, prefetch, row, panels),
            5 if V::ROWS >= 5 => wide::<V, 5, 2, 1>(product, prefetch, row, panels),
            6 if V::ROWS >= 6 => wide::<V, 6, 2, 1>(product, prefetch, row, panels),
            7 if V::ROWS >= 7 => wide::<V, 7, 2, 1>(product, prefetch, row, panels),
            8 if V::ROWS >= 8 => wide::<V, 8, 2, 1>(product, prefetch, row, panels),
            9 if V::ROWS >= 9 => wide::<V, 9, 2, 1>(product, prefetch, row, panels),
            10 if V::ROWS >= 10 => wide::<V, 10, 2, 1>(product, prefetch, row, panels),
            11 if V::ROWS >= 11 => wide::<V, 11, 2, 1>(product, prefetch, row, panels),
            12 if V::ROWS >= 12 => wide::<V, 12, 2, 1>(product, prefetch, row, panels),
            _ => unreachable!("a tile has at most `V::ROWS` rows"),
        }
    }
}

/// Goes through the panels `WIDE` registers at a time, and through the remainder two registers at a time. Where the columns
/// end in the first register of a panel, one register less is enough: `LESS`.
#[inline(always)]
unsafe fn wide<V: Lanes, const ROWS: usize, const WIDE: usize, const LESS: usize>(
    product: &Product<'_, V::Element>,
    prefetch: &Prefetch<V::Element>,
    row: usize,
    (mut next, last): (usize, usize),
) {
    let width = panel::<V>();
    // SAFETY: passed on to the caller.
    unsafe {
        while next < last {
            let many = next + WIDE / PANEL <= last;
            let columns = product.dims.columns - next * width;
            match (many, columns >= if many { WIDE * V::COUNT } else { width }) {
                (true, true) => tile::<V, ROWS, WIDE, false>(product, prefetch, row, next),
                (true, false) if columns <= LESS * V::COUNT => {
                    tile::<V, ROWS, LESS, true>(product, prefetch, row, next);
                }
                (true, false) => tile::<V, ROWS, WIDE, true>(product, prefetch, row, next),
                (false, true) => tile::<V, ROWS, PANEL, false>(product, prefetch, row, next),
                (false, false) if columns <= V::COUNT => tile::<V, ROWS, 1, true>(product, prefetch, row, next),
                (false, false) => tile::<V, ROWS, PANEL, true>(product, prefetch, row, next),
            }
            next += if many { WIDE / PANEL } else { 1 };
        }
    }
}

/// A tile of `ROWS` rows by `WIDE` registers of the result. With `PART` it reaches beyond the columns.
#[inline(always)]
unsafe fn tile<V: Lanes, const ROWS: usize, const WIDE: usize, const PART: bool>(
    product: &Product<'_, V::Element>,
    prefetch: &Prefetch<V::Element>,
    row: usize,
    panel_index: usize,
) {
    let first = panel_index * panel::<V>();
    let columns = product.dims.columns - first;
    // The lanes of a register that are within the columns.
    let lanes = |register: usize| columns.saturating_sub(register * V::COUNT).min(V::COUNT);
    // SAFETY: `multiply`'s caller guarantees valid matrices, and enables the instruction set of V; masked loads and stores go
    // no further than the columns.
    unsafe {
        let mut sums = [[V::splat(V::Element::default()); WIDE]; ROWS];
        if let Some(init) = product.init {
            load_init::<V, ROWS, WIDE, PART>(&mut sums, init, product.init_rows, (row, first), columns);
        }
        let MatrixRef { row_stride: a_row, column_stride: a_column, .. } = product.a;
        let Panels { row_stride: b_row, panel_stride: b_panel, is_padded, .. } = product.b;
        let mut a = product.a.ptr.add(row * a_row);
        let mut b = product.b.ptr.add(panel_index * b_panel);
        let [(mut first_line, first_stride), (mut second_line, second_stride)] = *prefetch;
        for _ in 0..product.depth {
            let mut factors = [V::splat(V::Element::default()); WIDE];
            for (register, factor) in factors.iter_mut().enumerate() {
                let offset = register / PANEL * b_panel + register % PANEL * V::COUNT;
                *factor = if PART && !is_padded {
                    V::load_part(b.add(offset.min(columns)), lanes(register))
                } else {
                    V::load(b.add(offset))
                };
            }
            // Few rows leave no time for prefetches.
            if ROWS > 4 && WIDE == PANEL {
                V::prefetch(first_line);
                V::prefetch(second_line);
                first_line = first_line.wrapping_add(first_stride);
                second_line = second_line.wrapping_add(second_stride);
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
            let c = product.c.ptr.add((row + index) * product.c.row_stride + first);
            for (register, sum) in sums.iter().enumerate() {
                if PART {
                    sum.store_part(c.add((register * V::COUNT).min(columns)), lanes(register));
                } else {
                    sum.store(c.add(register * V::COUNT));
                }
            }
        }
    }
}

/// Loads the start of a tile's sums, which begins at a row and column of the product.
#[inline(always)]
unsafe fn load_init<V: Lanes, const ROWS: usize, const WIDE: usize, const PART: bool>(
    sums: &mut [[V; WIDE]; ROWS],
    init: MatrixRef<V::Element>,
    init_rows: &[u32],
    (row, first): (usize, usize),
    columns: usize,
) {
    let lanes = |register: usize| columns.saturating_sub(register * V::COUNT).min(V::COUNT);
    // SAFETY: `multiply`'s caller guarantees a valid init and rows of it, and enables the instruction set of V.
    unsafe {
        for (index, sums) in sums.iter_mut().enumerate() {
            let row = init_rows.get(row + index).map_or(row + index, |&gathered| gathered as usize);
            let init = init.ptr.add(row * init.row_stride + first);
            for (register, sum) in sums.iter_mut().enumerate() {
                *sum = if PART {
                    V::load_part(init.add((register * V::COUNT).min(columns)), lanes(register))
                } else {
                    V::load(init.add(register * V::COUNT))
                };
            }
        }
    }
}
