//! From text to batches: framings, orders, splits, and the sizes that the notebooks print.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, fs, ops::Range};

use hatchery::{
    data::{Batch, Data, Sequences, Vocabulary, corpus::Text},
    error::Error,
    experiment::{Experiment, Loss, Numpy, Order, Rng, Unknown},
    plugins::{Part, Registry},
};
use hatchery_plugin::{Dataset, Documents, Framing, PluginError, Predict, Source, Token};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::text::corpus;

mod framing;
mod order;
mod split;

/// A dataset that gives what it is printed to.
struct Made(Documents, Framing);

impl Dataset for Made {
    fn documents(&self, _: &Source<'_>) -> Result<Documents, hatchery_plugin::PluginError> {
        Ok(self.0.clone())
    }

    fn framing(&self) -> Framing {
        self.1.clone()
    }
}

fn experiment() -> Experiment {
    toml::from_str(
        r#"
        name = "batches"
        dataset = { type = "made", corpus = "made" }
        cell = { type = "none" }
        optimizer = { type = "sgd", learning-rate = 0.1 }
        train = { steps = 1, batch = 2, order = "sequential" }
        "#,
    )
    .unwrap()
}

/// Data of a text as one document.
fn whole(text: &str, framing: Framing, experiment: &Experiment) -> Result<Data, Error> {
    let all: Range<usize> = 0..text.len();
    Data::new(&Made(Documents::Ranges(Vec::from([all])), framing), &Text::new("made", text), experiment)
}

/// Data of made-up documents.
fn documents(documents: &[&str], framing: Framing, experiment: &Experiment) -> Result<Data, Error> {
    let documents = documents.iter().map(|text| (*text).to_owned()).collect();
    Data::new(&Made(Documents::Text(documents), framing), &Text::new("made", ""), experiment)
}

/// Data of a catalogue's corpus by a registered dataset.
fn registered(corpus: &Text, name: &str, keys: &Value, experiment: &Experiment) -> Data {
    let registry = Registry::new([hatchery_datasets::plugins()]).unwrap();
    let keys = keys.as_object().unwrap().clone();
    let (dataset, _) = registry.dataset(&Part { name: name.to_owned(), keys }).unwrap();
    Data::new(dataset.as_ref(), corpus, experiment).unwrap()
}

const LINES: Framing =
    Framing::Documents { start: None, end: Some('\n'), padding: '\n', length: None, count_padding: false };

/// A batch as text, a line for each row: inputs, targets, and `+` for a prediction that counts. `_` is the zero vector.
fn shown(data: &Data, batch: &Batch) -> Vec<[String; 3]> {
    let Batch { rows, steps, inputs, targets, counted, .. } = batch;
    assert_eq!([inputs.len(), targets.len(), counted.len()], [rows * steps; 3]);
    let vocabulary = &data.vocabulary;
    let input = |token: Token| if token == vocabulary.none() { '_' } else { vocabulary.symbol(token) };
    let row = |row: usize| {
        let places = move || (0..*steps).map(move |step| step * rows + row);
        [
            places().map(|at| input(inputs[at])).collect(),
            places().map(|at| vocabulary.symbol(targets[at])).collect(),
            places().map(|at| if counted[at] { '+' } else { '-' }).collect(),
        ]
    };
    (0..*rows).map(row).collect()
}

#[track_caller]
fn rows(data: &Data, batch: &Batch, expected: &[[&str; 3]]) {
    assert_eq!(shown(data, batch), expected);
}

#[track_caller]
fn refused(result: Result<Data, Error>, parts: &[&str]) {
    let error = result.unwrap_err();
    let message = error.to_string();
    assert_eq!(error.exit_code(), 2, "{message}");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

/// All predictions of an evaluation that count, as (input, target), in the order of the rows.
fn predictions(sequences: &Sequences, batch_rows: usize) -> Vec<(Token, Token)> {
    let mut by_row: BTreeMap<(usize, usize), Vec<(Token, Token)>> = BTreeMap::new();
    let mut group = 0;
    for batch in sequences.evaluation(batch_rows) {
        group += usize::from(!batch.continues);
        for row in 0..batch.rows {
            let places = (0..batch.steps).map(|step| step * batch.rows + row).filter(|at| batch.counted[*at]);
            by_row.entry((group, row)).or_default().extend(places.map(|at| (batch.inputs[at], batch.targets[at])));
        }
    }
    by_row.into_values().flatten().collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("name {index}")).collect()
}

fn ordered(count: usize, change: impl FnOnce(&mut Experiment)) -> Data {
    let mut experiment = experiment();
    experiment.train.batch = 4;
    change(&mut experiment);
    let names = names(count);
    documents(&names.iter().map(String::as_str).collect::<Vec<_>>(), LINES, &experiment).unwrap()
}

/// The documents of a batch.
fn texts(data: &Data, batch: &Batch) -> Vec<String> {
    shown(data, batch).into_iter().map(|[_, targets, _]| targets.trim_end().to_owned()).collect()
}

