//! Softmax, cross-entropy and its gradient in one pass over a row of logits.

use super::{
    lanes::{Lanes, Number},
    math,
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

/// Goes through the rows.
///
/// # Safety
/// The instruction set is enabled, the logits are valid, and targets are columns.
#[inline(always)]
pub(crate) unsafe fn rows<V: Lanes>(rows: &Rows<'_, V::Number>) -> Loss {
    let mut total = Loss::default();
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
            let (largest, first) = largest(logits, columns, !rows.gradient);
            total.correct += u64::from(first == target as usize);
            let at_target = (*logits.add(target as usize)).to_f64();
            let shift = V::splat(largest);
            let mut sums = V::splat(V::Number::default());
            let mut column = 0;
            while column < columns {
                let count = V::COUNT.min(columns - column);
                // Lanes that are not there are as far below as can be: their exp is 0.
                let mut powers = math::exp(V::load_part(logits.add(column), count).sub(shift));
                if count < V::COUNT {
                    let mut lanes = [V::Number::default(); 16];
                    powers.store_part(lanes.as_mut_ptr(), count);
                    powers = V::load(lanes.as_ptr());
                }
                sums = sums.add(powers);
                if rows.gradient {
                    powers.store_part(logits.add(column), count);
                }
                column += V::COUNT;
            }
            let sum = sums.sum().to_f64();
            total.nats += sum.ln() + largest.to_f64() - at_target;
            if rows.gradient {
                let factor = V::splat(V::Number::from_f64(1.0 / (sum * rows.divisor)));
                let mut column = 0;
                while column < columns {
                    let count = V::COUNT.min(columns - column);
                    V::load_part(logits.add(column), count).mul(factor).store_part(logits.add(column), count);
                    column += V::COUNT;
                }
                let at = logits.add(target as usize);
                *at = V::Number::from_f64((*at).to_f64() - scale.to_f64());
            }
        }
    }
    total
}

/// The largest number and the first place where it stands. A NaN is the largest.
#[inline(always)]
unsafe fn largest<T: Number>(row: *const T, columns: usize, place: bool) -> (T, usize) {
    // SAFETY: the caller's.
    unsafe {
        let is_nan = |x: T| x.partial_cmp(&x).is_none();
        if place {
            let (mut largest, mut first) = (*row, 0);
            for column in 1..columns {
                let next = *row.add(column);
                if next > largest || (is_nan(next) && !is_nan(largest)) {
                    (largest, first) = (next, column);
                }
            }
            return (largest, first);
        }
        // Without the place it is the same in any order: eight at a time.
        let mut lanes = [*row; 8];
        let mut column = 0;
        while column + 8 <= columns {
            for (index, lane) in lanes.iter_mut().enumerate() {
                let next = *row.add(column + index);
                *lane = if next > *lane { next } else { *lane };
            }
            column += 8;
        }
        let mut largest = lanes[0];
        for &lane in &lanes[1..] {
            largest = if lane > largest { lane } else { largest };
        }
        while column < columns {
            let next = *row.add(column);
            largest = if next > largest { next } else { largest };
            column += 1;
        }
        (largest, 0)
    }
}
