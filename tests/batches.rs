//! From text to batches: framings, splits, orders, evaluation, and the sizes that the notebooks print.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, fs, ops::Range};

use hatchery::{
    batches::{Batch, Data, Sequences},
    error::Error,
    experiment::{Experiment, Loss, Numpy, Order, Part, Rng, Unknown},
    registry::Registry,
    text::{Text, Vocabulary},
};
use hatchery_plugin::{Dataset, Documents, Fault, Framing, Predict, Source, Token};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::text::corpus;

/// A dataset that gives what it is told to.
struct Made(Documents, Framing);

impl Dataset for Made {
    fn documents(&self, _: &Source<'_>) -> hatchery_plugin::Result<Documents> {
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

/// Would catch: targets that are not the next symbol, an end symbol that does not count, padding that does, rows and
/// steps mixed up, a short last batch that is dropped.
#[test]
fn documents_end_with_their_symbol_and_are_padded() {
    let data = documents(&["abc", "b", "ca"], LINES, &experiment()).unwrap();
    let train = &data.train;
    assert_eq!((train.count(), train.steps_per_epoch()), (3, 2));
    let batch = train.batch(0);
    rows(&data, &batch, &[["_abc", "abc\n", "++++"], ["_b\n\n", "b\n\n\n", "++--"]]);
    assert_eq!((batch.counted(), batch.divisor, batch.continues), (6, 6.0, false));
    assert_eq!(batch.inputs[..4], [data.vocabulary.none(), data.vocabulary.none(), 1, 2], "time-major");
    rows(&data, &train.batch(1), &[["_ca", "ca\n", "+++"]]);
    assert_eq!(train.batch(2), train.batch(0));
}

/// Would catch: a start symbol that is no input or a target, a length that leaves out start or end, cut documents that
/// keep their end.
#[test]
fn documents_of_fixed_length_are_cut_and_padded() {
    let framing = |length, count_padding| Framing::Documents {
        start: Some(' '),
        end: Some('#'),
        padding: '.',
        length: Some(length),
        count_padding,
    };
    let data = documents(&["abcdef", "b"], framing(5, false), &experiment()).unwrap();
    assert_eq!(data.vocabulary.symbols().iter().collect::<String>(), " #.abcdef");
    rows(&data, &data.train.batch(0), &[[" abc", "abcd", "++++"], [" b#.", "b#..", "++--"]]);
    let data = documents(&["abcdef", "b"], framing(8, true), &experiment()).unwrap();
    rows(&data, &data.train.batch(0), &[[" abcdef", "abcdef#", "+++++++"], [" b#....", "b#.....", "+++++++"]]);
    assert_eq!(data.train.facts().lengths, BTreeMap::from([(3, 1), (8, 1)]));
}

/// Would catch: documents without an end symbol that predict the padding; documents that predict nothing kept as rows.
#[test]
fn documents_without_an_end_predict_their_characters() {
    let framing = Framing::Documents { start: Some(' '), end: None, padding: '#', length: None, count_padding: false };
    let data = documents(&["ab", "", "c"], framing.clone(), &experiment()).unwrap();
    rows(&data, &data.train.batch(0), &[[" a", "ab", "++"], [" c", "c#", "+-"]]);
    refused(documents(&["", ""], framing, &experiment()), &["every document for training is empty"]);
    // With an end symbol, an empty document is one that ends at once.
    let data = documents(&["", "a"], LINES, &experiment()).unwrap();
    rows(&data, &data.train.batch(0), &[["_\n", "\n\n", "+-"], ["_a", "a\n", "++"]]);
}

/// Would catch: windows at other places than Python's `range(0, len(text) - length, stride)` gives, a last window
/// without its target, predictions inside a window that count.
#[test]
fn windows_start_where_python_starts_them() {
    let framing = |predict| Framing::Windows { length: 3, stride: 2, predict };
    let data = whole("abcdefgh", framing(Predict::Last), &experiment()).unwrap();
    assert_eq!(data.train.count(), 3);
    rows(&data, &data.train.batch(0), &[["abc", "bcd", "--+"], ["cde", "def", "--+"]]);
    rows(&data, &data.train.batch(1), &[["efg", "fgh", "--+"]]);
    let data = whole("abcd", framing(Predict::All), &experiment()).unwrap();
    rows(&data, &data.train.batch(0), &[["abc", "bcd", "+++"]]);
    refused(
        whole("abc", framing(Predict::All), &experiment()),
        &["too short for a window", "are 4 characters", "there are 3"],
    );
}

/// Would catch: rows that read each other's text, a gap between batches, a state that is carried into a new epoch.
#[test]
fn a_stream_reads_on_in_every_row() {
    let data = whole("abcdefghijklmn", Framing::Stream { steps: 2 }, &experiment()).unwrap();
    let train = &data.train;
    assert_eq!((train.count(), train.steps_per_epoch()), (2, 3));
    let expected = [
        [["ab", "bc", "++"], ["hi", "ij", "++"]],
        [["cd", "de", "++"], ["jk", "kl", "++"]],
        [["ef", "fg", "++"], ["lm", "mn", "++"]],
    ];
    for step in 0..6 {
        let batch = train.batch(step);
        rows(&data, &batch, &expected[step as usize % 3]);
        assert_eq!(batch.continues, step % 3 > 0, "{step}");
    }
    // 13 characters: the second row no longer has room for a third batch.
    assert_eq!(whole("abcdefghijklm", Framing::Stream { steps: 2 }, &experiment()).unwrap().train.steps_per_epoch(), 2);
    refused(
        whole("abcde", Framing::Stream { steps: 2 }, &experiment()),
        &["too short for one batch", "2 rows of 2 steps", "are 6 characters", "there are 5"],
    );
}

/// Would catch: documents of a stream that are not joined, or joined in another order.
#[test]
fn a_stream_joins_documents() {
    let mut experiment = experiment();
    experiment.train.batch = 1;
    let data = documents(&["ab", "", "cd", "é", "ef"], Framing::Stream { steps: 6 }, &experiment).unwrap();
    rows(&data, &data.train.batch(0), &[["abcdée", "bcdéef", "++++++"]]);
    let data = documents(&["ab", "", "cd", "ef"], Framing::Stream { steps: 5 }, &experiment).unwrap();
    rows(&data, &data.train.batch(0), &[["abcde", "bcdef", "+++++"]]);
}

/// Would catch: text of several bytes a character cut inside one, tokens counted in bytes, and an index that is off
/// behind its first entry (2,048 tokens).
#[test]
fn characters_of_three_bytes_are_one_token_each() {
    let text: String = (0..5000u32).map(|index| char::from_u32(0x3041 + index * 7 % 80).unwrap()).collect();
    let symbols: Vec<char> = text.chars().collect();
    let data = whole(&text, Framing::Windows { length: 10, stride: 1, predict: Predict::All }, &experiment()).unwrap();
    assert_eq!(data.train.count(), 4990);
    for step in [0, 1023, 1024, 1025, 2048, 2494] {
        let batch = data.train.batch(step);
        for (row, [inputs, targets, _]) in shown(&data, &batch).iter().enumerate() {
            let start = step as usize * 2 + row;
            assert_eq!(*inputs, symbols[start..start + 10].iter().collect::<String>());
            assert_eq!(*targets, symbols[start + 1..start + 11].iter().collect::<String>());
        }
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

/// Would catch: an evaluation that leaves out the remainder of a stream or reads a place twice, and one that depends on
/// the batch of training.
#[test]
fn the_evaluation_of_a_stream_covers_each_target_once() {
    for length in [2, 3, 32, 33, 34, 97, 1000, 1056, 4097] {
        let symbols: Vec<char> = (0..length).map(|index| char::from_u32(0x4E00 + index).unwrap()).collect();
        let text: String = symbols.iter().collect();
        for (batch, steps) in [(1, 1), (1, 7), (2, 40)] {
            let mut experiment = experiment();
            experiment.train.batch = batch;
            let Ok(data) = whole(&text, Framing::Stream { steps }, &experiment) else { continue };
            let expected: Vec<_> = (1..length).map(|index| (index - 1, index)).collect();
            assert_eq!(predictions(&data.train, 5), expected, "{length} characters, {batch} rows of {steps} steps");
        }
    }
}

/// Would catch: documents or windows left out of an evaluation, and results that depend on its rows: padding that
/// counts must be the same however documents are grouped.
#[test]
fn the_evaluation_of_documents_does_not_depend_on_its_rows() {
    let counted = Framing::Documents { start: None, end: Some('\n'), padding: '#', length: None, count_padding: true };
    let windows = Framing::Windows { length: 2, stride: 1, predict: Predict::Last };
    for framing in [LINES, counted, windows] {
        let data = documents(&["abc", "b", "ca", "", "aaaaa"], framing.clone(), &experiment()).unwrap();
        let one = predictions(&data.train, 1);
        for rows in [2, 3, 100] {
            assert_eq!(predictions(&data.train, rows), one, "{framing:?} by {rows} rows");
        }
        let expected = match framing {
            Framing::Windows { .. } => 9,
            Framing::Documents { count_padding: true, .. } => 30,
            _ => 16,
        };
        assert_eq!(one.len(), expected, "{framing:?}");
        assert_eq!(data.train.evaluation(2).len(), data.train.count().div_ceil(2));
    }
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

/// Would catch: an epoch that leaves out or repeats a sequence, a shuffle that shuffles nothing, and epochs that are
/// alike or differ where they should not.
#[test]
fn every_epoch_has_every_sequence_once() {
    for order in [Order::Shuffled, Order::ShuffledOnce, Order::Sequential] {
        let data = ordered(30, |experiment| experiment.train.order = order);
        assert_eq!(data.train.steps_per_epoch(), 8);
        assert_eq!(data.train.batch(7).rows, 2);
        for number in 0..3 {
            assert_eq!(sorted(epoch(&data, number)), sorted(names(30)), "{order:?}");
        }
        assert_eq!(epoch(&data, 0) == names(30), order == Order::Sequential);
        assert_eq!(epoch(&data, 0) == epoch(&data, 1), order != Order::Shuffled, "{order:?}");
    }
}

/// Would catch: a batch that depends on which batches were made before it, so that a resumed run goes another way.
#[test]
fn a_batch_depends_on_its_step_alone() {
    for order in [Order::Shuffled, Order::ShuffledOnce, Order::Sequential, Order::Random] {
        let make = || ordered(30, |experiment| (experiment.train.order, experiment.train.carry_state) = (order, true));
        let forward: Vec<_> = {
            let data = make();
            (0..40).map(|step| data.train.batch(step)).collect()
        };
        let data = make();
        for step in (0..40).rev() {
            assert_eq!(data.train.batch(step), forward[step as usize], "{order:?}, step {step}");
        }
    }
}

/// Would catch: a seed that is ignored.
#[test]
fn another_seed_is_another_order() {
    for order in [Order::Shuffled, Order::ShuffledOnce, Order::Random] {
        let with = |seed| ordered(30, |experiment| (experiment.seed, experiment.train.order) = (seed, order));
        assert_ne!(epoch(&with(1), 0), epoch(&with(2), 0), "{order:?}");
    }
}

/// Would catch: repetition within a random batch, sequences that are never drawn, a batch larger than the split.
#[test]
fn a_random_batch_has_no_repetition() {
    let data = ordered(10, |experiment| experiment.train.order = Order::Random);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for step in 0..500 {
        let drawn = texts(&data, &data.train.batch(step));
        let mut distinct = drawn.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 4);
        for name in drawn {
            *counts.entry(name).or_default() += 1;
        }
    }
    // Each is in 200 of 500 batches on average, with a standard deviation of 11.
    assert!(counts.len() == 10 && counts.values().all(|count| (140..260).contains(count)), "{counts:?}");
    let few = ordered(3, |experiment| experiment.train.order = Order::Random);
    assert_eq!(sorted(texts(&few, &few.train.batch(5))), sorted(names(3)));
}

/// Would catch: another shuffle than `NumPy`'s.
///
/// ```text
/// python -c "import numpy; numpy.random.seed(0); l = list(range(10)); numpy.random.shuffle(l); print(l)"
/// [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]
/// ```
#[test]
fn numpy_shuffles_as_numpy_does() {
    let data = ordered(10, |experiment| {
        experiment.train.batch = 1;
        experiment.train.order = Order::ShuffledOnce;
        (experiment.rng, experiment.numpy) = (Rng::Numpy, Some(Numpy::default()));
    });
    let expected = [2, 8, 4, 9, 1, 6, 7, 3, 0, 5].map(|index| format!("name {index}"));
    assert_eq!(epoch(&data, 0), expected);
    assert_eq!(texts(&data, &data.train.batch(23)), [expected[3].clone()], "step s trains on example s % n");
}

/// Would catch: a state carried into a batch of other rows, into the very first one, or nowhere.
#[test]
fn the_state_is_carried_between_batches_of_the_same_rows() {
    let carried = |count| {
        let data = ordered(count, |experiment| experiment.train.carry_state = true);
        (0..5).map(|step| data.train.batch(step).continues).collect::<Vec<_>>()
    };
    assert_eq!(carried(8), [false, true, true, true, true]);
    assert_eq!(carried(10), [false, true, false, false, true]);
}

/// Would catch: a loss that is a mean where a sum was asked for.
#[test]
fn the_divisor_is_that_of_the_loss() {
    let of = |loss| ordered(8, |experiment| experiment.train.loss = loss).train.batch(0).divisor.to_bits();
    assert_eq!([of(Loss::Mean), of(Loss::Sum)], [28.0, 4.0].map(f64::to_bits));
}

/// Would catch: documents in two splits or in none, a training split that is out of order, a shuffle that is not one.
#[test]
fn documents_are_split_as_wholes() {
    let split = |shuffle| {
        ordered(50, |experiment| {
            (experiment.split.valid, experiment.split.test, experiment.split.shuffle) = (0.1, 0.2, shuffle);
        })
    };
    let all = |data: &Data| {
        [Some(&data.train), data.valid.as_ref(), data.test.as_ref()].map(|sequences| -> Vec<String> {
            sequences.unwrap().evaluation(7).flat_map(|batch| texts(data, &batch)).collect()
        })
    };
    let plain = all(&split(false));
    assert_eq!(plain.concat(), names(50));
    assert_eq!(plain.map(|part| part.len()), [35, 5, 10]);
    let data = split(true);
    let mixed = all(&data);
    assert_ne!(mixed.concat(), names(50));
    assert_eq!(sorted(mixed.concat()), sorted(names(50)));
    let number = |name: &String| name["name ".len()..].parse::<usize>().unwrap();
    assert!(mixed[0].iter().map(number).is_sorted(), "sequential is as the text has it");
    assert_eq!(epoch(&data, 0), mixed[0]);
}

/// Would catch: a text split by bytes, a border inside a character, shares that lose a character to rounding.
#[test]
fn a_text_is_cut_in_order() {
    let text = "aéb語c🦕defg";
    let mut experiment = experiment();
    (experiment.train.batch, experiment.split.valid, experiment.split.test) = (1, 0.3, 0.2);
    experiment.vocabulary.unknown = Unknown::Token;
    let data = whole(text, Framing::Stream { steps: 1 }, &experiment).unwrap();
    let sizes =
        [Some(&data.train), data.valid.as_ref(), data.test.as_ref()].map(|split| split.unwrap().facts().characters);
    assert_eq!(sizes, [5, 3, 2]);
    // Training ends with the c: what only stands behind it is unknown.
    assert_eq!(data.vocabulary.symbols(), ['a', 'b', 'c', 'é', '語', '\u{FFFD}']);
    // In binary, 1 - 0.9 is a little less than a tenth.
    (experiment.split.valid, experiment.split.test) = (0.9, 0.0);
    let data = whole(&"abcdefghij".repeat(2), Framing::Stream { steps: 1 }, &experiment).unwrap();
    assert_eq!(data.train.facts().characters, 2);
}

/// Would catch: a split that silently has nothing in it.
#[test]
fn an_empty_split_is_refused() {
    let mut experiment = experiment();
    (experiment.split.valid, experiment.split.test) = (0.1, 0.1);
    refused(documents(&["a", "b"], LINES, &experiment), &["nothing is left for validation", "0.100000 of 2 documents"]);
    experiment.split.test = 0.0;
    experiment.split.valid = 0.3;
    refused(documents(&["ab"], LINES, &experiment), &["nothing is left for training", "0.700000 of 1 documents"]);
    refused(whole("abcde", Framing::Stream { steps: 1 }, &experiment), &["too short"]);
    experiment.split.valid = 0.0;
    refused(documents(&[], LINES, &experiment), &["holds no documents"]);
    refused(documents(&["aaa"], Framing::Stream { steps: 1 }, &experiment), &["at least two symbols"]);
    refused(documents(&["abc"], Framing::Stream { steps: 0 }, &experiment), &["0 time steps"]);
    refused(
        documents(&["abc"], Framing::Windows { length: 2, stride: 0, predict: Predict::All }, &experiment),
        &["never move on"],
    );
}

/// Would catch: a character of the held-out text that crashes, or stops a run that said what to do with it.
#[test]
fn a_character_that_training_never_saw_follows_the_policy() {
    let mut experiment = experiment();
    experiment.split.valid = 0.5;
    let lines = ["ab", "ba", "aé", "b"];
    let valid = |data: &Data| {
        data.valid.as_ref().unwrap().evaluation(9).flat_map(|batch| texts(data, &batch)).collect::<Vec<_>>()
    };
    // Without a policy every symbol of the whole text is known, held out or not.
    assert_eq!(valid(&documents(&lines, LINES, &experiment).unwrap()), ["aé", "b"]);
    experiment.vocabulary.unknown = Unknown::Skip;
    let data = documents(&lines, LINES, &experiment).unwrap();
    assert_eq!(valid(&data), ["a", "b"]);
    experiment.vocabulary.unknown = Unknown::Token;
    assert_eq!(valid(&documents(&lines, LINES, &experiment).unwrap()), ["a\u{FFFD}", "b"]);
    // A stream skips without a gap.
    experiment.vocabulary.unknown = Unknown::Skip;
    let data = whole("abababébab", Framing::Stream { steps: 1 }, &experiment).unwrap();
    assert_eq!(data.valid.unwrap().facts().characters, 4);
}

/// Would catch: a resumed run whose vocabulary is made anew from a text that has changed.
#[test]
fn a_given_vocabulary_is_kept() {
    let experiment = experiment();
    let made = Made(Documents::Text(vec!["ab".to_owned()]), LINES);
    let vocabulary = Vocabulary::new("\nabxyz".chars(), &experiment.vocabulary).unwrap();
    let data = Data::with_vocabulary(&made, &Text::new("made", ""), &experiment, vocabulary.clone()).unwrap();
    assert_eq!(*data.vocabulary, vocabulary);
    let short = Vocabulary::new("\na".chars(), &experiment.vocabulary).unwrap();
    refused(Data::with_vocabulary(&made, &Text::new("made", ""), &experiment, short), &["has no `b`"]);
}

/// Would catch: a plugin's refusal that loses its hint, and ranges that would panic later.
#[test]
fn a_dataset_may_refuse_but_not_go_out_of_bounds() {
    struct Refusing;
    impl Dataset for Refusing {
        fn documents(&self, _: &Source<'_>) -> hatchery_plugin::Result<Documents> {
            Err(Fault::new("this is no score").hint("give a score"))
        }
        fn framing(&self) -> Framing {
            LINES
        }
    }
    refused(
        Data::new(&Refusing, &Text::new("made", ""), &experiment()),
        &["`made` refuses `made`: this is no score", "hint: give a score"],
    );
    for range in [0..2, 1..2, 3..9] {
        let made = Made(Documents::Ranges(Vec::from([range])), LINES);
        let error = Data::new(&made, &Text::new("made", "aéb"), &experiment()).unwrap_err();
        assert_eq!(error.exit_code(), 1, "{error}");
        assert!(error.to_string().contains("are no text of `made` (4 bytes)"), "{error}");
    }
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
fn the_notebooks_sizes_come_out() {
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
    (experiment.split.valid, experiment.train.batch) = (0.1, 50);
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
fn the_notebooks_names_come_in_its_order() {
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
    fn any_text_streams_as_it_is(
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
