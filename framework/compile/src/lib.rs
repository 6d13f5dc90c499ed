//! The compiled executor: recorded Burn operations in, a CPU program of a whole update out.
//!
//! A cell is written once, in Burn. Recorded, its step is a graph of operations; here it is differentiated, split into what
//! can be computed for all time steps at once and what cannot, and turned into products of matrices and fused element-wise
//! kernels that run over tiles in the cache. Any cell is compiled like this, not only those with kernels of their own.
//!
//! ```text
//! lower → merge-products → linear-recurrences → hoist → differentiate → fuse → assign-buffers → emit
//! ```
//!
//! An operation that is not compiled is refused by its name, and the caller runs the cell on Burn.

mod driver;
mod error;
mod id;
mod ir;
mod kernels;
mod model;
mod passes;
mod plan;
mod runtime;

pub use driver::{dump, pass_names};
pub use error::Unsupported;
pub use kernels::InstructionSet;
#[doc(hidden)]
pub use kernels::approximate;
pub use model::{
    BatchView, Description, Dtype, Head, LayerDescription, NamedMatrix, Needs, Optimizer, Options, Products, Streams,
    Totals,
};
pub use runtime::{Executable, compile};
