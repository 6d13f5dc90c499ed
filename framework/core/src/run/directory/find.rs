//! Finding runs again: by what the user calls them, the newest, and all of them.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Serialize;

use super::{LIST, RunDirectory, entries, is_run};
use crate::{
    error::{Error, Problem, Result},
    run::{
        environment::{End, Environment},
        log::{self, Metric},
        seal,
    },
};

/// What an argument that names a run turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunRef {
    /// The folder of a run.
    Run(RunDirectory),
    /// A file, to be read as a checkpoint.
    Checkpoint(PathBuf),
}

/// A run in a list of runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its folder.
    pub path: PathBuf,
    /// The experiment's name.
    pub name: String,
    /// The run's id.
    pub id: String,
    /// Updates that are done, as far as they are logged.
    pub updates: u64,
    /// The training loss that was logged last, in nats per character.
    pub loss: Option<f64>,
    /// The validation that was logged last.
    pub valid: Option<Validation>,
    /// The best validation.
    pub best: Option<Validation>,
    /// Whether the training loss is not finite at the end, or more than ten times what it was at the beginning.
    pub diverged: bool,
    /// Whether training came to its end.
    pub finished: bool,
    /// Whether a log is no longer what the training wrote.
    pub changed: bool,
    /// How it last ended, if that is recorded.
    pub ending: Option<End>,
    /// When it was created.
    pub created: SystemTime,
    /// When it was begun, as in RFC 3339, in UTC, if that is recorded.
    pub started: Option<String>,
    /// Seconds of training, if they are recorded.
    pub seconds: Option<f64>,
}

/// What a validation measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// Zero-based index of the update after which it was.
    pub step: u64,
    /// Cross-entropy in nats per character.
    pub nats: f64,
}

impl Validation {
    /// The last validation of a log, and the best: the first of the lowest.
    pub fn of(metrics: &[Metric]) -> (Option<Self>, Option<Self>) {
        let all = || {
            let measured = |metric: &Metric| Some((metric.step, metric.valid.as_ref()?.nats_per_character));
            metrics.iter().filter_map(measured).map(|(step, nats)| Self { step, nats })
        };
        let finite = all().filter(|valid| valid.nats.is_finite());
        (all().next_back(), finite.reduce(|best, next| if next.nats < best.nats { next } else { best }))
    }
}

/// Whether a log ends in a training loss that is not finite, or more than ten times that of its beginning.
pub fn diverged(metrics: &[Metric]) -> bool {
    let [Some(first), Some(last)] = [metrics.first(), metrics.last()].map(|metric| metric.map(Metric::nats)) else {
        return false;
    };
    !last.is_finite() || last > 10.0 * first
}

impl RunRef {
    /// The checkpoint file.
    pub fn checkpoint(&self) -> PathBuf {
        match self {
            Self::Run(run) => run.checkpoint(),
            Self::Checkpoint(path) => path.clone(),
        }
    }

    /// The folder of the run, also of a checkpoint in it.
    ///
    /// # Errors
    /// When a checkpoint does not be in the folder of a run.
    pub fn directory(&self) -> Result<RunDirectory> {
        match self {
            Self::Run(run) => Ok(run.clone()),
            Self::Checkpoint(path) => match path.parent() {
                Some(folder) if folder.as_os_str().is_empty() => RunDirectory::open(".".as_ref()),
                Some(folder) => RunDirectory::open(folder),
                None => Err(Problem::new(format!("`{}` is not in a folder", path.display())).into()),
            },
        }
    }
}

/// The run under `root` that was created last: by the time of its `origin.json` or `experiment.toml`, whichever is
/// older, then by its id.
///
/// # Errors
/// When there is none.
pub fn newest(root: &Path) -> Result<RunDirectory> {
    latest(runs(root)?).ok_or_else(|| none_in(root))
}

/// All runs under `root`, the oldest first.
///
/// # Errors
/// When a folder cannot be read.
pub fn list(root: &Path) -> Result<Vec<Summary>> {
    let mut summaries: Vec<_> = runs(root)?.iter().map(RunDirectory::summary).collect();
    summaries.sort_by(|a, b| (a.created, age(&a.id), &a.name).cmp(&(b.created, age(&b.id), &b.name)));
    Ok(summaries)
}

