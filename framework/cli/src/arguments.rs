//! The command line, as it is written in `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hatchery_plugin::Kind;

/// Experiments with recurrent character language models.
#[derive(Debug, Parser)]
#[command(name = "hatchery", version, arg_required_else_help = true)]
#[command(after_help = "Begin with:\n  hatchery train experiments/dinosaurs.toml\n  hatchery sample\n  hatchery eval")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train the model of an experiment file
    Train(Train),
    /// Kill a training on purpose, resume it, and compare it with one that was left alone
    ResumeTest(ResumeTest),
    /// Draw samples from a trained model
    Sample(Sample),
    /// Measure a trained model on a held-out split
    Eval(Eval),
    /// Check an experiment file and print it with every default filled in
    Check(Check),
    /// Measure how fast an experiment trains and generates
    Bench(Bench),
    /// The datasets, cells, clippers and samplers that experiments may name
    #[command(subcommand)]
    Plugins(Plugins),
    /// The runs so far
    #[command(subcommand)]
    Runs(Runs),
    /// The texts that experiments may name
    #[command(subcommand)]
    Data(Data),
    /// Print a script that completes this command's arguments in a shell
    #[command(
        after_help = "Example:\n  hatchery completions bash > ~/.local/share/bash-completion/completions/hatchery"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery train experiments/dinosaurs.toml\n  \
    hatchery train experiments/dinosaurs.toml --set cell.type=lstm --set train.steps=5000\n  \
    hatchery train --resume runs/dinosaurs/001\n\n\
    Ctrl-C finishes the step and writes a checkpoint; a second Ctrl-C stops at once.\n\
    The last line on standard output is the run's folder.")]
pub(crate) struct Train {
    /// The experiment file; with --resume it may be left out
    #[arg(required_unless_present = "resume")]
    pub(crate) experiment: Option<PathBuf>,
    /// Go on with a run that was cut short: its folder, or one of its checkpoints; without a value the newest
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "absent, without a value, with one")]
    pub(crate) resume: Option<Option<PathBuf>>,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Where tensors live, in place of the file's [backend] device
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    #[command(flatten)]
    pub(crate) progress: Progress,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hatchery resume-test experiments/dinosaurs.toml --steps 200")]
pub(crate) struct ResumeTest {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Steps before the kill; as many follow
    #[arg(long, value_name = "K", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) steps: u64,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Progress {
    /// Print nothing but the results
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// How progress is shown on standard error
    #[arg(long, value_name = "FORM", default_value = "auto", conflicts_with = "quiet")]
    pub(crate) progress: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A bar on a terminal, lines otherwise
    Auto,
    /// A line for every report
    Plain,
    /// A JSON object for every report
    Json,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hatchery sample\n  hatchery sample runs/dinosaurs/001 --prefix tri --count 10\n  \
    hatchery sample --temperature 0.2,0.5,1.0 --seed 7"
)]
pub(crate) struct Sample {
    /// A run's folder or a checkpoint file; the newest run if it is left out
    pub(crate) run: Option<PathBuf>,
    /// What every sample begins with
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,
    /// How many samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
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
    /// Print one JSON object a sample
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery eval\n  hatchery eval runs/dinosaurs/001 --split train --json")]
pub(crate) struct Eval {
    /// A run's folder or a checkpoint file; the newest run if it is left out
    pub(crate) run: Option<PathBuf>,
    /// Which split; by default validation, or training where nothing is held out
    #[arg(long, value_name = "SPLIT")]
    pub(crate) split: Option<Split>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// The seed of the run's splits, in place of the recorded one
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Where tensors live, in place of the recorded device
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
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

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hatchery check experiments/dinosaurs.toml --set cell.hidden=64")]
pub(crate) struct Check {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery bench experiments/dinosaurs.toml\n  \
    hatchery bench experiments/dinosaurs.toml --device cpu,flex --steps 100 --json\n\n\
    Each number is the median over the repeats. Only numbers taken on one machine, one right after the other, compare.")]
pub(crate) struct Bench {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Measure on these devices in turn, in place of the file's
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub(crate) device: Vec<String>,
    /// Training steps a repeat
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) steps: u64,
    /// Characters generated a repeat
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) characters: u64,
    /// Repeats, after one that is not counted
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeats: u64,
    /// Print one JSON object a device
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plugins {
    /// List them, by kind
    List,
    /// Keys, types, defaults and an example of one
    #[command(after_help = "Example:\n  hatchery plugins show cell lstm")]
    Show {
        /// dataset, cell, clipper or sampler
        #[arg(value_parser = kind)]
        kind: Kind,
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List them, oldest first
    List {
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
    },
    /// Run the experiment of one again and compare metrics, samples and checkpoint, bit for bit
    #[command(after_help = "Example:\n  hatchery runs reproduce runs/dinosaurs/001")]
    Reproduce {
        /// A run's folder; the newest run if it is left out
        run: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
    },
    /// Show one: its experiment, its losses, its last samples
    Show {
        /// A run's folder; the newest run if it is left out
        run: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List the texts that experiments may name
    List,
    /// Fetch some of them; size and SHA-256 are checked, a cut connection is resumed
    #[command(after_help = "Example:\n  hatchery data fetch dinos sonnets")]
    Fetch {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        /// Another address, ending in `/`, under which the files lie
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
    /// Show a text's size, symbols and the lengths of its lines
    #[command(after_help = "Example:\n  hatchery data show dinosaurs")]
    Show {
        /// The name of a text, or a path
        corpus: String,
    },
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == word)
        .ok_or_else(|| "a kind is one of dataset, cell, clipper, sampler".to_owned())
}
