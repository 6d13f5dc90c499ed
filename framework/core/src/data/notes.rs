//! What a person should know of the data beside the numbers measured on them: what was left out, cut or repeated, what a
//! split is too small to tell, and what in a text is rarely meant.

use std::collections::BTreeMap;

use unicode_normalization::char::{canonical_combining_class, compose};

use super::{Data, Facts, Sequences, corpus::Text, split::Role};
use crate::experiment::{Experiment, Order, Unknown};

/// Documents of a held-out split below which its number says little.
const FEW_DOCUMENTS: usize = 10;
/// Predictions of a held-out split of running text below which its number says little.
const FEW_PREDICTIONS: u64 = 100;
/// The share of padding above which it is mentioned.
const MUCH_PADDING: f64 = 0.5;
/// The share of a text that an epoch leaves out, above which it is mentioned.
const MUCH_UNTRAINED: f64 = 0.01;
/// How many characters are listed.
const LISTED: usize = 8;

/// Characters that cannot be seen, or that stand for what was lost.
const ODD: [(char, &str); 7] = [
    ('\0', "NUL characters"),
    ('\u{AD}', "soft hyphens"),
    ('\u{200B}', "zero width spaces"),
    ('\u{2028}', "line separators"),
    ('\u{202E}', "right-to-left overrides"),
    ('\u{FEFF}', "byte order marks"),
    ('\u{FFFD}', "replacement characters, for bytes that a program could not decode"),
];

/// The notes of the data of an experiment, most important first.
pub(super) fn notes(data: &Data, texts: &[Text], experiment: &Experiment) -> Vec<String> {
    let mut notes = Vec::new();
    let splits = [Some(&data.train), data.valid.as_ref(), data.test.as_ref()];
    for (role, split) in Role::ALL.into_iter().zip(splits) {
        let Some(split) = split else { continue };
        let facts = split.facts();
        notes.extend(unknown(&facts, role, experiment));
        notes.extend(cut(&facts, role));
        if facts.empty > 0 {
            let empty = counted(facts.empty, "document", "documents");
            notes.push(format!("{empty} for {role} predict nothing and are left out: they are empty"));
        }
        if role == Role::Training {
            notes.extend(untrained(&facts));
            notes.extend(padding(split, experiment));
        } else {
            let shared = data.shared[usize::from(role == Role::Test)];
            notes.extend(copies(shared, &facts, role));
            notes.extend(small(split, &facts, role));
        }
    }
    let mixes = experiment.split.shuffle && data.train.has_documents();
    if let (Some(seed), false) = (experiment.split.seed, mixes) {
        notes.push(format!("split.seed = {seed} has no effect: the documents are not mixed (split.shuffle)"));
    }
    if data.removed > 0 {
        notes.push(format!(
            "{} out of the text (vocabulary.remove)",
            counted(data.removed, "character is left", "characters are left")
        ));
    }
    if data.grown > 0 {
        notes.push(format!(
            "the vocabulary of the checkpoint grows by {}: their rows are initial values",
            counted(data.grown, "symbol", "symbols")
        ));
    }
    if data.dropped > 0 {
        notes.push(format!(
            "{} are left out (split.duplicates = \"drop\")",
            counted(data.dropped, "document that is a copy", "documents that are copies")
        ));
    }
    for text in texts {
        notes.extend(Oddities::of(text).notes(text.name()));
    }
    notes
}

fn unknown(facts: &Facts, role: Role, experiment: &Experiment) -> Option<String> {
    let count: usize = facts.unknown.values().sum();
    let done = if experiment.vocabulary.unknown == Unknown::Skip { "left out" } else { "read as unknown" };
    let read = if experiment.vocabulary.unknown == Unknown::Skip { count + facts.characters } else { facts.characters };
    (count > 0).then(|| {
        let verb = if count == 1 { "is" } else { "are" };
        format!(
            "{count} of {read} characters for {role} ({}) {verb} not in the vocabulary and {verb} {done}: {}",
            percent(count, read),
            listed(&facts.unknown)
        )
    })
}

fn cut(facts: &Facts, role: Role) -> Option<String> {
    let (sequences, symbols) = facts.cut;
    (sequences > 0).then(|| {
        format!(
            "{sequences} of {} documents for {role} are longer than `length` of [dataset]: {} cut off, the end among them",
            facts.sequences,
            counted(symbols, "symbol is", "symbols are")
        )
    })
}

fn untrained(facts: &Facts) -> Option<String> {
    let share = facts.untrained as f64 / facts.characters.max(1) as f64;
    (share > MUCH_UNTRAINED).then(|| {
        format!(
            "{} of {} characters for training ({}) are in no batch: what is left after the last whole batch of an epoch",
            facts.untrained,
            facts.characters,
            percent(facts.untrained, facts.characters)
        )
    })
}

fn padding(split: &Sequences, experiment: &Experiment) -> Option<String> {
    let share = split.padding(experiment.train.order)?;
    let by_length = split.padding(Order::ByLength)?;
    // Worth a remark where it saves a third of what is computed.
    let can_change = experiment.train.order != Order::ByLength && 1.0 - share < (1.0 - by_length) / 1.5;
    (share > MUCH_PADDING).then(|| {
        let facts = split.facts();
        let hint = format!("; train.order = \"by-length\" makes it {:.0} %", 100.0 * by_length);
        format!(
            "{:.0} % of what training computes is padding: the longest sequence has {} symbols, one of average length {}{}",
            100.0 * share,
            facts.longest,
            facts.lengths.iter().map(|(length, count)| length * count).sum::<usize>() / facts.sequences.max(1),
            if can_change { hint } else { String::new() }
        )
    })
}

