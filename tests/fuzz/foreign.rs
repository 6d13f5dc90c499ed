//! Files of other programs: models of Keras, state dicts, and the mappings for them.

use std::{collections::BTreeMap, fs, path::Path};

use hatchery::{
    data::{Data, Vocabulary},
    error::Error,
    experiment::Experiment,
    import::{keras_from_bytes, pytorch_from_bytes},
    run::checkpoint::OPTIMIZER,
};
use safetensors::{Dtype, tensor::TensorView};

use super::fuzz;
use crate::{
    experiments::{experiment, registry},
    import::{MAPPING, burn_records, model_file, torch_files},
};

/// An experiment that a small model fits, and its vocabulary.
fn target(overrides: &[&str]) -> (Experiment, Vocabulary) {
    let fixed = ["dataset.corpus=dinosaurs", "backend.device=flex"];
    let experiment = experiment("notebooks/sonnets.toml", &[&fixed[..], overrides].concat());
    let data = Data::open(&experiment, Path::new("."), &registry(), None).unwrap();
    (experiment, data.vocabulary.as_ref().clone())
}

/// Would catch: a panic in the reader of HDF5, an allocation of a size that the file only claims, a read of missing
/// weights. One seed has the oldest form of HDF5, without checksums, as the notebooks' model has; the other a newer
/// one.
#[test]
fn keras_models() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry();
    let targets = [target(&["cell.hidden=2"]), target(&["cell.hidden=3"])];
    let newer = fs::read(model_file(folder.path(), targets[1].1.len(), |_| {}, &[])).unwrap();
    let seeds = [include_bytes!("../golden/keras.h5").to_vec(), newer];
    let whole = |seed: usize| {
        let (experiment, vocabulary) = targets[seed].clone();
        keras_from_bytes(seeds[seed].clone(), "whole", experiment, vocabulary, &registry)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    // The seeds are read completely, with the state of Adam; otherwise that part of the reader would not be fuzzed.
    assert!(whole(0).checkpoint.group(OPTIMIZER).count() > 0 && whole(0).checkpoint.meta.progress.updates == 7);
    assert_eq!(whole(1).checkpoint.meta.progress.updates, 0);
    let words =
        ["lstm_2", "kernel:0", "\"", "{", "weight_names", "\u{0}\u{0}\u{0}\u{0}", "TREE", "SNOD", "HEAP", "OHDR"];
    let tally = fuzz("keras models", &seeds, &words, &mut |bytes| {
        let oldest = bytes.get(8).is_none_or(|version| *version == 0);
        let (experiment, vocabulary) = targets[usize::from(!oldest)].clone();
        keras_from_bytes(bytes, "fuzzed", experiment, vocabulary, &registry).map(drop)
    });
    assert!(tally.read > 0 && tally.refused > 0);
}

/// The tensors that [`MAPPING`] asks for, of 3 units.
fn state_dict(symbols: usize) -> Vec<u8> {
    let shapes: [(&str, &[usize]); 6] = [
        ("rnn.weight_ih_l0", &[12, symbols]),
        ("rnn.weight_hh_l0", &[3, 12]),
        ("rnn.bias_ih_l0", &[12]),
        ("rnn.bias_hh_l0", &[12]),
        ("head.weight", &[symbols, 3]),
        ("head.bias", &[symbols]),
    ];
    let numbers =
        |shape: &[usize]| (0..shape.iter().product()).flat_map(|at: usize| (at as f32).to_le_bytes()).collect();
    let bytes: BTreeMap<_, Vec<u8>> = shapes.iter().map(|(name, shape)| (*name, numbers(shape))).collect();
    let view = |(name, shape): &(&'static str, &[usize])| {
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), &bytes[name]).unwrap())
    };
    safetensors::serialize(shapes.iter().map(view).collect::<Vec<_>>(), None).unwrap()
}

