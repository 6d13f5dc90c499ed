//! Fuzzing of the import of Keras's HDF5 files: any bytes are imported or refused, without a panic.
//! `tests/golden/keras.h5` is a seed.
#![no_main]

use std::{path::Path, sync::LazyLock};

use hatchery::{
    data::{Data, Vocabulary},
    experiment::{Experiment, reading::from_text},
    import::keras_from_bytes,
    plugins::Registry,
};

const EXPERIMENT: &str = r#"
name = "fuzzed"
backend = { device = "flex" }
dataset = { type = "windows", corpus = "dinosaurs", length = 40, predict = "last" }
vocabulary = { lowercase = true }
model = { layers = 2, dropout = 0.5, dropout-last = true }
cell = { type = "lstm", hidden = 2, gate-activation = "hard-sigmoid" }
optimizer = { type = "adam", learning-rate = 0.001, epsilon = 1e-8 }
train = { epochs = 1, batch = 128 }
"#;

static TARGET: LazyLock<(Registry, Experiment, Vocabulary)> = LazyLock::new(|| {
    let registry = hatchery_cli::registry().expect("names are unique");
    let experiment = from_text(EXPERIMENT, "fuzzed", &[], &registry).expect("it is an experiment");
    let data = Data::open(&experiment, Path::new("."), &registry, None).expect("the text is embedded");
    let vocabulary = data.vocabulary.as_ref().clone();
    (registry, experiment, vocabulary)
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (registry, experiment, vocabulary) = &*TARGET;
    let imported = keras_from_bytes(bytes.to_vec(), "fuzzed", experiment.clone(), vocabulary.clone(), registry);
    if let Err(error) = imported {
        assert_eq!(error.exit_code(), 2, "{error}");
    }
});
