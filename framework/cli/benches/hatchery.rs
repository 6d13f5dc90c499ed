//! How long a training step and a generated character take, on every device that this build has and this machine too.
//!
//! `cargo bench -p hatchery-cli` runs it. The models are the dinosaur notebook's (27 symbols, 50 hidden units, one name a step,
//! 64 bits) and an LSTM and a GRU of a common size (65 symbols, 128 hidden units, 100 time steps, 50 sequences, 32 bits).
//! With `--features ndarray,wgpu` all of Burn's backends stand beside the compiled executor. What Hatchery is compared with is in `tests/peers`; `tests/peers/compare.py` runs both in turn.

use std::{fmt::Write, hint::black_box, path::Path};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hatchery::{
    data::Data,
    device::DEVICES,
    experiment::reading,
    inspect::generate::{Limits, Request, generate},
    network::Network,
    random::{Stream, Streams},
};

/// The words in `[backend] device` that are measured.
fn devices() -> impl Iterator<Item = &'static str> {
    DEVICES.iter().filter(|known| !known.found().is_empty()).map(|known| known.name)
}

/// The notebook's model; the embedded genera have its 27 symbols.
const NOTEBOOK: &str = r#"
name = "notebook"
[backend]
dtype = "f64"
[dataset]
type = "lines"
corpus = "dinosaurs"
[model]
initializer = { type = "normal", std = 0.01 }
[cell]
type = "vanilla"
hidden = 50
[[clipper]]
type = "value"
limit = 5.0
[optimizer]
type = "sgd"
learning-rate = 0.01
[train]
steps = 1
batch = 1
carry-state = true
loss = "sum"
"#;

/// A model for running text; `cell.type` is set by the benchmark.
const COMMON: &str = r#"
name = "common"
[dataset]
type = "stream"
corpus = "symbols.txt"
steps = 100
[cell]
type = "lstm"
hidden = 128
[[clipper]]
type = "norm"
limit = 5.0
[optimizer]
type = "sgd"
learning-rate = 0.01
[train]
steps = 1
batch = 50
"#;

/// 60,000 characters of 65 kinds, each as likely.
fn symbols() -> String {
    let mut draws = Stream::new(1, "symbols", 0);
    (0..60_000).map(|_| char::from(b'0' + (draws.uniform() * 65.0) as u8)).collect()
}

/// Data and network of an experiment.
fn open(text: &str, folder: &Path, overrides: &[String]) -> (Data, Network) {
    let registry = hatchery_cli::registry().expect("names are unique");
    let experiment = reading::from_text(text, "bench.toml", overrides, &registry).expect("the experiment is right");
    let data = Data::open(&experiment, folder, &registry, None).expect("the text is there");
    let network = Network::new(experiment, data.vocabulary.clone(), &registry).expect("the device is built in");
    (data, network)
}

fn train(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is room for a temporary file");
    std::fs::write(folder.path().join("symbols.txt"), symbols()).expect("the folder can be written to");
    for (name, text, cell) in [
        ("train vanilla V27 H50 names B1 f64", NOTEBOOK, "vanilla"),
        ("train vanilla V65 H128 T100 B50 f32", COMMON, "vanilla"),
        ("train lstm V65 H128 T100 B50 f32", COMMON, "lstm"),
        ("train gru V65 H128 T100 B50 f32", COMMON, "gru"),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        // There are no 64-bit numbers on wgpu.
        for device in devices().filter(|&device| device != "wgpu" || !name.ends_with("f64")) {
            let overrides = [format!("cell.type={cell}"), format!("backend.device={device}")];
            let (data, mut network) = open(text, folder.path(), &overrides);
            let mut step = 0;
            group.bench_function(BenchmarkId::from_parameter(device), |bencher| {
                bencher.iter(|| {
                    let batch = data.train.batch(step);
                    let streams = Streams::new(1, step);
                    network.executor.train(&batch, &streams, 0.01).expect("the device works");
                    step += 1;
                    network.executor.losses().expect("the device works")
                });
            });
        }
        group.finish();
    }
}

fn write(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is room for a temporary file");
    std::fs::write(folder.path().join("symbols.txt"), symbols()).expect("the folder can be written to");
    let mut group = criterion.benchmark_group("generate lstm V65 H128 B1 f32");
    let length = 200;
    group.sample_size(20).throughput(Throughput::Elements(length as u64));
    for device in devices() {
        let (_, mut network) = open(COMMON, folder.path(), &[format!("backend.device={device}")]);
        let mut occasion = String::new();
        group.bench_function(BenchmarkId::from_parameter(device), |bencher| {
            bencher.iter(|| {
                let _ = write!(occasion, ".");
                let request = Request {
                    prefix: String::new(),
                    count: 1,
                    length,
                    seed: 1,
                    occasion: occasion.clone(),
                    capitalize: false,
                    limits: Limits::default(),
                };
                black_box(generate(&mut network, &request, &mut |_, _| ()).expect("the device works"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, train, write);
criterion_main!(benches);
