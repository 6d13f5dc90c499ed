//! How far two devices drift apart: one experiment, one seed, trained on each in step, parameter by parameter.
//!
//! Devices add numbers in different orders and round differently. The differences begin at the last digit and grow with
//! every update, the faster the more chaotic the training is; whether they matter is seen where a text first differs.

use std::sync::Arc;

use hatchery_plugin::{Sampler, Token};
use serde::Serialize;

use super::generate::{Limits, Request, generate};
use crate::{
    data::Data, error::Result, experiment::Experiment, network::Network, plugins::Registry, random::Stream,
    run::checkpoint::PARAMETERS, schedule, tensors::NamedTensor,
};

/// A device beside the reference, update by update.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// What the others are compared with.
    pub reference: String,
    /// The device.
    pub device: String,
    /// Names of the parameters, in the model's order.
    pub parameters: Vec<String>,
    /// Before the first update, and after each.
    pub points: Vec<Point>,
}

/// Two devices after the same number of updates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The number of updates.
    pub updates: u64,
    /// Loss of the last of them, on the reference and on the device; nothing before the first.
    pub losses: Option<[f64; 2]>,
    /// The largest absolute difference in each parameter.
    pub differences: Vec<f64>,
    /// What each writes when it always takes the most likely character.
    pub texts: [String; 2],
}

impl Point {
    /// The difference of the losses as a share of the reference's.
    pub fn relative_loss(&self) -> Option<f64> {
        self.losses.map(|[reference, other]| (other - reference).abs() / reference.abs())
    }

    /// The largest difference of all.
    pub fn largest(&self) -> f64 {
        self.differences.iter().copied().fold(0.0, f64::max)
    }
}

impl Drift {
    /// The updates after which the texts first differ.
    pub fn parting(&self) -> Option<&Point> {
        self.points.iter().find(|point| point.texts[0] != point.texts[1])
    }
}

/// Trains the experiment on each device in step, for that many updates, and compares each device with the first.
/// `experiments` are the same but for their devices; each writes `length` characters after every update.
///
/// # Errors
/// When a device is not there, or fails.
pub fn drift(
    experiments: Vec<Experiment>,
    data: &Data,
    registry: &Registry,
    updates: u64,
    length: usize,
    watch: &mut dyn FnMut(u64),
) -> Result<Vec<Drift>> {
    let mut networks = Vec::with_capacity(experiments.len());
    for experiment in experiments {
        let mut network = Network::new(experiment, Arc::clone(&data.vocabulary), registry)?;
        network.samplers = vec![Box::new(MostLikely)];
        networks.push(network);
    }
    let Some((reference, others)) = networks.split_first() else { return Ok(Vec::new()) };
    let names: Vec<_> = parameters(reference)?.into_iter().map(|named| named.name).collect();
    let mut drifts: Vec<_> = others
        .iter()
        .map(|network| Drift {
            reference: reference.experiment.backend.device.clone(),
            device: network.experiment.backend.device.clone(),
            parameters: names.iter().map(|name| name[PARAMETERS.len()..].to_owned()).collect(),
            points: Vec::new(),
        })
        .collect();
    for step in 0..=updates {
        let mut states = Vec::with_capacity(networks.len());
        for network in &mut networks {
            let loss = match step.checked_sub(1) {
                Some(step) => Some(update(network, data, step, updates)?),
                None => None,
            };
            states.push((loss, parameters_of(network)?, text(network, length)?));
        }
        let (reference, others) = states.split_first().expect("there is a reference");
        for (drift, other) in drifts.iter_mut().zip(others) {
            drift.points.push(Point {
                updates: step,
                losses: reference.0.zip(other.0).map(|(reference, other)| [reference, other]),
                differences: reference.1.iter().zip(&other.1).map(|(a, b)| difference(a, b)).collect(),
                texts: [reference.2.clone(), other.2.clone()],
            });
        }
        watch(step);
    }
    Ok(drifts)
}

/// Trains on one batch, as a training does, and returns its loss.
fn update(network: &mut Network, data: &Data, step: u64, updates: u64) -> Result<f64> {
    let experiment = &network.experiment;
    let batch = data.train.batch(step);
    let factor = schedule::factor(&experiment.schedule, step, updates, data.train.steps_per_epoch());
    let rate = experiment.optimizer.learning_rate() * factor;
    network.executor.train(&batch, Stream::new(experiment.seed, "dropout", step), rate)?;
    Ok(network.executor.losses()?[0] / batch.divisor)
}

fn parameters(network: &Network) -> Result<Vec<NamedTensor>> {
    let saved = network.executor.save()?;
    Ok(saved.into_iter().filter(|named| named.name.starts_with(PARAMETERS)).collect())
}

/// The parameters' numbers.
fn parameters_of(network: &Network) -> Result<Vec<Vec<f64>>> {
    Ok(parameters(network)?.iter().map(|named| named.values.to_f64()).collect())
}

/// The largest absolute difference; infinite where a number is not one.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    let apart = |(a, b): (&f64, &f64)| if (a - b).is_nan() { f64::INFINITY } else { (a - b).abs() };
    a.iter().zip(b).map(apart).fold(0.0, f64::max)
}

/// What the network writes when nothing is left to chance.
fn text(network: &mut Network, length: usize) -> Result<String> {
    let request = Request {
        prefix: network.experiment.sample.prefix.clone(),
        count: 1,
        length,
        seed: 0,
        occasion: "drift".to_owned(),
        capitalize: false,
        limits: Limits::default(),
    };
    Ok(generate(network, &request, &mut |_, _| ())?.remove(0).text)
}

/// Leaves only the most likely token, the first of several. There is a plugin that does so; the framework names none.
struct MostLikely;

impl Sampler for MostLikely {
    fn process(&self, logits: &mut [f64], _history: &[Token]) {
        let most = (0..logits.len()).reduce(|most, token| if logits[token] > logits[most] { token } else { most });
        let likely = |token| Some(token) == most;
        (0..logits.len()).filter(|&token| !likely(token)).for_each(|token| logits[token] = f64::NEG_INFINITY);
    }
}
