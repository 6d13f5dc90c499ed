//! Reading a checkpoint file, which may be anything: cut off, changed, or of another program.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read,
    path::Path,
};

use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{
    Checkpoint, FORMAT, Inspection, Meta,
    header::{DIGEST_AT, DIGITS, LONGEST, OPENING, PREFIX, key},
};
use crate::{
    device::{bytes, of_machine},
    error::{Problem, Result},
    experiment::renamed::rename,
    files, hash,
    run::failure,
    tensors::{NamedTensor, Values},
};

const DAMAGED: &str = "take another checkpoint: this one cannot be trusted";
const FOREIGN: &str = "name a checkpoint that `hatchery train` wrote";

/// What is wrong with the file, and what to do.
pub(super) struct FormatError {
    what: String,
    hint: &'static str,
    /// Whether a newer Hatchery wrote it: then nothing is wrong with the file.
    newer: bool,
}

impl FormatError {
    pub(super) fn problem(&self, name: &str) -> Problem {
        Problem::new(format!("cannot read the checkpoint `{name}`: {}", self.what)).hint(self.hint)
    }
}

type ParseResult<T> = std::result::Result<T, FormatError>;

pub(super) fn file(path: &Path) -> Result<Inspection> {
    let status = fs::metadata(path).map_err(|error| failure("read", path, error))?;
    if status.is_dir() {
        return Err(Problem::new(format!("`{}` is a folder, not a checkpoint", path.display()))
            .hint("name the file in it that ends in `.safetensors`")
            .into());
    }
    let mut file = files::open(path).map_err(|error| failure("read", path, error))?;
    if let Some(memory) = of_machine().filter(|memory| status.len() > *memory) {
        let what = format!("cannot read `{}`: it has {}", path.display(), bytes(status.len() as f64));
        return Err(Problem::new(what)
            .note(format!("this machine has {} of memory", bytes(memory as f64)))
            .hint("name a checkpoint that `hatchery train` wrote, or read it on a larger machine")
            .into());
    }
    // What is far too long to be a checkpoint shows in the first bytes; the rest is then not read at all.
    let mut content = Vec::new();
    let take = |count: u64, bytes: &mut Vec<u8>, file: &mut File| {
        file.take(count).read_to_end(bytes).map_err(|error| failure("read", path, error))
    };
    take(PREFIX as u64 + 1, &mut content, &mut file)?;
    let parsed = match header_length(&content, status.len()) {
        Ok(_) => {
            take(status.len(), &mut content, &mut file)?;
            parse(&content)
        }
        Err(fault) => Err(fault),
    };
    match parsed {
        Ok(checkpoint) => Ok(Inspection::Good(Box::new(checkpoint))),
        Err(fault) if fault.newer => Err(fault.problem(&path.display().to_string()).into()),
        Err(fault) => Ok(Inspection::Damaged(fault.problem(&path.display().to_string()))),
    }
}

pub(super) fn parse(bytes: &[u8]) -> ParseResult<Checkpoint> {
    let length = header_length(bytes, bytes.len() as u64)?;
    let (head, data) = bytes.split_at_checked(PREFIX + length).ok_or_else(cut_off)?;
    let broken = |error: &dyn std::fmt::Display| damaged(format!("its header is broken: {error}"));
    let header = std::str::from_utf8(&head[PREFIX..]).map_err(|error| broken(&error))?;
    // `SafeTensors::deserialize` adds up lengths that the file announces without looking for overflow, so it is the
    // metadata alone that is read with the crate, and the length is compared here.
    let contents: Metadata = serde_json::from_str(header).map_err(|error| broken(&error))?;
    let metadata = contents.metadata().clone().unwrap_or_default();
    format(&metadata)?;
    if data.len() < contents.data_len() {
        return Err(cut_off());
    }
    if data.len() > contents.data_len() {
        return Err(damaged(format!("{} bytes follow its end", data.len() - contents.data_len())));
    }
    checksum(bytes)?;
    let meta = meta(&metadata)?;
    let tensors = contents
        .offset_keys()
        .into_iter()
        .filter_map(|name| contents.info(&name).map(|info| tensor(&name, info, data)))
        .collect::<ParseResult<_>>()?;
    Ok(Checkpoint { tensors, meta })
}

fn meta(metadata: &HashMap<String, String>) -> ParseResult<Meta> {
    Ok(Meta {
        experiment: rename(text(metadata, key::EXPERIMENT)?).0,
        vocabulary: text(metadata, key::VOCABULARY)?.to_owned(),
        progress: json(metadata, key::PROGRESS)?,
        plugins: json(metadata, key::PLUGINS)?,
        data: metadata.get(key::DATA).cloned(),
        logs: if metadata.contains_key(key::LOGS) { Some(json(metadata, key::LOGS)?) } else { None },
    })
}

