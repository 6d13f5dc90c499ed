//! Commands on plugins: list, show, check, create.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hatchery_plugin::Kind;

use super::Libraries;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugins {
    /// List all plugins, by kind
    List {
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Show keys, types, defaults and an example of a plugin
    #[command(after_help = "Example:\n  hatchery plugins show cell lstm")]
    Show {
        /// dataset, cell, clipper or sampler
        #[arg(value_parser = kind)]
        kind: Kind,
        /// The plugin's name
        name: String,
        /// For a cell: print the execution plan that it is compiled to
        #[arg(long)]
        program: bool,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Run the conformance kit on every plugin of a library
    #[command(after_help = "Example:\n  hatchery plugins check target/release/libmgu.so")]
    Check {
        /// The library
        library: PathBuf,
    },
    /// Report why a library is refused, field by field, and how to fix it
    Doctor {
        /// The library
        library: PathBuf,
    },
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
