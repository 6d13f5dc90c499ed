//! Whole documents as sequences: `start, document, end`, padded to a common length.

use std::{ops::Range, sync::Arc};

use hatchery_plugin::{Framing, Token};

use super::Framer;
use crate::{
    data::{
        Batch, Facts, Vocabulary,
        corpus::{SCATTERED, Text},
        order::SequenceOrder,
        split::Role,
        tokens::refuse,
    },
    error::{Error, Problem, Result},
};

/// Symbols of the longest document that is trained on as a whole. Every symbol is a time step of its own, so what is longer
/// would take minutes an update: it is running text, not an example.
const LONGEST: usize = 10_000;

/// The documents of a split.
#[derive(Debug)]
pub(super) struct DocumentFramer {
    text: Text,
    ranges: Vec<Range<usize>>,
    vocabulary: Arc<Vocabulary>,
    /// The first input: the start symbol, or the vector of zeros.
    first: Token,
    end: Option<Token>,
    padding: Token,
    /// Time steps of every batch, if they are fixed.
    steps: Option<usize>,
    count_padding: bool,
    facts: Facts,
    /// Predictions of each document.
    lengths: Vec<u32>,
    /// Predictions of the longest document.
    longest: usize,
}

impl DocumentFramer {
    pub(super) fn new(
        text: &Text,
        mut ranges: Vec<Range<usize>>,
        framing: &Framing,
        vocabulary: &Arc<Vocabulary>,
        split: Role,
    ) -> Result<Self> {
        let Framing::Documents { start, end, padding, length, count_padding } = framing else {
            return Err(Error::Internal { message: format!("{framing:?} does not frame documents"), cause: None });
        };
        let token = |symbol: char| {
            vocabulary.token(symbol).ok_or_else(|| vocabulary.refuse(symbol, "which the dataset puts around documents"))
        };
        let starts = usize::from(start.is_some());
        let ends = usize::from(end.is_some());
        let most = length.map_or(usize::MAX, |length| length - starts);
        let (facts, lengths) = measure(text, vocabulary, &mut ranges, [starts, ends, most])?;
        if ranges.is_empty() {
            return Err(Problem::new(format!("every document for {split} is empty"))
                .hint("check the corpus and the keys of [dataset]")
                .into());
        }
        if length.is_none() && facts.longest > LONGEST {
            return Err(too_long(text, &ranges, facts.longest).into());
        }
        Ok(Self {
            text: text.clone(),
            ranges,
            first: start.map(token).transpose()?.unwrap_or(vocabulary.none()),
            end: end.map(token).transpose()?,
            padding: token(*padding)?,
            steps: length.map(|length| length - starts),
            count_padding: *count_padding,
            longest: facts.longest - starts,
            facts,
            lengths,
            vocabulary: Arc::clone(vocabulary),
        })
    }

    // ANCHOR: batch
    /// The batch of these documents, padded to the fixed length, else to `steps`, else to the longest of them.
    fn padded(&self, documents: &[usize], steps: Option<usize>) -> Batch {
        let targets: Vec<Vec<Token>> = documents.iter().map(|document| self.targets(*document)).collect();
        let longest = targets.iter().map(Vec::len).max().unwrap_or_default();
        let steps = self.steps.or(steps).unwrap_or(longest);
        let mut batch = Batch::blank(documents.len(), steps, self.vocabulary.none());
        for (row, targets) in targets.iter().enumerate() {
            let mut input = self.first;
            for step in 0..steps {
                let at = step * batch.rows + row;
                let target = targets.get(step).copied();
                batch.inputs[at] = input;
                batch.targets[at] = target.unwrap_or(self.padding);
                batch.counted[at] = target.is_some() || self.count_padding;
                input = batch.targets[at];
            }
        }
        batch
    }
    // ANCHOR_END: batch

