//! The folder of a run, `runs/<name>/<id>/`: how it is made, found again and listed.

mod find;

use std::{
    fmt, fs, io,
    path::{Component, Path, PathBuf},
};

pub use self::find::{RunRef, Summary, Validation, diverged, list, newest, resolve};
use super::{
    LARGEST_PAGE, failure,
    lock::{self, Lock},
    replace,
};
use crate::{
    error::{Problem, Result},
    experiment::renamed::rename,
    files,
};

/// The folder of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
    name: String,
    id: String,
}

/// The file of the user's note.
const NOTE: &str = "note.txt";

const LIST: &str = "`hatchery runs list` lists the runs";

impl RunDirectory {
    /// Makes the folder of a new run under `root`. Its id is one more than the largest id of the experiment's runs; two
    /// processes never get the same id.
    ///
    /// # Errors
    /// When the folder cannot be made, or the experiment's name cannot be the name of a folder.
    pub fn create(root: &Path, experiment_name: &str) -> Result<Self> {
        if !is_folder_name(Path::new(experiment_name)) {
            return Err(Problem::new(format!("`{experiment_name}` cannot be the name of a folder"))
                .hint("use letters, digits, `.`, `_` and `-`")
                .into());
        }
        let parent = root.join(experiment_name);
        let mut number = ids(&parent)?.into_iter().max().unwrap_or(0);
        loop {
            number += 1;
            let id = format!("{number:03}");
            let path = parent.join(&id);
            // `create_dir` succeeds for one process only; the others get an error and try the next number.
            match fs::create_dir_all(&parent).and_then(|()| fs::create_dir(&path)) {
                Ok(()) => return Ok(Self { path, name: experiment_name.to_owned(), id }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => {}
                // Meanwhile another process discarded the last run of this name, and `parent` with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && root.is_dir() => number -= 1,
                Err(error) => return Err(failure("create", &path, error)),
            }
        }
    }

    /// The run of an existing folder.
    ///
    /// # Errors
    /// When there is no such folder or it is not one of a run.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            let what = if path.exists() { "is not a folder" } else { "does not exist" };
            return Err(Problem::new(format!("the run `{}` {what}", path.display())).hint(LIST).into());
        }
        if !is_run(path) {
            return Err(Problem::new(format!("`{}` is not the folder of a run", path.display()))
                .note("known by: experiment.toml")
                .hint(LIST)
                .into());
        }
        // The path may be `.` or end in `..`; the canonical path has the names of the folders.
        let whole = fs::canonicalize(path).map_err(|error| failure("read", path, error))?;
        let part = |path: Option<&Path>| path.map_or_else(String::new, name_of);
        Ok(Self { path: path.to_owned(), name: part(whole.parent()), id: part(Some(&whole)) })
    }

    /// Removes the folder of a run that stopped before its first update was logged, with the files that were written
    /// before training began. A run with log lines, a loss curve or a checkpoint is kept.
    ///
    /// # Errors
    /// When a file or the folder cannot be removed.
    pub fn discard(self) -> Result<()> {
        let started = [self.checkpoint(), self.picture()].iter().any(|path| path.exists())
            || [self.metrics(), self.samples()].iter().any(|path| fs::metadata(path).is_ok_and(|file| file.len() > 0));
        if started {
            return Ok(());
        }
        let written =
            [self.experiment(), self.environment(), self.origin(), self.metrics(), self.samples(), self.times()];
        written.into_iter().chain([self.path.join(lock::FILE)]).try_for_each(|path| remove(&path))?;
        self.remove_folder()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The experiment's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The run's id: a number of three digits or more.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The resolved experiment.
    pub fn experiment(&self) -> PathBuf {
        self.path.join("experiment.toml")
    }

    /// The text of the resolved experiment, with the keys of earlier versions replaced by their present names.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn recorded_experiment(&self) -> Result<String> {
        let path = self.experiment();
        let text = files::read_text(&path, LARGEST_PAGE).map_err(|error| failure("read", &path, error))?;
        Ok(rename(&text).0)
    }

    /// The log of metrics.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The seconds at which the lines of the log of numbers were written.
    pub fn times(&self) -> PathBuf {
        self.path.join("times.jsonl")
    }

    /// The user's note, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn note(&self) -> Result<Option<String>> {
        let path = self.path.join(NOTE);
        match files::read_text(&path, LARGEST_PAGE) {
            Ok(note) => Ok(Some(note.trim_end().to_owned()).filter(|note| !note.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("read", &path, error)),
        }
    }

    /// Writes the user's note, or removes it if it is empty.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_note(&self, note: &str) -> Result<()> {
        let path = self.path.join(NOTE);
        if note.is_empty() { remove(&path) } else { replace::text(&path, &format!("{note}\n")) }
    }

    /// Deletes the run, whose lock the caller holds: all files that a run writes, and the folder. Returns files that no run
    /// writes; they stay, and so does the folder.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn delete(self, lock: Lock) -> Result<Vec<PathBuf>> {
        // The experiment goes last: until then the folder is known as that of a run.
        let (own, kept): (Vec<_>, Vec<_>) = entries(&self.path)?.into_iter().partition(|path| is_own(&name_of(path)));
        let (last, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|path| *path == self.experiment());
        own.iter().chain(&last).try_for_each(|path| remove(path))?;
        drop(lock);
        if kept.is_empty() {
            self.remove_folder()?;
        }
        Ok(kept)
    }

    /// Removes the empty folder of the run, and that of its name if it was the only one there.
    fn remove_folder(&self) -> Result<()> {
        fs::remove_dir(&self.path).map_err(|error| failure("remove", &self.path, error))?;
        if let Some(parent) = self.path.parent() {
            // If there are other runs, this is refused, rightly.
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }

    /// The log of samples.
    pub fn samples(&self) -> PathBuf {
        self.path.join("samples.jsonl")
    }

    /// The log of losses and gradients that were not finite, and of what was done; exists only if there were any.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// The checkpoint with the lowest validation loss; exists only if there is a validation split.
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// The curve of the loss.
    pub fn picture(&self) -> PathBuf {
        self.path.join("loss.svg")
    }

    /// The record of versions, processor, device and command line.
    pub fn environment(&self) -> PathBuf {
        self.path.join("environment.json")
    }

    /// The paths of the text and of the first checkpoint.
    pub fn origin(&self) -> PathBuf {
        self.path.join("origin.json")
    }
}

