//! From text to the batches that a model is trained and evaluated on.
//!
//! [`Data`] is what an experiment's `[dataset]`, `[vocabulary]`, `[split]` and `[train]` tables make of a text. A batch is
//! a pure function of the number of the step, so a run that is resumed sees exactly the batches it would have seen; and
//! text becomes tokens only when a batch is made, so a file of gigabytes is never in memory.

mod batch;
mod batches;
pub mod corpus;
mod framing;
mod order;
mod split;
mod tokens;
mod vocabulary;

pub use self::{
    batch::{Batch, Facts},
    batches::{Data, Sequences},
    vocabulary::{Vocabulary, encode_prefix},
};
