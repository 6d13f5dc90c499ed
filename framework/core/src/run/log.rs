//! The logs of a run: one JSON object a line, appended while training runs.
//!
//! Rows hold nothing that differs between two runs of one experiment, such as times: repeating a run gives the same
//! bytes. A number that is not finite, which JSON does not know, is `null` and reads back as not a number; every other
//! number reads back exactly.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

pub use super::rows::{Action, Evaluation, Event, Metric, Row, SampleRow, Time};
use super::{failure, replace};
use crate::{
    error::{Error, Place, Problem, Result},
    files, hash,
};

/// Bytes of the largest log that is read: lines for more than ten million updates.
pub(crate) const LARGEST: u64 = 1 << 32;

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
/// never begun has no rows. The file is read line by line: of a long log only the rows are in memory.
///
/// # Errors
/// When the file cannot be read or a line of it is not a row.
pub fn read<R: Row>(path: &Path) -> Result<Vec<R>> {
    let mut found = Vec::new();
    let is_sound = each_line(path, |line| serde_json::from_slice(line).map(|row| found.push(row)).is_ok())?;
    // The message shows the line in its text.
    if is_sound { Ok(found) } else { contents(path)?.map_or(Ok(Vec::new()), |text| rows(path, &text)) }
}

/// Calls `with` for the whole lines of a log, with their ends, until it returns `false`. Returns whether it never did.
fn each_line(path: &Path, mut with: impl FnMut(&[u8]) -> bool) -> Result<bool> {
    let failed = |error| failure("read", path, error);
    let file = match files::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        file => file.map_err(failed)?,
    };
    files::at_most(&file, LARGEST).map_err(failed)?;
    let (mut lines, mut line) = (BufReader::with_capacity(1 << 16, file).take(LARGEST), Vec::new());
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line).map_err(failed)?;
        if !line.ends_with(b"\n") {
            return Ok(true);
        }
        if !with(&line) {
            return Ok(false);
        }
    }
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
    digest_while::<R>(path, |_, row| row.step() < updates)
}

/// The SHA-256 of the first `rows` rows, as [`Log::digest`] gave it then.
///
/// # Errors
/// Those of [`truncate_after`].
pub fn digest_of<R: Row>(path: &Path, rows: u64) -> Result<String> {
    digest_while::<R>(path, |index, _| (index as u64) < rows)
}

fn digest_while<R: Row>(path: &Path, stays: impl Fn(usize, &R) -> bool) -> Result<String> {
    let mut hasher = Sha256::new();
    kept_by(path, stays, |line| hasher.update(line))?;
    Ok(hash::finish(hasher))
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
    let kept = kept_by(path, stays, |_| {})?;
    let there = match files::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there.map_err(|error| failure("read", path, error))?,
    };
    // A new file under the name, so that nothing is cut off a file that has another name too.
    replace::file(path, |file| io::copy(&mut there.take(kept), file).map(drop))
}

/// The bytes of the rows at the beginning that stay; `with` gets each of their lines.
fn kept_by<R: Row>(path: &Path, stays: impl Fn(usize, &R) -> bool, mut with: impl FnMut(&[u8])) -> Result<u64> {
    let (mut kept, mut index, mut is_broken, mut is_done) = (0, 0, false, false);
    let is_whole = each_line(path, |line| {
        match serde_json::from_slice::<R>(line) {
            // A line that is no row stood at the end when the machine stopped, unless another follows.
            _ if is_broken => return false,
            Ok(row) if stays(index, &row) => {
                kept += line.len() as u64;
                with(line);
            }
            Ok(_) => is_done = true,
            Err(_) => is_broken = true,
        }
        index += 1;
        !is_done
    })?;
    if is_whole || is_done {
        return Ok(kept);
    }
    let text = contents(path)?.unwrap_or_default();
    rows::<R>(path, &text).map(|_| kept)
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
