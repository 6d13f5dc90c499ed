//! Experiments whose layers have cells and wrappers of their own, and what is refused of them before anything runs.

use std::path::Path;

use hatchery::{data::Data, error::Error, experiment::reading, network::Network, plugins::Registry, random::Streams};

use hatchery_plugin::{
    Params, State,
    burn::Tensor,
    host::{HostCell, WrappedCell},
};

use crate::lab::root;

/// The losses of 50 updates of a few sequences, in nats.
fn losses(file: &Path, registry: &Registry, device: &str, dtype: &str) -> Vec<f64> {
    let set = [format!("backend.device={device}"), format!("backend.dtype={dtype}"), "train.batch=4".to_owned()];
    let experiment = reading::read(file, &set, registry).unwrap_or_else(|error| panic!("{error}"));
    let data = Data::open(&experiment, Path::new("."), registry, None).unwrap();
    let mut network = Network::new(experiment, data.vocabulary.clone(), registry).unwrap();
    assert_eq!(network.remark, None, "{} is compiled", file.display());
    for step in 0..50 {
        network.executor.train(&data.train.batch(step), &Streams::new(1, step), 0.003).unwrap();
    }
    network.executor.losses().unwrap()
}

/// Makes sure that both executors compute the same losses of an experiment file, and that they fall.
#[track_caller]
pub(crate) fn agrees(file: &Path, registry: &Registry, dtype: &str, tolerance: f64) {
    let [compiled, burn] = ["cpu", "flex"].map(|device| losses(file, registry, device, dtype));
    let apart = compiled.iter().zip(&burn).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
    println!("{} in {dtype}: apart by {apart:e}", file.display());
    assert!(apart <= tolerance, "{} in {dtype}: apart by {apart:e}", file.display());
    let sum = |losses: &[f64]| losses.iter().sum::<f64>();
    assert!(sum(&compiled[40..]) < sum(&compiled[..10]), "{} in {dtype}: {compiled:?}", file.display());
}

/// Would catch: an executor that draws other noise, derives at another time, or knows a wrapper otherwise than the other.
#[test]
fn layers_of_their_own_agree_on_both_executors() {
    let (file, registry) = (root().join("experiments/wrappers.toml"), hatchery_cli::registry().unwrap());
    agrees(&file, &registry, "f64", 1e-12);
    agrees(&file, &registry, "f32", 1e-4);
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
    refused("[cell]\ntype = \"gru\"\nhidden = 8\nwrap = [\"residul\"]\n", &["residul", "residual"]);
}

/// Would catch: a wrapper that is taken for a cell, or a cell for a wrapper, without a word on how they go together.
#[test]
fn a_wrapper_needs_a_cell() {
    refused(
        "[cell]\ntype = \"residual\"\n",
        &["there is no cell named `residual`", "layers.toml:6:8", "stands around a cell", "`wrap = [\"residual\"]`"],
    );
    refused("[[layer]]\ntype = \"zoneout\"\nkeep = 0.9\n", &["no cell named `zoneout`", "`wrap = [\"zoneout\"]`"]);
    refused("[cell]\nwrap = [\"residual\"]\n", &["missing key `type` in [cell]", "layers.toml:5", "known cells: "]);
    refused(
        "[cell]\ntype = \"gru\"\nhidden = 8\nwrap = [{ type = \"lstm\", hidden = 8 }]\n",
        &["there is no wrapper named `lstm`", "known wrappers: attention"],
    );
}

/// Would catch: a tied head that fails when the first logits are computed.
#[test]
fn a_tied_head_needs_an_embedding_as_wide_as_the_output() {
    let cell = "[cell]\ntype = \"gru\"\nhidden = 8\n";
    refused(
        &format!("[model]\nhead = \"tied\"\n{cell}"),
        &["`head = \"tied\"` in [model] without an embedding", "layers.toml:6:8", "set `embedding` in [model]"],
    );
    let other = format!("[model]\nembedding = 16\nhead = \"tied\"\n{cell}");
    refused(
        &other,
        &[
            "a tied head on an output of width 8, and the embedding is 16 wide",
            "layers.toml:7:8",
            "put `{ type = \"projection\", width = 16 }` last in the `wrap` of the last layer",
        ],
    );
    let registry = hatchery_cli::registry().unwrap();
    let projected = format!("{BASE}{other}wrap = [{{ type = \"projection\", width = 16 }}]\n");
    assert!(reading::from_text(&projected, "layers.toml", &[], &registry).is_ok(), "the hint leads on");
    refused("[model]\nhead = \"mixture\"\n[cell]\ntype = \"gru\"\nhidden = 8\n", &["\"mixture\" for `head`", "linear"]);
    refused(
        "[model]\nhead = { mixture = 1 }\n[cell]\ntype = \"gru\"\nhidden = 8\n",
        &["`mixture` in [model.head]", "at least 2"],
    );
}

/// A cell with a parameter that is named as one of the wrapper `highway`.
struct Named;

impl hatchery_plugin::Cell for Named {
    fn params(&self, inputs: usize) -> Vec<hatchery_plugin::ParamSpec> {
        vec![hatchery_plugin::weight("highway.w", [inputs, inputs])]
    }

    fn state(&self, _: usize) -> Vec<hatchery_plugin::StateSpec> {
        vec![]
    }

    fn outputs(&self, inputs: usize) -> usize {
        inputs
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        (hatchery_plugin::linear_no_bias(x, params.get("highway.w")), state)
    }
}

/// Would catch: two matrices of one name, of which a checkpoint keeps one.
#[test]
fn names_that_collide_are_refused() {
    let highway = Box::new(hatchery_cells::Highway { bias: -1.0 });
    let wrapped = WrappedCell::new("highway.".to_owned(), highway, Box::new(Named));
    let refusal = wrapped.declare(4).unwrap_err();
    assert!(refusal.message.contains("has a matrix `highway.w`"), "{refusal}");
    assert_eq!(refusal.hint.as_deref(), Some("give that of the cell another name"));
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