    /// The document and its end symbol.
    fn targets(&self, document: usize) -> Vec<Token> {
        let range = &self.ranges[document];
        let mut targets = Vec::with_capacity(range.len() + 1);
        // Characters without a token were refused when the documents were counted.
        let _ = self.vocabulary.visit(&self.text.as_str()[range.clone()], &mut |_, token| targets.push(token));
        targets.extend(self.end);
        self.text.touched(range.len().max(SCATTERED));
        targets
    }
}

impl Framer for DocumentFramer {
    fn count(&self) -> usize {
        self.ranges.len()
    }

    fn steps(&self) -> usize {
        self.steps.unwrap_or(self.longest)
    }

    fn batch(&self, step: u64, order: &SequenceOrder) -> Batch {
        self.padded(&order.indices(step), None)
    }

    /// Where padding counts, all batches have as many steps, so that evaluation does not depend on which documents share
    /// one.
    fn evaluation_batch(&self, number: usize, rows: usize) -> Batch {
        let documents: Vec<_> = (number * rows..self.count().min((number + 1) * rows)).collect();
        self.padded(&documents, self.count_padding.then_some(self.longest))
    }

    fn documents(&self) -> Vec<Vec<Token>> {
        let content = |document| {
            let mut tokens = self.targets(document);
            tokens.truncate(tokens.len() - usize::from(self.end.is_some()));
            tokens
        };
        (0..self.count()).map(content).collect()
    }

    fn predictions(&self) -> u64 {
        if self.count_padding {
            return (self.count() * self.steps()) as u64;
        }
        self.lengths.iter().map(|length| u64::from(*length)).sum()
    }

    fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    fn facts(&self) -> Facts {
        self.facts.clone()
    }
}

fn too_long(text: &Text, ranges: &[Range<usize>], symbols: usize) -> Problem {
    let start = ranges.iter().max_by_key(|range| range.len()).map_or(0, |range| range.start);
    Problem::new(format!(
        "an example of `{}` is too long: {symbols} symbols, in line {}",
        text.name(),
        text.line(start)
    ))
    .note(format!("an example has at most {LONGEST} symbols"))
    .hint("read running text with [dataset] type = \"stream\" or \"windows\", or cut examples with `length`")
}

/// How many tokens a document has.
fn count(text: &Text, vocabulary: &Vocabulary, range: &Range<usize>) -> Result<usize> {
    let mut characters = 0;
    for (base, chunk) in text.chunks(range.clone()) {
        vocabulary
            .visit(chunk, &mut |_, _| characters += 1)
            .map_err(|unknown| refuse(text, vocabulary, base, unknown))?;
    }
    Ok(characters)
}

/// The sizes of documents and the predictions of each; those that predict nothing are left out. A document is framed by
/// `starts` and `ends` symbols and cut behind `most` predictions.
fn measure(
    text: &Text,
    vocabulary: &Vocabulary,
    ranges: &mut Vec<Range<usize>>,
    [starts, ends, most]: [usize; 3],
) -> Result<(Facts, Vec<u32>)> {
    let (mut facts, mut lengths) = (Facts::default(), Vec::with_capacity(ranges.len()));
    let mut fault = None;
    ranges.retain(|range| match count(text, vocabulary, range) {
        // Without an end symbol an empty document predicts nothing.
        Ok(0) if ends == 0 => {
            facts.empty += 1;
            false
        }
        Ok(characters) => {
            let predictions = characters + ends;
            facts.sequences += 1;
            facts.characters += characters;
            *facts.lengths.entry(starts + predictions).or_default() += 1;
            if predictions > most {
                facts.cut = (facts.cut.0 + 1, facts.cut.1 + predictions - most);
            }
            lengths.push(predictions.min(most) as u32);
            true
        }
        Err(error) => {
            fault.get_or_insert(error);
            false
        }
    });
    facts.longest = facts.lengths.last_key_value().map_or(0, |(length, _)| *length);
    fault.map_or(Ok((facts, lengths)), Err)
}
