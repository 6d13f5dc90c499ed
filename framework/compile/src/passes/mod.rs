//! The passes over the graphs of a cell, in the order in which they run. Every pass is a function of its input.

pub(crate) mod differentiate;
pub(crate) mod fuse;
pub(crate) mod hoist;
pub(crate) mod linear_recurrences;
pub(crate) mod merge_products;

use crate::{error::Result, ir::module::Module};

/// A pass over graphs, with its name.
pub(crate) type Pass = (&'static str, fn(&Module) -> Result<Module>);

/// All passes between `lower`, which makes the first graph, and `assign-buffers`.
pub(crate) const PASSES: [Pass; 5] = [
    ("merge-products", |module| Ok(merge_products::run(module))),
    ("linear-recurrences", |module| Ok(linear_recurrences::run(module))),
    ("hoist", |module| Ok(hoist::run(module))),
    ("differentiate", differentiate::run),
    ("fuse", |module| Ok(fuse::run(module))),
];
