//! The checkpoint: everything that a run needs to be resumed exactly, in one file.
//!
//! The file is a safetensors file, so that other programs can read the numbers. Its metadata holds the resolved
//! experiment, the vocabulary, how far training was, and who provided the plugins; nothing outside the file is needed.
//!
//! # The file
//! - 8 bytes: the length of the header, little-endian. The header: JSON, filled up with spaces to a multiple of 8 bytes.
//! - The header begins with `{"__metadata__":{"hatchery.sha256":"`, followed by 64 hexadecimal digits: the SHA-256 of the
//!   whole file with these 64 digits replaced by zeros. So not one bit can change unnoticed.
//! - Then `hatchery.format` (`1`), `hatchery.experiment` (TOML), `hatchery.vocabulary`, `hatchery.progress` (JSON),
//!   `hatchery.plugins` (JSON), `hatchery.data` and `hatchery.logs` (if they are known), and the tensors in the order of
//!   their bytes, each `F32` or `F64` and of two dimensions.
//!
//! The same checkpoint always gives the same bytes.

mod header;
mod parse;

use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::replace;
use crate::{
    error::{Problem, Result},
    hash,
    provenance::Provenance,
    tensors::NamedTensor,
};

/// Prefix of the names of the model's parameters.
pub const PARAMETERS: &str = "parameters.";
/// Prefix of the names of the optimizer's state.
pub const OPTIMIZER: &str = "optimizer.";
/// Prefix of the names of the state that is carried from one batch to the next.
pub const STATE: &str = "state.";

/// The version of the file format that is written.
const FORMAT: u64 = 1;

/// A run at one moment between two updates.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// All matrices, in the order in which they are kept; [`PARAMETERS`], [`OPTIMIZER`] and [`STATE`] begin their names.
    pub tensors: Vec<NamedTensor>,
    /// Everything that is not a matrix.
    pub meta: Meta,
}

/// Everything in a checkpoint that is not a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The resolved experiment, as TOML.
    pub experiment: String,
    /// The vocabulary, as its own module writes it.
    pub vocabulary: String,
    /// How far training was.
    pub progress: Progress,
    /// Who provided the plugins.
    pub plugins: Vec<Provenance>,
    /// The SHA-256 of the text that was trained on, as its dataset reads it, in hexadecimal digits.
    pub data: Option<String>,
    /// The digests of the run's logs, as far as they were written then.
    pub logs: Option<LogDigests>,
}

/// The SHA-256 of each log of a run up to a checkpoint, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LogDigests {
    /// That of `metrics.jsonl`.
    pub metrics: String,
    /// That of `samples.jsonl`.
    pub samples: String,
    /// That of `events.jsonl`, if it has lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<String>,
}

/// How far training was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Progress {
    /// Updates that are done.
    pub updates: u64,
    /// The running mean of the loss, in the unit of the experiment's loss.
    #[serde(serialize_with = "write_number", deserialize_with = "read_number")]
    pub smoothed_loss: f64,
    /// What has gone into the next line of the metrics so far.
    pub interval: Interval,
    /// The best validation so far.
    pub best: Option<Best>,
    /// Factor on the scheduled learning rate: 1 unless training was taken back after it diverged.
    #[serde(serialize_with = "write_number", deserialize_with = "read_number")]
    pub rate_factor: f64,
    /// Reports in a row in which the validation was no better than the best.
    #[serde(default)]
    pub stale: u64,
    /// Updates in a row that were dropped because they were not finite.
    #[serde(default)]
    pub skipped: u64,
    /// How often training was taken back.
    #[serde(default)]
    pub rewinds: u64,
    /// Lines of `events.jsonl`.
    #[serde(default)]
    pub events: u64,
}

/// Sums over the updates since the last line of the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interval {
    /// Updates.
    pub updates: u64,
    /// Characters that counted.
    pub characters: u64,
    /// Their cross-entropy in nats.
    #[serde(serialize_with = "write_number", deserialize_with = "read_number")]
    pub nats: f64,
    /// The losses of the updates, in the unit of the experiment's loss.
    #[serde(serialize_with = "write_number", deserialize_with = "read_number")]
    pub loss: f64,
}

/// The best validation of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Best {
    /// Updates that were done when it was measured.
    pub updates: u64,
    /// Nats per character.
    #[serde(serialize_with = "write_number", deserialize_with = "read_number")]
    pub nats: f64,
}

