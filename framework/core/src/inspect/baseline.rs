//! Count models, the baselines of a trained model.
//!
//! A bigram table has the frequency of each pair of symbols, a unigram table that of each symbol. A model that is not
//! better than bigrams has not learned to use its history.

use super::evaluate::evaluation;
use crate::{
    data::{Batch, Sequences},
    executor::Totals,
    run::log::Evaluation,
};

/// The batch size; the counts do not depend on it.
const ROWS: usize = 64;

/// The kind of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// None: all symbols have the same probability.
    Uniform,
    /// Frequencies of symbols.
    Unigram,
    /// Frequencies of pairs of symbols, the start of a sequence included.
    Bigram,
}

/// A table of counts, `[contexts, vocabulary]`.
#[derive(Clone, Debug)]
pub struct Counts {
    baseline: Baseline,
    vocabulary: usize,
    /// Row by row, with smoothing.
    table: Vec<f64>,
}

impl Counts {
    /// Counts the predictions of a split. `smoothing` is added to every count, so that unseen pairs have a probability above 0.
    pub fn of(baseline: Baseline, split: &Sequences, vocabulary: usize, smoothing: f64) -> Self {
        let contexts = match baseline {
            Baseline::Uniform | Baseline::Unigram => 1,
            // One more than symbols: a sequence may begin with the vector of zeros.
            Baseline::Bigram => vocabulary + 1,
        };
        let mut counts = Self { baseline, vocabulary, table: vec![smoothing; contexts * vocabulary] };
        if baseline == Baseline::Uniform {
            counts.table.fill(1.0);
            return counts;
        }
        for batch in split.evaluation(ROWS) {
            for (input, target) in counted(&batch) {
                let row = counts.row(input);
                counts.table[row + target] += 1.0;
            }
        }
        counts
    }

    /// The cross-entropy of a split under the counts; infinite if the split has a pair with count 0.
    pub fn evaluate(&self, split: &Sequences) -> Evaluation {
        let rows: Vec<_> = self.table.chunks(self.vocabulary).collect();
        let sums: Vec<f64> = rows.iter().map(|row| row.iter().sum()).collect();
        let largest = |row: &[f64]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0);
        let guesses: Vec<_> = rows.iter().map(|row| largest(row)).collect();
        let mut totals = Totals::default();
        for batch in split.evaluation(ROWS) {
            for (input, target) in counted(&batch) {
                let row = self.row(input) / self.vocabulary;
                totals.nats -= (rows[row][target] / sums[row]).ln();
                totals.correct += u64::from(guesses[row] == target);
                totals.characters += 1;
            }
        }
        evaluation(totals)
    }

    /// The index of the first count after an input.
    fn row(&self, input: usize) -> usize {
        match self.baseline {
            Baseline::Uniform | Baseline::Unigram => 0,
            Baseline::Bigram => input * self.vocabulary,
        }
    }
}

/// The counted predictions of a batch: input and target.
fn counted(batch: &Batch) -> impl Iterator<Item = (usize, usize)> + '_ {
    let pairs = batch.inputs.iter().zip(&batch.targets).zip(&batch.counted);
    pairs.filter(|(_, counted)| **counted).map(|((input, target), _)| (*input as usize, *target as usize))
}
