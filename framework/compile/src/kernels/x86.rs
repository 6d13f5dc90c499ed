//! [`Lanes`] for AVX-512 and for AVX2 with fused multiply-add.

// Tests import by wildcard without a remark from clippy.
#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the intrinsics are a language of their own"))]
use std::arch::x86_64::*;

use super::simd::Lanes;

/// Sliding windows for masked loads and stores: read at offset `8 - count` (`4 - count`) they have `count` set lanes.
static MASK32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
static MASK64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

macro_rules! lanes {
    (
        $vector:ty, $element:ty, $count:literal, $rows:literal,
        $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident,
        $fmadd:ident, $fnmadd:ident, $max:ident, $min:ident, $sqrt:ident,
        part: |$from:ident, $n:ident| $load_part:expr, |$self:ident, $to:ident, $m:ident| $store_part:expr,
        first: |$own:ident, $f:ident| $first:expr,
        sign: |$value:ident, $sign:ident| $with_sign:expr,
        choose: |$a:ident, $b:ident, $yes:ident, $no:ident| $less:expr, $less_equal:expr, $equal:expr,
        exponent: |$x:ident| $exponent:expr,
        interleave: |$even:ident, $odd:ident| $interleave:expr,
        $(quotient: |$dividend:ident, $divisor:ident| $quotient:expr,)?
    ) => {
        // SAFETY: callers enable the instruction set and pass valid pointers, as the trait says.
        unsafe impl Lanes for $vector {
            type Element = $element;
            const COUNT: usize = $count;
            const ROWS: usize = $rows;

            #[inline(always)]
            unsafe fn splat(value: $element) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn prefetch(from: *const $element) {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn load_part($from: *const $element, $n: usize) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $load_part }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn first(self, $f: usize) -> Self {
                let $own = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $first }
            }
            #[inline(always)]
            unsafe fn store_part(self, $to: *mut $element, $m: usize) {
                let $self = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $store_part }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $sub(self, other) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $mul(self, other) }
            }
            #[inline(always)]
            unsafe fn div(self, other: Self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $div(self, other) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $fmadd(self, b, c) }
            }
            #[inline(always)]
            unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $fnmadd(self, b, c) }
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $max(self, other) }
            }
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $min(self, other) }
            }
            #[inline(always)]
            unsafe fn sqrt(self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $sqrt(self) }
            }
            #[inline(always)]
            unsafe fn abs(self) -> Self {
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { self.with_sign($splat(0.0)) }
            }
            #[inline(always)]
            unsafe fn with_sign(self, $sign: Self) -> Self {
                let $value = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $with_sign }
            }
            #[inline(always)]
            unsafe fn if_less(self, $b: Self, $yes: Self, $no: Self) -> Self {
                let $a = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $less }
            }
            #[inline(always)]
            unsafe fn if_less_equal(self, $b: Self, $yes: Self, $no: Self) -> Self {
                let $a = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $less_equal }
            }
            #[inline(always)]
            unsafe fn if_equal(self, $b: Self, $yes: Self, $no: Self) -> Self {
                let $a = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $equal }
            }
            #[inline(always)]
            unsafe fn to_exponent(self) -> Self {
                let $x = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $exponent }
            }
            $(#[inline(always)]
            unsafe fn quotient(self, $divisor: Self) -> Self {
                let $dividend = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $quotient }
            })?
            #[inline(always)]
            unsafe fn interleave(self, $odd: Self) -> (Self, Self) {
                let $even = self;
                // SAFETY: the caller guarantees the instruction set, and valid pointers.
                unsafe { $interleave }
            }
            #[inline(always)]
            unsafe fn sum(self) -> $element {
                let mut lanes = [0.0; $count];
                // SAFETY: the array has as many elements as the register.
                unsafe { self.store(lanes.as_mut_ptr()) };
                let mut half = $count / 2;
                while half > 0 {
                    for index in 0..half {
                        lanes[index] += lanes[index + half];
                    }
                    half /= 2;
                }
                lanes[0]
            }
        }
    };
}

