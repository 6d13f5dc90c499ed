//! Budgets: the updates of a trial, from steps, characters, seconds or floating-point operations.

use std::time::{Duration, Instant};

use super::file::Budget;
use crate::{
    data::Data,
    error::{Error, Problem, Result},
    experiment::Experiment,
    network::Network,
    plugins::Registry,
    random::Streams,
};

/// Batches from which the mean is taken.
const BATCHES: u64 = 200;
/// Updates before the measurement.
const WARM_UP: u64 = 3;
/// Time of the measurement, and its updates at least.
const MEASURED: (Duration, u64) = (Duration::from_millis(300), 5);

impl Budget {
    /// # Errors
    /// When it has no unit, or more than one.
    pub(super) fn check(&self) -> std::result::Result<(), Problem> {
        let units = [self.steps.is_some(), self.characters.is_some(), self.seconds.is_some(), self.flops.is_some()];
        match units.iter().filter(|is_given| **is_given).count() {
            1 => Ok(()),
            given => Err(Problem::new(format!("[budget] has {given} units, not one"))
                .note("units: steps, characters, seconds, flops")
                .hint("for example [budget] steps = 1000")),
        }
    }
}

/// The updates of a trial of this experiment; without a budget those of its `train.steps` or `train.epochs`.
///
/// # Errors
/// When the operations are not counted, and when the device fails.
pub(super) fn updates(
    budget: Option<Budget>,
    experiment: &Experiment,
    data: &Data,
    registry: &Registry,
) -> Result<u64> {
    let network = || Network::new(experiment.clone(), data.vocabulary.clone(), registry);
    let updates = match budget {
        None => return Ok(data.train.updates(&experiment.train)),
        Some(Budget { steps: Some(steps), .. }) => return Ok(steps),
        Some(Budget { characters: Some(characters), .. }) => characters as f64 / characters_of_update(data),
        Some(Budget { seconds: Some(seconds), .. }) => seconds / seconds_of_update(&mut network()?, data)?,
        Some(Budget { flops, .. }) => flops.unwrap_or_default() / operations_of_update(&mut network()?, data)?,
    };
    Ok((updates.round() as u64).max(1))
}

fn characters_of_update(data: &Data) -> f64 {
    let batches = BATCHES.min(data.train.steps_per_epoch()).max(1);
    let counted: u64 = (0..batches).map(|step| data.train.batch(step).counted()).sum();
    counted as f64 / batches as f64
}

fn train(network: &mut Network, data: &Data, step: u64) -> Result<()> {
    let (rate, seed) = (network.experiment.optimizer.learning_rate(), network.experiment.seed);
    network.executor.train(&data.train.batch(step), &Streams::new(seed, step), rate)
}

fn seconds_of_update(network: &mut Network, data: &Data) -> Result<f64> {
    (0..WARM_UP).try_for_each(|step| train(network, data, step))?;
    network.executor.losses()?;
    let (begun, mut done) = (Instant::now(), 0);
    while done < MEASURED.1 || begun.elapsed() < MEASURED.0 {
        train(network, data, WARM_UP + done)?;
        network.executor.losses()?;
        done += 1;
    }
    Ok(begun.elapsed().as_secs_f64() / done as f64)
}

fn operations_of_update(network: &mut Network, data: &Data) -> Result<f64> {
    let batches = BATCHES.min(data.train.steps_per_epoch()).clamp(1, 20);
    (0..batches).try_for_each(|step| train(network, data, step))?;
    let products = network.executor.products().filter(|products| products.operations > 0);
    let Some(products) = products else {
        return Err(Error::from(
            Problem::new("the floating-point operations of this model are not counted: it is not compiled")
                .note(network.remark.clone().unwrap_or_default())
                .hint("give the budget in steps, characters or seconds"),
        ));
    };
    Ok(products.operations as f64 / batches as f64)
}
