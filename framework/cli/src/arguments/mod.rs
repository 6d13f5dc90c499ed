//! The command line: arguments and help texts.

use std::path::PathBuf;

use clap::{
    Args, Parser, Subcommand,
    builder::{OsStringValueParser, TypedValueParser},
};
use clap_complete::Shell;

mod experiment;
mod model;
mod plugins;
mod record;
mod sweep;
mod train;

pub(crate) use experiment::{Bench, Check, Drift};
pub(crate) use model::{Baseline, Eval, Export, Gradients, Html, Sample, Score, Split};
pub(crate) use plugins::{CheckLibrary, New, Plugins, Trust};
pub(crate) use record::{Data, Import, ImportTarget, List, Runs, Sort};
pub(crate) use sweep::{Cluster, EqualForm, PictureForm, Sweep, SweepPlan, SweepRun, TableForm};
pub(crate) use train::{Form, Progress, ResumeTest, Train};

/// Experiments with recurrent character language models.
#[derive(Debug, Parser)]
#[command(name = "hatchery", version, arg_required_else_help = true)]
#[command(
    after_help = "First commands:\n  hatchery train experiments/dinosaurs.toml\n  hatchery sample\n  hatchery eval\n\n\
    Exit status: 0 after success; 2 after an error that you can fix; 1 after an internal error or\n\
    one of the system; 130 if a signal stopped a training, which then wrote a checkpoint.\n\
    On a terminal, control and invisible characters are shown as escapes; --raw shows them as they are."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Write control and invisible characters to a terminal as they are
    #[arg(long, global = true, hide = true)]
    pub(crate) raw: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train the model of an experiment file
    Train(Train),
    /// Kill a training, resume it, and compare it with an uninterrupted one
    ResumeTest(ResumeTest),
    /// Draw samples from a trained model
    Sample(Sample),
    /// Evaluate a trained model on a held-out split or another text
    Eval(Eval),
    /// Score a text: how surprising each line and character is to a trained model
    Score(Score),
    /// Measure vanishing, exploding and clipped gradients
    Gradients(Gradients),
    /// Check an experiment file and its text, and print the experiment with all defaults filled in
    Check(Check),
    /// Measure how fast an experiment trains and generates
    Bench(Bench),
    /// List the devices of this build and of this computer
    #[command(
        after_help = "Examples:\n  hatchery devices\n  hatchery train experiments/dinosaurs.toml --device wgpu:1\n  \
        hatchery train experiments/dinosaurs.toml --device wgpu:radeon\n\n\
        The first column has the values of `[backend] device` and --device. An index or a part of the name\n\
        after the colon chooses one of several cards; without it the first is used."
    )]
    Devices {
        /// Print one JSON object per device
        #[arg(long)]
        json: bool,
    },
    /// Train on several devices in parallel and measure how far they diverge
    Drift(Drift),
    /// List, show and check datasets, cells, clippers and samplers
    #[command(subcommand)]
    #[command(after_help = "Libraries in the folder `hatchery/plugins` of the user's data folder (on Linux \
        ~/.local/share/hatchery/plugins) are loaded without --plugin or a line in the experiment file, if they are trusted: \
        `hatchery plugins trust`. HATCHERY_PLUGINS replaces that folder by others.")]
    Plugins(Plugins),
    /// Create a plugin: a crate that builds and passes its checks
    New(New),
    /// List, show, compare and reproduce runs
    #[command(subcommand)]
    Runs(Runs),
    /// Train many variants of an experiment and compare them
    #[command(subcommand)]
    Sweep(Sweep),
    /// List, fetch and describe texts
    #[command(subcommand)]
    Data(Data),
    /// Write a trained model as something that runs without this program
    #[command(subcommand)]
    Export(Export),
    /// Convert a model of another framework to a checkpoint
    #[command(subcommand)]
    Import(Import),
    /// Print the JSON Schema of experiment files, by which editors complete and check them
    #[command(after_help = "Example:\n  hatchery schema > experiment.schema.json\n\n\
        A file whose first line is `#:schema experiment.schema.json` is then checked and completed by editors with\n\
        Taplo, such as Even Better TOML for Visual Studio Code.")]
    Schema {
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  hatchery completions bash > ~/.local/share/bash-completion/completions/hatchery"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Default, Args)]
pub(crate) struct Libraries {
    /// Load the plugins of a library; may be repeated
    #[arg(long = "plugin", value_name = "PATH")]
    pub(crate) plugins: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// The device, in place of the recorded one
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Use the run's best checkpoint, that with the lowest validation
    #[arg(long)]
    pub(crate) best: bool,
    /// Use the run's last checkpoint, as without --best
    #[arg(long, overrides_with = "best")]
    pub(crate) last: bool,
    /// Accept plugins that differ from those of the checkpoint
    #[arg(long)]
    pub(crate) allow_plugin_drift: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

/// The path of a picture. Endings of what this build does not draw are refused, because the content would be SVG.
fn picture() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|path| {
        let path = PathBuf::from(path);
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("png" | "pdf") if cfg!(feature = "pictures") => Ok(path),
            Some("png" | "pdf") => Err(format!(
                "pictures are SVG, which browsers show: `{}`; a build with the cargo feature `pictures` draws PNG and PDF: \
                 cargo install --path framework/cli --features pictures",
                path.with_extension("svg").display()
            )),
            Some("jpg" | "jpeg" | "gif" | "webp" | "eps" | "ps") => {
                Err(format!("pictures are SVG, which browsers show: `{}`", path.with_extension("svg").display()))
            }
            _ => Ok(path),
        }
    })
}
