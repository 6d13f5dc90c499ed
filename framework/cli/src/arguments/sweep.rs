//! The commands on sweeps.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::Libraries;

#[derive(Debug, Subcommand)]
pub(crate) enum Sweep {
    /// Resolve every trial of a sweep file, and write the plan into the sweep's folder
    #[command(
        after_help = "Example:\n  hatchery sweep plan experiments/sweeps/cells.toml\n  hatchery sweep work sweeps/cells\n\n\
        Workers on any machine that sees the sweep's folder may work on it at once."
    )]
    Plan(SweepPlan),
    /// Plan a sweep, train its trials, and print the table
    #[command(after_help = "Examples:\n  hatchery sweep run experiments/sweeps/cells.toml -j 2\n  \
        hatchery sweep run experiments/sweeps/cells.toml --slurm -j 16 --sbatch=--time=01:00:00\n\n\
        After Ctrl-C or TERM every worker writes a checkpoint; the same command goes on. A variant or a seed that is added \
        to the file is added to the sweep, and what is trained is kept.\n\n\
        With --slurm the workers are an array of jobs. Each stops with a checkpoint before its time limit and is queued \
        again, as after pre-emption and the loss of its node; `scancel` ends it.")]
    Run(SweepRun),
    /// Take trials of a planned sweep and train them, until none is left
    #[command(after_help = "Example:\n  hatchery sweep work sweeps/cells")]
    Work {
        /// The sweep's folder
        folder: PathBuf,
        /// End after one trial, or one rung of it
        #[arg(long)]
        one: bool,
        /// Take the trials in an order drawn from a seed; the table does not depend on it
        #[arg(long, value_name = "SEED")]
        order: Option<u64>,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Count the trials by their state
    Status {
        /// The sweep's folder
        folder: PathBuf,
        /// Print one JSON object per trial
        #[arg(long)]
        json: bool,
    },
    /// Print what is known of every variant, the best first
    #[command(after_help = "Example:\n  hatchery sweep table sweeps/cells --format csv")]
    Table {
        /// The sweep's folder
        folder: PathBuf,
        /// The format
        #[arg(long, value_enum, default_value_t = TableForm::Text)]
        format: TableForm,
        /// Compare at equal expense instead of at the end: what each trial had reached when the shortest ended
        #[arg(long, value_enum, value_name = "WHAT")]
        equal: Option<EqualForm>,
        /// Print how much of the differences each varied key explains
        #[arg(long)]
        importance: bool,
    },
    /// Measure the chosen variants on the test split: once, when nothing is left to do
    #[command(after_help = "Example:\n  hatchery sweep test sweeps/cells\n\n\
        Chosen are the first of the table and those of which no difference to it was found. Afterwards the sweep cannot be \
        extended: a choice after this would be no test.")]
    Test {
        /// The sweep's folder
        folder: PathBuf,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Add the variants that standard input proposes, one JSON object of keys and values a line
    #[command(after_help = "Example:\n  echo '{\"cell.hidden\": 64}' | hatchery sweep ask sweep.toml\n\n\
        For a sweep with [search] type = \"ask\". `sweep work` trains them, `sweep tell` prints their results.")]
    Ask {
        /// The sweep file
        file: PathBuf,
        /// The sweep's folder; by default `sweeps` and the sweep's name
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Print the result of every variant that is done, one JSON object a line
    #[command(after_help = "Example:\n  hatchery sweep tell sweeps/cells")]
    Tell {
        /// The sweep's folder
        folder: PathBuf,
    },
    /// Draw the variants: their validation curves, or their results by the varied keys
    #[command(after_help = "Example:\n  hatchery sweep picture sweeps/cells --form boxes")]
    Picture {
        /// The sweep's folder
        folder: PathBuf,
        /// What is drawn
        #[arg(long, value_enum, default_value_t = PictureForm::Curves)]
        form: PictureForm,
        /// The picture's path; by default `curves.svg`, `boxes.svg`, `heat.svg` or `parallel.svg` in the sweep's folder
        #[arg(long, value_name = "FILE", value_parser = super::picture())]
        picture: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SweepPlan {
    /// The sweep file
    pub(crate) file: PathBuf,
    /// The sweep's folder; by default `sweeps` and the sweep's name
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Print a command for each piece of work, for GNU parallel or xargs
    #[arg(long)]
    pub(crate) commands: bool,
    /// Print an Indexed Job for Kubernetes, as JSON
    #[arg(long, conflicts_with = "commands", requires = "image", requires = "claim")]
    pub(crate) kubernetes: bool,
    /// Workers of the Indexed Job
    #[arg(short, long, value_name = "N", default_value = "1", requires = "kubernetes")]
    pub(crate) jobs: NonZeroUsize,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

/// What an Indexed Job is made of.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// The container image with hatchery in it
    #[arg(long, value_name = "NAME", requires = "kubernetes")]
    pub(crate) image: Option<String>,
    /// The claim of a volume that is mounted as the working folder, with the sweep's folder and the text below it
    #[arg(long, value_name = "NAME", requires = "kubernetes")]
    pub(crate) claim: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SweepRun {
    /// The sweep file
    pub(crate) file: PathBuf,
    /// The sweep's folder; by default `sweeps` and the sweep's name
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Trials that are trained at once; the processor's threads are shared among them
    #[arg(short, long, value_name = "N", default_value = "1")]
    pub(crate) jobs: NonZeroUsize,
    /// Submit the workers as an array of Slurm jobs instead of working here
    #[arg(long)]
    pub(crate) slurm: bool,
    /// An option for sbatch; may be repeated
    #[arg(long, value_name = "OPTION", requires = "slurm", allow_hyphen_values = true)]
    pub(crate) sbatch: Vec<String>,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

/// The format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableForm {
    /// Aligned columns
    Text,
    /// A Markdown table
    Markdown,
    /// Comma-separated values
    Csv,
    /// One JSON object per variant
    Json,
    /// A LaTeX tabular
    Latex,
}

/// At which equal expense variants are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EqualForm {
    /// Updates
    Updates,
    /// Seconds of training, which depend on the machine
    Time,
}

/// What a picture of a sweep shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PictureForm {
    /// Validation curves: the mean over the seeds, in a band of one standard deviation
    Curves,
    /// A box plot of every variant over its seeds
    Boxes,
    /// A heat map over two varied keys
    Heat,
    /// Parallel coordinates: a line for every variant
    Parallel,
}
