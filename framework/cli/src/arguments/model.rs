//! Commands on a trained model.

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
    /// A run's folder or a checkpoint file; by default the newest run
    pub(crate) run: Option<PathBuf>,
    /// The beginning of every sample
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,
    /// The number of samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) count: Option<u64>,
    /// The maximum length of a sample, in characters
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) length: Option<u64>,
    /// End a sample with this text; may be repeated
    #[arg(long, value_name = "TEXT", conflicts_with = "next")]
    pub(crate) stop: Vec<String>,
    /// The minimum length of a sample, in characters
    #[arg(long, value_name = "N", conflicts_with = "next")]
    pub(crate) min_length: Option<u64>,
    /// Characters that are not drawn
    #[arg(long, value_name = "CHARACTERS", conflicts_with = "next")]
    pub(crate) forbid: Option<String>,
    /// The random seed of the samples
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Sample at these temperatures, in place of the file's samplers
    #[arg(long, value_name = "T", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) temperature: Vec<f64>,
    /// Use this sampler, its name and keys, in place of the file's; may be repeated to form a chain
    #[arg(long, value_name = "NAME[:KEY=VALUE,..]", conflicts_with = "temperature")]
    pub(crate) sampler: Vec<String>,
    /// Prompt for the beginning of each sample and print its characters as they are drawn
    #[arg(long, conflicts_with_all = ["prefix", "count", "json", "next", "novelty"])]
    pub(crate) interactive: bool,
    /// In place of samples, print the N most likely next characters with their probabilities
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["temperature", "sampler", "count", "length"])]
    pub(crate) next: Option<u64>,
    /// Report how much of the samples is copied from the training data
    #[arg(long, conflicts_with = "next")]
    pub(crate) novelty: bool,
    /// Print one JSON object per sample
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
    /// A run's folder or a checkpoint file; by default the newest run
    pub(crate) run: Option<PathBuf>,
    /// The split; by default validation, or training if nothing is held out
    #[arg(long, value_name = "SPLIT")]
    pub(crate) split: Option<Split>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Also evaluate count models on the same split
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) baseline: Vec<Baseline>,
    /// Added to every count of a baseline, so that unseen symbols and pairs have a probability above 0
    #[arg(long, value_name = "COUNT", default_value_t = 1.0, requires = "baseline")]
    pub(crate) smoothing: f64,
    /// Evaluate only the baselines, on the data of this experiment file
    #[arg(long, value_name = "FILE", conflicts_with = "run", requires = "baseline")]
    pub(crate) experiment: Option<PathBuf>,
    /// The seed of the splits, in place of the recorded one
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) place: ModelArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// Used for updates
    Train,
    /// Used for choices, such as the best checkpoint
    Valid,
    /// Used for nothing else
    Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Baseline {
    /// All symbols have the same probability
    Uniform,
    /// Frequencies of symbols
    Unigram,
    /// Frequencies of pairs of symbols
    Bigram,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery gradients gradients-vanilla gradients-lstm --picture norms.svg\n  \
    hatchery gradients --updates dinosaurs/001")]
pub(crate) struct Gradients {
    /// Runs' folders or checkpoint files; by default the newest run
    #[arg(value_name = "RUNS")]
    pub(crate) chosen: Vec<PathBuf>,
    /// Show parameter gradients at every logged update, before and after the clippers, in place of dL/ds
    #[arg(long, conflicts_with = "untrained")]
    pub(crate) updates: bool,
    /// Use the first values of the parameters, as before training
    #[arg(long)]
    pub(crate) untrained: bool,
    /// Draw the norms as an SVG
    #[arg(long, value_name = "FILE", alias = "svg", value_parser = super::picture())]
    pub(crate) picture: Option<PathBuf>,
    /// Print one JSON object per curve
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: ModelArguments,
}
