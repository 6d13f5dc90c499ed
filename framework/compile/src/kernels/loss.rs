//! Softmax, cross-entropy and its gradient, a row of logits at a time.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::{
    math,
    matrix::MatrixMut,
    simd::{Element, Lanes},
};
use crate::model::Totals;

/// Rows of logits with their targets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a, T> {
    /// `[rows, columns]`; with `gradient` they are replaced by the gradient.
    pub(crate) logits: MatrixMut<T>,
    pub(crate) columns: usize,
    pub(crate) targets: &'a [u32],
    /// The loss mask: rows that do not count have no loss and a gradient of zero, whatever their logits.
    pub(crate) counted: &'a [bool],
    /// The gradient is divided by it.
    pub(crate) divisor: f64,
    pub(crate) gradient: bool,
}

/// Above it the logarithm of a product of sums is taken: another sum, at most the number of columns, still fits.
const MAX_PRODUCT: f64 = 1e200;

/// The sums over the rows, and with `gradient` the gradients of the logits.
///
/// # Safety
/// The instruction set of `V` is enabled, the logits are valid, and targets are columns.
#[inline(always)]
pub(crate) unsafe fn rows<V: Lanes>(rows: &Rows<'_, V::Element>) -> Totals {
    let mut total = Totals::default();
    // The product of the rows' sums of exponentials: one logarithm in place of one a row.
    let mut product = 1.0;
    let scale = V::Element::from_f64(1.0 / rows.divisor);
    // SAFETY: `rows`'s caller guarantees valid logits and targets, and enables the instruction set of V.
    unsafe {
        for (row, (&target, &counted)) in rows.targets.iter().zip(rows.counted).enumerate() {
            let logits = rows.logits.ptr.add(row * rows.logits.row_stride);
            let columns = rows.columns;
            if !counted {
                if rows.gradient {
                    for column in 0..columns {
                        *logits.add(column) = V::Element::default();
                    }
                }
                continue;
            }
            total.characters += 1;
            let (largest, first) = if rows.gradient && columns >= V::COUNT {
                (largest_of_register::<V>(logits, columns), 0)
            } else {
                largest(logits, columns)
            };
            total.correct += u64::from(first == target as usize);
            let at_target = (*logits.add(target as usize)).to_f64();
            let (whole, remainder) = (columns - columns % V::COUNT, columns % V::COUNT);
            let (sums, last) = exponentials::<V>(logits, (whole, remainder), V::splat(largest), rows.gradient);
            let sum = sums.sum().to_f64();
            total.nats += largest.to_f64() - at_target;
            product *= sum;
            if product > MAX_PRODUCT {
                total.nats += product.ln();
                product = 1.0;
            }
            if rows.gradient {
                let factor = V::splat(V::Element::from_f64(1.0 / (sum * rows.divisor)));
                let mut column = 0;
                while column < whole {
                    V::load(logits.add(column)).mul(factor).store(logits.add(column));
                    column += V::COUNT;
                }
                if remainder > 0 {
                    last.mul(factor).store_part(logits.add(whole), remainder);
                }
                let at = logits.add(target as usize);
                *at = V::Element::from_f64((*at).to_f64() - scale.to_f64());
            }
        }
    }
    total.nats += product.ln();
    total
}

/// The exponentials of a row of logits less `shift`, summed lane by lane, and those beyond the whole registers. With `store`
/// those of whole registers replace the logits.
#[inline(always)]
unsafe fn exponentials<V: Lanes>(
    logits: *mut V::Element,
    (whole, remainder): (usize, usize),
    shift: V,
    store: bool,
) -> (V, V) {
    // SAFETY: `rows`'s caller guarantees valid logits, and enables the instruction set of V.
    unsafe {
        let mut sums = V::splat(V::Element::default());
        let mut column = 0;
        while column < whole {
            let powers = math::exp(V::load(logits.add(column)).sub(shift));
            sums = sums.add(powers);
            if store {
                powers.store(logits.add(column));
            }
            column += V::COUNT;
        }
        // The remainder stays in a register until it is written: a masked load right after a masked store is slow.
        let mut last = V::splat(V::Element::default());
        if remainder > 0 {
            let powers = math::exp(V::load_part(logits.add(whole), remainder).sub(shift));
            // Lanes beyond the columns count as 0.
            last = powers.first(remainder);
            sums = sums.add(last);
        }
        (sums, last)
    }
}

/// The largest of at least [`Lanes::COUNT`] elements. A NaN may be passed over: it comes through the sum.
#[inline(always)]
unsafe fn largest_of_register<V: Lanes>(row: *const V::Element, columns: usize) -> V::Element {
    // SAFETY: `rows`'s caller guarantees valid logits and targets, and enables the instruction set of V.
    unsafe {
        let mut largest = V::load(row.add(columns - V::COUNT));
        let mut column = 0;
        while column + V::COUNT <= columns {
            largest = V::load(row.add(column)).max(largest);
            column += V::COUNT;
        }
        // No register has more lanes.
        let mut lanes = [V::Element::default(); 16];
        largest.store(lanes.as_mut_ptr());
        lanes[1..V::COUNT].iter().fold(lanes[0], |largest, &lane| if lane > largest { lane } else { largest })
    }
}

/// The largest element and its first index. A NaN is the largest.
#[inline(always)]
unsafe fn largest<T: Element>(row: *const T, columns: usize) -> (T, usize) {
    // SAFETY: `rows`'s caller guarantees valid logits and targets, and enables the instruction set of V.
    unsafe {
        let is_nan = |x: T| x.partial_cmp(&x).is_none();
        let (mut largest, mut first) = (*row, 0);
        for column in 1..columns {
            let next = *row.add(column);
            if next > largest || (is_nan(next) && !is_nan(largest)) {
                (largest, first) = (next, column);
            }
        }
        (largest, first)
    }
}