impl fmt::Display for RunDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.id)
    }
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failure("remove", path, error)),
        _ => Ok(()),
    }
}

/// Whether a run writes a file of this name.
fn is_own(name: &str) -> bool {
    const OWN: [&str; 11] = [
        "experiment.toml",
        "environment.json",
        "origin.json",
        "metrics.jsonl",
        "times.jsonl",
        "samples.jsonl",
        "events.jsonl",
        "best.safetensors",
        "loss.svg",
        "lengths.svg",
        NOTE,
    ];
    let is_checkpoint = name.starts_with("checkpoint.") || name.starts_with("checkpoint-");
    let is_partial = name.starts_with('.') && name.ends_with(".partial");
    OWN.contains(&name) || name == lock::FILE || is_checkpoint || is_partial
}

fn is_run(path: &Path) -> bool {
    path.join("experiment.toml").is_file()
}

/// Whether a file is in the folder of a run, or below it: beside the experiment lies what only a training writes.
pub fn holds(file: &Path) -> bool {
    let whole = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let written = ["environment.json", "origin.json", "metrics.jsonl", "checkpoint.safetensors"];
    let trained = |folder: &Path| written.iter().any(|name| fs::symlink_metadata(folder.join(name)).is_ok());
    whole.ancestors().skip(1).any(|folder| is_run(folder) && trained(folder))
}

/// The ids in use: every number that is the name of an entry, of a run or not.
fn ids(parent: &Path) -> Result<Vec<u64>> {
    Ok(entries(parent)?.iter().filter_map(|path| name_of(path).parse::<u32>().ok()).map(u64::from).collect())
}

/// The sorted entries of a folder; none if there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = |entries: fs::ReadDir| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    match fs::read_dir(folder).and_then(read) {
        Ok(mut entries) => {
            entries.sort();
            Ok(entries)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(failure("read", folder, error)),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_folder_name(name: &Path) -> bool {
    let mut parts = name.components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name.as_os_str())
}
