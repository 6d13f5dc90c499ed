//! What an experiment demands of the machine and of its text, looked at before it trains.

use crate::{
    data::Data,
    error::Result,
    executor::memory,
    experiment::{Experiment, Schedule},
    model::Model,
    plugins::Registry,
};

/// Makes sure that a training has a chance to fit its device, before anything is
/// set aside for it.
///
/// # Errors
/// When it has not.
pub fn fits(experiment: &Experiment, data: &Data, registry: &Registry) -> Result<()> {
    let model = Model::new(experiment, registry, data.vocabulary.len())?;
    let (rows, steps) = data.train.largest_batch();
    memory::fits_training(&model, experiment, rows, steps)
}

/// What an experiment asks for and its data or its length do not allow, in sentences. It trains all the same.
pub fn notes(experiment: &Experiment, data: &Data) -> Vec<String> {
    let mut notes = Vec::new();
    let (wanted, most) = (experiment.train.batch, data.train.count());
    if most < wanted {
        notes.push(format!("each step trains on {most} sequences, as there are no more: train.batch is {wanted}"));
    }
    let updates = data.train.updates(&experiment.train);
    if let Schedule::Cosine { warmup, .. } | Schedule::Linear { warmup, .. } = experiment.schedule
        && warmup >= updates
    {
        notes.push(format!(
            "the learning rate never reaches optimizer.learning-rate: schedule.warmup is {warmup}, and there are \
             {updates} updates"
        ));
    }
    notes
}
