//! The checkpoint: everything that a run needs to go on exactly, in one file.
//!
//! The file is a safetensors file, so that other programs can read the numbers. Its metadata holds the resolved
//! experiment, the vocabulary, how far training was, and who provided the plugins; nothing outside the file is needed.
//!
//! # The file
//! - 8 bytes: the length of the header, little-endian. The header: JSON, filled up with spaces to a multiple of 8 bytes.
//! - The header begins with `{"__metadata__":{"hatchery.sha256":"`, followed by 64 hexadecimal digits: the SHA-256 of the
//!   whole file with these 64 digits replaced by zeros. So not one bit can change unnoticed.
//! - Then `hatchery.format` (`1`), `hatchery.experiment` (TOML), `hatchery.vocabulary`, `hatchery.progress` (JSON),
//!   `hatchery.plugins` (JSON), `hatchery.data` (if it is known), and the tensors in the order of their bytes, each `F32` or `F64` and of two dimensions.
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

pub(crate) use self::header::hexadecimal;
use super::replace;
use crate::{
    error::{Problem, Result},
    experiment::Dtype,
};

/// Prefix of the names of the model's parameters.
pub const PARAMETERS: &str = "parameters.";
/// Prefix of the names of what the optimiser remembers.
pub const OPTIMIZER: &str = "optimizer.";
/// Prefix of the names of the state that is carried from one batch to the next.
pub const STATE: &str = "state.";

/// The version of the file format that is written.
const FORMAT: u64 = 1;

/// A run at one moment between two updates.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// All matrices, in the order in which they are kept; [`PARAMETERS`], [`OPTIMIZER`] and [`STATE`] begin their names.
    pub tensors: Vec<Named>,
    /// Everything that is not a matrix.
    pub meta: Meta,
}

/// A matrix with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name, with the prefix of its group.
    pub name: String,
    /// Rows and columns; a single number is `[1, 1]`.
    pub shape: [usize; 2],
    /// The numbers, row by row.
    pub values: Values,
}

/// Numbers of one width.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of 32 bits.
    F32(Vec<f32>),
    /// Of 64 bits.
    F64(Vec<f64>),
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

/// Who provided a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Provenance {
    /// The kind of plugin: `cell`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The crate.
    pub package: String,
    /// The crate's version.
    pub version: String,
    /// The SHA-256 of the library file, if the plugin was loaded from one.
    pub library: Option<String>,
}

/// Writes a checkpoint, replacing the one that is there.
///
/// # Errors
/// When the file cannot be written; the one that is there is then untouched. When two matrices share a name, or one has
/// no entries or another number of them than its shape says: mistakes of the caller's.
pub fn write(path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let header = header::text(checkpoint)?;
    replace::file(path, |file| {
        let digest = stream(file, &header, &checkpoint.tensors)?;
        file.seek(SeekFrom::Start(header::DIGEST_AT as u64))?;
        file.write_all(digest.as_bytes())
    })
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
        Found::Good(checkpoint) => Ok(*checkpoint),
        Found::Damaged(problem) => Err(problem.into()),
    }
}

/// What is found where a checkpoint should be.
#[derive(Debug)]
pub enum Found {
    /// A checkpoint, bit for bit as it was written.
    Good(Box<Checkpoint>),
    /// Something that no Hatchery wrote like this.
    Damaged(Problem),
}

/// Reads a checkpoint, telling damage from other faults, which another checkpoint would not mend.
///
/// # Errors
/// When there is no such file, when it cannot be read, and when it is one of a newer Hatchery.
pub fn examine(path: &Path) -> Result<Found> {
    parse::file(path)
}

/// Reads a checkpoint that is in memory. `name` stands for the file in messages.
///
/// # Errors
/// When it is not a checkpoint or one of a newer Hatchery, and when any of its bytes changed.
pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Checkpoint> {
    Ok(parse::parse(bytes).map_err(|fault| fault.problem(name))?)
}

/// Writes header and matrices, and gives the digest of it all.
fn stream(file: &mut File, header: &str, tensors: &[Named]) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut put = |bytes: &[u8]| {
        hash.update(bytes);
        out.write_all(bytes)
    };
    put(&(header.len() as u64).to_le_bytes())?;
    put(header.as_bytes())?;
    for tensor in tensors {
        tensor.values.stream(&mut put)?;
    }
    out.flush()?;
    Ok(header::hexadecimal(&hash.finalize()))
}

impl Checkpoint {
    /// The matrices of a group, in order, with their names in the group: those without `prefix`.
    pub fn group<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Named)> {
        self.tensors.iter().filter_map(move |tensor| Some((tensor.name.strip_prefix(prefix)?, tensor)))
    }

    /// The first matrix with a number that is not finite, if there is one: such a run has diverged.
    pub fn diverged(&self) -> Option<&str> {
        self.tensors.iter().find(|tensor| !tensor.values.are_finite()).map(|tensor| tensor.name.as_str())
    }
}

impl Named {
    /// Whether name, shape and every bit of the numbers are the same.
    pub fn is_identical(&self, other: &Self) -> bool {
        self.name == other.name && self.shape == other.shape && self.values.first_difference(&other.values).is_none()
    }
}

impl Values {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers in 64 bits, which hold those in 32 exactly.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().copied().map(f64::from).collect(),
            Self::F64(values) => values.clone(),
        }
    }

    /// Whether none of them is infinite or not a number.
    pub fn are_finite(&self) -> bool {
        match self {
            Self::F32(values) => values.iter().all(|value| value.is_finite()),
            Self::F64(values) => values.iter().all(|value| value.is_finite()),
        }
    }

    /// Where the bits of two lists first differ. Lists of other lengths differ where the shorter one ends, those of
    /// other widths at 0.
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let shorter = self.len().min(other.len());
        let at = match (self, other) {
            (Self::F32(a), Self::F32(b)) => a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits()),
            (Self::F64(a), Self::F64(b)) => a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits()),
            _ => Some(0),
        };
        at.or((self.len() != other.len()).then_some(shorter))
    }

    /// The number at an index, if there is one.
    pub fn get(&self, index: usize) -> Option<f64> {
        match self {
            Self::F32(values) => values.get(index).map(|&value| f64::from(value)),
            Self::F64(values) => values.get(index).copied(),
        }
    }

    /// Their width.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
        }
    }

    /// Passes the numbers on as little-endian bytes, a piece at a time so that no second copy of them is held.
    fn stream(&self, put: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        const PIECE: usize = 1 << 14;
        match self {
            Self::F32(values) => values
                .chunks(PIECE)
                .try_for_each(|piece| put(&piece.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())),
            Self::F64(values) => values
                .chunks(PIECE)
                .try_for_each(|piece| put(&piece.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())),
        }
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
