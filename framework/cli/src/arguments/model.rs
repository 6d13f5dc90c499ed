//! What is asked of a trained model.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ModelArguments;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hatchery sample\n  hatchery sample runs/dinosaurs/001 --prefix tri --count 10\n  \
    hatchery sample --temperature 0.2,0.5,1.0 --seed 7\n  \
    hatchery sample --sampler top-k:k=5 --sampler temperature:temperature=0.8\n  \
    hatchery sample --prefix tri --next 5\n  hatchery sample sonnets --interactive"
)]
pub(crate) struct Sample {
    /// A run's folder or a checkpoint file; the newest run if it is left out
    pub(crate) run: Option<PathBuf>,
    /// What every sample begins with
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,
    /// How many samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) count: Option<u64>,
    /// Characters after which a sample ends at the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) length: Option<u64>,
    /// The seed of the draws
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Sample at these temperatures, in place of the file's samplers
    #[arg(long, value_name = "T", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) temperature: Vec<f64>,
    /// Sample through this sampler, in place of the file's: its name and keys; several make a chain
    #[arg(long, value_name = "NAME[:KEY=VALUE,..]", conflicts_with = "temperature")]
    pub(crate) sampler: Vec<String>,
    /// Ask for the beginning of each sample and show its characters as they are drawn
    #[arg(long, conflicts_with_all = ["prefix", "count", "json", "next", "novelty"])]
    pub(crate) interactive: bool,
    /// Instead of samples, print the N most likely next characters with their probabilities
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["temperature", "sampler", "count", "length"])]
    pub(crate) next: Option<u64>,
    /// Report how much of the samples is copied from the training data
    #[arg(long, conflicts_with = "next")]
    pub(crate) novelty: bool,
    /// Print one JSON object a sample
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: ModelArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery eval\n  hatchery eval runs/dinosaurs/001 --split train --json\n  \
    hatchery eval makemore-names --baseline unigram,bigram\n  \
    hatchery eval --experiment experiments/makemore-names.toml --baseline bigram")]
pub(crate) struct Eval {
    /// A run's folder or a checkpoint file; the newest run if it is left out
    pub(crate) run: Option<PathBuf>,
    /// Which split; by default validation, or training where nothing is held out
    #[arg(long, value_name = "SPLIT")]
    pub(crate) split: Option<Split>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Measure models that only count beside it, on the same split
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) baseline: Vec<Baseline>,
    /// What is added to every count of a baseline, so that what was never seen is not impossible
    #[arg(long, value_name = "COUNT", default_value_t = 1.0, requires = "baseline")]
    pub(crate) smoothing: f64,
    /// Measure only the baselines, on the data of this experiment file, without a model
    #[arg(long, value_name = "FILE", conflicts_with = "run", requires = "baseline")]
    pub(crate) experiment: Option<PathBuf>,
    /// The seed of the run's splits, in place of the recorded one
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) place: ModelArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// What the updates saw
    Train,
    /// What may guide choices
    Valid,
    /// What never guides a choice
    Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Baseline {
    /// Every symbol is equally likely
    Uniform,
    /// How often each symbol comes
    Unigram,
    /// How often each symbol follows each other one
    Bigram,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery gradients gradients-vanilla gradients-lstm --picture norms.svg\n  \
    hatchery gradients --updates dinosaurs/001")]
pub(crate) struct Gradients {
    /// Runs' folders or checkpoint files; the newest run if they are left out
    #[arg(value_name = "RUNS")]
    pub(crate) chosen: Vec<PathBuf>,
    /// In place of dL/ds, the gradients of the parameters at every logged update, before and after the clippers
    #[arg(long, conflicts_with = "untrained")]
    pub(crate) updates: bool,
    /// With the first values of the parameters, as before training
    #[arg(long)]
    pub(crate) untrained: bool,
    /// Draw the norms as an SVG
    #[arg(long, value_name = "FILE", alias = "svg", value_parser = super::picture())]
    pub(crate) picture: Option<PathBuf>,
    /// Print one JSON object a curve
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: ModelArguments,
}