/// Would catch: a panic on a damaged state dict, on shapes without elements, on a vector in place of a matrix.
#[test]
fn state_dicts() {
    let (experiment, vocabulary) = target(&["model.layers=1", "cell.hidden=3"]);
    let registry = registry();
    let read = |bytes: &[u8], mapping: &str| -> Result<(), Error> {
        let into = (experiment.clone(), vocabulary.clone());
        pytorch_from_bytes((bytes, "fuzzed"), None, (mapping, "mapping"), into.0, into.1, &registry).map(drop)
    };
    let seed = state_dict(vocabulary.len());
    read(&seed, MAPPING).unwrap_or_else(|error| panic!("{error}"));
    let words =
        ["F64", "F32", "BF16", "I64", "[0,0]", "[12]", "[]", "18446744073709551615", "\"", "{", "}", "__metadata__"];
    let tally = fuzz("state dicts", std::slice::from_ref(&seed), &words, &mut |bytes| read(&bytes, MAPPING));
    assert!(tally.read > 0 && tally.refused > 0);

    let mapping = MAPPING.as_bytes().to_vec();
    let words =
        ["blocks = [", "transpose = true\n", "0, ", "9223372036854775807", "from = []\n", "[parameters.", "\"", "]"];
    let words = [&words[..], &["rnn.weight_hh_l0", "head.bias", "\n", "#", "blocks = []\n", "1, 0, 2, 3"]].concat();
    let tally = fuzz("mappings", &[mapping], &words, &mut |bytes| read(&seed, &String::from_utf8_lossy(&bytes)));
    assert!(tally.read > 0 && tally.refused > 0);
}

/// Would catch: a panic in the reader of archives or pickles, an allocation of a size that the file only claims, an
/// endless reference.
#[test]
fn files_of_torch_save() {
    let lab = torch_files::Lab::new();
    let seeds = ["state_dict.pt", "state_dict_stream.pt", "state_dict_module.pt"];
    let seeds = seeds.map(|file| fs::read(torch_files::golden(file)).unwrap());
    let words =
        ["PK\u{3}\u{4}", "PK\u{1}\u{2}", "PK\u{5}\u{6}", "cos\nsystem\n", "}", "(", "t", "R", "q", "h", "torch"];
    let words = [&words[..], &["FloatStorage", "data.pkl", "version", "\u{0}\u{0}\u{0}\u{0}", "ÿÿÿÿ"]].concat();
    let tally = fuzz("files of torch.save", &seeds, &words, &mut |bytes| {
        let (experiment, vocabulary) = (lab.experiment.clone(), lab.data.vocabulary.as_ref().clone());
        let mapping = (torch_files::MAPPING, "mapping");
        pytorch_from_bytes((&bytes, "fuzzed"), None, mapping, experiment, vocabulary, &lab.registry).map(drop)
    });
    assert!(tally.read > 0 && tally.refused > 0);
}

/// Would catch: a panic in the reader of archives of Keras 3, of its configuration, or of the state of an optimizer.
#[test]
fn archives_of_keras() {
    let folder = crate::lab::root().join("tests/golden/keras_forms");
    let seeds = ["continue_adamw.keras", "continue_momentum.keras", "continue_rmsprop.h5"];
    let seeds = seeds.map(|file| fs::read(folder.join(file)).unwrap());
    let keys = ["cell.type=gru", "cell.hidden=3", "model.layers=1", "model.dropout=0.0"];
    let keys = [&keys[..], &["backend.device=flex", "optimizer={type=\"adamw\",learning-rate=0.02}"]].concat();
    let experiment = experiment("dinosaurs.toml", &keys);
    let vocabulary = Vocabulary::new("\nabcd".chars(), &experiment.vocabulary).unwrap();
    let registry = registry();
    let words =
        ["PK\u{3}\u{4}", "PK\u{1}\u{2}", "config.json", "model.weights.h5", "\"GRU\"", "\"units\": ", "TREE", "SNOD"];
    let words =
        [&words[..], &["vars", "optimizer", "\u{0}\u{0}\u{0}\u{0}", "9223372036854775807", "-1", "null"]].concat();
    let tally = fuzz("archives of Keras", &seeds, &words, &mut |bytes| {
        keras_from_bytes(bytes, "fuzzed", experiment.clone(), vocabulary.clone(), &registry).map(drop)
    });
    assert!(tally.read > 0 && tally.refused > 0);
}

/// Would catch: a panic in the reader of burnpack, an allocation of a size that the file only claims.
#[test]
fn records_of_burn() {
    let (seed, experiment, vocabulary, _) = burn_records::record();
    let (mapping, registry) = (burn_records::mapping(), registry());
    let words = ["BURN", "NRUB", "shape", "dtype", "F32", "data_offsets", "\u{0}\u{0}\u{0}\u{0}", "ÿÿÿÿ", "param_id"];
    let tally = fuzz("records of Burn", std::slice::from_ref(&seed), &words, &mut |bytes| {
        let into = (experiment.clone(), vocabulary.clone());
        pytorch_from_bytes((&bytes, "fuzzed"), None, (&mapping, "mapping"), into.0, into.1, &registry).map(drop)
    });
    assert!(tally.read > 0 && tally.refused > 0);
}
