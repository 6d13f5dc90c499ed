//! The commands on sweeps.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Subcommand, ValueEnum};

use super::Libraries;

#[derive(Debug, Subcommand)]
pub(crate) enum Sweep {
    /// Resolve every trial of a sweep file, and write the plan into the sweep's folder
    #[command(
        after_help = "Example:\n  hatchery sweep plan experiments/sweeps/cells.toml\n  hatchery sweep work sweeps/cells\n\n\
        Workers on any machine that sees the sweep's folder may work on it at once."
    )]
    Plan {
        /// The sweep file
        file: PathBuf,
        /// The sweep's folder; by default `sweeps` and the sweep's name
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Print one command for each trial, for GNU parallel or xargs
        #[arg(long)]
        commands: bool,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Plan a sweep, train its trials, and print the table
    #[command(after_help = "Example:\n  hatchery sweep run experiments/sweeps/cells.toml -j 2\n\n\
        After Ctrl-C or TERM every worker writes a checkpoint; the same command goes on. A variant or a seed that is added \
        to the file is added to the sweep, and what is trained is kept.")]
    Run {
        /// The sweep file
        file: PathBuf,
        /// The sweep's folder; by default `sweeps` and the sweep's name
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Trials that are trained at once; the processor's threads are shared among them
        #[arg(short, long, value_name = "N", default_value = "1")]
        jobs: NonZeroUsize,
        #[command(flatten)]
        libraries: Libraries,
    },
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
    },
    /// Draw the validation curves of all variants, each the mean over its seeds
    #[command(after_help = "Example:\n  hatchery sweep picture sweeps/cells")]
    Picture {
        /// The sweep's folder
        folder: PathBuf,
        /// The picture's path; by default `sweep.svg` in the sweep's folder
        #[arg(long, value_name = "FILE", value_parser = super::picture())]
        picture: Option<PathBuf>,
    },
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
