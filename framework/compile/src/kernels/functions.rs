//! The element-wise functions over registers, one type each, for the loops of `elementwise.rs` to be compiled for.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::{
    math,
    simd::{Element, Lanes},
};

/// A function of one register.
///
/// # Safety
/// As for [`Lanes`]; so for the other two.
pub(super) trait Function1<V: Lanes> {
    unsafe fn of(a: V) -> V;
}

/// A function of two registers.
pub(super) trait Function2<V: Lanes> {
    unsafe fn of(a: V, b: V) -> V;
}

/// A function of three registers.
pub(super) trait Function3<V: Lanes> {
    unsafe fn of(a: V, b: V, c: V) -> V;
}

macro_rules! function {
    ($trait:ident, $name:ident, |$($x:ident),+| $body:expr) => {
        pub(super) struct $name;
        impl<V: Lanes> $trait<V> for $name {
            #[inline(always)]
            unsafe fn of($($x: V),+) -> V {
                // SAFETY: the kernel that this is inlined into enables the instruction set of V.
                unsafe { $body }
            }
        }
    };
}

#[inline(always)]
unsafe fn constant<V: Lanes>(value: f64) -> V {
    // SAFETY: the kernel that this is inlined into enables the instruction set of V.
    unsafe { V::splat(V::Element::from_f64(value)) }
}

pub(super) struct Copy;
impl<V: Lanes> Function1<V> for Copy {
    #[inline(always)]
    unsafe fn of(a: V) -> V {
        a
    }
}

function!(Function1, Neg, |a| constant::<V>(-1.0).mul(a));
function!(Function1, Abs, |a| a.abs());
function!(Function1, Sign, |a| {
    let zero = constant::<V>(0.0);
    zero.if_less(a, constant(1.0), a.if_less(zero, constant(-1.0), zero))
});
function!(Function1, Recip, |a| constant::<V>(1.0).div(a));
function!(Function1, Sqrt, |a| a.sqrt());
function!(Function1, Square, |a| a.mul(a));
function!(Function1, Exp, |a| math::exp(a));
function!(Function1, Tanh, |a| math::tanh(a));
function!(Function1, Sigmoid, |a| math::sigmoid(a));
function!(Function1, LogSigmoid, |a| math::log_sigmoid(a));
function!(Function1, Erf, |a| math::erf(a));
// The second operand of max is the result when one is NaN, so that NaN passes.
function!(Function1, Relu, |a| constant::<V>(0.0).max(a));
function!(Function2, Add, |a, b| a.add(b));
function!(Function2, Sub, |a, b| a.sub(b));
function!(Function2, Mul, |a, b| a.mul(b));
function!(Function2, Div, |a, b| a.div(b));
function!(Function2, Max, |a, b| a.max(b));
function!(Function2, Min, |a, b| a.min(b));
function!(Function2, Less, |a, b| a.if_less(b, constant(1.0), constant(0.0)));
function!(Function2, LessEqual, |a, b| a.if_less_equal(b, constant(1.0), constant(0.0)));
function!(Function2, Equal, |a, b| a.if_equal(b, constant(1.0), constant(0.0)));
function!(Function2, TanhGradient, |y, dy| y.mul(y).neg_mul_add(dy, dy));
function!(Function2, SigmoidGradient, |y, dy| dy.mul(y).mul(constant::<V>(1.0).sub(y)));
function!(Function2, ReluGradient, |y, dy| y.if_less_equal(constant(0.0), constant(0.0), dy));
function!(Function3, MulAdd, |a, b, c| a.mul_add(b, c));
function!(Function3, NegMulAdd, |a, b, c| a.neg_mul_add(b, c));
function!(Function3, Clamp, |low, high, x| high.min(low.max(x)));
function!(Function3, Select, |a, b, c| a.if_equal(constant(0.0), c, b));
function!(Function3, TanhGradientOfProduct, |y, a, b| {
    let dy = a.mul(b);
    y.mul(y).neg_mul_add(dy, dy)
});
function!(Function3, SigmoidGradientOfProduct, |y, a, b| a.mul(b).mul(y).mul(constant::<V>(1.0).sub(y)));
