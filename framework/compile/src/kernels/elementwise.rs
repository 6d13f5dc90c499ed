//! One element-wise operation over the rows of a tile: a loop over whole registers and a rest.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::{
    math,
    simd::{Lanes, Number},
};
use crate::{
    ir::op::{Binary, Ternary, Unary},
    plan::fused_kernel::Opcode,
};

/// Numbers of a tile: row r begins at `start + r · stride`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<T> {
    pub(crate) start: *const T,
    pub(crate) stride: usize,
    /// One number a row, the same for all its columns.
    pub(crate) single: bool,
}

/// Where the results of a tile go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<T> {
    pub(crate) start: *mut T,
    pub(crate) stride: usize,
}

trait Function1<V: Lanes> {
    unsafe fn of(a: V) -> V;
}
trait Function2<V: Lanes> {
    unsafe fn of(a: V, b: V) -> V;
}
trait Function3<V: Lanes> {
    unsafe fn of(a: V, b: V, c: V) -> V;
}

macro_rules! function {
    ($trait:ident, $name:ident, |$($x:ident),+| $body:expr) => {
        struct $name;
        impl<V: Lanes> $trait<V> for $name {
            #[inline(always)]
            unsafe fn of($($x: V),+) -> V {
                // SAFETY: the caller enables the instruction set.
                unsafe { $body }
            }
        }
    };
}

#[inline(always)]
unsafe fn number<V: Lanes>(value: f64) -> V {
    // SAFETY: the caller enables the instruction set.
    unsafe { V::splat(V::Number::from_f64(value)) }
}

struct Copy;
impl<V: Lanes> Function1<V> for Copy {
    #[inline(always)]
    unsafe fn of(a: V) -> V {
        a
    }
}

function!(Function1, Neg, |a| number::<V>(-1.0).mul(a));
function!(Function1, Abs, |a| a.abs());
function!(Function1, Sign, |a| {
    let zero = number::<V>(0.0);
    zero.if_less(a, number(1.0), a.if_less(zero, number(-1.0), zero))
});
function!(Function1, Recip, |a| number::<V>(1.0).div(a));
function!(Function1, Sqrt, |a| a.sqrt());
function!(Function1, Square, |a| a.mul(a));
function!(Function1, Exp, |a| math::exp(a));
function!(Function1, Tanh, |a| math::tanh(a));
function!(Function1, Sigmoid, |a| math::sigmoid(a));
// The second operand of max is the result when one is NaN, so that NaN passes.
function!(Function1, Relu, |a| number::<V>(0.0).max(a));
function!(Function2, Add, |a, b| a.add(b));
function!(Function2, Sub, |a, b| a.sub(b));
function!(Function2, Mul, |a, b| a.mul(b));
function!(Function2, Div, |a, b| a.div(b));
function!(Function2, Max, |a, b| a.max(b));
function!(Function2, Min, |a, b| a.min(b));
function!(Function2, Less, |a, b| a.if_less(b, number(1.0), number(0.0)));
function!(Function2, LessEqual, |a, b| a.if_less_equal(b, number(1.0), number(0.0)));
function!(Function2, Equal, |a, b| a.if_equal(b, number(1.0), number(0.0)));
function!(Function2, TanhGradient, |y, dy| y.mul(y).neg_mul_add(dy, dy));
function!(Function2, SigmoidGradient, |y, dy| dy.mul(y).mul(number::<V>(1.0).sub(y)));
function!(Function2, ReluGradient, |y, dy| y.if_less_equal(number(0.0), number(0.0), dy));
function!(Function3, MulAdd, |a, b, c| a.mul_add(b, c));
function!(Function3, NegMulAdd, |a, b, c| a.neg_mul_add(b, c));
function!(Function3, Clamp, |low, high, x| high.min(low.max(x)));
function!(Function3, Select, |a, b, c| a.if_equal(number(0.0), c, b));
function!(Function3, TanhGradientOfProduct, |y, a, b| {
    let dy = a.mul(b);
    y.mul(y).neg_mul_add(dy, dy)
});
function!(Function3, SigmoidGradientOfProduct, |y, a, b| a.mul(b).mul(y).mul(number::<V>(1.0).sub(y)));

