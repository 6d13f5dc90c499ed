//! One element-wise operation over the rows of a tile: a loop over whole registers, and the remainder.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::{
    batched::batched,
    functions::{
        Abs, Add, Clamp, Copy, Div, Equal, Erf, Exp, Function1, Function2, Function3, Less, LessEqual, LogSigmoid, Max,
        Min, Mul, MulAdd, Neg, NegMulAdd, Recip, Relu, ReluGradient, Select, Sigmoid, SigmoidGradient,
        SigmoidGradientOfProduct, Sign, Sqrt, Square, Sub, Tanh, TanhGradient, TanhGradientOfProduct,
    },
    matrix::{Dims, MatrixMut, MatrixRef},
    simd::{Element, Lanes},
};
use crate::{
    ir::op::{Binary, Ternary, Unary},
    plan::fused_kernel::Opcode,
};

/// Computes one operation for all entries of a matrix of that size.
///
/// # Safety
/// The instruction set of `V` is enabled; all matrices are valid for that size; a source that overlaps the target is the
/// target itself.
#[inline(always)]
pub(crate) unsafe fn execute<V: Lanes>(
    code: Opcode,
    Dims { rows, columns: width }: Dims,
    to: MatrixMut<V::Element>,
    [a, b, c]: [MatrixRef<V::Element>; 3],
) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        match code {
            Opcode::Map(function) => execute_map::<V>(function, rows, width, to, a),
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
                Binary::Pow => pairs(rows, width, to, a, b, Element::power),
                Binary::Remainder => pairs(rows, width, to, a, b, Element::remainder),
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
            Opcode::AddRows => add_rows::<V, true>(rows, width, to, a),
            Opcode::SumRows => add_rows::<V, false>(rows, width, to, a),
            Opcode::CumulativeSum(is_reverse) => cumulative_sum(rows, width, to, a, is_reverse),
            Opcode::Exchange => scalars(rows, width, to, a, |x| x),
            Opcode::Batched(of, has_init) => {
                for row in 0..rows {
                    let init = if has_init { Some(c.row_at(row)) } else { None };
                    batched::<V>(&of, [a.row_at(row), b.row_at(row)], init, to.row_at(row));
                }
            }
        }
    }
}

/// Computes a function of one element for all entries.
#[inline(always)]
unsafe fn execute_map<V: Lanes>(
    function: Unary,
    rows: usize,
    width: usize,
    to: MatrixMut<V::Element>,
    a: MatrixRef<V::Element>,
) {
    // SAFETY: passed on to `execute`'s caller.
    unsafe {
        match function {
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
            Unary::Floor => scalars(rows, width, to, a, |x| x.scalar(f64::floor, f32::floor)),
            Unary::Round => scalars(rows, width, to, a, |x| x.scalar(f64::round_ties_even, f32::round_ties_even)),
            Unary::Erf => map::<V, Erf>(rows, width, to, a),
            Unary::LogSigmoid => map::<V, LogSigmoid>(rows, width, to, a),
        }
    }
}

/// A register of a row, or with `COLUMN` the row's one element in all lanes.
#[inline(always)]
unsafe fn read<V: Lanes, const COLUMN: bool>(row: *const V::Element, column: usize) -> V {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe { if COLUMN { V::splat(*row) } else { V::load(row.add(column)) } }
}

#[inline(always)]
unsafe fn read_part<V: Lanes, const COLUMN: bool>(row: *const V::Element, column: usize, count: usize) -> V {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe { if COLUMN { V::splat(*row) } else { V::load_part(row.add(column), count) } }
}

#[inline(always)]
unsafe fn map<V: Lanes, F: Function1<V>>(
    rows: usize,
    width: usize,
    to: MatrixMut<V::Element>,
    a: MatrixRef<V::Element>,
) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        if a.is_column() {
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
    to: MatrixMut<V::Element>,
    a: MatrixRef<V::Element>,
) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        for row in 0..rows {
            let (out, x) = (to.ptr.add(row * to.row_stride), a.ptr.add(row * a.row_stride));
            let mut column = 0;
            while column + V::COUNT <= width {
                F::of(read::<V, A>(x, column)).store(out.add(column));
                column += V::COUNT;
            }
            if column < width {
                let remainder = width - column;
                F::of(read_part::<V, A>(x, column, remainder)).store_part(out.add(column), remainder);
            }
        }
    }
}

#[inline(always)]
unsafe fn zip<V: Lanes, F: Function2<V>>(
    rows: usize,
    width: usize,
    to: MatrixMut<V::Element>,
    a: MatrixRef<V::Element>,
    b: MatrixRef<V::Element>,
) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        match (a.is_column(), b.is_column()) {
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
    to: MatrixMut<V::Element>,
    a: MatrixRef<V::Element>,
    b: MatrixRef<V::Element>,
) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        for row in 0..rows {
            let out = to.ptr.add(row * to.row_stride);
            let (x, y) = (a.ptr.add(row * a.row_stride), b.ptr.add(row * b.row_stride));
            let mut column = 0;
            while column + V::COUNT <= width {
                F::of(read::<V, A>(x, column), read::<V, B>(y, column)).store(out.add(column));
                column += V::COUNT;
            }
            if column < width {
                let remainder = width - column;
                let result = F::of(read_part::<V, A>(x, column, remainder), read_part::<V, B>(y, column, remainder));
                result.store_part(out.add(column), remainder);
            }
        }
    }
}

