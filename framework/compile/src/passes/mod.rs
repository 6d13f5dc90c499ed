//! Passes over the graph, in the order in which they run.

pub(crate) mod differentiate;
pub(crate) mod fuse;
pub(crate) mod hoist;
pub(crate) mod merge_products;
