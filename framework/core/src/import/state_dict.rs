//! Tensors by name: a state dict of `PyTorch`, from a safetensors file or from one of `torch.save`, or a module's record of
//! Burn.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{Foreign, burnpack, torch_file};
use crate::error::{Problem, Result};

/// Tensors by name.
pub(super) type StateDict = BTreeMap<String, Tensor>;

/// A tensor.
pub(super) struct Tensor {
    /// As in the file; a vector has one dimension.
    pub(super) shape: Vec<usize>,
    /// The elements row by row, or the reason why they cannot be read.
    pub(super) numbers: std::result::Result<Vec<f32>, Problem>,
}

/// Reads a state dict, or the one under a key of a file of `torch.save`, or a record of Burn.
///
/// # Errors
/// When the file is damaged or has no state dict.
pub(super) fn read(file: &str, bytes: &[u8], key: Option<&str>) -> Result<StateDict> {
    let named = |problem: Problem| problem.note(format!("the file: `{file}`"));
    if torch_file::is_one(bytes) {
        return Ok(torch_file::read(bytes, key).map_err(named)?);
    }
    if key.is_some() {
        let none = Problem::new("only a file of torch.save has dictionaries to choose from").hint("leave out --key");
        return Err(named(none).into());
    }
    if burnpack::is_one(bytes) {
        return Ok(burnpack::read(bytes).map_err(named)?);
    }
    let theirs = SafeTensors::deserialize(bytes).map_err(|error| {
        let problem = Problem::new(format!(
            "`{file}` is neither a safetensors file nor one of torch.save, nor a record of Burn (burnpack)"
        ));
        let problem = problem.note(format!("as a safetensors file: {error}"));
        if [".mpk", ".mpk.gz"].iter().any(|ending| file.ends_with(ending)) {
            return problem.hint(
                "records of earlier versions of Burn are read by those alone: save the module as safetensors there",
            );
        }
        problem
    })?;
    let tensor =
        |name: &str, view: &TensorView<'_>| Tensor { shape: view.shape().to_vec(), numbers: numbers(name, view) };
    Ok(theirs
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let tensor = tensor(&name, &view);
            (name, tensor)
        })
        .collect())
}

/// The tensor of that name.
///
/// # Errors
/// When there is none, or its dtype is not supported.
pub(super) fn tensor(theirs: &StateDict, name: &str) -> Result<Foreign> {
    let Some(tensor) = theirs.get(name) else {
        let known: Vec<_> = theirs.keys().map(String::as_str).collect();
        return Err(Problem::new(format!("the file has no `{name}`"))
            .note(format!("it has: {}", known.join(", ")))
            .into());
    };
    match &tensor.numbers {
        Ok(values) => Ok(Foreign { name: name.to_owned(), shape: tensor.shape.clone(), values: values.clone() }),
        Err(problem) => Err(problem.clone().into()),
    }
}

/// The problem of an unsupported dtype.
pub(super) fn unsupported(name: &str, kind: &str) -> Problem {
    Problem::new(format!("`{name}` has numbers of the kind {kind}"))
        .hint("save it as 32- or 64-bit floating-point numbers")
}

fn numbers(name: &str, view: &TensorView<'_>) -> std::result::Result<Vec<f32>, Problem> {
    match view.dtype() {
        Dtype::F32 => Ok(view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        Dtype::F64 => Ok(view.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect()),
        other => Err(unsupported(name, &format!("{other:?}"))),
    }
}
