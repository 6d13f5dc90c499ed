//! A contiguous text read by several rows at once, each from its own place on: truncated back-propagation through time.

use hatchery_plugin::Token;

use super::Framer;
use crate::{
    data::{Batch, Facts, order::SequenceOrder, split::Role, tokens::TokenStream},
    error::{Problem, Result},
};

/// The text of a split as one stream.
#[derive(Debug)]
pub(super) struct StreamFramer {
    tokens: TokenStream,
    rows: usize,
    steps: usize,
}

/// Rows by which a stream is evaluated, whatever the batch of training.
const EVALUATION_ROWS: usize = 32;

impl StreamFramer {
    /// The training split must hold a batch; a held-out one, which is only evaluated, two characters.
    pub(super) fn new(tokens: TokenStream, rows: usize, steps: usize, split: Role) -> Result<Self> {
        let length = tokens.len();
        let held_out = split != Role::Training;
        let (rows, steps) = if held_out {
            let steps = steps.min(length.saturating_sub(1)).max(1);
            (rows.min(length / (steps + 1)).max(1), steps)
        } else {
            (rows, steps)
        };
        if length / rows <= steps {
            let needed = rows.saturating_mul(steps.saturating_add(1));
            let hint = if held_out {
                "hold out more in [split], or use a larger corpus"
            } else {
                "set a smaller train.batch or fewer `steps`, or use a larger corpus"
            };
            return Err(Problem::new(format!("the text for {split} is too short for one batch"))
                .note(format!("{rows} rows of {steps} steps, and the symbol after each, are {needed} characters"))
                .note(format!("there are {length}"))
                .hint(hint)
                .into());
        }
        Ok(Self { tokens, rows, steps })
    }

    /// Batches of an epoch: what is left of a row after the last whole one is not trained on.
    fn batches(&self) -> u64 {
        ((self.row_length() - 1) / self.steps) as u64
    }

    /// Tokens from the place of one row to that of the next.
    fn row_length(&self) -> usize {
        self.tokens.len() / self.rows
    }

    /// Targets of the longest row of an evaluation.
    fn evaluation_length(&self) -> usize {
        let targets = self.tokens.len() - 1;
        targets.div_ceil(EVALUATION_ROWS.min(targets))
    }
}

impl Framer for StreamFramer {
    fn count(&self) -> usize {
        self.rows
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn ordered(&self) -> usize {
        1
    }

    fn steps_per_epoch(&self, _order: &SequenceOrder) -> u64 {
        self.batches()
    }

    fn batch(&self, step: u64, _order: &SequenceOrder) -> Batch {
        let number = (step % self.batches()) as usize;
        let mut batch = Batch::blank(self.rows, self.steps, self.tokens.none());
        let mut tokens = vec![0; self.steps + 1];
        for row in 0..self.rows {
            self.tokens.read(row * self.row_length() + number * self.steps, &mut tokens);
            batch.write(row, &tokens);
        }
        batch.continues = number > 0;
        batch
    }

    fn evaluation_batches(&self, _rows: usize) -> usize {
        self.evaluation_length().div_ceil(self.steps)
    }

    /// Row `r` predicts the targets from `r × targets / rows` on up to where the next row begins. Rows differ by one
    /// target at most: the shorter ones end with a prediction that does not count.
    fn evaluation_batch(&self, number: usize, _rows: usize) -> Batch {
        let targets = self.tokens.len() - 1;
        let rows = EVALUATION_ROWS.min(targets);
        let start = number * self.steps;
        let steps = self.steps.min(self.evaluation_length() - start);
        let mut batch = Batch::blank(rows, steps, self.tokens.none());
        let mut tokens = Vec::with_capacity(steps + 1);
        for row in 0..rows {
            let [from, to] = [row, row + 1].map(|row| border(row, targets, rows));
            let count = steps.min((to - from).saturating_sub(start));
            tokens.clear();
            tokens.resize(count + 1, 0);
            self.tokens.read(from + start, &mut tokens);
            batch.write(row, &tokens);
        }
        batch.continues = number > 0;
        batch
    }

    fn documents(&self) -> Vec<Vec<Token>> {
        vec![self.tokens.all()]
    }

    fn predictions(&self) -> u64 {
        self.tokens.len() as u64 - 1
    }

    fn facts(&self) -> Facts {
        let trained = self.rows * (self.batches() as usize * self.steps + 1);
        Facts {
            sequences: self.rows,
            characters: self.tokens.len(),
            longest: self.row_length(),
            lengths: [(self.row_length(), self.rows)].into(),
            untrained: self.tokens.len().saturating_sub(trained),
            ..Facts::default()
        }
    }
}

/// Where row `row` of an evaluation begins; in wide numbers, as the product may not fit.
fn border(row: usize, targets: usize, rows: usize) -> usize {
    (row as u128 * targets as u128 / rows as u128) as usize
}
