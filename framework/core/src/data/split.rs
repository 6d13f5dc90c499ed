//! The documents of a text, and which of them are held out.

use std::{fmt, ops::Range};

use hatchery_plugin::{Dataset, Documents, Framing, Source};

use super::corpus::Text;
use crate::{
    error::{Error, Problem, Result},
    experiment::{Experiment, Split},
    random::Stream,
};

/// What a dataset made of a text: documents, all as ranges of one text.
pub(super) struct DocumentRanges {
    pub(super) text: Text,
    pub(super) ranges: Vec<Range<usize>>,
}

/// What a split is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Training,
    Validation,
    Test,
}

impl Role {
    const ALL: [Self; 3] = [Self::Training, Self::Validation, Self::Test];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Test => "the test",
        })
    }
}

/// Byte ranges for training, validation and test; none where nothing is held out.
pub(super) type Ranges = [Option<Vec<Range<usize>>>; 3];

impl DocumentRanges {
    pub(super) fn read(dataset: &dyn Dataset, text: &Text, dataset_name: &str) -> Result<Self> {
        let source = Source { name: text.name(), text: text.as_str() };
        let documents = dataset.documents(&source).map_err(|fault| {
            let problem =
                Problem::new(format!("the dataset `{dataset_name}` refuses `{}`: {}", text.name(), fault.message));
            match fault.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        })?;
        // The dataset may have read all of it.
        text.touched(text.as_str().len());
        let material = match documents {
            Documents::Ranges(ranges) => Self { text: text.clone(), ranges },
            Documents::Text(documents) => {
                let mut ranges = Vec::with_capacity(documents.len());
                let mut all = String::with_capacity(documents.iter().map(String::len).sum());
                for document in &documents {
                    ranges.push(all.len()..all.len() + document.len());
                    all.push_str(document);
                }
                Self { text: Text::new(text.name(), all), ranges }
            }
        };
        let all = material.text.as_str();
        if let Some(range) = material.ranges.iter().find(|range| all.get((*range).clone()).is_none()) {
            return Err(Error::Internal {
                message: format!(
                    "the dataset `{dataset_name}` gave bytes {} to {} as a document, which are no text of `{}` ({} bytes)",
                    range.start,
                    range.end,
                    text.name(),
                    all.len()
                ),
                cause: None,
            });
        }
        if material.ranges.is_empty() {
            return Err(Problem::new(format!("`{}` holds no documents", text.name()))
                .hint("check the corpus and the keys of [dataset]")
                .into());
        }
        Ok(material)
    }

    /// Documents are held out as wholes; of windows and streams, which know no documents, the end of the text is.
    pub(super) fn split(self, framing: &Framing, experiment: &Experiment) -> Result<(Text, Ranges)> {
        let split = &experiment.split;
        if split.valid <= 0.0 && split.test <= 0.0 {
            return Ok((self.text, [Some(self.ranges), None, None]));
        }
        let (parts, unit, count) = if matches!(framing, Framing::Documents { .. }) {
            (self.split_documents(split, experiment.seed), "documents", self.ranges.len())
        } else {
            let characters = self.ranges.iter().map(|range| self.characters(range)).sum();
            (self.split_text(split, characters), "characters", characters)
        };
        let shares = [1.0 - split.valid - split.test, split.valid, split.test];
        let mut ranges: Ranges = [None, None, None];
        for (number, part) in parts.into_iter().enumerate() {
            // The training split is always there, if only to be found empty.
            if number > 0 && shares[number] <= 0.0 {
                continue;
            }
            if part.is_empty() {
                return Err(Problem::new(format!("nothing is left for {}", Role::ALL[number]))
                    .note(format!("its share: {:.6} of {count} {unit}", shares[number].max(0.0)))
                    .hint("change the shares in [split], or use a larger corpus")
                    .into());
            }
            ranges[number] = Some(part);
        }
        Ok((self.text, ranges))
    }

    fn split_documents(&self, split: &Split, seed: u64) -> [Vec<Range<usize>>; 3] {
        let mut order: Vec<usize> = (0..self.ranges.len()).collect();
        if split.shuffle {
            Stream::new(seed, "split", 0).shuffle(&mut order);
        }
        let [train, valid] = borders(order.len(), split);
        // In the order of the text again, which is what `order = "sequential"` promises.
        [0..train, train..valid, valid..order.len()].map(|part| {
            let mut chosen = order[part].to_vec();
            chosen.sort_unstable();
            chosen.into_iter().map(|document| self.ranges[document].clone()).collect()
        })
    }

    fn split_text(&self, split: &Split, characters: usize) -> [Vec<Range<usize>>; 3] {
        let [train, valid] = borders(characters, split);
        let (rest, test) = self.cut(&self.ranges, valid);
        let (train, valid) = self.cut(&rest, train);
        [train, valid, test]
    }

    /// The ranges before and after a number of characters.
    fn cut(&self, ranges: &[Range<usize>], mut characters: usize) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for range in ranges {
            let border = self.offset(range, &mut characters);
            before.extend((range.start < border).then_some(range.start..border));
            after.extend((border < range.end).then_some(border..range.end));
        }
        (before, after)
    }

    /// The byte offset after a number of characters of the range, or its end; subtracts what it counted.
    fn offset(&self, range: &Range<usize>, characters: &mut usize) -> usize {
        for (at, chunk) in self.text.chunks(range.clone()) {
            let count = chunk.chars().count();
            if *characters < count {
                let inside = chunk.char_indices().nth(*characters).map_or(chunk.len(), |(offset, _)| offset);
                *characters = 0;
                return at + inside;
            }
            *characters -= count;
        }
        range.end
    }

    fn characters(&self, range: &Range<usize>) -> usize {
        self.text.chunks(range.clone()).map(|(_, chunk)| chunk.chars().count()).sum()
    }
}

/// Where training ends and where validation ends.
fn borders(count: usize, split: &Split) -> [usize; 2] {
    // Shares such as 1 - 0.9 are a hair too small in binary; what is short of a whole by a millionth is whole.
    let share = |share: f64| ((count as f64 * share + 1e-6).max(0.0) as usize).min(count);
    let train = share(1.0 - split.valid - split.test);
    [train, share(1.0 - split.test).max(train)]
}