fn epoch(data: &Data, number: u64) -> Vec<String> {
    let steps = data.train.steps_per_epoch();
    (number * steps..(number + 1) * steps).flat_map(|step| texts(data, &data.train.batch(step))).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Would catch: lines that Python's `readlines()` and `strip()` would give otherwise.
#[test]
fn lines_are_those_of_python() {
    let registry = Registry::new([hatchery_datasets::plugins()]).unwrap();
    let lines = |text: &str, keys: Value| -> Vec<String> {
        let (dataset, _) =
            registry.dataset(&Part { name: "lines".to_owned(), keys: keys.as_object().unwrap().clone() }).unwrap();
        let Documents::Ranges(ranges) = dataset.documents(&Source { name: "made", text }).unwrap() else { panic!() };
        ranges.into_iter().map(|range| text[range].to_owned()).collect()
    };
    assert_eq!(lines(" anna \r\n\n\tbé rt\u{3000}\n  \ncleo", json!({})), ["anna", "bé rt", "cleo"]);
    assert_eq!(lines(" a \r\n\n b", json!({ "strip": false })), [" a ", " b"]);
    assert_eq!(lines("a\n \n\nb\n", json!({ "skip-empty": false })), ["a", "", "", "b"]);
    assert!(lines("", json!({})).is_empty());
}

/// Would catch: a default that is not written into the resolved experiment, keys that TOML cannot hold, an end symbol
/// of two characters taken for one.
#[test]
fn the_keys_of_lines_are_resolved() {
    let registry = Registry::new([hatchery_datasets::plugins()]).unwrap();
    let build =
        |keys: Value| registry.dataset(&Part { name: "lines".to_owned(), keys: keys.as_object().unwrap().clone() });
    let (dataset, keys) = build(json!({})).unwrap();
    assert_eq!(
        Value::Object(keys.clone()),
        json!({ "end": "\n", "count-padding": false, "strip": true, "skip-empty": true })
    );
    assert_eq!(dataset.framing(), LINES);
    let reread: Map<String, Value> = toml::from_str(&toml::to_string(&keys).unwrap()).unwrap();
    assert_eq!(build(Value::Object(reread)).unwrap().1, keys);

    let (dataset, keys) = build(json!({ "end": "", "padding": "#", "start": " " })).unwrap();
    let expected = Framing::Documents { start: Some(' '), end: None, padding: '#', length: None, count_padding: false };
    assert_eq!((dataset.framing(), &keys["end"]), (expected, &json!("")));
    assert!(build(json!({ "end": "ab" })).err().unwrap().to_string().contains("one character or none"));
    let (dataset, _) = build(json!({ "end": "" })).unwrap();
    assert!(
        dataset.documents(&Source { name: "made", text: "a" }).unwrap_err().message.contains("nothing to pad with")
    );
}

/// The sizes that the notebooks print, by the datasets as experiments name them.
#[test]
fn sizes_are_those_of_the_notebook() {
    let Some(dinos) = corpus("dinos") else { return };
    let mut experiment = experiment();
    experiment.vocabulary.lowercase = true;
    let data = registered(&dinos, "lines", &json!({}), &experiment);
    let facts = data.train.facts();
    assert_eq!((facts.sequences, data.vocabulary.len(), facts.longest, facts.characters), (1536, 27, 27, 18_374));
    assert_eq!(facts.lengths.values().sum::<usize>(), 1536);

    let sonnets = corpus("sonnets").unwrap();
    let data = registered(&sonnets, "windows", &json!({ "length": 40, "stride": 3 }), &experiment);
    assert_eq!((data.train.count(), data.vocabulary.len()), (31_412, 38));

    experiment.vocabulary.lowercase = false;
    let names = corpus("names").unwrap();
    let data = registered(&names, "lines", &json!({ "start": " ", "end": "", "padding": "#" }), &experiment);
    assert_eq!((data.train.count(), data.train.facts().longest, data.vocabulary.len()), (7944, 16, 56));
    // The notebook's matrix has 16 columns: the longest name has no room for its end.
    let keys = json!({ "start": " ", "end": "#", "length": 16 });
    let data = registered(&names, "lines", &keys, &experiment);
    let batch = data.train.batch(0);
    assert_eq!((batch.steps, data.vocabulary.len()), (15, 56));

    let plays = corpus("tinyshakespeare").unwrap();
    (experiment.split.valid, experiment.train.batch) = (0.1.into(), 50);
    let data = registered(&plays, "stream", &json!({ "steps": 50 }), &experiment);
    assert_eq!((data.train.facts().characters, data.vocabulary.len()), (1_003_854, 65));
    assert_eq!(data.train.steps_per_epoch(), (1_003_854 / 50 - 1) / 50);
    let valid = data.valid.unwrap();
    assert_eq!(valid.facts().characters, 111_540);
    assert_eq!(valid.evaluation(1).map(|batch| batch.counted()).sum::<u64>(), 111_539);

    for (name, lines) in [("magic-cards", 16_714), ("makemore-names", 32_033)] {
        assert_eq!(registered(&corpus(name).unwrap(), "lines", &json!({}), &experiment).train.count(), lines * 9 / 10);
    }
}

/// Would catch: another order of the examples than the notebook's.
///
/// ```text
/// examples = [line.lower().strip() for line in open("dinos.txt")]
/// numpy.random.seed(0); numpy.random.shuffle(examples); print(examples[:3], examples[-1])
/// ['turiasaurus', 'pandoravenator', 'ilokelesia'] jinzhousaurus
/// ```
#[test]
fn names_are_in_the_order_of_the_notebook() {
    let Some(dinos) = corpus("dinos") else { return };
    let mut experiment = experiment();
    (experiment.rng, experiment.train.order, experiment.train.batch) = (Rng::Numpy, Order::ShuffledOnce, 1);
    experiment.vocabulary.lowercase = true;
    let data = registered(&dinos, "lines", &json!({}), &experiment);
    let name = |step| texts(&data, &data.train.batch(step)).concat();
    assert_eq!(
        [name(0), name(1), name(2), name(1535), name(1536)],
        ["turiasaurus", "pandoravenator", "ilokelesia", "jinzhousaurus", "turiasaurus"]
    );
}

/// Would catch: a mapped text whose batches differ from those of the same text in memory.
#[test]
fn a_mapped_text_gives_the_same_batches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    fs::write(&path, "the quick brown fox jümps över the lazy dog. ".repeat(2000)).unwrap();
    let of = |text: Text| {
        let all: Range<usize> = 0..text.as_str().len();
        Data::new(&Made(Documents::Ranges(Vec::from([all])), Framing::Stream { steps: 20 }), &text, &experiment())
            .unwrap()
    };
    let (mapped, read) = (of(Text::map("text", &path).unwrap()), of(Text::read("text", &path).unwrap()));
    assert_eq!(mapped.vocabulary, read.vocabulary);
    for step in [0, 1, 500, 2000] {
        assert_eq!(mapped.train.batch(step), read.train.batch(step));
    }
}

