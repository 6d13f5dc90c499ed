//! The intermediate representation: a graph of matrices, and the lowering of recorded Burn operations into it.

pub(crate) mod blocks;
pub(crate) mod build;
pub(crate) mod fold;
pub(crate) mod graph;
pub(crate) mod lower;
pub(crate) mod module;
pub(crate) mod op;
pub(crate) mod print;
pub(crate) mod verify;
