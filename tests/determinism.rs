//! The same seed gives the same bytes, and evaluation does not depend on the batch size.

use std::path::Path;

use hatchery::{
    data::Data,
    executor::Totals,
    experiment::{Experiment, reading},
    network::Network,
};

use crate::lab::{Lab, TINY};

/// Would catch: values that depend on the time, on hashes with random keys or on the order of threads.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let lab = Lab::new()
        .with("wide.toml", TINY.replace("hidden = 8", "hidden = 96") + "\n[model]\ndropout = 0.3\nlayers = 2\n");
    lab.ok("train wide.toml --quiet");
    lab.ok("train wide.toml --quiet");
    lab.ok("train wide.toml --quiet --set seed=2");
    for file in ["metrics.jsonl", "samples.jsonl", "checkpoint.safetensors", "loss.svg", "experiment.toml"] {
        let of = |run: &str| lab.bytes(&format!("runs/tiny/{run}/{file}"));
        assert!(of("001") == of("002"), "{file} differs");
        assert!(of("001") != of("003") || file == "loss.svg", "{file} does not depend on the seed");
    }
}

/// Would catch: padding that counts, or a state that leaks from one sequence into another.
#[test]
fn evaluation_does_not_depend_on_how_many_are_evaluated_at_once() {
    let frames = [
        "type = \"lines\"",
        "type = \"lines\"\ncount-padding = true\nlength = 12",
        "type = \"windows\"\nlength = 9\nstride = 4",
        "type = \"windows\"\nlength = 9\nstride = 4\npredict = \"last\"",
        "type = \"stream\"\nsteps = 7",
    ];
    for frame in frames {
        let text = TINY.replace("type = \"lines\"", frame) + "\n[backend]\ndtype = \"f64\"\n";
        let one = totals(&experiment(&text), 1);
        for rows in [2, 64] {
            let many = totals(&experiment(&text), rows);
            let distance = (one.nats - many.nats).abs() / one.nats;
            assert!(distance < 1e-12, "{frame}: {} nats one by one, {} by {rows}", one.nats, many.nats);
            assert_eq!((one.correct, one.characters), (many.correct, many.characters), "{frame}");
        }
        assert!(one.characters > 100, "{frame}");
    }
}

fn experiment(text: &str) -> Experiment {
    reading::from_text(text, "tiny.toml", &[], &hatchery_cli::registry().unwrap()).unwrap()
}

fn totals(experiment: &Experiment, rows: usize) -> Totals {
    let registry = hatchery_cli::registry().unwrap();
    let data = Data::open(experiment, Path::new("."), &registry, None).unwrap();
    let mut network = Network::new(experiment.clone(), data.vocabulary.clone(), &registry).unwrap();
    let mut totals = Totals::default();
    for batch in data.valid.unwrap().evaluation(rows) {
        totals += network.executor.evaluate(&batch).unwrap();
    }
    totals
}
