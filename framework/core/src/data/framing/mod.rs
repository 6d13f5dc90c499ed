//! How the text of a split becomes sequences: whole documents, windows of one length, or a stream.

mod documents;
mod stream;
mod windows;

use std::{fmt, ops::Range, sync::Arc};

use hatchery_plugin::{Framing, Token};

use self::{documents::DocumentFramer, stream::StreamFramer, windows::WindowFramer};
use super::{Batch, Facts, Vocabulary, corpus::Text, order::SequenceOrder, split::Role, tokens::TokenStream};
use crate::error::{Problem, Result};

/// The sequences of one split, and the batches that are made of them.
pub(super) trait Framer: fmt::Debug + Send + Sync {
    /// The number of sequences: documents, windows, or the rows of a stream.
    fn count(&self) -> usize;

    /// The time steps of the longest batch.
    fn steps(&self) -> usize;

    /// The number of sequences that are put in order: all, or one where the text itself is the order.
    fn ordered(&self) -> usize {
        self.count()
    }

    /// The number of batches in which every sequence comes once.
    fn steps_per_epoch(&self, order: &SequenceOrder) -> u64 {
        order.steps_per_epoch()
    }

    /// The batch of a training step, of the sequences that the order has for it.
    fn batch(&self, step: u64, order: &SequenceOrder) -> Batch;

    /// The number of batches of `rows` sequences in which the whole split is evaluated once.
    fn evaluation_batches(&self, rows: usize) -> usize {
        self.count().div_ceil(rows)
    }

    /// One of these batches.
    fn evaluation_batch(&self, number: usize, rows: usize) -> Batch;

    /// The documents as tokens, without start, end and padding; a continuous text is one.
    fn documents(&self) -> Vec<Vec<Token>>;

    /// The number of predictions that count in an evaluation.
    fn predictions(&self) -> u64;

    /// The predictions of each sequence, where sequences are of different lengths; else none.
    fn lengths(&self) -> &[u32] {
        &[]
    }

    /// Sizes, for reports.
    fn facts(&self) -> Facts;
}

/// The framer of a split: `ranges` of the text, in batches of `batch` sequences.
///
/// # Errors
/// When there is too little text for a single sequence, and when it has a character that the vocabulary lacks.
pub(super) fn open(
    framing: &Framing,
    text: &Text,
    ranges: Vec<Range<usize>>,
    vocabulary: &Arc<Vocabulary>,
    batch: usize,
    split: Role,
) -> Result<Box<dyn Framer>> {
    Ok(match framing {
        Framing::Documents { .. } => Box::new(DocumentFramer::new(text, ranges, framing, vocabulary, split)?),
        Framing::Windows { length, stride, predict } => {
            let tokens = TokenStream::new(text, ranges, vocabulary)?;
            Box::new(WindowFramer::new(tokens, *length, *stride, *predict, split)?)
        }
        Framing::Stream { steps } => {
            let tokens = TokenStream::new(text, ranges, vocabulary)?;
            Box::new(StreamFramer::new(tokens, batch, *steps, split)?)
        }
    })
}

/// Checks the sizes of a framing.
///
/// # Errors
/// When its sequences would hold nothing, or never end.
pub(super) fn check(framing: &Framing) -> Result<()> {
    let problem = match framing {
        Framing::Documents { start, length: Some(length), .. } if *length <= usize::from(start.is_some()) => {
            format!("sequences of {length} symbols predict nothing")
        }
        Framing::Windows { length: 0, .. } => "windows of length 0 hold nothing".to_owned(),
        Framing::Windows { stride: 0, .. } => "windows with a stride of 0 never move on".to_owned(),
        Framing::Stream { steps: 0 } => "batches of 0 time steps hold nothing".to_owned(),
        _ => return Ok(()),
    };
    Err(Problem::new(problem).hint("set the key of [dataset] to a larger number").into())
}

/// The symbols that a framing adds to those of the text.
pub(super) fn symbols(framing: &Framing) -> Vec<char> {
    match framing {
        Framing::Documents { start, end, padding, .. } => start.iter().chain(end).chain([padding]).copied().collect(),
        Framing::Windows { .. } | Framing::Stream { .. } => Vec::new(),
    }
}
