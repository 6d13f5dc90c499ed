//! Commands on plugins: list, show, check, create.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hatchery_plugin::Kind;

use super::Libraries;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugins {
    /// List all plugins, by kind, and cells by family
    #[command(
        after_help = "Columns of cells: the year of the paper, the values that a sequence carries from step to step, and the \
        number of parameters, both for inputs and a state of width 128."
    )]
    List {
        /// Print one JSON object per plugin
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Show keys, types, defaults and an example of a plugin
    #[command(after_help = "Examples:\n  hatchery plugins show cell lstm\n  \
        hatchery plugins show cell lstm --program --after hoist")]
    Show {
        /// dataset, cell, clipper or sampler
        #[arg(value_parser = kind)]
        kind: Kind,
        /// The plugin's name
        name: String,
        /// For a cell: print the execution plan that it is compiled to
        #[arg(long)]
        program: bool,
        /// With --program: print what a pass of the compiler makes of the cell, its graphs or buffers
        #[arg(long, value_name = "PASS", requires = "program")]
        after: Option<String>,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Load a library and run the conformance kit on each of its plugins
    Check(CheckLibrary),
    /// Report why a library is refused, field by field, and how to fix it
    Doctor {
        /// The library
        library: PathBuf,
    },
    /// Allow libraries to be loaded, which runs their code
    Trust(Trust),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery plugins check target/release/libmgu.so\n  \
    hatchery plugins check target/release/libmgu.so --set hidden=16\n\n\
    Each plugin is built from the example in its documentation, and again with each other value of its flags and\n\
    enumerations.")]
pub(crate) struct CheckLibrary {
    /// The library
    pub(crate) library: PathBuf,
    /// Set a key of the plugins in place of the example's; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Check the plugins that this experiment file names, with its keys and its batch size
    #[arg(long, value_name = "FILE")]
    pub(crate) experiment: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery plugins trust runs/mgu/001/libmgu.so\n  \
    hatchery plugins trust --list\n\n\
    A library is known by the SHA-256 of its bytes. Those that `plugins check`, --plugin or an experiment file of your own \
    names are trusted without this command; those that a run, a checkpoint or a search folder brings along are not.")]
pub(crate) struct Trust {
    /// The libraries; with --remove also their SHA-256
    #[arg(required_unless_present = "list", value_name = "LIBRARY")]
    pub(crate) libraries: Vec<PathBuf>,
    /// Print the list of trusted libraries
    #[arg(long, conflicts_with_all = ["libraries", "remove"])]
    pub(crate) list: bool,
    /// Take the libraries off the list
    #[arg(long)]
    pub(crate) remove: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hatchery new cell mgu\n  cd mgu && cargo build --release\n  \
    hatchery plugins check target/release/libmgu.so")]
pub(crate) struct New {
    /// dataset, cell, clipper or sampler
    #[arg(value_parser = kind)]
    pub(crate) kind: Kind,
    /// The plugin's name in experiment files
    pub(crate) name: String,
    /// Add the plugin to Hatchery itself: a file in plugins/ and its line in the list there
    #[arg(long)]
    pub(crate) in_tree: bool,
    /// The checkout of Hatchery; by default the one that contains this folder or, without --in-tree, this program
    #[arg(long, value_name = "DIR")]
    pub(crate) hatchery: Option<PathBuf>,
    /// The folder of the crate; by default the plugin's name
    #[arg(long, value_name = "DIR", conflicts_with = "in_tree")]
    pub(crate) path: Option<PathBuf>,
}

/// A kind of plugin, from its name.
fn kind(word: &str) -> Result<Kind, String> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == word)
        .ok_or_else(|| "a kind is one of dataset, cell, clipper, sampler".to_owned())
}
