//! The intermediate representation: a graph of matrices, and the lowering of recorded Burn operations into it.

pub(crate) mod graph;
pub(crate) mod lower;
