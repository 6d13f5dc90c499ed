//! The dataset: how a source of text becomes sequences to train on.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::PluginError;

#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared as a dataset and does nothing yet",
    label = "write `impl Dataset for {Self}`"
)]
// ANCHOR: trait
/// How a source becomes training text: its documents and their framing.
pub trait Dataset: Send + Sync {
    /// The documents of the source, in order.
    ///
    /// # Errors
    /// When the source is not of the form that this dataset expects.
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError>;

    /// How documents become sequences of inputs and targets.
    fn framing(&self) -> Framing;
}
// ANCHOR_END: trait

/// The text that an experiment's `corpus` names.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The name of the corpus, for messages.
    pub name: &'a str,
    /// Its text. It may be a mapped file of many gigabytes: refer to it by ranges, do not copy it.
    pub text: &'a str,
}

/// The units in which a dataset is shuffled, split and, with [`Framing::Documents`], trained on.
#[derive(Clone, Debug, PartialEq)]
pub enum Documents {
    /// Byte ranges of the source, each on character boundaries.
    Ranges(Vec<Range<usize>>),
    /// Text that the dataset made up; the source may be empty.
    Text(Vec<String>),
}

// ANCHOR: framing
/// How documents become sequences of inputs and targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Framing {
    /// Each document is one sequence: `start, document, end`, padded at the end. Inputs are all but the last symbol,
    /// targets all but the first.
    Documents {
        /// The first input; without one it is the zero vector, which stands for no symbol.
        start: Option<char>,
        /// The last target.
        end: Option<char>,
        /// What fills a sequence up to the longest of its batch, or to `length`.
        padding: char,
        /// Cut and pad every sequence to this many symbols, start and end included; otherwise to the longest of a batch.
        length: Option<usize>,
        /// Whether predictions of padding count in the loss.
        count_padding: bool,
    },
    /// Overlapping windows over the documents.
    Windows {
        /// Inputs of a window.
        length: usize,
        /// Distance between the starts of neighbouring windows.
        stride: usize,
        /// Which targets count.
        predict: Predict,
    },
    /// The documents as one contiguous text, read by every row of the batch from its own place on, the state carried
    /// over from one batch to the next: truncated back-propagation through time.
    Stream {
        /// Time steps of a batch.
        steps: usize,
    },
}
// ANCHOR_END: framing

/// Which predictions of a window count in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Predict {
    /// The symbol after the window only.
    Last,
    /// The symbol after each symbol of the window.
    All,
}
