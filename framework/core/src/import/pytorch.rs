//! A `PyTorch` state dict or a record of Burn with an explicit mapping: which of its tensors make up which parameter.
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
//! another order: block 1 of theirs first; `gates` does so after the exchange. `stack = [["w_i"], ["w_f"]]` puts matrices of
//! single gates one under the other, with `dim = 1` one beside the other, `columns = [0, 27]` and `rows` take a part, as of one matrix for input and state, and
//! `zeros = true` is for what their model lacks.

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

/// What makes up a parameter. In this order: tensors are added, stacked, cut, their blocks of rows put in order, transposed,
/// and then our gates put in order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Origin {
    /// Names of their tensors, which are added.
    #[serde(default)]
    from: Vec<String>,
    /// In place of `from`: the tensors of each gate, which are added, and the gates stacked as rows.
    #[serde(default)]
    stack: Vec<Vec<String>>,
    /// The dimension along which `stack` goes, as that of `torch.cat`: 0 for rows, 1 for columns.
    #[serde(default)]
    dim: usize,
    /// In place of both: the model has no such parameter, and it is zero.
    #[serde(default)]
    zeros: bool,
    /// The first of their rows that is taken, and the first that is not.
    rows: Option<[usize; 2]>,
    /// The first of their columns that is taken, and the first that is not.
    columns: Option<[usize; 2]>,
    /// Which of their blocks of rows come first, second, …
    #[serde(default)]
    blocks: Vec<usize>,
    /// Exchange rows and columns.
    #[serde(default)]
    transpose: bool,
    /// Which blocks of rows come first, second, … when rows and columns are exchanged.
    #[serde(default)]
    gates: Vec<usize>,
}

/// A state dict or a record of Burn as a checkpoint of an experiment, by a mapping file. Only parameters are taken. The file
/// is one of safetensors, of `torch.save` or of burnpack; in one of `torch.save` the state dict may lie under a key.
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
            Some(origin) => {
                origin.take(&theirs, spec.shape).and_then(|sum| sum.into_named(PARAMETERS, &spec.name, spec.shape))
            }
            None => Err(Problem::new(format!("the mapping says nothing of `{}`", spec.name))
                .hint(format!(
                    "add: [parameters.\"{}\"] with from = [\"…\"], or zeros = true if their model has none",
                    spec.name
                ))
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
    let used = |name: &&str| mapping.parameters.values().any(|origin| origin.names().any(|from| from == *name));
    let left: Vec<_> = theirs.keys().map(String::as_str).filter(|name| !used(name)).collect();
    let notes = if left.is_empty() { Vec::new() } else { vec![format!("not used: {}", left.join(", "))] };
    Ok(ImportedModel { checkpoint: checkpoint(experiment, vocabulary, registry, &tensors, 0)?, notes })
}

impl Origin {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.from.iter().chain(self.stack.iter().flatten()).map(String::as_str)
    }

    /// The tensors as our parameter of that shape.
    fn take(&self, theirs: &StateDict, [rows, columns]: [usize; 2]) -> Result<Foreign> {
        let given = [!self.from.is_empty(), !self.stack.is_empty(), self.zeros];
        if given.iter().filter(|given| **given).count() != 1 {
            let given = "`from` names no tensor, or there is more than one of `from`, `stack` and `zeros`";
            return Err(Problem::new(given).hint("keep one of them").into());
        }
        if self.zeros {
            return Ok(Foreign {
                name: "zeros".to_owned(),
                shape: vec![rows, columns],
                values: vec![0.0; rows * columns],
            });
        }
        let all = if self.stack.is_empty() { sum(theirs, &self.from)? } else { stack(theirs, &self.stack, self.dim)? };
        let all = match self.rows {
            Some(rows) => cut(all, rows, "rows")?,
            None => all,
        };
        let all = match self.columns {
            Some(columns) => cut(all.transposed(), columns, "columns")?.transposed(),
            None => all,
        };
        let all = if self.blocks.is_empty() { all } else { reorder(all, &self.blocks)? };
        let all = if self.transpose { all.transposed() } else { all };
        if self.gates.is_empty() { Ok(all) } else { reorder(all, &self.gates) }
    }
}

/// The sum of tensors.
fn sum(theirs: &StateDict, names: &[String]) -> Result<Foreign> {
    let mut sum: Option<Foreign> = None;
    for name in names {
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
    sum.ok_or_else(|| Problem::new("a part of `stack` names no tensor").into())
}

/// Tensors of as many columns, one under the other, or of as many rows, one beside the other. Of vectors there is one way.
fn stack(theirs: &StateDict, parts: &[Vec<String>], dim: usize) -> Result<Foreign> {
    let mut parts = parts.iter().map(|names| sum(theirs, names)).collect::<Result<Vec<_>>>()?;
    let is_beside = dim == 1 && parts.iter().all(|part| part.shape.len() == 2);
    if is_beside {
        parts = parts.iter().map(Foreign::transposed).collect();
    }
    let name = parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(", ");
    let below = |part: &Foreign| part.shape.get(1..).unwrap_or_default().to_vec();
    if let Some(other) = parts.iter().find(|part| below(part) != below(&parts[0]) || part.shape.is_empty()) {
        return Err(Problem::new(format!("`{}` and `{}` cannot be stacked", parts[0].name, other.name))
            .note(format!("their shapes: {:?} and {:?}", parts[0].shape, other.shape))
            .into());
    }
    let rows = parts.iter().map(|part| part.shape[0]).sum();
    let shape = [vec![rows], below(&parts[0])].concat();
    let all = Foreign { name, shape, values: parts.into_iter().flat_map(|part| part.values).collect() };
    Ok(if is_beside { all.transposed() } else { all })
}

/// A part of the first dimension.
fn cut(tensor: Foreign, [from, to]: [usize; 2], what: &str) -> Result<Foreign> {
    let length = tensor.shape.first().copied().unwrap_or_default();
    if from >= to || to > length {
        return Err(Problem::new(format!("`{}` has no {what} {from} to {to}", tensor.name))
            .note(format!("it has {length}"))
            .hint("name the first that is taken and the first that is not, counted from 0")
            .into());
    }
    let width = tensor.values.len() / length;
    let shape = [vec![to - from], tensor.shape[1..].to_vec()].concat();
    Ok(Foreign { shape, values: tensor.values[from * width..to * width].to_vec(), name: tensor.name })
}

/// The blocks of the first dimension in another order.
pub(super) fn reorder(tensor: Foreign, blocks: &[usize]) -> Result<Foreign> {
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
