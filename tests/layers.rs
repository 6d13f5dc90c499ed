//! Experiments whose layers have cells and wrappers of their own, and what is refused of them before anything runs.

use std::path::Path;

use hatchery::{data::Data, error::Error, experiment::reading, network::Network, random::Streams};

use crate::lab::root;

/// The losses of 50 updates, in nats, of an experiment that comes with the program.
fn losses(file: &str, device: &str, dtype: &str) -> Vec<f64> {
    let registry = hatchery_cli::registry().unwrap();
    let overrides = [format!("backend.device={device}"), format!("backend.dtype={dtype}")];
    let file = root().join("experiments").join(file);
    let experiment = reading::read(&file, &overrides, &registry).unwrap_or_else(|error| panic!("{error}"));
    let data = Data::open(&experiment, Path::new("."), &registry, None).unwrap();
    let mut network = Network::new(experiment, data.vocabulary.clone(), &registry).unwrap();
    assert_eq!(network.remark, None, "{} is compiled", file.display());
    for step in 0..50 {
        network.executor.train(&data.train.batch(step), &Streams::new(1, step), 0.003).unwrap();
    }
    network.executor.losses().unwrap()
}

#[track_caller]
fn agrees(file: &str, dtype: &str, tolerance: f64) {
    let (compiled, burn) = (losses(file, "cpu", dtype), losses(file, "flex", dtype));
    let apart = compiled.iter().zip(&burn).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
    assert!(apart <= tolerance, "{file} in {dtype}: apart by {apart:e}");
    assert!(compiled[49] < compiled[0], "{file} in {dtype}: {compiled:?}");
}

/// Would catch: an executor that draws other noise, derives at another time, or knows a wrapper otherwise than the other.
#[test]
fn layers_of_their_own_agree_on_both_executors() {
    for file in ["awd-lstm.toml", "wrappers.toml"] {
        agrees(file, "f64", 1e-12);
        agrees(file, "f32", 1e-4);
    }
}

const BASE: &str = "name = \"layers\"\ndataset = { type = \"lines\", corpus = \"dinosaurs\" }\n\
     optimizer = { type = \"sgd\", learning-rate = 0.1 }\ntrain = { steps = 1 }\n";

/// What is said of an experiment with these tables.
fn said(tables: &str) -> String {
    let registry = hatchery_cli::registry().unwrap();
    match reading::from_text(&format!("{BASE}{tables}"), "layers.toml", &[], &registry) {
        Err(error @ Error::User(_)) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(experiment) => panic!("it was taken: {}", experiment.to_toml()),
    }
}

#[track_caller]
fn refused(tables: &str, words: &[&str]) {
    let said = said(tables);
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in:\n{said}");
    }
}

/// Would catch: a mistake that is found when a run has begun, or that is reported without its place and remedy.
#[test]
fn layers_that_do_not_fit_are_refused_where_they_stand() {
    let embedding = "[model]\nembedding = 16\n";
    refused(
        &format!("{embedding}[[layer]]\ntype = \"gru\"\nhidden = 8\nwrap = [\"residual\"]\n"),
        &[
            "layer 0, `gru`",
            "an input of width 16 cannot be added to an output of width 8",
            "layers.toml:7",
            "projection",
        ],
    );
    refused(
        &format!(
            "{embedding}[cell]\ntype = \"gru\"\nhidden = 8\nwrap = [{{ type = \"weight-drop\", share = 0.1, params = [\"w\"] }}]\n"
        ),
        &["has no parameter `w`", "its parameters: wx, wh, bx, bh"],
    );
    refused(
        &format!("{embedding}[cell]\ntype = \"gru\"\nhidden = 8\npenalties = {{ cost = 0.1 }}\n"),
        &["`cost` is no penalty of layer 0, `gru`", "its penalties: none"],
    );
    refused(
        "[cell]\ntype = \"gru\"\nhidden = 8\n[[layer]]\ntype = \"gru\"\nhidden = 8\n",
        &["both [cell] and [[layer]]"],
    );
    refused(
        "[model]\nlayers = 3\n[[layer]]\ntype = \"gru\"\nhidden = 8\n",
        &["`layers` in [model] is 3, and there are 1 [[layer]]"],
    );
    refused("[cell]\ntype = \"residual\"\n", &["there is no cell named `residual`"]);
    refused("[cell]\ntype = \"gru\"\nhidden = 8\nwrap = [\"residul\"]\n", &["residul", "residual"]);
}

/// Would catch: an experiment that says something else after it was written into a run's folder.
#[test]
fn a_resolved_experiment_is_read_again_as_it_is() {
    let registry = hatchery_cli::registry().unwrap();
    for file in ["awd-lstm.toml", "wrappers.toml"] {
        let experiment = reading::read(&root().join("experiments").join(file), &[], &registry).unwrap();
        let again = reading::from_text(&experiment.to_toml(), "again", &[], &registry);
        assert_eq!(again.unwrap_or_else(|error| panic!("{error}")), experiment);
    }
}
