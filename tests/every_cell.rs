//! Every cell, as users have it: listed, trained, compiled.

use hatchery::{data::Data, experiment::reading, network::Network, plugins::Registry};
use hatchery_plugin::{Build, Kind, Variant, serde_json::Value};

use super::{
    experiments::{registry, train},
    lab::{Lab, root},
};

/// Cells that run on Burn.
const NOT_COMPILED: [&str; 0] = [];

fn cells(registry: &Registry) -> impl Iterator<Item = &Variant> {
    registry.of(Kind::Cell).map(|entry| &entry.variant).filter(|variant| matches!(variant.build, Build::Cell(_)))
}

/// Would catch: first values from which a cell does not learn, a loss that becomes infinite, a cell that is no longer compiled.
#[test]
fn every_cell_learns_names() {
    let registry = registry();
    let (mut wrong, mut on_burn, mut count) = (Vec::new(), Vec::new(), 0);
    for variant in cells(&registry) {
        let text = format!(
            "name = \"every\"\n[dataset]\ntype = \"lines\"\ncorpus = \"dinosaurs\"\n[cell]\ntype = \"{}\"\nhidden = 16\n\
             [[clipper]]\ntype = \"norm\"\nlimit = 1.0\n[optimizer]\ntype = \"adam\"\nlearning-rate = 0.005\n\
             [train]\nsteps = 200\nbatch = 8\nlog-every = 20\nreport-every = 1000\n",
            variant.name
        );
        let experiment = reading::from_text(&text, "every.toml", &[], &registry).unwrap();
        let data = Data::open(&experiment, &root(), &registry, None).unwrap();
        let network = Network::new(experiment.clone(), data.vocabulary.clone(), &registry).unwrap();
        on_burn.extend(network.remark.map(|why| format!("{}: {why}", variant.name)));
        let losses: Vec<f64> = train(&experiment, &data, None).unwrap().iter().map(|metric| metric.loss).collect();
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        println!("{}: {first:.3} to {last:.3}, {} parameters", variant.name, network.size);
        // 200 updates of names of 12 letters: a uniform guess is 3.3 nats, letters by their frequency 2.8.
        let learned = last < 2.9 && last < first;
        if !learned {
            wrong.push(format!("{}: {losses:?}", variant.name));
        }
        count += 1;
    }
    assert!(count >= 60, "{count} cells");
    assert_eq!(wrong, Vec::<String>::new());
    let named: Vec<&str> = on_burn.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(named, NOT_COMPILED, "{on_burn:?}");
}

/// Would catch: a cell without a family, a year or a source, which the list shows.
#[test]
fn every_cell_says_where_it_comes_from() {
    let lab = Lab::new();
    let rows: Vec<Value> = lab
        .ok("plugins list --json")
        .lines()
        .map(|line| hatchery_plugin::serde_json::from_str(line).unwrap())
        .filter(|row: &Value| row["kind"] == "cell" && row["wrapper"] == false)
        .collect();
    assert!(rows.len() >= 60, "{} cells", rows.len());
    for row in &rows {
        let is_known = row["family"].is_string() && row["year"].is_u64() && row["parameters"].is_u64();
        assert!(is_known, "{row}");
    }
    let registry = registry();
    let printed = lab.ok("plugins list");
    for variant in cells(&registry) {
        assert!(printed.contains(&format!("  {:<20} ", variant.name)), "{}", variant.name);
        let is_old = ["vanilla", "lstm", "gru", "mut1", "mut2", "mut3", "lmu"].contains(&variant.name);
        assert!(is_old || variant.doc.contains("arXiv"), "{} names no paper", variant.name);
    }
}

/// Would catch: a new cell that no experiment compares with the others.
#[test]
fn one_sweep_has_every_cell() {
    let sweep: toml::Table =
        std::fs::read_to_string(root().join("experiments/sweeps/all-cells.toml")).unwrap().parse().unwrap();
    let listed = sweep["vary"][0]["cell.type"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let registry = registry();
    assert_eq!(listed.collect::<Vec<_>>(), cells(&registry).map(|variant| variant.name).collect::<Vec<_>>());
}

/// Names of cells in TensorFlow 1 lead to ours.
#[test]
fn names_of_other_libraries_are_hints() {
    let lab = Lab::new();
    for (theirs, ours) in [
        ("BasicRNNCell", "vanilla"),
        ("BasicLSTMCell", "lstm"),
        ("LSTMCell", "lstm"),
        ("LSTMBlockCell", "lstm"),
        ("LayerNormBasicLSTMCell", "lstm"),
        ("CoupledInputForgetGateLSTMCell", "lstm"),
        ("GRUCell", "gru"),
        ("NASCell", "nas"),
        ("UGRNNCell", "ugrnn"),
        ("IntersectionRNNCell", "intersection-rnn"),
        ("PhasedLSTMCell", "phased-lstm"),
        ("SRUCell", "sru"),
        ("IndRNNCell", "ind-rnn"),
        ("IndyLSTMCell", "indy-lstm"),
        ("IndyGRUCell", "indy-gru"),
    ] {
        let refusal = lab.refused(&format!("plugins show cell {theirs}"));
        assert!(refusal.contains(&format!("did you mean `{ours}`?")), "{theirs}: {refusal}");
        lab.ok(&format!("plugins show cell {ours}"));
    }
}

/// Would catch: a table with a cell left out, or one that claims to be compiled and is not.
#[test]
fn every_cell_is_measured() {
    let lab = Lab::new();
    let printed = lab.ok("bench tiny.toml --cells --steps 1 --repeats 1 --json");
    let rows: Vec<Value> = printed.lines().map(|line| hatchery_plugin::serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), cells(&registry()).count());
    for row in rows {
        let is_named = NOT_COMPILED.contains(&row["cell"].as_str().unwrap());
        assert!(row["milliseconds_per_step"].as_f64().unwrap() > 0.0 && row["compiled"] == !is_named, "{row}");
    }
}
