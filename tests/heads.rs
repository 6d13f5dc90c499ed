//! Heads: what makes logits of the last layer's output. Both executors against `PyTorch`, and against each other.

use hatchery::{
    data::{Batch, Vocabulary},
    experiment::reading,
    import::keras,
    network::Network,
    random::Streams,
    tensors::{NamedTensor, Values},
};
use hatchery_compile::Totals;
use serde_json::{Map, Value};

use crate::import::{model_file, small};

/// A network over six symbols, in 64 bits.
fn network(device: &str, tables: &str) -> Network {
    let registry = hatchery_cli::registry().unwrap();
    let text = format!(
        "name = \"heads\"\ndataset = {{ type = \"lines\", corpus = \"dinosaurs\" }}\nbackend = {{ device = \"{device}\", \
         dtype = \"f64\" }}\noptimizer = {{ type = \"sgd\", learning-rate = 1.0 }}\ntrain = {{ steps = 1 }}\n{tables}"
    );
    let experiment = reading::from_text(&text, "heads.toml", &[], &registry).unwrap_or_else(|error| panic!("{error}"));
    let vocabulary = Vocabulary::from_text("abcdef", &experiment.vocabulary).unwrap();
    let network = Network::new(experiment, vocabulary.into(), &registry).unwrap();
    assert_eq!(network.remark, None, "it is compiled");
    network
}

/// The parameters, by their names.
fn parameters(network: &Network) -> Vec<(String, Vec<f64>)> {
    let saved = network.executor.save().unwrap().into_iter();
    saved
        .filter_map(|tensor| Some((tensor.name.strip_prefix("parameters.")?.to_owned(), tensor.values.to_f64())))
        .collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The largest difference, relative to the largest number.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1e-3_f64, |scale, b| scale.max(b.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

const HEADS: [(&str, &str); 2] = [
    ("tied", "[model]\nembedding = 4\nhead = \"tied\"\n[cell]\ntype = \"vanilla\"\nhidden = 4\n"),
    ("mixture", "[model]\nembedding = 4\nhead = { mixture = 3 }\n[cell]\ntype = \"vanilla\"\nhidden = 5\n"),
];

/// Would catch: a formula that is not the paper's, and a tied matrix whose gradient is that of one of its two uses.
#[test]
fn heads_agree_with_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("golden/heads.json")).unwrap();
    let tokens = |name: &str| -> Vec<u32> {
        golden[name].as_array().unwrap().iter().flat_map(numbers).map(|token| token as u32).collect()
    };
    let batch = Batch {
        rows: 2,
        steps: 4,
        inputs: tokens("inputs"),
        targets: tokens("targets"),
        counted: vec![true; 8],
        divisor: 8.0,
        continues: false,
    };
    for (case, (head, tables)) in golden["cases"].as_array().unwrap().iter().zip(HEADS) {
        assert_eq!(case["head"], head);
        let table = |name: &str| case[name].as_object().unwrap().clone();
        let (params, gradients): (Map<_, _>, Map<_, _>) = (table("params"), table("gradients"));
        for device in ["cpu", "flex"] {
            let mut network = network(device, tables);
            let given: Vec<NamedTensor> = params
                .iter()
                .map(|(name, matrix)| {
                    let shape = numbers(&matrix["shape"]);
                    let name = format!("parameters.{name}");
                    NamedTensor {
                        name,
                        shape: [shape[0] as usize, shape[1] as usize],
                        values: Values::F64(numbers(&matrix["data"])),
                    }
                })
                .collect();
            network.executor.load(&given).unwrap();
            let nats = case["nats"].as_f64().unwrap();
            let Totals { nats: found, .. } = network.executor.evaluate(&batch).unwrap();
            assert!((found - nats).abs() < 1e-12 * nats, "{head} on {device}: {found}, expected {nats}");
            let before = parameters(&network);
            network.executor.train(&batch, &Streams::new(1, 0), 1.0).unwrap();
            assert_eq!(before.len(), gradients.len(), "{head} on {device}");
            for ((name, before), (_, after)) in before.iter().zip(parameters(&network)) {
                let moved: Vec<f64> = before.iter().zip(&after).map(|(before, after)| before - after).collect();
                let off = difference(&moved, &numbers(&gradients[name]["data"]));
                assert!(off < 1e-12, "{head} on {device}: the gradient of {name} is off by {off:e}");
            }
        }
    }
}

