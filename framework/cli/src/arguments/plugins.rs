//! Plugins: what there is, whether it holds, and the beginning of a new one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hatchery_plugin::Kind;

use super::Libraries;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugins {
    /// List them, by kind
    List {
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Keys, types, defaults and an example of one
    #[command(after_help = "Examples:\n  hatchery plugins show cell lstm\n  \
        hatchery plugins show cell lstm --program --after hoist")]
    Show {
        /// dataset, cell, clipper or sampler
        #[arg(value_parser = kind)]
        kind: Kind,
        /// Its name
        name: String,
        /// For a cell: print the program that it is compiled to
        #[arg(long)]
        program: bool,
        /// With --program: print what a pass of the compiler makes of the cell, its graphs or buffers
        #[arg(long, value_name = "PASS", requires = "program")]
        after: Option<String>,
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Check every plugin of a library: does it keep to what its kind promises?
    #[command(after_help = "Example:\n  hatchery plugins check target/release/libmgu.so")]
    Check {
        /// The library
        library: PathBuf,
    },
    /// Say field by field why a library is refused, and what repairs it
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
    /// Its name, as experiment files will write it
    pub(crate) name: String,
    /// Add it to Hatchery itself: a file in plugins/ and its line in the list there
    #[arg(long)]
    pub(crate) in_tree: bool,
    /// The checkout of Hatchery; by default that around this folder or, without --in-tree, around this program
    #[arg(long, value_name = "DIR")]
    pub(crate) hatchery: Option<PathBuf>,
    /// Where to make the crate; by default a folder of the plugin's name
    #[arg(long, value_name = "DIR", conflicts_with = "in_tree")]
    pub(crate) path: Option<PathBuf>,
}

/// A kind of plugins, by its word.
fn kind(word: &str) -> Result<Kind, String> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == word)
        .ok_or_else(|| "a kind is one of dataset, cell, clipper, sampler".to_owned())
}
