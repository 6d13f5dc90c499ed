//! `hatchery train`: from an experiment file to a run directory.

use std::{path::Path, time::Instant};

use hatchery::{
    batches::Data,
    error::{Error, Result},
    experiment::{Experiment, read},
    network::Network,
    run::{
        checkpoint::{self, Progress},
        directory::{self, RunDirectory},
        environment::Environment,
        log::{self, Metric},
        picture::{Histogram, Series, histogram_svg, loss_curve},
        replace,
    },
    text::{self, Vocabulary},
    train::{Ending, Training},
};

use super::{overrides, registry};
use crate::{arguments::Train, progress::Display};

pub(crate) fn run(arguments: &Train) -> Result<()> {
    let overrides = overrides(&arguments.overrides, arguments.device.as_deref());
    let registry = registry(&arguments.libraries, &read::libraries(&arguments.experiment, &overrides)?)?;
    let mut experiment = read::read(&arguments.experiment, &overrides, &registry)?;
    let folder = arguments.experiment.parent().unwrap_or(Path::new("."));
    let start = match &arguments.from {
        Some(run) => Some(checkpoint::read(&directory::resolve(Some(run), &arguments.runs)?.checkpoint())?),
        None => None,
    };
    // What was learned belongs to symbols: those of the checkpoint stay.
    let vocabulary = start.as_ref().map(|start| Vocabulary::from_text(&start.meta.vocabulary, &experiment.vocabulary));
    let data = Data::open(&experiment, folder, &registry, vocabulary.transpose()?)?;
    experiment.dataset.corpus = text::seen_from_here(&experiment.dataset.corpus, folder);
    let mut network = Network::new(experiment, data.vocabulary.clone(), &registry)?;
    if let Some(start) = start {
        // A state carried over belongs to the place in the text where the other training stood.
        let tensors: Vec<_> =
            start.tensors.into_iter().filter(|tensor| !tensor.name.starts_with(checkpoint::STATE)).collect();
        network.executor.load(&tensors)?;
    }
    super::remark(&network);

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
    let ending = training.run(display);
    let seconds = start.elapsed().as_secs_f64();
    let finished = matches!(ending, Ok(Ending::Finished));
    environment.end(training.progress.updates, seconds, finished);
    environment.write(&directory.environment())?;
    draw(directory, &experiment)?;
    draw_lengths(directory, &experiment, data)?;
    display.finished(&training, ending?, seconds);
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

/// The picture of the lengths of what is trained on, if they differ.
fn draw_lengths(directory: &RunDirectory, experiment: &Experiment, data: &Data) -> Result<()> {
    let lengths = data.train.facts().lengths;
    if lengths.len() < 2 {
        return Ok(());
    }
    let all = lengths.iter().flat_map(|(&length, &count)| std::iter::repeat_n(length as f64, count));
    let picture = histogram_svg(&Histogram::of(all, 25), &experiment.name, "symbols of a sequence");
    replace::text(&directory.path().join("lengths.svg"), &picture)
}

fn dtype(experiment: &Experiment) -> &'static str {
    match experiment.backend.dtype {
        hatchery::experiment::Dtype::F32 => "f32",
        hatchery::experiment::Dtype::F64 => "f64",
    }
}
