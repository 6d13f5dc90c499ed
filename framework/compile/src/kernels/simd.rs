//! A vector register's worth of numbers, for every instruction set.
//!
//! The kernels are written once over [`Lanes`]; each instruction set supplies these few operations. Everything is
//! inlined into a function that enables the instruction set, and only there may it be called.

/// The numbers that programs compute with.
pub trait Number: Copy + Default + PartialOrd + Send + Sync + std::fmt::Debug + 'static {
    /// Its constants, see [`Constants`].
    const CONSTANTS: Constants<Self>;
    /// From 64 bits, rounded.
    fn from_f64(value: f64) -> Self;
    /// To 64 bits, exactly.
    fn to_f64(self) -> f64;
    /// A function of one number that has no vector form here.
    #[must_use]
    fn scalar(self, function: fn(f64) -> f64, single: fn(f32) -> f32) -> Self;
    /// `self` to the power of `exponent`.
    #[must_use]
    fn power(self, exponent: Self) -> Self;
}

/// What the approximations of exp, tanh and the logistic function need.
#[derive(Clone, Copy, Debug)]
pub struct Constants<T: 'static> {
    /// 1 / ln 2.
    pub log2e: T,
    /// ln 2, the leading bits and the rest, so that a whole multiple of the leading bits is exact.
    pub ln2: [T; 2],
    /// Added and subtracted again, it rounds to a whole number.
    pub round: T,
    /// `round` plus the exponent's bias: whose low bits are then those of a power of two.
    pub power: T,
    /// Below it exp is 0.
    pub exp_low: T,
    /// Above it exp is infinite.
    pub exp_high: T,
    /// From it on tanh is 1.
    pub tanh_high: T,
    /// Where the logistic function is 0, and where it is 1.
    pub sigmoid: [T; 2],
    /// Coefficients of (exp(r) − 1 − r) / r², the highest power first.
    pub series: &'static [T],
}

impl Number for f32 {
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
}

impl Number for f64 {
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
}

/// Numbers side by side in a register.
///
/// # Safety
/// Every function may only be called where the instruction set of the implementing type is enabled. Pointers must be
/// valid for [`Lanes::COUNT`] numbers, or for the count given.
pub(crate) unsafe trait Lanes: Copy {
    type Number: Number;
    /// How many.
    const COUNT: usize;
    /// How many rows of a product are computed at once: as many as registers hold beside the operands.
    const ROWS: usize;

    unsafe fn splat(value: Self::Number) -> Self;
    /// Asks for what lies there to be brought into the second cache. Any address will do.
    unsafe fn prefetch(from: *const Self::Number);
    unsafe fn load(from: *const Self::Number) -> Self;
    /// The first `count` numbers, zeros after them.
    unsafe fn load_part(from: *const Self::Number, count: usize) -> Self;
    unsafe fn store(self, to: *mut Self::Number);
    /// The first `count` numbers, zeros after them.
    unsafe fn first(self, count: usize) -> Self;
    /// Only the first `count` numbers.
    unsafe fn store_part(self, to: *mut Self::Number, count: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// The quotient to a unit in its last place, for finite numbers that are divided by numbers from 1 to 1e35.
    #[expect(clippy::inline_always, reason = "the instruction set is enabled where this is inlined")]
    #[inline(always)]
    unsafe fn quotient(self, other: Self) -> Self {
        // SAFETY: the caller's.
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
    /// The low bits moved to where the exponent is.
    unsafe fn to_exponent(self) -> Self;
    /// The numbers of both in turn, those of `self` first: a register's worth, and the rest.
    unsafe fn interleave(self, other: Self) -> (Self, Self);
    /// The sum, in an order that depends on the type only.
    unsafe fn sum(self) -> Self::Number;
}

/// The path for every machine: arrays, which compilers turn into what vectors there are (NEON on aarch64).
#[derive(Clone, Copy)]
pub(crate) struct Portable<T, const N: usize>([T; N]);

macro_rules! portable {
    ($number:ty, $count:literal, $shift:literal) => {
        // SAFETY: no instruction set is needed; pointers are the caller's.
        unsafe impl Lanes for Portable<$number, $count> {
            type Number = $number;
            const COUNT: usize = $count;
            const ROWS: usize = 4;

            #[inline(always)]
            unsafe fn splat(value: $number) -> Self {
                Self([value; $count])
            }
            #[inline(always)]
            unsafe fn prefetch(_: *const $number) {}
            #[inline(always)]
            unsafe fn load(from: *const $number) -> Self {
                // SAFETY: valid for COUNT numbers, says the caller.
                Self(unsafe { from.cast::<[$number; $count]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn load_part(from: *const $number, count: usize) -> Self {
                let mut lanes = [0.0; $count];
                for (index, lane) in lanes.iter_mut().enumerate().take(count) {
                    // SAFETY: valid for `count` numbers, says the caller.
                    *lane = unsafe { *from.add(index) };
                }
                Self(lanes)
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $number) {
                // SAFETY: valid for COUNT numbers, says the caller.
                unsafe { to.cast::<[$number; $count]>().write_unaligned(self.0) };
            }
            #[inline(always)]
            unsafe fn first(self, count: usize) -> Self {
                Self(std::array::from_fn(|i| if i < count { self.0[i] } else { 0.0 }))
            }
            #[inline(always)]
            unsafe fn store_part(self, to: *mut $number, count: usize) {
                for (index, lane) in self.0.iter().enumerate().take(count) {
                    // SAFETY: valid for `count` numbers, says the caller.
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
                Self(self.0.map(<$number>::sqrt))
            }
            #[inline(always)]
            unsafe fn abs(self) -> Self {
                Self(self.0.map(<$number>::abs))
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
                Self(self.0.map(|lane| <$number>::from_bits(lane.to_bits() << $shift)))
            }
            #[inline(always)]
            unsafe fn interleave(self, other: Self) -> (Self, Self) {
                let number = |i: usize| if i % 2 == 0 { self.0[i / 2] } else { other.0[i / 2] };
                (Self(std::array::from_fn(number)), Self(std::array::from_fn(|i| number($count + i))))
            }
            #[inline(always)]
            unsafe fn sum(self) -> $number {
                self.0.iter().sum()
            }
        }
    };
}

portable!(f32, 8, 23);
portable!(f64, 4, 52);
