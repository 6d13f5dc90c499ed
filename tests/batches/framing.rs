//! What a framing makes of documents: inputs, targets, and which predictions count; in training and in evaluation.

use super::*;

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
