//! The header of a checkpoint file, written by ourselves: the safetensors crate keeps metadata in a hash map, whose order
//! changes from run to run, while ours has to give the same bytes every time and the checksum at a known place.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{Checkpoint, FORMAT};
use crate::{
    error::{Error, Result},
    experiment::Dtype,
    tensors::NamedTensor,
};

/// Keys of the metadata.
pub(super) mod key {
    pub(in super::super) const SHA256: &str = "hatchery.sha256";
    pub(in super::super) const FORMAT: &str = "hatchery.format";
    pub(in super::super) const EXPERIMENT: &str = "hatchery.experiment";
    pub(in super::super) const VOCABULARY: &str = "hatchery.vocabulary";
    pub(in super::super) const PROGRESS: &str = "hatchery.progress";
    pub(in super::super) const PLUGINS: &str = "hatchery.plugins";
    pub(in super::super) const DATA: &str = "hatchery.data";
    pub(in super::super) const LOGS: &str = "hatchery.logs";
}

/// What the header begins with; the digits of the checksum follow.
pub(super) const OPENING: &str = r#"{"__metadata__":{"hatchery.sha256":""#;
/// Bytes of the header's length, before the header.
pub(super) const PREFIX: usize = size_of::<u64>();
/// Where in the file the digits of the checksum begin.
pub(super) const DIGEST_AT: usize = PREFIX + OPENING.len();
/// How many digits there are.
pub(super) const DIGITS: usize = 64;
/// The longest header that readers of safetensors accept.
pub(super) const LONGEST: u64 = 100_000_000;

/// The header, with zeros in place of the checksum.
pub(super) fn text(checkpoint: &Checkpoint) -> Result<String> {
    let mut entries = Map::new();
    entries.insert("__metadata__".to_owned(), metadata(checkpoint)?);
    let mut names = HashSet::new();
    let mut offset = 0;
    for tensor in &checkpoint.tensors {
        if !names.insert(&tensor.name) || tensor.name == "__metadata__" {
            return Err(mistake(tensor, "the name is taken"));
        }
        if tensor.values.is_empty() || tensor.shape[0].checked_mul(tensor.shape[1]) != Some(tensor.values.len()) {
            return Err(mistake(tensor, &format!("it has {} values", tensor.values.len())));
        }
        let (dtype, width) = match tensor.values.dtype() {
            Dtype::F32 => ("F32", size_of::<f32>()),
            Dtype::F64 => ("F64", size_of::<f64>()),
        };
        let end = offset + tensor.values.len() * width;
        let entry = json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": [offset, end] });
        entries.insert(tensor.name.clone(), entry);
        offset = end;
    }
    let mut header = Value::Object(entries).to_string();
    let padding = header.len().next_multiple_of(PREFIX) - header.len();
    header.extend(std::iter::repeat_n(' ', padding));
    if header.len() as u64 > LONGEST {
        return Err(internal(format!("cannot write a checkpoint: its header has {} bytes", header.len())));
    }
    Ok(header)
}

fn metadata(checkpoint: &Checkpoint) -> Result<Value> {
    let meta = &checkpoint.meta;
    let encode = |error| Error::internal("cannot write a checkpoint: its metadata is no JSON", error);
    let entries = [
        (key::SHA256, "0".repeat(DIGITS)),
        (key::FORMAT, FORMAT.to_string()),
        (key::EXPERIMENT, meta.experiment.clone()),
        (key::VOCABULARY, meta.vocabulary.clone()),
        (key::PROGRESS, serde_json::to_string(&meta.progress).map_err(encode)?),
        (key::PLUGINS, serde_json::to_string(&meta.plugins).map_err(encode)?),
    ];
    let data = meta.data.clone().map(|digest| (key::DATA, digest));
    let logs = meta.logs.as_ref().map(serde_json::to_string).transpose().map_err(encode)?.map(|it| (key::LOGS, it));
    let entries = entries.into_iter().chain(data).chain(logs);
    Ok(Value::Object(entries.map(|(key, text)| (key.to_owned(), Value::String(text))).collect()))
}

fn mistake(tensor: &NamedTensor, what: &str) -> Error {
    let [rows, columns] = tensor.shape;
    internal(format!("cannot write a checkpoint: matrix `{}` [{rows}, {columns}]: {what}", tensor.name))
}

fn internal(message: String) -> Error {
    Error::Internal { message, cause: None }
}
