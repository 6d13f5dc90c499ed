//! The wrapper in C: it conforms, and computes what the built-in one does.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use hatchery::{data::Data, experiment::reading, network::Network, random::Streams};

use super::{c_library, hatchery, loaded, root};

/// The example, built once.
fn library() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let source = || std::fs::read_to_string(root().join("plugins/examples/residual-c/residual.c")).unwrap();
    BUILT.get_or_init(|| c_library("residual", &source())).clone()
}

/// The losses of a few updates, as bits, of an LSTM with that wrapper.
fn losses(wrapper: &str, device: &str) -> Vec<u64> {
    let (mut registry, library) = (hatchery_cli::registry().unwrap(), library());
    registry.add_loaded(loaded(&library).unwrap(), &library).unwrap();
    let text = format!(
        "name = \"wrapped\"\nbackend = {{ device = \"{device}\", dtype = \"f64\" }}\n\
         dataset = {{ type = \"lines\", corpus = \"dinosaurs\" }}\nmodel = {{ embedding = 8, layers = 2 }}\n\
         cell = {{ type = \"lstm\", hidden = 8, wrap = [{{ type = \"zoneout\", keep = 0.9 }}, \"{wrapper}\"] }}\n\
         optimizer = {{ type = \"sgd\", learning-rate = 0.1 }}\ntrain = {{ steps = 1, batch = 4 }}\n"
    );
    let experiment = reading::from_text(&text, "wrapped", &[], &registry).unwrap_or_else(|error| panic!("{error}"));
    let data = Data::open(&experiment, Path::new("."), &registry, None).unwrap();
    let mut network = Network::new(experiment, data.vocabulary.clone(), &registry).unwrap();
    for step in 0..10 {
        network.executor.train(&data.train.batch(step), &Streams::new(1, step), 0.1).unwrap();
    }
    network.executor.losses().unwrap().into_iter().map(f64::to_bits).collect()
}

/// Would catch: a header that does not say how a wrapper names the state of the cell within, or calls it.
#[test]
fn a_wrapper_in_c_equals_the_built_in_one() {
    for device in ["cpu", "flex"] {
        assert_eq!(losses("residual-c", device), losses("residual", device), "{device}");
    }
}

#[test]
fn a_wrapper_in_c_conforms() {
    let (status, shown, errors) = hatchery(root(), &["plugins", "check", &library().display().to_string()]);
    assert_eq!(status, 0, "{shown}{errors}");
}
