//! Commands on files: runs, texts, and models of other frameworks.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Libraries;

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List all runs, oldest first
    #[command(
        after_help = "Examples:\n  hatchery runs list --name sweep --sort best --last 10\n  hatchery runs list dinosaurs --json"
    )]
    List(List),
    /// Print the metrics of a run as CSV, with the seconds since its beginning
    #[command(after_help = "Example:\n  hatchery runs metrics dinosaurs > dinosaurs.csv")]
    Metrics {
        /// A run's folder; by default the newest run
        run: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Attach a note to a run, which lists show; an empty one removes it
    #[command(after_help = "Example:\n  hatchery runs note dinosaurs/003 \"the best so far\"")]
    Note {
        /// The run's folder, or its name and id
        run: PathBuf,
        /// The note
        text: String,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
    },
    /// Delete runs; without --yes print what would be deleted
    #[command(after_help = "Example:\n  hatchery runs delete dinosaurs/001 dinosaurs/002 --yes")]
    Delete {
        /// The runs' folders, or their names and ids
        #[arg(required = true, value_name = "RUN")]
        deleted: Vec<PathBuf>,
        /// Delete them
        #[arg(long)]
        yes: bool,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
    },
    /// Train a run's experiment again and compare metrics, samples and checkpoint, bit for bit
    #[command(after_help = "Example:\n  hatchery runs reproduce runs/dinosaurs/001")]
    Reproduce {
        /// A run's folder; by default the newest run
        run: Option<PathBuf>,
        /// The run's first checkpoint, if it was moved
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Compare runs: keys that differ, losses, and a picture of the training and validation curves
    #[command(after_help = "Example:\n  hatchery runs compare hse-names-dynamic hse-names-lstm hse-names-gru")]
    Compare {
        /// The runs' folders or names
        #[arg(required = true, num_args = 2..)]
        compared: Vec<PathBuf>,
        /// The picture's path; by default `compare.svg`, `compare-2.svg` and so on in the folder of all runs
        #[arg(long, value_name = "FILE", value_parser = super::picture())]
        picture: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
        /// Print one JSON object per run
        #[arg(long)]
        json: bool,
    },
    /// Print a Markdown table of the experiment files in a folder, each with its newest finished run
    #[command(after_help = "Example:\n  hatchery runs table experiments")]
    Table {
        /// The folder of experiment files
        experiments: PathBuf,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
    },
    /// Show a run: its experiment, its losses, its last samples
    Show {
        /// A run's folder; by default the newest run
        run: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only runs whose name or id contains this
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Likewise
    #[arg(long = "name", value_name = "NAME", conflicts_with = "name")]
    pub(crate) named: Option<String>,
    /// Sort by this, the smallest first; runs without such a value come last
    #[arg(long, value_name = "COLUMN", default_value = "created")]
    pub(crate) sort: Sort,
    /// Only the N newest of them
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<usize>,
    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Print one JSON object per run
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// When the run was created
    Created,
    /// The run's name and id
    Run,
    /// Updates that are done
    Updates,
    /// Seconds of training
    Seconds,
    /// The last training loss
    Training,
    /// The last validation
    Validation,
    /// The best validation
    Best,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Convert a model that Keras saved as .h5 or .keras, with the state of its optimizer
    #[command(after_help = "Example:\n  hatchery import keras model.h5 \
        --experiment experiments/notebooks/sonnets.toml --output sonnets.safetensors")]
    Keras {
        /// The model's file
        model: PathBuf,
        #[command(flatten)]
        into: ImportTarget,
    },
    /// Convert a `PyTorch` state dict, from torch.save or safetensors; no code in it is executed
    #[command(after_help = "Example:\n  hatchery import pytorch model.pt --mapping mapping.toml \
        --experiment experiments/shakespeare.toml --output model.safetensors\n\n\
        A mapping file has a table for every parameter:\n\n  \
        [parameters.\"layers.0.b\"]\n  \
        from = [\"rnn.bias_ih_l0\", \"rnn.bias_hh_l0\"]   # the sum of several\n  \
        blocks = [0, 1, 2, 3]                             # the order of their gates\n  \
        transpose = false                                 # exchange rows and columns\n  \
        gates = [0, 1, 2, 3]                              # the order of gates after the exchange\n\n\
        In place of `from` may stand `stack = [[\"w_i\"], [\"w_f\"]]`, matrices of single gates one under the other (with\n\
        `dim = 1` one beside the other), or `zeros = true` for what their model lacks. `rows = [0, 64]` and `columns = [0, 27]` take a part.")]
    Pytorch {
        /// The model's file
        model: PathBuf,
        /// The key of the state dict, if the file contains other objects: `model_state_dict`
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// The mapping file
        #[arg(long, value_name = "FILE")]
        mapping: PathBuf,
        #[command(flatten)]
        into: ImportTarget,
    },
    /// Convert a module's record that Burn saved as .bpk (burnpack)
    #[command(after_help = "Example:\n  hatchery import burn model.bpk --mapping mapping.toml \
        --experiment experiments/shakespeare.toml --output model.safetensors\n\n\
        The mapping file is that of `hatchery import pytorch`. Burn's linear layers are [inputs, outputs]:\n\n  \
        [parameters.\"head.wya\"]\n  \
        from = [\"head.weight\"]\n  \
        transpose = true")]
    Burn {
        /// The model's file
        model: PathBuf,
        /// The mapping file
        #[arg(long, value_name = "FILE")]
        mapping: PathBuf,
        #[command(flatten)]
        into: ImportTarget,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ImportTarget {
    /// The experiment with the same model; its text determines the vocabulary
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: PathBuf,
    /// Override a key of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// The checkpoint to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List all texts
    List,
    /// Download texts; size and SHA-256 are checked, a broken connection is resumed
    #[command(after_help = "Example:\n  hatchery data fetch dinos sonnets")]
    Fetch {
        /// The texts' names
        #[arg(required = true)]
        names: Vec<String>,
        /// Another address of the files' folder, ending in `/`
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
    /// Show a text's size, symbols and the lengths of its lines
    #[command(after_help = "Examples:\n  hatchery data show dinosaurs --picture lengths.svg\n  \
        hatchery data show --experiment experiments/notebooks/hse-names.toml")]
    Show {
        /// The name of a text, or a path
        #[arg(required_unless_present = "experiment", conflicts_with = "experiment")]
        corpus: Option<String>,
        /// Show the sequences, symbols and splits of this experiment
        #[arg(long, value_name = "FILE")]
        experiment: Option<PathBuf>,
        /// Draw a histogram of the lengths as an SVG
        #[arg(long, value_name = "FILE", value_parser = super::picture())]
        picture: Option<PathBuf>,
    },
}
