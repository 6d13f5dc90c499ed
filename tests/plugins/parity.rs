//! The built-in cells, linked in and loaded: equal to the last bit. A replay that reorders operations, a gradient that
//! takes another way or a constant of another width would show.

use std::{path::Path, sync::Arc};

use hatchery::{
    data::Data,
    experiment::{Experiment, reading},
    inspect::generate::{Limits, Request, generate},
    network::Network,
    plugins::Registry,
    random::Streams,
    tensors::Values,
};

use super::{built_in_cells, root};

fn registry(loaded: bool) -> Registry {
    let mut registry =
        Registry::new([hatchery_datasets::plugins(), hatchery_clippers::plugins(), hatchery_samplers::plugins()])
            .unwrap();
    if loaded {
        registry.add_loaded(super::loaded(built_in_cells()).unwrap(), built_in_cells()).unwrap();
    } else {
        registry.add(hatchery_cells::plugins()).unwrap();
    }
    registry
}

fn experiment(cell: &str, registry: &Registry) -> Experiment {
    let text = format!(
        "name = \"parity\"\n[backend]\ndtype = \"f64\"\n[dataset]\ntype = \"lines\"\ncorpus = \"dinosaurs\"\n\
         [cell]\n{cell}\n[model]\nlayers = 2\n[[clipper]]\ntype = \"norm\"\nlimit = 1.0\n\
         [optimizer]\ntype = \"adam\"\nlearning-rate = 0.01\n[train]\nsteps = 200\nbatch = 5\n"
    );
    reading::from_text(&text, "parity", &[], registry).unwrap_or_else(|error| panic!("{error}"))
}

/// Every loss and gradient norm on the way, and every number at the end, as bits.
fn trained(cell: &str, loaded: bool) -> (Vec<u64>, Vec<(String, Vec<u64>)>) {
    let registry = registry(loaded);
    let experiment = experiment(cell, &registry);
    let data = Data::open(&experiment, Path::new("."), &registry, None).unwrap();
    let mut network = Network::new(experiment, data.vocabulary.clone(), &registry).unwrap();
    assert_eq!(network.plugins[1].library.is_some(), loaded, "the cell comes from where it should");
    let mut seen = Vec::new();
    for step in 0..200 {
        let batch = data.train.batch(step);
        network.executor.train(&batch, &Streams::new(1, step), 0.01).unwrap();
        let (before, after) = network.executor.gradient_norms().unwrap();
        seen.extend(network.executor.losses().unwrap().into_iter().chain([before, after]).map(f64::to_bits));
    }
    let bits = |values: Values| match values {
        Values::F64(values) => values.into_iter().map(f64::to_bits).collect(),
        Values::F32(_) => panic!("the experiment is in f64"),
    };
    let saved = network.executor.save().unwrap();
    (seen, saved.into_iter().map(|named| (named.name, bits(named.values))).collect())
}

#[track_caller]
fn same(cell: &str) {
    let (linked, loaded) = (trained(cell, false), trained(cell, true));
    assert_eq!(linked.0, loaded.0, "losses and gradient norms of {cell}");
    assert_eq!(linked.1, loaded.1, "parameters, optimizer and state of {cell}");
}

#[test]
fn the_vanilla_cell_is_the_same_loaded() {
    same("type = \"vanilla\"\nhidden = 12");
}

#[test]
fn the_lstm_is_the_same_loaded() {
    same("type = \"lstm\"\nhidden = 12\npeepholes = true");
}

#[test]
fn the_gru_is_the_same_loaded() {
    same("type = \"gru\"\nhidden = 12\nreset = \"before\"");
    same("type = \"gru\"\nhidden = 12\nreset = \"after\"");
}

