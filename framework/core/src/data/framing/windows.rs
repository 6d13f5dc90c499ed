//! Overlapping windows of a text as sequences.

use hatchery_plugin::Predict;

use crate::{
    data::{Batch, Facts, split::Role, tokens::Tape},
    error::{Problem, Result},
};

/// The windows of a split: number `i` begins at token `i × stride`.
#[derive(Debug)]
pub(crate) struct Windows {
    tape: Tape,
    length: usize,
    stride: usize,
    predict: Predict,
}

impl Windows {
    pub(crate) fn new(tape: Tape, length: usize, stride: usize, predict: Predict, split: Role) -> Result<Self> {
        if tape.len() <= length {
            return Err(Problem::new(format!("the text for {split} is too short for a window"))
                .note(format!(
                    "a window of {length} and the symbol after it are {} characters",
                    length.saturating_add(1)
                ))
                .note(format!("there are {}", tape.len()))
                .hint("set a smaller `length`, other shares in [split], or use a larger corpus")
                .into());
        }
        Ok(Self { tape, length, stride, predict })
    }

    pub(crate) fn tape(&self) -> &Tape {
        &self.tape
    }

    /// Starts at 0, stride, 2 × stride, … as long as a symbol follows the window, as Python's
    /// `range(0, characters - length, stride)` gives them.
    pub(crate) fn count(&self) -> usize {
        (self.tape.len() - self.length).div_ceil(self.stride)
    }

    pub(crate) fn batch(&self, windows: &[usize]) -> Batch {
        let mut batch = Batch::blank(windows.len(), self.length, self.tape.none());
        let mut tokens = vec![0; self.length + 1];
        for (row, window) in windows.iter().enumerate() {
            self.tape.read(window * self.stride, &mut tokens);
            batch.write(row, &tokens);
        }
        if self.predict == Predict::Last {
            let before = (self.length - 1) * batch.rows;
            batch.counted[..before].fill(false);
        }
        batch
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts {
            sequences: self.count(),
            characters: self.tape.len(),
            longest: self.length + 1,
            lengths: [(self.length + 1, self.count())].into(),
        }
    }
}
