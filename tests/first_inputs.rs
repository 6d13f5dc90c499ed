//! Sampling, evaluation and training condition on the same first inputs: what follows a prefix is as likely when it is
//! sampled as when it is evaluated.

use hatchery::{data::Batch, inspect::generate::likely, network::Network, run::checkpoint};

use crate::lab::{Lab, TINY};

/// The network of the newest run in a lab.
fn network(lab: &Lab) -> Network {
    let checkpoint = checkpoint::read(&lab.path("runs/tiny/001/checkpoint.safetensors")).unwrap();
    Network::restore(&checkpoint, &[], &hatchery_cli::registry().unwrap()).unwrap().0
}

/// A network of a running text.
fn trained(dataset: &str, device: &str) -> Network {
    let text = "to be or not to be, that is the question\n".repeat(30);
    let own = TINY.replace("type = \"lines\"\ncorpus = \"dinosaurs\"", &format!("{dataset}\ncorpus = \"text.txt\""));
    let lab = Lab::new().with("text.txt", text).with("text.toml", own);
    lab.ok(&format!("train text.toml --quiet --device {device}"));
    network(&lab)
}

/// −ln p of `target` after `inputs`, from the starting state, as training and evaluation compute it.
fn evaluated(network: &mut Network, inputs: &[u32], target: u32) -> f64 {
    let steps = inputs.len();
    let mut counted = vec![false; steps];
    counted[steps - 1] = true;
    let batch = Batch {
        rows: 1,
        steps,
        inputs: inputs.to_vec(),
        targets: vec![target; steps],
        counted,
        divisor: 1.0,
        continues: false,
    };
    network.executor.evaluate(&batch).unwrap().nats
}

/// Would catch: a vector of zeros before the prefix that the model never saw in training, which gives other probabilities
/// than those of the framework that a model was imported from.
#[test]
fn what_follows_a_prefix_is_as_likely_as_in_training() {
    for dataset in ["type = \"stream\"\nsteps = 10", "type = \"windows\"\nlength = 10\npredict = \"all\""] {
        for device in ["cpu", "flex"] {
            let mut network = trained(dataset, device);
            for prefix in ["t", "to be", "question\nto"] {
                let tokens = network.vocabulary.encode(prefix, 0).unwrap();
                for (symbol, probability) in likely(&mut network, prefix).unwrap().into_iter().take(3) {
                    let target = network.vocabulary.token(symbol).unwrap();
                    let nats = evaluated(&mut network, &tokens, target);
                    assert!((probability.ln() + nats).abs() < 1e-5, "{dataset}, {device}, {prefix:?}: {probability}");
                }
            }
            // Without a prefix, as after a line end.
            assert_eq!(likely(&mut network, "").unwrap(), likely(&mut network, "\n").unwrap());
        }
    }
}

/// Documents begin as they are trained: with the vector of zeros, or with their start symbol.
#[test]
fn documents_begin_as_in_training() {
    for (keys, first) in [("", None), ("start = \"^\"\n", Some('^'))] {
        let own = TINY.replace("corpus = \"dinosaurs\"\n", &format!("corpus = \"dinosaurs\"\n{keys}"));
        let lab = Lab::new().with("own.toml", own);
        lab.ok("train own.toml --quiet");
        let mut network = network(&lab);
        let first = first.map_or(network.vocabulary.none(), |symbol| network.vocabulary.token(symbol).unwrap());
        for prefix in ["", "tri"] {
            let inputs = [vec![first], network.vocabulary.encode(prefix, 0).unwrap()].concat();
            let (symbol, probability) = likely(&mut network, prefix).unwrap()[0];
            let target = network.vocabulary.token(symbol).unwrap();
            assert!((probability.ln() + evaluated(&mut network, &inputs, target)).abs() < 1e-5, "{prefix:?}");
        }
    }
}

/// Models of the character after a window see one window, filled up with vectors of zeros, in training's own length.
#[test]
fn a_whole_window_is_read_as_in_training() {
    let mut network = trained("type = \"windows\"\nlength = 5\npredict = \"last\"", "cpu");
    let tokens = network.vocabulary.encode("o be or", 0).unwrap();
    let (symbol, probability) = likely(&mut network, "o be or").unwrap()[0];
    let target = network.vocabulary.token(symbol).unwrap();
    assert!((probability.ln() + evaluated(&mut network, &tokens[2..], target)).abs() < 1e-5);
}
