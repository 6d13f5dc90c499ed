//! Commands on an experiment file that create no run.

use std::path::PathBuf;

use clap::Args;

use hatchery::experiment::reading::bundled;

use super::Libraries;

#[derive(Debug, Args)]
#[command(after_help = format!(
    "Examples:\n  hatchery check experiments/dinosaurs.toml --set cell.hidden=64\n  \
    hatchery check experiments/shakespeare.toml --no-data\n\n\
    These experiments come with the program and are read where no such file is:\n  {}",
    bundled::names().collect::<Vec<_>>().join("\n  ")
))]
pub(crate) struct Check {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Override a key of the file; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// First rewrite keys with names of earlier versions in the file
    #[arg(long)]
    pub(crate) fix: bool,
    /// Check the file alone: not its text, nor what depends on the text
    #[arg(long)]
    pub(crate) no_data: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery bench experiments/dinosaurs.toml\n  \
    hatchery bench experiments/dinosaurs.toml --device cpu,flex --steps 100 --json\n  \
    hatchery bench experiments/shakespeare.toml --cells --steps 2 --repeats 3\n\n\
    Each value is the median over the repeats. Compare only values of one computer, measured one right after the other.\n\n\
    Products: the floating-point operations of all matrix products of an update, counted from the execution plan (a \
    multiplication and an addition are two; a one-hot input costs none), divided by the time of the whole update; and the \
    share of all threads' time that is spent in products, from a separate repeat that times each product. Only the \
    compiled executor (cpu) counts them.")]
pub(crate) struct Bench {
    /// The experiment files; several are compared with the first
    #[arg(required = true)]
    pub(crate) experiments: Vec<PathBuf>,
    /// Override a key of the files; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Measure on each of these devices, in place of the file's
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub(crate) device: Vec<String>,
    /// Updates per repeat
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) steps: u64,
    /// Characters generated per repeat
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) characters: u64,
    /// Repeats, after a warm-up
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeats: u64,
    /// Print one JSON object per device
    #[arg(long)]
    pub(crate) json: bool,
    /// Measure training with every cell in turn, in place of the file's, and print a table
    #[arg(long)]
    pub(crate) cells: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hatchery drift experiments/dinosaurs.toml --devices flex,wgpu --steps 100 --picture drift.svg\n\n\
    After every update the parameters are compared, and the most likely text according to each device."
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
    /// Length of the compared text, in characters
    #[arg(long, default_value_t = 40)]
    pub(crate) length: usize,
    /// Override a key of the file; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Draw the differences as an SVG
    #[arg(long, value_name = "FILE", alias = "svg", value_parser = super::picture())]
    pub(crate) picture: Option<PathBuf>,
    /// Print one JSON object per device
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}
