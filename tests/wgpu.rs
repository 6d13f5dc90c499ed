//! Graphics cards, or a software device: Mesa's lavapipe is enough. Where there is neither, each test says so.
//!
//! All but a few commands run in this process: a program that begins has to compile its shaders first, for many seconds.

use std::path::Path;

use burn::tensor::{Device, DeviceKind, wgpu::wgpu};
use hatchery::{
    data::{Data, corpus::Text},
    device::DEVICES,
    executor::BurnExecutor,
    experiment::{Experiment, reading},
    inspect::{
        drift::drift,
        evaluate::evaluate,
        generate::{GeneratedText, Limits, Request, generate},
    },
    model::Model,
    network::Network,
    plugins::{Entry, Registry},
    run::{
        checkpoint,
        directory::RunDirectory,
        log::{self, Metric},
    },
    train::{Observer, Training},
};
use hatchery_plugin::{Build, Kind, Variant};
use serde_json::Value;
use tempfile::tempdir;

use crate::{
    conformance::shipped,
    lab::Lab,
    plugins::{c_library, elman},
    resume,
};

/// Whether this machine has an adapter.
fn is_there() -> bool {
    let known = DEVICES.iter().find(|known| known.name == "wgpu").unwrap();
    let there = !known.found().is_empty();
    if !there {
        println!("skipped: no adapter for wgpu on this machine (without a card: apt-get install mesa-vulkan-drivers)");
    }
    there
}

fn registry() -> Registry {
    hatchery_cli::registry().unwrap()
}

/// Made-up names: short, so that few operations make a step.
const NAMES: &str =
    "anka\nboru\ncelo\ndimat\nelun\nfarok\ngilda\nhoren\nisto\njarun\nkelta\nlomir\nmandu\nnerik\norban\n";

fn experiment(device: &str, set: &[&str]) -> Experiment {
    let text = r#"
        name = "small"
        dataset = { type = "lines", corpus = "names" }
        cell = { type = "gru", hidden = 7 }
        optimizer = { type = "adam", learning-rate = 0.01 }
        train = { steps = 12, batch = 3, log-every = 5, report-every = 6 }
        sample = { count = 2, length = 6 }
    "#;
    let overrides: Vec<_> =
        set.iter().map(|set| (*set).to_owned()).chain([format!("backend.device={device}")]).collect();
    reading::from_text(text, "test", &overrides, &registry()).unwrap_or_else(|error| panic!("{set:?}: {error}"))
}

fn data(experiment: &Experiment) -> Data {
    let (dataset, _) = registry().dataset(&experiment.dataset.part).unwrap();
    Data::new(dataset.as_ref(), &Text::new("names", NAMES), experiment).unwrap()
}

/// An operation that computes something else on the card, a state that is lost between batches, a mask that stays behind:
/// the losses part from those of the processor.
#[test]
fn losses_agree_over_a_hundred_updates() {
    if !is_there() {
        return;
    }
    for cell in ["vanilla", "lstm", "gru"] {
        let cell = format!("cell.type={cell}");
        let experiments = ["flex", "ndarray", "wgpu"].map(|device| experiment(device, &[&cell]));
        let data = data(&experiments[0]);
        for drift in drift(experiments.into(), &data, &registry(), 100, 6, &mut |_| ()).unwrap() {
            for point in &drift.points[1..] {
                let relative = point.relative_loss().unwrap();
                assert!(relative < 1e-4, "{cell} on {}: {:?} at {}", drift.device, point.losses, point.updates);
            }
        }
    }
}

