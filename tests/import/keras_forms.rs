//! Models that Keras itself saved, in every form of `golden/keras_forms/make.py`: each predicts what Keras predicts.

use std::{collections::BTreeMap, fs, path::PathBuf};

use hatchery::{data::Vocabulary, import::keras, inspect::generate::likely};

use super::{experiment, has, network, registry};

fn folder() -> PathBuf {
    crate::lab::root().join("tests/golden/keras_forms")
}

/// The keys with which an experiment describes a model of `make.py`.
fn keys(form: &str) -> Vec<&'static str> {
    let mut keys = vec!["dataset.length=6", "model.dropout=0.25", "model.dropout-last=true"];
    keys.extend(match form {
        "lstm" | "lstm_no_bias" => ["cell.type=lstm", "cell.gate-activation=sigmoid"],
        "gru_before" => ["cell.type=gru", "cell.reset=before"],
        "gru_after" | "gru_no_bias" => ["cell.type=gru", "cell.reset=after"],
        _ => ["cell.type=vanilla", "cell.activation=tanh"],
    });
    let is_deep = ["lstm", "gru_no_bias"].contains(&form);
    let is_embedded = ["lstm", "gru_before", "simple_no_bias"].contains(&form);
    keys.extend(["cell.hidden=3", if is_deep { "model.layers=2" } else { "model.layers=1" }]);
    keys.push(if is_embedded { "model.embedding=4" } else { "model.embedding=\"one-hot\"" });
    keys.extend(["optimizer.type=adam", "optimizer.learning-rate=0.01", "optimizer.epsilon=1e-7"]);
    keys
}

/// Would catch: gates in another order, a bias lost or added twice, a form of file that is read by another's rules.
#[test]
fn every_form_predicts_as_keras_does() {
    let predictions: BTreeMap<String, Vec<f64>> =
        serde_json::from_str(&fs::read_to_string(folder().join("predictions.json")).unwrap()).unwrap();
    assert_eq!(predictions.len(), 18);
    for (file, expected) in predictions {
        let form = file.split('.').next().unwrap();
        let experiment = experiment("notebooks/sonnets.toml", &keys(form));
        let vocabulary = Vocabulary::new("\nabcd".chars(), &experiment.vocabulary).unwrap();
        let imported = keras(&folder().join(&file), experiment, vocabulary, &registry());
        let imported = imported.unwrap_or_else(|error| panic!("{file}: {error}"));
        let absent = imported.notes.iter().filter(|note| note.contains("is not in the file: it is 0")).count();
        let expects_absent = match form {
            "lstm_no_bias" => 2,
            "gru_no_bias" => 4,
            "simple_no_bias" => 1,
            _ => 0,
        };
        assert_eq!(absent, expects_absent, "{file}: {:?}", imported.notes);
        let adam = ["lstm", "gru_no_bias", "simple"].contains(&form);
        assert_eq!(imported.checkpoint.meta.progress.updates, if adam { 3 } else { 0 }, "{file}: {:?}", imported.notes);
        let is_left_out = imported.notes.iter().any(|note| note.contains("optimizer state is left out"));
        assert_eq!(is_left_out, !adam, "{file}: {:?}", imported.notes);
        let found = likely(&mut network(&imported.checkpoint), "abcdaa").unwrap();
        for (symbol, probability) in found {
            let golden = expected["\nabcd".find(symbol).unwrap()];
            assert!((probability - golden).abs() < 1e-6, "{file} {symbol:?}: {probability}, not {golden}");
        }
    }
}

/// Would catch: a GRU or plain cell refused as if experiments had none, a wrong form imported anyway.
#[test]
fn a_cell_that_differs_says_how() {
    let refused = |file: &str, change: &str| {
        let keys = [&keys(file.split('.').next().unwrap())[..], &[change]].concat();
        let experiment = experiment("notebooks/sonnets.toml", &keys);
        let vocabulary = Vocabulary::new("\nabcd".chars(), &experiment.vocabulary).unwrap();
        keras(&folder().join(file), experiment, vocabulary, &registry()).err().expect("it is refused").to_string()
    };
    has(
        &refused("gru_after.3.keras", "cell.reset=before"),
        &["resets after the product", "set cell.reset = \"after\""],
    );
    has(&refused("gru_before.2.h5", "cell.reset=after"), &["resets before the product", "set cell.reset = \"before\""]);
    has(&refused("simple.3.keras", "cell.activation=relu"), &["applies tanh", "set cell.activation = \"tanh\""]);
    has(&refused("lstm.3.keras", "model.layers=1"), &["2 LSTM layers", "set model.layers = 2"]);
}