lanes!(
    __m512, f32, 16, 12,
    _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_div_ps,
    _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_max_ps, _mm512_min_ps, _mm512_sqrt_ps,
    part: |from, n| _mm512_maskz_loadu_ps(((1_u32 << n) - 1) as __mmask16, from),
          |own, to, m| _mm512_mask_storeu_ps(to, ((1_u32 << m) - 1) as __mmask16, own),
    first: |own, f| _mm512_maskz_mov_ps(((1_u32 << f) - 1) as __mmask16, own),
    sign: |value, sign| _mm512_castsi512_ps(_mm512_ternarylogic_epi32::<0xAC>(
        _mm512_set1_epi32(i32::MAX), _mm512_castps_si512(sign), _mm512_castps_si512(value))),
    choose: |a, b, yes, no| _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), no, yes),
        _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b), no, yes),
        _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), no, yes),
    exponent: |x| _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(x))),
    interleave: |a, b| {
        let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
        (_mm512_permutex2var_ps(a, first, b), _mm512_permutex2var_ps(a, second, b))
    },
    // An estimate of 14 bits and one Newton step: a division takes several times as long.
    quotient: |a, b| {
        let reciprocal = _mm512_rcp14_ps(b);
        let estimate = _mm512_mul_ps(a, reciprocal);
        _mm512_fmadd_ps(_mm512_fnmadd_ps(estimate, b, a), reciprocal, estimate)
    },
);

lanes!(
    __m512d, f64, 8, 12,
    _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd, _mm512_div_pd,
    _mm512_fmadd_pd, _mm512_fnmadd_pd, _mm512_max_pd, _mm512_min_pd, _mm512_sqrt_pd,
    part: |from, n| _mm512_maskz_loadu_pd(((1_u32 << n) - 1) as __mmask8, from),
          |own, to, m| _mm512_mask_storeu_pd(to, ((1_u32 << m) - 1) as __mmask8, own),
    first: |own, f| _mm512_maskz_mov_pd(((1_u32 << f) - 1) as __mmask8, own),
    sign: |value, sign| _mm512_castsi512_pd(_mm512_ternarylogic_epi64::<0xAC>(
        _mm512_set1_epi64(i64::MAX), _mm512_castpd_si512(sign), _mm512_castpd_si512(value))),
    choose: |a, b, yes, no| _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b), no, yes),
        _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LE_OQ>(a, b), no, yes),
        _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b), no, yes),
    exponent: |x| _mm512_castsi512_pd(_mm512_slli_epi64::<52>(_mm512_castpd_si512(x))),
    interleave: |a, b| {
        let first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
        let second = _mm512_add_epi64(first, _mm512_set1_epi64(4));
        (_mm512_permutex2var_pd(a, first, b), _mm512_permutex2var_pd(a, second, b))
    },
);

lanes!(
    __m256, f32, 8, 6,
    _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_div_ps,
    _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_max_ps, _mm256_min_ps, _mm256_sqrt_ps,
    part: |from, n| _mm256_maskload_ps(from, _mm256_loadu_si256(MASK32.as_ptr().add(8 - n).cast())),
          |own, to, m| _mm256_maskstore_ps(to, _mm256_loadu_si256(MASK32.as_ptr().add(8 - m).cast()), own),
    first: |own, f| _mm256_and_ps(own, _mm256_loadu_ps(MASK32.as_ptr().add(8 - f).cast())),
    sign: |value, sign| _mm256_or_ps(
        _mm256_andnot_ps(_mm256_set1_ps(-0.0), value), _mm256_and_ps(_mm256_set1_ps(-0.0), sign)),
    choose: |a, b, yes, no| _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)),
        _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_LE_OQ>(a, b)),
        _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)),
    exponent: |x| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(x))),
    // Interleave within the halves of a register, then exchange halves.
    interleave: |a, b| {
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
    },
);

lanes!(
    __m256d, f64, 4, 6,
    _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd, _mm256_div_pd,
    _mm256_fmadd_pd, _mm256_fnmadd_pd, _mm256_max_pd, _mm256_min_pd, _mm256_sqrt_pd,
    part: |from, n| _mm256_maskload_pd(from, _mm256_loadu_si256(MASK64.as_ptr().add(4 - n).cast())),
          |own, to, m| _mm256_maskstore_pd(to, _mm256_loadu_si256(MASK64.as_ptr().add(4 - m).cast()), own),
    first: |own, f| _mm256_and_pd(own, _mm256_loadu_pd(MASK64.as_ptr().add(4 - f).cast())),
    sign: |value, sign| _mm256_or_pd(
        _mm256_andnot_pd(_mm256_set1_pd(-0.0), value), _mm256_and_pd(_mm256_set1_pd(-0.0), sign)),
    choose: |a, b, yes, no| _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_LT_OQ>(a, b)),
        _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_LE_OQ>(a, b)),
        _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_EQ_OQ>(a, b)),
    exponent: |x| _mm256_castsi256_pd(_mm256_slli_epi64::<52>(_mm256_castpd_si256(x))),
    interleave: |a, b| {
        let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        (_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
    },
);
