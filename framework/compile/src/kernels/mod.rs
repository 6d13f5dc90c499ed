//! The inner loops, for every instruction set, and the choice between them.
//!
//! Everything is written once over [`simd::Lanes`] and compiled for AVX-512, for AVX2 and for whatever the target has;
//! which of the three runs is decided when a machine is made.

pub(crate) mod elementwise;
mod interpreter;

mod loss;
mod math;
pub(crate) mod matmul;
mod outer;
pub(crate) mod simd;

pub(crate) mod transpose;
mod update;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use elementwise::{Source, Target};
pub(crate) use loss::{Loss, Rows as LossRows};
pub(crate) use matmul::Product;
pub(crate) use outer::Outer;
pub use simd::Number;
pub(crate) use transpose::Turn;
pub(crate) use update::{Rule, Slots};

use crate::plan::fused_kernel::{FusedKernel, Opcode};

/// The instructions that the inner loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// 512-bit registers.
    Avx512,
    /// 256-bit registers with fused multiply-add.
    Avx2,
    /// What every processor of the target has: NEON on aarch64.
    Portable,
}

impl InstructionSet {
    /// All that this processor can run, the best first.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                sets.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Self::Avx2);
            }
        }
        sets.push(Self::Portable);
        sets
    }
}

/// The inner loops of one instruction set. All are unsafe to call: pointers must be valid as each describes.
#[expect(clippy::type_complexity, reason = "a table of functions")]
pub(crate) struct Kernels<T: 'static> {
    /// Runs a program over rows.
    pub(crate) run: unsafe fn(&FusedKernel, &[*mut T], *mut T, usize),
    /// Computes one element-wise operation.
    pub(crate) execute: unsafe fn(Opcode, (usize, usize), Target<T>, [Source<T>; 3]),
    /// Computes a product.
    pub(crate) multiply: unsafe fn(&Product<'_, T>),
    /// Computes an outer product.
    pub(crate) outer: unsafe fn(&Outer<T>),
    /// Packs a matrix for products.
    pub(crate) pack: unsafe fn(*const T, [usize; 2], usize, usize, *mut T),
    /// Turns a matrix.
    pub(crate) turn: unsafe fn(&Turn<T>),
    /// Softmax, cross-entropy and its gradient.
    pub(crate) loss: unsafe fn(&LossRows<'_, T>) -> Loss,
    /// Updates a parameter.
    pub(crate) update: unsafe fn(&Rule, &Slots<T>),
    /// The width of a panel of packed weights.
    pub(crate) panel: usize,
}

macro_rules! kernels {
    ($name:ident, $vector:ty, $number:ty, $(#[$feature:meta])?) => {
        mod $name {
            use super::*;

            $(#[$feature])?
            unsafe fn run(program: &FusedKernel, frame: &[*mut $number], scratch: *mut $number, rows: usize) {
                // SAFETY: the caller's; the instruction set is enabled here.
                unsafe { interpreter::run::<$vector>(program, frame, scratch, rows) }
            }
            $(#[$feature])?
            unsafe fn execute(code: Opcode, shape: (usize, usize), to: Target<$number>, from: [Source<$number>; 3]) {
                // SAFETY: the caller's; the instruction set is enabled here.
                unsafe { elementwise::execute::<$vector>(code, shape, to, from) }
            }
            $(#[$feature])?
            unsafe fn multiply(product: &Product<'_, $number>) {
                // SAFETY: the caller's; the instruction set is enabled here.
                unsafe { matmul::multiply::<$vector>(product) }
            }
            $(#[$feature])?
            unsafe fn outer(outer: &Outer<$number>) {
                // SAFETY: the caller's; the instruction set is enabled here.
                unsafe { outer::outer::<$vector>(outer) }
            }
            $(#[$feature])?
            unsafe fn pack(from: *const $number, strides: [usize; 2], depth: usize, columns: usize, to: *mut $number) {
                // SAFETY: the caller's; the instruction set is enabled here.
                unsafe { matmul::pack::<$vector>(from, strides, depth, columns, to) }
            }
            $(#[$feature])?
            unsafe fn turn(turn: &Turn<$number>) {
                // SAFETY: the caller's; the instruction set is enabled here.
                unsafe { transpose::turn::<$vector>(turn) }
            }
            $(#[$feature])?
            unsafe fn loss(rows: &LossRows<'_, $number>) -> Loss {
                // SAFETY: the caller's; the instruction set is enabled here.
                unsafe { loss::rows::<$vector>(rows) }
            }
            $(#[$feature])?
            unsafe fn update(rule: &Rule, slots: &Slots<$number>) {
                // SAFETY: the caller's; the instruction set is enabled here.
                unsafe { update::update::<$vector>(rule, slots) }
            }

            pub(super) static KERNELS: Kernels<$number> =
                Kernels { run, execute, multiply, outer, pack, turn, loss, update, panel: matmul::panel::<$vector>() };
        }
    };
}

kernels!(portable32, simd::Portable<f32, 8>, f32,);
kernels!(portable64, simd::Portable<f64, 4>, f64,);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_32, std::arch::x86_64::__m256, f32, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_64, std::arch::x86_64::__m256d, f64, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512_32, std::arch::x86_64::__m512, f32, #[target_feature(enable = "avx512f")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512_64, std::arch::x86_64::__m512d, f64, #[target_feature(enable = "avx512f")]);

/// The approximations that programs use, number by number, for tests of their error.
///
/// `"exp"`, `"tanh"` and `"sigmoid"` are known.
#[doc(hidden)]
pub fn approximate<T: Float>(set: InstructionSet, name: &str, values: &[T]) -> Option<Vec<T>> {
    use crate::ir::op::Unary;
    let known = [("exp", Unary::Exp), ("tanh", Unary::Tanh), ("sigmoid", Unary::Sigmoid)];
    let (_, function) = known.into_iter().find(|(known, _)| *known == name)?;
    if !InstructionSet::available().contains(&set) {
        return None;
    }
    let mut results = vec![T::default(); values.len()];
    let source = Source { start: values.as_ptr(), stride: 0, single: false };
    let target = Target { start: results.as_mut_ptr(), stride: 0 };
    // SAFETY: the processor has the instructions, and both slices are of the same length.
    unsafe { (T::kernels(set).execute)(Opcode::Map(function), (1, values.len()), target, [source; 3]) };
    Some(results)
}

/// A kind of number that machines compute with: `f32` or `f64`.
pub trait Float: Number {
    /// The inner loops for an instruction set that the processor has.
    #[doc(hidden)]
    #[expect(
        private_interfaces,
        reason = "the trait is public for its name only; nobody outside implements or calls it"
    )]
    fn kernels(set: InstructionSet) -> &'static Kernels<Self>;
}

impl Float for f32 {
    #[expect(private_interfaces, reason = "see the trait")]
    fn kernels(set: InstructionSet) -> &'static Kernels<Self> {
        match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => &avx512_32::KERNELS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => &avx2_32::KERNELS,
            _ => &portable32::KERNELS,
        }
    }
}

impl Float for f64 {
    #[expect(private_interfaces, reason = "see the trait")]
    fn kernels(set: InstructionSet) -> &'static Kernels<Self> {
        match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => &avx512_64::KERNELS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => &avx2_64::KERNELS,
            _ => &portable64::KERNELS,
        }
    }
}
