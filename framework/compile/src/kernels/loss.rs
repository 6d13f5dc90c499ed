//! Softmax, cross-entropy and its gradient in one pass over a row of logits.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::{
    math,
    simd::{Lanes, Number},
};

/// Rows of logits with what they should have predicted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a, T> {
    /// `[rows, columns]`; with `gradient` they are replaced by the gradient.
    pub(crate) logits: *mut T,
    pub(crate) stride: usize,
    pub(crate) columns: usize,
    pub(crate) targets: &'a [u32],
    /// Rows that do not count have no loss and a gradient of zero, whatever their logits.
    pub(crate) counted: &'a [bool],
    /// The gradient is divided by this number.
    pub(crate) divisor: f64,
    pub(crate) gradient: bool,
}

/// Sums over the rows that count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Loss {
    pub(crate) nats: f64,
    /// Rows whose largest logit, the first of equals, is the target's.
    pub(crate) correct: u64,
    pub(crate) characters: u64,
}

impl std::ops::AddAssign for Loss {
    fn add_assign(&mut self, other: Self) {
        self.nats += other.nats;
        self.correct += other.correct;
        self.characters += other.characters;
    }
}

/// Above it the logarithm of a product of sums is taken: another sum, at most the number of columns, still fits.
const MUCH: f64 = 1e200;

/// Goes through the rows.
///
/// # Safety
/// The instruction set is enabled, the logits are valid, and targets are columns.
#[inline(always)]
pub(crate) unsafe fn rows<V: Lanes>(rows: &Rows<'_, V::Number>) -> Loss {
    let mut total = Loss::default();
    // Sums of powers: one logarithm of their product stands for those of each.
    let mut product = 1.0;
    let scale = V::Number::from_f64(1.0 / rows.divisor);
    // SAFETY: the caller's.
    unsafe {
        for (row, (&target, &counted)) in rows.targets.iter().zip(rows.counted).enumerate() {
            let logits = rows.logits.add(row * rows.stride);
            let columns = rows.columns;
            if !counted {
                if rows.gradient {
                    for column in 0..columns {
                        *logits.add(column) = V::Number::default();
                    }
                }
                continue;
            }
            total.characters += 1;
            let (largest, first) = if rows.gradient && columns >= V::COUNT {
                (widest::<V>(logits, columns), 0)
            } else {
                largest(logits, columns)
            };
            total.correct += u64::from(first == target as usize);
            let at_target = (*logits.add(target as usize)).to_f64();
            let shift = V::splat(largest);
            let mut sums = V::splat(V::Number::default());
            let (whole, rest) = (columns - columns % V::COUNT, columns % V::COUNT);
            let mut column = 0;
            while column < whole {
                let powers = math::exp(V::load(logits.add(column)).sub(shift));
                sums = sums.add(powers);
                if rows.gradient {
                    powers.store(logits.add(column));
                }
                column += V::COUNT;
            }
            // The rest stays in a register until it is written: reading a part right after it was stored is slow.
            let mut last = V::splat(V::Number::default());
            if rest > 0 {
                let powers = math::exp(V::load_part(logits.add(whole), rest).sub(shift));
                // Lanes that are not there count as 0.
                last = powers.first(rest);
                sums = sums.add(last);
            }
            let sum = sums.sum().to_f64();
            total.nats += largest.to_f64() - at_target;
            product *= sum;
            if product > MUCH {
                total.nats += product.ln();
                product = 1.0;
            }
            if rows.gradient {
                let factor = V::splat(V::Number::from_f64(1.0 / (sum * rows.divisor)));
                let mut column = 0;
                while column < whole {
                    V::load(logits.add(column)).mul(factor).store(logits.add(column));
                    column += V::COUNT;
                }
                if rest > 0 {
                    last.mul(factor).store_part(logits.add(whole), rest);
                }
                let at = logits.add(target as usize);
                *at = V::Number::from_f64((*at).to_f64() - scale.to_f64());
            }
        }
    }
    total.nats += product.ln();
    total
}

/// The largest number of at least a register's worth. A NaN may be passed over: it comes through the sum.
#[inline(always)]
unsafe fn widest<V: Lanes>(row: *const V::Number, columns: usize) -> V::Number {
    // SAFETY: the caller's.
    unsafe {
        let mut largest = V::load(row.add(columns - V::COUNT));
        let mut column = 0;
        while column + V::COUNT <= columns {
            largest = V::load(row.add(column)).max(largest);
            column += V::COUNT;
        }
        let mut lanes = [V::Number::default(); 16];
        largest.store(lanes.as_mut_ptr());
        lanes[1..V::COUNT].iter().fold(lanes[0], |largest, &lane| if lane > largest { lane } else { largest })
    }
}

/// The largest number and the first place where it stands. A NaN is the largest.
#[inline(always)]
unsafe fn largest<T: Number>(row: *const T, columns: usize) -> (T, usize) {
    // SAFETY: the caller's.
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
