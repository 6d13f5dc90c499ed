//! `hatchery train`: from an experiment file to a run directory.

use std::{path::Path, time::Instant};

use hatchery::{
    batches::Data,
    error::{Error, Result},
    experiment::{Experiment, read},
    network::Network,
    run::{
        checkpoint::Progress,
        directory::RunDirectory,
        environment::Environment,
        log::{self, Metric},
        picture::{Series, loss_curve},
    },
    train::{Ending, Training},
};

use super::{overrides, registry};
use crate::{arguments::Train, progress::Display};

pub(crate) fn run(arguments: &Train) -> Result<()> {
    let overrides = overrides(&arguments.overrides, arguments.device.as_deref());
    let registry = registry(&arguments.libraries, &read::libraries(&arguments.experiment, &overrides)?)?;
    let experiment = read::read(&arguments.experiment, &overrides, &registry)?;
    let folder = arguments.experiment.parent().unwrap_or(Path::new("."));
    let data = Data::open(&experiment, folder, &registry, None)?;
    let network = Network::new(experiment, data.vocabulary.clone(), &registry)?;

    let directory = RunDirectory::create(&arguments.runs, &network.experiment.name)?;
    let mut display = Display::new(&arguments.progress, &network, &data);
    match train(network, &data, &directory, &mut display) {
        Ok(()) => {
            println!("{}", directory.path().display());
            Ok(())
        }
        Err(error) => {
            if !directory.checkpoint().exists() && !directory.metrics().exists() {
                directory.discard()?;
            }
            Err(error)
        }
    }
}

fn train(network: Network, data: &Data, directory: &RunDirectory, display: &mut Display) -> Result<()> {
    let experiment = network.experiment.clone();
    std::fs::write(directory.experiment(), experiment.to_toml())
        .map_err(|error| Error::internal(format!("cannot write {}", directory.experiment().display()), error))?;
    let mut environment = Environment::begin(&experiment.backend.device, dtype(&experiment), std::env::args());
    environment.write(&directory.environment())?;

    let progress = Progress::start(&experiment.train.smoothing, network.vocabulary.len());
    let mut training = Training {
        network,
        data,
        progress,
        directory,
        metrics: log::Log::open(directory.metrics())?,
        samples: log::Log::open(directory.samples())?,
    };
    let start = Instant::now();
    let ending = training.run(display)?;
    let seconds = start.elapsed().as_secs_f64();
    environment.end(training.progress.updates, seconds, ending == Ending::Finished);
    environment.write(&directory.environment())?;
    draw(directory, &experiment)?;
    display.finished(&training, ending, seconds);
    Ok(())
}

/// The picture of the losses.
fn draw(directory: &RunDirectory, experiment: &Experiment) -> Result<()> {
    let metrics: Vec<Metric> = log::read(&directory.metrics())?;
    let nats = |bits: f64| bits * std::f64::consts::LN_2;
    let train = metrics.iter().map(|metric| (metric.step as f64, nats(metric.bits_per_character))).collect();
    let valid: Vec<_> = metrics
        .iter()
        .filter_map(|metric| Some((metric.step as f64, metric.valid.as_ref()?.nats_per_character)))
        .collect();
    let mut series = vec![Series { label: "training".to_owned(), points: train }];
    if !valid.is_empty() {
        series.push(Series { label: "validation".to_owned(), points: valid });
    }
    let picture = loss_curve(&series, &experiment.name, "nats per character");
    std::fs::write(directory.picture(), picture)
        .map_err(|error| Error::internal(format!("cannot write {}", directory.picture().display()), error))
}

fn dtype(experiment: &Experiment) -> &'static str {
    match experiment.backend.dtype {
        hatchery::experiment::Dtype::F32 => "f32",
        hatchery::experiment::Dtype::F64 => "f64",
    }
}
