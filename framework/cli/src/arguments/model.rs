//! Commands on a trained model.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ModelArguments;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hatchery sample\n  hatchery sample runs/dinosaurs/001 --prefix tri --count 10\n  \
    hatchery sample --temperature 0.2,0.5,1.0 --seed 7\n  \
    hatchery sample -n 5 -t 0.8 --top-k 5\n  \
    hatchery sample --sampler typical:mass=0.9 --sampler no-repeat:n=4\n  \
    hatchery sample --prefix tri --next 5\n  hatchery sample --prefix tri --beam 5\n  \
    hatchery sample dinosaurs/001 dinosaurs/002\n  hatchery sample sonnets --interactive"
)]
pub(crate) struct Sample {
    /// A run's folder or a checkpoint file; by default the newest run. The logits of several are averaged
    #[arg(value_name = "RUN")]
    pub(crate) chosen: Vec<PathBuf>,
    /// The beginning of every sample
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,
    /// The number of samples
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
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
    #[arg(long, short, value_name = "T", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) temperature: Vec<f64>,
    /// Use this sampler, its name and keys, in place of the file's; may be repeated to form a chain
    #[arg(long, value_name = "NAME[:KEY=VALUE,..]", conflicts_with = "temperature")]
    pub(crate) sampler: Vec<String>,
    /// Keep the K most likely characters, in place of the file's samplers: as --sampler top-k:k=K
    #[arg(long, value_name = "K", conflicts_with = "sampler")]
    pub(crate) top_k: Option<u64>,
    /// Keep the most likely characters of probability P together, likewise: as --sampler top-p:p=P
    #[arg(long, value_name = "P", conflicts_with = "sampler")]
    pub(crate) top_p: Option<f64>,
    /// In place of samples, find the N most likely continuations by beam search, with −ln of their probabilities
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000), conflicts_with_all = ["temperature", "count", "seed", "interactive", "next", "novelty"])]
    pub(crate) beam: Option<u64>,
    /// Prompt for the beginning of each sample and print its characters as they are drawn
    #[arg(long, conflicts_with_all = ["prefix", "count", "json", "next", "novelty"])]
    pub(crate) interactive: bool,
    /// In place of samples, print the N most likely next characters with their probabilities
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["temperature", "sampler", "top_k", "top_p", "count", "length"])]
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
    hatchery eval dinosaurs --best\n  hatchery eval dinosaurs --text more-names.txt --dynamic\n  \
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
    /// Evaluate on another text, a file or the name of a corpus, in place of a split
    #[arg(long, value_name = "FILE", conflicts_with_all = ["split", "seed", "experiment"])]
    pub(crate) text: Option<String>,
    /// Leave out characters of --text that the vocabulary lacks, and count them
    #[arg(long, requires = "text")]
    pub(crate) skip_unknown: bool,
    /// Train on each sequence after it has been predicted, with SGD at this rate; the checkpoint stays as it is
    #[arg(long, value_name = "RATE", num_args = 0..=1, default_missing_value = "0.1", allow_negative_numbers = true, conflicts_with = "experiment")]
    pub(crate) dynamic: Option<f64>,
    /// Evaluate only the baselines, on the data of this experiment file
    #[arg(long, value_name = "FILE", conflicts_with = "run", requires = "baseline")]
    pub(crate) experiment: Option<PathBuf>,
    /// The seed of the splits, in place of the recorded one
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) place: ModelArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery score dinosaurs Triceratops\n  \
    cat names.txt | hatchery score dinosaurs - --rank\n  \
    hatchery score sonnets \"Shall I compare thee\" --picture surprise.svg\n\n\
    The surprise of a character is −ln of the probability that the model gave it, in nats; divided by ln 2 it is bits.\n\
    The end of a line counts where the model predicts it. The first character of a running text is not predicted.")]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Score {
    /// A run's folder or a checkpoint file
    pub(crate) run: PathBuf,
    /// The text, or `-` for standard input
    #[arg(allow_hyphen_values = true)]
    pub(crate) text: String,
    /// Leave out characters that the vocabulary lacks, and count them
    #[arg(long)]
    pub(crate) skip_unknown: bool,
    /// Sort the lines, the most surprising first, by bits per character
    #[arg(long)]
    pub(crate) rank: bool,
    /// Print every character with its surprise
    #[arg(long, conflicts_with = "rank")]
    pub(crate) characters: bool,
    /// Draw the text, its characters colored by their surprise
    #[arg(long, value_name = "FILE", value_parser = super::picture())]
    pub(crate) picture: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long, conflicts_with = "characters")]
    pub(crate) json: bool,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Write a page of HTML that runs the model in the browser: one file, without a server or a network
    #[command(
        after_help = "Examples:\n  hatchery export html\n  hatchery export html dinosaurs --best -o dinosaurs.html\n\n\
        Open the file in a browser: it completes texts, shows what may follow, how likely each character of\n\
        a text is, and the states of the cells as they read it. It computes in 64 bits, and its most likely\n\
        text is that of `hatchery sample --temperature 0`. Samplers of the experiment are replaced by the\n\
        page's temperature and top-p.\n\
        What follows # sets the page: dinosaurs.html#text=tri&temperature=0&length=40"
    )]
    Html(Html),
}

#[derive(Debug, Args)]
pub(crate) struct Html {
    /// A run's folder or a checkpoint file; by default the newest run
    pub(crate) run: Option<PathBuf>,
    /// The file to write; by default the experiment's name with `.html`, if there is no such file
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: ModelArguments,
}
