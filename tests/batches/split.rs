//! Training, validation and test: what is held out, and what training is then not printed.

use super::*;

/// Would catch: documents in two splits or in none, a training split that is out of order, a shuffle that is not one.
#[test]
fn documents_are_split_as_wholes() {
    let split = |shuffle| {
        ordered(50, |experiment| {
            (experiment.split.valid, experiment.split.test, experiment.split.shuffle) =
                (0.1.into(), 0.2.into(), shuffle);
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
    let text = "aéb語cab🦕defghij";
    let mut experiment = experiment();
    (experiment.train.batch, experiment.split.valid, experiment.split.test) = (1, 0.3.into(), 0.2.into());
    experiment.vocabulary.unknown = Unknown::Token;
    let data = whole(text, Framing::Stream { steps: 1 }, &experiment).unwrap();
    let sizes =
        [Some(&data.train), data.valid.as_ref(), data.test.as_ref()].map(|split| split.unwrap().facts().characters);
    assert_eq!(sizes, [7, 5, 3]);
    // Training ends before the dinosaur: what only stands behind it is unknown.
    assert_eq!(data.vocabulary.symbols(), ['a', 'b', 'c', 'é', '語', '\u{FFFD}']);
    // In binary, 1 - 0.9 is a little less than a tenth.
    (experiment.split.valid, experiment.split.test) = (0.9.into(), 0.0.into());
    let data = whole(&"abcdefghij".repeat(2), Framing::Stream { steps: 1 }, &experiment).unwrap();
    assert_eq!(data.train.facts().characters, 2);
}

/// Would catch: a split that silently has nothing in it.
#[test]
fn an_empty_split_is_refused() {
    let mut experiment = experiment();
    (experiment.split.valid, experiment.split.test) = (0.1.into(), 0.1.into());
    refused(documents(&["a", "b"], LINES, &experiment), &["nothing is left for validation", "0.100000 of 2 documents"]);
    experiment.split.test = 0.0.into();
    experiment.split.valid = 0.3.into();
    refused(documents(&["ab"], LINES, &experiment), &["nothing is left for training", "0.700000 of 1 documents"]);
    refused(whole("abcde", Framing::Stream { steps: 1 }, &experiment), &["too short"]);
    experiment.split.valid = 0.0.into();
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
    experiment.split.valid = 0.5.into();
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
fn a_dataset_may_refuse_but_not_exceed_the_text() {
    struct Refusing;
    impl Dataset for Refusing {
        fn documents(&self, _: &Source<'_>) -> Result<Documents, hatchery_plugin::PluginError> {
            Err(PluginError::new("this is no score").hint("give a score"))
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