/// What an argument names: a checkpoint file, the folder of a run, a folder of runs (the newest of them), or `name`
/// (the newest of that name) or `name/id` under `root`. Without an argument, the newest run under `root`.
///
/// # Errors
/// When there is no such run.
pub fn resolve(argument: Option<&Path>, root: &Path) -> Result<RunRef> {
    let Some(argument) = argument else { return newest(root).map(RunRef::Run) };
    if argument.is_file() {
        if argument.extension() == Some(OsStr::new("toml")) {
            return Err(Problem::new(format!("`{}` is an experiment file, not a run", argument.display()))
                .hint("name a run of it (`hatchery runs list` shows them), or leave it out for the newest")
                .into());
        }
        return Ok(RunRef::Checkpoint(argument.to_owned()));
    }
    let below = root.join(argument);
    if below.is_file() {
        return Ok(RunRef::Checkpoint(below));
    }
    let mut places = vec![argument.to_owned(), below];
    // `dinosaurs/7` for `dinosaurs/007`.
    if let Some(number) = argument.file_name().and_then(OsStr::to_str).and_then(|id| id.parse::<u64>().ok()) {
        places.push(root.join(argument).with_file_name(format!("{number:03}")));
    }
    for place in places {
        if is_run(&place) {
            return RunDirectory::open(&place).map(RunRef::Run);
        }
        let mut inside = runs_named(&place)?;
        if inside.is_empty() {
            inside = runs(&place)?;
        }
        if let Some(run) = latest(inside) {
            return Ok(RunRef::Run(run));
        }
    }
    Err(unknown(argument, root))
}

impl RunDirectory {
    /// Resuming a run writes its experiment anew, but not where it comes from.
    fn created(&self) -> SystemTime {
        let modified = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
        let times = [modified(self.experiment()), modified(self.origin())];
        times.into_iter().flatten().min().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// A log or an environment that cannot be read is no reason to hide the run, or the others.
    fn summary(&self) -> Summary {
        let metrics: Vec<Metric> = log::read(&self.metrics()).unwrap_or_default();
        let last = metrics.last();
        let (valid, best) = Validation::of(&metrics);
        let environment = Environment::read(&self.environment()).ok();
        let ending = environment.as_ref().and_then(|environment| environment.ending);
        let logged = last.map_or(0, |row| row.step.saturating_add(1));
        Summary {
            path: self.path.clone(),
            name: self.name.clone(),
            id: self.id.clone(),
            updates: environment.as_ref().map_or(0, |environment| environment.updates).max(logged),
            loss: last.map(Metric::nats),
            valid,
            best,
            diverged: diverged(&metrics) || ending == Some(End::Diverged),
            finished: environment.as_ref().is_some_and(|environment| environment.finished),
            ending,
            seconds: environment.as_ref().map(|environment| environment.wall_seconds),
            started: environment.map(|environment| environment.start),
            changed: !seal::changed_since_checkpoint(self).is_empty(),
            created: self.created(),
        }
    }
}

fn unknown(argument: &Path, root: &Path) -> Error {
    let known = match runs(root) {
        Ok(known) if !known.is_empty() => known,
        Ok(_) => {
            return Problem::new(format!("there is no run or checkpoint `{}`", argument.display()))
                .note(format!("there is no run in `{}` either", root.display()))
                .hint("train first: `hatchery train EXPERIMENT.toml`; or name a run's folder, or a checkpoint file")
                .into();
        }
        Err(error) => return error,
    };
    let wanted = argument.to_string_lossy();
    let mut names: Vec<String> = known.iter().flat_map(|run| [run.name.clone(), run.to_string()]).collect();
    names.sort();
    names.dedup();
    let nearest = names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3);
    let mut whole: Vec<_> = known.iter().map(|run| run.name.as_str()).collect();
    whole.sort_unstable();
    whole.dedup();
    Problem::new(format!("there is no run or checkpoint `{wanted}`"))
        .note(format!("runs in `{}`: {}", root.display(), whole.join(", ")))
        .hint(nearest.map_or_else(|| LIST.to_owned(), |(_, name)| format!("did you mean `{name}`?")))
        .into()
}

fn none_in(root: &Path) -> Error {
    Problem::new(format!("there is no run in `{}`", root.display()))
        .hint("train first: `hatchery train EXPERIMENT.toml`")
        .into()
}

fn latest(runs: Vec<RunDirectory>) -> Option<RunDirectory> {
    runs.into_iter().max_by_key(|run| (run.created(), age(&run.id), run.name.clone()))
}

/// Ids in the order of their making: as numbers, of which `1000` comes after `999`.
fn age(id: &str) -> (u64, String) {
    (id.parse().unwrap_or(0), id.to_owned())
}

fn runs(root: &Path) -> Result<Vec<RunDirectory>> {
    let names = folders(root)?.into_iter().map(|parent| runs_named(&parent));
    Ok(names.collect::<Result<Vec<_>>>()?.concat())
}

fn runs_named(parent: &Path) -> Result<Vec<RunDirectory>> {
    folders(parent)?.iter().filter(|path| is_run(path)).map(|path| RunDirectory::open(path)).collect()
}

fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(parent)?.into_iter().filter(|path| path.is_dir()).collect())
}