/// Every cell, framing, clipper and optimizer, dropout, an embedding, a mask: an operation that the backend lacks, or
/// that is another there.
#[test]
fn everything_trains_evaluates_and_writes_as_on_the_processor() {
    if !is_there() {
        return;
    }
    let registry = registry();
    // A software device needs minutes for all of them.
    let is_always_on = |entry: &&Entry| ["vanilla", "lstm", "gru"].contains(&entry.variant.name);
    let is_all = std::env::var_os("HATCHERY_SLOW_TESTS").is_some();
    let cells = registry.of(Kind::Cell).filter(|entry| is_all || is_always_on(entry));
    let cells = cells.map(|Entry { variant, .. }| match variant.build {
        Build::Wrapper(_) => format!("cell.wrap=[{}]", in_one_line(variant)),
        _ => format!("cell.type={}", variant.name),
    });
    let others = [
        "dataset={ type = \"stream\", corpus = \"names\", steps = 5 }",
        "dataset={ type = \"windows\", corpus = \"names\", length = 5, stride = 3, predict = \"last\" }",
        "dataset={ type = \"lines\", corpus = \"names\", length = 6, count-padding = true }",
        "clipper=[{ type = \"norm\", limit = 0.5 }, { type = \"value\", limit = 0.1 }, { type = \"tensor-norm\", limit = 0.1 }]",
        "model={ layers = 2, dropout = 0.3, embedding = 5 }",
        "model={ embedding = 7, head = \"tied\" }",
        "model={ embedding = 5, head = { mixture = 3 } }",
        "optimizer={ type = \"sgd\", learning-rate = 0.1, momentum = 0.9 }",
        "optimizer={ type = \"rmsprop\", learning-rate = 0.01 }",
        "optimizer={ type = \"adagrad\", learning-rate = 0.1 }",
        "optimizer={ type = \"adamw\", learning-rate = 0.01 }",
        "train.on-nonfinite=skip",
    ];
    for set in cells.chain(others.map(str::to_owned)) {
        // As wide as the cell, so that every wrapper fits.
        let experiments = ["flex", "wgpu"].map(|device| experiment(device, &["model.embedding=7", &set]));
        let data = data(&experiments[0]);
        let drift = drift(experiments.to_vec(), &data, &registry, 3, 6, &mut |_| ()).unwrap().remove(0);
        for point in &drift.points {
            assert!(point.largest() < 1e-4, "{set}: {point:?}");
            assert_eq!(point.texts[0], point.texts[1], "{set}");
        }
        let [ours, theirs] = experiments.map(|experiment| {
            let mut network = Network::new(experiment, data.vocabulary.clone(), &registry).unwrap();
            evaluate(network.executor.as_mut(), &data.train).unwrap()
        });
        let difference = (ours.nats_per_character - theirs.nats_per_character).abs();
        assert!(difference < 1e-5, "{set}: {ours:?} and {theirs:?}");
        assert_eq!(ours.characters, theirs.characters, "{set}");
    }
}

/// A wrapper with the keys of its documentation's example.
fn in_one_line(variant: &Variant) -> String {
    let mut table: toml::Table = serde_json::from_value(shipped::example(variant)).unwrap();
    table.insert("type".to_owned(), variant.name.into());
    toml::Value::Table(table).to_string()
}

/// Losses that are read late: a line that counts an update twice or not at all, or under another step. And a checkpoint
/// of the card that another device cannot read, or reads as something else.
#[test]
fn reports_and_checkpoints_are_those_of_the_processor() {
    if !is_there() {
        return;
    }
    let root = tempdir().unwrap();
    let train = |device: &str| {
        let experiment = experiment(device, &[]);
        let data = data(&experiment);
        let network = Network::new(experiment, data.vocabulary.clone(), &registry()).unwrap();
        let directory = RunDirectory::create(root.path(), device).unwrap();
        Training::begin(network, &data, &directory).unwrap().run(&mut Ignored).unwrap();
        directory
    };
    let [card, processor] = ["wgpu", "flex"].map(train);
    let [ours, theirs] = [&card, &processor].map(|run| log::read::<Metric>(&run.metrics()).unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.step, theirs.step);
        for [ours, theirs] in [
            [ours.loss, theirs.loss],
            [ours.smoothed_loss, theirs.smoothed_loss],
            [ours.bits_per_character, theirs.bits_per_character],
            [ours.gradient_norm, theirs.gradient_norm],
        ] {
            assert!((ours - theirs).abs() < 1e-4 * theirs, "{ours} and {theirs}");
        }
    }
    assert_eq!(std::fs::read(card.samples()).unwrap(), std::fs::read(processor.samples()).unwrap());

    let checkpoint = checkpoint::read(&card.checkpoint()).unwrap();
    let texts = ["wgpu", "flex", "ndarray", "cpu"].map(|device| {
        let overrides = [format!("backend.device={device}"), "sampler=[{ type = \"greedy\" }]".to_owned()];
        let (mut network, _) = Network::restore(&checkpoint, &overrides, &registry()).unwrap();
        let request = Request {
            prefix: String::new(),
            count: 1,
            length: 200,
            seed: 1,
            occasion: "test".to_owned(),
            capitalize: false,
            limits: Limits::default(),
        };
        generate(&mut network, &request, &mut |_, _| ()).unwrap().remove(0).text
    });
    texts.iter().for_each(|text| assert_eq!(text, &texts[0]));
    // Of the processor's numbers in 64 bits the card takes what it can hold.
    let wide = experiment("cpu", &["backend.dtype=f64"]);
    let network = Network::new(wide, data(&experiment("cpu", &[])).vocabulary.clone(), &registry()).unwrap();
    let wide = network.checkpoint(&checkpoint.meta.progress).unwrap();
    let overrides = ["backend.device=wgpu".to_owned(), "backend.dtype=f32".to_owned()];
    Network::restore(&wide, &overrides, &registry()).unwrap();
}

/// A card that adds in another order every time would show here, or a state that stays behind on it.
#[test]
fn a_killed_run_continues_exactly() {
    if !is_there() {
        return;
    }
    resume::exact::continues_exactly(&resume::experiment(&["backend.device=wgpu"]));
}

