//! What an experiment trains and is judged on: its sequences, split by split.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use hatchery_plugin::{Dataset, Framing, Token};
use sha2::{Digest, Sha256};

use super::{
    Batch, Facts, Vocabulary,
    corpus::{self, Text},
    framing::{self, Framer},
    notes,
    order::SequenceOrder,
    split::{DocumentRanges, Role, Splits},
    vocabulary::SymbolCounts,
};
use crate::{
    error::{Error, Problem, Result},
    experiment::{Experiment, HeldOut, Loss, Order, Train, Unknown},
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
    /// What should be known beside the numbers measured on the data: what of them is left out, cut, or repeated.
    pub notes: Vec<String>,
    /// Documents for validation and for the test that are trained on as well.
    pub(super) shared: [usize; 2],
    /// Copies of documents that are left out.
    pub(super) dropped: usize,
    /// Characters that `vocabulary.remove` takes out of the texts.
    pub(super) removed: usize,
    /// Symbols by which the vocabulary of a checkpoint has grown.
    pub(super) grown: usize,
    /// The text that is trained on, and those that are held out if they are others.
    texts: Vec<Text>,
}

/// Where the symbols come from.
enum Symbols {
    /// From the text.
    OfText,
    /// From a checkpoint.
    Given(Vocabulary),
    /// From a checkpoint, and then from the text.
    Grown(Vocabulary),
}

/// The sequences of one split.
#[derive(Debug)]
pub struct Sequences {
    framer: Box<dyn Framer>,
    order: SequenceOrder,
    batch: usize,
    loss: Loss,
    unknown: BTreeMap<char, usize>,
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
        let symbols = vocabulary.map_or(Symbols::OfText, Symbols::Given);
        Self::build(dataset.as_ref(), (&text, folder), experiment, symbols)
    }

    /// [`Data::open`] to train further from a checkpoint with this vocabulary: it grows by what the text has besides, if
    /// the experiment asks for that.
    ///
    /// # Errors
    /// Those of [`Data::open`].
    pub fn open_from(
        experiment: &Experiment,
        folder: &Path,
        registry: &Registry,
        vocabulary: Vocabulary,
    ) -> Result<Self> {
        if !experiment.vocabulary.grow {
            return Self::open(experiment, folder, registry, Some(vocabulary)).map_err(unknown_to_checkpoint);
        }
        let (dataset, _) = registry.dataset(&experiment.dataset.part)?;
        let text = corpus::open(&experiment.dataset.corpus, folder)?;
        Self::build(dataset.as_ref(), (&text, folder), experiment, Symbols::Grown(vocabulary))
    }

    /// The data of an experiment. The vocabulary is that of the whole text and of the framing's own symbols; where the
    /// experiment says what to do with an unknown character, it is that of the training split only.
    ///
    /// # Errors
    /// When the dataset refuses the text, when there is too little of it for the framing or for a split, and when a
    /// held-out split has a character that the vocabulary lacks and the experiment does not say what to do with it.
    pub fn new(dataset: &dyn Dataset, text: &Text, experiment: &Experiment) -> Result<Self> {
        Self::build(dataset, (text, Path::new("")), experiment, Symbols::OfText)
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
        Self::build(dataset, (text, Path::new("")), experiment, Symbols::Given(vocabulary))
    }

    fn build(
        dataset: &dyn Dataset,
        (text, folder): (&Text, &Path),
        experiment: &Experiment,
        symbols: Symbols,
    ) -> Result<Self> {
        let framing = dataset.framing();
        framing::check(&framing)?;
        let mut removed = 0;
        let mut read = |text: &Text| {
            removed += text.removed(&experiment.vocabulary);
            let text = text.normalized(&experiment.vocabulary);
            DocumentRanges::read(dataset, &text, &experiment.dataset.part.name)
        };
        let documents = read(text)?;
        let mut texts = vec![documents.text.clone()];
        let mut held_out = [None, None];
        for (part, wanted) in held_out.iter_mut().zip([&experiment.split.valid, &experiment.split.test]) {
            let HeldOut::Text(corpus) = wanted else { continue };
            let documents = read(&corpus::open(corpus, folder)?)?;
            texts.push(documents.text.clone());
            *part = Some(documents);
        }
        let splits = documents.split(held_out, &framing, experiment)?;
        let mut grown = 0;
        let vocabulary = match symbols {
            Symbols::OfText => Vocabulary::new(symbols_of(&splits, &framing, experiment), &experiment.vocabulary)?,
            Symbols::Given(vocabulary) => vocabulary,
            Symbols::Grown(vocabulary) => {
                let before = vocabulary.len();
                let vocabulary = vocabulary.grown(symbols_of(&splits, &framing, experiment))?;
                grown = vocabulary.len() - before;
                vocabulary
            }
        };
        let mut data = Self::of(splits, framing, Arc::new(vocabulary), experiment)?;
        (data.texts, data.removed, data.grown) = (texts, removed, grown);
        data.notes = notes::notes(&data, &data.texts, experiment);
        Ok(data)
    }

    /// The sequences of the splits.
    fn of(splits: Splits, framing: Framing, vocabulary: Arc<Vocabulary>, experiment: &Experiment) -> Result<Self> {
        let Splits { parts: [train, valid, test], dropped } = splits;
        let missing = || Error::Internal { message: "there is no training split".to_owned(), cause: None };
        let train = train.ok_or_else(missing)?;
        let shared = [&valid, &test].map(|part| match part {
            Some(part) if matches!(framing, Framing::Documents { .. }) => {
                part.shared_with(&train, experiment.vocabulary.lowercase)
            }
            _ => 0,
        });
        let sequences =
            |part: DocumentRanges, role: Role| Sequences::new(part, &framing, &vocabulary, experiment, role);
        Ok(Self {
            train: sequences(train, Role::Training)?,
            valid: valid.map(|part| sequences(part, Role::Validation)).transpose()?,
            test: test.map(|part| sequences(part, Role::Test)).transpose()?,
            vocabulary: Arc::clone(&vocabulary),
            framing: framing.clone(),
            notes: Vec::new(),
            shared,
            dropped,
            removed: 0,
            grown: 0,
            texts: Vec::new(),
        })
    }

    /// The SHA-256 of the texts as the dataset reads them, in hexadecimal digits: what is trained on and held out, apart
    /// from the keys of the experiment.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for text in &self.texts {
            for (_, chunk) in text.chunks(0..text.as_str().len()) {
                hasher.update(chunk.as_bytes());
            }
        }
        hash::finish(hasher)
    }
}

