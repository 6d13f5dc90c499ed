//! Overlapping windows of a text as sequences.

use hatchery_plugin::{Predict, Token};

use super::Framer;
use crate::{
    data::{Batch, Facts, order::SequenceOrder, split::Role, tokens::TokenStream},
    error::{Problem, Result},
};

/// The windows of a split: window `i` begins at token `i × stride`.
#[derive(Debug)]
pub(super) struct WindowFramer {
    tokens: TokenStream,
    length: usize,
    stride: usize,
    predict: Predict,
}

impl WindowFramer {
    pub(super) fn new(
        tokens: TokenStream,
        length: usize,
        stride: usize,
        predict: Predict,
        split: Role,
    ) -> Result<Self> {
        if tokens.len() <= length {
            return Err(Problem::new(format!("the text for {split} is too short for a window"))
                .note(format!(
                    "a window of {length} and the symbol after it are {} characters",
                    length.saturating_add(1)
                ))
                .note(format!("there are {}", tokens.len()))
                .hint("set a smaller `length`, other shares in [split], or use a larger corpus")
                .into());
        }
        Ok(Self { tokens, length, stride, predict })
    }

    fn windows(&self, windows: &[usize]) -> Batch {
        let mut batch = Batch::blank(windows.len(), self.length, self.tokens.none());
        let mut tokens = vec![0; self.length + 1];
        for (row, window) in windows.iter().enumerate() {
            self.tokens.read(window * self.stride, &mut tokens);
            batch.write(row, &tokens);
        }
        if self.predict == Predict::Last {
            let before = (self.length - 1) * batch.rows;
            batch.counted[..before].fill(false);
        }
        batch
    }
}

impl Framer for WindowFramer {
    /// The number of windows. They start at 0, stride, 2 × stride, … as long as a symbol follows the window, as in
    /// Python's `range(0, characters - length, stride)`.
    fn count(&self) -> usize {
        (self.tokens.len() - self.length).div_ceil(self.stride)
    }

    fn steps(&self) -> usize {
        self.length
    }

    fn batch(&self, step: u64, order: &SequenceOrder) -> Batch {
        self.windows(&order.indices(step))
    }

    fn evaluation_batch(&self, number: usize, rows: usize) -> Batch {
        self.windows(&(number * rows..self.count().min((number + 1) * rows)).collect::<Vec<_>>())
    }

    fn documents(&self) -> Vec<Vec<Token>> {
        vec![self.tokens.all()]
    }

    fn predictions(&self) -> u64 {
        self.count() as u64 * if self.predict == Predict::Last { 1 } else { self.length as u64 }
    }

    fn facts(&self) -> Facts {
        let (apart, last) = (self.stride.min(self.length + 1), self.count() - 1);
        Facts {
            untrained: self.tokens.len() - (last * apart + self.length + 1),
            sequences: self.count(),
            characters: self.tokens.len(),
            longest: self.length + 1,
            lengths: [(self.length + 1, self.count())].into(),
            ..Facts::default()
        }
    }
}