/// A loaded cell is replayed on the host's tensors, wherever they are. And the command itself.
#[test]
fn a_loaded_cell_trains_by_the_command() {
    if !is_there() {
        return;
    }
    let lab = Lab::new();
    let library = c_library("elman-wgpu", &elman());
    let of = |device: &str| {
        let set = "--set cell.type=elman-c --set train.steps=2 --set sample.count=1 --set dataset.length=5";
        let command = format!("train tiny.toml --quiet --device {device} --plugin {} {set}", library.display());
        lab.rows(&format!("{}/metrics.jsonl", lab.ok(&command).trim()))[0]["loss"].as_f64().unwrap()
    };
    let (ours, theirs) = (of("wgpu"), of("flex"));
    assert!((ours - theirs).abs() < 1e-5 * theirs, "{ours} and {theirs}");
    let environment: Value = serde_json::from_str(&lab.text("runs/tiny/001/environment.json")).unwrap();
    assert!(environment["card"].is_string(), "{environment}");
}

/// What cannot be had is refused, with what there is; a name in any case chooses as an index does.
#[test]
fn adapters_that_are_not_there_are_refused() {
    if !is_there() {
        return;
    }
    let lab = Lab::new();
    let cases: [(&str, &[&str]); 4] = [
        ("--device wgpu:99", &["no device `wgpu:99`", "wgpu:0: ", "hatchery devices"]),
        ("--device wgpu:abacus", &["no device `wgpu:abacus`", "wgpu:0: "]),
        ("--device wgpu --set backend.dtype=f64", &["no 64-bit numbers"]),
        ("--device wgpu --set cell.hidden=25000", &["does not fit the memory of `wgpu`", "GB"]),
    ];
    for (arguments, parts) in cases {
        let refusal = lab.refused(&format!("train tiny.toml {arguments}"));
        parts.iter().for_each(|part| assert!(refusal.contains(part), "{part:?} is missing:\n{refusal}"));
    }
    assert!(lab.has_no_run());

    let known = DEVICES.iter().find(|known| known.name == "wgpu").unwrap();
    let name = known.found()[0].name.to_uppercase();
    let word = name.split_whitespace().next().unwrap().to_owned();
    let experiment = experiment(&format!("wgpu:{word}"), &[]);
    Network::new(experiment.clone(), data(&experiment).vocabulary.clone(), &registry()).unwrap();
}

/// Without this, a card that goes away in the middle takes the run with it, or leaves a checkpoint of nonsense.
#[test]
fn a_card_that_is_lost_ends_the_run_with_its_last_checkpoint() {
    if !is_there() {
        return;
    }
    let experiment = experiment("flex", &["train.steps=50", "train.checkpoint-every=5"]);
    let data = data(&experiment);
    let mut network = Network::new(experiment.clone(), data.vocabulary.clone(), &registry()).unwrap();
    // A card of its own, which no other test uses.
    let (_, setup) = Device::wgpu_options().device_kind(DeviceKind::DefaultDevice).init_with_setup().unwrap();
    let card = setup.device.clone();
    let device = Device::wgpu_options().setup(setup).init().unwrap();
    let model = Model::new(&experiment, &registry(), data.vocabulary.len()).unwrap();
    let values = model.initial_values(experiment.seed, experiment.rng);
    network.executor = Box::new(BurnExecutor::new(model, values, Vec::new(), &experiment, &device));

    let root = tempdir().unwrap();
    let directory = RunDirectory::create(root.path(), "lost").unwrap();
    let ending = Training::begin(network, &data, &directory).unwrap().run(&mut LosesTheCard { card, at: 12 });
    let error = ending.unwrap_err();
    assert_eq!(error.exit_code(), 1, "{}", error.render(false));
    assert!(error.render(false).contains("the device failed"), "{}", error.render(false));
    let kept = checkpoint::read(&directory.checkpoint()).unwrap();
    assert_eq!(kept.meta.progress.updates, 10);
    Network::restore(&kept, &["backend.device=cpu".to_owned()], &registry()).unwrap();
    assert!(Path::new(&directory.metrics()).exists());
}

struct LosesTheCard {
    card: wgpu::Device,
    at: u64,
}

impl Observer for LosesTheCard {
    fn updated(&mut self, updates: u64, _total: u64, _smoothed_loss: f64) {
        if updates == self.at {
            self.card.destroy();
        }
    }
    fn measured(&mut self, _metric: &Metric) {}
    fn sampled(&mut self, _step: u64, _samples: &[GeneratedText]) {}
    fn wants_to_stop(&self) -> bool {
        false
    }
}

struct Ignored;

impl Observer for Ignored {
    fn updated(&mut self, _updates: u64, _total: u64, _smoothed_loss: f64) {}
    fn measured(&mut self, _metric: &Metric) {}
    fn sampled(&mut self, _step: u64, _samples: &[GeneratedText]) {}
    fn wants_to_stop(&self) -> bool {
        false
    }
}
