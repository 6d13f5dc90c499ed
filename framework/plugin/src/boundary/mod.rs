//! What crosses the boundary of a loaded library, and the entry points of one.

#[doc(hidden)]
pub mod entry;
mod export;
pub mod wire;
