//! A batch of sequences, and what a report says of a split.

use std::collections::BTreeMap;

use hatchery_plugin::Token;

/// Sequences trained on at once, time-major: what is in row `r` at time step `t` is entry `t × rows + r`.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Sequences.
    pub rows: usize,
    /// Time steps, at least one.
    pub steps: usize,
    /// The inputs: `steps × rows` tokens, or [`Vocabulary::none`](super::Vocabulary::none) for a vector of zeros.
    pub inputs: Vec<Token>,
    /// What follows each input: `steps × rows` tokens.
    pub targets: Vec<Token>,
    /// Which predictions count in the loss: `steps × rows`.
    pub counted: Vec<bool>,
    /// What the sum of the counted losses is divided by to give the loss that is minimized: the counted predictions, or
    /// the rows with `train.loss = "sum"`.
    pub divisor: f64,
    /// Whether row `r` continues where row `r` of the batch before ended, so that its state is carried over; that batch
    /// then had as many rows.
    pub continues: bool,
}

/// What a report says of a split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Sequences: documents, windows, or the rows of a stream.
    pub sequences: usize,
    /// Characters of the text, as tokens: without those that are skipped and without start, end and padding.
    pub characters: usize,
    /// Symbols of the longest sequence, start and end included.
    pub longest: usize,
    /// How many sequences have how many symbols, start and end included.
    pub lengths: BTreeMap<usize, usize>,
    /// Characters that the vocabulary lacks, with how often each stands there: they are skipped or read as unknown.
    pub unknown: BTreeMap<char, usize>,
    /// Documents that are longer than the length of sequences, and how many of their symbols are cut off.
    pub cut: (usize, usize),
    /// Documents that predict nothing and are left out.
    pub empty: usize,
    /// Characters that no batch of an epoch has: what is left after the last whole one.
    pub untrained: usize,
}

impl Batch {
    /// How many predictions count.
    pub fn counted(&self) -> u64 {
        self.counted.iter().filter(|counted| **counted).count() as u64
    }

    /// A batch without a counted prediction: every input the vector of zeros, every target token 0.
    pub(super) fn blank(rows: usize, steps: usize, none: Token) -> Self {
        let size = rows * steps;
        Self {
            rows,
            steps,
            inputs: vec![none; size],
            targets: vec![0; size],
            counted: vec![false; size],
            divisor: 1.0,
            continues: false,
        }
    }

    /// Writes tokens into a row from the first time step on: each is the target of the one before it.
    pub(super) fn write(&mut self, row: usize, tokens: &[Token]) {
        for (step, pair) in tokens.windows(2).take(self.steps).enumerate() {
            let at = step * self.rows + row;
            (self.inputs[at], self.targets[at], self.counted[at]) = (pair[0], pair[1], true);
        }
    }
}