/// Writes a checkpoint of a run's own, replacing the one that is there.
///
/// # Errors
/// When the file cannot be written; the one that is there is then untouched. When two matrices share a name, or one has
/// no entries or another number of them than its shape says: mistakes of the caller's.
pub fn write(path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let header = header::text(checkpoint)?;
    replace::file(path, |file| write_into(file, &header, checkpoint))
}

/// Writes a checkpoint into a file that the user named.
///
/// # Errors
/// Those of [`write()`].
pub fn export(path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let header = header::text(checkpoint)?;
    replace::output_file(path, |file| write_into(file, &header, checkpoint))
}

fn write_into(file: &mut File, header: &str, checkpoint: &Checkpoint) -> io::Result<()> {
    let digest = stream(file, header, &checkpoint.tensors)?;
    file.seek(SeekFrom::Start(header::DIGEST_AT as u64))?;
    file.write_all(digest.as_bytes())
}

/// Reads a checkpoint.
///
/// # Errors
/// When there is no such file, when it is not a checkpoint or one of a newer Hatchery, and when any of its bytes changed.
pub fn read(path: &Path) -> Result<Checkpoint> {
    if let Some(run) = path.parent().filter(|run| !path.exists() && run.join("experiment.toml").exists()) {
        let best = run.join("best.safetensors");
        let hint = if best.exists() {
            format!("its best is there: name {}", best.display())
        } else {
            format!("train on: hatchery train --resume {}", run.display())
        };
        return Err(Problem::new(format!("the run `{}` has no checkpoint", run.display()))
            .note("none was written before it ended, or it has not come so far")
            .hint(hint)
            .into());
    }
    match examine(path)? {
        Inspection::Good(checkpoint) => Ok(*checkpoint),
        Inspection::Damaged(problem) => Err(problem.into()),
    }
}

/// What is found where a checkpoint should be.
#[derive(Debug)]
pub enum Inspection {
    /// A checkpoint, bit for bit as it was written.
    Good(Box<Checkpoint>),
    /// Something that no Hatchery wrote like this.
    Damaged(Problem),
}

/// Reads a checkpoint. Damage is no error: another checkpoint may be whole.
///
/// # Errors
/// When there is no such file, when it cannot be read, and when it is one of a newer Hatchery.
pub fn examine(path: &Path) -> Result<Inspection> {
    parse::file(path)
}

/// What a file says beside its matrices, if it is a checkpoint. Its header alone is read: for lists of many runs, and not
/// compared with the checksum, which [`read`] does.
pub fn peek(path: &Path) -> Option<Meta> {
    parse::header_of(path)
}

/// Reads a checkpoint that is in memory. `name` stands for the file in messages.
///
/// # Errors
/// When it is not a checkpoint or one of a newer Hatchery, and when any of its bytes changed.
pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Checkpoint> {
    Ok(parse::parse(bytes).map_err(|fault| fault.problem(name))?)
}

/// Writes header and matrices, and gives the digest of it all.
fn stream(file: &mut File, header: &str, tensors: &[NamedTensor]) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut put = |bytes: &[u8]| {
        hasher.update(bytes);
        out.write_all(bytes)
    };
    put(&(header.len() as u64).to_le_bytes())?;
    put(header.as_bytes())?;
    for tensor in tensors {
        tensor.values.stream(&mut put)?;
    }
    out.flush()?;
    Ok(hash::finish(hasher))
}

impl Checkpoint {
    /// The matrices of a group, in order, with their names in the group: those without `prefix`.
    pub fn group<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a NamedTensor)> {
        self.tensors.iter().filter_map(move |tensor| Some((tensor.name.strip_prefix(prefix)?, tensor)))
    }

    /// The first matrix with a number that is not finite, if there is one: such a run has diverged.
    pub fn diverged(&self) -> Option<&str> {
        self.tensors.iter().find(|tensor| !tensor.values.are_finite()).map(|tensor| tensor.name.as_str())
    }
}

// JSON has no word for numbers that are not finite, yet a run that diverged must be read back as it was.

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn write_number<S: Serializer>(value: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_str(&value.to_string()) }
}

fn read_number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match value.as_str() {
        Some("NaN") => Ok(f64::NAN),
        Some("inf") => Ok(f64::INFINITY),
        Some("-inf") => Ok(f64::NEG_INFINITY),
        _ => value.as_f64().ok_or_else(|| D::Error::custom(format!("{value} is not a number"))),
    }
}