/// Computes one operation for `rows` rows of `width` numbers.
///
/// # Safety
/// The instruction set of `V` is enabled; sources and target are valid for that many rows and columns; a source that
/// overlaps the target is the target itself.
#[inline(always)]
pub(crate) unsafe fn execute<V: Lanes>(
    code: Opcode,
    (rows, width): (usize, usize),
    to: Target<V::Number>,
    [a, b, c]: [Source<V::Number>; 3],
) {
    // SAFETY: the caller's.
    unsafe {
        match code {
            Opcode::Map(function) => match function {
                Unary::Copy => map::<V, Copy>(rows, width, to, a),
                Unary::Neg => map::<V, Neg>(rows, width, to, a),
                Unary::Abs => map::<V, Abs>(rows, width, to, a),
                Unary::Sign => map::<V, Sign>(rows, width, to, a),
                Unary::Recip => map::<V, Recip>(rows, width, to, a),
                Unary::Sqrt => map::<V, Sqrt>(rows, width, to, a),
                Unary::Square => map::<V, Square>(rows, width, to, a),
                Unary::Exp => map::<V, Exp>(rows, width, to, a),
                Unary::Tanh => map::<V, Tanh>(rows, width, to, a),
                Unary::Sigmoid => map::<V, Sigmoid>(rows, width, to, a),
                Unary::Relu => map::<V, Relu>(rows, width, to, a),
                Unary::Log => scalars(rows, width, to, a, |x| x.scalar(f64::ln, f32::ln)),
                Unary::Log1p => scalars(rows, width, to, a, |x| x.scalar(f64::ln_1p, f32::ln_1p)),
                Unary::Sin => scalars(rows, width, to, a, |x| x.scalar(f64::sin, f32::sin)),
                Unary::Cos => scalars(rows, width, to, a, |x| x.scalar(f64::cos, f32::cos)),
            },
            Opcode::Zip(function) => match function {
                Binary::Add => zip::<V, Add>(rows, width, to, a, b),
                Binary::Sub => zip::<V, Sub>(rows, width, to, a, b),
                Binary::Mul => zip::<V, Mul>(rows, width, to, a, b),
                Binary::Div => zip::<V, Div>(rows, width, to, a, b),
                Binary::Max => zip::<V, Max>(rows, width, to, a, b),
                Binary::Min => zip::<V, Min>(rows, width, to, a, b),
                Binary::Less => zip::<V, Less>(rows, width, to, a, b),
                Binary::LessEqual => zip::<V, LessEqual>(rows, width, to, a, b),
                Binary::Equal => zip::<V, Equal>(rows, width, to, a, b),
                Binary::TanhGradient => zip::<V, TanhGradient>(rows, width, to, a, b),
                Binary::SigmoidGradient => zip::<V, SigmoidGradient>(rows, width, to, a, b),
                Binary::ReluGradient => zip::<V, ReluGradient>(rows, width, to, a, b),
                Binary::Pow => powers(rows, width, to, a, b),
            },
            Opcode::Fuse(function) => match function {
                Ternary::MulAdd => fuse::<V, MulAdd>(rows, width, to, a, b, c),
                Ternary::NegMulAdd => fuse::<V, NegMulAdd>(rows, width, to, a, b, c),
                Ternary::Select => fuse::<V, Select>(rows, width, to, a, b, c),
                Ternary::Clamp => fuse::<V, Clamp>(rows, width, to, a, b, c),
                Ternary::TanhGradient => fuse::<V, TanhGradientOfProduct>(rows, width, to, a, b, c),
                Ternary::SigmoidGradient => fuse::<V, SigmoidGradientOfProduct>(rows, width, to, a, b, c),
            },
            Opcode::SumColumns => sum_columns::<V>(rows, width, to, a),
            Opcode::MaxColumns => max_columns(rows, width, to, a),
            Opcode::AddRows => add_rows::<V>(rows, width, to, a),
        }
    }
}

/// The rows of an operand: a register of numbers, or one number in all lanes.
#[inline(always)]
unsafe fn read<V: Lanes, const SINGLE: bool>(row: *const V::Number, column: usize) -> V {
    // SAFETY: the caller's.
    unsafe { if SINGLE { V::splat(*row) } else { V::load(row.add(column)) } }
}

