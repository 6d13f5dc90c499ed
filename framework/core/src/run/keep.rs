//! The checkpoints of a run: which ones are kept, and from which one it is resumed.
//!
//! `checkpoint.safetensors` is the newest; before it is replaced it gets a second name, `checkpoint-<updates>.safetensors`,
//! and of those the oldest are removed. There is a checkpoint at every moment, and a full disk destroys none.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    checkpoint::{self, Checkpoint, Inspection},
    directory::RunDirectory,
    failure, replace,
};
use crate::{
    error::{Problem, Result},
    files,
};

/// The newest intact checkpoint, and the problems of newer ones.
#[derive(Debug)]
pub struct Search {
    /// The newest intact checkpoint; none if the run has no checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// A report for every newer one that is damaged or missing; the hint of the last names the one that is used instead.
    pub reports: Vec<Problem>,
    /// Files that are damaged.
    pub damaged: Vec<PathBuf>,
}

/// Writes the newest checkpoint of a run and keeps `keep` in all. `previous` is the number of updates of the present one.
/// Returns a warning for each older one that cannot be removed: it takes disk space, and does no harm.
///
/// # Errors
/// When it cannot be written; the existing ones are then kept.
pub fn write(
    directory: &RunDirectory,
    checkpoint: &Checkpoint,
    previous: Option<u64>,
    keep: usize,
) -> Result<Vec<Problem>> {
    let newest = directory.checkpoint();
    if let Some(previous) = previous.filter(|previous| *previous != checkpoint.meta.progress.updates && keep > 1) {
        set_aside(&newest, &older_path(directory, previous))?;
    }
    checkpoint::write(&newest, checkpoint)?;
    let superfluous = older(directory)?.into_iter().skip(keep.saturating_sub(1));
    let removed = superfluous.map(|(_, path)| fs::remove_file(&path).map_err(|error| unremoved(&path, &error)));
    Ok(removed.filter_map(std::result::Result::err).collect())
}

fn unremoved(path: &Path, error: &io::Error) -> Problem {
    Problem::new(format!("an old checkpoint cannot be removed: `{}`", path.display()))
        .note(format!("because: {error}"))
        .hint("remove it by hand when it is in the way; the training does not need it")
}

/// The newest intact checkpoint of a run. Damaged ones are skipped and reported.
///
/// # Errors
/// When there are checkpoints but all are damaged, when one is of a newer version, and when one cannot be read.
pub fn newest(directory: &RunDirectory) -> Result<Search> {
    let mut search = Search { checkpoint: None, reports: Vec::new(), damaged: Vec::new() };
    let older: Vec<_> = older(directory)?.into_iter().map(|(_, path)| path).collect();
    let newest = directory.checkpoint();
    if !newest.exists() && !older.is_empty() {
        search.reports.push(Problem::new(format!("there is no `{}` any more", newest.display())));
    }
    for path in std::iter::once(newest).chain(older).filter(|path| path.exists()) {
        match checkpoint::examine(&path)? {
            Inspection::Good(checkpoint) => {
                if let Some(report) = search.reports.last_mut() {
                    let updates = checkpoint.meta.progress.updates;
                    report.hint = Some(format!("the one before is used: `{}`, {updates} updates", path.display()));
                }
                search.checkpoint = Some(*checkpoint);
                return Ok(search);
            }
            Inspection::Damaged(problem) => {
                search.reports.push(problem);
                search.damaged.push(path);
            }
        }
    }
    if search.reports.is_empty() {
        return Ok(search);
    }
    if let Some(last) = search.reports.last_mut() {
        last.hint = Some("no other checkpoint is left; train anew, or take the folder from a copy".to_owned());
    }
    Err(search.reports.into())
}

/// Renames a checkpoint to `checkpoint.damaged-1` or the like, so that it is neither taken for a good one nor overwritten.
///
/// # Errors
/// When it cannot be renamed.
pub fn rename(path: &Path, word: &str) -> Result<()> {
    let mut to = path.to_owned();
    for number in 1_u32.. {
        to = path.with_extension(format!("{word}-{number}"));
        if !to.exists() {
            break;
        }
    }
    fs::rename(path, &to).map_err(|error| failure("rename", path, error))
}

/// Removes partial files, left by a process that was killed while it wrote them.
///
/// # Errors
/// When a file cannot be removed.
pub fn sweep(directory: &RunDirectory) -> Result<()> {
    for path in files(directory)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') && name.ends_with(".partial") {
            fs::remove_file(&path).map_err(|error| failure("remove", &path, error))?;
        }
    }
    Ok(())
}

/// The older checkpoints of a run with their updates, newest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn older(directory: &RunDirectory) -> Result<Vec<(u64, PathBuf)>> {
    let updates = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.parse::<u64>().ok()
    };
    let mut found: Vec<_> = files(directory)?.into_iter().filter_map(|path| Some((updates(&path)?, path))).collect();
    found.sort_by_key(|(updates, _)| std::cmp::Reverse(*updates));
    Ok(found)
}

fn older_path(directory: &RunDirectory, updates: u64) -> PathBuf {
    directory.path().join(format!("checkpoint-{updates}.safetensors"))
}

/// Makes a hard link to a file, or a copy where the file system has no hard links.
fn set_aside(newest: &Path, older: &Path) -> Result<()> {
    match fs::hard_link(newest, older) {
        Ok(()) => Ok(()),
        // The file was removed: there is nothing to keep.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => {
            let mut from = files::open(newest).map_err(|error| failure("read", newest, error))?;
            replace::file(older, |to| io::copy(&mut from, to).map(|_| ()))
        }
    }
}

fn files(directory: &RunDirectory) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(directory.path())?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    read().map_err(|error| failure("read", directory.path(), error))
}
