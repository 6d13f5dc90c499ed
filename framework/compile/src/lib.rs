//! The compiled executor: captured Burn operations in, a CPU program of a whole training step out.
//!
//! A cell is written once, in Burn. Recorded, its step is a graph of operations; here it is differentiated, cut into what
//! can be computed for all time steps at once and what cannot, and turned into products of matrices and element-wise
//! programs that run over tiles in the cache. Any cell runs like this, not only those that somebody wrote kernels for.
//!
//! ```text
//! capture → lower → gather sums → split → differentiate → fuse → bodies (products, programs) → machine
//! ```
//!
//! What is not known is refused with the operation's name, and the caller runs it on Burn.

mod error;
mod ir;
mod kernels;
mod model;
mod passes;
mod plan;
mod runtime;

pub use error::Refusal;
#[doc(hidden)]
pub use kernels::approximate;
pub use kernels::{Float, InstructionSet, Number};
pub use model::{Description, Matrix, Needs, Optimizer, Options, Products, Sequences, Totals, Width};
pub use runtime::{Executable, Run, compile};
