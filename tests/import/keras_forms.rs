//! Models that Keras itself saved, in every form of `golden/keras_forms/make.py`: each predicts what Keras predicts.

use std::{collections::BTreeMap, fs, path::PathBuf};

use hatchery::{data::Vocabulary, import::keras, inspect::generate::likely, run::checkpoint};

use super::{experiment, has, network, registry};
use crate::lab::Lab;

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

/// The experiment of the models of `continue.py`, with the text that they are trained on.
fn continued(optimizer: &str, file: &str) -> Lab {
    let experiment = format!(
        "name = \"continued\"\n[dataset]\ntype = \"windows\"\ncorpus = \"text.txt\"\nlength = 6\npredict = \"all\"\n[cell]\n\
         type = \"gru\"\nhidden = 3\n[optimizer]\n{optimizer}\n[train]\nsteps = 2\nbatch = 1\n"
    );
    let model = fs::read(folder().join(file)).unwrap();
    Lab::new().with("continued.toml", experiment).with("text.txt", "abcdaa\n").with(file, model)
}

/// Two more updates as Keras would have made them. Would catch: the state of an optimizer lost, of another parameter, not
/// transposed, with another sign or without the learning rate in it; a step count that begins anew.
#[test]
fn a_training_continues_as_it_would_in_keras() {
    let golden: BTreeMap<String, Vec<f64>> =
        serde_json::from_str(&fs::read_to_string(folder().join("continued.json")).unwrap()).unwrap();
    let rates = "type = \"adam\"\nlearning-rate = 0.02\nepsilon = 1e-7";
    for (file, optimizer) in [
        ("continue_adam.keras", rates.to_owned()),
        ("continue_adamw.keras", rates.replace("adam", "adamw") + "\nweight-decay = 0.1"),
        ("continue_adamw.h5", rates.replace("adam", "adamw") + "\nweight-decay = 0.1"),
        ("continue_rmsprop.keras", "type = \"rmsprop\"\nlearning-rate = 0.02\ndecay = 0.8\nepsilon = 1e-12".to_owned()),
        ("continue_rmsprop.h5", "type = \"rmsprop\"\nlearning-rate = 0.02\ndecay = 0.8\nepsilon = 1e-12".to_owned()),
        ("continue_momentum.keras", "type = \"sgd\"\nlearning-rate = 0.1\nmomentum = 0.9".to_owned()),
        ("continue_momentum.h5", "type = \"sgd\"\nlearning-rate = 0.1\nmomentum = 0.9".to_owned()),
        ("continue_sgd.keras", "type = \"sgd\"\nlearning-rate = 0.3".to_owned()),
    ] {
        let lab = continued(&optimizer, file);
        let line = format!("import keras {file} --experiment continued.toml --output start.safetensors");
        let said = lab.run(&line);
        assert!(said.code == Some(0) && !said.stderr.contains("optimizer"), "{file}: {said:?}");
        let expected = &golden[file.trim_start_matches("continue_").split('.').next().unwrap()];
        let largest = |from: &str| {
            lab.ok(&format!("train continued.toml --quiet --runs {from} --from {from}.safetensors"));
            let end = checkpoint::read(&lab.path(&format!("{from}/continued/001/checkpoint.safetensors"))).unwrap();
            let found = likely(&mut network(&end), "abcdaa").unwrap().into_iter();
            found.map(|(symbol, p)| (p - expected["\nabcd".find(symbol).unwrap()]).abs()).fold(0.0, f64::max)
        };
        let difference = largest("start");
        assert!(difference < 5e-6, "{file}: {difference}");
        // Without the state it is another training, or the comparison would show nothing.
        let mut bare = checkpoint::read(&lab.path("start.safetensors")).unwrap();
        let had = bare.tensors.len();
        bare.tensors.retain(|tensor| tensor.name.starts_with("parameters."));
        checkpoint::write(&lab.path("bare.safetensors"), &bare).unwrap();
        assert_eq!(had == bare.tensors.len(), file == "continue_sgd.keras", "{file}");
        assert!(file == "continue_sgd.keras" || largest("bare") > 1e-4, "{file}: the state makes no difference");
    }
}

/// Would catch: a setting that changes updates and is passed over in silence, a state that is taken although ours is another.
#[test]
fn other_settings_of_an_optimizer_are_named() {
    let said = |file: &str, optimizer: &str| {
        let lab = continued(optimizer, file);
        lab.run(&format!("import keras {file} --experiment continued.toml --output start.safetensors")).stderr
    };
    let adamw =
        said("continue_adamw.keras", "type = \"adamw\"\nlearning-rate = 0.02\nepsilon = 1e-7\nweight-decay = 0.01");
    has(&adamw, &["AdamW's weight_decay is 0.1 in the file and 0.01 in the experiment"]);
    let adam = said("continue_adamw.keras", "type = \"adam\"\nlearning-rate = 0.02");
    has(&adam, &["the optimizer state is left out: it is that of AdamW"]);
    let sgd = said("continue_momentum.keras", "type = \"sgd\"\nlearning-rate = 0.1");
    has(&sgd, &["SGD's momentum is 0.9 in the file and 0 in the experiment"]);
    let rmsprop =
        said("continue_rmsprop.keras", "type = \"rmsprop\"\nlearning-rate = 0.02\ndecay = 0.9\nepsilon = 1e-12");
    has(&rmsprop, &["RMSprop's rho is 0.8 in the file and 0.9 in the experiment"]);
}