#[inline(always)]
unsafe fn fuse<V: Lanes, F: Function3<V>>(
    rows: usize,
    width: usize,
    to: MatrixMut<V::Element>,
    a: MatrixRef<V::Element>,
    b: MatrixRef<V::Element>,
    c: MatrixRef<V::Element>,
) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        match (a.is_column(), b.is_column(), c.is_column()) {
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
    to: MatrixMut<V::Element>,
    a: MatrixRef<V::Element>,
    b: MatrixRef<V::Element>,
    c: MatrixRef<V::Element>,
) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        for row in 0..rows {
            let out = to.ptr.add(row * to.row_stride);
            let (x, y) = (a.ptr.add(row * a.row_stride), b.ptr.add(row * b.row_stride));
            let z = c.ptr.add(row * c.row_stride);
            let mut column = 0;
            while column + V::COUNT <= width {
                F::of(read::<V, A>(x, column), read::<V, B>(y, column), read::<V, C>(z, column)).store(out.add(column));
                column += V::COUNT;
            }
            if column < width {
                let remainder = width - column;
                let (x, y) = (read_part::<V, A>(x, column, remainder), read_part::<V, B>(y, column, remainder));
                F::of(x, y, read_part::<V, C>(z, column, remainder)).store_part(out.add(column), remainder);
            }
        }
    }
}

/// A function without a vector form, element by element.
#[inline(always)]
unsafe fn scalars<T: Element>(rows: usize, width: usize, to: MatrixMut<T>, a: MatrixRef<T>, function: impl Fn(T) -> T) {
    let step = a.column_stride;
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        for row in 0..rows {
            let (out, x) = (to.ptr.add(row * to.row_stride), a.ptr.add(row * a.row_stride));
            for column in 0..width {
                *out.add(column) = function(*x.add(column * step));
            }
        }
    }
}

/// A function of two elements without a vector form.
#[inline(always)]
unsafe fn pairs<T: Element>(
    rows: usize,
    width: usize,
    to: MatrixMut<T>,
    a: MatrixRef<T>,
    b: MatrixRef<T>,
    function: impl Fn(T, T) -> T,
) {
    let (step_a, step_b) = (a.column_stride, b.column_stride);
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        for row in 0..rows {
            let out = to.ptr.add(row * to.row_stride);
            let (x, y) = (a.ptr.add(row * a.row_stride), b.ptr.add(row * b.row_stride));
            for column in 0..width {
                *out.add(column) = function(*x.add(column * step_a), *y.add(column * step_b));
            }
        }
    }
}

#[inline(always)]
unsafe fn sum_columns<V: Lanes>(rows: usize, width: usize, to: MatrixMut<V::Element>, a: MatrixRef<V::Element>) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        for row in 0..rows {
            let x = a.ptr.add(row * a.row_stride);
            let mut sums = [V::splat(V::Element::default()); 4];
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
            *to.ptr.add(row * to.row_stride) = sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum();
        }
    }
}

#[inline(always)]
unsafe fn max_columns<T: Element>(rows: usize, width: usize, to: MatrixMut<T>, a: MatrixRef<T>) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        for row in 0..rows {
            let x = a.ptr.add(row * a.row_stride);
            let mut largest = *x;
            for column in 1..width {
                let next = *x.add(column);
                // A NaN is kept once it is met.
                largest = if next > largest || next.partial_cmp(&next).is_none() { next } else { largest };
            }
            *to.ptr.add(row * to.row_stride) = largest;
        }
    }
}

#[inline(always)]
unsafe fn cumulative_sum<T: Element>(rows: usize, width: usize, to: MatrixMut<T>, a: MatrixRef<T>, is_reverse: bool) {
    // SAFETY: `execute`'s caller guarantees valid matrices.
    unsafe {
        for row in 0..rows {
            let (out, x) = (to.ptr.add(row * to.row_stride), a.ptr.add(row * a.row_stride));
            let mut sum = T::default();
            for column in 0..width {
                let column = if is_reverse { width - 1 - column } else { column };
                sum = sum.plus(*x.add(column));
                *out.add(column) = sum;
            }
        }
    }
}

/// The sum of all rows, with `ADD` added to what is there.
#[inline(always)]
unsafe fn add_rows<V: Lanes, const ADD: bool>(
    rows: usize,
    width: usize,
    to: MatrixMut<V::Element>,
    a: MatrixRef<V::Element>,
) {
    // SAFETY: `execute`'s caller guarantees valid matrices, and enables the instruction set of V.
    unsafe {
        let mut column = 0;
        while column + V::COUNT <= width {
            let mut sum = if ADD { V::load(to.ptr.add(column)) } else { V::splat(V::Element::default()) };
            for row in 0..rows {
                sum = sum.add(V::load(a.ptr.add(row * a.row_stride + column)));
            }
            sum.store(to.ptr.add(column));
            column += V::COUNT;
        }
        if column < width {
            let remainder = width - column;
            let zero = V::splat(V::Element::default());
            let mut sum = if ADD { V::load_part(to.ptr.add(column), remainder) } else { zero };
            for row in 0..rows {
                sum = sum.add(V::load_part(a.ptr.add(row * a.row_stride + column), remainder));
            }
            sum.store_part(to.ptr.add(column), remainder);
        }
    }
}
