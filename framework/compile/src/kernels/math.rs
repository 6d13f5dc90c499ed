//! exp, tanh, the logistic function and its logarithm, and erf over registers.
//!
//! `exp(x) = 2ⁿ exp(r)` with n the nearest integer to x / ln 2 and r at most half of ln 2 (Cody and Waite 1980), exp(r)
//! − 1 by its Taylor series, which is long enough for a relative error of half a unit in the last place. NaN stays NaN;
//! exp of large negative values is 0.

#![expect(
    clippy::inline_always,
    reason = "an instruction set is enabled where all of this is inlined, and nowhere else"
)]

use super::simd::{Element, Lanes, ODD};

/// n and exp(r) − 1.
///
/// # Safety
/// As [`Lanes`] says.
#[inline(always)]
unsafe fn reduced<V: Lanes>(x: V) -> (V, V) {
    let constants = V::Element::CONSTANTS;
    // SAFETY: the kernel that this is inlined into enables the instruction set of V.
    unsafe {
        let round = V::splat(constants.round);
        let n = x.mul_add(V::splat(constants.log2e), round).sub(round);
        let r = n.neg_mul_add(V::splat(constants.ln2[0]), x);
        let r = n.neg_mul_add(V::splat(constants.ln2[1]), r);
        let mut sum = V::splat(constants.series[0]);
        for &coefficient in &constants.series[1..] {
            sum = sum.mul_add(r, V::splat(coefficient));
        }
        (n, r.mul(r).mul_add(sum, r))
    }
}

/// 2ⁿ for an integer n in the range of the exponent.
#[inline(always)]
unsafe fn power_of_two<V: Lanes>(n: V) -> V {
    // SAFETY: the kernel that this is inlined into enables the instruction set of V.
    unsafe { n.add(V::splat(V::Element::CONSTANTS.power)).to_exponent() }
}

/// exp(x).
#[inline(always)]
pub(super) unsafe fn exp<V: Lanes>(x: V) -> V {
    let constants = V::Element::CONSTANTS;
    // SAFETY: the kernel that this is inlined into enables the instruction set of V.
    unsafe {
        let (low, high) = (V::splat(constants.exp_low), V::splat(constants.exp_high));
        let one = V::splat(V::Element::from_f64(1.0));
        let (n, rest) = reduced(low.max(high.min(x)));
        // Twice half of the power: the largest power alone would overflow the exponent.
        let half = power_of_two(n.sub(one));
        let result = rest.mul_add(half, half);
        let result = result.add(result);
        let result = x.if_less(low, V::splat(V::Element::default()), result);
        high.if_less(x, V::splat(V::Element::from_f64(f64::INFINITY)), result)
    }
}

/// tanh(x), as e / (e + 2) with e = exp(2 |x|) − 1, which is exact where tanh is small.
#[inline(always)]
pub(super) unsafe fn tanh<V: Lanes>(x: V) -> V {
    let constants = V::Element::CONSTANTS;
    // SAFETY: the kernel that this is inlined into enables the instruction set of V.
    unsafe {
        let magnitude = V::splat(constants.tanh_high).min(x.abs());
        let (n, rest) = reduced(magnitude.add(magnitude));
        let power = power_of_two(n);
        let e = rest.mul_add(power, power.sub(V::splat(V::Element::from_f64(1.0))));
        e.quotient(e.add(V::splat(V::Element::from_f64(2.0)))).with_sign(x)
    }
}

/// exp(x) / (1 + exp(x)), where the bounds of x need no choice: at the lower the power of two is 0, at the upper the result
/// is 1.
#[inline(always)]
pub(super) unsafe fn sigmoid<V: Lanes>(x: V) -> V {
    let constants = V::Element::CONSTANTS;
    // SAFETY: the kernel that this is inlined into enables the instruction set of V.
    unsafe {
        let (low, high) = (V::splat(constants.sigmoid[0]), V::splat(constants.sigmoid[1]));
        let (n, rest) = reduced(low.max(high.min(x)));
        let power = power_of_two(n);
        let e = rest.mul_add(power, power);
        e.quotient(e.add(V::splat(V::Element::from_f64(1.0))))
    }
}

/// The logarithm of the logistic function: min(x, 0) − log(1 + z) with z = exp(−|x|), and log(1 + z) = 2 artanh(z / (2 + z)).
#[inline(always)]
pub(super) unsafe fn log_sigmoid<V: Lanes>(x: V) -> V {
    // SAFETY: the kernel that this is inlined into enables the instruction set of V.
    unsafe {
        let zero = V::splat(V::Element::default());
        let z = exp(zero.sub(x.abs()));
        let s = z.quotient(z.add(V::splat(V::Element::from_f64(2.0))));
        let square = s.mul(s);
        let mut sum = zero;
        for &odd in ODD[..V::Element::CONSTANTS.terms[1]].iter().rev() {
            sum = sum.mul_add(square, V::splat(V::Element::from_f64(odd)));
        }
        s.add(s).neg_mul_add(sum, zero.min(x))
    }
}

/// erf(x) = 2/√π x exp(−x²) (1 + 2x²/3 (1 + 2x²/5 (1 + …))): all terms have one sign.
#[inline(always)]
pub(super) unsafe fn erf<V: Lanes>(x: V) -> V {
    let constants = V::Element::CONSTANTS;
    // SAFETY: the kernel that this is inlined into enables the instruction set of V.
    unsafe {
        let (zero, one) = (V::splat(V::Element::default()), V::splat(V::Element::from_f64(1.0)));
        let magnitude = V::splat(constants.erf_high).min(x.abs());
        let square = magnitude.mul(magnitude);
        let double = square.add(square);
        let mut sum = one;
        for &odd in ODD[1..constants.terms[0]].iter().rev() {
            sum = sum.mul_add(double.mul(V::splat(V::Element::from_f64(odd))), one);
        }
        let scale = magnitude.mul(V::splat(V::Element::from_f64(std::f64::consts::FRAC_2_SQRT_PI)));
        one.min(scale.mul(exp(zero.sub(square))).mul(sum)).with_sign(x)
    }
}
