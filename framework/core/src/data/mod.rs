//! From text to the batches that a model is trained and evaluated on.
//!
//! [`Data`] is a text with the settings of `[dataset]`, `[vocabulary]`, `[split]` and `[train]`. A batch is a pure function
//! of the update's index, so that a resumed run has the same batches. Text is encoded only when a batch is made, so that a
//! file of gigabytes is never in memory.

mod batch;
mod batches;
pub mod corpus;
mod framing;
mod normalize;
mod notes;
mod order;
mod split;
mod tokens;
mod vocabulary;

pub use self::{
    batch::{Batch, Facts},
    batches::{Data, Sequences},
    vocabulary::{Vocabulary, encode_prefix},
};