/// What the header of a file says beside the matrices.
pub(super) fn header_of(path: &Path) -> Option<Meta> {
    let mut file = files::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    let mut start = [0; PREFIX];
    file.read_exact(&mut start).ok()?;
    let length = header_length(&start, size).ok()?;
    let mut header = Vec::new();
    file.take(length as u64).read_to_end(&mut header).ok()?;
    let contents: Metadata = serde_json::from_slice(&header).ok()?;
    let metadata = contents.metadata().as_ref()?;
    format(metadata).and_then(|()| meta(metadata)).ok()
}

/// The length of the header, as far as the first bytes and the length of the file allow to judge.
fn header_length(start: &[u8], file_length: u64) -> ParseResult<usize> {
    let Some(prefix) = start.first_chunk::<PREFIX>() else {
        return Err(if start.is_empty() { damaged("it is empty".to_owned()) } else { not_safetensors() });
    };
    let length = u64::from_le_bytes(*prefix);
    if length > LONGEST || start.get(PREFIX).is_some_and(|first| *first != b'{') {
        return Err(not_safetensors());
    }
    if length + PREFIX as u64 > file_length {
        return Err(cut_off());
    }
    Ok(length as usize)
}

/// Whether the file is of a format that this program reads.
fn format(metadata: &HashMap<String, String>) -> ParseResult<()> {
    let Some(format) = metadata.get(key::FORMAT) else {
        return Err(FormatError {
            what: format!("it is a safetensors file, but not of Hatchery (it has no `{}`)", key::FORMAT),
            hint: FOREIGN,
            newer: false,
        });
    };
    match format.parse::<u64>() {
        Ok(FORMAT) => Ok(()),
        Ok(newer) if newer > FORMAT => Err(FormatError {
            what: format!("it has format {newer}, and this Hatchery reads formats up to {FORMAT}"),
            hint: "read it with the Hatchery that wrote it, or a later one",
            newer: true,
        }),
        _ => Err(damaged(format!("its format is {format:?}"))),
    }
}

/// Whether the file is, bit for bit, what was written.
fn checksum(bytes: &[u8]) -> ParseResult<()> {
    let opened = bytes.get(PREFIX..).is_some_and(|header| header.starts_with(OPENING.as_bytes()));
    let Some(digits) = bytes.get(DIGEST_AT..DIGEST_AT + DIGITS).filter(|_| opened) else {
        return Err(FormatError {
            what: "another program has rewritten it, so that its checksum cannot be compared".to_owned(),
            hint: FOREIGN,
            newer: false,
        });
    };
    let mut hasher = Sha256::new();
    hasher.update(&bytes[..DIGEST_AT]);
    hasher.update([b'0'; DIGITS]);
    hasher.update(&bytes[DIGEST_AT + DIGITS..]);
    if hash::finish(hasher).as_bytes() != digits {
        return Err(damaged("its bytes do not match its checksum".to_owned()));
    }
    Ok(())
}

fn tensor(name: &str, info: &TensorInfo, data: &[u8]) -> ParseResult<NamedTensor> {
    let (start, end) = info.data_offsets;
    let bytes = data.get(start..end).ok_or_else(cut_off)?;
    let values = match info.dtype {
        Dtype::F32 => Values::F32(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        Dtype::F64 => Values::F64(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()),
        other => return Err(damaged(format!("`{name}` has numbers of type {other}"))),
    };
    match info.shape[..] {
        [rows, columns] => Ok(NamedTensor { name: name.to_owned(), shape: [rows, columns], values }),
        ref other => Err(damaged(format!("`{name}` has {} dimensions, not 2", other.len()))),
    }
}

fn text<'a>(metadata: &'a HashMap<String, String>, key: &str) -> ParseResult<&'a str> {
    metadata.get(key).map(String::as_str).ok_or_else(|| damaged(format!("it has no `{key}`")))
}

fn json<T: DeserializeOwned>(metadata: &HashMap<String, String>, key: &str) -> ParseResult<T> {
    serde_json::from_str(text(metadata, key)?).map_err(|error| damaged(format!("its `{key}` is broken: {error}")))
}

fn damaged(what: String) -> FormatError {
    FormatError { what, hint: DAMAGED, newer: false }
}

fn cut_off() -> FormatError {
    damaged("it is cut off".to_owned())
}

fn not_safetensors() -> FormatError {
    FormatError { what: "it is not a safetensors file".to_owned(), hint: FOREIGN, newer: false }
}
