//! What an experiment trains and is judged on: its sequences, split by split.

use std::{ops::Range, path::Path, sync::Arc};

use hatchery_plugin::{Dataset, Framing, Token};
use sha2::{Digest, Sha256};

use super::{
    Batch, Facts, Vocabulary,
    corpus::{self, Text},
    framing::{self, Framer},
    order::SequenceOrder,
    split::{DocumentRanges, Role},
    vocabulary::SymbolSet,
};
use crate::{
    error::{Error, Result},
    experiment::{Experiment, Loss, Split, Train, Unknown},
    hash,
    plugins::Registry,
};

/// All that an experiment trains and is judged on.
#[derive(Debug)]
pub struct Data {
    /// The symbols.
    pub vocabulary: Arc<Vocabulary>,
    /// How documents become sequences.
    pub framing: Framing,
    /// What is trained on.
    pub train: Sequences,
    /// What may guide choices.
    pub valid: Option<Sequences>,
    /// What never guides a choice.
    pub test: Option<Sequences>,
    text: Text,
}

/// The sequences of one split.
#[derive(Debug)]
pub struct Sequences {
    framer: Box<dyn Framer>,
    order: SequenceOrder,
    batch: usize,
    loss: Loss,
}

impl Data {
    /// The data of an experiment: its corpus is opened, relative to `folder` if it is a path. With a `vocabulary`, as
    /// from a checkpoint, none is made.
    ///
    /// # Errors
    /// Those of [`Data::new`] and [`Data::with_vocabulary`], and when the corpus cannot be opened.
    pub fn open(
        experiment: &Experiment,
        folder: &Path,
        registry: &Registry,
        vocabulary: Option<Vocabulary>,
    ) -> Result<Self> {
        let (dataset, _) = registry.dataset(&experiment.dataset.part)?;
        let text = corpus::open(&experiment.dataset.corpus, folder)?;
        Self::build(dataset.as_ref(), &text, experiment, vocabulary)
    }

    /// The data of an experiment. The vocabulary is that of the whole text and of the framing's own symbols; where the
    /// experiment says what to do with an unknown character, it is that of the training split only.
    ///
    /// # Errors
    /// When the dataset refuses the text, when there is too little of it for the framing or for a split, and when a
    /// held-out split has a character that the vocabulary lacks and the experiment does not say what to do with it.
    pub fn new(dataset: &dyn Dataset, text: &Text, experiment: &Experiment) -> Result<Self> {
        Self::build(dataset, text, experiment, None)
    }

    /// The data of an experiment whose vocabulary is given, as by a checkpoint.
    ///
    /// # Errors
    /// Those of [`Data::new`], and when the training text has a character that the vocabulary lacks.
    pub fn with_vocabulary(
        dataset: &dyn Dataset,
        text: &Text,
        experiment: &Experiment,
        vocabulary: Vocabulary,
    ) -> Result<Self> {
        Self::build(dataset, text, experiment, Some(vocabulary))
    }

    fn build(
        dataset: &dyn Dataset,
        text: &Text,
        experiment: &Experiment,
        vocabulary: Option<Vocabulary>,
    ) -> Result<Self> {
        let framing = dataset.framing();
        framing::check(&framing)?;
        let documents = DocumentRanges::read(dataset, text, &experiment.dataset.part.name)?;
        let (text, [train, valid, test]) = documents.split(&framing, experiment)?;
        let vocabulary = Arc::new(match vocabulary {
            Some(vocabulary) => vocabulary,
            None => {
                let splits = [&train, &valid, &test].map(|ranges| ranges.as_deref().unwrap_or_default());
                let read = if experiment.vocabulary.unknown == Unknown::Error { 3 } else { 1 };
                vocabulary_of(&text, splits[..read].iter().copied().flatten(), &framing, experiment)?
            }
        });
        let sequences = |ranges: Option<Vec<Range<usize>>>, split: Role| {
            ranges.map(|ranges| Sequences::new(&text, ranges, &framing, &vocabulary, experiment, split)).transpose()
        };
        let missing = || Error::Internal { message: "there is no training split".to_owned(), cause: None };
        Ok(Self {
            train: sequences(train, Role::Training)?.ok_or_else(missing)?,
            valid: sequences(valid, Role::Validation)?,
            test: sequences(test, Role::Test)?,
            vocabulary,
            framing,
            text,
        })
    }

