//! The command line, as it is written in `--help`.

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
mod train;

pub(crate) use experiment::{Bench, Check, Drift};
pub(crate) use model::{Baseline, Eval, Gradients, Sample, Split};
pub(crate) use plugins::{New, Plugins};
pub(crate) use record::{Data, Import, ImportTarget, Runs};
pub(crate) use train::{Form, Progress, ResumeTest, Train};

/// Experiments with recurrent character language models.
#[derive(Debug, Parser)]
#[command(name = "hatchery", version, arg_required_else_help = true)]
#[command(
    after_help = "Begin with:\n  hatchery train experiments/dinosaurs.toml\n  hatchery sample\n  hatchery eval\n\n\
    The status is 0; 2 when something is for you to change; 1 when the fault is ours or the\n\
    machine's; 130 when Ctrl-C or TERM stopped a training, which then wrote a checkpoint.\n\
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
    /// Kill a training on purpose, resume it, and compare it with one that was left alone
    ResumeTest(ResumeTest),
    /// Draw samples from a trained model
    Sample(Sample),
    /// Measure a trained model on a held-out split
    Eval(Eval),
    /// Show how gradients vanish, explode and are clipped
    Gradients(Gradients),
    /// Check an experiment file and print it with every default filled in
    Check(Check),
    /// Measure how fast an experiment trains and generates
    Bench(Bench),
    /// The devices of this build and of this machine
    #[command(
        after_help = "Examples:\n  hatchery devices\n  hatchery train experiments/dinosaurs.toml --device wgpu:1\n  \
        hatchery train experiments/dinosaurs.toml --device wgpu:radeon\n\n\
        What stands at the beginning of a line is what `[backend] device` and --device take. An index or a part of the\n\
        name after the colon chooses one of several; the word alone takes the first."
    )]
    Devices {
        /// Print one JSON object a word
        #[arg(long)]
        json: bool,
    },
    /// Train on two devices in step and show how far they part
    Drift(Drift),
    /// The datasets, cells, clippers and samplers that experiments may name
    #[command(subcommand)]
    #[command(after_help = "Libraries in the folder `hatchery/plugins` of the user's data folder (on Linux \
        ~/.local/share/hatchery/plugins) need not be named by --plugin or in the experiment file. HATCHERY_PLUGINS \
        names other folders in its place.")]
    Plugins(Plugins),
    /// Begin a plugin of one's own: a crate that builds and passes its checks at once
    New(New),
    /// The runs so far
    #[command(subcommand)]
    Runs(Runs),
    /// The texts that experiments may name
    #[command(subcommand)]
    Data(Data),
    /// Turn a model of another framework into a checkpoint
    #[command(subcommand)]
    Import(Import),
    /// Print a script that completes this command's arguments in a shell
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
    /// Load the plugins of a library; may be given several times
    #[arg(long = "plugin", value_name = "PATH")]
    pub(crate) plugins: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// Where tensors live, in place of the recorded device
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Go on with plugins that are not those with which the checkpoint was made
    #[arg(long)]
    pub(crate) allow_plugin_drift: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

/// Where a picture goes. All are SVG: under another ending it would be a file that no program opens.
fn picture() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|path| {
        let path = PathBuf::from(path);
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("png" | "jpg" | "jpeg" | "gif" | "webp" | "pdf" | "eps" | "ps") => {
                let svg = path.with_extension("svg");
                Err(format!("pictures are SVG, which browsers show: `{}`", svg.display()))
            }
            _ => Ok(path),
        }
    })
}
