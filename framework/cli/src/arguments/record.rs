//! What lies on the disk: runs, texts, and models of other frameworks.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Libraries;

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List them, oldest first
    List {
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
        /// Print JSON, one line a run
        #[arg(long)]
        json: bool,
    },
    /// Run the experiment of one again and compare metrics, samples and checkpoint, bit for bit
    #[command(after_help = "Example:\n  hatchery runs reproduce runs/dinosaurs/001")]
    Reproduce {
        /// A run's folder; the newest run if it is left out
        run: Option<PathBuf>,
        /// Where the checkpoint is now with which it began, if that was moved
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Set some side by side: in what they differ, their losses over each other, and both curves in one picture
    #[command(after_help = "Example:\n  hatchery runs compare hse-names-dynamic hse-names-lstm hse-names-gru")]
    Compare {
        /// Their folders or names
        #[arg(required = true, num_args = 2..)]
        compared: Vec<PathBuf>,
        /// Where the picture goes; `compare.svg` in the folder of all runs if it is left out
        #[arg(long, value_name = "FILE", value_parser = super::picture())]
        picture: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
        /// Print JSON, one line a run
        #[arg(long)]
        json: bool,
    },
    /// A Markdown table of the experiment files in a folder, each with its newest finished run
    #[command(after_help = "Example:\n  hatchery runs table experiments")]
    Table {
        /// The folder of experiment files
        experiments: PathBuf,
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
        /// Print JSON, one line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// A model that Keras saved as HDF5, with the state of Adam
    #[command(after_help = "Example:\n  hatchery import keras model.h5 \
        --experiment experiments/notebooks/sonnets.toml --output sonnets.safetensors")]
    Keras {
        /// The file
        model: PathBuf,
        #[command(flatten)]
        into: ImportTarget,
    },
    /// A state dict of Python's torch, as torch.save writes it or as safetensors; nothing in it is run
    #[command(after_help = "Example:\n  hatchery import pytorch model.pt --mapping mapping.toml \
        --experiment experiments/shakespeare.toml --output model.safetensors\n\n\
        A mapping file has a table for every parameter:\n\n  \
        [parameters.\"layers.0.b\"]\n  \
        from = [\"rnn.bias_ih_l0\", \"rnn.bias_hh_l0\"]   # several are added\n  \
        transpose = false                                 # exchange rows and columns\n  \
        blocks = [0, 1, 2, 3]                             # which of their gates come first, second, …")]
    Pytorch {
        /// The file
        model: PathBuf,
        /// Where the file keeps the state dict among other things: `model_state_dict`
        #[arg(long, value_name = "NAME")]
        key: Option<String>,
        /// The mapping file
        #[arg(long, value_name = "FILE")]
        mapping: PathBuf,
        #[command(flatten)]
        into: ImportTarget,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ImportTarget {
    /// The experiment that describes the same model; the vocabulary is that of its text
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: PathBuf,
    /// Change a key of the experiment; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// The checkpoint to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
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
    #[command(after_help = "Examples:\n  hatchery data show dinosaurs --picture lengths.svg\n  \
        hatchery data show --experiment experiments/notebooks/hse-names.toml")]
    Show {
        /// The name of a text, or a path
        #[arg(required_unless_present = "experiment", conflicts_with = "experiment")]
        corpus: Option<String>,
        /// Show what this experiment makes of its text: sequences, symbols, splits
        #[arg(long, value_name = "FILE")]
        experiment: Option<PathBuf>,
        /// Draw the lengths as an SVG
        #[arg(long, value_name = "FILE", value_parser = super::picture())]
        picture: Option<PathBuf>,
    },
}