/// A batch of tokens that look random, of which some are the zero vector and some do not count.
fn batch(seed: u64, rows: usize, steps: usize) -> Batch {
    let mut stream = hatchery::random::Stream::new(seed, "tokens", 0);
    let mut token = |bound| (0..rows * steps).map(|_| stream.below(bound) as u32).collect::<Vec<_>>();
    let (inputs, targets) = (token(7), token(6));
    let counted: Vec<bool> = token(4).into_iter().map(|token| token > 0).collect();
    Batch { rows, steps, inputs, targets, counted, divisor: rows as f64, continues: true }
}

/// Would catch: what only several shards, several time blocks, steps that do not count, dropout before the head, a second
/// layer or generation show.
#[test]
fn heads_agree_on_both_executors() {
    let layers = "[[layer]]\ntype = \"gru\"\nhidden = 20\n[[layer]]\ntype = \"lstm\"\nhidden = 24\n";
    for tables in [
        format!("model = {{ embedding = 24, head = \"tied\", dropout = 0.2, dropout-last = true }}\n{layers}"),
        format!("model = {{ embedding = 24, head = {{ mixture = 4 }}, dropout = 0.2, dropout-last = true }}\n{layers}"),
        format!("model = {{ head = {{ mixture = 2 }} }}\n{layers}"),
    ] {
        let [mut compiled, mut burn] = ["cpu", "flex"].map(|device| network(device, &tables));
        for (step, (rows, steps)) in [(3, 5), (60, 21), (1, 140), (2, 3)].into_iter().enumerate() {
            let batch = batch(step as u64, rows, steps);
            for network in [&mut compiled, &mut burn] {
                network.executor.train(&batch, &Streams::new(1, step as u64), 0.05).unwrap();
            }
            let [norms, expected] =
                [&mut compiled, &mut burn].map(|network| network.executor.gradient_norms().unwrap().0);
            assert!((norms - expected).abs() < 1e-12 * expected, "{tables}: {norms}, expected {expected}");
            for ((name, found), (_, expected)) in parameters(&compiled).iter().zip(parameters(&burn)) {
                let off = difference(found, &expected);
                assert!(off < 1e-12, "{tables}: {name} is off by {off:e} after update {step}");
            }
        }
        let batch = batch(9, 5, 6);
        let [found, expected] = [&mut compiled, &mut burn].map(|network| network.executor.evaluate(&batch).unwrap());
        assert_eq!((found.correct, found.characters), (expected.correct, expected.characters));
        assert!((found.nats - expected.nats).abs() < 1e-12 * expected.nats, "{tables}: {found:?}, {expected:?}");
        for rows in [1, 40] {
            compiled.executor.begin(rows);
            burn.executor.begin(rows);
            for step in 0..3 {
                let tokens: Vec<u32> = (0..rows).map(|row| ((row + step) % 6) as u32).collect();
                let [found, expected] =
                    [&mut compiled, &mut burn].map(|network| network.executor.advance(&tokens).unwrap());
                assert!(difference(&found, &expected) < 1e-12, "{tables}: logits of {rows} sequences");
            }
        }
    }
}

/// Would catch: a mixture whose softmaxes are not weighted to one, so that its losses are no cross-entropies.
#[test]
fn a_mixture_is_a_distribution() {
    let mut network = network("cpu", HEADS[1].1);
    network.executor.begin(1);
    let sum: f64 = network.executor.advance(&[2]).unwrap().into_iter().map(f64::exp).sum();
    assert!((sum - 1.0).abs() < 1e-12, "{sum}");
}

/// Would catch: a dense layer of Keras that is read as a part of another head, or refused for its shape.
#[test]
fn a_dense_layer_is_no_other_head() {
    let folder = tempfile::tempdir().unwrap();
    let (experiment, vocabulary) = small(&["model.head={ mixture = 2 }"]);
    let file = model_file(folder.path(), vocabulary.len(), |_| (), &[]);
    let refused = keras(&file, experiment, vocabulary, &hatchery_cli::registry().unwrap()).err().unwrap().to_string();
    assert!(refused.contains("the experiment's head is another"), "{refused}");
    assert!(refused.contains("set model.head = \"linear\""), "{refused}");
    let (experiment, vocabulary) = small(&["model.head=linear"]);
    keras(&file, experiment, vocabulary, &hatchery_cli::registry().unwrap()).unwrap();
}
