//! Vector registers, for every instruction set.
//!
//! The kernels are written once over [`Lanes`]; each instruction set supplies these few operations. Everything is
//! inlined into a function that enables the instruction set, and only there may it be called.

/// The dtypes of the kernels: `f32` and `f64`.
pub(crate) trait Element: Copy + Default + PartialOrd + Send + Sync + std::fmt::Debug + 'static {
    /// The constants of its approximations.
    const CONSTANTS: Constants<Self>;
    /// The nearest value.
    fn from_f64(value: f64) -> Self;
    /// The same value.
    fn to_f64(self) -> f64;
    /// A function of one element that has no vector form here.
    #[must_use]
    fn scalar(self, function: fn(f64) -> f64, single: fn(f32) -> f32) -> Self;
    /// `self` to the power of `exponent`.
    #[must_use]
    fn power(self, exponent: Self) -> Self;
    /// The remainder of the division by `divisor`, with its sign.
    #[must_use]
    fn remainder(self, divisor: Self) -> Self;
    /// The sum.
    #[must_use]
    fn plus(self, other: Self) -> Self;
}

/// What the approximations of exp, tanh and the logistic function need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constants<T: 'static> {
    /// 1 / ln 2.
    pub(crate) log2e: T,
    /// ln 2, its leading bits and the remainder, so that an integer multiple of the leading bits is exact.
    pub(crate) ln2: [T; 2],
    /// Added and subtracted again, it rounds to an integer.
    pub(crate) round: T,
    /// `round` plus the exponent's bias: whose low bits are then those of a power of two.
    pub(crate) power: T,
    /// Below it, exp is 0.
    pub(crate) exp_low: T,
    /// Above it, exp is infinite.
    pub(crate) exp_high: T,
    /// From it on tanh is 1.
    pub(crate) tanh_high: T,
    /// Where the logistic function is 0, and where it is 1.
    pub(crate) sigmoid: [T; 2],
    /// Coefficients of (exp(r) − 1 − r) / r², the highest power first.
    pub(crate) series: &'static [T],
    /// From it on erf is 1.
    pub(crate) erf_high: T,
    /// The terms of the series of erf up to there, and of that of artanh up to 1/3.
    pub(crate) terms: [usize; 2],
}

/// 1 / (2 n + 1).
pub(crate) static ODD: [f64; 150] = {
    let (mut values, mut n) = ([0.0; 150], 0);
    while n < 150 {
        values[n] = 1.0 / (2 * n + 1) as f64;
        n += 1;
    }
    values
};

impl Element for f32 {
    const CONSTANTS: Constants<Self> = Constants {
        log2e: std::f32::consts::LOG2_E,
        ln2: [0.693_359_4, -2.121_944_4e-4],
        round: 12_582_912.0,
        power: 12_583_039.0,
        exp_low: -86.6,
        exp_high: 88.722_84,
        tanh_high: 10.0,
        sigmoid: [-87.9, 80.0],
        series: &[1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5],
        erf_high: 4.0,
        terms: [62, 7],
    };

    fn from_f64(value: f64) -> Self {
        value as Self
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn scalar(self, _: fn(f64) -> f64, single: fn(Self) -> Self) -> Self {
        single(self)
    }

    fn power(self, exponent: Self) -> Self {
        self.powf(exponent)
    }

    fn remainder(self, divisor: Self) -> Self {
        let rest = self % divisor;
        if rest != 0.0 && (rest < 0.0) != (divisor < 0.0) { rest + divisor } else { rest }
    }

    fn plus(self, other: Self) -> Self {
        self + other
    }
}

impl Element for f64 {
    const CONSTANTS: Constants<Self> = Constants {
        log2e: std::f64::consts::LOG2_E,
        ln2: [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10],
        round: 6_755_399_441_055_744.0,
        power: 6_755_399_441_056_767.0,
        exp_low: -707.5,
        exp_high: 709.782_712_893_384,
        tanh_high: 20.0,
        sigmoid: [-708.9, 700.0],
        series: &[
            1.0 / 6_227_020_800.0,
            1.0 / 479_001_600.0,
            1.0 / 39_916_800.0,
            1.0 / 3_628_800.0,
            1.0 / 362_880.0,
            1.0 / 40_320.0,
            1.0 / 5040.0,
            1.0 / 720.0,
            1.0 / 120.0,
            1.0 / 24.0,
            1.0 / 6.0,
            0.5,
        ],
        erf_high: 6.0,
        terms: [150, 17],
    };

