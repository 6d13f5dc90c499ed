//! The inner loops, for every instruction set, and the choice between them.
//!
//! Everything is written once over [`simd::Lanes`] and compiled for AVX-512, for AVX2 and for the target's baseline; which of
//! the three runs is decided when an executable is made.

mod batched;
pub(crate) mod elementwise;
mod functions;
pub(crate) mod interpreter;
mod loss;
mod math;
pub(crate) mod matmul;
pub(crate) mod matrix;
mod outer;
pub(crate) mod simd;
pub(crate) mod transpose;
mod update;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use loss::Rows as LossRows;
pub(crate) use matmul::{Panels, Product};
pub(crate) use matrix::{Dims, MatrixMut, MatrixRef};
pub(crate) use outer::Outer;
pub(crate) use simd::Element;
pub(crate) use transpose::Transpose;
pub(crate) use update::{Rule, Slots};

use crate::{
    ir::op::Unary,
    model::{Dtype, Totals},
    plan::fused_kernel::Opcode,
};

/// The instructions that the inner loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// 512-bit registers.
    Avx512,
    /// 256-bit registers with fused multiply-add.
    Avx2,
    /// The target's baseline: NEON on aarch64.
    Portable,
}

impl InstructionSet {
    /// Those that this processor has, the best first.
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
pub(crate) struct Kernels<T: 'static> {
    /// Computes one element-wise operation.
    pub(crate) execute: unsafe fn(Opcode, Dims, MatrixMut<T>, [MatrixRef<T>; 3]),
    /// Computes a product.
    pub(crate) multiply: unsafe fn(&Product<'_, T>),
    /// Computes an outer product.
    pub(crate) outer: unsafe fn(&Outer<T>),
    /// Packs a matrix for products.
    pub(crate) pack: unsafe fn(MatrixRef<T>, Dims, *mut T),
    /// Transposes, optionally adding a matrix or a broadcast row.
    pub(crate) transpose: unsafe fn(&Transpose<T>),
    /// Softmax, cross-entropy and its gradient.
    pub(crate) loss: unsafe fn(&LossRows<'_, T>) -> Totals,
    /// Updates a parameter.
    pub(crate) update: unsafe fn(&Rule, &Slots<T>),
    /// The width of a panel of packed weights.
    pub(crate) panel: usize,
}

macro_rules! kernels {
    ($name:ident, $vector:ty, $element:ty, $(#[$feature:meta])?) => {
        mod $name {
            use super::*;

            $(#[$feature])?
            unsafe fn execute(opcode: Opcode, dims: Dims, to: MatrixMut<$element>, from: [MatrixRef<$element>; 3]) {
                // SAFETY: the instruction set is enabled here; the rest is the contract of this pointer, kept by its caller.
                unsafe { elementwise::execute::<$vector>(opcode, dims, to, from) }
            }
            $(#[$feature])?
            unsafe fn multiply(product: &Product<'_, $element>) {
                // SAFETY: the instruction set is enabled here; the rest is the contract of this pointer, kept by its caller.
                unsafe { matmul::multiply::<$vector>(product) }
            }
            $(#[$feature])?
            unsafe fn outer(outer: &Outer<$element>) {
                // SAFETY: the instruction set is enabled here; the rest is the contract of this pointer, kept by its caller.
                unsafe { outer::outer::<$vector>(outer) }
            }
            $(#[$feature])?
            unsafe fn pack(from: MatrixRef<$element>, dims: Dims, to: *mut $element) {
                // SAFETY: the instruction set is enabled here; the rest is the contract of this pointer, kept by its caller.
                unsafe { matmul::pack::<$vector>(from, dims, to) }
            }
            $(#[$feature])?
            unsafe fn transpose(transpose: &Transpose<$element>) {
                // SAFETY: the instruction set is enabled here; the rest is the contract of this pointer, kept by its caller.
                unsafe { transpose::transpose::<$vector>(transpose) }
            }
            $(#[$feature])?
            unsafe fn loss(rows: &LossRows<'_, $element>) -> Totals {
                // SAFETY: the instruction set is enabled here; the rest is the contract of this pointer, kept by its caller.
                unsafe { loss::rows::<$vector>(rows) }
            }
            $(#[$feature])?
            unsafe fn update(rule: &Rule, slots: &Slots<$element>) {
                // SAFETY: the instruction set is enabled here; the rest is the contract of this pointer, kept by its caller.
                unsafe { update::update::<$vector>(rule, slots) }
            }

            pub(super) static KERNELS: Kernels<$element> =
                Kernels { execute, multiply, outer, pack, transpose, loss, update, panel: matmul::panel::<$vector>() };
        }
    };
}

kernels!(portable32, simd::Portable<f32, 4>, f32,);
kernels!(portable64, simd::Portable<f64, 4>, f64,);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_32, std::arch::x86_64::__m256, f32, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx2_64, std::arch::x86_64::__m256d, f64, #[target_feature(enable = "avx2,fma")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512_32, std::arch::x86_64::__m512, f32, #[target_feature(enable = "avx512f")]);
#[cfg(target_arch = "x86_64")]
kernels!(avx512_64, std::arch::x86_64::__m512d, f64, #[target_feature(enable = "avx512f")]);

/// The approximations of the kernels, element by element, for tests of their error.
///
/// `"exp"`, `"tanh"`, `"sigmoid"`, `"log-sigmoid"` and `"erf"` are known.
#[doc(hidden)]
pub fn approximate(set: InstructionSet, dtype: Dtype, name: &str, values: &[f64]) -> Option<Vec<f64>> {
    let known = [
        ("exp", Unary::Exp),
        ("tanh", Unary::Tanh),
        ("sigmoid", Unary::Sigmoid),
        ("log-sigmoid", Unary::LogSigmoid),
        ("erf", Unary::Erf),
    ];
    let (_, function) = known.into_iter().find(|(known, _)| *known == name)?;
    if !InstructionSet::available().contains(&set) {
        return None;
    }
    Some(match dtype {
        Dtype::F32 => evaluate::<f32>(set, function, values),
        Dtype::F64 => evaluate::<f64>(set, function, values),
    })
}

/// erf of one value.
pub(crate) fn erf(value: f64) -> f64 {
    evaluate::<f64>(InstructionSet::Portable, Unary::Erf, &[value])[0]
}

/// A function of every value. The processor must have the instruction set.
fn evaluate<T: Float>(set: InstructionSet, function: Unary, values: &[f64]) -> Vec<f64> {
    let values: Vec<T> = values.iter().map(|&value| T::from_f64(value)).collect();
    let mut results = vec![T::default(); values.len()];
    let (source, target) = (MatrixRef::row(values.as_ptr()), MatrixMut::row(results.as_mut_ptr()));
    let dims = Dims { rows: 1, columns: values.len() };
    // SAFETY: `approximate` checked the instruction set, and both slices have that many elements.
    unsafe { (T::kernels(set).execute)(Opcode::Map(function), dims, target, [source; 3]) };
    results.into_iter().map(Element::to_f64).collect()
}

/// A dtype of executables: `f32` or `f64`.
pub(crate) trait Float: Element {
    /// The inner loops for an instruction set that the processor has.
    fn kernels(set: InstructionSet) -> &'static Kernels<Self>;
}

impl Float for f32 {
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
