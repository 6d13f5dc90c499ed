//! The folder of a sweep: its plan, and for every trial the run and what was measured.
//!
//! `plan.json`, and `trials/ID/`: the run's own files and `objective.json`. Every file is replaced as a whole, so a folder
//! that a worker left at any moment is one from which any worker goes on.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Trial};
use crate::{
    error::{Error, Problem, Result},
    files,
    run::{checkpoint::Progress, directory::RunDirectory, failure, replace},
    train::{
        DIVERGED,
        origin::{Origin, seen_from},
    },
};

/// The largest plan that is read: a hundred thousand trials.
const LARGEST_PLAN: u64 = 1 << 30;
/// The largest file of results that is read.
const LARGEST_OUTCOME: u64 = 1 << 20;

/// The folder of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// What was measured of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outcome {
    /// Nats per character on the validation split, by the number of updates after which they were measured.
    pub measured: BTreeMap<u64, f64>,
    /// Why the trial ended before its time, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

/// The end of a trial that gives no number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Failure {
    /// Whether a number was no longer finite.
    pub diverged: bool,
    /// The error.
    pub message: String,
}

impl Failure {
    pub(super) fn of(problems: &[Problem]) -> Self {
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.clone()).collect();
        let diverged = messages.iter().any(|message| message.ends_with(DIVERGED));
        Self { diverged, message: messages.join("; ") }
    }
}

/// The state of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not begun.
    Waiting,
    /// A worker trains it.
    Running,
    /// Begun, and no worker trains it: by a kill, or at the end of a rung.
    Interrupted,
    /// A number was no longer finite.
    Diverged,
    /// It ended with an error.
    Failed,
    /// All its updates are done.
    Completed,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
            Self::Completed => "completed",
        }
    }
}

impl Folder {
    /// That folder, which need not be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn plan_file(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// The file with the folder, relative to this one, from which the paths in the experiments start.
    fn paths_file(&self) -> PathBuf {
        self.path.join("paths.txt")
    }

    /// Whether the folder has a plan.
    pub fn is_planned(&self) -> bool {
        self.plan_file().exists()
    }

    /// Takes the plan for this program alone, waiting for others; until what is returned is dropped.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.path).map_err(|error| failure("create", &self.path, error))?;
        let path = self.path.join("lock");
        let file = files::open_own(&path, File::options().write(true).create(true).truncate(false));
        let file = file.map_err(|error| failure("write", &path, error))?;
        match file.lock() {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(failure("lock", &path, error)),
            _ => Ok(file),
        }
    }

    /// Reads the plan.
    ///
    /// # Errors
    /// When the folder is none of a sweep, or the plan cannot be read.
    pub fn plan(&self) -> Result<Plan> {
        let path = self.plan_file();
        let text = match files::read_text(&path, LARGEST_PLAN) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Problem::new(format!("`{}` is not the folder of a sweep", self.path.display()))
                    .note("known by: plan.json")
                    .hint("`hatchery sweep run FILE` makes it, below `sweeps`")
                    .into());
            }
            Err(error) => return Err(failure("read", &path, error)),
        };
        let damaged = |why: &str| {
            Problem::new(format!("the plan `{}` cannot be read: {why}", path.display()))
                .hint("delete it and write it anew with `hatchery sweep plan FILE`: what is trained is kept")
        };
        let plan: Plan = serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
        if plan.is_sound() {
            Ok(plan)
        } else {
            Err(damaged("its trials are not those of its variants and seeds").into())
        }
    }

    /// Writes the plan, or adds to the one that is there.
    ///
    /// # Errors
    /// When the plan that is there is not continued by this one.
    pub fn write(&self, plan: &Plan, paths: &Path) -> Result<()> {
        if self.plan_file().exists() {
            let before = self.plan()?;
            if before == *plan {
                return Ok(());
            }
            let mut obstacles = before.obstacles(plan);
            if !self.scores()?.is_empty() {
                obstacles.push("the test split has been measured: a choice after that would be no test".to_owned());
            }
            if !obstacles.is_empty() {
                let what = format!("the sweep is no longer that of `{}`", self.path.display());
                let problem = obstacles.into_iter().fold(Problem::new(what), Problem::note);
                return Err(problem.hint("undo the change, or give the sweep another `name`").into());
            }
        }
        let trials = self.path.join("trials");
        fs::create_dir_all(&trials).map_err(|error| failure("create", &trials, error))?;
        let text = serde_json::to_string(plan).map_err(|error| Error::internal("cannot write the plan down", error))?;
        let seen = seen_from(paths, &self.path).map_err(|error| failure("read", paths, error))?;
        let Some(seen) = seen.to_str() else {
            let what = format!("the path of `{}` from the sweep's folder is not UTF-8", paths.display());
            return Err(Problem::new(what).hint("run the sweep from a folder with another name").into());
        };
        replace::text(&self.paths_file(), &format!("{seen}\n"))?;
        replace::text(&self.plan_file(), &text)
    }

    /// The run of a trial, made if it is not there.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn run(&self, trial: &Trial) -> Result<RunDirectory> {
        let path = self.trial(trial);
        if !path.join("experiment.toml").exists() {
            fs::create_dir_all(&path).map_err(|error| failure("create", &path, error))?;
            replace::text(&path.join("experiment.toml"), &trial.experiment)?;
        }
        let run = RunDirectory::open(&path)?;
        if !run.origin().exists() {
            let noted = self.paths_file();
            let folder = files::read_text(&noted, LARGEST_OUTCOME).map_err(|error| failure("read", &noted, error))?;
            Origin::write(&run, &self.path.join(folder.trim_end_matches('\n')), None)?;
        }
        Ok(run)
    }

    /// The folder of a trial's run, which need not be there.
    pub fn trial(&self, trial: &Trial) -> PathBuf {
        self.path.join("trials").join(&trial.id)
    }

    /// What was measured of a trial.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn outcome(&self, trial: &Trial) -> Result<Outcome> {
        let path = self.trial(trial).join("objective.json");
        match files::read_text(&path, LARGEST_OUTCOME) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| {
                Problem::new(format!("`{}` cannot be read: {error}", path.display()))
                    .hint("delete it: the trial is then measured again")
                    .into()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Outcome::default()),
            Err(error) => Err(failure("read", &path, error)),
        }
    }

    /// Those of all trials.
    ///
    /// # Errors
    /// Those of [`Folder::outcome`].
    pub fn outcomes(&self, plan: &Plan) -> Result<Vec<Outcome>> {
        plan.trials.iter().map(|trial| self.outcome(trial)).collect()
    }

    pub(super) fn record(&self, trial: &Trial, outcome: &Outcome) -> Result<()> {
        let text =
            serde_json::to_string(outcome).map_err(|error| Error::internal("cannot write a result down", error))?;
        replace::text(&self.trial(trial).join("objective.json"), &(text + "\n"))
    }

    /// The state of a trial with that outcome.
    pub fn state(&self, plan: &Plan, trial: &Trial, outcome: &Outcome) -> State {
        match &outcome.failed {
            Some(Failure { diverged: true, .. }) => return State::Diverged,
            Some(_) => return State::Failed,
            None if outcome.measured.contains_key(&plan.updates(trial)) => return State::Completed,
            None => {}
        }
        match RunDirectory::open(&self.trial(trial)) {
            Err(_) => State::Waiting,
            Ok(run) if run.is_locked() => State::Running,
            Ok(_) => State::Interrupted,
        }
    }
}

/// The validation loss that a progress stands for, by the objective's checkpoint.
pub(super) fn best(progress: &Progress) -> Option<f64> {
    progress.best.as_ref().map(|best| best.nats)
}
