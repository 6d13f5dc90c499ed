//! The logs of a run: one JSON object a line, appended while training runs.
//!
//! Rows hold nothing that differs between two runs of one experiment, such as times: repeating a run gives the same
//! bytes. A number that is not finite, which JSON does not know, is `null` and reads back as not a number; every other
//! number reads back exactly.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{failure, replace};
use crate::{
    error::{Error, Place, Problem, Result},
    files, hash,
};

/// Bytes of the largest log that is read: lines for more than ten million updates.
pub(crate) const LARGEST: u64 = 1 << 32;

/// A line of `metrics.jsonl`: how training stood after one update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Zero-based index of the update.
    pub step: u64,
    /// How often the training split has been gone through, with the part of the present round.
    #[serde(deserialize_with = "number")]
    pub epoch: f64,
    /// Loss of the update's batch, in the unit of the experiment's loss.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Its running mean.
    #[serde(deserialize_with = "number")]
    pub smoothed_loss: f64,
    /// Cross-entropy of the batch in bits per character.
    #[serde(deserialize_with = "number")]
    pub bits_per_character: f64,
    /// Perplexity per character of the batch.
    #[serde(deserialize_with = "number")]
    pub perplexity: f64,
    /// Global norm of the gradients before they were clipped.
    #[serde(deserialize_with = "number")]
    pub gradient_norm: f64,
    /// Global norm of the gradients after they were clipped.
    #[serde(deserialize_with = "number")]
    pub clipped_norm: f64,
    /// Learning rate of the update.
    #[serde(deserialize_with = "number")]
    pub learning_rate: f64,
    /// The validation split, where it was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Evaluation>,
}

impl Metric {
    /// Cross-entropy of the training in nats per character.
    pub fn nats(&self) -> f64 {
        self.bits_per_character * std::f64::consts::LN_2
    }
}

/// How well a model predicts a whole split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Cross-entropy in nats per character.
    #[serde(deserialize_with = "number")]
    pub nats_per_character: f64,
    /// Cross-entropy in bits per character.
    #[serde(deserialize_with = "number")]
    pub bits_per_character: f64,
    /// Perplexity per character.
    #[serde(deserialize_with = "number")]
    pub perplexity: f64,
    /// Share of the characters to which the model gave the largest probability.
    #[serde(deserialize_with = "number")]
    pub accuracy: f64,
    /// Characters that were predicted.
    pub characters: u64,
}

/// A line of `samples.jsonl`: a text that the model made after one update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow {
    /// Zero-based index of the update.
    pub step: u64,
    /// Which of the samples of this report, from 0 on.
    pub index: usize,
    /// The text.
    pub text: String,
}

/// A line of `events.jsonl`: a loss or a gradient that was no longer a finite number, and what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Zero-based index of the update at which it was seen.
    pub step: u64,
    /// What was done.
    pub action: Action,
    /// Loss of the update's batch, in the unit of the experiment's loss.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Global norm of the gradients before they were clipped.
    #[serde(deserialize_with = "number")]
    pub gradient_norm: f64,
    /// Updates of the checkpoint to which training went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<u64>,
    /// Factor on the scheduled learning rate from then on.
    #[serde(deserialize_with = "number")]
    pub rate_factor: f64,
}

/// What was done about a number that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The update was dropped.
    Skip,
    /// Training went back to a checkpoint.
    Rewind,
}

/// A line of `times.jsonl`: when a line of the metrics was written. It stands apart because times differ between two runs
/// of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Zero-based index of the update.
    pub step: u64,
    /// Seconds of training until then, of all its parts if it was resumed.
    pub seconds: f64,
}

/// What can stand on a line of a log.
pub trait Row: Serialize + DeserializeOwned {
    /// Zero-based index of the update after which the row was written.
    fn step(&self) -> u64;
}

impl Row for Metric {
    fn step(&self) -> u64 {
        self.step
    }
}

impl Row for Time {
    fn step(&self) -> u64 {
        self.step
    }
}

impl Row for SampleRow {
    fn step(&self) -> u64 {
        self.step
    }
}

impl Row for Event {
    fn step(&self) -> u64 {
        self.step
    }
}

/// A log that is open for appending.
#[derive(Debug)]
pub struct Log<R> {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Sha256,
    rows: PhantomData<fn(&R)>,
}

impl<R: Row> Log<R> {
    /// Opens a log, creating the file if there is none. What a run that was stopped left in it is to be cut off first,
    /// by [`truncate_after`].
    ///
    /// # Errors
    /// When the file cannot be opened for writing, and when what is in it cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let there = match files::read(&path, LARGEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            there => there.map_err(|error| failure("read", &path, error))?,
        };
        let file = files::open_own(&path, OpenOptions::new().append(true).create(true));
        let file = file.map_err(|error| failure("write", &path, error))?;
        Ok(Self { hasher: Sha256::new_with_prefix(there), ..Self::appending(path, file) })
    }

    /// A log that appends to an open file; `path` stands for it in messages.
    pub fn appending(path: impl Into<PathBuf>, file: File) -> Self {
        Self { path: path.into(), file: BufWriter::new(file), hasher: Sha256::new(), rows: PhantomData }
    }

    /// Adds a row; it may stay in memory until the next [`Log::flush`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, row: &R) -> Result<()> {
        // One write for the whole line, so that what is cut off is the end of a line and not the middle of two.
        let mut line = serde_json::to_string(row).map_err(|error| Error::internal("cannot log a row", error))?;
        line.push('\n');
        self.hasher.update(&line);
        self.file.write_all(line.as_bytes()).map_err(|error| failure("write", &self.path, error))
    }

    /// The SHA-256 of all rows so far, in hexadecimal digits.
    pub fn digest(&self) -> String {
        hash::finish(self.hasher.clone())
    }

    /// Hands all rows to the operating system. To be called after each report.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|error| failure("write", &self.path, error))
    }

    /// Hands all rows to the operating system and gives what brings them to the disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn sync_later(&mut self) -> Result<PendingSync> {
        self.flush()?;
        let file = self.file.get_ref().try_clone().map_err(|error| failure("write", &self.path, error))?;
        Ok(PendingSync { path: self.path.clone(), file })
    }
}

