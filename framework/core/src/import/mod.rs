//! Models of other frameworks as checkpoints of ours, so that a training that began elsewhere can be continued here.
//!
//! An import needs an experiment that describes the same model. Nothing is guessed: what the file has and the
//! experiment lacks, or the other way round, is named.

mod burnpack;
mod keras;
mod keras_file;
mod keras_optimizer;
mod pickle;
mod pytorch;
mod state_dict;
mod torch_file;

use std::{path::Path, sync::Arc};

pub use self::{
    keras::{keras, keras_from_bytes},
    pytorch::{pytorch, pytorch_from_bytes},
};
use crate::{
    data::Vocabulary,
    error::{Problem, Result},
    experiment::Experiment,
    files,
    model::Model,
    network::Network,
    plugins::Registry,
    run::checkpoint::{Checkpoint, Progress},
    tensors::{NamedTensor, Values},
};

/// A checkpoint made of another framework's file.
pub struct ImportedModel {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Differences between file and experiment that change no prediction: another dropout, no optimizer state.
    pub notes: Vec<String>,
}

impl ImportedModel {
    /// Whether nothing says in which order the symbols are: the file never does, the experiment may list them.
    pub fn order_is_assumed(&self) -> bool {
        let experiment: toml::Table = self.checkpoint.meta.experiment.parse().unwrap_or_default();
        let symbols = experiment.get("vocabulary").and_then(|table| table.get("symbols")?.as_str());
        symbols.is_none_or(str::is_empty)
    }
}

/// Numbers from a file, with the name that they have there.
struct Foreign {
    name: String,
    /// As in the file; a vector has one dimension.
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Foreign {
    /// As `[rows, columns]`; a vector is one row.
    fn rows_and_columns(&self) -> Option<[usize; 2]> {
        match self.shape[..] {
            [] => Some([1, 1]),
            [columns] => Some([1, columns]),
            [rows, columns] => Some([rows, columns]),
            _ => None,
        }
    }

    /// A row of a matrix, as a vector.
    fn row(&self, row: usize) -> Self {
        let columns = self.shape.last().copied().unwrap_or_default();
        let values = self.values.chunks(columns.max(1)).nth(row).unwrap_or_default().to_vec();
        Self { name: self.name.clone(), shape: vec![values.len()], values }
    }

    /// The matrix with rows and columns exchanged; a vector stays one row.
    fn transposed(&self) -> Self {
        let [rows, columns] = self.shape[..] else {
            return Self { name: self.name.clone(), shape: self.shape.clone(), values: self.values.clone() };
        };
        let entry = |index: usize| self.values[index % rows * columns + index / rows];
        Self { name: self.name.clone(), shape: vec![columns, rows], values: (0..rows * columns).map(entry).collect() }
    }

    /// The numbers as the parameter `name` of that shape.
    ///
    /// # Errors
    /// When they have another shape.
    fn into_named(self, group: &str, name: &str, shape: [usize; 2]) -> Result<NamedTensor> {
        if self.rows_and_columns() != Some(shape) {
            let [rows, columns] = shape;
            let found: Vec<_> = self.shape.iter().map(ToString::to_string).collect();
            return Err(Problem::new(format!("`{}` has the wrong shape for `{name}`", self.name))
                .note(format!("as it is read from the file: {}", found.join(" by ")))
                .note(format!("as the experiment needs it: {rows} by {columns}"))
                .hint("give cell, embedding and vocabulary the sizes that the file has")
                .into());
        }
        Ok(NamedTensor { name: format!("{group}{name}"), shape, values: Values::F32(self.values) })
    }
}

/// The checkpoint of a network with these tensors.
fn checkpoint(
    experiment: Experiment,
    vocabulary: Vocabulary,
    registry: &Registry,
    tensors: &[NamedTensor],
    updates: u64,
) -> Result<Checkpoint> {
    let progress = Progress { updates, ..Progress::start(&experiment.train.smoothing, vocabulary.len()) };
    let mut network = Network::new(experiment, Arc::new(vocabulary), registry)?;
    network.executor.load(tensors)?;
    network.checkpoint(&progress)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    if !path.exists() {
        return Err(Problem::new(format!("there is no file `{name}`")).hint("check the path").into());
    }
    files::read(path, u64::MAX - 1).map_err(|error| Problem::new(format!("cannot read `{name}`: {error}")).into())
}

/// The model that the numbers are for.
fn model(experiment: &Experiment, vocabulary: &Vocabulary, registry: &Registry) -> Result<Model> {
    Model::new(experiment, registry, vocabulary.len())
}