fn copies(shared: usize, facts: &Facts, role: Role) -> Option<String> {
    (shared > 0).then(|| {
        format!(
            "{shared} of {} documents for {role} ({}) are also trained on: the number for them says what was memorized \
             (split.duplicates = \"drop\" or \"together\" prevents it)",
            facts.sequences,
            percent(shared, facts.sequences)
        )
    })
}

fn small(split: &Sequences, facts: &Facts, role: Role) -> Option<String> {
    let predictions = split.predictions();
    let is_small = if split.has_documents() { facts.sequences < FEW_DOCUMENTS } else { predictions < FEW_PREDICTIONS };
    is_small.then(|| {
        let documents = counted(facts.sequences, "document", "documents");
        let of = if split.has_documents() { format!("{documents} with ") } else { String::new() };
        format!(
            "the number for {role} is the mean of {of}{}: it says little about any other text",
            counted(predictions as usize, "prediction", "predictions")
        )
    })
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn percent(part: usize, all: usize) -> String {
    let percent = 100.0 * part as f64 / all.max(1) as f64;
    if percent < 0.1 { "less than 0.1 %".to_owned() } else { format!("{percent:.1} %") }
}

/// Characters and how often each stands somewhere, the most frequent first.
fn listed(counts: &BTreeMap<char, usize>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(symbol, count)| (std::cmp::Reverse(**count), **symbol));
    let shown = sorted.iter().take(LISTED).map(|(symbol, count)| format!("`{}` {count} times", symbol.escape_debug()));
    let more = sorted.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.collect::<Vec<_>>().join(", ") + &more
}

/// What is in a text and is rarely meant.
#[derive(Default)]
struct Oddities {
    /// Ends of lines: newline, carriage return and newline, carriage return alone.
    ends: [usize; 3],
    /// How often each of [`ODD`] stands there.
    odd: [usize; ODD.len()],
    /// Letters that stand there decomposed, and as one character too.
    two_forms: Vec<char>,
}

impl Oddities {
    fn of(text: &Text) -> Self {
        let mut found = Self::default();
        let (mut before, mut composed) = ('\0', BTreeMap::new());
        let mut first = true;
        for (_, chunk) in text.chunks(0..text.as_str().len()) {
            for symbol in chunk.chars() {
                match symbol {
                    '\n' if before == '\r' && !first => {
                        found.ends[1] += 1;
                        found.ends[2] -= 1;
                    }
                    '\n' => found.ends[0] += 1,
                    '\r' => found.ends[2] += 1,
                    '\0' | '\u{AD}' | '\u{200B}' | '\u{2028}' | '\u{202E}' | '\u{FEFF}' | '\u{FFFD}' => {
                        let at = ODD.iter().position(|(odd, _)| *odd == symbol);
                        at.into_iter().for_each(|at| found.odd[at] += 1);
                    }
                    // The marks that letters are composed with.
                    '\u{300}'.. if canonical_combining_class(symbol) != 0 => {
                        if let Some(letter) = compose(before, symbol) {
                            composed.entry(letter).or_insert(false);
                        }
                    }
                    _ => {}
                }
                (before, first) = (symbol, false);
            }
        }
        if !composed.is_empty() {
            for (_, chunk) in text.chunks(0..text.as_str().len()) {
                for symbol in chunk.chars().filter(|symbol| *symbol >= '\u{80}') {
                    composed.entry(symbol).and_modify(|is_there| *is_there = true);
                }
            }
        }
        found.two_forms = composed.into_iter().filter(|(_, is_there)| *is_there).map(|(letter, _)| letter).collect();
        found
    }

    fn notes(&self, name: &str) -> Vec<String> {
        let mut notes = Vec::new();
        let [newlines, pairs, returns] = self.ends;
        let kinds = self.ends.iter().filter(|count| **count > 0).count();
        if kinds > 1 {
            let kinds =
                [(newlines, "a newline"), (pairs, "a carriage return and a newline"), (returns, "a carriage return")];
            let kinds = kinds.iter().filter(|(count, _)| *count > 0).map(|(count, end)| format!("{count} with {end}"));
            notes.push(format!(
                "the lines of `{name}` end in several ways, {}: vocabulary.newlines = \"fold\" makes them one",
                kinds.collect::<Vec<_>>().join(", ")
            ));
        } else if returns > 0 {
            notes.push(format!(
                "the lines of `{name}` end with carriage returns alone ({returns}), so that it is read as one line: \
                 vocabulary.newlines = \"fold\" reads them as newlines"
            ));
        }
        for ((symbol, what), count) in ODD.iter().zip(self.odd) {
            if count > 0 {
                let code = format!("{:04X}", u32::from(*symbol));
                notes.push(format!(
                    "`{name}` has {count} of U+{code} ({what}), which is a symbol as any other: \
                     vocabulary.remove = \"\\u{code}\" leaves it out"
                ));
            }
        }
        if !self.two_forms.is_empty() {
            let letters: Vec<_> = self.two_forms.iter().take(LISTED).map(|letter| format!("`{letter}`")).collect();
            notes.push(format!(
                "`{name}` has {} both as one character and as letter and mark, which look the same and are different \
                 symbols: vocabulary.normalize = \"nfc\" makes them one",
                letters.join(", ")
            ));
        }
        notes
    }
}