    fn from_f64(value: f64) -> Self {
        value
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn scalar(self, function: fn(Self) -> Self, _: fn(f32) -> f32) -> Self {
        function(self)
    }

    fn power(self, exponent: Self) -> Self {
        self.powf(exponent)
    }

    fn remainder(self, divisor: Self) -> Self {
        let rest = self % divisor;
        if rest != 0.0 && (rest < 0.0) != (divisor < 0.0) { rest + divisor } else { rest }
    }

    fn plus(self, other: Self) -> Self {
        self + other
    }
}

/// A vector register.
///
/// # Safety
/// Every function may only be called where the instruction set of the implementing type is enabled. Pointers must be
/// valid for [`Lanes::COUNT`] elements, or for the count given.
pub(crate) unsafe trait Lanes: Copy {
    type Element: Element;
    /// The number of lanes.
    const COUNT: usize;
    /// The most rows of a register tile of a product. Two registers wide, a tile of as many rows, with two registers of b
    /// and one of a, fits the registers that the instruction set has: 2 · 12 + 3 of 32, 2 · 6 + 3 of 16.
    const ROWS: usize;

    unsafe fn splat(value: Self::Element) -> Self;
    /// Prefetches a cache line into L2. Any address will do.
    unsafe fn prefetch(from: *const Self::Element);
    unsafe fn load(from: *const Self::Element) -> Self;
    /// A masked load: the first `count` elements, zeros after them.
    unsafe fn load_part(from: *const Self::Element, count: usize) -> Self;
    unsafe fn store(self, to: *mut Self::Element);
    /// The first `count` lanes, zeros after them.
    unsafe fn first(self, count: usize) -> Self;
    /// A masked store: only the first `count` elements.
    unsafe fn store_part(self, to: *mut Self::Element, count: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// The quotient to a unit in its last place, for finite dividends and divisors from 1 to 1e35.
    #[expect(clippy::inline_always, reason = "the instruction set is enabled where this is inlined")]
    #[inline(always)]
    unsafe fn quotient(self, other: Self) -> Self {
        // SAFETY: the caller enables the instruction set.
        unsafe { self.div(other) }
    }
    /// `self · b + c`.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// `c − self · b`.
    unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self;
    /// The larger; `other` when one is NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller; `other` when one is NaN.
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    unsafe fn abs(self) -> Self;
    /// The magnitude of `self` with the sign of `sign`.
    unsafe fn with_sign(self, sign: Self) -> Self;
    /// `yes` where `self < other`, else `no`.
    unsafe fn if_less(self, other: Self, yes: Self, no: Self) -> Self;
    /// `yes` where `self <= other`, else `no`.
    unsafe fn if_less_equal(self, other: Self, yes: Self, no: Self) -> Self;
    /// `yes` where `self == other`, else `no`.
    unsafe fn if_equal(self, other: Self, yes: Self, no: Self) -> Self;
    /// The low bits, shifted to the exponent.
    unsafe fn to_exponent(self) -> Self;
    /// The lanes of both, alternating, those of `self` first: the first half of them, and the second.
    unsafe fn interleave(self, other: Self) -> (Self, Self);
    /// The sum, in an order that depends on the type only.
    unsafe fn sum(self) -> Self::Element;
}

/// The implementation for every processor: arrays, which compilers vectorize (NEON on aarch64).
#[derive(Clone, Copy)]
pub(crate) struct Portable<T, const N: usize>([T; N]);

macro_rules! portable {
    ($element:ty, $count:literal, $shift:literal) => {
        // SAFETY: no instruction set is needed; callers guarantee valid pointers, as the trait says.
        unsafe impl Lanes for Portable<$element, $count> {
            type Element = $element;
            const COUNT: usize = $count;
            const ROWS: usize = 4;

            #[inline(always)]
            unsafe fn splat(value: $element) -> Self {
                Self([value; $count])
            }
            #[inline(always)]
            unsafe fn prefetch(_: *const $element) {}
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: the caller guarantees COUNT valid elements.
                Self(unsafe { from.cast::<[$element; $count]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn load_part(from: *const $element, count: usize) -> Self {
                let mut lanes = [0.0; $count];
                for (index, lane) in lanes.iter_mut().enumerate().take(count) {
                    // SAFETY: the caller guarantees `count` valid elements.
                    *lane = unsafe { *from.add(index) };
                }
                Self(lanes)
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: the caller guarantees COUNT valid elements.
                unsafe { to.cast::<[$element; $count]>().write_unaligned(self.0) };
            }
            #[inline(always)]
            unsafe fn first(self, count: usize) -> Self {
                Self(std::array::from_fn(|i| if i < count { self.0[i] } else { 0.0 }))
            }
            #[inline(always)]
            unsafe fn store_part(self, to: *mut $element, count: usize) {
                for (index, lane) in self.0.iter().enumerate().take(count) {
                    // SAFETY: the caller guarantees `count` valid elements.
                    unsafe { *to.add(index) = *lane };
                }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
            }
            #[inline(always)]
            unsafe fn div(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] / other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                // A fused operation without an instruction for it is a slow call of a function.
                Self(std::array::from_fn(|i| {
                    if cfg!(target_arch = "aarch64") {
                        self.0[i].mul_add(b.0[i], c.0[i])
                    } else {
                        self.0[i] * b.0[i] + c.0[i]
                    }
                }))
            }
            #[inline(always)]
            unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self {
                Self(std::array::from_fn(|i| {
                    if cfg!(target_arch = "aarch64") {
                        (-self.0[i]).mul_add(b.0[i], c.0[i])
                    } else {
                        c.0[i] - self.0[i] * b.0[i]
                    }
                }))
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
            }
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] }))
            }
            #[inline(always)]
            unsafe fn sqrt(self) -> Self {
                Self(self.0.map(<$element>::sqrt))
            }
            #[inline(always)]
            unsafe fn abs(self) -> Self {
                Self(self.0.map(<$element>::abs))
            }
            #[inline(always)]
            unsafe fn with_sign(self, sign: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i].copysign(sign.0[i])))
            }
            #[inline(always)]
            unsafe fn if_less(self, other: Self, yes: Self, no: Self) -> Self {
                Self(std::array::from_fn(|i| if self.0[i] < other.0[i] { yes.0[i] } else { no.0[i] }))
            }
            #[inline(always)]
            unsafe fn if_less_equal(self, other: Self, yes: Self, no: Self) -> Self {
                Self(std::array::from_fn(|i| if self.0[i] <= other.0[i] { yes.0[i] } else { no.0[i] }))
            }
            #[inline(always)]
            unsafe fn if_equal(self, other: Self, yes: Self, no: Self) -> Self {
                #[expect(clippy::float_cmp, reason = "the operation is an exact comparison")]
                Self(std::array::from_fn(|i| if self.0[i] == other.0[i] { yes.0[i] } else { no.0[i] }))
            }
            #[inline(always)]
            unsafe fn to_exponent(self) -> Self {
                Self(self.0.map(|lane| <$element>::from_bits(lane.to_bits() << $shift)))
            }
            #[inline(always)]
            unsafe fn interleave(self, other: Self) -> (Self, Self) {
                let lane = |i: usize| if i % 2 == 0 { self.0[i / 2] } else { other.0[i / 2] };
                (Self(std::array::from_fn(lane)), Self(std::array::from_fn(|i| lane($count + i))))
            }
            #[inline(always)]
            unsafe fn sum(self) -> $element {
                self.0.iter().sum()
            }
        }
    };
}

portable!(f32, 4, 23);
portable!(f64, 4, 52);
