//! What is asked of an experiment file without keeping a run.

use std::path::PathBuf;

use clap::Args;

use super::Libraries;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hatchery check experiments/dinosaurs.toml --set cell.hidden=64")]
pub(crate) struct Check {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Rewrite the file first: keys under the names of earlier versions get their present ones
    #[arg(long)]
    pub(crate) fix: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery bench experiments/dinosaurs.toml\n  \
    hatchery bench experiments/dinosaurs.toml --device cpu,flex --steps 100 --json\n\n\
    Each number is the median over the repeats. Only numbers taken on one machine, one right after the other, compare.\n\n\
    Products: the floating-point operations of all products of matrices of a training step, counted from the compiled \
    program (a multiplication and an addition are two; a one-hot input costs none), divided by the time of the whole \
    step; and the share of all threads' time that is spent in products, from a repeat of its own in which each of them \
    is timed. Only the compiled executor (cpu) counts them.")]
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
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hatchery drift experiments/dinosaurs.toml --devices flex,wgpu --steps 100 --picture drift.svg\n\n\
    After every update the parameters are compared, and the text that each device finds most likely."
)]
pub(crate) struct Drift {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// The devices; each is compared with the first
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) devices: Vec<String>,
    /// Updates on each device
    #[arg(long, default_value_t = 100)]
    pub(crate) steps: u64,
    /// Characters of the text that is compared
    #[arg(long, default_value_t = 40)]
    pub(crate) length: usize,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Draw the differences as an SVG
    #[arg(long, value_name = "FILE", alias = "svg", value_parser = super::picture())]
    pub(crate) picture: Option<PathBuf>,
    /// Print one JSON object a device
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}
