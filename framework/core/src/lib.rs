//! Experiments with recurrent character language models: data, training, evaluation, generation, checkpoints and runs.
//!
//! # A tour
//! An experiment is a page of TOML. It is **read**, it makes **data** of a text, it makes a **network** of a cell, and a
//! **training** brings the two together in the folder of a **run**:
//!
//! ```
//! # mod example {
//! #     //! The two plugins that the experiment names; a program takes them from the crates of plugins that it is linked with.
//! #     use hatchery_plugin::prelude::*;
//! #     /// One example a line.
//! #     #[plugin(dataset = "lines")]
//! #     pub struct Lines {}
//! #     impl Dataset for Lines {
//! #         fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
//! #             Ok(Documents::Text(source.text.lines().map(str::to_owned).collect()))
//! #         }
//! #         fn framing(&self) -> Framing {
//! #             Framing::Documents { start: None, end: Some('\n'), padding: '\n', length: None, count_padding: false }
//! #         }
//! #     }
//! #     /// h' = tanh(Wx x + Wh h + b)
//! #     #[plugin(cell = "elman")]
//! #     pub struct Elman {
//! #         /// Width of the hidden state.
//! #         hidden: usize,
//! #     }
//! #     impl Cell for Elman {
//! #         fn params(&self, inputs: usize) -> Vec<ParamSpec> {
//! #             vec![weight("wx", [self.hidden, inputs]), recurrent("wh", self.hidden), bias("b", self.hidden)]
//! #         }
//! #         fn state(&self, _inputs: usize) -> Vec<StateSpec> { vec![zeros("h", self.hidden)] }
//! #         fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
//! #             let [wx, wh, b] = params.get(["wx", "wh", "b"]);
//! #             let h = (linear(x, wx, b) + linear_no_bias(state.get("h"), wh)).tanh();
//! #             (h.clone(), State::from([("h", h)]))
//! #         }
//! #     }
//! #     library![Lines, Elman];
//! # }
//! # use example::plugins;
//! use hatchery::{Data, Network, Registry, RunDirectory, Training, read};
//! # const EXPERIMENT: &str = r#"
//! #     name = "dinosaurs"
//! #     dataset = { type = "lines", corpus = "dinosaurs" }
//! #     cell = { type = "elman", hidden = 32 }
//! #     optimizer = { type = "adam", learning-rate = 0.01 }
//! #     train = { steps = 60, report-every = 60 }
//! # "#;
//! # let folder = tempfile::tempdir()?;
//! # let (folder, file) = (folder.path(), &folder.path().join("dinosaurs.toml"));
//! # std::fs::write(file, EXPERIMENT)?;
//!
//! let registry = Registry::new([plugins()])?;
//! let experiment = read(file, &[], &registry)?;
//! let data = Data::open(&experiment, folder, &registry, None)?;
//! let network = Network::new(experiment, data.vocabulary.clone(), &registry)?;
//! let run = RunDirectory::create(folder, "dinosaurs")?;
//! let mut training = Training::begin(network, &data, &run)?;
//! let uniform = training.progress.smoothed_loss;
//! training.run(&mut ())?;
//! assert!(training.progress.smoothed_loss < uniform);
//! assert!(run.checkpoint().exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The stages, in order
//! | stage | from | to | where |
//! | --- | --- | --- | --- |
//! | read | a TOML file, the keys of the plugins | an [`Experiment`], every default filled in | [`experiment`], [`plugins`] |
//! | data | a text, a dataset | batches of tokens, a pure function of the step | [`data`] |
//! | network | an experiment, the symbols | parameters on a device, run by an executor | [`model`], [`network`], [`executor`] |
//! | train | a network, data | updates, reports, checkpoints | [`train`] |
//! | run | what a training reports | a folder that can be resumed, listed and compared | [`run`] |
//! | inspect | a trained network | samples, losses on a split, norms of gradients | [`inspect`] |
//! | sweep | a sweep file | many runs, and a table that compares them | [`sweep`] |
//!
//! [`Session`] does the first steps in one for a program that is given a file, a run or a checkpoint. Below the stages lie
//! [`device`] (where tensors are), [`random`] (every random number, by name and step), [`replay`] (recorded graphs of
//! plugins from libraries) and [`tensors`]; beside them [`import`] (models of other frameworks) and [`plot`] (pictures).
//!
//! A fault that the user can remove is a [`Problem`]: it says what is wrong, where, and what to do. Everything else is an
//! internal error. [`Result`] carries both.

pub mod data;
pub mod device;
pub mod dtype;
mod encoding;
pub mod error;
pub mod executor;
pub mod experiment;
mod files;
mod hash;
pub mod import;
pub mod inspect;
pub mod model;
pub mod network;
pub mod plot;
pub mod plugins;
pub mod provenance;
pub mod random;
pub mod replay;
pub mod run;
pub mod schedule;
pub mod session;
pub mod suggest;
pub mod sweep;
pub mod tensors;
pub mod train;
pub mod visible;

pub use self::{
    data::{Data, Vocabulary},
    error::{Error, Problem, Result},
    experiment::{Experiment, reading::read},
    inspect::{
        evaluate::evaluate,
        generate::{Request, generate},
    },
    network::Network,
    plugins::Registry,
    run::directory::RunDirectory,
    session::Session,
    train::{Observer, Training},
};