#[inline(always)]
unsafe fn read_part<V: Lanes, const SINGLE: bool>(row: *const V::Number, column: usize, count: usize) -> V {
    // SAFETY: the caller's.
    unsafe { if SINGLE { V::splat(*row) } else { V::load_part(row.add(column), count) } }
}

#[inline(always)]
unsafe fn map<V: Lanes, F: Function1<V>>(rows: usize, width: usize, to: Target<V::Number>, a: Source<V::Number>) {
    // SAFETY: the caller's.
    unsafe {
        if a.single {
            map_rows::<V, F, true>(rows, width, to, a);
        } else {
            map_rows::<V, F, false>(rows, width, to, a);
        }
    }
}

#[inline(always)]
unsafe fn map_rows<V: Lanes, F: Function1<V>, const A: bool>(
    rows: usize,
    width: usize,
    to: Target<V::Number>,
    a: Source<V::Number>,
) {
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            let (out, x) = (to.start.add(row * to.stride), a.start.add(row * a.stride));
            let mut column = 0;
            while column + V::COUNT <= width {
                F::of(read::<V, A>(x, column)).store(out.add(column));
                column += V::COUNT;
            }
            if column < width {
                let rest = width - column;
                F::of(read_part::<V, A>(x, column, rest)).store_part(out.add(column), rest);
            }
        }
    }
}

#[inline(always)]
unsafe fn zip<V: Lanes, F: Function2<V>>(
    rows: usize,
    width: usize,
    to: Target<V::Number>,
    a: Source<V::Number>,
    b: Source<V::Number>,
) {
    // SAFETY: the caller's.
    unsafe {
        match (a.single, b.single) {
            (false, false) => zip_rows::<V, F, false, false>(rows, width, to, a, b),
            (true, false) => zip_rows::<V, F, true, false>(rows, width, to, a, b),
            (false, true) => zip_rows::<V, F, false, true>(rows, width, to, a, b),
            (true, true) => zip_rows::<V, F, true, true>(rows, width, to, a, b),
        }
    }
}

#[inline(always)]
unsafe fn zip_rows<V: Lanes, F: Function2<V>, const A: bool, const B: bool>(
    rows: usize,
    width: usize,
    to: Target<V::Number>,
    a: Source<V::Number>,
    b: Source<V::Number>,
) {
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            let out = to.start.add(row * to.stride);
            let (x, y) = (a.start.add(row * a.stride), b.start.add(row * b.stride));
            let mut column = 0;
            while column + V::COUNT <= width {
                F::of(read::<V, A>(x, column), read::<V, B>(y, column)).store(out.add(column));
                column += V::COUNT;
            }
            if column < width {
                let rest = width - column;
                let result = F::of(read_part::<V, A>(x, column, rest), read_part::<V, B>(y, column, rest));
                result.store_part(out.add(column), rest);
            }
        }
    }
}

#[inline(always)]
unsafe fn fuse<V: Lanes, F: Function3<V>>(
    rows: usize,
    width: usize,
    to: Target<V::Number>,
    a: Source<V::Number>,
    b: Source<V::Number>,
    c: Source<V::Number>,
) {
    // SAFETY: the caller's.
    unsafe {
        match (a.single, b.single, c.single) {
            (false, false, false) => fuse_rows::<V, F, false, false, false>(rows, width, to, a, b, c),
            (true, false, false) => fuse_rows::<V, F, true, false, false>(rows, width, to, a, b, c),
            (false, true, false) => fuse_rows::<V, F, false, true, false>(rows, width, to, a, b, c),
            (false, false, true) => fuse_rows::<V, F, false, false, true>(rows, width, to, a, b, c),
            (true, true, false) => fuse_rows::<V, F, true, true, false>(rows, width, to, a, b, c),
            (true, false, true) => fuse_rows::<V, F, true, false, true>(rows, width, to, a, b, c),
            (false, true, true) => fuse_rows::<V, F, false, true, true>(rows, width, to, a, b, c),
            (true, true, true) => fuse_rows::<V, F, true, true, true>(rows, width, to, a, b, c),
        }
    }
}

