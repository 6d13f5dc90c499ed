//! The command line, as it is written in `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hatchery_plugin::Kind;

/// Experiments with recurrent character language models.
#[derive(Debug, Parser)]
#[command(name = "hatchery", version, arg_required_else_help = true)]
#[command(after_help = "Begin with:\n  hatchery train experiments/dinosaurs.toml\n  hatchery sample\n  hatchery eval")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
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

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery train experiments/dinosaurs.toml\n  \
    hatchery train experiments/dinosaurs.toml --set cell.type=lstm --set train.steps=5000\n  \
    hatchery train experiments/notebooks/sonnets.toml --from sonnets.safetensors\n  \
    hatchery train --resume runs/dinosaurs/001\n\n\
    Ctrl-C finishes the step and writes a checkpoint; a second Ctrl-C stops at once.\n\
    The last line on standard output is the run's folder.")]
pub(crate) struct Train {
    /// The experiment file; with --resume it may be left out
    #[arg(required_unless_present = "resume")]
    pub(crate) experiment: Option<PathBuf>,
    /// Go on with a run that was cut short: its folder, or one of its checkpoints; without a value the newest
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with = "from")]
    #[expect(clippy::option_option, reason = "absent, without a value, with one")]
    pub(crate) resume: Option<Option<PathBuf>>,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Begin with the parameters of a run or checkpoint, and with its optimiser's state if it has one
    #[arg(long, value_name = "RUN")]
    pub(crate) from: Option<PathBuf>,
    /// Where tensors live, in place of the file's [backend] device
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// The folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
    #[command(flatten)]
    pub(crate) progress: Progress,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hatchery resume-test experiments/dinosaurs.toml --steps 200")]
pub(crate) struct ResumeTest {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Steps before the kill; as many follow
    #[arg(long, value_name = "K", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) steps: u64,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Libraries {
    /// Load the plugins of a library; may be given several times
    #[arg(long = "plugin", value_name = "PATH")]
    pub(crate) plugins: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Progress {
    /// Print nothing but the results
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// How progress is shown on standard error
    #[arg(long, value_name = "FORM", default_value = "auto", conflicts_with = "quiet")]
    pub(crate) progress: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A bar on a terminal, lines otherwise
    Auto,
    /// A line for every report
    Plain,
    /// A JSON object for every report
    Json,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hatchery sample\n  hatchery sample runs/dinosaurs/001 --prefix tri --count 10\n  \
    hatchery sample --temperature 0.2,0.5,1.0 --seed 7\n  \
    hatchery sample --prefix tri --next 5\n  hatchery sample sonnets --interactive"
)]
pub(crate) struct Sample {
    /// A run's folder or a checkpoint file; the newest run if it is left out
    pub(crate) run: Option<PathBuf>,
    /// What every sample begins with
    #[arg(long, value_name = "TEXT")]
    pub(crate) prefix: Option<String>,
    /// How many samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) count: Option<u64>,
    /// Characters after which a sample ends at the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) length: Option<u64>,
    /// The seed of the draws
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Sample at these temperatures, in place of the file's samplers
    #[arg(long, value_name = "T", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) temperature: Vec<f64>,
    /// Ask for the beginning of each sample and show its characters as they are drawn
    #[arg(long, conflicts_with_all = ["prefix", "count", "json", "next", "novelty"])]
    pub(crate) interactive: bool,
    /// Instead of samples, print the N most likely next characters with their probabilities
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "temperature")]
    pub(crate) next: Option<u64>,
    /// Report how much of the samples is copied from the training data
    #[arg(long, conflicts_with = "next")]
    pub(crate) novelty: bool,
    /// Print one JSON object a sample
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery eval\n  hatchery eval runs/dinosaurs/001 --split train --json\n  \
    hatchery eval makemore-names --baseline unigram,bigram\n  \
    hatchery eval --experiment experiments/makemore-names.toml --baseline bigram")]