/// Wrappers, loaded around a loaded cell: noise of every kind, derived parameters, state of their own.
#[test]
fn wrapped_cells_are_the_same_loaded() {
    same(
        "type = \"lstm\"\nhidden = 12\nwrap = [{ type = \"weight-drop\", share = 0.3, params = [\"wh\"] }, \
         { type = \"zoneout\", keep = 0.9 }, \"multiplicative\", { type = \"attention\", length = 3 }, \
         { type = \"layer-norm\", place = \"before\" }, { type = \"projection\", width = 8 }]",
    );
    same(
        "type = \"gru\"\nhidden = 12\nwrap = [{ type = \"dropout\", input = 0.1, output = 0.2 }, \"block\", \"highway\"]",
    );
}

/// The published notebook's losses and names come out of the loaded cell too, for the first 2,001 updates.
#[test]
fn the_notebook_comes_out_of_the_loaded_cell() {
    let registry = registry(true);
    let file = root().join("experiments/notebooks/coursera-dinos.toml");
    let experiment = reading::read(&file, &[], &registry).unwrap();
    let data = match Data::open(&experiment, Path::new("."), &registry, None) {
        Ok(data) => data,
        Err(error) => return println!("skipped: the notebook's names are not here: {error}"),
    };
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/dinosaurs.json")).unwrap();
    let mut network = Network::new(experiment, Arc::clone(&data.vocabulary), &registry).unwrap();
    let mut smoothed = 7.0 * 27f64.ln();
    for step in 0..=2000u64 {
        let batch = data.train.batch(step);
        network.executor.train(&batch, &Streams::new(1, step), 0.01).unwrap();
        smoothed = 0.999 * smoothed + 0.001 * network.executor.losses().unwrap()[0];
        if step % 2000 == 0 {
            let report = &golden["transcript"][(step / 2000) as usize];
            assert_eq!(format!("{smoothed:.6}"), report["smoothed_loss"], "step {step}");
            assert_eq!(names(&mut network), report["names"], "step {step}");
        }
    }
}

fn names(network: &mut Network) -> serde_json::Value {
    let sample = network.experiment.sample.clone();
    let request = Request {
        prefix: String::new(),
        count: sample.count,
        length: sample.length,
        seed: network.sample_seed(),
        occasion: "report".to_owned(),
        capitalize: sample.capitalize,
        limits: Limits::default(),
    };
    generate(network, &request, &mut |_, _| ()).unwrap().into_iter().map(|generated| generated.text).collect()
}

/// Set `HATCHERY_BENCHMARK` on a quiet machine: a replayed LSTM takes at most 1.10 times a linked one. Both run in turns,
/// and the fastest turn of each counts, so that a busy machine disturbs both or neither.
#[test]
fn replaying_costs_little() {
    if std::env::var_os("HATCHERY_BENCHMARK").is_none() {
        return println!("skipped: HATCHERY_BENCHMARK is not set");
    }
    let mut runs: Vec<_> = [false, true].map(timed).into();
    let mut best = [f64::INFINITY; 2];
    for _ in 0..12 {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            *best = best.min(run());
        }
    }
    let ratio = best[1] / best[0];
    println!("linked {:.1} ms, loaded {:.1} ms, ratio {ratio:.3}", best[0] * 1e3, best[1] * 1e3);
    assert!(ratio <= 1.10, "{ratio}");
}

/// The seconds of 20 updates, again and again.
fn timed(loaded: bool) -> impl FnMut() -> f64 {
    let registry = registry(loaded);
    let mut experiment = experiment("type = \"lstm\"\nhidden = 128", &registry);
    experiment.train.batch = 32;
    let data = Data::open(&experiment, Path::new("."), &registry, None).unwrap();
    let mut network = Network::new(experiment, data.vocabulary.clone(), &registry).unwrap();
    move || {
        let start = std::time::Instant::now();
        for step in 0..20 {
            network.executor.train(&data.train.batch(step), &Streams::new(1, step), 0.001).unwrap();
        }
        network.executor.losses().unwrap();
        start.elapsed().as_secs_f64()
    }
}
