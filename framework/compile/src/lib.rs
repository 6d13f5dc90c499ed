//! The compiled executor: captured Burn operations in, a CPU program of a whole training step out.
//!
//! A cell is written once, in Burn. Captured, its step is a graph of operations; here it is differentiated, cut into what
//! can be computed for all time steps at once and what cannot, and turned into products of matrices and element-wise
//! programs that run over tiles in the cache. Any cell runs like this, not only those that somebody wrote kernels for.
//!
//! ```text
//! capture → lower → gather sums → split → differentiate → fuse → bodies (products, programs) → machine
//! ```
//!
//! What is not known is refused with the operation's name, and the caller runs it on Burn.

#![expect(
    clippy::inline_always,
    reason = "a kernel is compiled once for every instruction set, which only works when all of it is inlined there"
)]
#![expect(
    clippy::match_same_arms,
    clippy::cast_possible_wrap,
    clippy::return_self_not_must_use,
    clippy::unnecessary_wraps,
    clippy::type_complexity,
    clippy::struct_field_names,
    clippy::manual_is_multiple_of,
    clippy::maybe_infinite_iter,
    clippy::too_many_lines,
    reason = "an arm for every operation; strides fit; lanes are arithmetic; a pass over \
              all operations is one function"
)]

mod body;
mod differentiate;
mod error;
mod fixed;
mod fuse;
mod graph;
mod kernels;
mod layer;
mod listing;
mod lower;
mod machine;
mod memory;
mod optimizer;
mod program;
mod run;
mod split;
mod sums;

pub use error::Refusal;
pub use kernels::{Float, InstructionSet, Number};
pub use machine::{Description, Machine, Matrix, Options, Sequences, Totals};
pub use optimizer::Optimizer;
pub use run::{Run, Width, compile};