    /// The SHA-256 of the text as the dataset reads it, in hexadecimal digits: what is trained on, apart from the keys
    /// of the experiment.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (_, chunk) in self.text.chunks(0..self.text.as_str().len()) {
            hasher.update(chunk.as_bytes());
        }
        hash::finish(hasher)
    }
}

impl Sequences {
    fn new(
        text: &Text,
        ranges: Vec<Range<usize>>,
        framing: &Framing,
        vocabulary: &Arc<Vocabulary>,
        experiment: &Experiment,
        split: Role,
    ) -> Result<Self> {
        let batch = experiment.train.batch.max(1);
        let framer = framing::open(framing, text, ranges, vocabulary, batch, split)?;
        let order = SequenceOrder::new(framer.ordered(), batch, experiment)?;
        Ok(Self { framer, order, batch, loss: experiment.train.loss })
    }

    /// A whole text, framed as an experiment frames its own, to evaluate a model with these symbols on.
    ///
    /// # Errors
    /// When the dataset refuses the text, when there is too little of it, and when a character is unknown.
    pub fn whole(
        dataset: &dyn Dataset,
        text: &Text,
        experiment: &Experiment,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self> {
        let experiment = Experiment { split: Split::default(), ..experiment.clone() };
        let framing = dataset.framing();
        let documents = DocumentRanges::read(dataset, text, &experiment.dataset.part.name)?;
        let (text, [all, ..]) = documents.split(&framing, &experiment)?;
        Self::new(&text, all.unwrap_or_default(), &framing, vocabulary, &experiment, Role::Validation)
    }

    /// The number of sequences: documents, windows, or the rows of a stream.
    pub fn count(&self) -> usize {
        self.framer.count()
    }

    /// The number of batches in which every sequence comes once, at least one.
    pub fn steps_per_epoch(&self) -> u64 {
        self.framer.steps_per_epoch(&self.order)
    }

    /// The updates of a whole training: its steps, or its epochs of these batches.
    pub fn updates(&self, train: &Train) -> u64 {
        match (train.steps, train.epochs) {
            (Some(steps), _) => steps,
            (None, epochs) => epochs.unwrap_or(1) * self.steps_per_epoch(),
        }
    }

    /// The batch of a step, from 0 on; epochs follow each other. It depends on nothing but the step. The last batch of
    /// an epoch has fewer rows if the sequences do not come out even.
    pub fn batch(&self, step: u64) -> Batch {
        let mut batch = self.framer.batch(step, &self.order);
        batch.continues |= self.order.continues(step);
        self.divide(batch)
    }

    /// Rows and time steps of the largest batch, without making it.
    pub fn largest_batch(&self) -> (usize, usize) {
        (self.batch.min(self.count()), self.framer.steps())
    }

    fn divide(&self, mut batch: Batch) -> Batch {
        batch.divisor = match self.loss {
            Loss::Mean => batch.counted().max(1) as f64,
            Loss::Sum => batch.rows as f64,
        };
        batch
    }

    /// The whole split, once: `rows` sequences at a time, which changes speed and memory but not a single prediction. A
    /// stream is always read by 32 rows, each from its own place with the state carried, to its last character.
    pub fn evaluation(&self, rows: usize) -> impl ExactSizeIterator<Item = Batch> + '_ {
        let rows = rows.max(1);
        let batches = self.framer.evaluation_batches(rows);
        (0..batches).map(move |number| self.divide(self.framer.evaluation_batch(number, rows)))
    }

    /// The documents of the split as tokens, without start, end and padding; a continuous text is one. All of it is
    /// then in memory.
    pub fn documents(&self) -> Vec<Vec<Token>> {
        self.framer.documents()
    }

    /// The sizes of the split, for reports.
    pub fn facts(&self) -> Facts {
        self.framer.facts()
    }
}

fn vocabulary_of<'a>(
    text: &Text,
    ranges: impl Iterator<Item = &'a Range<usize>>,
    framing: &Framing,
    experiment: &Experiment,
) -> Result<Vocabulary> {
    let mut seen = SymbolSet::new();
    for range in ranges {
        for (_, chunk) in text.chunks(range.clone()) {
            seen.add(chunk);
        }
    }
    let mut symbols = seen.symbols(experiment.vocabulary.lowercase);
    symbols.extend(framing::symbols(framing));
    Vocabulary::new(symbols, &experiment.vocabulary)
}
