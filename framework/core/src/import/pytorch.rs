//! A `PyTorch` state dict with an explicit mapping: which of its tensors make up which parameter.
//!
//! ```toml
//! [parameters."layers.0.wx"]
//! from = ["rnn.weight_ih_l0"]
//!
//! [parameters."layers.0.b"]
//! from = ["rnn.bias_ih_l0", "rnn.bias_hh_l0"]   # PyTorch has two biases where one would do: they are added
//! ```
//!
//! `transpose = true` exchanges rows and columns; `blocks = [1, 0, 2]` takes the gates, which are blocks of rows, in
//! another order: block 1 of theirs first.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::{
    Foreign, ImportedModel, checkpoint, model, read,
    state_dict::{self, StateDict},
};
use crate::{
    data::Vocabulary,
    error::{Problem, Result},
    experiment::Experiment,
    plugins::Registry,
    run::checkpoint::PARAMETERS,
};

/// A mapping file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Mapping {
    /// By the names of our parameters.
    parameters: BTreeMap<String, Origin>,
}

/// What makes up a parameter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Origin {
    /// Names of their tensors, which are added.
    from: Vec<String>,
    /// Exchange rows and columns.
    #[serde(default)]
    transpose: bool,
    /// Which of their blocks of rows come first, second, …
    #[serde(default)]
    blocks: Vec<usize>,
}

/// A state dict as a checkpoint of an experiment, by a mapping file. Only parameters are taken. The file is one of
/// safetensors or of `torch.save`; in the latter the state dict may lie under a key.
///
/// # Errors
/// When a file cannot be read, when the mapping leaves out a parameter or names one that is not there, when the state
/// dict lacks a tensor, and when a shape differs.
pub fn pytorch(
    path: &Path,
    key: Option<&str>,
    mapping: &Path,
    experiment: Experiment,
    vocabulary: Vocabulary,
    registry: &Registry,
) -> Result<ImportedModel> {
    let (bytes, text) = (read(path)?, String::from_utf8_lossy(&read(mapping)?).into_owned());
    let names = (path.display().to_string(), mapping.display().to_string());
    pytorch_from_bytes((&bytes, &names.0), key, (&text, &names.1), experiment, vocabulary, registry)
}

/// [`pytorch`] of a state dict and a mapping that are in memory, each with what stands for it in messages.
///
/// # Errors
/// Those of [`pytorch`].
pub fn pytorch_from_bytes(
    (bytes, name): (&[u8], &str),
    key: Option<&str>,
    mapping: (&str, &str),
    experiment: Experiment,
    vocabulary: Vocabulary,
    registry: &Registry,
) -> Result<ImportedModel> {
    let theirs = state_dict::read(name, bytes, key)?;
    let mapping = read_mapping(mapping)?;
    let specs = model(&experiment, &vocabulary, registry)?.params();
    let unknown = mapping.parameters.keys().filter(|name| !specs.iter().any(|spec| spec.name == name.as_str()));
    let mut problems: Vec<_> = unknown
        .map(|name| {
            let known: Vec<_> = specs.iter().map(|spec| spec.name.as_ref()).collect();
            Problem::new(format!("the mapping names `{name}`, which the model has not"))
                .note(format!("its parameters: {}", known.join(", ")))
        })
        .collect();
    let mut tensors = Vec::new();
    for spec in &specs {
        let taken = match mapping.parameters.get(spec.name.as_ref()) {
            Some(origin) => origin.take(&theirs).and_then(|sum| sum.into_named(PARAMETERS, &spec.name, spec.shape)),
            None => Err(Problem::new(format!("the mapping says nothing of `{}`", spec.name))
                .hint(format!("add: [parameters.\"{}\"] with from = [\"…\"]", spec.name))
                .into()),
        };
        match taken {
            Ok(tensor) => tensors.push(tensor),
            Err(crate::error::Error::User(found)) => problems.extend(found),
            Err(internal) => return Err(internal),
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let used = |name: &&str| mapping.parameters.values().any(|origin| origin.from.iter().any(|from| from == name));
    let left: Vec<_> = theirs.keys().map(String::as_str).filter(|name| !used(name)).collect();
    let notes = if left.is_empty() { Vec::new() } else { vec![format!("not used: {}", left.join(", "))] };
    Ok(ImportedModel { checkpoint: checkpoint(experiment, vocabulary, registry, &tensors, 0)?, notes })
}

impl Origin {
    /// The sum of the tensors, in our order.
    fn take(&self, theirs: &StateDict) -> Result<Foreign> {
        let mut sum: Option<Foreign> = None;
        for name in &self.from {
            let tensor = state_dict::tensor(theirs, name)?;
            match &mut sum {
                None => sum = Some(tensor),
                Some(sum) if sum.shape == tensor.shape => {
                    sum.values.iter_mut().zip(&tensor.values).for_each(|(sum, value)| *sum += value);
                    sum.name = format!("{} + {name}", sum.name);
                }
                Some(sum) => {
                    return Err(Problem::new(format!("`{}` and `{name}` cannot be added", sum.name))
                        .note(format!("their shapes: {:?} and {:?}", sum.shape, tensor.shape))
                        .into());
                }
            }
        }
        let sum = sum.ok_or_else(|| Problem::new("`from` names no tensor"))?;
        let sum = if self.blocks.is_empty() { sum } else { reorder(sum, &self.blocks)? };
        Ok(if self.transpose { sum.transposed() } else { sum })
    }
}

/// The blocks of the first dimension in another order.
fn reorder(tensor: Foreign, blocks: &[usize]) -> Result<Foreign> {
    let mut sorted = blocks.to_vec();
    sorted.sort_unstable();
    let rows = tensor.shape.first().copied().unwrap_or_default();
    if sorted.iter().copied().ne(0..blocks.len()) || rows % blocks.len() != 0 {
        return Err(Problem::new(format!("`{}` cannot be taken in blocks {blocks:?}", tensor.name))
            .note(format!("it has {rows} rows"))
            .hint("name every block once, counted from 0")
            .into());
    }
    let size = tensor.values.len() / blocks.len();
    let values = blocks.iter().flat_map(|&block| tensor.values[block * size..(block + 1) * size].to_vec()).collect();
    Ok(Foreign { values, ..tensor })
}

fn read_mapping((text, name): (&str, &str)) -> Result<Mapping> {
    toml::from_str(text).map_err(|error| {
        let place = crate::error::Place { file: name.into(), text: text.into(), span: error.span().unwrap_or(0..0) };
        Problem::new(format!("the mapping cannot be read: {}", error.message())).at(place).into()
    })
}
