//! The documents of a text, and which of them are held out.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
    ops::Range,
};

use hatchery_plugin::{Dataset, Documents, Framing, Source};

use super::corpus::Text;
use crate::{
    error::{Error, Problem, Result},
    experiment::{Duplicates, Experiment, Split, SymbolUnit},
    random::Stream,
};

/// What a dataset made of a text: documents, all as ranges of one text.
#[derive(Clone)]
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
    pub(super) const ALL: [Self; 3] = [Self::Training, Self::Validation, Self::Test];

    /// The key of `[split]` that holds it out; those of both others for training.
    fn key(self) -> &'static str {
        match self {
            Self::Training => "split.valid and split.test",
            Self::Validation => "split.valid",
            Self::Test => "split.test",
        }
    }
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

/// The documents for training, validation and test; none where nothing is held out.
pub(super) struct Splits {
    pub(super) parts: [Option<DocumentRanges>; 3],
    /// Copies of documents that were left out.
    pub(super) dropped: usize,
}

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
    /// `held_out` are the documents of texts that are held out for validation and for the test.
    pub(super) fn split(
        mut self,
        held_out: [Option<Self>; 2],
        framing: &Framing,
        experiment: &Experiment,
    ) -> Result<Splits> {
        let has_documents = matches!(framing, Framing::Documents { .. });
        let lowercase = experiment.vocabulary.lowercase;
        let mut dropped = 0;
        if !has_documents && experiment.split.duplicates != Duplicates::Keep {
            return Err(Problem::new("`duplicates` in [split] has no effect: a running text has no documents")
                .hint("leave it out, or read the text by [dataset] type = \"lines\" or \"documents\"")
                .into());
        }
        if has_documents && experiment.split.duplicates == Duplicates::Drop {
            let before = self.ranges.len();
            self.drop_copies(&held_out, lowercase);
            dropped = before - self.ranges.len();
        }
        let [valid, test] = held_out;
        let split = &experiment.split;
        let shares = [split.valid.share(), split.test.share()];
        if shares == [0.0, 0.0] {
            return Ok(Splits { parts: [Some(self), valid, test], dropped });
        }
        let (parts, unit, count) = if has_documents {
            (self.split_documents(experiment), "documents", self.ranges.len())
        } else {
            let unit = experiment.vocabulary.unit;
            let count = self.ranges.iter().map(|range| self.length(range, unit)).sum();
            (self.split_text(shares, count, unit), plural(unit), count)
        };
        let wanted = [true, shares[0] > 0.0, shares[1] > 0.0];
        if let Some(role) =
            Role::ALL.into_iter().find(|role| wanted[*role as usize] && parts[*role as usize].is_empty())
        {
            return Err(self.nothing_left(role, split, (count, unit), has_documents).into());
        }
        let mut parts = parts.map(|ranges| (!ranges.is_empty()).then(|| Self { text: self.text.clone(), ranges }));
        parts[1] = parts[1].take().or(valid);
        parts[2] = parts[2].take().or(test);
        Ok(Splits { parts, dropped })
    }

    /// What a split without anything in it is due to.
    fn nothing_left(&self, role: Role, split: &Split, (count, unit): (usize, &str), has_documents: bool) -> Problem {
        let shares = [split.valid.share(), split.test.share()];
        let share = [1.0 - shares[0] - shares[1], shares[0], shares[1]][role as usize].max(0.0);
        let problem = Problem::new(format!("nothing is left for {role}"))
            .note(format!("its share: {share:.6} of {count} {unit} of `{}`", self.text.name()));
        let all = self.text.as_str();
        if has_documents && count == 1 && all.contains('\r') {
            return problem
                .note("its lines end with carriage returns, and it is read as one document")
                .hint("set vocabulary.newlines = \"fold\"");
        }
        let splits = 1 + shares.iter().filter(|share| **share > 0.0).count();
        if count < splits {
            let other = "take a larger corpus, hold out less of it, or a text of its own: split.valid = \"FILE\"";
            return problem.hint(if has_documents {
                format!("{other}; running text is read by [dataset] type = \"stream\" or \"windows\"")
            } else {
                other.to_owned()
            });
        }
        // The smallest share that holds something, with three digits, if another is enough.
        let enough = |share: f64| {
            let shares = if role == Role::Validation { [share, shares[1]] } else { [shares[0], share] };
            let [train, valid] = borders(count, shares);
            shares[0] + shares[1] < 1.0 && train > 0 && (shares[0] == 0.0 || train < valid) && valid < count
        };
        let candidates = || (1..=900).map(|thousandths| f64::from(thousandths) / 1000.0);
        match candidates().find(|share| role != Role::Training && enough(*share)) {
            Some(share) => problem.hint(format!("set {} to {share} or more, or take a larger corpus", role.key())),
            None => problem.hint(format!("make {} smaller, or take a larger corpus", role.key())),
        }
    }

    /// Leaves out copies of documents that stand before them or in a held-out text.
    fn drop_copies(&mut self, held_out: &[Option<Self>; 2], lowercase: bool) {
        let mut seen: HashSet<Cow<'_, str>> = HashSet::new();
        for part in held_out.iter().flatten() {
            seen.extend(part.documents(lowercase));
        }
        let first: Vec<bool> = self.documents(lowercase).map(|document| seen.insert(document)).collect();
        let mut first = first.into_iter();
        let mut ranges = self.ranges.clone();
        ranges.retain(|_| first.next().unwrap_or(true));
        self.ranges = ranges;
    }

    /// The texts of the documents as they are read, for comparison.
    pub(super) fn documents(&self, lowercase: bool) -> impl Iterator<Item = Cow<'_, str>> {
        let all = self.text.as_str();
        self.ranges.iter().map(move |range| {
            let document = &all[range.clone()];
            if lowercase { document.chars().flat_map(char::to_lowercase).collect() } else { Cow::Borrowed(document) }
        })
    }

    /// How many of these documents are equal to one of the others.
    pub(super) fn shared_with(&self, others: &Self, lowercase: bool) -> usize {
        let held: HashSet<_> = self.documents(lowercase).collect();
        let shared: HashSet<_> = others.documents(lowercase).filter(|document| held.contains(document)).collect();
        self.documents(lowercase).filter(|document| shared.contains(document)).count()
    }

    fn split_documents(&self, experiment: &Experiment) -> [Vec<Range<usize>>; 3] {
        let split = &experiment.split;
        // Documents that stay together: a first one among `members`, and how many.
        let (members, mut order) = match split.duplicates {
            Duplicates::Together => self.equal_documents(experiment.vocabulary.lowercase),
            Duplicates::Keep | Duplicates::Drop => {
                ((0..self.ranges.len()).collect(), (0..self.ranges.len()).map(|document| (document, 1)).collect())
            }
        };
        if split.shuffle {
            Stream::new(split.seed.unwrap_or(experiment.seed), "split", 0).shuffle(&mut order);
        }
        let [train, valid] = borders(self.ranges.len(), [split.valid.share(), split.test.share()]);
        let mut chosen: [Vec<usize>; 3] = Default::default();
        let mut before = 0;
        for (first, count) in order {
            let part = usize::from(before >= train) + usize::from(before >= valid);
            before += count;
            chosen[part].extend(&members[first..first + count]);
        }
        // In the order of the text again, which is what `order = "sequential"` promises.
        chosen.map(|mut part| {
            part.sort_unstable();
            part.into_iter().map(|document| self.ranges[document].clone()).collect()
        })
    }

    /// The numbers of the documents, equal ones beside each other, and for each text that differs where its documents
    /// begin among them and how many they are, in the order of the first of them.
    fn equal_documents(&self, lowercase: bool) -> (Vec<usize>, Vec<(usize, usize)>) {
        let mut places = HashMap::new();
        let mut equal: Vec<Vec<usize>> = Vec::new();
        for (number, document) in self.documents(lowercase).enumerate() {
            let place = *places.entry(document).or_insert(equal.len());
            match equal.get_mut(place) {
                Some(others) => others.push(number),
                None => equal.push(vec![number]),
            }
        }
        let mut begin = 0;
        let mut order = Vec::with_capacity(equal.len());
        for equal in &equal {
            order.push((begin, equal.len()));
            begin += equal.len();
        }
        (equal.concat(), order)
    }

    fn split_text(&self, shares: [f64; 2], count: usize, unit: SymbolUnit) -> [Vec<Range<usize>>; 3] {
        let [train, valid] = borders(count, shares);
        let (rest, test) = self.cut(&self.ranges, valid, unit);
        let (train, valid) = self.cut(&rest, train, unit);
        [train, valid, test]
    }

    /// The ranges before and after a number of characters or bytes.
    fn cut(
        &self,
        ranges: &[Range<usize>],
        mut count: usize,
        unit: SymbolUnit,
    ) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for range in ranges {
            let border = self.offset(range, &mut count, unit);
            before.extend((range.start < border).then_some(range.start..border));
            after.extend((border < range.end).then_some(border..range.end));
        }
        (before, after)
    }

    /// The byte offset after a number of characters or bytes of the range, or its end; subtracts what it counted. No
    /// character is cut in two.
    fn offset(&self, range: &Range<usize>, count: &mut usize, unit: SymbolUnit) -> usize {
        if unit == SymbolUnit::Byte {
            let end = range.end.min(range.start + *count);
            *count -= end - range.start;
            return self.text.as_str().floor_char_boundary(end);
        }
        for (at, chunk) in self.text.chunks(range.clone()) {
            let characters = chunk.chars().count();
            if *count < characters {
                let inside = chunk.char_indices().nth(*count).map_or(chunk.len(), |(offset, _)| offset);
                *count = 0;
                return at + inside;
            }
            *count -= characters;
        }
        range.end
    }

    fn length(&self, range: &Range<usize>, unit: SymbolUnit) -> usize {
        match unit {
            SymbolUnit::Byte => range.len(),
            SymbolUnit::Character => self.text.chunks(range.clone()).map(|(_, chunk)| chunk.chars().count()).sum(),
        }
    }
}

fn plural(unit: SymbolUnit) -> &'static str {
    match unit {
        SymbolUnit::Character => "characters",
        SymbolUnit::Byte => "bytes",
    }
}

/// Where training ends and where validation ends, with these shares for validation and test.
fn borders(count: usize, [valid, test]: [f64; 2]) -> [usize; 2] {
    // Shares such as 1 - 0.9 are a hair too small in binary; what is short of a whole by a millionth is whole.
    let share = |share: f64| ((count as f64 * share + 1e-6).max(0.0) as usize).min(count);
    let train = share(1.0 - valid - test);
    [train, share(1.0 - test).max(train)]
}