/// Rows on their way to the disk: to be brought there before a checkpoint is written, so that the rows that it counts on
/// are there even if the machine stops.
#[derive(Debug)]
pub struct PendingSync {
    path: PathBuf,
    file: File,
}

impl PendingSync {
    /// Waits until they are there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn wait(self) -> Result<()> {
        match self.file.sync_data() {
            // Pipes and devices, to which a log may have been redirected, know no such thing.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            result => result.map_err(|error| failure("write", &self.path, error)),
        }
    }
}

/// All rows of a log. A last line that is only half written, as while training runs, is left out; a log that was
/// never begun has no rows.
///
/// # Errors
/// When the file cannot be read or a line of it is not a row.
pub fn read<R: Row>(path: &Path) -> Result<Vec<R>> {
    contents(path)?.map_or(Ok(Vec::new()), |text| rows(path, &text))
}

/// All rows of a log that is in memory, as [`read`] gives those of a file. `path` stands for the file in messages.
///
/// # Errors
/// When it is no text or a line of it is not a row.
pub fn from_bytes<R: Row>(bytes: Vec<u8>, path: &Path) -> Result<Vec<R>> {
    rows(path, &whole_lines(bytes).map_err(|error| failure("read", path, error))?)
}

fn rows<R: Row>(path: &Path, text: &str) -> Result<Vec<R>> {
    let rows = lines(text).map(|(start, line)| parse(path, text, start, line));
    Ok(rows.collect::<std::result::Result<_, Problem>>()?)
}

/// The SHA-256 of the rows that were written no later than after `updates` updates, as [`Log::digest`] gave it then.
///
/// # Errors
/// Those of [`truncate_after`].
pub fn digest_after<R: Row>(path: &Path, updates: u64) -> Result<String> {
    let text = contents(path)?.unwrap_or_default();
    let kept = kept_by::<R>(path, &text, |_, row| row.step() < updates)?;
    Ok(hash::sha256_hex(&text.as_bytes()[..kept]))
}

/// The SHA-256 of the first `rows` rows, as [`Log::digest`] gave it then.
///
/// # Errors
/// Those of [`truncate_after`].
pub fn digest_of<R: Row>(path: &Path, rows: u64) -> Result<String> {
    let text = contents(path)?.unwrap_or_default();
    let kept = kept_by::<R>(path, &text, |index, _| (index as u64) < rows)?;
    Ok(hash::sha256_hex(&text.as_bytes()[..kept]))
}

/// Cuts off the rows that were written later than after `updates` updates, and a last line that is only half written.
/// A run that is resumed from a checkpoint of that many updates then appends what belongs there. The log is another file
/// afterwards: a [`Log`] that is open has to be opened again.
///
/// # Errors
/// When the file cannot be read or written, or a line before the last is not a row.
pub fn truncate_after<R: Row>(path: &Path, updates: u64) -> Result<()> {
    truncate::<R>(path, |_, row| row.step() < updates)
}

/// Cuts off all rows but the first `rows`, and a last line that is only half written.
///
/// # Errors
/// Those of [`truncate_after`].
pub fn truncate_to<R: Row>(path: &Path, rows: u64) -> Result<()> {
    truncate::<R>(path, |index, _| (index as u64) < rows)
}

fn truncate<R: Row>(path: &Path, stays: impl Fn(usize, &R) -> bool) -> Result<()> {
    let Some(text) = contents(path)? else { return Ok(()) };
    let kept = kept_by::<R>(path, &text, stays)?;
    // A new file under the name, so that nothing is cut off a file that has another name too.
    replace::text(path, &text[..kept])
}

/// The bytes of the rows at the beginning that stay.
fn kept_by<R: Row>(path: &Path, text: &str, stays: impl Fn(usize, &R) -> bool) -> Result<usize> {
    let mut kept = 0;
    let mut rest = lines(text).enumerate().peekable();
    while let Some((index, (start, line))) = rest.next() {
        match parse::<R>(path, text, start, line) {
            Ok(row) if stays(index, &row) => kept = start + line.len() + 1,
            Ok(_) => break,
            // What stood at the end when the machine stopped.
            Err(_) if rest.peek().is_none() => break,
            Err(problem) => return Err(problem.into()),
        }
    }
    Ok(kept)
}

/// The text of the file, if there is one; bytes that are no text are at fault on their line.
fn contents(path: &Path) -> Result<Option<String>> {
    match files::read(path, LARGEST) {
        Ok(bytes) => whole_lines(bytes).map(Some).map_err(|error| failure("read", path, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure("read", path, error)),
    }
}

/// A character may be cut in two where the last line ends early; such a line is not read anyway.
fn whole_lines(mut bytes: Vec<u8>) -> io::Result<String> {
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The whole lines, each with the byte where it starts and without its end.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |start, line| {
        let from = *start;
        *start += line.len();
        line.strip_suffix('\n').map(|line| (from, line))
    })
}

fn parse<R: Row>(path: &Path, text: &str, start: usize, line: &str) -> std::result::Result<R, Problem> {
    serde_json::from_str(line).map_err(|error| {
        let place =
            Place { file: path.display().to_string().into(), text: Arc::from(text), span: start..start + line.len() };
        Problem::new(format!("a line of the log is not a row: {error}"))
            .at(place)
            .hint("delete the line, or take the log from a copy")
    })
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
