//! Commands that train: from an experiment file, or resuming an interrupted run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Libraries;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery train experiments/dinosaurs.toml\n  \
    hatchery train experiments/dinosaurs.toml --set cell.type=lstm --set train.steps=5000\n  \
    hatchery train experiments/notebooks/sonnets.toml --from sonnets.safetensors\n  \
    hatchery train --resume runs/dinosaurs/001\n\n\
    After Ctrl-C, TERM, HUP, XCPU or USR2 the training finishes its update, writes a checkpoint and\n\
    ends with status 130. Another Ctrl-C or TERM, at least a second later, stops it immediately.\n\
    After USR1 it writes a checkpoint and continues.\n\
    The last line on standard output is the run's folder.")]
pub(crate) struct Train {
    /// The experiment file; optional with --resume
    #[arg(required_unless_present = "resume")]
    pub(crate) experiment: Option<PathBuf>,
    /// Resume an interrupted run: its folder, or one of its checkpoints; without a value the newest
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with = "from")]
    #[expect(clippy::option_option, reason = "absent, without a value, with a value")]
    pub(crate) resume: Option<Option<PathBuf>>,
    /// Override a key of the file; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Start from the parameters of a run or checkpoint, and from its optimizer state if it has one
    #[arg(long, value_name = "RUN")]
    pub(crate) from: Option<PathBuf>,
    /// The device, in place of the file's [backend] device
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
    #[command(flatten)]
    pub(crate) progress: Progress,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hatchery resume-test experiments/dinosaurs.toml --steps 200")]
pub(crate) struct ResumeTest {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Updates before the kill; the same number follows
    #[arg(long, value_name = "K", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) steps: u64,
    /// Override a key of the file; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Args)]
pub(crate) struct Progress {
    /// Print only the results
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// The form of progress on standard error
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