pub(crate) struct Eval {
    /// A run's folder or a checkpoint file; the newest run if it is left out
    pub(crate) run: Option<PathBuf>,
    /// Which split; by default validation, or training where nothing is held out
    #[arg(long, value_name = "SPLIT")]
    pub(crate) split: Option<Split>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Measure models that only count beside it, on the same split
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) baseline: Vec<Baseline>,
    /// What is added to every count of a baseline, so that what was never seen is not impossible
    #[arg(long, value_name = "COUNT", default_value_t = 1.0, requires = "baseline")]
    pub(crate) smoothing: f64,
    /// Measure only the baselines, on the data of this experiment file, without a model
    #[arg(long, value_name = "FILE", conflicts_with = "run", requires = "baseline")]
    pub(crate) experiment: Option<PathBuf>,
    /// The seed of the run's splits, in place of the recorded one
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Place {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// What the updates saw
    Train,
    /// What may guide choices
    Valid,
    /// What never guides a choice
    Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Baseline {
    /// Every symbol is equally likely
    Uniform,
    /// How often each symbol comes
    Unigram,
    /// How often each symbol follows each other one
    Bigram,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery gradients gradients-vanilla gradients-lstm --svg norms.svg\n  \
    hatchery gradients --updates dinosaurs/001")]
pub(crate) struct Gradients {
    /// Runs' folders or checkpoint files; the newest run if they are left out
    pub(crate) runs: Vec<PathBuf>,
    /// In place of dL/ds, the gradients of the parameters at every logged update, before and after the clippers
    #[arg(long, conflicts_with = "untrained")]
    pub(crate) updates: bool,
    /// With the first values of the parameters, as before training
    #[arg(long)]
    pub(crate) untrained: bool,
    /// Draw the norms into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print one JSON object a curve
    #[arg(long)]
    pub(crate) json: bool,
    /// The folder of all runs
    #[arg(long = "runs", value_name = "DIR", default_value = "runs")]
    pub(crate) root: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hatchery check experiments/dinosaurs.toml --set cell.hidden=64")]
pub(crate) struct Check {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hatchery drift experiments/dinosaurs.toml --devices flex,wgpu --steps 100 --svg drift.svg\n\n\
    After every update the parameters are compared, and the text that each device finds most likely."
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
    /// Characters of the text that is compared
    #[arg(long, default_value_t = 40)]
    pub(crate) length: usize,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Draw the differences into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print one JSON object a device
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hatchery bench experiments/dinosaurs.toml\n  \
    hatchery bench experiments/dinosaurs.toml --device cpu,flex --steps 100 --json\n\n\
    Each number is the median over the repeats. Only numbers taken on one machine, one right after the other, compare.\n\n\
    Products: the floating-point operations of all products of matrices of a training step, counted from the compiled \
    program (a multiplication and an addition are two; a one-hot input costs none), divided by the time of the whole \
    step; and the share of all threads' time that is spent in products, from a repeat of its own in which each of them \
    is timed. Only the compiled executor (cpu) counts them.")]
pub(crate) struct Bench {
    /// The experiment file
    pub(crate) experiment: PathBuf,
    /// Change a key of the file; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Measure on these devices in turn, in place of the file's
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub(crate) device: Vec<String>,
    /// Training steps a repeat
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) steps: u64,
    /// Characters generated a repeat
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) characters: u64,
    /// Repeats, after one that is not counted
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeats: u64,
    /// Print one JSON object a device
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) libraries: Libraries,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plugins {
    /// List them, by kind
    List {
        #[command(flatten)]
        libraries: Libraries,
    },
    /// Keys, types, defaults and an example of one
    #[command(after_help = "Example:\n  hatchery plugins show cell lstm")]
    Show {
        /// dataset, cell, clipper or sampler
        #[arg(value_parser = kind)]
        kind: Kind,
        /// Its name
        name: String,
        /// For a cell: print the program that it is compiled to
        #[arg(long)]
        program: bool,
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
    /// The checkout of Hatchery; by default the one around the current folder, or that of this program
    #[arg(long, value_name = "DIR")]
    pub(crate) hatchery: Option<PathBuf>,
    /// Where to make the crate; by default a folder of the plugin's name
    #[arg(long, value_name = "DIR", conflicts_with = "in_tree")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List them, oldest first
    List {
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
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
    /// Set some side by side: a table, their losses over each other, and both curves in one picture
    #[command(after_help = "Example:\n  hatchery runs compare hse-names-dynamic hse-names-lstm hse-names-gru")]
    Compare {
        /// Their folders or names
        #[arg(required = true, num_args = 2..)]
        compared: Vec<PathBuf>,
        /// Where the picture goes; `compare.svg` in the folder of all runs if it is left out
        #[arg(long, value_name = "FILE")]
        picture: Option<PathBuf>,
        /// The folder of all runs
        #[arg(long, value_name = "DIR", default_value = "runs")]
        runs: PathBuf,
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
        into: Into,
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
        into: Into,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Into {
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
        #[arg(long, value_name = "FILE")]
        picture: Option<PathBuf>,
    },
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == word)
        .ok_or_else(|| "a kind is one of dataset, cell, clipper, sampler".to_owned())
}