#[inline(always)]
unsafe fn fuse_rows<V: Lanes, F: Function3<V>, const A: bool, const B: bool, const C: bool>(
    rows: usize,
    width: usize,
    to: Target<V::Number>,
    a: Source<V::Number>,
    b: Source<V::Number>,
    c: Source<V::Number>,
) {
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            let out = to.start.add(row * to.stride);
            let (x, y) = (a.start.add(row * a.stride), b.start.add(row * b.stride));
            let z = c.start.add(row * c.stride);
            let mut column = 0;
            while column + V::COUNT <= width {
                F::of(read::<V, A>(x, column), read::<V, B>(y, column), read::<V, C>(z, column)).store(out.add(column));
                column += V::COUNT;
            }
            if column < width {
                let rest = width - column;
                let (x, y) = (read_part::<V, A>(x, column, rest), read_part::<V, B>(y, column, rest));
                F::of(x, y, read_part::<V, C>(z, column, rest)).store_part(out.add(column), rest);
            }
        }
    }
}

/// A function without a vector form, number by number.
#[inline(always)]
unsafe fn scalars<T: Number>(rows: usize, width: usize, to: Target<T>, a: Source<T>, function: impl Fn(T) -> T) {
    let step = usize::from(!a.single);
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            let (out, x) = (to.start.add(row * to.stride), a.start.add(row * a.stride));
            for column in 0..width {
                *out.add(column) = function(*x.add(column * step));
            }
        }
    }
}

#[inline(always)]
unsafe fn powers<T: Number>(rows: usize, width: usize, to: Target<T>, a: Source<T>, b: Source<T>) {
    let (step_a, step_b) = (usize::from(!a.single), usize::from(!b.single));
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            let out = to.start.add(row * to.stride);
            let (x, y) = (a.start.add(row * a.stride), b.start.add(row * b.stride));
            for column in 0..width {
                *out.add(column) = (*x.add(column * step_a)).power(*y.add(column * step_b));
            }
        }
    }
}

#[inline(always)]
unsafe fn sum_columns<V: Lanes>(rows: usize, width: usize, to: Target<V::Number>, a: Source<V::Number>) {
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            let x = a.start.add(row * a.stride);
            let mut sums = [V::splat(V::Number::default()); 4];
            let mut column = 0;
            while column + 4 * V::COUNT <= width {
                for (index, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(V::load(x.add(column + index * V::COUNT)));
                }
                column += 4 * V::COUNT;
            }
            while column + V::COUNT <= width {
                sums[0] = sums[0].add(V::load(x.add(column)));
                column += V::COUNT;
            }
            if column < width {
                sums[1] = sums[1].add(V::load_part(x.add(column), width - column));
            }
            *to.start.add(row * to.stride) = sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum();
        }
    }
}

#[inline(always)]
unsafe fn max_columns<T: Number>(rows: usize, width: usize, to: Target<T>, a: Source<T>) {
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            let x = a.start.add(row * a.stride);
            let mut largest = *x;
            for column in 1..width {
                let next = *x.add(column);
                // A NaN is kept once it is met.
                largest = if next > largest || next.partial_cmp(&next).is_none() { next } else { largest };
            }
            *to.start.add(row * to.stride) = largest;
        }
    }
}

#[inline(always)]
unsafe fn add_rows<V: Lanes>(rows: usize, width: usize, to: Target<V::Number>, a: Source<V::Number>) {
    // SAFETY: the caller's.
    unsafe {
        let mut column = 0;
        while column + V::COUNT <= width {
            let mut sum = V::load(to.start.add(column));
            for row in 0..rows {
                sum = sum.add(V::load(a.start.add(row * a.stride + column)));
            }
            sum.store(to.start.add(column));
            column += V::COUNT;
        }
        if column < width {
            let rest = width - column;
            let mut sum = V::load_part(to.start.add(column), rest);
            for row in 0..rows {
                sum = sum.add(V::load_part(a.start.add(row * a.stride + column), rest));
            }
            sum.store_part(to.start.add(column), rest);
        }
    }
}