/// The tokens of a text as a reader of Rust's documentation would make them.
fn naive(text: &str, vocabulary: &Vocabulary, lowercase: bool, unknown: Unknown) -> Vec<Token> {
    let lower = |symbol: char| -> Vec<char> { if lowercase { symbol.to_lowercase().collect() } else { vec![symbol] } };
    let token = |symbol: char| match vocabulary.symbols().binary_search(&symbol) {
        Ok(token) => Some(token as Token),
        Err(_) if unknown == Unknown::Token => vocabulary.symbols().binary_search(&'\u{FFFD}').ok().map(|t| t as Token),
        Err(_) => None,
    };
    text.chars().flat_map(lower).filter_map(token).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Would catch: whatever is wrong with finding tokens in any Unicode text: lower case of several characters, skipped
    /// ones, documents anywhere, an index entry in the middle of a character.
    #[test]
    fn a_stream_keeps_every_character(
        pieces in prop::collection::vec("[a-cA-Cİé🦕 ]{0,12}|\\PC{0,8}", 1..12),
        repeats in prop::sample::select(vec![1usize, 20, 60]),
        lowercase: bool,
        skip: bool,
        batch in 1usize..5,
        steps in 1usize..9,
    ) {
        let text = pieces.concat().repeat(repeats);
        let mut experiment = experiment();
        experiment.train.batch = batch;
        experiment.vocabulary.lowercase = lowercase;
        experiment.vocabulary.unknown = if skip { Unknown::Skip } else { Unknown::Token };
        let vocabulary = Vocabulary::new("abcé A\u{307}".chars(), &experiment.vocabulary).unwrap();
        let tokens = naive(&text, &vocabulary, lowercase, experiment.vocabulary.unknown);
        // Documents end wherever a piece does.
        let mut at = 0;
        let ranges = pieces.iter().cycle().take(pieces.len() * repeats).map(|piece| { at += piece.len(); at - piece.len()..at });
        let made = Made(Documents::Ranges(ranges.collect()), Framing::Stream { steps });
        let data = Data::with_vocabulary(&made, &Text::new("made", text.clone()), &experiment, vocabulary);
        let per_row = tokens.len() / batch;
        if per_row <= steps {
            prop_assert!(data.is_err());
            return Ok(());
        }
        let data = data.unwrap();
        prop_assert_eq!(data.train.steps_per_epoch() as usize, (per_row - 1) / steps);
        for step in 0..data.train.steps_per_epoch() {
            let made = data.train.batch(step);
            for row in 0..batch {
                for time in 0..steps {
                    let at = row * per_row + step as usize * steps + time;
                    prop_assert_eq!(made.inputs[time * batch + row], tokens[at]);
                    prop_assert_eq!(made.targets[time * batch + row], tokens[at + 1]);
                }
            }
        }
        let pairs: Vec<_> = tokens.windows(2).map(|pair| (pair[0], pair[1])).collect();
        prop_assert_eq!(predictions(&data.train, 1), pairs);
    }
}