impl Sequences {
    fn new(
        part: DocumentRanges,
        framing: &Framing,
        vocabulary: &Arc<Vocabulary>,
        experiment: &Experiment,
        role: Role,
    ) -> Result<Self> {
        let batch = experiment.train.batch.max(1);
        let unknown = unknown_in(&part, vocabulary, experiment);
        let framer = framing::open(framing, &part.text, part.ranges, vocabulary, batch, role)?;
        let order = SequenceOrder::new(framer.ordered(), batch, experiment, framer.lengths())?;
        let sequences = Self { framer, order, batch, loss: experiment.train.loss, unknown };
        if role != Role::Training && sequences.predictions() < 2 {
            return Err(Problem::new(format!("there is too little for {role}: a single prediction measures nothing"))
                .note(format!("it has {} characters", sequences.facts().characters))
                .hint("hold out more in [split], or use a larger corpus")
                .into());
        }
        Ok(sequences)
    }

    /// How many predictions an evaluation makes.
    pub fn predictions(&self) -> u64 {
        self.framer.predictions()
    }

    /// Whether a sequence is a document, and not a part of a running text.
    pub fn has_documents(&self) -> bool {
        !self.framer.lengths().is_empty()
    }

    /// The share of what training computes that is padding, were the sequences in this order; measured on the first
    /// batches. None for sequences of one length.
    pub(super) fn padding(&self, order: Order) -> Option<f64> {
        const BATCHES: u64 = 500;
        let lengths = self.framer.lengths();
        let order = self.order.with(order, lengths);
        let (mut all, mut used) = (0, 0);
        for step in 0..order.steps_per_epoch().min(if lengths.is_empty() { 0 } else { BATCHES }) {
            let rows = order.indices(step);
            let longest = rows.iter().map(|row| lengths[*row]).max().unwrap_or_default();
            all += u64::from(longest) * rows.len() as u64;
            used += rows.iter().map(|row| u64::from(lengths[*row])).sum::<u64>();
        }
        (all > 0).then(|| 1.0 - used as f64 / all as f64)
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
        let text = text.normalized(&experiment.vocabulary);
        let documents = DocumentRanges::read(dataset, &text, &experiment.dataset.part.name)?;
        Self::new(documents, &dataset.framing(), vocabulary, experiment, Role::Validation)
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
        Facts { unknown: self.unknown.clone(), ..self.framer.facts() }
    }
}

/// The symbols of the text, and those that the framing adds. Where the experiment says what to do with an unknown
/// character, only the training split is read; where it lists the symbols, none of it is.
fn symbols_of(splits: &Splits, framing: &Framing, experiment: &Experiment) -> Vec<char> {
    let mut counts = SymbolCounts::new();
    let read = if experiment.vocabulary.unknown == Unknown::Error { 3 } else { 1 };
    let read = if experiment.vocabulary.symbols.is_empty() { read } else { 0 };
    for part in splits.parts[..read].iter().flatten() {
        for range in &part.ranges {
            for (_, chunk) in part.text.chunks(range.clone()) {
                counts.add(chunk);
            }
        }
    }
    let mut symbols = counts.symbols(&experiment.vocabulary);
    symbols.extend(framing::symbols(framing));
    symbols
}

/// The characters that the vocabulary lacks, with how often each is in the documents; none where they are refused.
fn unknown_in(part: &DocumentRanges, vocabulary: &Vocabulary, experiment: &Experiment) -> BTreeMap<char, usize> {
    let mut unknown = BTreeMap::new();
    if experiment.vocabulary.unknown == Unknown::Error {
        return unknown;
    }
    for range in &part.ranges {
        for (_, chunk) in part.text.chunks(range.clone()) {
            for symbol in chunk.chars().filter(|symbol| !vocabulary.knows(*symbol)) {
                *unknown.entry(symbol).or_default() += 1;
            }
        }
    }
    unknown
}

/// Says of a character that a checkpoint lacks how its vocabulary may grow.
fn unknown_to_checkpoint(error: Error) -> Error {
    let Error::User(problems) = error else { return error };
    let is_it = |problem: &Problem| problem.message.starts_with("the vocabulary has no ");
    let advise = |problem: Problem| {
        if !is_it(&problem) {
            return problem;
        }
        problem.note("the vocabulary is that of the checkpoint").hint(
            "set vocabulary.grow = true to add what is new to its symbols, or vocabulary.unknown = \"skip\" to leave it out",
        )
    };
    Error::User(problems.into_iter().map(advise).collect())
}
