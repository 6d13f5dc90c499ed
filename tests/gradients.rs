//! The norms of `hatchery gradients`, against differences of losses: the state in the middle of a sequence is moved a little,
//! and the rest of the sequence is run from there.

use std::sync::Arc;

use hatchery::{
    data::{Batch, Data},
    experiment::reading,
    inspect::gradients::flow,
    network::Network,
    random::Streams,
    tensors::{NamedTensor, Values},
};

use crate::lab::{Lab, TINY, root};

/// Tokens of one row, of which only the last prediction counts.
const TOKENS: [u32; 7] = [20, 18, 9, 3, 5, 18, 1];

/// Catches a path through the state that is cut, a loss of the wrong step, and distances that are off by one.
#[test]
fn norms_are_those_of_differences() {
    for cell in ["vanilla", "lstm", "gru"] {
        for layers in [1, 2] {
            let mut network = network(cell, layers);
            let registry = hatchery_cli::registry().unwrap();
            let flows = flow(&network, &batch(0, TOKENS.len() - 1), &registry).unwrap();
            assert_eq!(flows.len(), layers * if cell == "lstm" { 2 } else { 1 });
            for found in &flows {
                assert_eq!(found.norms.len(), TOKENS.len() - 2, "{cell}: as many states as steps but the last");
                for (index, norm) in found.norms.iter().enumerate() {
                    let split = TOKENS.len() - 2 - index;
                    let expected = difference(&mut network, split, &found.vector);
                    let error = (norm - expected).abs() / expected.max(1e-6);
                    assert!(error < 1e-5, "{cell}, {} {} steps back: {norm}, not {expected}", found.vector, index + 1);
                }
            }
        }
    }
}

/// Norms are those of the parameters before training when they are asked for, and of those after it otherwise.
#[test]
fn the_command_prints_both_kinds() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    let [trained, untrained] = ["gradients", "gradients --untrained"].map(|line| lab.ok(line));
    assert!(trained.contains("(1) tiny") && trained.contains("steps before the prediction"), "{trained}");
    assert_ne!(trained, untrained);
    let updates = lab.ok("gradients --updates --json --picture norms.svg");
    let rows = lab.rows("runs/tiny/001/metrics.jsonl");
    let first: serde_json::Value = serde_json::from_str(updates.lines().next().unwrap()).unwrap();
    assert_eq!(first["norms"][0][1], rows[0]["gradient_norm"]);
    assert!(lab.text("norms.svg").starts_with("<svg"));
    let table = lab.ok("gradients --updates");
    let last = rows.last().unwrap()["step"].to_string();
    assert_eq!(table.lines().last().unwrap().split(' ').next(), Some(last.as_str()), "the end is left out:\n{table}");
}

/// The norm of dL/ds at the state after `split` steps, by central differences.
fn difference(network: &mut Network, split: usize, vector: &str) -> f64 {
    let fresh: Vec<NamedTensor> = parameters(network);
    network.executor.load(&fresh).unwrap();
    loss(network, &batch(0, split));
    let there = network.executor.save().unwrap();
    let name = format!("state.{vector}");
    let width = there.iter().find(|named| named.name == name).map_or(0, |named| named.values.len());
    assert!(width > 0, "no `{name}` is carried");
    let step = 1e-5;
    let mut squares = 0.0;
    for entry in 0..width {
        let [above, below] = [step, -step].map(|by| {
            let mut moved = there.clone();
            let state = moved.iter_mut().find(|named| named.name == name).unwrap();
            let Values::F64(values) = &mut state.values else { panic!("64 bits are asked for") };
            values[entry] += by;
            network.executor.load(&moved).unwrap();
            loss(network, &batch(split, TOKENS.len() - 1))
        });
        squares += ((above - below) / (2.0 * step)).powi(2);
    }
    squares.sqrt()
}

fn parameters(network: &Network) -> Vec<NamedTensor> {
    network.executor.save().unwrap().into_iter().filter(|named| named.name.starts_with("parameters.")).collect()
}

/// The loss of a batch, by an update that changes nothing.
fn loss(network: &mut Network, batch: &Batch) -> f64 {
    network.executor.train(batch, &Streams::new(1, 0), 0.0).unwrap();
    network.executor.losses().unwrap()[0]
}

/// The steps from `from` to `to`; the last one counts. What does not begin at 0 goes on from the state that is there.
fn batch(from: usize, to: usize) -> Batch {
    let steps = to - from;
    let mut counted = vec![false; steps];
    counted[steps - 1] = true;
    Batch {
        rows: 1,
        steps,
        inputs: TOKENS[from..to].to_vec(),
        targets: TOKENS[from + 1..=to].to_vec(),
        counted,
        divisor: 1.0,
        continues: from > 0,
    }
}

fn network(cell: &str, layers: usize) -> Network {
    let registry = hatchery_cli::registry().unwrap();
    let overrides = [
        format!("cell.type={cell}"),
        format!("model.layers={layers}"),
        "cell.hidden=4".to_owned(),
        "backend.dtype=f64".to_owned(),
        r#"optimizer={type="sgd", learning-rate=0.1}"#.to_owned(),
    ];
    let experiment = reading::from_text(TINY, "tiny.toml", &overrides, &registry).unwrap();
    let data = Data::open(&experiment, &root(), &registry, None).unwrap();
    Network::new(experiment, Arc::clone(&data.vocabulary), &registry).unwrap()
}
